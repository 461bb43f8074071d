"""Cuts a training part into folds, and finds the rows that train and validate on each of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from automl.data._places import fault
from automl.data._split import Strata
from automl.evaluation import Strategy
from automl.records import DataSpec, Part

FILE = "folds.npy"


def assigned(part: Part, folds: int, strategy: Strategy, seed: int, strata: Strata, name: str) -> np.ndarray:
    """Returns the fold that each example validates, from 0; -1 for one that only ever trains.

    Args:
        part: The examples; for `walk_forward` in the order of time.
        folds: Their number.
        strategy: How they are cut.
        seed: Seed of the choice.
        strata: Labels to stratify by.
        name: What messages call the set.

    Output: (examples,) int16.

    Raises:
        DataError: A class, or the set, is too small to stand in every fold, or it names no groups.
    """
    labels = strata(part.y)
    found = np.full(len(part.x), -1, np.int16)
    try:
        for number, (_, validating) in enumerate(_cut(part, folds, strategy, seed, labels, name)):
            found[validating] = number
    except ValueError as error:
        raise fault(name, f"{len(part.x)} examples cannot be cut into {folds} folds", hint=f"{error}") from error
    for fold in range(folds):
        _check(found, fold, strategy, labels, name)
    return found


def _cut(
    part: Part, folds: int, strategy: Strategy, seed: int, labels: np.ndarray | None, name: str
) -> Sequence[tuple[np.ndarray, np.ndarray]]:
    from sklearn import model_selection as cuts

    rows = np.zeros(len(part.x))
    if strategy == "walk_forward":
        return list(cuts.TimeSeriesSplit(folds).split(rows))
    if strategy == "group":
        if part.groups is None:
            hint = "Name the column with `group` (source csv), or use strategy: stratified"
            raise fault(name, "the set does not say which examples belong together", hint=hint)
        if labels is None:
            return list(cuts.GroupKFold(folds, shuffle=True, random_state=seed).split(rows, None, part.groups))
        by_group = cuts.StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        return list(by_group.split(rows, labels, part.groups))
    if labels is None:
        return list(cuts.KFold(folds, shuffle=True, random_state=seed).split(rows))
    return list(cuts.StratifiedKFold(folds, shuffle=True, random_state=seed).split(rows, labels))


def _check(found: np.ndarray, fold: int, strategy: Strategy, labels: np.ndarray | None, name: str) -> None:
    """Checks that a fold trains on every class it is measured on: what was never seen cannot be learned."""
    trains, validates = _training(found, fold, strategy), found == fold
    if not validates.any():
        raise fault(name, f"fold {fold + 1} has no example", hint="Use fewer folds")
    if labels is None:
        return
    unseen = np.setdiff1d(labels[validates], labels[trains])
    if len(unseen):
        what = f"fold {fold + 1} is measured on class {str(unseen[0])!r}, which it is not trained on"
        raise fault(name, what, expected="every class on both sides", hint="Use fewer folds, or another strategy")


def _training(found: np.ndarray, fold: int, strategy: str) -> np.ndarray:
    mask: np.ndarray = found < fold if strategy == "walk_forward" else found != fold
    return mask


def training(found: np.ndarray, fold: int, strategy: str) -> np.ndarray:
    """Returns the rows that train a fold, sorted."""
    return np.flatnonzero(_training(found, fold, strategy))


def rows(spec: DataSpec, part: str) -> tuple[str, np.ndarray | None]:
    """Returns where the examples of a part lie: in which file, and in which of its rows (None: all of them)."""
    if spec.fold is None or part == "test":
        return part, None
    found = np.load(Path(spec.folder) / FILE)
    if part == "val":
        return "train", np.flatnonzero(found == spec.fold)
    return "train", training(found, spec.fold, spec.strategy)
