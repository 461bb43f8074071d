"""Grad-CAM of models whose maps are known, on the backend that runs."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from automl.model import gradient
from automl.records.data import DataSpec, InputSpec, TaskSpec
from automl.results.plots import grad_cam
from automl.results.plots.grad_cam import GradCam, heats, last_maps
from automl.results.winner import Winner

layers = keras.layers
RNG = np.random.default_rng(0)
PICTURES = RNG.uniform(size=(12, 8, 8, 2)).astype(np.float32)


def known(end: str | None = "softmax", dtype: str = "float32") -> keras.Model:
    """A convolution that copies its two channels; class 0 is for the first and against the second, class 1 neither."""
    x = keras.Input((8, 8, 2), name="image")
    maps = layers.Conv2D(2, 1, use_bias=False, name="conv", dtype=dtype)(x)
    pooled = layers.GlobalAveragePooling2D(dtype="float32")(maps)
    model = keras.Model(x, layers.Dense(2, end, use_bias=False, name="probabilities")(pooled))
    model.set_weights([np.eye(2)[None, None], np.array([[3.0, 0.0], [-1.0, 0.0]])])
    return model


@pytest.mark.parametrize("end", ["softmax", None])
def test_maps_are_weighted_by_the_gradient_of_the_score_before_the_softmax(end: str | None) -> None:
    model = known(end)
    found = heats(model, model.get_layer("conv"), {"image": PICTURES}, np.zeros(12, int))
    expected = np.maximum(3 * PICTURES[..., 0] - PICTURES[..., 1], 0) / 64
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not heats(model, model.get_layer("conv"), {"image": PICTURES}, np.ones(12, int)).any()


def test_a_model_is_afterwards_what_it_was() -> None:
    model = known()
    before = model.predict(PICTURES, verbose=0)
    with pytest.raises(IndexError):
        heats(model, model.get_layer("conv"), {"image": PICTURES}, np.full(12, 7))
    heats(model, model.get_layer("conv"), {"image": PICTURES}, np.zeros(12, int))
    assert model.get_layer("conv").call.__func__ is layers.Conv2D.call
    assert model.layers[-1].activation is keras.activations.softmax
    np.testing.assert_array_equal(model.predict(PICTURES, verbose=0), before)


def residual(x: Any) -> Any:
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    inner = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(x))
    x = layers.Activation("relu", name="wanted")(layers.Add()([x, inner]))
    return layers.Flatten()(layers.MaxPooling2D()(x))


def squeezed(x: Any) -> Any:
    x = layers.SeparableConv2D(4, 3, name="separable")(x)
    gate = layers.Conv2D(4, 1, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    return layers.GlobalMaxPooling2D()(layers.Multiply(name="wanted")([x, gate]))


def nested(x: Any) -> Any:
    inner = keras.Sequential(
        [keras.Input((8, 8, 2)), layers.Conv2D(4, 3), layers.ReLU(name="wanted"), layers.MaxPool2D()]
    )
    return layers.Flatten()(keras.Sequential([inner, layers.MaxPool2D()])(x))


def scaled(x: Any) -> Any:
    x = layers.RandomFlip()(layers.Rescaling(2.0, -1.0)(x))
    return layers.Flatten()(layers.Dropout(0.5, name="wanted")(layers.Conv2D(4, 3)(x)))


@pytest.mark.parametrize("body", [residual, squeezed, nested, scaled])
def test_it_is_the_gradient_of_the_maps_in_models_of_all_kinds(body: Callable[[Any], Any]) -> None:
    """Held against differences of the score when each channel is raised a little."""
    keras.utils.set_random_seed(3)
    x = keras.Input((8, 8, 2), name="image")
    model = keras.Model(x, layers.Dense(3, "softmax", name="probabilities")(body(x)))
    layer = last_maps(model)
    assert layer.name == "wanted"
    labels = np.arange(6) % 3
    found = heats(model, layer, {"image": PICTURES[:6]}, labels)
    call, head = layer.call, model.layers[-1]
    head.activation = keras.activations.linear
    maps: list[np.ndarray] = []

    def scores(channel: int | None, by: float) -> np.ndarray:
        def raised(*given: Any, **more: Any) -> Any:
            out = call(*given, **more)
            maps.append(np.asarray(keras.ops.convert_to_numpy(out)))
            step = by * np.eye(out.shape[-1], dtype=np.float32)[channel or 0]
            return out if channel is None else out + keras.ops.convert_to_tensor(step)

        layer.call = raised
        return np.asarray(keras.ops.convert_to_numpy(model(PICTURES[:6], training=False)))[np.arange(6), labels]

    scores(None, 0)
    plain, channels = maps[0], maps[0].shape[-1]
    slopes = np.stack([(scores(each, 1e-2) - scores(each, -1e-2)) / 2e-2 for each in range(channels)], axis=-1)
    weights = slopes / np.prod(plain.shape[1:3])
    expected = np.maximum((plain * weights[:, None, None]).sum(axis=-1), 0)
    np.testing.assert_allclose(found, expected, atol=2e-3 * max(1e-3, float(expected.max())))
    assert found.max() > 0


def test_a_model_without_a_map_of_several_places_has_no_such_layer() -> None:
    x = keras.Input((8, 8, 2))
    assert last_maps(keras.Model(x, layers.Dense(3)(layers.Flatten()(x)))) is None
    assert last_maps(keras.Model(x, layers.Flatten()(layers.Conv2D(3, 8)(x)))) is None
    series = keras.Input((8, 2))
    assert last_maps(keras.Model(series, layers.Flatten()(layers.Conv1D(3, 3)(series)))) is None


def test_a_network_of_keras_gives_its_last_features() -> None:
    base = keras.applications.MobileNetV2((64, 64, 3), alpha=0.35, include_top=False, weights=None)
    x = keras.Input((64, 64, 3), name="image")
    pooled = layers.GlobalAveragePooling2D()(layers.Identity(name="features")(base(x)))
    model = keras.Model(x, layers.Dense(4, "softmax", name="probabilities")(pooled))
    layer = last_maps(model)
    assert layer.name == "features"
    found = heats(model, layer, {"image": RNG.uniform(size=(2, 64, 64, 3)).astype(np.float32)}, np.array([0, 3]))
    assert found.shape == (2, 2, 2)
    assert np.isfinite(found).all()


def test_half_precision_is_read() -> None:
    model = known(dtype="mixed_bfloat16")
    found = heats(model, model.get_layer("conv"), {"image": PICTURES}, np.zeros(12, int))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.maximum(3 * PICTURES[..., 0] - PICTURES[..., 1], 0) / 64, atol=1e-3)


def test_a_function_that_does_not_ask_its_tensor_has_no_gradient() -> None:
    at = keras.ops.convert_to_tensor(np.ones(3, np.float32))
    slopes, more = gradient.of(lambda x, others: (keras.ops.sum(x * others[0]), 5 * x), at, [2 * at])
    np.testing.assert_array_equal(slopes, [2, 2, 2])
    np.testing.assert_array_equal(more, [5, 5, 5])
    assert not gradient.of(lambda x, _: (keras.ops.sum(keras.ops.ones(2)), x), at, [])[0].any()


# --- the figure


def winner(model: keras.Model, task: str, outputs: np.ndarray, stored: np.ndarray, kind: str = "image") -> Winner:
    spec = InputSpec(kind, {kind: {}}, ("x",), (8, 8, 2))
    state = {"classes": ["no", "yes"]} if task == "classification" else {"targets": ["y"]}
    data = DataSpec("", "toy", "", (spec,), TaskSpec({task: {}}, ("y",), state), {})
    feed: Any = SimpleNamespace(named=lambda places: {kind: PICTURES[places]})
    return Winner(1, model, data, feed, outputs, stored)


def test_some_that_are_right_and_the_worst_mistakes_are_shown() -> None:
    truth = np.array([0] * 6 + [1] * 6)
    sure = np.array([0.9, 0.8, 0.4, 0.7, 0.1, 0.9, 0.4, 0.1, 0.45, 0.3, 0.9, 0.2])  # of being yes from the 7th on
    outputs = np.stack([np.where(truth == 0, sure, 1 - sure), np.where(truth == 1, sure, 1 - sure)], axis=1)
    told = winner(known(), "classification", outputs, truth)
    figure = GradCam().show(told, None)  # type: ignore[arg-type]
    assert figure is not None
    titles = [axes.get_title() for axes in figure.axes if axes.get_visible()]
    assert titles == [
        "no, told no (90%)", "yes, told yes (90%)",
        "no, told yes (90%)", "yes, told no (90%)", "yes, told no (80%)", "yes, told no (70%)",
    ]  # fmt: skip
    assert all(len(axes.images) == 2 for axes in figure.axes if axes.get_visible())


def test_of_numbers_the_nearest_and_the_furthest_are_shown() -> None:
    x = keras.Input((8, 8, 2), name="image")
    model = keras.Model(x, layers.Dense(1)(layers.Flatten()(layers.Conv2D(2, 3)(x))))
    stored, off = np.arange(12.0)[:, None], np.arange(12.0)[:, None]
    figure = GradCam().show(winner(model, "regression", stored + off, stored), None)  # type: ignore[arg-type]
    assert figure is not None
    assert [axes.get_title() for axes in figure.axes][:5:4] == ["0, told 0", "11, told 22"]


def test_where_there_is_no_picture_or_no_map_there_is_no_figure() -> None:
    given = np.full((12, 2), 0.5), np.zeros(12)
    assert GradCam().show(winner(known(), "classification", *given, kind="series"), None) is None  # type: ignore[arg-type]
    x = keras.Input((8, 8, 2), name="image")
    flat = keras.Model(x, layers.Dense(2)(layers.Flatten()(x)))
    assert GradCam().show(winner(flat, "classification", *given), None) is None  # type: ignore[arg-type]
    assert grad_cam.COLUMNS > 1
