"""A trial as it crosses a border: what a worker is asked, what it tells, what came of it. No Keras, no MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from automl.records.data import DataSpec
from automl.records.objective import Goals

Outcome = Literal["completed", "stopped", "timeout", "infeasible", "diverged", "oom", "error", "lost"]
"""How a trial ended: trained to its end, stopped by the scheduler, out of time, impossible to build, a loss that is no
number, out of memory, an exception, a worker that died or hung. The first three carry a score, but for a timeout in the
first epoch.
"""

Gradient = Literal["exploded", "vanished"]
"""What went wrong with the gradient of a trial: it grew beyond all bounds, or did not reach the first layers."""

CANCELLED = "cancelled"
"""How a trial stands that was running when its search was stopped: no end, because a resume takes it up again."""

SCORED: tuple[Outcome, ...] = ("completed", "stopped", "timeout")

NO_PLACE: Outcome = "infeasible"
"""How a trial ends that takes no place among the trials of a search: what cannot be built costs nothing."""


@dataclass(frozen=True)
class TrialRequest:
    """All a worker needs to run one trial.

    Args:
        trial: Number of the trial in its search, from 1.
        attempt: 1 for the first run, 2 and 3 after a worker died with it.
        document: The resolved trial document: literals only.
        seed: Seed of weights, dropout and data order.
        data: The prepared data.
        folder: The trial's own folder; exists.
        goals: What scores the trial.
        epochs: Train up to this epoch (inclusive, counted from 1), in each training.
        rungs: Epochs of the first training, from 1, whose reports wait for a verdict.
        time_s: Train no further batch after this time; None for as long as it takes.
        measured: The trainings that an earlier attempt finished, of a trial that has several.
        rates: Of a refit, which has no validation part: the learning rate of each of its epochs, by phase.
    """

    trial: int
    attempt: int
    document: Mapping[str, Any]
    seed: int
    data: DataSpec
    folder: str
    goals: Goals
    epochs: int
    rungs: tuple[int, ...] = ()
    time_s: float | None = None
    measured: tuple[Measured, ...] = ()
    rates: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class Measured:
    """One finished training of a trial that has several: repeats, folds. Its worker waits for a verdict.

    Args:
        trial: Number of the trial.
        attempt: Which attempt at it this was.
        part: Which of its trainings, from 1.
        score: The objective at the best epoch.
        best_epoch: That epoch, from 1 in each training.
        epochs: Epochs it trained.
        parameters: Number of weights of the model.
        seconds: Wall time it took.
        metrics: Every metric at the best epoch.
        loss: The validation loss there, which tells equal scores apart; None where an earlier version measured it.
        gradient: What went wrong with it; None: nothing that was seen.
        message: One line that says so.
    """

    waits: ClassVar[bool] = True

    trial: int
    attempt: int
    part: int
    score: float
    best_epoch: int
    epochs: int
    parameters: int | None = None
    seconds: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    loss: float | None = None
    gradient: Gradient | None = None
    message: str | None = None


@dataclass(frozen=True)
class Report:
    """One finished epoch of a running trial. Non-finite metrics stand in `nonfinite`, never in `metrics`.

    Epochs are counted through all of a trial's trainings; `part` is the training, from 1, and `phase` the phase of it
    that the document declares, from 1. With `waits`, the worker waits to be told whether the trial goes on. `usage` is
    what the worker took of its machine, where that was read, `health` how its training was, where that was measured:
    see `worker.health`.
    """

    trial: int
    attempt: int
    epoch: int
    metrics: Mapping[str, float]
    nonfinite: Mapping[str, str] = field(default_factory=dict)
    waits: bool = False
    part: int = 1
    usage: Mapping[str, float] = field(default_factory=dict)
    health: Mapping[str, float] = field(default_factory=dict)
    phase: int = 1


@dataclass(frozen=True)
class TrialResult:
    """How a trial ended.

    Args:
        trial: Its number.
        attempt: Which attempt this was.
        outcome: See `Outcome`.
        score: The objective at the best epoch, the mean of several trainings; None unless the outcome is scored.
        scores: Those of the single trainings, where the trial has several.
        best_epoch: That epoch, from 1; rounded mean of several.
        metrics: Every metric at the best epoch; means of several.
        epochs: Epochs trained in all.
        seconds: Wall time in the worker.
        parameters: Number of weights of the model; None when none was built.
        model: Path of the saved model (`.keras`) at the best epoch, of the best training; None unless scored.
        message: One line that says what went wrong, or what is odd.
        traceback: The whole traceback of an error.
        loss: The validation loss at the best epoch, the mean of several trainings, which tells equal scores apart; None
            where there is none, or an earlier version ran the trial.
        gradient: What went wrong with it, in any of its trainings; None: nothing that was seen.
    """

    trial: int
    attempt: int
    outcome: Outcome
    score: float | None = None
    best_epoch: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    epochs: int = 0
    seconds: float = 0.0
    parameters: int | None = None
    model: str | None = None
    message: str | None = None
    traceback: str | None = None
    scores: tuple[float, ...] = ()
    loss: float | None = None
    gradient: Gradient | None = None

    @property
    def is_scored(self) -> bool:
        """Whether it counts among those that are compared: a timeout in the first epoch has nothing to compare."""
        return self.outcome in SCORED and self.score is not None


@dataclass(frozen=True)
class TestRequest:
    """All a worker needs to evaluate a finished model on the test part.

    Args:
        trial: Number of the trial the model comes from.
        attempt: 1 for the first run.
        document: The trial's resolved document.
        data: The prepared data.
        model: Path of the saved model.
    """

    __test__ = False  # pytest: no test class

    trial: int
    attempt: int
    document: Mapping[str, Any]
    data: DataSpec
    model: str


@dataclass(frozen=True)
class TestResult:
    """The metrics of a model on the test part; empty with a `message` when it could not be evaluated."""

    __test__ = False

    trial: int
    attempt: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    message: str | None = None
    traceback: str | None = None


@dataclass(frozen=True)
class BaselineRequest:
    """All a worker needs to measure the baselines of a task: what is simpler than any network.

    Args:
        data: The prepared data.
        part: What they are measured on, `val` or `test`.
        seed: Chooses the training examples, where not all of them are used.
        with_loss: Also measure the task's own loss: the trials are trained with it.
        trial: 0: no trial is asked.
        attempt: 1 for the first run.
    """

    data: DataSpec
    part: Literal["val", "test"]
    seed: int
    with_loss: bool
    trial: int = 0
    attempt: int = 1


@dataclass(frozen=True)
class BaselineResult:
    """What the baselines reached.

    Args:
        trial: 0.
        attempt: Which attempt this was.
        metrics: By baseline, every metric by its name with the part before it, as `val_accuracy`; means of several
            folds. Without those that could not be measured.
        seconds: Wall time of each.
        examples: How many examples they learned from.
        message: One line that says what went wrong.
    """

    trial: int
    attempt: int
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    examples: int = 0
    message: str | None = None


@dataclass(frozen=True)
class Begun:
    """A worker of a cluster has begun with this trial, which may have waited long for a place."""

    trial: int
    attempt: int


@dataclass(frozen=True)
class WorkerLost:
    """A worker died with this trial in its hands; `hung` when it was killed because it said nothing."""

    trial: int
    attempt: int
    message: str
    hung: bool = False
