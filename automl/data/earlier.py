"""Sets as version 1 read and cut them: a search that it began goes on with the parts it had.

It took targets of a table for numbers where all of them were, counted groups, not their examples, split them between
folds unless the strategy was `group`, drew the test part of a time line at random, and limited no fold.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from automl.data import split
from automl.data.split import Strata
from automl.records.data import Part, Splits
from automl.sources import Source
from automl.sources.csv import Csv
from automl.training.evaluation import Evaluation, Strategy


def otherwise(source: Source) -> list[Source]:
    """Returns sources that read a set as it was read once, where that is otherwise than it is declared today."""
    if isinstance(source, Csv) and "labels" not in source.model_fields_set:
        return [source.model_copy(update={"labels": "number"})]
    return []


def notes(splits: Splits, evaluation: Evaluation, limits: Mapping[str, int | None]) -> list[str]:
    """Returns what a new search would cut otherwise, in a line; none where nothing is."""
    told = []
    if splits.train.groups is not None:
        told.append("counts the examples of groups and splits none between folds")
    if evaluation.strategy == "walk_forward" and splits.test is None:
        told.append("tests the end of the time line")
    if evaluation.folds is not None and limits.get("val") is not None:
        told.append("validates each fold on `limit.val` examples at most")
    return [f"its data stays cut as it was; a new search {'; it '.join(told)}"] if told else []


def cut(
    splits: Splits,
    evaluation: Evaluation,
    limits: Mapping[str, int | None],
    val: float,
    test: float,
    seed: int,
    strata: Strata,
    name: str,
) -> tuple[dict[str, Part], np.ndarray | None]:
    """Returns the three parts, limited, and which fold each training example validates, where there are folds."""
    many = evaluation.folds
    parts = _parts(splits, val if many is None else None, test, seed, strata, name)
    parts = split.limited(parts, limits, seed, strata)
    split.check_classes(parts, strata, name)
    train = parts["train"]
    return parts, None if many is None else _folds(train, many, evaluation.strategy, seed, strata(train.y))


def _parts(splits: Splits, val: float | None, test: float, seed: int, strata: Strata, name: str) -> dict[str, Part]:
    if splits.train.groups is None:
        return split.cut(
            Splits(splits.train, splits.val, splits.test), val=val, test=test, seed=seed, strata=strata, name=name
        )
    left, parts = splits.train, {"val": splits.val, "test": splits.test}
    if val is None:
        left = left if splits.val is None else split.joined(left, splits.val)
        parts["val"] = split.take(left, np.arange(0))
    size = len(left.x)
    for part, fraction in (("test", test), ("val", val)):
        if parts[part] is None and fraction is not None:
            chosen = _of_groups(left, max(1, round(fraction * size)), seed)
            parts[part] = split.take(left, chosen)
            left = split.take(left, np.setdiff1d(np.arange(len(left.x)), chosen))
    return {"train": left, **{part: found for part, found in parts.items() if found is not None}}


def _of_groups(part: Part, count: int, seed: int) -> np.ndarray:
    from sklearn.model_selection import GroupShuffleSplit

    cutter = GroupShuffleSplit(1, test_size=count / len(part.x), random_state=seed)
    return np.sort(next(cutter.split(part.x, groups=part.groups))[1])


def _folds(part: Part, count: int, strategy: Strategy, seed: int, labels: np.ndarray | None) -> np.ndarray:
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
