"""Trials beside each other, and searches beside each other: a row for each thing that is compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from automl.errors import ConfigError, Problem
from automl.experiment.experiment import Experiment
from automl.journal import History
from automl.records.objective import spread
from automl.results import leaderboard

LEAST = 2
"""Things below which there is nothing to compare."""


def trials(home: Path, search_id: str, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Returns what differs between trials: a row for each parameter and figure, a column for each trial.

    Args:
        home: Where searches live.
        search_id: The search.
        numbers: The trials.

    Raises:
        ConfigError: There is no such trial, or only one is named.
    """
    _require(numbers)
    told, read = leaderboard.read(home, search_id)
    facts = [leaderboard.details_of(home, told, read, number) for number in numbers]
    names = [f"t{number:03d}" for number in numbers]
    rows = {
        "outcome": [each["outcome"] for each in facts],
        facts[0]["objective"]: [each["score"] for each in facts],
        "spread": [each["spread"] for each in facts],
        **_each(facts, "metrics"),
        **_each(facts, "test"),
        "best_epoch": [each["best_epoch"] for each in facts],
        "epochs": [len(each["epochs"]) for each in facts],
        "weights": [each["weights"] for each in facts],
        "seconds": [each["seconds"] for each in facts],
    }
    return _table(names, rows | _differing(_each(facts, "params")))


def searches(home: Path, wanted: Sequence[str]) -> list[dict[str, Any]]:
    """Returns searches beside each other: a row for each thing, a column for each search.

    What was found, how it was searched, and of the document and of the winner's parameters what differs. Scores of
    different objectives, or of different data, stand beside each other and are not ranked.

    Args:
        home: Where searches live.
        wanted: Their ids, or parts of them.

    Raises:
        ConfigError: There is no such search, or only one is named.
    """
    _require(wanted)
    ids = [leaderboard.find_search(home, each) for each in wanted]
    known = [leaderboard.read(home, each) for each in ids]
    facts = [_summed(home, told, read) for told, read in known]
    for each, (told, _) in zip(facts, known, strict=True):
        document = {key: own for key, own in told.header.document.items() if key not in ("data", "name")}
        values = told.trials[each["best"]].asked.values if each["best"] else {}
        each |= {"document": _leaves(document), "winner": {f"best: {name}": own for name, own in values.items()}}
    rows = {name: [each[name] for each in facts] for name in facts[0] if name not in ("search", "document", "winner")}
    return _table(ids, rows | _differing(_each(facts, "document")) | _differing(_each(facts, "winner")))


def _leaves(value: Any, name: str = "") -> dict[str, Any]:
    """Returns what stands in plain data, by its place."""
    if not isinstance(value, Mapping | list | tuple):
        return {name: value}
    inner = value.items() if isinstance(value, Mapping) else zip(range(1, len(value) + 1), value, strict=True)
    found: dict[str, Any] = {}
    for key, own in inner:
        found |= _leaves(own, f"{name}.{key}" if name else f"{key}")
    return found


def summed(home: Path, search_id: str) -> dict[str, Any]:
    """Returns a search in a row: what it searched, how far it is, the best it found."""
    return _summed(home, *leaderboard.read(home, search_id))


def _summed(home: Path, told: History, read: Experiment) -> dict[str, Any]:
    search_id = told.header.search
    best = read.goals.best(leaderboard.results_of(told))
    finished, data = told.finished, read.data
    test = finished.test.get(f"test_{read.goals.primary.metric.removeprefix('val_')}") if finished else None
    return {
        "search": search_id,
        "space": told.header.settings["space"],
        "data": None if data is None else data.name,
        "digest": (told.header.data_digest or "")[:8],
        "trials": sum(trial.ended is not None for trial in told.trials.values()),
        "status": finished.status if finished else leaderboard.status(home, search_id)["state"],
        "objective": read.goals.primary.metric,
        "score": best.score if best else None,
        "spread": spread(best.scores) if best else None,
        "test": test,
        "best": best.trial if best else None,
        "seconds": round(told.seconds, 1),
        "backend": told.header.backend,
    }


def _each(facts: Sequence[dict[str, Any]], key: str) -> dict[str, list[Any]]:
    """Returns a row for each name within a fact, which not all may have."""
    names = dict.fromkeys(name for each in facts for name in each[key])
    return {name: [each[key].get(name) for each in facts] for name in names}


def _differing(rows: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Returns the rows that hold more than one value."""
    return {name: row for name, row in rows.items() if any(value != row[0] for value in row)}


def _table(names: Sequence[str], rows: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """Returns rows with a column for each name, but those of which nothing is known."""
    known = {name: row for name, row in rows.items() if any(value is not None for value in row)}
    return [{"what": name, **dict(zip(names, row, strict=True))} for name, row in known.items()]


def _require(wanted: Sequence[Any]) -> None:
    if len(wanted) < LEAST:
        received = ", ".join(map(str, wanted))
        raise ConfigError(Problem("compare", "there is nothing to compare it with", "two or more", received))
