"""The section of a document that says how to search, as a pydantic model."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, JsonValue

from automl import oracles, schedulers
from automl.errors import shorten
from automl.oracles import Algorithm
from automl.registry import Family, Member
from automl.schedulers import Scheduler

DEFAULT_TRIALS = 20
"""Trials of a search that is given neither a number of them nor a time."""


class Search(Member):
    """How the space is searched. Nothing here is searched itself."""

    objective: str | None = Field(None, description="Metric to optimise, as val_accuracy; null: the task's")
    algorithm: Annotated[Algorithm, Family(oracles.registry)] = Field(
        default_factory=lambda: oracles.registry.read("auto"), description="Search algorithm and its settings"
    )
    scheduler: Annotated[Scheduler, Family(schedulers.registry)] | None = Field(
        None, description="What stops trials that promise little; null: what the algorithm brings, mostly none"
    )
    trials: int | None = Field(
        None, ge=1, description="Trials in all, resumes too; 20 when neither time nor epochs_total is given"
    )
    time: str | int | None = Field(
        None, description="End the search, its running trials too, after this time: 90s, 30m, 1h30m"
    )
    trial_time: str | int | None = Field(
        None, description="End a trial after this time, between two batches, with the best of its whole epochs"
    )
    epochs_total: int | None = Field(None, ge=1, description="Start no trial after this many epochs of all trials")
    target: float | None = Field(None, description="Start no trial after one has reached this score")
    patience: int | None = Field(None, ge=1, description="Start no trial after this many that were no better")
    silence: str | int = Field(
        "10m", description="Give up a trial that says nothing for this long, and for ten of the longest silences so far"
    )
    failures: int = Field(5, ge=1, description="End the search after this many failures in a row of one cause")
    constraints: list[str] = Field(
        default_factory=list, description="What every trial must obey, as sum(recurrent.units) <= 256"
    )
    start: list[dict[str, JsonValue]] = Field(
        default_factory=list, description="Points to try first; what one leaves out stands at its default"
    )
    baselines: bool = Field(
        True, description="Measure first what is simpler than a network; it takes no place among the trials"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of the whole search")

    @property
    def judge(self) -> Scheduler:
        """The scheduler declared, or the one that the algorithm brings."""
        return self.scheduler or schedulers.registry.read(self.algorithm.scheduler)

    @property
    def most_trials(self) -> int | None:
        """The trial budget, or None when only time or epochs limit the search."""
        unlimited = self.trials is None and self.time is None and self.epochs_total is None
        return DEFAULT_TRIALS if unlimited else self.trials

    @property
    def timeout_s(self) -> float | None:
        """The time budget in seconds."""
        return None if self.time is None else seconds(self.time)

    @property
    def trial_timeout_s(self) -> float | None:
        """The time budget of a single trial in seconds."""
        return None if self.trial_time is None else seconds(self.trial_time)

    @property
    def silence_s(self) -> float:
        """The least time of silence after which a trial is given up, in seconds."""
        return seconds(self.silence)


_TIME = re.compile(r"(?=\d)(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})(s?))?", re.ASCII)


def seconds(text: str | int) -> float:
    """Reads a duration: `90s`, `30m`, `1h30m`, `1h30` (minutes, as people say it), or a number of seconds.

    Raises:
        ValueError: It is no duration above 0.
    """
    match = _TIME.fullmatch(str(text).replace(" ", ""))
    hours, minutes, rest, unit = match.groups() if match else (None, None, None, None)
    last = 60 if hours and not minutes and not unit else 1
    total = 3600 * int(hours or 0) + 60 * int(minutes or 0) + last * int(rest or 0)
    if total <= 0:
        raise ValueError(f"{shorten(text)} is no duration. Expected 90s, 30m or 1h30m")
    return float(total)
