"""How a set is best cut and limited, tried on its labels with the very functions that prepare data."""

from __future__ import annotations

import math
from itertools import product, zip_longest

import numpy as np
import pandas as pd

from automl import tasks
from automl.authoring.sniff.columns import FEW, are_numbers, numeric, pointed, whole
from automl.authoring.sniff.found import Found
from automl.data import folds, split
from automl.data.examples import Examples, Rows
from automl.data.groups import named
from automl.errors import DataError, shorten
from automl.records.data import TARGETS
from automl.sources._places import fault

FRACTIONS = (0.2, 0.25, 0.3)
"""Shares of val and of test, tried in this order: small sets with many classes need larger parts."""

LEAST = 100
"""Validation examples below which a score is mostly chance: then folds take turns."""

FOLDS = (5, 3)
"""Numbers of folds, tried in this order."""

BUDGET = 100_000_000
"""Numbers in a training part that a small model on a CPU gets through in minutes."""


def make(found: Found) -> None:
    """Plans a set; without its groups, which are a guess, where they do not allow it: see `_make`."""
    if found.groups:
        try:
            return _make(found)
        except DataError as error:
            found.ungroup(str(error).removeprefix(f"{found.path}: "))
    return _make(found)


def _make(found: Found) -> None:
    """Writes task, classes, split, limit, sizes and folds into `found`.

    Raises:
        DataError: The targets are none of the task, or there are too few examples to learn and to judge.
    """
    labels = np.concatenate([*found.labels.values()])
    plain = pointed(labels, str(found.fields.get("decimal", ".")))
    found.task = found.task or _task(found, plain)
    task = tasks.registry.read(found.task)
    raw = {TARGETS: labels if task.as_text else _numbers(found, plain)}
    try:
        scanned = task.scan(raw)
    except DataError as error:
        hint = "Another target: --target" if "target" in found.fields else None
        raise fault(found.path, str(error).rstrip("."), hint=hint) from error
    strata = task.strata(raw)
    found.classes, found.span = {}, None
    if names := scanned.get("classes"):
        if strata is not None:
            counts = dict(zip(*np.unique(strata, return_counts=True), strict=True))
            found.classes = {name: int(counts[name]) for name in names}
        else:
            found.classes = dict(zip(names, task.store(raw, scanned).sum(axis=0, dtype=int).tolist(), strict=True))
    else:
        found.span = float(raw[TARGETS].min()), float(raw[TARGETS].max())
    sizes = np.cumsum([0, *map(len, found.labels.values())])
    rows = {part: np.arange(start, end) for part, start, end in zip(found.labels, sizes[:-1], sizes[1:], strict=True)}
    owners = None
    if any(groups is not None for groups in found.groups):
        known = zip_longest(found.labels.values(), found.groups)
        owners = np.concatenate([np.full(len(y), "") if each is None else named(each) for y, each in known])
    examples = Examples(len(labels), strata, owners)
    in_time = "order" in found.fields
    reasons: list[DataError] = []
    for fraction, limited in product(FRACTIONS, (True, False)):
        try:
            name = str(found.path)
            parts = split.cut(rows, examples, val=fraction, test=fraction, seed=0, name=name, in_time=in_time)
            limit = _limit(found, parts) if limited else {}
            parts = split.limited(parts, limit, 0, examples)
            split.check_classes(parts, examples, name)
        except (DataError, ValueError) as error:
            reasons += [error] if isinstance(error, DataError) else []
            continue
        found.limit, found.sizes = limit, {part: len(chosen) for part, chosen in parts.items()}
        missing = {part: fraction for part in ("val", "test") if part not in rows}
        found.split = {**missing, "seed": 0} if missing else {}
        found.strategy = "walk_forward" if in_time else "stratified"
        if found.sizes["val"] < LEAST:
            found.folds = next((many for many in FOLDS if _can(found, rows, examples, fraction, many)), None)
        return
    raise _by_time(found, reasons[0])


def _by_time(found: Found, reason: DataError) -> DataError:
    """Adds to the reason why a set cannot be cut what else it may be, where it is cut by time."""
    order = found.fields.get("order")
    if order is None:
        return reason
    told = f"{reason} The parts are cut by time; there is no task for anomalies or forecasts yet."
    return DataError(f"{told} If {order!r} is no time but counts rows, call it id.")


def _can(found: Found, rows: Rows, examples: Examples, fraction: float, many: int) -> bool:
    """Tells whether the set can be cut into so many folds."""
    name, walks = str(found.path), found.strategy == "walk_forward"
    try:
        parts = split.cut(rows, examples, val=None, test=fraction, seed=0, name=name, in_time=walks)
        train = examples.at(split.limited(parts, found.limit, 0, examples)["train"])
        rarest = many if train.labels is None else np.unique(train.labels, return_counts=True)[1].min()
        return bool(rarest >= many and len(folds.assigned(train, many, found.strategy, 0, name)))
    except DataError:
        return False


def _task(found: Found, labels: np.ndarray) -> str:
    """Returns what is learned: numbers that are not whole, or too many different ones, are no names of classes."""
    is_text = labels.dtype.kind == "U"
    fractions = numeric(labels) if is_text else labels.dtype.kind == "f" and not whole(labels)
    if labels.ndim == 1 and fractions:
        counts = np.unique(labels, return_counts=True)[1]
        if is_text and 2 <= len(counts) <= FEW and counts.min() >= 2:
            # Few numbers, each of several examples: versions, say, or grades.
            if found.named:
                return "classification"
            column = found.fields.get("target")
            raise fault(
                found.path,
                f"whether the target {column!r} names classes or is a number to predict cannot be told",
                received=f"{len(counts)} different numbers, as {shorten(str(labels[0]))}",
                hint="Say so with --task classification or --task regression",
            )
        found.why["task"] = "the target is a number, and not always whole"
        return "regression"
    if labels.ndim == 2:
        return _task_of_rows(found, labels)
    if (not is_text and labels.dtype.kind not in "biuf") or (is_text and not are_numbers(labels)):
        return "classification"
    count = len(np.unique(labels))
    if count > max(FEW, len(labels) // 10):
        found.why["task"] = f"{count:,} different numbers in {len(labels):,} examples; classes: --task classification"
        return "regression"
    if count > FEW // 2:
        told = f"the target's {count} different whole numbers are read as classes"
        found.notes.append(f"{told}; numbers to predict: --task regression")
    return "classification"


def _task_of_rows(found: Found, labels: np.ndarray) -> str:
    """Returns what is learned of several numbers, or words, for each example."""
    if labels.shape[1] == 1 or labels.dtype.kind not in "biuf":
        return "classification"
    if not np.isin(labels, (0, 1)).all():
        found.why["task"] = f"{labels.shape[1]} numbers for each example"
        return "regression"
    if (labels.sum(axis=1) == 1).all():
        what = "its targets are 0 and a single 1 for each example: classes, one in each column"
        hint = "Save them as numbers of classes, y.argmax(axis=1); or say --task multi_label"
        raise fault(found.path, what, expected="one label per example", received=f"shape {labels.shape}", hint=hint)
    found.why["task"] = f"0 and 1 for each of {labels.shape[1]} labels"
    return "multi_label"


def _numbers(found: Found, labels: np.ndarray) -> np.ndarray:
    """Returns targets as numbers.

    Raises:
        DataError: One is none.
    """
    if labels.dtype.kind in "biuf":
        return labels
    numbers = pd.to_numeric(pd.Series(labels), errors="coerce").to_numpy(np.float64)
    if np.isnan(numbers).any():
        received = shorten(str(labels[int(np.isnan(numbers).argmax())]))
        hint = "Words are classes: --task classification; another target: --target"
        raise fault(found.path, "the target is no number", expected="numbers", received=received, hint=hint)
    return numbers


def _limit(found: Found, parts: Rows) -> dict[str, int]:
    """Returns limits for a set that would take a CPU more than minutes; none for a smaller one."""
    most = min(10_000, max(1_000, BUDGET // math.prod(found.shape)))
    if len(parts["train"]) <= 2 * most:
        return {}
    return {"train": most, "val": most // 4}
