"""What the feed makes of a batch: examples and targets mixed, windows of series."""

from __future__ import annotations

import numpy as np
import pytest

from automl.data import mixing
from automl.training.augmentation import Augmentation

NAN = np.nan


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def images(count: int = 64, height: int = 8, width: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each image holds its own number in every pixel; targets are one-hot, and so are weights known."""
    x = np.broadcast_to(np.arange(count, dtype=np.float32)[:, None, None, None], (count, height, width, 1)).copy()
    return x, np.eye(count, dtype=np.float32), np.arange(count, dtype=np.float32) ** 2


def test_off_is_none():
    assert mixing.of(Augmentation()) is None
    assert mixing.of(Augmentation(flip="both", jitter=0.5)) is None


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_targets_and_weights_are_mixed_as_the_images_are(kind):
    x, y, w = images()
    mix = mixing.of(Augmentation(**{kind: 1.0}))
    mixed, targets, weights = mix((x, y, w), rng())
    assert (mixed.dtype, targets.dtype, weights.dtype) == (np.float32,) * 3
    assert (mixed.shape, targets.shape, weights.shape) == (x.shape, y.shape, w.shape)
    np.testing.assert_allclose(targets.sum(axis=1), 1.0, atol=1e-6)
    assert (targets > 0).sum(axis=1).max() == 2
    # The mean of the pixels is the mixture of two numbers that the target tells, and so is the weight.
    np.testing.assert_allclose(mixed.mean(axis=(1, 2, 3)), targets @ np.arange(64), rtol=1e-5)
    np.testing.assert_allclose(weights, targets @ w, rtol=1e-5)
    assert not np.array_equal(mixed, x)
    np.testing.assert_array_equal(x, images()[0])  # the batch given is left as it was


def test_several_inputs_are_mixed_with_the_same_partner_by_the_same_share():
    x, y, w = images()
    mix = mixing.of(Augmentation(mixup=1.0))
    mixed, targets, weights = mix(({"one": x, "other": 3 * x[:, 0, 0]}, y, w), rng())
    alone, same, alike = mix((x, y, w), rng())
    np.testing.assert_array_equal(mixed["one"], alone)
    np.testing.assert_allclose(mixed["other"], 3 * alone[:, 0, 0], rtol=1e-6)
    np.testing.assert_array_equal(targets, same)
    np.testing.assert_array_equal(weights, alike)


def test_cutmix_pastes_one_rectangle():
    x, y, _ = images()
    mixed, targets = mixing.of(Augmentation(cutmix=1.0))((x, y), rng())
    for number, image in enumerate(mixed[..., 0]):
        other = image != number
        rows, columns = other.any(axis=1), other.any(axis=0)
        assert other.sum() == rows.sum() * columns.sum()
        assert targets[number, number] == pytest.approx(1.0 - other.mean(), abs=1e-6)


def test_alpha_says_how_evenly_two_are_mixed():
    _, y, _ = images(2000, 1, 1)
    x = np.zeros((2000, 1, 1, 1), np.float32)
    spread = {}
    for alpha in (0.1, 1.0, 10.0):
        _, targets = mixing.of(Augmentation(mixup=alpha))((x, y), rng())
        spread[alpha] = float(np.abs(targets.max(axis=1) - 0.5).mean())
    assert spread[0.1] > spread[1.0] > spread[10.0]
    assert spread[1.0] == pytest.approx(0.25, abs=0.02)  # evenly between 0 and 1


def test_of_two_kinds_each_batch_gets_one():
    x, y, _ = images(8)
    mix = mixing.of(Augmentation(mixup=1.0, cutmix=1.0))
    pasted = [bool((mix((x, y), rng(seed))[0] % 1 == 0).all()) for seed in range(200)]
    assert 60 < sum(pasted) < 140


def test_a_batch_is_a_function_of_its_generator():
    x, y, _ = images()
    mix = mixing.of(Augmentation(mixup=0.4, cutmix=1.0))
    first, again, other = (mix((x, y), rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_mixed_series_are_as_long_as_the_longer_one():
    one = np.array([[[1.0], [NAN], [3.0], [NAN]]], np.float32)
    other = np.array([[[5.0], [6.0], [NAN], [NAN]]], np.float32)
    mixed = mixing.blended(one, other, np.array([0.25], np.float32))
    np.testing.assert_array_equal(mixed[0, :, 0], [4.0, 6.0, 3.0, NAN])


def lines(count: int, lengths: list[int], steps: int = 20) -> np.ndarray:
    """Series that count their steps, in two channels, padded."""
    x = np.stack([np.arange(steps), -np.arange(steps)], axis=-1).astype(np.float32)
    x = np.broadcast_to(x, (count, steps, 2)).copy()
    for series, length in zip(x, lengths * (count // len(lengths)), strict=True):
        series[length:] = NAN
    return x


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_a_window_is_stretched_to_the_length_of_its_series(share):
    x = lines(300, [20, 11, 4])
    found = mixing.sliced(x, share, rng())
    assert found.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(found), np.isnan(x))
    starts = {20: set(), 11: set(), 4: set()}
    for series, length in zip(found, [20, 11, 4] * 100, strict=True):
        kept = int(np.ceil(share * length))
        np.testing.assert_allclose(series[:length, 1], -series[:length, 0], atol=1e-5)
        first, last = series[0, 0], series[length - 1, 0]
        assert last - first == pytest.approx(kept - 1, abs=1e-5)
        assert first >= 0
        assert last <= length - 1
        np.testing.assert_allclose(np.diff(series[:length, 0]), (kept - 1) / (length - 1), atol=1e-5)
        starts[length].add(float(first))
    for length, seen in starts.items():
        assert seen == set(map(float, range(length - int(np.ceil(share * length)) + 1)))


def test_the_whole_window_and_the_shortest_series_stay():
    x = lines(4, [20, 1])
    np.testing.assert_array_equal(mixing.sliced(x, 1.0, rng()), x)
    np.testing.assert_array_equal(mixing.sliced(x, 0.1, rng())[1::2], x[1::2])
