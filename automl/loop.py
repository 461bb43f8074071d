"""The loop of a search: ask, submit, report, end. The one hand that writes to the journal and to the tracker."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from automl import document, experiment
from automl.environment import MODEL, trial_folder
from automl.executors import Executor, Run
from automl.experiment import Experiment
from automl.journal import Asked, Ended, History, Journal, Lost, Reported, Started, TrialHistory, now_ms
from automl.oracles import WAIT, Done, Proposer
from automl.records import SCORED, DataSpec, Report, TestResult, TrialRequest, TrialResult, WorkerLost, standing
from automl.tracking import Tracker
from automl.trial import CHECKPOINT, run_trial

MOST_LOSSES = 3
"""Workers a trial may cost: after the first death it is tried again, at most twice."""

POLL_S = 1.0

# What a trial's result and its end in the journal have in common.
_SHARED = {each.name for each in fields(TrialResult)} & {each.name for each in fields(Ended)}


class Watcher:
    """Is told what happens; this one ignores it."""

    def say(self, text: str) -> None:
        """Something worth a line happened."""

    def search_started(self, search_id: str, trials: int | None, done: int) -> None:
        """The search begins, or goes on after `done` trials."""

    def trial_started(self, number: int, values: dict[str, Any], epochs: int) -> None:
        """A trial begins."""

    def epoch(self, report: Report) -> None:
        """A running trial finished an epoch."""

    def trial_ended(self, result: TrialResult, best: TrialResult | None) -> None:
        """A trial ended; `best` is the best so far."""


def trial_seed(search_seed: int, number: int) -> int:
    """Returns the seed of a trial: 32 bits that depend on the search's seed and the trial's number alone."""
    return int.from_bytes(hashlib.sha256(f"{search_seed}:{number}".encode()).digest()[:4], "big")


def _go_on() -> None:
    """Leaves the search alone."""


@dataclass
class Loop:
    """One search, from its first trial or from where its journal ends.

    Args:
        experiment: What is searched.
        data: The prepared data.
        folder: The search's folder.
        journal: Its journal.
        history: What the journal held when this driver started.
        proposer: The oracle, told that history.
        executor: Where trials run.
        tracker: The mirror in MLflow.
        watcher: Who is shown what happens.
        run: What a worker does with a request.
        check: Called where the search may be left; raises KeyboardInterrupt when the user wants to.
    """

    experiment: Experiment
    data: DataSpec
    folder: Path
    journal: Journal
    history: History
    proposer: Proposer
    executor: Executor
    tracker: Tracker
    watcher: Watcher
    run: Run = run_trial
    check: Callable[[], None] = _go_on
    results: dict[int, TrialResult] = field(default_factory=dict)
    asked: dict[int, Asked] = field(default_factory=dict)
    best: TrialResult | None = None
    _losses: dict[int, int] = field(default_factory=dict)
    _bare: set[int] = field(default_factory=set)
    """Trials whose files are deleted for good: neither is a beaten model best again, nor a settled one continued."""
    _started: float = field(default_factory=time.monotonic)

    def search(self) -> str:
        """Runs trials until the budget is spent or nothing is left to propose.

        Returns:
            Why it ended.
        """
        waiting = self._recall()
        reason: str | None = None
        running = 0
        while True:
            self.check()
            while self.executor.free and (waiting or reason is None):
                if waiting:
                    trial = waiting.pop(0)
                    self._submit(trial.asked, trial.attempts + 1)
                else:
                    proposal = self._propose()
                    if proposal is None:
                        break
                    if isinstance(proposal, str):
                        reason = proposal
                        break
                    self._submit(proposal, 1)
                running += 1
            if not running and not waiting:
                return reason or "no trial can be proposed"
            for event in self.executor.wait(POLL_S):
                running -= self._follow(event)

    def _recall(self) -> list[TrialHistory]:
        """Takes up what the journal knows; returns the trials that were running when its driver ended."""
        trials = self.history.trials
        self.asked |= {number: trial.asked for number, trial in trials.items()}
        self._losses |= {number: len(trial.lost) for number, trial in trials.items()}
        for trial in sorted(trials.values(), key=lambda t: t.ended.time if t.ended else 0):
            if trial.ended is not None:
                self._retell(trial, trial.ended)
        self._clean()
        return [trial for trial in trials.values() if trial.ended is None]

    def _retell(self, trial: TrialHistory, ended: Ended) -> None:
        """Tells the tracker of a trial again: a driver that died may not have come to it. Nothing doubles there."""
        asked = trial.asked
        result = _result(ended, trial_folder(self.folder, asked.number))
        self._note(result)
        text = document.dump(self.resolved(asked))
        self.tracker.trial_started(asked.number, asked.values, text, asked.time, ended.attempt)
        for report in trial.reports:
            self.tracker.epoch(asked.number, report.epoch, report.metrics, report.time, report.nonfinite)
        self._tell_end(result, ended.time)

    def _tell_end(self, result: TrialResult, time_ms: int) -> None:
        self.tracker.trial_ended(result, time_ms)
        self.tracker.progress(self.best.score if self.best else None, len(self.results), time_ms)

    def _propose(self) -> Asked | str | None:
        """Asks the oracle; returns its proposal, the reason why there is none any more, or None to wait."""
        search = self.experiment.search
        if search.most_trials is not None and len(self.asked) >= search.most_trials:
            return f"all {search.most_trials} trials are done"
        spent = self.history.seconds + time.monotonic() - self._started
        if search.timeout_s is not None and spent >= search.timeout_s:
            return f"the time of {search.time} is over"
        proposal = self.proposer.ask()
        if proposal is WAIT:
            return None
        if isinstance(proposal, Done):
            return proposal.reason
        asked = Asked(
            number=proposal.number,
            values=proposal.values,
            seed=trial_seed(search.seed, proposal.number),
            time=now_ms(),
            initial_epoch=proposal.initial_epoch,
            epochs=proposal.epochs,
            parent=proposal.parent,
            state=proposal.state,
        )
        self.journal.append(asked)
        self.asked[asked.number] = asked
        return asked

    def _submit(self, asked: Asked, attempt: int) -> None:
        folder = trial_folder(self.folder, asked.number)
        folder.mkdir(parents=True, exist_ok=True)
        resolved = self.resolved(asked)
        epochs = asked.epochs or experiment.epochs(resolved)
        parent = None if asked.parent is None else trial_folder(self.folder, asked.parent) / CHECKPOINT
        started = Started(asked.number, attempt, now_ms())
        self.journal.append(started)
        self.executor.submit(
            self.run,
            TrialRequest(
                trial=asked.number,
                attempt=attempt,
                document=resolved,
                seed=resolved["training"]["seed"],
                data=self.data,
                folder=str(folder),
                objective=self.experiment.objective,
                direction=self.experiment.direction,
                epochs=epochs,
                initial_epoch=asked.initial_epoch,
                start_from=None if parent is None else str(parent),
                keep_checkpoint=self.experiment.search.algorithm.continues_trials,
            ),
        )
        self.tracker.trial_started(asked.number, asked.values, document.dump(resolved), asked.time, attempt)
        self.watcher.trial_started(asked.number, dict(asked.values), epochs)

    def resolved(self, asked: Asked) -> dict[str, Any]:
        """Returns the document of a trial."""
        return self.experiment.trial(asked.values, asked.seed, self.data.digest)

    def _follow(self, event: Report | TrialResult | TestResult | WorkerLost) -> int:
        """Records an event; returns how many workers it set free for good."""
        if isinstance(event, Report):
            time_ms = now_ms()
            self.journal.append(
                Reported(event.trial, event.attempt, event.epoch, event.metrics, time_ms, event.nonfinite)
            )
            self.tracker.epoch(event.trial, event.epoch, event.metrics, time_ms, event.nonfinite)
            self.watcher.epoch(event)
            return 0
        if isinstance(event, WorkerLost):
            return self._lost(event)
        if isinstance(event, TrialResult):
            self._end(event)
        return 1

    def _lost(self, event: WorkerLost) -> int:
        """Tries a trial again whose worker died, or gives it up."""
        self.journal.append(Lost(event.trial, event.attempt, now_ms(), event.message))
        self._losses[event.trial] = self._losses.get(event.trial, 0) + 1
        if self._losses[event.trial] < MOST_LOSSES:
            self.watcher.say(f"t{event.trial:03d}  {event.message}; it is tried again")
            self._submit(self.asked[event.trial], event.attempt + 1)
            return 0
        self._end(TrialResult(event.trial, event.attempt, "lost", message=event.message))
        return 1

    def _end(self, result: TrialResult) -> None:
        state = self.proposer.tell(result.trial, result.score if result.outcome in SCORED else None)
        shared = {name: getattr(result, name) for name in _SHARED}
        ended = Ended(number=result.trial, time=now_ms(), state=state, **shared)
        self.journal.append(ended)
        self._note(result)
        self._clean()
        self._tell_end(result, ended.time)
        self.watcher.trial_ended(result, self.best)

    def _note(self, result: TrialResult) -> None:
        self.results[result.trial] = result
        if result.outcome not in SCORED or result.score is None:
            return
        if self.best is None or self._order(result) < self._order(self.best):
            self.best = result

    def _order(self, result: TrialResult) -> tuple[bool, float, int]:
        return standing(result.score, result.trial, self.experiment.direction)

    def ranks(self) -> dict[int, int]:
        """Returns the rank of every scored trial, the best first; the earlier of two equals stands before the other."""
        scored = [r for r in self.results.values() if r.outcome in SCORED and r.score is not None]
        ordered = sorted(scored, key=self._order)
        return {result.trial: rank for rank, result in enumerate(ordered, start=1)}

    def _clean(self) -> None:
        """Deletes the models of beaten trials, and the checkpoints nobody can go on from any more."""
        continued = self.proposer.continuable()
        for number in self.results.keys() - self._bare:
            folder = trial_folder(self.folder, number)
            beaten, settled = self.best is None or number != self.best.trial, number not in continued
            if beaten:
                (folder / MODEL).unlink(missing_ok=True)
            if settled:
                (folder / CHECKPOINT).unlink(missing_ok=True)
            if beaten and settled:
                self._bare.add(number)


def _result(ended: Ended, folder: Path) -> TrialResult:
    """Turns a journal's end back into the result it was written from."""
    model = folder / MODEL
    shared = {name: getattr(ended, name) for name in _SHARED}
    return TrialResult(trial=ended.number, model=str(model) if model.exists() else None, **shared)
