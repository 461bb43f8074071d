"""For people who keep their own Keras Tuner code: their searches in MLflow, each trial a run beside the others."""

from __future__ import annotations

import json
import math
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from automl import document, environment
from automl.journal import now_ms
from automl.records import Outcome, TrialResult
from automl.tracking import Tracker, store

SEARCH = "mlflow.json"
"""Holds the id of the search, in Keras Tuner's folder of the project: who reloads that goes on in the same run."""


class MlflowTuner:
    """Logs a Keras Tuner search to MLflow: a run for the search, and in it one for every trial, with a point an epoch.

    It stands before the tuner, whose code stays as it is:

        class Search(MlflowTuner, keras_tuner.RandomSearch): ...

        tuner = Search(build_model, objective="val_accuracy", max_trials=10, experiment="digits")
        tuner.search(x_train, y_train, epochs=5, validation_data=(x_val, y_val))

    A search that is cut off and reloaded (`overwrite=False`) goes on in the run it had. A trial that Keras Tuner runs
    several times (`executions_per_trial`) has their epochs one after the other. A server that is away does not stop the
    search; what it missed is told when it is back. For a tuner in one process: Keras Tuner's workers of a distributed
    search are not meant. TensorBoard, which Keras Tuner demands of every search on TensorFlow, is needed by none that
    has no TensorBoard callback.

    Args:
        experiment: Name of the MLflow experiment; None for the project's name.
        tracking_uri: MLflow's tracking server; None for `$MLFLOW_TRACKING_URI`, else the store in `./mlruns`.
        registered_name: Name in MLflow's registry of models for the best one, which is logged then; None for no model.
        kwargs: The tuner's own arguments.
    """

    # Keras Tuner's own, which the class beside this one has.
    oracle: Any
    project_dir: str
    project_name: str

    def __init__(
        self,
        *args: Any,
        experiment: str | None = None,
        tracking_uri: str | None = None,
        registered_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._experiment, self._registered_name = experiment, registered_name
        self._store = store(environment.writable_home(), tracking_uri)
        self._tracker: Tracker | None = None
        self._attempts = Counter[int]()
        self._epochs: dict[int, list[Mapping[str, float]]] = {}
        self._began: dict[int, float] = {}
        self._weights: dict[int, int] = {}

    @property
    def run_id(self) -> str | None:
        """The MLflow run of the search; None before it began."""
        return self._tracker.run_id if self._tracker else None

    def search(self, *args: Any, **kwargs: Any) -> None:
        """Searches as the tuner does, and tells MLflow."""
        self._tracker = self._begun()
        try:
            super().search(*args, **kwargs)  # type: ignore[misc]
        except BaseException:
            self._tracker.interrupted(list(self._running()), now_ms())
            self._tracker.close()
            raise
        ranks = {number: rank for rank, number in enumerate(_ranked(self.oracle), start=1)}
        self._tracker.finish(ranks, "FINISHED" if ranks else "FAILED", {}, len(self.oracle.end_order), now_ms())
        if ranks and self._registered_name:
            (best,) = self.get_best_models(1)  # type: ignore[attr-defined]
            self._tracker.log_best(best, min(ranks, key=ranks.__getitem__), self._registered_name, {})
        self._tracker.close()

    def on_trial_begin(self, trial: Any) -> None:
        """Begins the trial's run."""
        super().on_trial_begin(trial)  # type: ignore[misc]
        number = _number(trial)
        again = self._attempts[number] > 0
        self._attempts[number] += 1
        self._epochs[number], self._began[number] = [], time.monotonic()
        self._tell_values(trial, new=again)
        assert self._tracker is not None
        self._tracker.flush()  # nothing else is told before the first epoch

    def on_epoch_end(self, trial: Any, model: Any, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Adds a point for every metric."""
        super().on_epoch_end(trial, model, epoch, logs)  # type: ignore[misc]
        number, values = _number(trial), {name: float(value) for name, value in (logs or {}).items()}
        self._weights[number] = model.count_params()
        told = self._epochs[number]
        told.append({name: value for name, value in values.items() if math.isfinite(value)})
        nonfinite = {name: repr(value) for name, value in values.items() if not math.isfinite(value)}
        assert self._tracker is not None
        self._tracker.epoch(number, len(told), told[-1], now_ms(), nonfinite)

    def on_trial_end(self, trial: Any) -> None:
        """Ends the trial's run with its outcome and its score."""
        try:
            super().on_trial_end(trial)  # type: ignore[misc]
        finally:  # it raises where too many trials failed in a row, of which this is one
            assert self._tracker is not None
            self._tell_values(trial)  # the model may have asked for more while it was built
            self._tracker.trial_ended(self._result(self.oracle.get_trial(trial.trial_id)), now_ms())
            scores = [each.score for each in self.oracle.trials.values() if _is_scored(each)]
            best = (max if self.oracle.objective.direction == "max" else min)(scores, default=None)
            self._tracker.progress(best, len(self.oracle.end_order), now_ms())

    def _configure_tensorboard_dir(self, callbacks: Sequence[Any], trial: Any, execution: int = 0) -> None:
        """Does what Keras Tuner does for a TensorBoard callback where there is one; it imports TensorBoard for none."""
        if any(type(callback).__name__ == "TensorBoard" for callback in callbacks):
            super()._configure_tensorboard_dir(callbacks, trial, execution)  # type: ignore[misc]

    def _begun(self) -> Tracker:
        """Begins the search's run, or finds it again with the trials that the project had before."""
        file = Path(self.project_dir) / SEARCH
        if not file.exists():
            file.write_text(json.dumps({"search": f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"}))
        search_id = json.loads(file.read_text())["search"]
        tracker = Tracker(self._store, self._experiment or self.project_name, search_id)
        objective = self.oracle.objective
        tracker.start(
            name=self.project_name,
            params={
                "algorithm": type(self.oracle).__name__,
                "objective": objective.name,
                "direction": objective.direction,
                "trials": self.oracle.max_trials,
                "seed": self.oracle.seed,
            },
            tags={f"automl.version.{name}": version for name, version in environment.versions().items()},
            experiment_yaml=document.dump({"space": self.oracle.get_space().get_config()["space"]}),
            dataset=None,
            time_ms=now_ms(),
        )
        self._attempts = Counter(dict.fromkeys(tracker.trial_run_ids, 1))
        for trial in self.oracle.trials.values():
            number = _number(trial)
            if trial.trial_id in self.oracle.end_order and not self._attempts[number]:
                tracker.trial_started(number, *_values(trial), now_ms())
                tracker.trial_ended(self._result(trial), now_ms())
        return tracker

    def _tell_values(self, trial: Any, *, new: bool = False) -> None:
        number = _number(trial)
        assert self._tracker is not None
        self._tracker.trial_started(number, *_values(trial), now_ms(), self._attempts[number], new=new)

    def _result(self, trial: Any) -> TrialResult:
        """Returns how a trial ended, in this project's words."""
        number, is_scored = _number(trial), _is_scored(trial)
        epochs = self._epochs.get(number, [])
        said = (trial.message or "").strip().splitlines()
        outcome: Outcome = "completed" if is_scored else "error" if said else "diverged"
        return TrialResult(
            number,
            max(1, self._attempts[number]),
            outcome,
            score=trial.score if is_scored else None,
            best_epoch=self._best_epoch(epochs) if is_scored else None,
            epochs=len(epochs),
            seconds=time.monotonic() - self._began.get(number, time.monotonic()),
            parameters=self._weights.get(number),
            message=said[-1] if said and not is_scored else None,
            traceback=trial.message if said and not is_scored else None,
        )

    def _best_epoch(self, epochs: Sequence[Mapping[str, float]]) -> int | None:
        """Returns the epoch with the best objective, from 1; None where it is no metric of the epochs."""
        objective = self.oracle.objective
        if any(objective.name not in epoch for epoch in epochs) or not epochs:
            return None
        best = (max if objective.direction == "max" else min)(epochs, key=lambda epoch: epoch[objective.name])
        return epochs.index(best) + 1

    def _running(self) -> Iterator[int]:
        return (_number(trial) for trial in self.oracle.ongoing_trials.values())


def _number(trial: Any) -> int:
    """Returns a trial's number, from 1: Keras Tuner's id is its place, from 0."""
    return int(trial.trial_id) + 1


def _values(trial: Any) -> tuple[dict[str, Any], str]:
    """Returns a trial's values, and the same as YAML."""
    values = dict(trial.hyperparameters.values)
    return values, document.dump(values)


def _is_scored(trial: Any) -> bool:
    return trial.status == "COMPLETED" and trial.score is not None and math.isfinite(trial.score)


def _ranked(oracle: Any) -> list[int]:
    """Returns the numbers of the scored trials, the best first."""
    scored = [trial for trial in oracle.trials.values() if _is_scored(trial)]
    sign = -1 if oracle.objective.direction == "max" else 1
    return [_number(trial) for trial in sorted(scored, key=lambda trial: (sign * trial.score, trial.trial_id))]
