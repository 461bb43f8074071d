"""Addresses of stores: how they are read, what of them may be shown, what was meant by one that is none."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path
from urllib.parse import quote, urlsplit

from automl.errors import ConfigError, Problem

FILE = "mlflow.db"
"""The SQLite file of a home."""
LOCKED_S = 20.0
"""How long a locked SQLite file is waited for, here as in MLflow."""
SQLITE = "sqlite:///"
SQLITE_BEGINNINGS = (SQLITE, "sqlite+pysqlite:///")
_TO_QUOTE = {"%", "?"}
"""What an address of a database takes for its own, in the path of a file."""
_HOST_AND_PORT = re.compile(r"(?://)?((?:[\w.-]+|\[[\w:]+\]):\d+(?:/.*)?)")


def redacted(text: object) -> str:
    """Returns `text` without the user names, passwords and tokens of the addresses in it."""
    # To the last @ of the word: a password may hold one, or a slash. Not the folders of an SQLite file, behind ///.
    hidden = re.sub(r"://(?!/)\S+@", "://***@", str(text))
    return re.sub(r"(?i)\b(\w*(?:password|passwd|pwd|token|secret|api_?key))=[^&\s'\"]+", r"\1=***", hidden)


def hint(uri: str) -> str | None:
    """Returns what may have been meant by an address that is none."""
    if found := _HOST_AND_PORT.fullmatch(uri):
        return f"Did you mean http://{found[1]}?"
    if kind(uri) in ("", "file"):
        return "MLflow has given up file stores; `mlflow migrate-filestore` turns one into SQLite"
    return None


def file(uri: str) -> Path:
    """Returns the file of an SQLite address, as SQLAlchemy reads it."""
    if not _TO_QUOTE & set(uri):
        return Path(uri.partition(":///")[2])
    from sqlalchemy import make_url

    return Path(make_url(uri).database or "")


def sqlite_file(uri: str) -> Path | None:
    """Returns the file of an address; None where it is none of SQLite's."""
    return file(uri) if uri.startswith(SQLITE_BEGINNINGS) else None


def of_file(path: Path) -> str:
    """Returns the address of an SQLite file, quoted where SQLAlchemy would read something else.

    Which characters it takes as they are depends on its version. A quoted address names the driver: of one that does
    not, MLflow makes the folder, and that by its letters, `%3F` for a question mark.

    Raises:
        ConfigError: This SQLAlchemy has no way to say it.
    """
    plain = f"{SQLITE}{path}"
    if not _TO_QUOTE & set(plain):
        return plain
    for address in (f"sqlite+pysqlite:///{quote(str(path))}", f"sqlite+pysqlite:///{path}"):
        if file(address) == path:
            return address
    what = "the installed SQLAlchemy cannot open a database in a folder of this name"
    raise ConfigError(Problem(str(path.parent), what, hint="Rename it, or install SQLAlchemy 2.1 or newer"))


def require_name(home: Path) -> None:
    """Refuses a new search's home whose name MLflow reads as another: it decodes the folder of a model twice.

    Raises:
        ConfigError: The path holds `%` and two digits that stand for a character, as in `%20`.
    """
    if found := re.search("%[0-9A-Fa-f]{2}", str(home)):
        what = f"MLflow would not find the models in a folder of this name: it reads {found.group()} as a character"
        raise ConfigError(Problem(str(home), what, hint="Rename the folder, or set AUTOML_HOME"))


def driver() -> str | None:
    """Returns the driver for PostgreSQL that is installed; None where there is none."""
    return next((name for name in ("psycopg2", "psycopg") if importlib.util.find_spec(name)), None)


def kind(uri: str) -> str:
    """Returns the scheme of an address, without the driver that an SQL database may name there."""
    return urlsplit(uri).scheme.split("+")[0]


def same_address(shown: str) -> str | None:
    """Returns the tracking address a search was begun with, from how it was written down.

    Raises:
        ConfigError: It held a password, which is not written down, and is not in the environment either.
    """
    if "***" not in shown:
        return shown
    if os.environ.get("MLFLOW_TRACKING_URI"):
        return None
    what = f"the address {shown} held a password, which is not kept"
    raise ConfigError(Problem("--tracking-uri", what, hint="Give it again with --tracking-uri or MLFLOW_TRACKING_URI"))
