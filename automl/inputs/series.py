"""Time series: steps of one or several channels, of one length or of many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from automl.errors import DataError
from automl.flow import Flow
from automl.inputs import Input
from automl.training.augmentation import Augmentation

if TYPE_CHECKING:
    import numpy as np


class Series(Input):
    """Series with a fixed number of steps; a shorter one is filled up with NaN steps at its end, its padding.

    A value missing inside a series (NaN) is taken for its channel's mean. Padding is told to the blocks if the training
    part has some: `Flow.valid` is 1 up to the last step that holds a number, and for the first step in any case,
    because neither cuDNN nor a mean can do with a series of no steps.

    Input:
        `(examples, steps)` or `(examples, steps, channels)`, real numbers and NaN.

    Output:
        `(batch, steps, channels) float32`, scaled, without NaN.
    """

    augmentations: ClassVar[tuple[str, ...]] = ("jitter", "scaling", "window", "mixup")

    scale: Literal["standardize", "unit", "none"] = Field(
        "standardize",
        description="Mean 0 and deviation 1 per channel (standardize), range 0 to 1 (unit), or as they are (none).",
    )

    def check(self, x: np.ndarray) -> np.ndarray:
        """Returns the series as float32 with a channel axis."""
        import numpy as np

        if x.ndim not in (2, 3) or 0 in x.shape:
            raise DataError(
                f"series: the examples have shape {x.shape}. Expected (examples, steps) or "
                "(examples, steps, channels), none of them 0"
            )
        if x.dtype.kind not in "uifb":
            raise DataError(f"series: values are not numbers. Expected a numeric array; received dtype {x.dtype}")
        # What overflows float32 becomes infinite, and is told below with all other infinite values.
        with np.errstate(over="ignore"):
            x = x.astype(np.float32, copy=False)
        for index, example in enumerate(x):
            if np.isinf(example).any():
                raise DataError(f"series: example {index} holds infinite values. Expected finite numbers or NaN")
            if np.isnan(example).all():
                raise DataError(f"series: example {index} holds no number at all. Drop it")
        return x[..., np.newaxis] if x.ndim == 2 else x

    def fit(self, x: np.ndarray) -> dict[str, Any]:
        """Learns mean, deviation and range of every channel, and whether any series is padded."""
        import numpy as np

        from automl.inputs._moments import moments

        learned = moments(x)
        offset = {"standardize": learned.mean, "unit": learned.low, "none": [0.0] * len(learned.mean)}
        ranges = [high - low or 1.0 for low, high in zip(learned.low, learned.high, strict=True)]
        width = {"standardize": learned.deviation, "unit": ranges, "none": [1.0] * len(learned.mean)}
        return {
            "scale": self.scale,
            "mean": learned.mean,
            "offset": offset[self.scale],
            "width": width[self.scale],
            "padded": bool(np.isnan(x[:, -1]).all(axis=-1).any()),
        }

    def stem(
        self, shape: tuple[int, ...], state: Mapping[str, Any], augmentation: Augmentation | None = None
    ) -> tuple[Any, Flow]:
        """Builds the entrance: raw series in, scaled series without NaN out. They are changed once they are scaled."""
        import keras
        from keras import ops

        entrance = keras.Input(tuple(shape), dtype="float32", name="series")
        # Measured from the mean first, so that 0 stands for a missing value, and then moved to where `scale` wants it.
        variance = [width**2 for width in state["width"]]
        x = keras.layers.Normalization(mean=state["mean"], variance=variance, name="scale")(entrance)
        x = ops.where(ops.isnan(x), 0.0, x)
        if state["scale"] != "standardize":
            parts = zip(state["mean"], state["offset"], state["width"], strict=True)
            back = [(offset - mean) / width for mean, offset, width in parts]
            x = keras.layers.Normalization(mean=back, variance=[1.0] * len(back), name="shift")(x)
        valid = _valid(entrance) if state["padded"] else None
        if augmentation is not None:
            x = _changed(x, augmentation, valid)
        return entrance, Flow(x, "sequence", valid)


def _changed(x: Any, augmentation: Augmentation, valid: Any) -> Any:
    """Returns series that noise is added to and whose channels are multiplied, in training; padding as it was."""
    import keras
    from keras import ops

    changed = x
    if augmentation.scaling:
        ones = ops.ones_like(ops.max(x, axis=1, keepdims=True))
        drawn = keras.layers.GaussianNoise(augmentation.scaling, dtype="float32", name="augment_scaling")(ones)
        changed = ops.multiply(changed, drawn)
    if augmentation.jitter:
        noise = keras.layers.GaussianNoise(augmentation.jitter, dtype="float32", name="augment_jitter")
        changed = noise(changed)
    return changed if valid is None or changed is x else ops.where(ops.greater(valid, 0.5), changed, x)


def _valid(entrance: Any) -> Any:
    """Returns 1.0 up to the last step with a number; contiguous, because cuDNN reads lengths and not masks."""
    from keras import ops

    there = ops.logical_not(ops.all(ops.isnan(entrance), axis=-1, keepdims=True))
    there = ops.cast(there, "float32")
    number = ops.cumsum(ops.ones_like(there), axis=1)
    last = ops.max(ops.multiply(there, number), axis=1, keepdims=True)
    return ops.cast(ops.less_equal(number, ops.maximum(last, 1.0)), "float32")
