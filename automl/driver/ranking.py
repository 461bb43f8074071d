"""How the trials of a search stand: who was asked, how each went, who is best. Rebuilt from a journal on a resume."""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from automl.journal import Asked
from automl.records.objective import LOSS, Goals
from automl.records.trials import Measured, TrialResult
from automl.schedulers import LearningCurve


@dataclass
class Ranking:
    """The trials of a search.

    Args:
        goals: What scores them.
        asked: Proposals by number.
        curves: How far each trial came, in its first training.
        epochs: Epochs of each trial, in all of its trainings.
        measured: The trainings that each trial finished, of those that have several.
        results: How each ended.
        ordered: Those with a score, the best first; see `Goals.order` for equals.
        messages: What was said of them, by their outcome; the outcomes are counted by it too.
        gradients: How many had which fault of the gradient.
    """

    goals: Goals
    asked: dict[int, Asked] = field(default_factory=dict)
    curves: dict[int, LearningCurve] = field(default_factory=dict)
    epochs: Counter[int] = field(default_factory=Counter)
    measured: dict[int, list[Measured]] = field(default_factory=dict)
    results: dict[int, TrialResult] = field(default_factory=dict)
    ordered: list[TrialResult] = field(default_factory=list)
    messages: dict[str, Counter[str | None]] = field(default_factory=dict)
    gradients: Counter[str] = field(default_factory=Counter)

    @property
    def best(self) -> TrialResult | None:
        """The best result so far."""
        return self.ordered[0] if self.ordered else None

    def ask(self, asked: Asked) -> None:
        """Takes up a proposal."""
        self.asked[asked.number] = asked
        self.curves[asked.number] = LearningCurve(asked.rungs)

    def report(self, number: int, epoch: int, metrics: Mapping[str, Any], part: int = 1) -> bool:
        """Takes up an epoch of a trial.

        Returns:
            Whether it is news: a trial that goes on from a checkpoint trains some epochs again.
        """
        if epoch <= self.epochs[number]:
            return False
        self.epochs[number] = epoch
        if part == 1:
            costs = self.goals.costs(metrics)
            self.curves[number].costs.append(math.inf if costs is None else costs[0])
            self.curves[number].losses.append(metrics.get(LOSS, math.inf))
        return True

    def measure(self, training: Measured) -> bool:
        """Takes up a finished training of a trial that has several; returns whether it is news."""
        known = self.measured.setdefault(training.trial, [])
        if training.part <= len(known):
            return False
        known.append(training)
        return True

    def hopeless(self, number: int) -> bool:
        """Tells whether a trial's first training ended worse than every training of the best trial."""
        if self.best is None or not self.best.scores:
            return False
        losses = {each.part: each.loss for each in self.measured.get(self.best.trial, ())}
        own, best = self.measured[number][0], enumerate(self.best.scores, start=1)
        merit = self.goals.primary.merit
        return merit(own.score, own.loss) > max(merit(score, losses.get(part)) for part, score in best)

    def again(self, number: int) -> None:
        """Forgets what a trial did, which begins anew."""
        self.curves[number].costs.clear()
        self.curves[number].losses.clear()
        self.epochs.pop(number, None)
        self.measured.pop(number, None)

    def end(self, result: TrialResult) -> None:
        """Takes up the end of a trial."""
        self.results[result.trial] = result
        self.messages.setdefault(result.outcome, Counter())[result.message] += 1
        if result.gradient is not None:
            self.gradients[result.gradient] += 1
        curve = self.curves[result.trial]
        curve.ended, curve.failed = True, not result.is_scored
        if result.is_scored:
            insort(self.ordered, result, key=self.goals.order)

    @property
    def running(self) -> list[int]:
        """The trials that were asked and have not ended."""
        return sorted(self.asked.keys() - self.results.keys())

    def is_any_scored(self) -> bool:
        """Tells whether a trial has a score, or runs and would have one if it ended now."""
        running = (self.curves[number] for number in self.running)
        return self.best is not None or any(math.isfinite(cost) for curve in running for cost in curve.costs)

    def others(self, number: int | None = None) -> list[LearningCurve]:
        """Returns the curves of all trials but one."""
        return [curve for trial, curve in self.curves.items() if trial != number]

    def ranks(self) -> dict[int, int]:
        """Returns the rank of every scored trial, from 1, the best first."""
        return {result.trial: rank for rank, result in enumerate(self.ordered, start=1)}

    def counts(self) -> dict[str, int]:
        """Counts trials by how they ended: `infeasible` could not be built, `failed` are all that broke otherwise."""
        counted = Counter({outcome: said.total() for outcome, said in self.messages.items()})
        told = {outcome: counted[outcome] for outcome in ("completed", "stopped", "timeout", "infeasible")}
        return {**told, "failed": counted.total() - sum(told.values())}
