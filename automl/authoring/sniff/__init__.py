"""Looks at a user's data: its format, target, shape, classes and gaps, and how it is best cut for a search."""

from __future__ import annotations

from pathlib import Path

from automl.authoring.sniff import arrays, data, pictures, places, plan, space, table
from automl.authoring.sniff.found import Found
from automl.sources._places import fault

__all__ = ["Found", "data", "look", "pictures", "space"]


def look(path: Path, target: str | None = None, wanted: str | None = None, task: str | None = None) -> Found:
    """Sniffs the data set at `path`.

    A table is read in pieces; the other formats in whole, as a search reads them.

    Args:
        path: A file or a folder.
        target: Column of the targets, or their key in an archive; None to guess.
        wanted: Registered name of the input; None to choose.
        task: Registered name of the task; None to choose.

    Raises:
        DataError: There is nothing that can be read, or nothing that can be searched on.
    """
    kind, path = places.find(path)
    if target is not None and kind not in ("csv", "npz"):
        raise fault("--target", f"a set of {kind} files names its targets itself", hint="Leave it out")
    found = table.read(path, target, wanted) if kind == "csv" else arrays.read(kind, path, target, wanted)
    found.named, found.task = target is not None, task or ""
    if task is not None:
        found.why["task"] = "what --task named"
    plan.make(found)
    return found
