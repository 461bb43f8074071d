"""Random changes of single examples: in training alone, as drawn by the seed, and gone from what a saved model does."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import specs

from automl import inputs
from automl.document.yaml_text import parse
from automl.errors import ConfigError
from automl.experiment import experiment
from automl.inputs import OneColumn
from automl.model import build
from automl.training.augmentation import Augmentation

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

JAX = keras.config.backend() == "jax"
IMAGE = {
    "flip": "both",
    "rotation": 0.1,
    "shift": 0.2,
    "zoom": 0.2,
    "contrast": 0.5,
    "brightness": 0.3,
    "erasing": 1.0,
    "rand_augment": 0.5,
}
SERIES = {"jitter": 0.2, "scaling": 0.2}
ALL = [*(("image", name) for name in IMAGE), *(("series", name) for name in SERIES)]


def images(size: int = 8, channels: int = 1, count: int = 16) -> np.ndarray:
    """A bright stripe on a ramp, from 0 to 16; the channels differ."""
    x = np.linspace(0, 12, size)[None, :, None, None] * np.ones((count, 1, size, channels)) / np.arange(1, channels + 1)
    x[:, size // 4, size // 4 :] = 16.0
    return x.astype(np.float32)


def series(count: int = 16) -> np.ndarray:
    """Sines of two channels, half of them padded."""
    x = np.sin(np.arange(12)[None, :, None] * np.array([0.5, 1.1])) * np.ones((count, 1, 1))
    x[::2, 8:] = np.nan
    return x.astype(np.float32)


def built(reader: OneColumn, x: np.ndarray, **fields: Any) -> keras.Model:
    """Returns the stem alone; a valid mask comes as its second output."""
    entrance, flow = reader.stem(specs.learned(reader, x), Augmentation(**fields))
    return keras.Model(entrance, flow.x if flow.valid is None else [flow.x, flow.valid])


def values(network: Any, x: np.ndarray, training: bool = False) -> np.ndarray:
    found = network(x, training=training)
    return keras.ops.convert_to_numpy(found[0] if isinstance(found, list) else found)


def of(kind: str, name: str) -> tuple[OneColumn, np.ndarray, dict[str, Any]]:
    return inputs.registry.read(kind), (images() if kind == "image" else series()), {name: {**IMAGE, **SERIES}[name]}


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_it_acts_in_training_alone_and_by_its_seed(kind, name, tmp_path):
    reader, x, fields = of(kind, name)
    plain = values(built(reader, x), x)
    drawn = []
    for seed in (3, 3, 4):
        keras.utils.set_random_seed(seed)
        network = built(reader, x, **fields)
        np.testing.assert_allclose(values(network, x), plain, atol=1e-6)
        drawn += [values(network, x, training=True), values(network, x, training=True)]
    assert all(np.isfinite(each).all() for each in drawn)
    assert not np.allclose(drawn[0], plain, atol=1e-3)
    assert not np.array_equal(drawn[0], drawn[1])  # another draw at each step
    np.testing.assert_array_equal(drawn[0], drawn[2])
    np.testing.assert_array_equal(drawn[1], drawn[3])
    assert not np.array_equal(drawn[0], drawn[4])
    network.save(tmp_path / "stem.keras")
    loaded = keras.saving.load_model(tmp_path / "stem.keras", safe_mode=True)
    np.testing.assert_allclose(values(loaded, x), plain, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "channels"), [(8, 1), (128, 3)])
def test_a_compiled_model_trains_under_all_of_it(size, channels):
    keras.utils.set_random_seed(0)
    x = images(size, channels, 8)
    stem = built(inputs.registry.read("image"), x, **IMAGE)
    seen = keras.layers.GlobalAveragePooling2D()(stem.output)
    network = keras.Model(stem.input, keras.layers.Dense(2)(seen))
    build.let_jit(network)
    network.compile("adam", "mse")
    assert network.jit_compile is JAX
    losses = network.fit(x, np.ones((8, 2), np.float32), epochs=2, batch_size=4, verbose=0).history["loss"]
    assert np.isfinite(losses).all()


def test_strong_changes_are_those_that_are_named():
    """One figure for each field that no other change would give."""
    reader, x = inputs.registry.read({"image": {"scale": "none"}}), images(count=200)
    keras.utils.set_random_seed(0)

    def drawn(**fields: Any) -> np.ndarray:
        return values(built(reader, x, **fields), x, training=True)

    flipped = drawn(flip="horizontal")
    mirrored = (flipped == x[:, :, ::-1]).all(axis=(1, 2, 3))
    assert ((flipped == x).all(axis=(1, 2, 3)) | mirrored).all()
    assert 60 < mirrored.sum() < 140
    means = drawn(brightness=0.2).mean(axis=(1, 2, 3)) - x.mean(axis=(1, 2, 3))
    assert means.min() < -1.0
    assert means.max() > 1.0
    spread = drawn(contrast=0.3).std(axis=(1, 2, 3)) / x.std(axis=(1, 2, 3))
    assert spread.min() < 0.85  # Keras's own reading of one number only raises it
    assert spread.max() > 1.05
    changed = (drawn(erasing=0.5) != x).any(axis=(1, 2, 3)).mean()
    assert changed == pytest.approx(0.5, abs=0.12)


def test_rand_augment_changes_each_image_in_its_own_way_and_more_the_stronger_it_is():
    reader, x = inputs.registry.read({"image": {"scale": "none"}}), images(16, 3, 200)
    keras.utils.set_random_seed(0)
    change = {s: np.abs(values(built(reader, x, rand_augment=s), x, True) - x) for s in (0.1, 0.5, 1.0)}
    means = {strength: float(each.mean()) for strength, each in change.items()}
    assert means[0.1] < means[0.5] < means[1.0]
    # Two identities of two draws from eight: 1 of 64 images stays as it is.
    alike = (change[0.5].max(axis=(1, 2, 3)) < 1e-3).mean()
    assert 0 < alike < 0.1
    assert len(np.unique(change[0.5].mean(axis=(1, 2, 3)).round(4))) > 100


def test_padding_of_series_stays_as_it_is():
    for scale in ("standardize", "unit"):
        reader, x = inputs.registry.read({"series": {"scale": scale}}), series()
        plain = values(built(reader, x), x)
        found = values(built(reader, x, **SERIES), x, training=True)
        padded = np.isnan(x)
        np.testing.assert_array_equal(found[padded], plain[padded])
        assert (found[~padded] != plain[~padded]).mean() > 0.9


def test_scaling_is_one_factor_for_each_channel():
    reader, x = inputs.registry.read("series"), series()[1::2]
    plain = values(built(reader, x), x)
    factor = values(built(reader, x, scaling=0.3), x, training=True) / plain
    np.testing.assert_allclose(factor, np.broadcast_to(factor[:, :1], factor.shape), rtol=1e-3)
    assert len(np.unique(factor[:, 0].round(4))) == 2 * len(x)


def test_numbers_stay_whole_in_half_precision():
    x = images() * 100
    keras.config.set_dtype_policy("mixed_float16")
    try:
        network = built(inputs.registry.read("image"), x, **IMAGE)
        layers = [layer for layer in network.layers if layer.name.startswith("augment")]
        assert {layer.compute_dtype for layer in layers} == {"float32"}
        assert np.isfinite(values(network, x, training=True)).all()
    finally:
        keras.config.set_dtype_policy("float32")


# --- the document

SPACE = """
model: [flatten]
training:
  augmentation:
    {fields}
data: {{name: toy, source: {{npz: {{file: a.npz}}}}, input: {input}, task: classification}}
"""


def read(fields: str, reader: str = "image") -> experiment.Experiment:
    return experiment.check(parse(SPACE.format(fields=fields, input=reader), "space.yaml"), "space")


def test_every_leaf_is_searched():
    found = read("{flip: {values: [none, both]}, rotation: {min: 0, max: 0.1}, rand_augment: {values: [null, 0.3]}}")
    names = [f"training.augmentation.{name}" for name in ("flip", "rotation", "rand_augment")]
    assert [each.name for each in found.space.params] == names
    resolved = found.trial(dict(zip(names, ["both", 0.05, 0.3], strict=True)))
    augmentation = experiment.training(resolved).augmentation
    assert augmentation.active == ("flip", "rotation", "rand_augment")
    assert augmentation.rotation == 0.05


@pytest.mark.parametrize(
    ("fields", "reader", "what"),
    [
        ("flip: both", "series", "data of input series. Expected one of jitter, scaling, window, mixup"),
        ("flip: {values: [none, both]}", "{series: {scale: unit}}", "flip does not fit data of input series"),
        ("window: 0.9", "image", "window does not fit data of input image. Expected one of flip, rotation, "),
        ("turn: 0.1", "image", "unknown key 'turn'"),
        ("rotation: 2.0", "image", "rotation does not fit. Expected at most 0.5"),
        ("cutmix: {min: -1.0, max: 1.0}", "image", "cutmix does not fit"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_place(fields, reader, what):
    with pytest.raises(ConfigError) as caught:
        read(fields, reader)
    (problem,) = caught.value.problems
    assert str(problem).startswith("space.yaml:5:")
    assert what in str(problem)


def test_what_is_off_fits_everything_and_so_does_anything_without_data():
    assert read("{flip: none, rotation: 0, window: null}", "series").data is not None
    text = SPACE.format(fields="{flip: both, jitter: 0.1}", input="image")
    experiment.check(parse(text.partition("data:")[0], "space.yaml"), "space")


def test_every_field_belongs_to_an_input():
    known = {name for reader in inputs.registry for name in inputs.registry.get(reader).augmentations}
    assert known == set(Augmentation.model_fields)
