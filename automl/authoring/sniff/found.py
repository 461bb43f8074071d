"""What was seen of a data set."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from automl.sources import _layout, _packed
from automl.training.evaluation import Strategy

FOLDERS = ("idx", "image_folder")
"""Sources of a folder alone: the set bears the folder's name."""


@dataclass
class Found:
    """What was seen of a data set, and what to make of it.

    Args:
        kind: Registered name of the source that reads it.
        path: The file, or the folder of idx files, `.ts` files or images.
        fields: The source's other fields.
        input: Registered name of the input.
        shape: Shape of one example; of a row of a table its columns.
        why: Reasons, by the key of the data document or of the source they are for.
        left_out: Columns that are no features.
        offers: Fields of the source that the user may want, each with its value and what speaks for it.
        categories: Columns of a table that hold words.
        task: Registered name of the task; empty until it is chosen.
        labels: Raw targets by part, as the files bring them.
        groups: What each example belongs to, by part in the order of `labels`; empty where that is not known.
        values: Values of all examples, padding aside.
        missing: How many of them are missing.
        zeros: How many steps are zero at the start and at the end of each series, by piece.
        steps: Shortest and longest series, padding aside; None for images.
        classes: Examples of each class; empty where numbers are learned.
        span: The least and the greatest of the numbers that are learned.
        split: The data document's `split`; empty for a set that brings all parts.
        limit: The data document's `limit`; empty for all examples.
        sizes: Examples of each part after both.
        notes: What a user should know of how the set is read, a line each.
        folds: Folds that the space asks for; None where the validation part is large enough.
        strategy: How they are cut.
        named: Whether the user named the target.
        photographs: Whether it is of photographs, and of so few that a pretrained network reads them better.
    """

    kind: str
    path: Path
    fields: dict[str, Any]
    input: str
    shape: tuple[int, ...]
    why: dict[str, str]
    left_out: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    task: str = ""
    offers: dict[str, tuple[Any, str]] = field(default_factory=dict)
    labels: dict[str, np.ndarray] = field(default_factory=dict)
    groups: list[np.ndarray] = field(default_factory=list)
    values: int = 0
    missing: int = 0
    zeros: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    steps: tuple[int, int] | None = None
    classes: dict[str, int] = field(default_factory=dict)
    span: tuple[float, float] | None = None
    split: dict[str, float] = field(default_factory=dict)
    limit: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    folds: int | None = None
    strategy: Strategy = "stratified"
    named: bool = False
    photographs: bool = False

    @property
    def name(self) -> str:
        """The set's name, from its file or folder; letters, digits, `_`, `.` and `-` alone, as MLflow wants it."""
        word = self.fields.get("name") or (self.path.name if self.kind in FOLDERS else _packed.inner(self.path).stem)
        return re.sub(r"[^\w.-]+", "_", word).strip("_.-") or "data"

    def count(self, x: np.ndarray) -> None:
        """Adds examples, checked by their input, to the figures: `(examples, ...)`, padded with NaN at their end."""
        if self.input != "series":
            self.values += x.size
            self.missing += int(np.isnan(x).sum()) if x.dtype.kind == "f" else 0
            return
        there = ~np.isnan(x)
        # Up to the last step that holds a number: what follows is padding.
        lengths = x.shape[1] - there.any(axis=-1)[:, ::-1].argmax(axis=1)
        values = int(lengths.sum()) * x.shape[-1]
        shortest, longest = self.steps or (x.shape[1], 0)
        self.steps = min(shortest, int(lengths.min())), max(longest, int(lengths.max()))
        self.values += values
        self.missing += values - int(there.sum())
        self.zeros.append((_layout.zero_runs(x, "start"), _layout.zero_runs(x, "end")))

    def offer_padding(self) -> None:
        """Offers to mark zeros as padding, where most series have some at the same end, and not all as many."""
        steps = self.shape[0]
        if self.input != "series" or steps < 16 or "offset" in self.fields:
            return
        runs = {
            end: np.concatenate(each) for end, each in zip(("start", "end"), zip(*self.zeros, strict=True), strict=True)
        }
        padded = {end: int((each > 1).sum()) for end, each in runs.items()}
        likely = [end for end, each in runs.items() if 2 * padded[end] > len(each) and len(np.unique(each)) > 2]
        # Where both ends rest at zero, that is how the signal begins and ends.
        if len(likely) != 1:
            return
        (end,) = likely
        lengths = steps - runs[end]
        where = "begin" if end == "start" else "end"
        left = f"{lengths.min()} to {lengths.max()} steps"
        told = f"{padded[end]:,} of {len(lengths):,} series {where} with zeros, which leaves {left}"
        self.offers["zero_padding"] = end, f"{told}: take away the # if they are padding"
        self.notes.append(
            f"{told}: probably padding, which `zero_padding: {end}` in the source marks; now they are data"
        )

    def ungroup(self, reason: str) -> None:
        """Leaves out the column of groups, which do not allow to cut the set, and says why."""
        column = self.fields.pop("group")
        self.left_out.append(column)
        self.groups.clear()
        self.notes.append(
            f"{column!r} seems to say who an example belongs to, and is neither a feature nor `group`, for the parts "
            f"cannot keep it whole ({reason.rstrip('.')}): what is learned of one may be asked of the same again, and "
            "scores come out too high"
        )

    @property
    def uneven(self) -> str:
        """How uneven the classes are, in words; empty where they are even enough."""
        if self.task != "classification":
            return ""
        ratio = max(self.classes.values()) / min(self.classes.values())
        return f"the largest class has {ratio:.0f} times the examples of the smallest" if ratio >= 3 else ""

    @property
    def told(self) -> str:
        """What the set is, in a line."""
        sizes = " + ".join(f"{len(labels):,}" for labels in self.labels.values())
        gaps = f", {self.missing / self.values:.2%} of their values missing" if self.missing else ""
        return f"{sizes} {self._form}{gaps}; {self._learned}"

    @property
    def _form(self) -> str:
        *sides, channels = self.shape
        if self.input == "table":
            words = len(self.categories)
            numbers = channels - words
            told = [f"{numbers} column{'s' * (numbers > 1)} of numbers"] if numbers else []
            told += [f"{words} of categories"] if words else []
            return f"rows of a table with {' and '.join(told)}"
        form = f"images of {' by '.join(map(str, sides))} pixels"
        if self.steps:
            low, high = self.steps
            form = f"series of {low if low == high else f'{low} to {high}'} steps"
        return f"{form}, {channels} channel{'s' * (channels > 1)}"

    @property
    def _learned(self) -> str:
        if self.span is not None:
            low, high = self.span
            return f"a number to predict, from {low:g} to {high:g}"
        counts = [f"{name} ({count:,})" for name, count in self.classes.items()]
        more = f", {len(counts) - 10} more" if len(counts) > 10 else ""
        what = "labels" if self.task == "multi_label" else "classes"
        return f"{len(counts)} {what}: {', '.join(counts[:10])}{more}"

    @property
    def facts(self) -> dict[str, Any]:
        """Everything that was found, as plain data."""
        return {
            "name": self.name,
            "source": self.kind,
            "path": str(self.path),
            "target": self.fields.get("target") or self.fields.get("y"),
            "input": self.input,
            "shape": list(self.shape),
            "categories": self.categories,
            "task": self.task,
            "classes": self.classes,
            "span": list(self.span) if self.span else None,
            "examples": {part: len(labels) for part, labels in self.labels.items()},
            "steps": list(self.steps) if self.steps else None,
            "missing_values": self.missing,
            "left_out": self.left_out,
            "split": self.split,
            "limit": self.limit,
            "sizes": self.sizes,
            "notes": self.notes,
            "folds": self.folds,
        }
