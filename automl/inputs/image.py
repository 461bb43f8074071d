"""Images: pixels on a grid, any number of channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from automl.errors import DataError
from automl.flow import Flow, Pixels, Shape
from automl.inputs import OneColumn, Rows
from automl.records.data import EXAMPLES, InputSpec
from automl.training.augmentation import Augmentation

if TYPE_CHECKING:
    import numpy as np


FIELDS = 16
"""Fields to a side that a linear model is shown."""


class Image(OneColumn):
    """Images in their raw pixel range: the model scales them itself, so a saved model takes what the data set holds.

    Input:
        `(examples, height, width)` or `(examples, height, width, channels)`, any real numbers without gaps.

    Output:
        `(batch, height, width, channels) float32`, scaled.
    """

    augmentations: ClassVar[tuple[str, ...]] = (
        "flip", "rotation", "shift", "zoom", "contrast", "brightness", "erasing", "rand_augment", "mixup", "cutmix",
    )  # fmt: skip

    scale: Literal["standardize", "unit", "none"] = Field(
        "standardize",
        description="Mean 0 and deviation 1 per channel (standardize), range 0 to 1 (unit), or as they are (none).",
    )

    def checked(self, x: np.ndarray, first: int = 0) -> np.ndarray:
        """Returns the images with a channel axis."""
        import numpy as np

        if x.ndim not in (3, 4) or 0 in x.shape:
            raise DataError(
                f"image: the examples have shape {x.shape}. Expected (examples, height, width) or "
                "(examples, height, width, channels), none of them 0"
            )
        if x.dtype.kind not in "uifb":
            raise DataError(f"image: pixels are not numbers. Expected a numeric array; received dtype {x.dtype}")
        if x.dtype.kind == "f":
            # A sum is finite only if all its terms are; unlike a mask it needs no memory of the array's size.
            with np.errstate(over="ignore", invalid="ignore"):
                bad = [index for index, example in enumerate(x) if not np.isfinite(np.sum(example, dtype=np.float64))]
            if bad:
                raise DataError(
                    f"image: {len(bad)} examples hold NaN or infinite pixels, the first at index {first + bad[0]}. "
                    "Expected finite numbers. Repair or drop them"
                )
        return x[..., np.newaxis] if x.ndim == 3 else x

    def learned(self, x: Rows) -> dict[str, Any]:
        """Learns mean, deviation and range of the pixels."""
        from automl.inputs._moments import moments

        found = moments(x)
        return {
            "scale": self.scale,
            "mean": found.mean,
            "deviation": found.deviation,
            "low": min(found.low),
            "high": max(found.high),
        }

    def plain(self, x: np.ndarray, spec: InputSpec) -> np.ndarray:
        """Returns the pixels, of larger images the means of 16 by 16 fields."""
        from automl.inputs._pooled import pooled

        del spec
        return pooled(pooled(x, 1, FIELDS), 2, FIELDS).reshape(len(x), -1)

    def flow(self, spec: InputSpec) -> Shape:
        """Returns the shape of the images."""
        return Shape("feature_map", spec.shape)

    def stem(self, spec: InputSpec, augmentation: Augmentation | None = None) -> tuple[Any, Flow]:
        """Builds the entrance: raw pixels in, scaled pixels out. They are changed while they are raw."""
        import keras

        state = spec.state
        entrance = x = keras.Input(tuple(spec.shape), dtype="float32", name=spec.name)
        # A made-up input, which nothing was learned from, is of bytes.
        span = state.get("low", 0.0), state.get("high", 255.0)
        if augmentation is not None:
            from automl.inputs._pixels import changed

            x = changed(x, augmentation, span, spec.label)
        pixels = Pixels(x, *_range(*span))
        if state["scale"] == "standardize":
            variance = [deviation**2 for deviation in state["deviation"]]
            x = keras.layers.Normalization(mean=state["mean"], variance=variance, name=spec.label("scale"))(x)
        elif state["scale"] == "unit":
            # One range for all channels: colours keep their proportions.
            width = (state["high"] - state["low"]) or 1.0
            x = keras.layers.Rescaling(1.0 / width, offset=-state["low"] / width, name=spec.label("scale"))(x)
        return entrance, Flow(x, "feature_map", pixels=pixels)

    def toy(self, latent: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Makes pictures of 9 by 9 pixels in which a bright band of three rows lies from the top (0) to the bottom."""
        import numpy as np

        x = rng.integers(0, 60, size=(len(latent), 9, 9, 1))
        for example, place in zip(x, np.round(6 * latent).astype(int), strict=True):
            example[place : place + 3] += 150
        return {EXAMPLES: x.astype(np.uint8)}


def _range(low: float, high: float) -> tuple[float, float]:
    """Returns the range that pixels are meant to have, whose ends the training part need not reach."""
    if low >= 0 and high < 256:  # numbers of 16 bits are brought to the range of bytes without rounding them
        return 0.0, 1.0 if high <= 1 else 255.0
    return low, high
