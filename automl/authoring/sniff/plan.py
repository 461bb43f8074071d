"""How a set is best cut and limited, tried on its labels with the very functions that prepare data."""

from __future__ import annotations

import math
from itertools import product, zip_longest

import numpy as np

from automl import tasks
from automl.authoring.sniff.columns import FEW, numeric, whole
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
    """Writes classes, split, limit, sizes and folds into `found`.

    Raises:
        DataError: The targets are no classes, or there are too few examples to learn and to judge.
    """
    task = tasks.registry.read("classification")
    labels = np.concatenate([*found.labels.values()])
    _check_classes(found, labels)
    try:
        names = task.scan({TARGETS: labels})["classes"]
    except DataError as error:
        hint = "Another target: --target" if "target" in found.fields else None
        raise fault(found.path, str(error).rstrip("."), hint=hint) from error
    counts = dict(zip(*np.unique(np.asarray(task.strata({TARGETS: labels})), return_counts=True), strict=True))
    found.classes = {name: int(counts[name]) for name in names}
    sizes = np.cumsum([0, *map(len, found.labels.values())])
    rows = {part: np.arange(start, end) for part, start, end in zip(found.labels, sizes[:-1], sizes[1:], strict=True)}
    owners = None
    if any(groups is not None for groups in found.groups):
        known = zip_longest(found.labels.values(), found.groups)
        owners = np.concatenate([np.full(len(y), "") if each is None else named(each) for y, each in known])
    examples = Examples(len(labels), task.strata({TARGETS: labels}), owners)
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


def _can(found: Found, rows: Rows, examples: Examples, fraction: float, many: int) -> bool:
    """Tells whether the set can be cut into so many folds."""
    name, walks = str(found.path), found.strategy == "walk_forward"
    try:
        parts = split.cut(rows, examples, val=None, test=fraction, seed=0, name=name, in_time=walks)
        train = examples.at(split.limited(parts, found.limit, 0, examples)["train"])
        assert train.labels is not None
        rarest = np.unique(train.labels, return_counts=True)[1].min()
        return bool(rarest >= many and len(folds.assigned(train, many, found.strategy, 0, name)))
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
    hint = "`automl init` writes classes alone; for numbers write one by hand, with `task: regression`"
    hint += "; there is no task for forecasts yet" if "order" in found.fields else ""
    hint += "; another target: --target" if column else ""
    return fault(
        found.path,
        f"the target{f' {column!r}' if column else ''} is a number to predict",
        expected="classes, as words or whole numbers, each of several examples",
        received=received,
        hint=f"{hint}; where its few numbers name classes, say so: --target {column}" if few else hint,
    )


def _limit(found: Found, parts: Rows) -> dict[str, int]:
    """Returns limits for a set that would take a CPU more than minutes; none for a smaller one."""
    most = min(10_000, max(1_000, BUDGET // math.prod(found.shape)))
    if len(parts["train"]) <= 2 * most:
        return {}
    return {"train": most, "val": most // 4}
