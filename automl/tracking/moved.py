"""A store that was moved with its home: MLflow writes whole paths of artifacts, which follow it here."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from pathlib import Path
from urllib.parse import unquote, urlsplit

from automl.tracking import address

log = logging.getLogger("automl.tracking")

ARTIFACTS = "artifacts"
"""The folder of a home that holds the artifacts."""
_PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Where MLflow's tables hold the address of a folder of artifacts."""


def follow(file: Path) -> None:
    """Puts the addresses right that a store holds of its own artifacts, where they lay beside it in another place.

    Of a home that was copied too: the copy's store names the copy's artifacts from here on. Artifacts of another home,
    which this store may hold too, are left where they are.

    Args:
        file: The SQLite file of a home. Its tables exist.
    """
    home = file.parent
    with contextlib.closing(sqlite3.connect(file, timeout=address.LOCKED_S)) as database, database:
        for old in _homes(database):
            if old != home and _was_here(database, old, home):
                moved = sum(_readdress(database, *pair) for pair in _prefixes(old, home))
                log.warning("The store was moved here from %s: %d addresses in it were put right", old, moved)


def _homes(database: sqlite3.Connection) -> list[Path]:
    """Returns the homes in which a store's experiments keep their artifacts."""
    found = [_path(address) for (address,) in database.execute("SELECT DISTINCT artifact_location FROM experiments")]
    # An experiment of ours has the folder itself, one made in the UI a folder in it.
    roots = (root for path in found if path for root in (path, path.parent) if root.name == ARTIFACTS)
    return list(dict.fromkeys(root.parent for root in roots))


def _path(address: str | None) -> Path | None:
    parts = urlsplit(address or "")
    return Path(unquote(parts.path)) if parts.scheme == "file" and parts.netloc in ("", "localhost") else None


def _was_here(database: sqlite3.Connection, old: Path, home: Path) -> bool:
    """Tells whether the artifacts of a home are those of this one by now."""
    before, now = old / ARTIFACTS, home / ARTIFACTS
    with contextlib.suppress(PermissionError):  # another user's by now: what lies here decides
        if not before.exists():
            return True
        if now.exists() and before.samefile(now):  # another way to the same folder
            return False
    begins = f"{before.as_uri()}/"
    runs = database.execute("SELECT artifact_uri FROM runs WHERE substr(artifact_uri, 1, ?) = ?", (len(begins), begins))
    return any((now / unquote(address.removeprefix(begins))).exists() for (address,) in runs)


def _prefixes(old: Path, home: Path) -> list[tuple[str, str]]:
    """Returns how addresses below a home began, and how they begin now: our own, and MLflow's of its first experiment.

    With what follows the folder's name, as `mlruns` is not `mlruns2`.
    """
    return [(f"{old.as_uri()}/", f"{home.as_uri()}/"), (f"{old}/", f"{home}/")]


def _readdress(database: sqlite3.Connection, old: str, new: str) -> int:
    """Has every address that begins so begin otherwise; returns how many did."""
    return sum(
        database.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",  # noqa: S608
            (new, len(old) + 1, len(old), old),
        ).rowcount
        for table, column in _PLACES
    )
