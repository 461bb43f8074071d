"""The loop of a search: ask, submit, report, end. The one hand that writes to the journal and to the tracker."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from automl.driver import budget
from automl.driver.progress import Watcher
from automl.driver.ranking import Ranking
from automl.driver.retries import Retries
from automl.driver.stop_request import Wish
from automl.driver.telling import Teller
from automl.driver.tidy import Tidy
from automl.driver.time_limit import Limit
from automl.executors import Event, Executor, Run
from automl.experiment import experiment
from automl.experiment.experiment import Experiment
from automl.journal import Asked, History, Journal, Lost, Reported, Retried, Started, TrialHistory, now_ms
from automl.journal import results as told
from automl.machine.folders import MODEL, trial_folder
from automl.oracles import WAIT, Done, Proposer
from automl.records.alive import Alive
from automl.records.data import DataSpec
from automl.records.trials import SCORED, Begun, Measured, Report, TrialRequest, TrialResult, WorkerLost
from automl.tracking import Tracker
from automl.training.evaluation import hashed_seed
from automl.worker.trial import CHECKPOINT, run_trial

POLL_S = 1.0


def trial_seed(search_seed: int, number: int) -> int:
    """Returns the seed of a trial: 32 bits that depend on the search's seed and the trial's number alone."""
    return hashed_seed(search_seed, number)


STOPPED = "it was stopped"
"""Why a search ended that was asked to."""


def _go_on() -> None:
    """Wishes nothing."""


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
        wish: Tells whether somebody wants the search to stop: now, or once its running trials have ended.
        began: When this driver began, by the monotonic clock.
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
    wish: Callable[[], Wish | None] = _go_on
    began: float = field(default_factory=time.monotonic)
    _running: int = 0

    def __post_init__(self) -> None:
        self.ranking = Ranking(self.experiment.goals)
        given = self.tracker, self.experiment, self.data, self.history.header, self.ranking, self.history.baselines
        self.teller = Teller(*given)
        self.retries = Retries(self.experiment)
        self.limit = Limit(self.experiment.search.timeout_s, self.history.seconds, self.began)
        self._tidy = Tidy(self.folder)

    def search(self) -> str:
        """Runs trials until the budget is spent or nothing is left to propose.

        Returns:
            Why it ended.

        Raises:
            KeyboardInterrupt: Somebody wants it to stop now.
        """
        waiting = self._recall()
        over: str | None = None
        while True:
            self.check()
            self.tracker.flush_if_due()
            if over != STOPPED and self.wish() == "drain":
                over, waiting = STOPPED, []
                self.watcher.say("stopping once the running trials have ended; Ctrl-C again stops at once")
            # A budget that is spent may not stay so: a trial that turns out impossible to build gives its place back.
            reason = over
            while self.executor.free and (waiting or reason is None):
                if waiting:
                    trial = waiting.pop(0)
                    self._submit(trial.asked, trial.attempts + 1)
                else:
                    proposal = self._propose()
                    if proposal is None:
                        break
                    if isinstance(proposal, Asked):
                        self._submit(proposal, 1)
                    elif isinstance(proposal, Done):
                        reason = over = proposal.reason
                        break
                    else:
                        reason = proposal
                        break
                self._running += 1
            if not self._running and not waiting:
                return reason or "no trial can be proposed"
            self.executor.wait(POLL_S, self._follow, self.retries.silence_s())

    def check(self) -> None:
        """Leaves the search when somebody wants it to stop now.

        Raises:
            KeyboardInterrupt: Somebody does.
        """
        if self.wish() == "now":
            raise KeyboardInterrupt

    def _recall(self) -> list[TrialHistory]:
        """Takes up what the journal knows; returns the trials that were running when its driver ended."""
        trials = self.history.trials
        for number, trial in trials.items():
            self.ranking.ask(trial.asked)
            for report in trial.reports:
                self.ranking.report(number, report.epoch, report.metrics, report.part)
            for each in trial.measured:
                self.ranking.measure(told.training(each))
        self.retries.recall(trials)
        for trial in sorted(trials.values(), key=lambda t: t.ended.time if t.ended else 0):
            if trial.ended is not None:
                model = trial_folder(self.folder, trial.asked.number) / MODEL
                self.ranking.end(told.result(trial.ended, str(model) if model.exists() else None))
        self._tidy.after(self.ranking)
        return [trial for trial in trials.values() if trial.ended is None]

    def _propose(self) -> Asked | Done | str | None:
        """Asks the oracle; returns its proposal, its end, the budget that is spent, or None to wait."""
        search = self.experiment.search
        if reason := budget.spent(search, self.ranking, self.limit.seconds()):
            return reason
        proposal = self.proposer.ask()
        if proposal is WAIT:
            return None
        if isinstance(proposal, Done):
            return proposal
        seed = trial_seed(search.seed, proposal.number)
        epochs = experiment.epochs(self.experiment.trial(proposal.values))
        rungs = search.judge.rungs(epochs, self.ranking.others())
        asked = Asked(proposal.number, proposal.values, seed, now_ms(), rungs)
        self.journal.append(asked)
        self.ranking.ask(asked)
        return asked

    def _submit(self, asked: Asked, attempt: int) -> None:
        folder = trial_folder(self.folder, asked.number)
        folder.mkdir(parents=True, exist_ok=True)
        request = replace(
            self.request(asked),
            attempt=attempt,
            rungs=asked.rungs,
            time_s=self.experiment.search.trial_timeout_s,
            measured=tuple(self.ranking.measured.get(asked.number, ())),
        )
        self.retries.began(asked.number)
        self.journal.append(Started(asked.number, attempt, now_ms()))
        self.executor.submit(self.run, request)
        # At another batch size its epochs begin anew.
        fresh = asked.number in self.retries.changes and not self.ranking.curves[asked.number].costs
        self.teller.started(asked, request.document, attempt, anew=fresh)
        epochs = request.epochs * self.experiment.evaluation.parts
        self.watcher.trial_started(asked.number, dict(asked.values), epochs)

    def request(self, asked: Asked) -> TrialRequest:
        """Returns what a worker is given to train a trial once, undisturbed, from its first epoch to its last."""
        resolved = self.resolved(asked)
        return TrialRequest(
            trial=asked.number,
            attempt=1,
            document=resolved,
            seed=resolved["training"]["seed"],
            data=self.data,
            folder=str(trial_folder(self.folder, asked.number)),
            goals=self.experiment.goals,
            epochs=experiment.epochs(resolved),
        )

    def resolved(self, asked: Asked) -> dict[str, Any]:
        """Returns the document of a trial."""
        changes = self.retries.changes.get(asked.number)
        return self.experiment.trial(asked.values, asked.seed, self.data.digest, changes)

    def _follow(self, event: Event) -> bool:
        """Records an event; returns whether its trial goes on."""
        if isinstance(event, WorkerLost):
            # No word of the trial's: how long a hang was waited for says nothing of how long an epoch takes.
            self._lost(event)
            return True
        if isinstance(event, Begun):
            self.retries.began(event.trial)
            return True
        self.retries.heard(event.trial)
        if isinstance(event, Alive):
            self.watcher.alive(event)
            return self.limit.goes_on(event, self.ranking, self.watcher.say)
        if isinstance(event, Report):
            return self._report(event)
        if isinstance(event, Measured):
            return self._measured(event)
        if isinstance(event, TrialResult) and not (event.outcome == "oom" and self._halved(event)):
            self._end(event)
        return True

    def _report(self, report: Report) -> bool:
        """Records an epoch, unless the journal has it: a trial that goes on from a checkpoint trains some again."""
        number = report.trial
        if self.ranking.report(number, report.epoch, report.metrics, report.part):
            time_ms = now_ms()
            facts = (report.epoch, report.metrics, time_ms, report.nonfinite)
            event = Reported(number, report.attempt, *facts, report.part, report.usage, report.health, report.phase)
            self.journal.append(event)
            self.teller.epoch(event)
            self.watcher.epoch(report)
        if not report.waits:
            return True
        own = self.ranking.curves[number]
        # An earlier attempt that came further was let on here; who came since has no say in it.
        passed = len(own.costs) > report.epoch
        return passed or self.experiment.search.judge.goes_on(own, self.ranking.others(number))

    def _measured(self, training: Measured) -> bool:
        """Records one of a trial's trainings; drops the trial when the first one shows that it is hopeless."""
        if self.ranking.measure(training):
            self.journal.append(told.measured(training, now_ms()))
        races = self.experiment.evaluation.race and training.part == 1
        return not (races and self.ranking.hopeless(training.trial))

    def _lost(self, event: WorkerLost) -> None:
        """Tries a trial again whose worker died, or gives it up."""
        number = event.trial
        self.journal.append(Lost(number, event.attempt, now_ms(), event.message))
        # One that hung is not: each time costs what was waited for it.
        if not event.hung and self.retries.lost(number) and not self.limit.is_over:
            self.watcher.say(f"t{number:03d}  {event.message}; it is tried again")
            self._submit(self.ranking.asked[number], event.attempt + 1)
        else:
            self._end(TrialResult(number, event.attempt, "lost", message=event.message))

    def _halved(self, result: TrialResult) -> bool:
        """Tries a trial that ran out of memory once more, at half the batch size; tells whether it can."""
        number, asked = result.trial, self.ranking.asked[result.trial]
        sizes = None if self.limit.is_over else self.retries.halved(asked)
        if sizes is None:
            return False
        message = f"out of memory at batch size {sizes[0]}"
        self.journal.append(Retried(number, result.attempt, now_ms(), self.retries.changes[number], message))
        self.watcher.say(f"t{number:03d}  {message}; it is tried again at {sizes[1]}")
        (trial_folder(self.folder, number) / CHECKPOINT).unlink(missing_ok=True)
        self.ranking.again(number)
        self._submit(asked, result.attempt + 1)
        return True

    def _end(self, result: TrialResult) -> None:
        result = replace(result, message=self.retries.remarked(self.ranking.asked[result.trial], result))
        self._running -= 1
        self.proposer.tell(result.trial, result.score if result.outcome in SCORED else None)
        ended = told.end(result, now_ms())
        self.journal.append(ended)
        self.ranking.end(result)
        self._tidy.after(self.ranking)
        self.teller.ended(result, ended.time)
        self.watcher.trial_ended(result, self.ranking.best)
