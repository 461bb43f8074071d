"""The names under which a search stands in MLflow, checked before it begins, and those by which it is found again."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable

from automl.errors import ConfigError, Problem, shorten

LONGEST = 250
"""What every store of MLflow's takes; an SQLite file would take more."""
EXPERIMENT_VARIABLE = "MLFLOW_EXPERIMENT_NAME"
_OF_DATA, _OF_BOTH = "data.name", "the name SPACE-DATA"
_HINTS = {_OF_DATA: "Give another with --experiment", _OF_BOTH: "Give another with --name"}
_BREAKS = {"Cc": "a control character, such as a line break", "Zl": "a line break", "Zp": "a line break"}


def fault(name: str) -> str | None:
    """Returns why MLflow cannot keep something under a name; None where it can."""
    if not name.strip():
        return "the name is empty"
    kinds = {unicodedata.category(character) for character in name}
    if "Cs" in kinds:
        return "the name is not Unicode text"
    if broken := next((what for kind, what in _BREAKS.items() if kind in kinds), None):
        return f"the name holds {broken}"
    if len(name) > LONGEST:
        return f"the name has {len(name)} characters"
    if name == "." or name.startswith(".."):
        return "MLflow takes the name for a path"
    return None


def require(**given: str | None) -> None:
    """Refuses names that MLflow would refuse; those that are None are not looked at.

    Args:
        given: Names by where they stand.

    Raises:
        ConfigError: One or more of them.
    """
    found = [
        Problem(where, what, f"a line of at most {LONGEST} characters", shorten(ascii(name)[1:-1]), _HINTS.get(where))
        for where, name in given.items()
        if name is not None and (what := fault(name))
    ]
    if found:
        raise ConfigError(found)


def experiment(given: str | None, option: str, otherwise: str, place: str) -> tuple[str, str]:
    """Returns the name of an experiment, and where it stands.

    Args:
        given: The user's own; else `$MLFLOW_EXPERIMENT_NAME`.
        option: Where that stands.
        otherwise: The name where there is neither.
        place: Where this one stands.
    """
    if given:
        return given, option
    named = os.environ.get(EXPERIMENT_VARIABLE)
    return (named, EXPERIMENT_VARIABLE) if named else (otherwise, place)


def of_search(space: str, data: str, group: str | None, name: str | None) -> tuple[str, str]:
    """Returns the names of a search's experiment, and of its run and its registered model.

    Args:
        space: The space's name.
        data: The data set's.
        group: `--experiment`.
        name: `--name`; else `SPACE-DATA`.

    Raises:
        ConfigError: MLflow would refuse one of them.
    """
    found, where = experiment(group, "--experiment", data, _OF_DATA)
    own = name or f"{space}-{data}"
    require(**{where: found, "--name" if name else _OF_BOTH: own})
    return found, own


def meant(wanted: str, known: Iterable[str]) -> tuple[list[str], str]:
    """Returns the searches that a user may mean, and how they match, for a message.

    Args:
        wanted: A whole id; else the beginning of some; else a part of some: `a1b2` of `20261123-010203-a1b2`.
        known: The ids that there are.
    """
    ids = list(known)
    for how, found in (
        ("are called so", [each for each in ids if each == wanted]),
        ("begin like that", [each for each in ids if each.startswith(wanted)]),
        ("hold this", [each for each in ids if wanted in each]),
    ):
        if found:
            return found, f"{len(found)} searches {how}"
    return [], "no search is called so"
