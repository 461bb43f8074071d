"""Trainings in phases: what learns in each, at what rate, and how they are resumed; the features kept meanwhile."""

from __future__ import annotations

import math
import multiprocessing
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import sweeps
from pydantic import ValidationError

from automl.blocks.backbone import Backbone
from automl.data import prepare
from automl.data.feed import Feed
from automl.data.section import DataDocument
from automl.document.yaml_text import parse
from automl.errors import ConfigError, Infeasible
from automl.executors import Message
from automl.experiment import experiment
from automl.machine import disk
from automl.machine.workers import FEATURES_VARIABLE
from automl.model import build, freezing
from automl.records.alive import Alive
from automl.records.data import DataSpec
from automl.records.objective import Goals, Objective
from automl.records.trials import Report, TrialRequest, TrialResult
from automl.training.section import Stage, Training
from automl.worker import feature_cache
from automl.worker.fitting import Fitting
from automl.worker.recorder import Recorder
from automl.worker.trial import CHECKPOINT, run_refit, run_trial

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("eagerly")]

EPOCHS = 5
PHASES = [{"epochs": 2, "unfreeze": "none"}, {"epochs": 3, "unfreeze": 0.5, "factor": 0.1}]


def beat(done: int, total: int) -> None:
    """Says nothing."""


def tiny(family: str, alpha: float | None, shape: Any = None, weights: Any = None, name: str | None = None) -> Any:
    """Stands for a network of keras.applications, with two convolutions: those take half a minute to compile."""
    del family, alpha, weights
    layers = keras.layers
    entrance = keras.Input(shape or (None, None, 3))
    x = layers.Conv2D(4, 3, strides=2, name="low")(entrance)
    x = layers.BatchNormalization(name="low_norm")(x)
    x = layers.Conv2D(6, 3, activation="relu", name="high")(x)
    return keras.Model(entrance, layers.BatchNormalization(name="high_norm")(x), name=name)


@pytest.fixture(autouse=True)
def small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.blocks.backbone.network", tiny)
    monkeypatch.setattr("automl.blocks._applications.network", tiny)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSpec:
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = rng.integers(0, 120, (90, 32, 32, 1)) + 60 * y[:, None, None, None]
    np.savez(folder / "toy.npz", x=x.astype(np.uint8), y=y)
    source = {"npz": {"file": str(folder / "toy.npz"), "x": "x", "y": "y"}}
    given = {"name": "toy", "source": source, "input": "image", "task": "classification"}
    return prepare.prepare(DataDocument.model_validate(given), folder / "prepared")


@pytest.fixture
def weights(tmp_path: Path) -> str:
    keras.utils.set_random_seed(11)
    path = tmp_path / "tiny.weights.h5"
    tiny("", None).save_weights(path)
    return str(path)


def request(data: DataSpec, folder: Path, weights: str | None, **training: Any) -> TrialRequest:
    folder.mkdir(exist_ok=True)
    backbone = {"family": "MobileNetV2", "weights": weights, "pooling": "avg"}
    given = {"batch_size": 16, "phases": PHASES, "optimizer": {"adam": {"learning_rate": 0.01}}, "seed": 5, **training}
    document = {
        "model": [{"backbone": backbone}, {"Dropout": {"rate": 0.2}}],
        "training": given,
        "data": {"task": "classification"},
    }
    epochs = sum(phase["epochs"] for phase in given["phases"])
    return TrialRequest(1, 1, document, 5, data, str(folder), Goals.single("val_loss", "min"), epochs)


class Killed(BaseException):
    """Passes every border, as a kill does."""


def run(asked: TrialRequest, until: int = 10**6) -> tuple[TrialResult | None, list[Report]]:
    told: list[Report] = []

    def tell(report: Message) -> bool:
        if not isinstance(report, Report):
            return True
        told.append(report)
        if report.epoch == until:
            raise Killed
        return True

    try:
        result = run_trial(asked, tell)
    except Killed:
        return None, told
    assert result.outcome == "completed", result.traceback or result.message
    return result, told


def curve(told: list[Report]) -> list[dict[str, float]]:
    return [{key: round(value, 6) for key, value in report.metrics.items()} for report in told]


def kept(result: TrialResult | None) -> dict[str, list[np.ndarray]]:
    """The weights of the saved model's backbone by layer."""
    assert result is not None
    model = keras.saving.load_model(result.model, compile=False, safe_mode=True)
    (backbone,) = freezing.backbones(model)
    return {layer.name: layer.get_weights() for layer in backbone.layers if layer.weights}


def test_each_phase_trains_what_it_unfreezes_at_its_own_rate(data: DataSpec, tmp_path: Path, weights: str) -> None:
    asked = request(data, tmp_path / "t", weights)
    result, told = run(asked)
    assert [report.epoch for report in told] == [1, 2, 3, 4, 5]
    assert [report.phase for report in told] == [1, 1, 2, 2, 2]
    assert [round(report.metrics["learning_rate"], 6) for report in told] == [0.01, 0.01, 0.001, 0.001, 0.001]
    # The best epoch is one of the second phase, so its weights show what that phase changed.
    assert result is not None
    assert (result.best_epoch or 0) > 2
    keras.utils.set_random_seed(11)
    before = {layer.name: layer.get_weights() for layer in tiny("", None).layers if layer.weights}
    after = kept(result)
    same = {name: [np.array_equal(a, b) for a, b in zip(before[name], after[name], strict=True)] for name in before}
    assert all(same["low"])
    assert all(same["low_norm"])
    assert not any(same["high"])
    assert all(same["high_norm"])  # pretrained, so in inference mode all along


def test_batch_normalisation_learns_where_it_is_let(data: DataSpec, tmp_path: Path) -> None:
    result, _ = run(request(data, tmp_path / "t", None))
    assert result is not None
    keras.utils.set_random_seed(5)  # the trial's own
    fresh = {layer.name: layer.get_weights() for layer in tiny("", None).layers if layer.weights}
    after = kept(result)
    assert not any(np.array_equal(a, b) for a, b in zip(fresh["high_norm"], after["high_norm"], strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(fresh["low_norm"], after["low_norm"], strict=True))


def test_nothing_of_the_backbone_moves_while_it_is_frozen(data: DataSpec, tmp_path: Path, weights: str) -> None:
    result, _ = run(request(data, tmp_path / "t", weights, phases=[{"epochs": 2, "unfreeze": "none"}]))
    keras.utils.set_random_seed(11)
    for layer in tiny("", None).layers:
        for value, before in zip(kept(result).get(layer.name, ()), layer.get_weights(), strict=True):
            np.testing.assert_array_equal(value, before)


@pytest.mark.parametrize(
    ("unfreeze", "learning"),
    [
        ("none", set()),
        (0.01, {"high_norm"}),
        (0.5, {"high", "high_norm"}),
        (0.51, {"low_norm", "high", "high_norm"}),
        ("all", {"low", "low_norm", "high", "high_norm"}),
    ],
)
def test_a_share_is_counted_from_the_head(unfreeze: Any, learning: set[str]) -> None:
    entrance = keras.Input((32, 32, 3))
    model = keras.Model(entrance, keras.layers.Dense(2)(keras.layers.Flatten()(tiny("", None)(entrance))))
    document = {"model": [{"backbone": {"weights": None}}]}
    for earlier in ("all", "none"):
        freezing.freeze(model, Stage(1, 0.1, earlier), document)
        freezing.freeze(model, Stage(1, 0.1, unfreeze), document)
        (backbone,) = freezing.backbones(model)
        assert {layer.name for layer in backbone.layers if layer.trainable_variables} == learning
        assert freezing.is_frozen(model) == (not learning)
        assert model.layers[-1].trainable_variables


def test_a_model_without_a_backbone_has_nothing_to_freeze() -> None:
    entrance = keras.Input((4,))
    model = keras.Model(entrance, keras.layers.Dense(2)(entrance))
    document = {"model": ["dense"]}
    freezing.freeze(model, Stage(1, 0.1), document)
    with pytest.raises(Infeasible, match="unfreeze needs a backbone"):
        freezing.freeze(model, Stage(1, 0.1, 0.3), document)


def test_a_kill_changes_nothing(data: DataSpec, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the first phase, in the first epoch of the second, which a checkpoint begins, and in its last."""
    monkeypatch.setattr("automl.worker.checkpoint.MOST_SHARE", 10**6)  # every epoch
    alone, whole = run(request(data, tmp_path / "alone", weights))
    for killed in sweeps.part((3,), (2, 3, 4)):
        folder = tmp_path / f"killed in {killed}"
        asked = request(data, folder, weights)
        _, before = run(asked, until=killed)
        stands = np.load(folder / CHECKPOINT)
        assert f'"place": [{int(killed > 2)}, {2 * int(killed > 2)}]' in str(stands["told"])
        assert f'"epoch": {killed - 1}' in str(stands["told"])
        result, after = run(asked)
        told = {report.epoch: report for report in (*before, *after)}
        assert [report.epoch for report in after] == [1, 2, 3, 4, 5]  # those up to the checkpoint are told again
        assert curve([told[epoch] for epoch in sorted(told)]) == curve(whole)
        for name, values in kept(result).items():
            for value, own in zip(values, kept(alone)[name], strict=True):
                np.testing.assert_allclose(value, own, atol=1e-6)


def test_early_stopping_ends_a_phase_and_the_next_begins_there(data: DataSpec, tmp_path: Path, weights: str) -> None:
    # No epoch is better by so much.
    stopping = {"patience": 1, "min_delta": 100.0}
    four = [{"epochs": 9, "unfreeze": "none"}, {"epochs": 9, "learning_rate": 0.003}]
    result, told = run(request(data, tmp_path / "t", weights, phases=four, early_stopping=stopping))
    assert result is not None
    assert [round(report.metrics["learning_rate"], 6) for report in told] == [0.01, 0.01, 0.003, 0.003]


def test_the_winner_is_trained_again_through_the_same_phases(data: DataSpec, tmp_path: Path, weights: str) -> None:
    asked = replace(request(data, tmp_path / "t", weights), rates=((0.01,), (0.003, 0.003)))
    told = run_refit(asked, lambda _: True)
    assert told.outcome == "completed", told.traceback
    assert told.epochs == 3
    assert kept(told).keys() == {"low", "low_norm", "high", "high_norm"}
    # Without the second phase the backbone stays as it was loaded.
    (tmp_path / "u").mkdir()
    head = run_refit(replace(asked, folder=str(tmp_path / "u"), rates=((0.01,), ())), lambda _: True)
    assert head.epochs == 1
    loaded = tiny("", None)
    loaded.load_weights(weights)
    (kernel, _) = loaded.get_layer("high").get_weights()
    np.testing.assert_array_equal(kept(head)["high"][0], kernel)
    assert np.abs(kept(told)["high"][0] - kernel).max() > 1e-4


class Sheet:
    """Stands for a feed of four examples a batch."""

    def __init__(self, rows: range) -> None:
        self.rows, self.size = rows, len(rows)

    def __len__(self) -> int:
        return math.ceil(self.size / 4)

    def __getitem__(self, index: int) -> tuple[Any]:
        return (np.array(self.rows[4 * index : 4 * index + 4], np.float32)[:, None],)


class Doubler:
    """Stands for a network: slow, it logs what it was given, and dies when it is told to."""

    output_shape = (None, 1)

    def __init__(self, log: Path, dies_at: int | None) -> None:
        self.log, self.dies_at, self.calls = log, dies_at, 0

    def predict_on_batch(self, x: np.ndarray) -> np.ndarray:
        self.calls += 1
        with self.log.open("a") as file:
            file.write(f"{os.getpid()} {x[0, 0]}\n")
        time.sleep(0.05)
        if self.calls == self.dies_at:
            os._exit(1)
        return 2 * x


class TestFeatures:
    def test_trials_with_them_are_those_without(
        self, data: DataSpec, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, plain = run(request(data, tmp_path / "plain", weights))
        monkeypatch.setenv(FEATURES_VARIABLE, str(tmp_path / "features"))
        result, told = run(request(data, tmp_path / "kept", weights))
        for own, other in zip(told, plain, strict=True):
            assert own.metrics == pytest.approx(other.metrics, abs=1e-4)
        (folder,) = [path for path in (tmp_path / "features").iterdir() if path.is_dir()]
        assert {path.name for path in folder.iterdir()} == {"train_x.npy", "val_x.npy", "done"}
        assert kept(result).keys() == {"low", "low_norm", "high", "high_norm"}

        def again(*_: object) -> None:
            raise AssertionError("computed twice")

        monkeypatch.setattr(feature_cache, "_write", again)
        run(request(data, tmp_path / "other", weights, batch_size=32))

    def test_what_is_trained_behind_them_computes_as_the_document_says(
        self, data: DataSpec, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Keras scales the loss of a model by the model's own policy, whatever that of its layers."""
        monkeypatch.setenv(FEATURES_VARIABLE, str(tmp_path / "features"))
        document = request(data, tmp_path / "t", weights, precision="mixed_bfloat16").document
        fitting = Fitting(document, data, 5, Objective("val_accuracy", "max"))
        network = build.build(document, data)
        fitting.freeze(network, fitting.training.stages()[0])
        with feature_cache.cached(network, document, data, beat) as found:
            assert found is not None
            assert found.head.dtype_policy.name == network.dtype_policy.name == "mixed_bfloat16"

    @pytest.mark.filterwarnings("ignore:.*fork:")  # of backends; the children use none
    @pytest.mark.parametrize("one_dies", [False, True])
    def test_workers_share_the_work(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_dies: bool) -> None:
        monkeypatch.setattr(feature_cache, "BATCH", 4)
        feeds: Any = {"train": Sheet(range(30)), "val": Sheet(range(100, 109))}
        folder, log = tmp_path / "features" / "key", tmp_path / "log"

        def work(dies_at: int | None = None) -> None:
            with disk.held(folder):
                feature_cache._computed(Doubler(log, dies_at), folder, feeds, 1.0, beat)  # type: ignore[arg-type]

        fork = multiprocessing.get_context("fork")
        workers = [fork.Process(target=work, args=(3 if one_dies else None,)), fork.Process(target=work)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(30)
        assert [worker.exitcode for worker in workers] == [int(one_dies), 0]
        computed = [line.split() for line in log.read_text().splitlines()]
        batches = [batch for _, batch in computed]
        assert len(batches) == 11 + one_dies  # what the dead one was at, twice
        assert len(set(batches)) == 11
        assert len({worker for worker, _ in computed}) == 2
        assert {path.name for path in folder.parent.iterdir() if path.is_dir()} == {"key"}
        assert {path.name for path in folder.parent.glob("*.lock")} == {"key.lock", "held.lock"}
        for part, feed in feeds.items():
            np.testing.assert_array_equal(np.load(folder / f"{part}_x.npy")[:, 0], 2.0 * np.array(feed.rows))

    @pytest.mark.filterwarnings("ignore:.*fork:")
    def test_two_searches_in_one_home_take_nothing_from_each_other(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """There is room for one at a time: what a worker is at is not taken away, and begun anew by a third."""
        monkeypatch.setattr(feature_cache, "BATCH", 4)
        monkeypatch.setattr(feature_cache, "LIMIT_MB", 1.0)
        feeds: Any = {"train": Sheet(range(60)), "val": Sheet(range(100, 109))}
        small: Any = {"train": Sheet(range(4)), "val": Sheet(range(4))}

        def work(name: str, feeds: Any) -> None:
            with disk.held(tmp_path / name):
                feature_cache._computed(Doubler(tmp_path / f"{name}.log", None), tmp_path / name, feeds, 1.0, beat)  # type: ignore[arg-type]
                for part, feed in feeds.items():
                    found = np.load(tmp_path / name / f"{part}_x.npy")[:, 0]
                    np.testing.assert_array_equal(found, 2.0 * np.array(feed.rows))

        fork = multiprocessing.get_context("fork")
        kinds = [("one", feeds), ("two", small), ("one", feeds)]
        workers = [fork.Process(target=work, args=given) for given in kinds]
        for worker in workers:
            worker.start()
            deadline = time.monotonic() + 20
            while not (tmp_path / "one.log").exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            if worker is workers[1]:
                worker.join(30)
        for worker in workers:
            worker.join(30)
        assert [worker.exitcode for worker in workers] == [0, 0, 0]
        # Once nobody is at them, they make room.
        work("three", small)
        assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"three"}

    def test_are_told_of_while_they_are_computed_and_go_on_where_they_were(
        self, data: DataSpec, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A trial that ends meanwhile, its search's time being over, leaves its batches to the next one."""
        monkeypatch.setenv(FEATURES_VARIABLE, str(tmp_path / "features"))
        monkeypatch.setattr("automl.worker.pulse.EVERY_S", 0.0)
        monkeypatch.setattr(feature_cache, "BATCH", 16)
        said: list[Alive] = []
        computed: list[int] = []
        write = feature_cache._write
        monkeypatch.setattr(feature_cache, "_write", lambda *given: (computed.append(given[3]), write(*given)))

        def tell(message: Message) -> bool:
            if isinstance(message, Alive):
                said.append(message)
            return not (isinstance(message, Alive) and message.done == 2)

        result = run_trial(request(data, tmp_path / "t", weights, seed=5), tell)
        assert (result.outcome, result.score) == ("timeout", None), result.traceback
        batches = math.ceil(data.sizes["train"] / 16) + math.ceil(data.sizes["val"] / 16)
        assert said == [Alive(1, 1, "features", 1, done, batches) for done in range(3)]
        run(request(data, tmp_path / "other", weights))
        assert len(computed) == batches

    def test_are_not_on_the_time_of_the_trial_that_computes_them(
        self, data: DataSpec, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(FEATURES_VARIABLE, str(tmp_path / "features"))
        write = feature_cache._write

        def slowly(*given: Any) -> None:
            time.sleep(0.5)
            write(*given)

        monkeypatch.setattr(feature_cache, "_write", slowly)
        taken_off: list[float] = []
        train = Recorder.on_train_batch_begin

        def look(self: Recorder, batch: int, logs: Any = None) -> None:
            taken_off.append(self.seconds() - (1000.0 - self._left_s()))
            train(self, batch, logs)

        monkeypatch.setattr(Recorder, "on_train_batch_begin", look)
        run(replace(request(data, tmp_path / "t", weights), time_s=1000.0))
        assert taken_off[0] >= 1.0  # of two parts

    def test_stay_while_a_trial_reads_them(
        self, data: DataSpec, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(FEATURES_VARIABLE, str(tmp_path / "features"))
        feed = Fitting.feed

        def pruned(self: Fitting, *args: Any) -> Feed:
            feature_cache._prune(tmp_path / "features", 0.0)  # as another search does
            return feed(self, *args)

        monkeypatch.setattr(Fitting, "feed", pruned)
        run(request(data, tmp_path / "t", weights))

    def test_are_of_one_network_and_one_data_set(self, data: DataSpec, tmp_path: Path, weights: str) -> None:
        document = request(data, tmp_path / "t", weights).document

        def key(own: DataSpec = data, **fields: Any) -> str:
            block = Backbone.model_validate({"weights": weights, **fields})
            return feature_cache._key(block, document, own)

        other = tmp_path / "other.weights.h5"
        tiny("", None).save_weights(other)
        keys = [key(), key(size=64), key(pooling="max"), key(weights=str(other)), key(replace(data, digest="1" * 64))]
        assert len(set(keys)) == len(keys)
        assert key() == key()

    def test_the_oldest_make_room(self, tmp_path: Path) -> None:
        for age, name in enumerate(("new", "middle", "old")):
            folder = tmp_path / name
            folder.mkdir()
            (folder / "train_x.npy").write_bytes(b"0" * 400_000)
            os.utime(folder, (10**9 - age, 10**9 - age))
        feature_cache._prune(tmp_path, 0.9)
        assert {path.name for path in tmp_path.iterdir()} == {"new", "middle", "held.lock"}

    def test_are_not_kept_where_images_change(
        self, data: DataSpec, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(FEATURES_VARIABLE, str(tmp_path / "features"))
        asked = request(data, tmp_path / "t", weights)
        changed = {**asked.document, "training": {**asked.document["training"], "augmentation": {"flip": "horizontal"}}}
        network = object()
        with feature_cache.cached(network, changed, data, beat) as cached:  # type: ignore[arg-type]
            assert cached is None


class TestDeclaration:
    def test_rates_follow_each_other(self) -> None:
        given = [{"epochs": 1, "factor": 0.5}, {"epochs": 2, "learning_rate": 0.3}, {"epochs": 3, "factor": 0.1}]
        training = Training.model_validate({"phases": given, "optimizer": {"sgd": {"learning_rate": 1.0}}})
        assert [(stage.epochs, round(stage.rate, 9)) for stage in training.stages()] == [(1, 0.5), (2, 0.3), (3, 0.03)]
        assert Training.model_validate({"epochs": 4}).stages() == [Stage(4, 0.001)]

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"epochs": 3, "phases": PHASES}, "epochs and phases exclude each other"),
            ({"phases": []}, "phases is empty"),
            ({"phases": [{"epochs": 1, "unfreeze": 1.5}]}, "a share is above 0 and at most 1"),
            ({"phases": [{"epochs": 1, "unfreeze": 0.0}]}, "a share is above 0 and at most 1"),
        ],
    )
    def test_says_what_does_not_fit(self, given: dict[str, Any], said: str) -> None:
        with pytest.raises(ValidationError, match=said):
            Training.model_validate(given)


def test_a_share_that_is_none_is_refused_where_it_is_searched() -> None:
    text = "model: [dense]\ntraining: {phases: [{epochs: 1, unfreeze: {values: [0.5, 1.5]}}]}\n"
    with pytest.raises(ConfigError, match=r"s.yaml:2:.* unfreeze does not fit.* a share is above 0 and at most 1"):
        experiment.check(parse(text, "s.yaml"), "s")
