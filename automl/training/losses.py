"""Losses: Keras's own, with Keras's argument names and defaults as fields. A task says which fit it."""

from __future__ import annotations

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


LOSSES: Table[Loss] = Table({"crossentropy": Crossentropy, "focal": Focal}, Loss, "loss")
