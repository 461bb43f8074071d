"""For people who keep their own Keras Tuner code: their searches in MLflow, each trial a run beside the others."""

from __future__ import annotations

import json
import logging
import math
import secrets
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from automl.document import yaml_text
from automl.integrations import tuner_trials as trials
from automl.journal import now_ms
from automl.machine import folders, keras_backend
from automl.records.objective import Goals
from automl.records.trials import Outcome, TrialResult
from automl.tracking import BestModel, Tracker, names, store

log = logging.getLogger("automl.integrations")

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
    search; what it missed is told when it is back. In a loop of one's own, `run_trial` and the `on_...` methods log
    their trials too. Of `space.hypermodel()` the runs show plain values, and `trial.yaml` is a document that
    `automl search` takes. For a tuner in one process: Keras Tuner's workers of a distributed search are not meant.
    TensorBoard, which Keras Tuner demands of every search on TensorFlow, is needed by none that has no TensorBoard
    callback.

    Args:
        experiment: Name of the MLflow experiment; None for `$MLFLOW_EXPERIMENT_NAME`, else the project's name.
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
        names.require(registered_name=registered_name, project_name=kwargs.get("project_name"))
        super().__init__(*args, **kwargs)
        self._experiment, where = names.experiment(experiment, "experiment", self.project_name, "project_name")
        names.require(**{where: self._experiment})
        self._registered_name = registered_name
        self._store = store(folders.writable_home(), tracking_uri)
        self._tracker: Tracker | None = None
        self._searches = False
        self._attempts = Counter[int]()
        self._epochs: dict[int, list[Mapping[str, float]]] = {}
        self._began: dict[int, float] = {}
        """Of the trials that run."""
        self._weights: dict[int, int | None] = {}
        self._scores: dict[int, float] = {}

    @property
    def run_id(self) -> str | None:
        """The MLflow run of the search; None before it began."""
        return self._tracker.run_id if self._tracker else None

    def search(self, *args: Any, **kwargs: Any) -> None:
        """Searches as the tuner does, and tells MLflow."""
        tracker = self._tracker = self._begun(args, kwargs)
        self._searches = True
        try:
            super().search(*args, **kwargs)  # type: ignore[misc]
        except BaseException:
            tracker.interrupted(list(self._running()), now_ms())
            tracker.close()
            raise
        finally:
            self._searches = False
            self._began.clear()
        ranks = self._finish()
        if ranks and self._registered_name:
            self._register(min(ranks, key=ranks.__getitem__))
        tracker.close()

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        """Runs a trial as the tuner does. One that no search began, in a loop of the user's own, is a run all the same.

        What it scored is what it returns; the oracle may be told later, or never.
        """
        number = self._number(trial)
        if number is None or number in self._began:
            return super().run_trial(trial, *args, **kwargs)  # type: ignore[misc]
        self._begin(trial, number, args, kwargs)
        try:
            results = super().run_trial(trial, *args, **kwargs)  # type: ignore[misc]
        except Exception:
            self._end(trial, number, message=traceback.format_exc())
            raise
        except BaseException:
            self._began.pop(number)
            self._told().interrupted([number], now_ms())
            raise
        self._end(trial, number, trials.score(results, self.oracle.objective))
        return results

    def on_trial_begin(self, trial: Any) -> None:
        """Begins the trial's run."""
        super().on_trial_begin(trial)  # type: ignore[misc]
        number = self._number(trial)
        if number is not None:
            self._begin(trial, number)

    def on_epoch_end(self, trial: Any, model: Any, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Adds a point for every metric."""
        super().on_epoch_end(trial, model, epoch, logs)  # type: ignore[misc]
        number, values = self._number(trial), trials.numbers(logs or {})
        if number is None:
            return
        if number not in self._began:  # its `run_trial` is the user's own, and so is the loop around it
            self._begin(trial, number)
        self._weights[number] = trials.parameters(model)
        told = self._epochs[number]
        told.append({name: value for name, value in values.items() if math.isfinite(value)})
        self._told().epoch(number, len(told), values, now_ms())

    def on_trial_end(self, trial: Any) -> None:
        """Ends the trial's run with its outcome and its score."""
        number = self._number(trial)
        try:
            super().on_trial_end(trial)  # type: ignore[misc]
        finally:  # it raises where too many trials failed in a row, of which this is one
            if number is not None:
                ended = self.oracle.get_trial(trial.trial_id)
                scored = trials.is_scored(ended)
                self._end(ended, number, ended.score if scored else None, None if scored else ended.message)

    def _configure_tensorboard_dir(self, callbacks: Sequence[Any], trial: Any, execution: int = 0) -> None:
        """Does what Keras Tuner does for a TensorBoard callback where there is one; it imports TensorBoard for none."""
        if any(type(callback).__name__ == "TensorBoard" for callback in callbacks):
            super()._configure_tensorboard_dir(callbacks, trial, execution)  # type: ignore[misc]

    def _told(self) -> Tracker:
        """Returns the tracker; begins the search's run where no search did."""
        self._tracker = self._tracker or self._begun((), {})
        return self._tracker

    def _begun(self, args: Sequence[Any], given: Mapping[str, Any]) -> Tracker:
        """Begins the search's run, or finds it again with the trials that the project had before."""
        file = Path(self.project_dir) / SEARCH
        if not file.exists():
            file.write_text(json.dumps({"search": f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"}))
        search_id = json.loads(file.read_text())["search"]
        tracker = Tracker(self._store, self._experiment, search_id)
        objective, space = self._goals.primary, trials.space_of(self)
        declared = {"space": self.oracle.get_space().get_config()["space"]}
        tracker.start(
            name=self.project_name,
            params={
                "algorithm": type(self.oracle).__name__,
                "objective": objective.metric,
                "direction": objective.direction,
                "trials": self.oracle.max_trials,
                "seed": self.oracle.seed,
            },
            tags={
                **{f"automl.version.{name}": version for name, version in keras_backend.versions().items()},
                # MLflow has a parameter keep its first value, and a project that is reloaded may have another total.
                "automl.trials": self.oracle.max_trials,
            },
            experiment_yaml=yaml_text.dump(space.read.document.data if space else declared),
            dataset=trials.dataset(space, self.project_name, args, given),
            time_ms=now_ms(),
        )
        self._attempts = Counter(dict.fromkeys(tracker.trial_run_ids, 1))
        for trial in self.oracle.trials.values():
            number = self._number(trial)
            if number and trial.trial_id in self.oracle.end_order and not self._attempts[number]:
                tracker.trial_started(number, *trials.values(space, trial), now_ms())
                scored = trials.is_scored(trial)
                result = self._result(number, trial.score if scored else None, None if scored else trial.message)
                tracker.trial_ended(result, now_ms())
        return tracker

    def _begin(self, trial: Any, number: int, args: Sequence[Any] = (), given: Mapping[str, Any] | None = None) -> None:
        """Begins the run of a trial; of one that had another before, anew."""
        self._tracker = self._tracker or self._begun(args, given or {})
        again = self._attempts[number] > 0
        self._attempts[number] += 1
        self._epochs[number], self._began[number] = [], time.monotonic()
        self._tell_values(trial, number, new=again)
        self._tracker.flush()  # nothing else is told before the first epoch

    def _end(self, trial: Any, number: int, score: float | None = None, message: str | None = None) -> None:
        """Ends the run of a trial; outside of a search that of the search too, as nobody knows whether more follows."""
        self._tell_values(trial, number)  # the model may have asked for more while it was built
        self._told().trial_ended(self._result(number, score, message), now_ms())
        self._began.pop(number, None)
        if score is not None and math.isfinite(score):
            self._scores[number] = score
        best = self._goals.best(self._scored())
        self._told().progress(best.score if best else None, self._done(), now_ms())
        if not self._searches:
            self._finish()

    def _finish(self) -> dict[int, int]:
        """Ends the search's run; returns the ranks of the scored trials."""
        ranks = self._goals.ranks(self._scored())
        self._told().finish(ranks, "FINISHED" if ranks else "FAILED", {}, self._done(), now_ms())
        return ranks

    def _register(self, number: int) -> None:
        """Registers the model of the best trial. A search is over and kept, whatever becomes of that."""
        try:
            (best,) = self.get_best_models(1)  # type: ignore[attr-defined]
        except Exception as error:  # noqa: BLE001 - of the user's `build`, or of a `run_trial` that saved no model
            log.warning("The best model is not registered: it cannot be loaded again: %s", error)
            return
        assert self._registered_name
        self._told().log_best(best, BestModel(number, self._registered_name), say=log.warning)

    def _tell_values(self, trial: Any, number: int, *, new: bool = False) -> None:
        told = trials.values(trials.space_of(self), trial)
        self._told().trial_started(number, *told, now_ms(), self._attempts[number], new=new)

    def _result(self, number: int, score: float | None, message: str | None = None) -> TrialResult:
        """Returns how a trial ended, in this project's words."""
        epochs, said = self._epochs.get(number, []), (message or "").strip().splitlines()
        is_scored = score is not None and math.isfinite(score)
        outcome: Outcome = "completed" if is_scored else "error" if said else "diverged"
        return TrialResult(
            number,
            max(1, self._attempts[number]),
            outcome,
            score=score if is_scored else None,
            best_epoch=trials.best_epoch(epochs, self._goals) if is_scored else None,
            epochs=len(epochs),
            seconds=time.monotonic() - self._began.get(number, time.monotonic()),
            parameters=self._weights.get(number),
            message=said[-1] if said else None,
            traceback=message if said else None,
        )

    def _number(self, trial: Any) -> int | None:
        """Returns a trial's number, from 1: Keras Tuner's id is its place, from 0. None of one it does not know."""
        known = trial.trial_id in self.oracle.trials and trial.trial_id.isdigit()
        return int(trial.trial_id) + 1 if known else None

    def _scored(self) -> list[TrialResult]:
        """Returns the trials that have a score, as the oracle has it or a trial outside of a search returned it."""
        scored = {self._number(trial): trial.score for trial in self.oracle.trials.values() if trials.is_scored(trial)}
        scores = self._scores | {number: score for number, score in scored.items() if number is not None}
        return [TrialResult(number, 1, "completed", score) for number, score in scores.items()]

    @property
    def _goals(self) -> Goals:
        return trials.goals(self.oracle.objective)

    def _done(self) -> int:
        return len({*self._scores, *map(self._number, map(self.oracle.get_trial, self.oracle.end_order))})

    def _running(self) -> Iterator[int]:
        return (number for trial in self.oracle.ongoing_trials.values() if (number := self._number(trial)))
