"""A search whose home was moved, with the project around it: what its journal names by whole paths is found again."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from automl.errors import ConfigError, Problem
from automl.journal import Header, History
from automl.machine import files
from automl.tracking import address, same_address


def followed(history: History, home: Path) -> History:
    """Returns a journal as it reads where its home is now.

    The home's own store is the one beside the journal. A file or folder of the project that is gone, and lies in the
    same place seen from where the home is now, is that one; what is still there stays as it is.

    Args:
        history: The journal, replayed.
        home: Where it lies now.
    """
    header, now = history.header, home.absolute()
    before = _home(header.settings)
    if before is None or before == now:
        return history

    def path(text: Any) -> Any:
        return _moved(Path(text), before, now) if isinstance(text, str) and Path(text).is_absolute() else text

    settings: Any = copy.copy(header.settings)  # of the same kind, which says what it lacks
    settings |= {"home": str(now), "data_root": path(settings.get("data_root"))}
    settings["tracking_uri"] = _address(settings["tracking_uri"], before, now)
    if named := settings.get("source"):
        settings["source"] = {**named, "space": path(named["space"]), "data": path(named["data"])}
    data, content = header.document.get("data"), dict(header.document)
    if isinstance(data, Mapping) and "root" in data:
        content["data"] = {**data, "root": path(data["root"])}
    finished = history.finished
    if finished and "tracking_uri" in finished.result:
        told = {**finished.result, "tracking_uri": _address(finished.result["tracking_uri"], before, now)}
        finished = replace(finished, result=told)
    return replace(history, header=replace(header, settings=settings, document=content), finished=finished)


def tracking_uri(header: Header, given: str | None) -> str | None:
    """Returns the tracking address to go on with: the one given, else that which the search was begun with.

    Raises:
        ConfigError: It held a password, which is not kept, or its folder is gone: it would be made anew, empty.
    """
    if given:
        return given
    known = same_address(header.settings["tracking_uri"])
    file = address.sqlite_file(known) if known else None
    if file is not None and not file.parent.exists():
        what = f"the store that the search was begun with is gone: there is no folder {file.parent}"
        raise ConfigError(Problem("--tracking-uri", what, hint="Put it back, or name another store"))
    return known


def _home(settings: Mapping[str, Any]) -> Path | None:
    """Returns where the home was when the search began; None where the journal does not tell."""
    if settings.get("home"):
        return Path(settings["home"])
    # A journal of an earlier version. Of a store that is still there nobody knows whether it was the home's own.
    file = address.sqlite_file(settings["tracking_uri"])
    return file.parent if file and file.name == address.FILE and not files.exists(file) else None


def _address(uri: str, before: Path, now: Path) -> str:
    """Returns the address of a store: of one in the home, where that is now."""
    file = address.sqlite_file(uri)
    return address.of_file(now / file.relative_to(before)) if file and file.is_relative_to(before) else uri


def _moved(path: Path, before: Path, now: Path) -> str:
    project = before.parent
    if files.exists(path) or not path.is_relative_to(project):
        return str(path)
    found = now.parent / path.relative_to(project)
    return str(found if files.exists(found) else path)
