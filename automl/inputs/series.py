"""Time series: steps of one or several channels, of one length or of many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from automl.errors import DataError
from automl.flow import Flow, Shape
from automl.inputs import OneColumn, Rows
from automl.records.data import EXAMPLES, InputSpec
from automl.training.augmentation import Augmentation

if TYPE_CHECKING:
    import numpy as np

PIECE_BYTES = 32 * 2**20
"""Memory of the series that are looked at at a time."""


STRETCHES = 16
"""Stretches of time that a linear model is shown."""


class Series(OneColumn):
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

    def checked(self, x: np.ndarray, first: int = 0) -> np.ndarray:
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
        for index, example in enumerate(x, start=first):
            if np.isinf(example).any():
                raise DataError(f"series: example {index} holds infinite values. Expected finite numbers or NaN")
            if np.isnan(example).all():
                raise DataError(f"series: example {index} holds no number at all. Drop it")
        return x[..., np.newaxis] if x.ndim == 2 else x

    def learned(self, x: Rows) -> dict[str, Any]:
        """Learns mean, deviation and range of every channel, and whether any series is padded."""
        from automl.inputs._moments import moments

        found = moments(x)
        offset = {"standardize": found.mean, "unit": found.low, "none": [0.0] * len(found.mean)}
        ranges = [high - low or 1.0 for low, high in zip(found.low, found.high, strict=True)]
        width = {"standardize": found.deviation, "unit": ranges, "none": [1.0] * len(found.mean)}
        return {
            "scale": self.scale,
            "mean": found.mean,
            "offset": offset[self.scale],
            "width": width[self.scale],
            "padded": _is_padded(x),
        }

    def plain(self, x: np.ndarray, spec: InputSpec) -> np.ndarray:
        """Returns means over 16 stretches of time, and of each whole channel mean, deviation, least and greatest."""
        import warnings

        import numpy as np

        from automl.inputs._pooled import pooled

        del spec
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of a channel without a number
            whole = [measure(x, axis=1) for measure in (np.nanmean, np.nanstd, np.nanmin, np.nanmax)]
        return np.concatenate([pooled(x, 1, STRETCHES).reshape(len(x), -1), *whole], axis=1)

    def flow(self, spec: InputSpec) -> Shape:
        """Returns the shape of the series."""
        return Shape("sequence", spec.shape)

    def stem(self, spec: InputSpec, augmentation: Augmentation | None = None) -> tuple[Any, Flow]:
        """Builds the entrance: raw series in, scaled series without NaN out. They are changed once they are scaled."""
        import keras
        from keras import ops

        state = spec.state
        entrance = keras.Input(tuple(spec.shape), dtype="float32", name=spec.name)
        # Measured from the mean first, so that 0 stands for a missing value, and then moved to where `scale` wants it.
        variance = [width**2 for width in state["width"]]
        x = keras.layers.Normalization(mean=state["mean"], variance=variance, name=spec.label("scale"))(entrance)
        x = ops.where(ops.isnan(x), 0.0, x)
        if state["scale"] != "standardize":
            parts = zip(state["mean"], state["offset"], state["width"], strict=True)
            back = [(offset - mean) / width for mean, offset, width in parts]
            x = keras.layers.Normalization(mean=back, variance=[1.0] * len(back), name=spec.label("shift"))(x)
        valid = _valid(entrance) if state["padded"] else None
        if augmentation is not None:
            x = _changed(x, augmentation, valid, spec)
        return entrance, Flow(x, "sequence", valid)

    def toy(self, latent: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Makes waves of two channels, slow (0) to fast (1); lengths differ, the rest is padding."""
        import numpy as np

        steps = np.arange(16)[None, :, None]
        frequency = 0.3 + 1.9 * latent[:, None, None]
        x = np.sin(steps * frequency + rng.uniform(0, 6, size=(len(latent), 1, 2)))
        x += rng.normal(0, 0.1, size=x.shape)
        x[steps[..., 0].repeat(len(latent), axis=0) >= rng.integers(8, 17, size=(len(latent), 1))] = np.nan
        return {EXAMPLES: x.astype(np.float32)}


def _is_padded(x: Rows) -> bool:
    """Returns whether the last step of any series holds nothing."""
    import numpy as np

    step = max(1, PIECE_BYTES // max(1, 4 * int(np.prod(x.shape[1:]))))
    pieces = (x[start : start + step] for start in range(0, len(x), step))
    return any(bool(np.isnan(piece[:, -1]).all(axis=-1).any()) for piece in pieces)


def _changed(x: Any, augmentation: Augmentation, valid: Any, spec: InputSpec) -> Any:
    """Returns series that noise is added to and whose channels are multiplied, in training; padding as it was."""
    import keras
    from keras import ops

    changed = x
    if augmentation.scaling:
        ones = ops.ones_like(ops.max(x, axis=1, keepdims=True))
        drawn = keras.layers.GaussianNoise(augmentation.scaling, dtype="float32", name=spec.label("augment_scaling"))(
            ones
        )
        changed = ops.multiply(changed, drawn)
    if augmentation.jitter:
        noise = keras.layers.GaussianNoise(augmentation.jitter, dtype="float32", name=spec.label("augment_jitter"))
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
