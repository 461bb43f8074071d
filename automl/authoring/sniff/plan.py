"""How a set is best cut and limited, tried on its labels with the very functions that prepare data."""

from __future__ import annotations

import math
from itertools import product, zip_longest

import numpy as np

from automl import tasks
from automl.authoring.sniff.columns import FEW, numeric, whole
from automl.authoring.sniff.found import Found
from automl.data import folds, split
from automl.errors import DataError, shorten
from automl.records.data import Part, Splits, Timeline
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
    """Writes classes, split, limit, sizes and folds into `found`.

    Raises:
        DataError: The targets are no classes, or there are too few examples to learn and to judge.
    """
    task = tasks.registry.read("classification")
    labels = np.concatenate([*found.labels.values()])
    _check_classes(found, labels)
    try:
        names = task.classes(labels)
    except DataError as error:
        hint = "Another target: --target" if "target" in found.fields else None
        raise fault(found.path, str(error).rstrip("."), hint=hint) from error
    counts = dict(zip(*np.unique(np.asarray(task.strata(labels)), return_counts=True), strict=True))
    found.classes = {name: int(counts[name]) for name in names}
    rows = {
        part: Part(np.arange(len(y)), y, groups)
        for (part, y), groups in zip_longest(found.labels.items(), found.groups)
    }
    kind = Timeline if "order" in found.fields else Splits
    splits = kind(rows["train"], rows.get("val"), rows.get("test"))
    reasons: list[DataError] = []
    for fraction, limited in product(FRACTIONS, (True, False)):
        try:
            parts = split.cut(splits, val=fraction, test=fraction, seed=0, strata=task.strata, name=str(found.path))
            limit = _limit(found, parts) if limited else {}
            parts = split.limited(parts, limit, 0, task.strata)
            split.check_classes(parts, task.strata, str(found.path))
        except (DataError, ValueError) as error:
            reasons += [error] if isinstance(error, DataError) else []
            continue
        found.limit, found.sizes = limit, {part: len(content.x) for part, content in parts.items()}
        missing = {part: fraction for part in ("val", "test") if part not in rows}
        found.split = {**missing, "seed": 0} if missing else {}
        found.strategy = "walk_forward" if isinstance(splits, Timeline) else "stratified"
        if found.sizes["val"] < LEAST:
            found.folds = next((many for many in FOLDS if _can(found, splits, fraction, many)), None)
        return
    if len(names) > max(FEW, len(labels) // 10) and whole(labels):
        raise _numeric(found, f"{len(names)} different numbers in {len(labels)} examples")
    raise _by_time(found, reasons[0])


def _by_time(found: Found, reason: DataError) -> DataError:
    """Adds to the reason why a set cannot be cut what else it may be, where it is cut by time."""
    order = found.fields.get("order")
    if order is None:
        return reason
    told = f"{reason} The parts are cut by time; there is no task for anomalies or forecasts yet."
    return DataError(f"{told} If {order!r} is no time but counts rows, call it id.")


def _can(found: Found, splits: Splits, fraction: float, many: int) -> bool:
    """Tells whether the set can be cut into so many folds."""
    strata, name = tasks.registry.read("classification").strata, str(found.path)
    walks = found.strategy == "walk_forward"
    try:
        parts = split.cut(splits, val=None, test=fraction, seed=0, strata=strata, name=name, walks=walks)
        train = split.limited(parts, found.limit, 0, strata)["train"]
        rarest = np.unique(np.asarray(strata(train.y)), return_counts=True)[1].min()
        return bool(rarest >= many and len(folds.assigned(train, many, found.strategy, 0, strata, name)))
    except DataError:
        return False


def _check_classes(found: Found, labels: np.ndarray) -> None:
    """Checks that targets are names rather than numbers to predict; of few numbers as text the user may say so."""
    if labels.dtype.kind == "U" and numeric(labels):
        counts = np.unique(labels, return_counts=True)[1]
        few = 2 <= len(counts) <= FEW and counts.min() >= 2
        if not (few and found.named):
            raise _numeric(found, shorten(str(labels[0])), few=few)
    if labels.dtype.kind == "f" and not (labels == np.round(labels)).all():
        raise _numeric(found, str(labels[labels != np.round(labels)][0]))


def _numeric(found: Found, received: str, *, few: bool = False) -> DataError:
    column = found.fields.get("target") or found.fields.get("y")
    kind = "regression or forecasting" if "order" in found.fields else "regression"
    hint = f"There is no task for {kind} yet" + ("; another target: --target" if column else "")
    return fault(
        found.path,
        f"the target{f' {column!r}' if column else ''} is a number to predict",
        expected="classes, as words or whole numbers, each of several examples",
        received=received,
        hint=f"{hint}; where its few numbers name classes, say so: --target {column}" if few else hint,
    )


def _limit(found: Found, parts: dict[str, Part]) -> dict[str, int]:
    """Returns limits for a set that would take a CPU more than minutes; none for a smaller one."""
    most = min(10_000, max(1_000, BUDGET // math.prod(found.shape)))
    if len(parts["train"].x) <= 2 * most:
        return {}
    return {"train": most, "val": most // 4}
