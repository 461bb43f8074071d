"""Reads a domain as it is written: the keys of a range or a choice, every mistake with its place."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from automl.document.problems import Problems
from automl.document.yaml_text import Path_
from automl.errors import did_you_mean, shorten
from automl.space.domains import MAX_STEPS, Choice, Domain, Range, identity

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
    known = set()
    for index, item in enumerate(values):
        if isinstance(item, dict):
            problems.add((*at, index), "a value cannot be a mapping", hint="Use one_of for variants")
            return None
        if identity(item) in known:
            problems.add((*at, index), f"the value {shorten(item)} stands twice")
            return None
        known.add(identity(item))
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
    if step is not None and step > 0 and low < high and _too_fine(low, high, step):
        what = "the step is too small for its range"
        problems.add((*path, "step"), what, f"at most {MAX_STEPS} steps, of numbers that differ", str(step))
    if (log and low > 0 and math.isinf(high / low)) or math.isinf(float(high) - float(low)):
        problems.add((*path, "min"), "the range is too wide to draw from", "ends closer to each other", str(low))
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


def _too_fine(low: float, high: float, step: float) -> bool:
    """Tells whether a step leaves more values than can be numbered, or such as are one and the same number."""
    widest = max(abs(low), abs(high))
    is_lost = isinstance(widest, float) and widest + step == widest
    return is_lost or (high - low) / step > MAX_STEPS


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
