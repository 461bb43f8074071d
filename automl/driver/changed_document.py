"""A document that was edited after its search began: what differs, and whether the trials it had still fit."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from automl.document import yaml_text
from automl.driver.progress import Watcher
from automl.errors import ConfigError, Problem
from automl.experiment import experiment
from automl.experiment.experiment import Experiment
from automl.journal import History
from automl.machine import files
from automl.space.space import Space
from automl.space.tree import Values


def source(
    space: str,
    data: str | None,
    options: tuple[str, ...],
    flags: Mapping[str, object],
    start: Sequence[Values] = (),
) -> dict[str, Any]:
    """Returns how a search's documents were named, such that they are found again from any folder.

    The points of a warm start stand there themselves: what they were read from may not be there any more.
    """
    named = {"space": _placed(space), "data": data and _placed(data)}
    return {**named, "options": list(options), "flags": dict(flags), "start": [dict(point) for point in start]}


def settled(history: History, watcher: Watcher, accept: bool) -> tuple[dict[str, Any], bool]:
    """Returns the document to go on with, and whether it is another one than before.

    Raises:
        ConfigError: It is, and that is not accepted, or trials that were made no longer fit.
    """
    header = history.header
    now = _reread(header.settings.get("source"))
    told = _difference(header.document, now.document.data) if now else []
    if now is None or not told:
        return dict(header.document), False
    watcher.say("\n".join(told))
    if not accept:
        hint = "Put it back, or go on with it as it is with --accept-changes"
        raise ConfigError(Problem(header.settings["source"]["space"], "it changed since the search began", hint=hint))
    strangers = [str(number) for number, t in history.trials.items() if not _legal(now.space, t.asked.values)]
    if strangers:
        what = f"trials that were made are no points of the space any more: {', '.join(strangers)}"
        raise ConfigError(Problem(header.settings["source"]["space"], what, hint="Begin a new search"))
    return dict(now.document.data), True


def _reread(named: Mapping[str, Any] | None) -> Experiment | None:
    """Reads the documents again as `source` named them; None where they are gone.

    Raises:
        ConfigError: They can no longer be read.
    """
    if named is None:
        return None
    paths = [Path(name) for name in (named["space"], named["data"]) if name and Path(name).is_absolute()]
    if not all(map(files.exists, paths)):
        return None
    return experiment.load(named["space"], named["data"], named["options"], named["flags"], named.get("start", ()))


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Returns the lines in which two documents differ, as a unified diff; none when they agree."""
    was, is_now = (yaml_text.dump(json.loads(json.dumps(each))).splitlines() for each in (before, now))
    return list(difflib.unified_diff(was, is_now, "when the search began", "now", n=1, lineterm=""))


def _legal(space: Space, values: Values) -> bool:
    """Tells whether values are a point of a space: its active parameters, all of them, each within its domain."""
    try:
        active = space.fill(lambda param: values[param.name])
    except KeyError:
        return False
    fits = all(space.by_name[name].domain.holds(value) for name, value in active.items())
    return fits and active.keys() == values.keys() and space.legal(values)


def _placed(name: str) -> str:
    path = files.expanded(name)
    return name if files.unreadable(path) else str(path.absolute())
