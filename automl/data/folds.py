"""Cuts a training part into folds, and finds the rows that train and validate on each of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from automl.data import groups, timeline
from automl.data.examples import Examples
from automl.records.data import DataSpec
from automl.sources._places import fault
from automl.training.evaluation import Strategy

FILE = "folds.npy"


def assigned(examples: Examples, folds: int, strategy: Strategy, seed: int, name: str) -> np.ndarray:
    """Returns the fold that each example validates, from 0; -1 for one that only ever trains.

    Whatever the strategy, groups stay whole.

    Args:
        examples: They; for `walk_forward` in the order of time.
        folds: Their number.
        strategy: How they are cut.
        seed: Seed of the choice.
        name: What messages call the set.

    Output: (examples,) int16.

    Raises:
        DataError: A class, or the set, is too small to stand in every fold, or it names no groups.
    """
    try:
        found = _cut(examples, folds, strategy, seed, name)
    except ValueError as error:
        raise fault(name, f"{examples.size} examples cannot be cut into {folds} folds", hint=f"{error}") from error
    for fold in range(folds):
        _check(found, fold, strategy, examples.labels, name)
    return found


def _cut(examples: Examples, folds: int, strategy: Strategy, seed: int, name: str) -> np.ndarray:
    if strategy == "walk_forward":
        return timeline.folds(examples, folds, name)
    if examples.groups is not None:
        return groups.folds(examples.groups, folds, seed, examples.labels, name)
    if strategy == "group":
        hint = "Name the column with `group` (sources csv and parquet), or use strategy: stratified"
        raise fault(name, "the set does not say which examples belong together", hint=hint)
    return _drawn(examples.size, folds, seed, examples.labels)


def _drawn(size: int, folds: int, seed: int, labels: np.ndarray | None) -> np.ndarray:
    from sklearn import model_selection as cuts

    cutter = cuts.KFold if labels is None else cuts.StratifiedKFold
    found = np.zeros(size, np.int16)
    turns = cutter(folds, shuffle=True, random_state=seed).split(np.zeros(size), labels)
    for number, (_, validating) in enumerate(turns):
        found[validating] = number
    return found


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
    home = _homes(found)
    mask: np.ndarray = home < fold if strategy == "walk_forward" else home != fold
    return mask


def _homes(found: np.ndarray) -> np.ndarray:
    """Returns the fold that each example is of, though it may be left out there; -1 for one that is of none."""
    homes: np.ndarray = np.where(found < -1, -2 - found, found)
    return homes


def limited(found: np.ndarray, most: int | None, seed: int, labels: np.ndarray | None) -> np.ndarray:
    """Returns the same folds with at most so many examples that validate each, chosen so that classes keep shares.

    The others train the other folds as before, and are left out of their own: they stand as `-2 - fold`.
    """
    from sklearn.utils import resample

    result = found.copy()
    for fold in range(int(found.max()) + 1):
        own = np.flatnonzero(found == fold)
        if most is not None and most < len(own):
            kinds = None if labels is None else labels[own]
            kept = resample(own, replace=False, n_samples=most, random_state=seed, stratify=kinds)
            result[np.setdiff1d(own, kept)] = -2 - fold
    return result


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


def share(spec: DataSpec) -> float:
    """Returns which share of the examples that folds take turns with trains one of them, on average.

    A model that is trained on all of them takes that share of the epochs for as many steps.
    """
    counts = [len(chosen) for fold in range(len(spec.folds)) if (chosen := rows(spec.at(fold), "train")[1]) is not None]
    return sum(counts) / (len(counts) * spec.sizes["train"])
