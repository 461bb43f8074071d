"""Trials that are measured by several trainings: repeats and folds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import keras
import numpy as np
import pytest

from automl import tasks
from automl.data import prepare
from automl.data.feed import Feed
from automl.data.section import DataDocument
from automl.driver.course import course
from automl.executors import Message
from automl.records.data import DataSpec
from automl.records.objective import Goals
from automl.records.trials import Measured, Report, TrialRequest, TrialResult
from automl.training.evaluation import Evaluation
from automl.worker.keeping import Keeping
from automl.worker.recorder import Recorder
from automl.worker.trial import run_refit, run_trial

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSpec:
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = rng.normal(size=(90, 2, 2, 1)).astype(np.float32) + y[:, None, None, None]
    np.savez(folder / "toy.npz", x=x, y=y)
    document = {"name": "toy", "source": {"npz": {"file": str(folder / "toy.npz"), "x": "x", "y": "y"}}}
    read = DataDocument.model_validate({**document, "input": "image", "task": "classification"})
    return prepare.prepare(read, folder / "prepared", None, Evaluation(folds=3))


def request(data: DataSpec, folder: Path, evaluation: dict[str, Any], **given: Any) -> TrialRequest:
    folder.mkdir(exist_ok=True)
    document = {
        "model": ["flatten", {"dense": {"units": 4, "dropout": 0.2}}],
        "training": {"batch_size": 16, "optimizer": {"sgd": {"learning_rate": 0.1, "momentum": 0.9}}, "epochs": 4},
        "data": {"task": "classification"},
        "evaluation": evaluation,
    }
    fields = {"attempt": 1, "document": document, "seed": 5, "data": data, "folder": str(folder), "epochs": 4}
    return TrialRequest(1, **{**fields, "goals": Goals.single("val_loss", "min"), **given})


class Listener:
    """Notes what a trial says; stops it after a training, cuts it short in an epoch, or kills its worker in one."""

    def __init__(self, stop_after: int = 99, kill_in: int = 99, cut_in: int = 99) -> None:
        self.reports: list[Report] = []
        self.trainings: list[Measured] = []
        self.stop_after, self.kill_in, self.cut_in = stop_after, kill_in, cut_in

    def __call__(self, said: Message) -> bool:
        if isinstance(said, Measured):
            self.trainings.append(said)
            return said.part < self.stop_after
        if not isinstance(said, Report):
            return said.epoch != self.cut_in
        self.reports.append(said)
        if said.epoch == self.kill_in:
            raise Killed
        return True


class Killed(BaseException):
    """Passes every border, as a kill does."""


def losses(told: list[Report]) -> list[float]:
    return [round(report.metrics["val_loss"], 6) for report in told]


def evaluated(result: TrialResult, data: DataSpec) -> float:
    task = tasks.registry.read("classification")
    model = keras.saving.load_model(result.model, compile=False)
    model.compile(loss=task.loss(None, data.task))
    return float(model.evaluate(Feed(data, "val", 16), verbose=0))


def test_a_score_is_the_mean_over_the_folds(data: DataSpec, tmp_path: Path) -> None:
    listener = Listener()
    result = run_trial(request(data, tmp_path / "t", {"folds": 3}), listener)
    assert result.outcome == "completed", result.traceback
    assert [report.epoch for report in listener.reports] == list(range(1, 13))
    assert [report.part for report in listener.reports] == [1] * 4 + [2] * 4 + [3] * 4
    assert [training.part for training in listener.trainings] == [1, 2, 3]
    # Each training's score is its own best epoch.
    bests = [min(losses(listener.reports[start : start + 4])) for start in (0, 4, 8)]
    assert [round(score, 6) for score in result.scores] == bests
    assert result.score == pytest.approx(fmean(result.scores))
    assert stdev(result.scores) > 0
    assert result.epochs == 12
    assert result.metrics["val_loss"] == pytest.approx(result.score)
    assert result.best_epoch == round(fmean(training.best_epoch for training in listener.trainings))
    # The model kept is the best training's, on its own fold.
    best = int(np.argmin(result.scores))
    assert evaluated(result, data.at(best)) == pytest.approx(result.scores[best], abs=1e-6)


def test_of_equal_trainings_the_model_of_the_least_loss_is_kept(
    data: DataSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, losses = Recorder.facts, (0.3, 0.1, 0.2)
    equal = lambda self: found(self) | {"score": 1.0, "loss": losses[self.part - 1]}
    monkeypatch.setattr(Recorder, "facts", equal)
    listener = Listener()
    result = run_trial(request(data, tmp_path / "t", {"folds": 3}, epochs=1), listener)
    assert result.outcome == "completed", result.traceback
    assert [training.loss for training in listener.trainings] == [*losses]
    assert result.loss == pytest.approx(0.2)
    own = listener.trainings[1].metrics["val_loss"]
    assert evaluated(result, data.at(1)) == pytest.approx(own, abs=1e-6)


def test_repeats_differ_by_their_seed_alone(data: DataSpec, tmp_path: Path) -> None:
    once, twice = Listener(), Listener()
    run_trial(request(data.at(0), tmp_path / "a", {}), once)
    result = run_trial(request(data.at(0), tmp_path / "b", {"repeats": 2}), twice)
    assert once.trainings == []
    assert losses(twice.reports[:4]) == losses(once.reports)
    assert losses(twice.reports[4:]) != losses(once.reports)
    assert len(result.scores) == 2


def test_a_killed_trial_goes_on_in_its_own_training(data: DataSpec, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("automl.worker.checkpoint.MOST_SHARE", 10**6)  # every epoch
    whole, lost, rest = Listener(), Listener(kill_in=7), Listener()
    result = run_trial(request(data, tmp_path / "a", {"folds": 3}), whole)
    with pytest.raises(Killed):
        run_trial(request(data, tmp_path / "b", {"folds": 3}), lost)
    known = tuple(lost.trainings)
    again = run_trial(request(data, tmp_path / "b", {"folds": 3}, attempt=2, measured=known), rest)
    # The seventh epoch was told of, and its checkpoint not yet written; those of its training are told again.
    assert [report.epoch for report in rest.reports] == [5, 6, 7, 8, 9, 10, 11, 12]
    assert losses(rest.reports) == losses(whole.reports)[4:]
    # The verdict on the first training may not have arrived: it is asked for again.
    assert [training.part for training in rest.trainings] == [1, 2, 3]
    assert again.scores == pytest.approx(result.scores, abs=1e-6)
    assert (again.epochs, again.best_epoch, again.parameters) == (12, result.best_epoch, result.parameters)


def test_a_trial_that_is_dropped_after_its_first_training_keeps_its_score(data: DataSpec, tmp_path: Path) -> None:
    listener = Listener(stop_after=1)
    result = run_trial(request(data, tmp_path / "t", {"folds": 3}), listener)
    assert (result.outcome, result.epochs) == ("stopped", 4)
    assert result.scores == (result.score,)
    assert Path(result.model or "").exists()


@pytest.mark.parametrize(("cut_in", "epochs", "trainings"), [(1, 0, 0), (3, 2, 1), (5, 4, 1), (7, 6, 2)])
def test_a_trial_that_is_cut_short_keeps_what_its_trainings_came_to(
    data: DataSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_in: int, epochs: int, trainings: int
) -> None:
    monkeypatch.setattr("automl.worker.pulse.EVERY_S", 0.0)
    result = run_trial(request(data, tmp_path / "t", {"folds": 3}), Listener(cut_in=cut_in))
    assert (result.outcome, result.epochs, len(result.scores)) == ("timeout", epochs, trainings), result.traceback
    assert result.is_scored == bool(trainings)
    assert Path(result.model or "none").exists() == bool(trainings)


def test_trials_are_judged_at_the_rungs_of_their_first_training_alone(data: DataSpec, tmp_path: Path) -> None:
    listener = Listener()
    run_trial(request(data, tmp_path / "t", {"folds": 3}, rungs=(2, 6)), listener)
    assert [report.epoch for report in listener.reports if report.waits] == [2]


def test_the_time_of_a_trial_is_that_of_all_its_trainings(data: DataSpec, tmp_path: Path) -> None:
    known = (Measured(1, 1, 1, 0.5, 2, 4, 10, 60.0, {"val_loss": 0.5}),)
    asked = request(data, tmp_path / "t", {"folds": 3}, time_s=60.0, measured=known)
    Path(asked.folder, "model.keras").touch()
    result = run_trial(asked, Listener())
    # The first one took all of it: no batch of the second is trained.
    assert (result.outcome, result.epochs, result.scores) == ("timeout", 4, (0.5,))


def test_the_winner_is_trained_on_all_folds_together(data: DataSpec, tmp_path: Path) -> None:
    result = run_refit(request(data, tmp_path / "t", {"folds": 3, "refit": True}, rates=((0.1,) * 12,)), lambda _: True)
    assert result.outcome == "completed", result.traceback
    model = keras.saving.load_model(result.model, compile=False)
    # Preprocessing is that of all examples.
    seen = np.load(Path(data.folder) / "train_x.npy")
    assert data.sizes["train"] == len(seen) == 72
    assert data.inputs[0].state["mean"][0] == pytest.approx(float(seen.mean()), abs=1e-4)
    # Far better than a guess among three, on what it was trained on.
    task = tasks.registry.read("classification")
    model.compile(loss=task.loss(None, data.task), metrics=task.keras_metrics(data.task))
    found = model.evaluate(Feed(data, "train", 16), verbose=0, return_dict=True)
    assert found["accuracy"] > 0.6


def test_the_rate_of_the_winner_goes_as_it_went_on_the_folds(
    data: DataSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own loss falls on where that of the validation stood still: the plateau would come later, or never."""
    plateau = {"reduce_on_plateau": {"patience": 1, "factor": 0.5, "min_delta": 9.0}}
    asked = request(data, tmp_path / "t", {"folds": 3, "refit": True})
    asked = replace(asked, document={**asked.document, "training": {**asked.document["training"], "schedule": plateau}})
    listener = Listener()
    run_trial(asked, listener)
    trainings = [[each for each in listener.reports if each.part == part] for part in (1, 2, 3)]
    assert trainings[0][-1].metrics["learning_rate"] < 0.05
    rates = course(trainings, [4, 4, 4], 1.0)
    seen: list[float] = []
    keep = Keeping.on_epoch_end

    def noting(self: Any, epoch: int, logs: Any = None) -> None:
        seen.append(float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)))
        keep(self, epoch, logs)

    monkeypatch.setattr(Keeping, "on_epoch_end", noting)
    result = run_refit(replace(asked, rates=rates), lambda _: True)
    assert (result.outcome, result.epochs) == ("completed", 4), result.traceback
    assert seen == pytest.approx([each.metrics["learning_rate"] for each in trainings[0]])


def test_a_refit_that_fails_is_told(data: DataSpec, tmp_path: Path) -> None:
    asked = request(data, tmp_path / "t", {"folds": 3, "refit": True})
    asked.document["model"].append("nonsense")  # type: ignore[union-attr]
    result = run_refit(asked, lambda _: True)
    assert result.outcome == "error"
    assert "nonsense" in (result.message or "")
