"""Reads a domain as it is written: the keys of a range or a choice, every mistake with its place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from automl.document import Path_
from automl.domains import Choice, Domain, Range, same
from automl.errors import did_you_mean, shorten
from automl.problems import Problems

RANGE_KEYS = ("min", "max", "step", "log", "default", "each", "when")
CHOICE_KEYS = ("values", "default", "each", "when")


def is_domain(value: Any) -> bool:
    """Tells whether a value is meant as a domain."""
    return isinstance(value, dict) and any(key in value for key in ("values", "min", "max"))


def read_domain(value: dict[str, Any], path: Path_, problems: Problems) -> Domain | None:
    """Reads a domain's own keys; None when they are wrong."""
    if "values" in value:
        return read_choice(value, path, problems) if only(value, CHOICE_KEYS, path, problems) else None
    return _read_range(value, path, problems) if only(value, RANGE_KEYS, path, problems) else None


def read_choice(value: dict[str, Any], path: Path_, problems: Problems) -> Choice | None:
    """Reads `values` and their default."""
    values = value["values"]
    at = (*path, "values")
    if not isinstance(values, list) or not values:
        problems.add(at, "values must be a list with at least one value", "a list", shorten(values))
        return None
    for index, item in enumerate(values):
        if isinstance(item, dict):
            problems.add((*at, index), "a value cannot be a mapping", hint="Use one_of for variants")
            return None
        if any(same(item, other) for other in values[:index]):
            problems.add((*at, index), f"the value {shorten(item)} stands twice")
            return None
    domain = Choice(tuple(values), values[0])
    if "default" not in value:
        return domain
    if not domain.holds(value["default"]):
        problems.add(
            (*path, "default"), "the default is none of the values", shorten(values), shorten(value["default"])
        )
        return None
    return replace(domain, default=value["default"])


def _read_range(value: dict[str, Any], path: Path_, problems: Problems) -> Range | None:
    """Reads `min`, `max`, `step`, `log` and their default."""
    before = len(problems.found)
    for key in ("min", "max"):
        if key not in value:
            problems.add(path, f"a range needs both min and max; {key} is missing", hint=f"Add `{key}`")
    numbers = {key: value[key] for key in ("min", "max", "step", "default") if key in value}
    for key, number in numbers.items():
        if not _is_number(number):
            problems.add((*path, key), f"{key} is no number", "a finite number", shorten(number))
    log = value.get("log", False)
    if not isinstance(log, bool):
        problems.add((*path, "log"), "log is a switch", "true or false", shorten(log))
    if len(problems.found) > before:
        return None
    low, high, step = numbers["min"], numbers["max"], numbers.get("step")
    if low > high:
        problems.add((*path, "min"), "min is above max", f"at most {high}", str(low))
    if log and low <= 0:
        problems.add((*path, "min"), "a log range must start above 0", "a number above 0", str(low))
    if log and step is not None:
        problems.add((*path, "step"), "step and log exclude each other", hint="Use values for a list of powers")
    if step is not None and step <= 0:
        problems.add((*path, "step"), "the step must be above 0", "a number above 0", str(step))
    if len(problems.found) > before:
        return None
    whole = all(isinstance(number, int) for number in numbers.values())
    kind = int if whole else float
    domain = Range(kind(low), kind(high), step, log, kind(numbers.get("default", low)), whole)
    if not domain.holds(domain.default):
        what = "the default is outside of its range"
        problems.add((*path, "default"), what, domain.described(), str(domain.default))
        return None
    return domain


def only(value: dict[str, Any], keys: tuple[str, ...], path: Path_, problems: Problems) -> bool:
    """Notes keys that a domain does not have."""
    unknown = [key for key in value if key not in keys]
    for key in unknown:
        hint = did_you_mean(key, keys)
        problems.add((*path, key), f"unknown key {key!r} in a domain", ", ".join(keys), hint=hint)
    return not unknown


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
