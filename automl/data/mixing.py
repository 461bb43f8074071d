"""Changes of whole batches of training examples: what mixes two of them, or must know where a series ends.

In NumPy and not in the model: targets change too, and a batch is a function of (seed, epoch, its place in the epoch).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from automl.training.augmentation import MIXED, Augmentation

Batch = tuple[Any, ...]
"""Examples, targets as the loss takes them (one-hot) and, with class weights, a weight for each example."""

Mix = Callable[[Batch, np.random.Generator], Batch]
"""Returns a batch in the place of one, in its shapes."""


def of(augmentation: Augmentation) -> Mix | None:
    """Returns what an augmentation makes of a batch; None where it leaves batches as they are."""
    touched = set(MIXED).intersection(augmentation.active)
    return partial(_mixed, augmentation) if touched else None


def _mixed(augmentation: Augmentation, batch: Batch, rng: np.random.Generator) -> Batch:
    x, *others = batch
    if isinstance(x, dict):
        if not augmentation.mixup:  # no document with another one is let through where there are several inputs
            raise ValueError(f"of several inputs only mixup is made, not {', '.join(augmentation.active)}")
        partner, share = _pairs(augmentation.mixup, len(others[0]), rng)
        mixed = {name: blended(each, each[partner], share) for name, each in x.items()}
        return (mixed, *(_between(each, each[partner], share) for each in others))
    if augmentation.window is not None:
        x = sliced(x, augmentation.window, rng)
    alphas = {name: alpha for name in ("mixup", "cutmix") if (alpha := getattr(augmentation, name))}
    if not alphas:
        return (x, *others)
    # Both at once would leave little of either: each batch gets one of them.
    kind = list(alphas)[rng.integers(len(alphas))]
    partner, share = _pairs(alphas[kind], len(x), rng)
    if kind == "mixup":
        x = blended(x, x[partner], share)
    else:
        x, share = pasted(x, x[partner], share, rng)
    return (x, *(_between(each, each[partner], share) for each in others))


def _pairs(alpha: float, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns another example for each, and the share that each keeps of itself."""
    return rng.permutation(size), rng.beta(alpha, alpha, size).astype(np.float32)


def blended(x: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Returns `share * x + (1 - share) * other`; where one of the two has no value (NaN), the other's.

    So the mixture of two padded series is as long as the longer one.

    Args:
        x: `(examples, ...) float32`.
        other: As many.
        share: `(examples,) float32`, 0 to 1.

    Source: Zhang et al. 2017, https://arxiv.org/abs/1710.09412, equation 1.
    """
    mixed = _between(x, other, share)
    gaps = np.isnan(mixed)
    if gaps.any():
        mixed[gaps] = np.where(np.isnan(x), other, x)[gaps]
    return mixed


def pasted(
    x: np.ndarray, other: np.ndarray, share: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Returns images with a rectangle of others in them, and the share of each that is still its own.

    Args:
        x: `(examples, height, width, channels) float32`.
        other: As many.
        share: `(examples,) float32`: what a rectangle leaves that lies wholly inside.
        rng: Draws the middles of the rectangles; what lies outside of the image is cut off.

    Source: Yun et al. 2019, https://arxiv.org/abs/1905.04899, equations 1 and 2.
    """
    side = np.sqrt(1.0 - share)
    rows, columns = (_stretch(length, side, rng) for length in x.shape[1:3])
    covered = rows[:, :, None] & columns[:, None, :]
    own = 1.0 - covered.mean(axis=(1, 2), dtype=np.float32)
    return np.where(covered[..., None], other, x), own


def _stretch(length: int, side: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns which places of a side a stretch covers, `(examples, length)`: `side` of it, round a drawn middle."""
    half = (length * side).astype(int)[:, None] / 2
    middle = rng.integers(length, size=(len(side), 1)) + 0.5
    places = np.arange(length) + 0.5
    covered: np.ndarray = (places > middle - half) & (places <= middle + half)
    return covered


def sliced(x: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Returns a window of each series, stretched to the series' own length; padding (NaN at the end) stays.

    Args:
        x: `(examples, steps, channels) float32`.
        share: The window's share of the steps before the padding.
        rng: Draws where it begins.

    Source: Le Guennec et al. 2016, https://shs.hal.science/halshs-01357973, section 3, window slicing; stretched back
        by linear interpolation, so that lengths stay what they are.
    """
    there = ~np.isnan(x).all(axis=-1)
    length = x.shape[1] - there[:, ::-1].argmax(axis=1)
    kept = np.ceil(share * length).astype(int)
    start = rng.integers(0, length - kept + 1)
    step = np.arange(x.shape[1])
    place = start[:, None] + step * ((kept - 1) / np.maximum(length - 1, 1))[:, None]
    place = np.minimum(place, (length - 1)[:, None])
    before = np.floor(place).astype(int)
    after = np.ceil(place).astype(int)
    ahead = (place - before).astype(np.float32)[..., None]
    window: np.ndarray = (1 - ahead) * np.take_along_axis(x, before[..., None], axis=1)
    window += ahead * np.take_along_axis(x, after[..., None], axis=1)
    window[step >= length[:, None]] = np.nan
    return window


def _between(one: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    weight = share.reshape(-1, *[1] * (one.ndim - 1))
    between: np.ndarray = weight * one + (1 - weight) * other
    return between
