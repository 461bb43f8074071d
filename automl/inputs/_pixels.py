"""Random changes of images in training, from Keras's own layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from automl.training.augmentation import Augmentation

DRAWN = 2
"""Operations that RandAugment draws for each image: the paper's N, and Keras's default."""


def changed(x: Any, augmentation: Augmentation, span: tuple[float, float], label: Callable[[str], str]) -> Any:
    """Adds the layers of an augmentation behind raw pixels: where things are first, then their colours, then holes.

    Seeds come from `keras.utils.set_random_seed`, as those of all layers do.

    Args:
        x: `(batch, height, width, channels) float32`.
        augmentation: What to change.
        span: The least and the greatest value of the pixels.
        label: Returns the name of a layer.
    """
    from keras import layers

    a = augmentation
    flip = {"both": "horizontal_and_vertical"}.get(a.flip, a.flip)
    steps = {
        "flip": lambda given: layers.RandomFlip(flip, **given),
        "rotation": lambda given: layers.RandomRotation(a.rotation, **given),
        "shift": lambda given: layers.RandomTranslation(a.shift, a.shift, **given),
        "zoom": lambda given: layers.RandomZoom(a.zoom, **given),
        "rand_augment": lambda given: _RandAugment(a.rand_augment or 0.0, span, x.shape[-1], given),
        # Two numbers: of a single one Keras raises the contrast only, and makes it the largest chance of an erasure.
        "contrast": lambda given: layers.RandomContrast((a.contrast, a.contrast), span, **given),
        "brightness": lambda given: layers.RandomBrightness(a.brightness, span, **given),
        "erasing": lambda given: layers.RandomErasing((a.erasing, a.erasing), value_range=span, **given),
    }
    for name, make in steps.items():
        if name in a.active:
            x = make({"dtype": "float32", "name": label(f"augment_{name}")})(x)
    return x


class _RandAugment:
    """Changes each image by two operations, each drawn evenly from a list, all of one strength.

    Not `keras.layers.RandAugment` (3.15): it draws once for a whole batch, takes the histogram of the batch for that of
    an image, and at a factor of 0.05 inverts or posterizes images as much as at 1. So posterize, solarize and equalize
    are left out here; autocontrast too, which Keras leaves on outside of training. The strongest of each operation is
    the paper's, of which `strength` is a share.

    Every operation is made of the whole batch, and each image takes one: a step of a small model on a CPU may take
    several times as long.

    Source: Cubuk et al. 2019, https://arxiv.org/abs/1909.13719, figure 2; ranges of Cubuk et al. 2018,
        https://arxiv.org/abs/1805.09501, table 6.
    """

    def __init__(self, strength: float, span: tuple[float, float], channels: int, given: Mapping[str, Any]) -> None:
        from keras import layers

        self.given = given
        share = 0.9 * strength
        self.operations = [
            layers.RandomRotation(strength * 30 / 360, **self._named("rotation")),
            # Two numbers, the sign is drawn: what Keras saves of a single one it refuses to load.
            layers.RandomShear((0.0, 0.3 * strength), (0.0, 0.3 * strength), **self._named("shear")),
            layers.RandomTranslation(0.3 * strength, 0.3 * strength, **self._named("shift")),
            layers.RandomBrightness(share, span, **self._named("brightness")),
            layers.RandomContrast((share, share), span, **self._named("contrast")),
            # 0.5 leaves an image as it is, 0 smoothes it, 1 sharpens it.
            layers.RandomSharpness((0.5 - share / 2, 0.5 + share / 2), span, **self._named("sharpness")),
        ]
        if channels == 3:
            self.operations.append(layers.RandomColorDegeneration(share, span, **self._named("colour")))

    def _named(self, operation: str) -> dict[str, Any]:
        return {**self.given, "name": f"{self.given['name']}_{operation}"}

    def __call__(self, x: Any) -> Any:
        """Adds the operations. One choice is to leave the image as it is, the paper's identity."""
        from keras import layers, ops

        for number in range(DRAWN):
            # No stock layer draws a whole number for each image. A normal one does, by its rank among all normal ones;
            # outside of training there is none, and no operation changes anything.
            nought = ops.zeros_like(ops.max(x, axis=(1, 2, 3), keepdims=True))
            normal = layers.GaussianNoise(1.0, **self._named(f"draw_{number + 1}"))(nought)
            rank = ops.multiply(ops.add(ops.erf(ops.multiply(normal, math.sqrt(0.5))), 1.0), 0.5)
            choice = ops.floor(ops.multiply(rank, len(self.operations) + 1))
            for place, operation in enumerate(self.operations):
                x = ops.where(ops.equal(choice, float(place)), operation(x), x)
        return x
