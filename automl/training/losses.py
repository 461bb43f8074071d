"""Losses: Keras's own, with Keras's argument names and defaults as fields, and one more. A task says which fit it."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

from pydantic import Field

from automl.registry import Member, Table


class Loss(Member):
    """What training makes small. Fields are the arguments of the Keras class `keras_class`."""

    keras_class: ClassVar[str]

    def build(self) -> Any:
        """Returns a fresh Keras loss."""
        import keras

        return getattr(keras.losses, self.keras_class)(**self.model_dump())


class Crossentropy(Loss):
    """Cross-entropy of probabilities of classes against one-hot (or soft) targets, in nats.

    Source: label smoothing: Szegedy et al. 2015, https://arxiv.org/abs/1512.00567, section 7.
    """

    keras_class: ClassVar[str] = "CategoricalCrossentropy"

    label_smoothing: float = Field(
        0.0, ge=0.0, le=1.0, description="Share of the target that is spread evenly over all classes."
    )


class Focal(Crossentropy):
    """Cross-entropy that weighs an example down the surer the model is of its class: `alpha * (1 - p)^gamma * -log p`.

    Source: Lin et al. 2017, https://arxiv.org/abs/1708.02002, equation 5.
    """

    keras_class: ClassVar[str] = "CategoricalFocalCrossentropy"

    gamma: float = Field(2.0, ge=0.0, description="How much less sure examples count; 0: all alike.")
    alpha: float = Field(0.25, gt=0.0, description="What every class's part is multiplied by.")


class BinaryCrossentropy(Loss):
    """Cross-entropy of the probability of each label against 0 or 1, in nats, the mean over the labels."""

    keras_class: ClassVar[str] = "BinaryCrossentropy"

    label_smoothing: float = Field(
        0.0, ge=0.0, le=1.0, description="Share of the target that becomes 0.5: 1 turns into 1 less half of it."
    )


class BinaryFocal(BinaryCrossentropy):
    """Cross-entropy of each label that weighs one down the surer the model is of it: `(1 - p)^gamma * -log p`.

    Source: Lin et al. 2017, https://arxiv.org/abs/1708.02002, equations 4 and 5.
    """

    keras_class: ClassVar[str] = "BinaryFocalCrossentropy"

    gamma: float = Field(2.0, ge=0.0, description="How much less sure labels count; 0: all alike.")
    apply_class_balancing: bool = Field(
        False, description="Multiply labels that are there by alpha, and those that are not by 1 - alpha."
    )
    alpha: float = Field(0.25, ge=0.0, le=1.0, description="Weight of a label that is there, with that balancing.")


class MeanSquaredError(Loss):
    """The square of the error: what it makes smallest is the mean."""

    keras_class: ClassVar[str] = "MeanSquaredError"


class MeanAbsoluteError(Loss):
    """The size of the error: what it makes smallest is the median, which outliers do not move."""

    keras_class: ClassVar[str] = "MeanAbsoluteError"


class Huber(Loss):
    """The square of a small error, half of it, and the size of a large one: the mean, but for outliers.

    Source: Huber 1964, https://doi.org/10.1214/aoms/1177703732.
    """

    keras_class: ClassVar[str] = "Huber"

    delta: float = Field(
        1.0, gt=0.0, description="Error where the one becomes the other, in standard deviations of the target."
    )


class LogCosh(Loss):
    """The logarithm of the hyperbolic cosine of the error: as `huber`, and smooth everywhere."""

    keras_class: ClassVar[str] = "LogCosh"


class Quantile(Loss):
    """The pinball loss, which Keras does not have: what it makes smallest is a quantile.

    Of an error `e = target - prediction` it is `quantile * e`, or `(quantile - 1) * e` where that is more: with 0.9 a
    prediction that is too low costs nine times as much as one that is too high. Metrics other than the loss are of
    means and medians, and say little of an outer quantile.

    Source: Koenker & Bassett 1978, https://doi.org/10.2307/1913643, equation 3.1.
    """

    keras_class: ClassVar[str] = "Pinball"

    quantile: float = Field(0.5, gt=0.0, lt=1.0, description="Share of the targets that lie below the prediction.")

    def build(self) -> Any:
        """Returns a fresh Keras loss."""
        return _pinball()(self.quantile)


@functools.cache
def _pinball() -> type:
    import keras
    from keras import ops

    class Pinball(keras.losses.Loss):
        """The mean over the targets of an example."""

        def __init__(self, quantile: float) -> None:
            super().__init__(name="pinball")
            self.quantile = quantile

        def call(self, y_true: Any, y_pred: Any) -> Any:
            """Returns a loss for each example."""
            error = ops.subtract(y_true, y_pred)
            return ops.mean(ops.maximum(self.quantile * error, (self.quantile - 1.0) * error), axis=-1)

    return Pinball


LOSSES: Table[Loss] = Table(
    {
        "crossentropy": Crossentropy,
        "focal": Focal,
        "binary_crossentropy": BinaryCrossentropy,
        "binary_focal": BinaryFocal,
        "mse": MeanSquaredError,
        "mae": MeanAbsoluteError,
        "huber": Huber,
        "log_cosh": LogCosh,
        "quantile": Quantile,
    },
    Loss,
    "loss",
)
