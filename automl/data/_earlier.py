"""Cuts as version 1 made them: a search that it began goes on with the parts it had.

It counted groups, not their examples, split them between folds unless the strategy was `group`, and drew the test part
of a time line at random.
"""

from __future__ import annotations

import numpy as np

from automl.data import _split
from automl.data._split import Strata
from automl.evaluation import Strategy
from automl.records import Part, Splits


def cut(splits: Splits, *, val: float | None, test: float, seed: int, strata: Strata, name: str) -> dict[str, Part]:
    """Returns the three parts; see `_split.cut`."""
    if splits.train.groups is None:
        return _split.cut(
            Splits(splits.train, splits.val, splits.test), val=val, test=test, seed=seed, strata=strata, name=name
        )
    left, parts = splits.train, {"val": splits.val, "test": splits.test}
    if val is None:
        left = left if splits.val is None else _split.joined(left, splits.val)
        parts["val"] = _split.take(left, np.arange(0))
    size = len(left.x)
    for part, fraction in (("test", test), ("val", val)):
        if parts[part] is None and fraction is not None:
            chosen = _of_groups(left, max(1, round(fraction * size)), seed)
            parts[part] = _split.take(left, chosen)
            left = _split.take(left, np.setdiff1d(np.arange(len(left.x)), chosen))
    return {"train": left, **{part: found for part, found in parts.items() if found is not None}}


def _of_groups(part: Part, count: int, seed: int) -> np.ndarray:
    from sklearn.model_selection import GroupShuffleSplit

    split = GroupShuffleSplit(1, test_size=count / len(part.x), random_state=seed)
    return np.sort(next(split.split(part.x, groups=part.groups))[1])


def folds(part: Part, count: int, strategy: Strategy, seed: int, labels: np.ndarray | None) -> np.ndarray:
    """Returns the fold that each example validates, from 0; -1 for one that only ever trains."""
    from sklearn import model_selection as cuts

    rows, groups = np.zeros(len(part.x)), part.groups if strategy == "group" else None
    if strategy == "walk_forward":
        turns = cuts.TimeSeriesSplit(count).split(rows)
    elif strategy == "group":
        cutter = cuts.GroupKFold if labels is None else cuts.StratifiedGroupKFold
        turns = cutter(count, shuffle=True, random_state=seed).split(rows, labels, groups)
    else:
        cutter = cuts.KFold if labels is None else cuts.StratifiedKFold
        turns = cutter(count, shuffle=True, random_state=seed).split(rows, labels)
    found = np.full(len(rows), -1, np.int16)
    for number, (_, validating) in enumerate(turns):
        found[validating] = number
    return found
