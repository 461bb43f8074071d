"""Networks of keras.applications as blocks: their pixels, their sizes, their weights."""

from __future__ import annotations

import pickle
import random
import socket
from pathlib import Path
from typing import Any, get_args
from urllib.error import URLError

import keras
import numpy as np
import pytest

from automl.blocks import _applications
from automl.blocks._applications import Family, least, load, network
from automl.blocks.backbone import Backbone
from automl.document.yaml_text import Document
from automl.errors import ConfigError, Infeasible
from automl.experiment import experiment
from automl.flow import Flow, Pixels, Shape, Unknown
from automl.model import pretrained

NARROW = {"family": "MobileNetV2", "alpha": 0.35}


def block(**fields: Any) -> Backbone:
    return Backbone.model_validate({**NARROW, "weights": None, "name": "base", **fields})


def features(made: Backbone, images: np.ndarray, low: float, high: float) -> np.ndarray:
    """What a backbone makes of images that are said to lie in a range."""
    keras.utils.set_random_seed(3)
    entrance = keras.Input(images.shape[1:])
    flow = made(Flow(entrance * 0.0, "feature_map", pixels=Pixels(entrance, low, high)), made.gives()[0])
    return np.asarray(keras.Model(entrance, flow.x)(images.astype("float32"), training=False))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the narrow network, as Keras writes them."""
    path = tmp_path_factory.mktemp("weights") / "narrow.weights.h5"
    keras.utils.set_random_seed(1)
    network("MobileNetV2", 0.35).save_weights(path)
    return path


def test_knows_the_families_of_keras_and_their_least_sizes() -> None:
    families = {name for name in dir(keras.applications) if name[0].isupper()}
    assert set(get_args(Family)) == families
    for family in families:
        side = least(family)
        with pytest.raises(ValueError, match=f"at least {side}x{side}"):
            network(family, None, (side - 1, side - 1, 3))


@pytest.mark.slow
def test_scales_pixels_as_the_family_was_trained() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("float32")
    found = features(block(), images, 0.0, 255.0)
    keras.utils.set_random_seed(3)
    alone = network("MobileNetV2", 0.35, (32, 32, 3))
    expected = alone(keras.applications.mobilenet_v2.preprocess_input(images.copy()), training=False)
    np.testing.assert_allclose(found, np.asarray(expected), atol=1e-5)
    # Of another range, and grey.
    np.testing.assert_allclose(features(block(), images / 255.0, 0.0, 1.0), found, atol=1e-4)
    grey = images[..., :1]
    three = features(block(), np.repeat(grey, 3, axis=-1), 0.0, 255.0)
    np.testing.assert_allclose(features(block(), grey, 0.0, 255.0), three, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("pooling", "shape"), [("none", (2, 2, 2, 1280)), ("avg", (2, 1280)), ("max", (2, 1280))])
def test_scales_images_up_and_pools(pooling: str, shape: tuple[int, ...]) -> None:
    assert features(block(size=64, pooling=pooling), np.zeros((2, 20, 20, 3)), 0.0, 255.0).shape == shape


def test_says_what_images_it_cannot_read() -> None:
    small = Flow(keras.Input((20, 20, 3)), "feature_map")
    with pytest.raises(
        Infeasible, match=r"MobileNetV2 reads images of 32x32 pixels at least; received 20x20. Set size"
    ):
        block()(small, "feature_map")
    with pytest.raises(Infeasible, match="InceptionV3 reads images of 75x75"):
        block(family="InceptionV3").shape(Shape("feature_map", (64, 80, 3)), "feature_map")
    with pytest.raises(Unknown):
        block(size=32).shape(Shape("feature_map", (20, 20, 3)), "feature_map")
    with pytest.raises(Infeasible, match="1 or 3 channels; received 4"):
        block()(Flow(keras.Input((32, 32, 4)), "feature_map"), "feature_map")
    with pytest.raises(Infeasible, match="Put it first"):
        block(weights="imagenet")(Flow(keras.Input((32, 32, 3)), "feature_map"), "feature_map")


def test_batch_normalisation_follows_the_weights() -> None:
    assert block().trains_batch_norm
    assert not block(weights="imagenet").trains_batch_norm
    assert block(weights="imagenet", batch_norm="training").trains_batch_norm


@pytest.mark.slow
class TestWeights:
    def test_a_file_is_read_and_known_by_its_values(self, file: Path) -> None:
        drawn = random.getstate()
        read = load("MobileNetV2", str(file), 0.35)
        assert random.getstate() == drawn  # a trial's own weights do not depend on who has read this before
        keras.utils.set_random_seed(1)
        for value, own in zip(read.values, network("MobileNetV2", 0.35).get_weights(), strict=True):
            np.testing.assert_array_equal(value, own)
        assert (read.source, len(read.digest)) == ("narrow.weights.h5", 64)

    def test_of_another_network_is_one_clear_line(self, file: Path) -> None:
        with pytest.raises(
            ConfigError, match=r"backbone MobileNetV2: .* holds the weights of another network"
        ) as error:
            load("MobileNetV2", str(file), 0.5)
        assert len(str(error.value).splitlines()) == 1

    def test_cut_short_is_one_clear_line(self, file: Path, tmp_path: Path) -> None:
        short = tmp_path / "short.weights.h5"
        short.write_bytes(file.read_bytes()[:5000])
        with pytest.raises(ConfigError, match=r"cannot be read: it is no HDF5 file, or was cut short. Copy it again"):
            load("MobileNetV2", str(short), 0.35)

    def test_runs_no_code(self, tmp_path: Path) -> None:
        mark = tmp_path / "ran"

        class Trap:
            def __reduce__(self) -> tuple[Any, ...]:
                return Path.touch, (mark,)

        trap = tmp_path / "trap.h5"
        trap.write_bytes(pickle.dumps(Trap()))
        with pytest.raises(ConfigError, match="cannot be read"):
            load("MobileNetV2", str(trap), 0.35)
        assert not mark.exists()

    def test_not_there_is_one_clear_line(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"there is no such file of weights. Expected imagenet, null, or an .h5"):
            load("MobileNetV2", str(tmp_path / "none.h5"), 0.35)

    def test_without_a_cache_and_a_network_is_one_clear_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unreachable(*_: object, **__: object) -> None:
            raise URLError("no network")

        monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", unreachable)
        monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
        with pytest.raises(ConfigError, match=r"not in Keras's cache and cannot be downloaded .*no network") as error:
            load("MobileNetV2", "imagenet", 0.75)
        assert len(str(error.value).splitlines()) == 1

    def test_without_a_network_one_download_is_tried_for_all_backbones(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With a patience of seconds, and it is told what is done and what was not looked for."""
        tried: list[tuple[Any, float | None]] = []

        def unreachable(url: Any, *_: object) -> None:
            tried.append((url, socket.getdefaulttimeout()))
            raise URLError("no network")

        monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", unreachable)
        monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
        _applications.load.cache_clear()
        family = {"values": ["MobileNetV2", "ResNet50", "VGG16"]}
        backbone = {"family": family, "alpha": 0.75, "size": {"values": [64, 96, 128]}}
        document = Document({"model": [{"backbone": backbone}]}, "space.yaml")
        said: list[str] = []
        with pytest.raises(ConfigError) as error:
            pretrained.require(experiment.check(document, "space"), Shape("feature_map", (64, 64, 3)), said.append)
        (problem,) = error.value.problems
        assert "backbone MobileNetV2: its ImageNet weights are not in Keras's cache and cannot be dow" in str(problem)
        assert "; not looked for after that: ResNet50, VGG16. Connect to the network once" in str(problem)
        assert [timeout for _, timeout in tried] == [_applications.PATIENCE_S]
        assert socket.getdefaulttimeout() is None
        assert said == ["reading the ImageNet weights of MobileNetV2 0.75; Keras downloads them once"]

    def test_a_width_that_nobody_trained_is_one_clear_line(self) -> None:
        with pytest.raises(ConfigError, match=r"alpha must be one of .*Received `alpha=0.4`"):
            load("MobileNetV2", "imagenet", 0.4)

    def test_of_imagenet_come_from_kerass_cache(
        self, automl_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "models").mkdir()
        for known in (automl_data / "pretrained").glob("mobilenet_v2*.h5"):
            (tmp_path / "models" / known.name).symlink_to(known)
        monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
        _applications.load.cache_clear()
        read = load("MobileNetV2", "imagenet", 0.35)
        assert sum(value.size for value in read.values) == 410_208
        assert read.source == "imagenet"
