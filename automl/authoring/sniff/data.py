"""Writes the data document of a set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl.authoring.sniff import notes
from automl.authoring.sniff.found import Found


def write(found: Found, folder: Path, command: str) -> str:
    """Returns the text of the data document.

    Args:
        found: What was seen of the set.
        folder: Where the document will lie; paths below it are written relative, so that the folder may be moved.
        command: The command line that searches on the set, for the first line.
    """
    folder = folder.expanduser().resolve()
    inside = found.path.is_relative_to(folder)
    key = "file" if found.path.is_file() else "folder"
    why = {
        key: "from the folder of this document on" if inside else "not below the folder of this document"
    } | found.why
    lines = [f"# {command}", "#", *notes.wrapped(f"{found.told}.")]
    for note in found.notes:
        lines += notes.wrapped(f"Note: {note}.")
    lines += notes.entry("name", found.name, "the name of the experiment in MLflow")
    lines += ["source:", f"  {found.kind}:"]
    for name, value in {key: found.path, **found.fields}.items():
        lines += notes.entry(name, _path(value, folder) if isinstance(value, Path) else value, why[name], 4)
    for name, (value, reason) in found.offers.items():
        *above, line = notes.entry(name, value, reason, 4)
        lines += [*above, f"    # {line.strip()}"]
    lines += notes.entry("input", found.input, why["input"])
    task: Any = {"classification": {"class_weights": "balanced"}} if found.uneven else found.task
    reasons = {"regression": "the target is a number", "multi_label": "an example may have several labels"}
    because = f"{found.uneven}: the rare weigh more" if found.uneven else reasons.get(found.task, "targets are classes")
    lines += notes.entry("task", task, why.get("task", because))
    if found.split:
        cut = " and ".join(part for part in ("val", "test") if part in found.split)
        larger = "larger than 0.2: there are few examples of a class; " if max(_shares(found)) > 0.2 else ""
        lines += notes.entry(
            "split", found.split, why.get("split", f"{larger}{cut}, as shares of the training examples")
        )
    if found.limit:
        lines += notes.entry("limit", found.limit, "a trial takes minutes on a CPU; for all examples remove it")
    return "\n".join(lines) + "\n"


def _path(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _shares(found: Found) -> list[float]:
    return [found.split[part] for part in ("val", "test") if part in found.split]
