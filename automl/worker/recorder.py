"""The Keras callback that reports every epoch and keeps the best one's weights. Imports Keras: for workers only."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from automl.executors import Tell
from automl.machine.usage import Usage
from automl.records.objective import LOSS
from automl.records.trials import Measured, Outcome, Report, TrialRequest
from automl.worker.health import Health
from automl.worker.pulse import Pulse


class Recorder(keras.callbacks.Callback):
    """Follows a trial's training, and ends it when it is told to.

    Ends the training when the loss is no longer finite. It looks once an epoch: Keras's own `TerminateOnNaN` looks at
    every batch, which waits for the device each time and switches off Keras's asynchronous steps. The pulse beats as a
    batch begins, which does neither.

    Args:
        request: The trial.
        report: Called after every epoch; tells whether the trial goes on.
        network: The whole model, whose best weights are kept; what is fitted may be a part of it.
        before: The trainings that this trial has behind it, where it has several.
    """

    def __init__(
        self, request: TrialRequest, report: Tell, network: keras.Model, before: Sequence[Measured] = ()
    ) -> None:
        super().__init__()
        self.request = request
        self.objective = request.goals.primary
        self.report = report
        self.network = network
        self.part = len(before) + 1
        self._offset = sum(each.epochs for each in before)
        self._elsewhere_s = sum(each.seconds for each in before)
        self._shared_s = 0.0
        self.best_weights: list[Any] | None = None
        self._best: tuple[float, int, dict[str, float]] | None = None
        self.epochs = 0
        self.phase = 1
        self._diverged: str | None = None
        self._ended: Outcome = "completed"
        self._why = ""
        self._told: list[tuple[int, dict[str, float], dict[str, str], dict[str, float], int]] = []
        self._before_s = 0.0
        self._began = time.monotonic()
        self._epoch = 0
        self._usage = Usage()
        self.health = Health(lambda: [metrics for _, metrics, *_ in self._told])
        self.pulse = Pulse(request.trial, request.attempt, report, self._left_s)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras's name
        """Notes which epoch it is."""
        self._epoch = self._offset + epoch + 1

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras's name
        """Says now and then that the training goes on; ends it where it is not to."""
        self.pulse.beat("train", self._epoch, batch, (self.params or {}).get("steps"))

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras's name
        """The same of the validation."""
        self.pulse.beat("validate", self._epoch, batch)

    def computing(self, done: int, total: int) -> None:
        """The same of what is computed for all trials; told how many batches of it are done, and of how many."""
        self.pulse.beat("features", self._offset + self.epochs + 1, done, total)

    def share(self, seconds: float) -> None:
        """Takes what was done for all trials off this one's time."""
        self._shared_s += seconds

    def cut(self, why: str) -> None:
        """Ends the training within an epoch, which does not count."""
        self._ended, self._why = "timeout", why

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Reports the epoch; Keras counts from 0, people and records from 1.

        Raises:
            KeyError: The objective is not among what Keras logs.
        """
        values = {name: float(value) for name, value in (logs or {}).items()}
        if self.objective.metric not in values:
            raise KeyError(f"{self.objective.metric} is not measured. Expected one of {', '.join(values)}")
        metrics = {name: value for name, value in values.items() if math.isfinite(value)}
        nonfinite = {name: repr(value) for name, value in values.items() if not math.isfinite(value)}
        self.epochs = epoch + 1
        score = metrics.get(self.objective.metric)
        if score is not None and self._is_better(score, metrics):
            self._best = (score, epoch + 1, metrics)
            self.best_weights = self.network.get_weights()
        if "loss" in nonfinite:
            self._diverged = f"the training loss became {nonfinite['loss']} in epoch {epoch + 1}"
            self.model.stop_training = True
        if self._left_s() <= 0 and epoch + 1 < self.request.epochs:
            self._ended = "timeout"
            self.model.stop_training = True
        # Trials are compared by their first training, which all of them have.
        waits = self.part == 1 and epoch + 1 in self.request.rungs and not self.model.stop_training
        number, attempt, at = self.request.trial, self.request.attempt, self._offset + epoch + 1
        health = dict(self.health.figures)
        self._told.append((at, metrics, nonfinite, health, self.phase))
        facts = metrics, nonfinite, waits, self.part, self._usage.read(), health, self.phase
        goes_on = self.report(Report(number, attempt, at, *facts))
        if waits and not goes_on:
            self._ended = "stopped"
            self.model.stop_training = True

    def state(self) -> tuple[dict[str, Any], list[Any] | None]:
        """Returns what was seen so far: as plain JSON, and the best epoch's weights."""
        seen = {"epochs": self.epochs, "best": self._best, "told": self._told}
        return seen | {"seconds": self.seconds(), "shared": self._shared_s}, self.best_weights

    def restore(self, seen: Mapping[str, Any], best_weights: list[Any] | None) -> None:
        """Takes back what `state` returned, through JSON, and tells of its epochs again.

        A driver that was killed may not have written the last of them down. It passes over those that it has; what it
        decided about them is known, because a worker that waits for a verdict writes no checkpoint.
        """
        self.epochs, self._before_s = seen["epochs"], seen["seconds"]
        self._shared_s += seen.get("shared", 0.0)
        self._best = seen["best"] and tuple(seen["best"])
        self.best_weights = best_weights
        # A checkpoint of an earlier version holds no health, or no phase.
        self._told = [(*told, *({}, 1)[len(told) - 3 :]) for told in seen["told"]]
        trial, attempt = self.request.trial, self.request.attempt
        for epoch, metrics, nonfinite, health, phase in self._told:
            self.report(Report(trial, attempt, epoch, metrics, nonfinite, part=self.part, health=health, phase=phase))

    def facts(self) -> dict[str, Any]:
        """Returns the fields of the `TrialResult` that the training decided."""
        facts: dict[str, Any] = {"epochs": self.epochs}
        found = self.health.finding
        if found is not None:
            facts |= {"gradient": found.gradient, "message": found.message}
        if self._diverged:
            why = f"{self._diverged}: {found.message}" if found else self._diverged
            return facts | {"outcome": "diverged", "message": why}
        if self._ended == "timeout" and not self.epochs:
            return facts | {"outcome": "timeout", "message": f"{self._why} before its first epoch ended"}
        if self._best is None:
            return facts | {"outcome": "diverged", "message": f"{self.objective.metric} was never a finite number"}
        score, epoch, metrics = self._best
        facts |= {"outcome": self._ended, "score": score, "best_epoch": epoch, "metrics": metrics}
        return facts | {"loss": metrics.get(LOSS)}

    @property
    def is_over(self) -> bool:
        """Whether no further phase of the training is to begin."""
        return self._diverged is not None or self._ended != "completed"

    def seconds(self) -> float:
        """Returns the time of this training so far, that of earlier attempts up to the checkpoint included."""
        return self._before_s + time.monotonic() - self._began

    def _left_s(self) -> float:
        """Returns what is left of the trial's own time, which all of its trainings share."""
        spent_s = self._elsewhere_s + self.seconds() - self._shared_s
        return math.inf if self.request.time_s is None else self.request.time_s - spent_s

    def _is_better(self, score: float, metrics: Mapping[str, float]) -> bool:
        if self._best is None:
            return True
        best, _, then = self._best
        merit = self.objective.merit
        return merit(score, metrics.get(LOSS)) < merit(best, then.get(LOSS))
