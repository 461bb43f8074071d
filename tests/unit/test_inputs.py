"""Inputs: layouts, what is learned, and what becomes of missing values."""

import numpy as np
import pytest
import specs

from automl.errors import DataError
from automl.inputs import _moments
from automl.inputs._moments import moments
from automl.inputs.image import Image, _range
from automl.inputs.series import Series

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NAN = np.nan


def through(reader, train, x):
    """Returns what the stem learned from `train` makes of `x`: values, and which steps are valid."""
    import keras

    entrance, flow = reader.stem(specs.learned(reader, train))
    outputs = [flow.x] if flow.valid is None else [flow.x, flow.valid]
    found = keras.Model(entrance, outputs).predict_on_batch(x)
    return (np.asarray(found), None) if flow.valid is None else (np.asarray(found[0]), np.asarray(found[1])[..., 0])


def test_moments_are_numpys_whatever_the_chunks(monkeypatch):
    x = np.random.default_rng(0).normal([5.0, -1e4], [2.0, 1e-2], size=(37, 6, 2))
    x[3, 2:] = NAN
    for chunk in (1, 1000, 2**20):
        monkeypatch.setattr(_moments, "CHUNK_BYTES", chunk)
        found = moments(x)
        flat = x.reshape(-1, 2)
        np.testing.assert_allclose(found.mean, np.nanmean(flat, axis=0))
        np.testing.assert_allclose(found.deviation, np.nanstd(flat, axis=0), rtol=1e-6)
        np.testing.assert_allclose(found.low, np.nanmin(flat, axis=0))
        np.testing.assert_allclose(found.high, np.nanmax(flat, axis=0))


def test_moments_of_constant_and_empty_channels_are_safe():
    x = np.zeros((4, 3, 2))
    x[..., 0], x[..., 1] = 0.1, NAN
    found = moments(x)
    assert found.deviation == [1.0, 1.0]
    assert found.mean == pytest.approx([0.1, 0.0])
    assert (found.low[1], found.high[1]) == (0.0, 0.0)


def test_image_gets_a_channel_without_a_copy():
    x = np.zeros((5, 4, 3), dtype=np.uint8)
    found = Image().checked(x)
    assert found.shape == (5, 4, 3, 1)
    assert found.dtype == np.uint8
    assert np.shares_memory(found, x)
    colour = np.zeros((5, 4, 3, 3), dtype=np.uint8)
    assert Image().checked(colour) is colour


def test_image_tells_which_example_is_broken():
    x = np.zeros((5, 4, 3), dtype=np.float32)
    x[3, 1, 1] = NAN
    with pytest.raises(DataError, match="the first at index 3"):
        Image().checked(x)


def test_image_stem_takes_raw_bytes():
    x = np.random.default_rng(0).integers(0, 256, size=(20, 4, 4, 1)).astype(np.uint8)
    found, _ = through(Image(), x, x)
    assert found.mean() == pytest.approx(0.0, abs=1e-5)
    found, _ = through(Image(scale="unit"), x, x)
    assert (found.min(), found.max()) == pytest.approx((0.0, 1.0))


def test_image_of_one_colour_stays_finite():
    x = np.full((3, 4, 4, 1), 7, dtype=np.uint8)
    for scale in ("standardize", "unit", "none"):
        found, _ = through(Image(scale=scale), x, x)
        assert np.isfinite(found).all()


def test_series_layout_and_refusals():
    assert Series().checked(np.zeros((3, 5))).shape == (3, 5, 1)
    assert Series().checked(np.zeros((3, 5, 2), dtype=np.int64)).dtype == np.float32
    x = np.zeros((3, 5, 2))
    x[1] = NAN
    with pytest.raises(DataError, match="example 1 holds no number"):
        Series().checked(x)
    with pytest.raises(DataError, match="example 0 holds infinite"):
        Series().checked(np.full((3, 5), 1e300))


def test_series_padding_is_what_follows_the_last_number():
    train = np.array([[[1.0], [NAN], [3.0], [NAN]], [[2.0], [2.0], [2.0], [2.0]]], dtype=np.float32)
    values, valid = through(Series(), train, train)
    assert valid.tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    # The gap inside is the mean, which is 0 in standard units.
    assert values[0, 1, 0] == 0.0


def test_series_without_a_number_keeps_one_valid_step():
    train = np.array([[[1.0], [NAN]], [[2.0], [3.0]]], dtype=np.float32)
    values, valid = through(Series(), train, np.full((1, 2, 1), NAN, dtype=np.float32))
    assert valid.tolist() == [[1, 0]]
    assert np.isfinite(values).all()


def test_series_missing_channel_is_its_mean():
    train = np.array([[[1.0, 10.0], [3.0, 30.0]]], dtype=np.float32)
    given = np.array([[[NAN, 30.0], [1.0, NAN]]], dtype=np.float32)
    for scale, expected in {
        "none": [[2.0, 30.0], [1.0, 20.0]],
        "unit": [[0.5, 1.0], [0.0, 0.5]],
        "standardize": [[0.0, 1.0], [-1.0, 0.0]],
    }.items():
        found, valid = through(Series(scale=scale), train, given)
        np.testing.assert_allclose(found[0], expected, atol=1e-5)
        assert valid is None


def test_series_unseen_padding_gives_finite_numbers():
    train = np.random.default_rng(0).normal(size=(6, 5, 2)).astype("float32")
    assert Series().learned(train)["padded"] is False
    given = train.copy()
    given[0, 2:] = NAN
    found, _ = through(Series(), train, given)
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("low", "high", "meant"),
    [
        (0.0, 1.0, (0.0, 1.0)),
        (3.0, 200.0, (0.0, 255.0)),
        (0.0, 65535 / 256, (0.0, 255.0)),  # 16 bits, brought to the range of bytes
        (0.0, 4095.0, (0.0, 4095.0)),
        (-1000.0, 3000.0, (-1000.0, 3000.0)),
    ],
)
def test_the_range_that_pixels_are_meant_to_have(low, high, meant):
    assert _range(low, high) == meant
