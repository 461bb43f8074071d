"""Inputs: one file per modality. An input learns preprocessing from the training part and becomes the model's stem."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from automl.flow import Flow
from automl.records.data import DataSpec
from automl.registry import Member, Registry
from automl.training.augmentation import Augmentation

if TYPE_CHECKING:
    import numpy as np


class Input(Member):
    """A modality: how raw arrays are checked, what is learned from them, and the layers that read them.

    The stem is built from stock Keras layers and operations alone, so a saved model loads without this package.
    `augmentations` names the fields of `training.augmentation` that fit; the stem sees to those that act on single
    examples, `automl.data.mixing` to the others.
    """

    augmentations: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def check(self, x: np.ndarray) -> np.ndarray:
        """Returns `x` in the modality's own layout, without a copy where it already is.

        Raises:
            DataError: `x` cannot be read as this modality.
        """

    @abstractmethod
    def fit(self, x: np.ndarray) -> dict[str, Any]:
        """Learns the preprocessing from the training examples; returns plain data that JSON can carry."""

    @abstractmethod
    def stem(
        self, shape: tuple[int, ...], state: Mapping[str, Any], augmentation: Augmentation | None = None
    ) -> tuple[Any, Flow]:
        """Builds the model's entrance.

        Args:
            shape: Shape of one raw example.
            state: What `fit` returned.
            augmentation: Random changes of examples in training, float32 whatever the precision; None for none.

        Returns:
            The `keras.Input` tensor and the flow behind the preprocessing.
        """


registry: Registry[Input] = Registry("automl.inputs", Input, "input")


def of(data: DataSpec) -> Input:
    """Returns the input of prepared data, as it was declared."""
    return registry.get(data.input).model_validate(data.input_fields)
