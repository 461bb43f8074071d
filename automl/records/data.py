"""Data sets as they cross a border: what a source gives, what is prepared on disk. No Keras, no MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Part:
    """One part of a data set as its source gives it.

    Args:
        x: Examples, first axis the examples: `(n, height, width, channels)`, `(n, steps, channels)` right-padded with
            NaN, or `(n, features)`.
        y: Raw targets, first axis the examples; class names or numbers for classification.
        groups: What each example belongs to (a speaker, a patient), `(n,)`; an empty id is no group; None when the
            source does not say. No group is ever split.
    """

    x: np.ndarray
    y: np.ndarray
    groups: np.ndarray | None = None


@dataclass(frozen=True)
class Splits:
    """What a source loads. A part the set does not bring is None and is cut from `train` later.

    Args:
        train: The training part.
        val: The validation part.
        test: The test part.
        notes: How it read the set, a line each, where that is worth a word.
    """

    train: Part
    val: Part | None = None
    test: Part | None = None
    notes: tuple[str, ...] = ()


class Timeline(Splits):
    """Parts whose examples stand in the order of time: what is cut from `train` is the latest of it."""


@dataclass(frozen=True)
class DataSpec:
    """A prepared data set on disk: `{train,val,test}_{x,y}.npy` in `folder`, shared by all workers as memory maps.

    Args:
        folder: Absolute path of the prepared files.
        name: Name of the data set.
        digest: SHA-256 of what was prepared (arrays, split, classes), in hex.
        input: Registered name of the input (`image`, `series`); `inputs.of` builds it, its fields among it.
        task: Registered name of the task (`classification`); `tasks.of` builds it, its fields among it.
        shape: Shape of one example, without the batch axis.
        sizes: Number of examples by part (`train`, `val`, `test`).
        classes: Class names in the order of the model's outputs.
        stem: What the input's `fit` learned from the training part, as plain data (means, deviations).
        stems: The same for each fold, learned from what trains it; empty when there are no folds.
        strategy: How the folds were cut; see `evaluation.Evaluation`.
        fold: Which of them validates, from 0; None for the parts as they lie on disk.
        input_fields: The input's fields as they were declared.
        task_fields: The task's.
        version: Of the way it was cut; see `dataset.VERSION`.
        notes: What a user should know of how the set was read, a line each.
    """

    folder: str
    name: str
    digest: str
    input: str
    task: str
    shape: tuple[int, ...]
    sizes: Mapping[str, int]
    classes: tuple[str, ...]
    stem: Mapping[str, Any] = field(default_factory=dict)
    stems: tuple[Mapping[str, Any], ...] = ()
    strategy: str = "stratified"
    fold: int | None = None
    input_fields: Mapping[str, Any] = field(default_factory=dict)
    task_fields: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1
    notes: tuple[str, ...] = ()

    def at(self, fold: int | None) -> DataSpec:
        """Returns the same data as one fold sees it; None for all of it."""
        return self if fold is None else replace(self, fold=fold, stem=self.stems[fold])
