"""Lines of journals of earlier formats, read as those of the present one: one step for each format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Line = Mapping[str, Any]
"""An event as a line holds it, `event` among its keys."""

FORMAT = 3
"""Version of the format that is written."""


def _to_3(line: Line) -> Line:
    """Format 3 describes the data as inputs and a task, each with its columns and what it learned.

    Format 2 knew one input and one task by name, their fields beside them, and classes as all that a task learns.
    """
    data = (line.get("settings") or {}).get("data") if line["event"] == "header" else None
    if not isinstance(data, Mapping) or "inputs" in data:
        return line
    old = dict(data)
    kind, shape, classes = (old.pop(key) for key in ("input", "shape", "classes"))
    one = {"name": kind, "declared": {kind: old.pop("input_fields", {})}, "columns": ["x"], "shape": shape}
    declared = {old.pop("task"): old.pop("task_fields", {})}
    task = {"declared": declared, "columns": ["y"], "state": {"classes": classes}}
    return {**line, "settings": {**line["settings"], "data": {**old, "inputs": [one], "task": task}}}


STEPS: Mapping[int, Callable[[Line], Line]] = {2: _to_3}
"""By the format that a step begins with."""


def upgraded(line: Line, written: int) -> Line:
    """Returns a line as the present format has it.

    Args:
        line: As it was written.
        written: The format it was written in; one that `is_known`.

    Raises:
        KeyError: It lacks what its format has.
    """
    for number in range(written, FORMAT):
        line = STEPS[number](line)
    return line


def is_known(written: Any) -> bool:
    """Tells whether journals of a format can be read."""
    return written == FORMAT or written in STEPS
