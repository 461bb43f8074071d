"""Sets as version 1 read and cut them: a search that it began goes on with the parts it had.

It took targets of a table for numbers where all of them were, counted groups, not their examples, split them between
folds unless the strategy was `group`, drew the test part of a time line at random, and limited no fold.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from automl.data import split
from automl.data.examples import Examples, Rows
from automl.data.section import DataDocument
from automl.records.data import Splits
from automl.sources.csv import Csv
from automl.training.evaluation import Evaluation, Strategy


def otherwise(document: DataDocument) -> list[DataDocument]:
    """Returns documents that read a set as it was read once, where that is otherwise than it is declared today."""
    source = document.source
    if isinstance(source, Csv) and "labels" not in source.model_fields_set:
        return [document.model_copy(update={"source": source.model_copy(update={"labels": "number"})})]
    return []


def notes(splits: Splits, evaluation: Evaluation, limits: Mapping[str, int | None]) -> list[str]:
    """Returns what a new search would cut otherwise, in a line; none where nothing is."""
    told = []
    if splits.groups is not None:
        told.append("counts the examples of groups and splits none between folds")
    if evaluation.strategy == "walk_forward" and "test" not in splits.rows:
        told.append("tests the end of the time line")
    if evaluation.folds is not None and limits.get("val") is not None:
        told.append("validates each fold on `limit.val` examples at most")
    return [f"its data stays cut as it was; a new search {'; it '.join(told)}"] if told else []


def cut(
    given: Rows,
    examples: Examples,
    evaluation: Evaluation,
    limits: Mapping[str, int | None],
    val: float,
    test: float,
    seed: int,
    name: str,
) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """Returns the rows of the three parts, limited, and which fold each training row validates, if there are folds."""
    many = evaluation.folds
    parts = _parts(given, examples, val if many is None else None, test, seed, name)
    parts = split.limited(parts, limits, seed, examples)
    split.check_classes(parts, examples, name)
    return parts, None if many is None else _folds(examples.at(parts["train"]), many, evaluation.strategy, seed)


def _parts(given: Rows, examples: Examples, val: float | None, test: float, seed: int, name: str) -> Rows:
    if examples.groups is None:
        return split.cut(given, examples, val=val, test=test, seed=seed, name=name)
    left, parts = given["train"], {part: given.get(part) for part in ("val", "test")}
    if val is None:
        left = left if parts["val"] is None else np.concatenate([left, parts["val"]])
        parts["val"] = left[:0]
    size = len(left)
    for part, fraction in (("test", test), ("val", val)):
        if parts[part] is None and fraction is not None:
            chosen = _of_groups(examples.at(left), max(1, round(fraction * size)), seed)
            parts[part] = left[chosen]
            left = left[np.setdiff1d(np.arange(len(left)), chosen)]
    return {"train": left, **{part: found for part, found in parts.items() if found is not None}}


def _of_groups(examples: Examples, count: int, seed: int) -> np.ndarray:
    from sklearn.model_selection import GroupShuffleSplit

    cutter = GroupShuffleSplit(1, test_size=count / examples.size, random_state=seed)
    return np.sort(next(cutter.split(np.arange(examples.size), groups=examples.groups))[1])


def _folds(examples: Examples, count: int, strategy: Strategy, seed: int) -> np.ndarray:
    """Returns the fold that each example validates, from 0; -1 for one that only ever trains."""
    from sklearn import model_selection as cuts

    rows, labels = np.zeros(examples.size), examples.labels
    groups = examples.groups if strategy == "group" else None
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
