from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from automl.driver import loop
from automl.driver.loop import STOPPED, Loop, trial_seed
from automl.driver.mirroring import Mirroring
from automl.driver.progress import Watcher
from automl.executors import WORKER_LOST, Event, Follow
from automl.experiment import experiment
from automl.experiment.experiment import Experiment
from automl.journal import Asked, Finished, Header, Journal, Retried, Started, replay
from automl.machine.folders import MODEL, trial_folder
from automl.model import build
from automl.oracles import WAIT, Ask, Done
from automl.records.alive import Alive
from automl.records.objective import Goals
from automl.records.trials import Measured, Report, TrialRequest, TrialResult, WorkerLost
from automl.worker.trial import CHECKPOINT, run_trial

SPACE = """
model:
  - conv: {filters: {min: 1, max: 99}}
training: {epochs: 3}
search: {objective: val_accuracy, trials: 4, seed: 7}
"""
DATA = replace(build.data_of((8, 8, 1), 2), name="toy", digest="d" * 64, sizes={"train": 1})


@dataclass
class Proposals:
    """Stands for an oracle: hands out `asks` in order, and notes what it is told."""

    asks: list[Any]
    told: dict[int, float | None] = field(default_factory=dict)
    given: int = 0

    def ask(self) -> Any:
        self.given += 1
        if self.given > len(self.asks):
            return Done("the space is exhausted")
        return self.asks[self.given - 1]

    def tell(self, number: int, score: float | None) -> None:
        self.told[number] = score


class Script:
    """Stands for an executor: what becomes of a request is a function of it."""

    def __init__(self, plan: Callable[[TrialRequest], list[Event]], workers: int = 1) -> None:
        self.plan, self.workers = plan, workers
        self.requests: list[TrialRequest] = []
        self.waiting: list[TrialRequest] = []
        self.verdicts: list[bool] = []
        self.silences: list[float] = []

    @property
    def free(self) -> int:
        return self.workers - len(self.waiting)

    def submit(self, run: Any, request: TrialRequest) -> None:
        assert self.free
        self.requests.append(request)
        self.waiting.append(request)

    def wait(self, timeout_s: float, follow: Follow, silence_s: float) -> None:
        self.silences.append(silence_s)
        # The last one first: trials of several workers end in another order than they began.
        for event in self.plan(self.waiting.pop()) if self.waiting else []:
            self.verdicts.append(follow(event))

    def close(self) -> None: ...


class Told:
    """Stands for the tracker: notes the calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **options: self.calls.append((name, (*args, *options.values())))

    def of(self, name: str) -> list[tuple[Any, ...]]:
        return [args for called, args in self.calls if called == name]


class Screen(Watcher):
    def __init__(self) -> None:
        self.said: list[str] = []
        self.ended: list[tuple[int, int | None]] = []
        self.alive_: list[Alive] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def alive(self, alive: Alive) -> None:
        self.alive_.append(alive)

    def trial_ended(self, result: TrialResult, best: TrialResult | None) -> None:
        self.ended.append((result.trial, best.trial if best else None))


def asks(*filters: int, **more: Any) -> list[Ask]:
    return [Ask(number, {"conv.filters": value}, **more) for number, value in enumerate(filters, start=1)]


def scored(request: TrialRequest, score: float, epochs: int = 1) -> list[Event]:
    """A trial that succeeds, and saves its files."""
    for name in (MODEL, CHECKPOINT):
        (Path(request.folder) / name).touch()
    metrics = {"loss": 0.5, "val_accuracy": score}
    reports = [Report(request.trial, request.attempt, epoch, metrics) for epoch in range(1, epochs + 1)]
    ended = TrialResult(request.trial, request.attempt, "completed", score, 1, metrics, epochs, 0.1, 10)
    return [*reports, ended]


@dataclass
class Table:
    """All that a loop needs, and what became of it."""

    read: Experiment
    folder: Path
    journal: Journal

    def lay(self, proposals: Any, executor: Any) -> Loop:
        parts = (self.journal.replay(), proposals, executor, Told(), Screen())
        return Loop(self.read, DATA, self.folder, self.journal, *parts)  # type: ignore[arg-type]

    def events(self) -> list[str]:
        lines = (self.folder / "journal.jsonl").read_text().splitlines()
        return [f"{e['event']} {e.get('number', '')}".strip() for e in map(json.loads, lines)]


Lay = Callable[..., Table]


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Lay]:
    made: list[Journal] = []

    def lay(document: str = SPACE) -> Table:
        file = tmp_path / "space.yaml"
        file.write_text(document)
        read = experiment.load(str(file))
        settings = {"space": "space", "name": "space-toy", "workers": 1}
        header = Header("s", 1, read.document.data, None, (), read.search.seed, 1, "tensorflow", {}, "here", settings)
        made.append(Journal.create(tmp_path / "s", header))
        return Table(read, tmp_path / "s", made[-1])

    yield lay
    for journal in made:
        journal.close()


def score_of(**by_trial: float) -> Callable[[TrialRequest], list[Event]]:
    return lambda request: scored(request, by_trial[f"t{request.trial}"])


def test_a_search_ends_when_its_trials_are_done(table: Lay) -> None:
    proposals = Proposals(asks(1, 2, 3, 4, 5))
    laid = table().lay(proposals, Script(lambda r: scored(r, r.trial / 10)))
    assert laid.search() == "all 4 trials are done"
    assert proposals.told == {1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4}
    assert laid.ranking.counts() == {"completed": 4, "failed": 0, "stopped": 0, "timeout": 0, "infeasible": 0}
    assert laid.ranking.best is not None
    assert laid.ranking.best.trial == 4


def test_a_search_ends_when_nothing_is_left_to_propose(table: Lay) -> None:
    laid = table().lay(Proposals(asks(1, 2)), Script(lambda r: scored(r, 0.5)))
    assert laid.search() == "the space is exhausted"
    assert len(laid.ranking.results) == 2


def test_a_search_waits_for_a_running_trial_before_it_asks_again(table: Lay) -> None:
    one, two = asks(1, 2)
    executor = Script(lambda r: scored(r, 0.5), workers=2)
    laid = table().lay(Proposals([one, WAIT, two]), executor)
    assert laid.search() == "the space is exhausted"
    assert [request.trial for request in executor.requests] == [1, 2]


def test_a_search_that_waits_for_nothing_ends(table: Lay) -> None:
    laid = table().lay(Proposals([WAIT]), Script(lambda r: scored(r, 0.5)))
    assert laid.search() == "no trial can be proposed"


def test_no_trial_starts_after_the_time_is_over(table: Lay, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: clock[0])

    def work(request: TrialRequest) -> list[Event]:
        clock[0] += 25.0
        return scored(request, 0.5)

    laid = table(SPACE.replace("trials: 4", "time: 1m")).lay(Proposals(asks(*range(1, 99))), Script(work))
    laid.limit.began = clock[0]
    laid.limit.before_s = 20.0  # an earlier driver's
    assert laid.search() == "the time of 1m is over"
    assert len(laid.ranking.results) == 2


class Ticking(Script):
    """Stands for workers that run side by side: each wait takes a second, and each trial says what it is at."""

    def __init__(self, clock: list[float], epoch_s: int, workers: int) -> None:
        super().__init__(lambda request: [], workers)
        self.clock, self.epoch_s = clock, epoch_s
        self.worked: dict[int, int] = {}

    def wait(self, timeout_s: float, follow: Follow, silence_s: float) -> None:
        self.clock[0] += 1.0
        for request in list(self.waiting):
            trial, seconds = request.trial, self.worked.get(request.trial, 0) + 1
            self.worked[trial] = seconds
            epoch, rest = divmod(seconds, self.epoch_s + trial)  # the first one is the fastest
            metrics = {"loss": 0.5, "val_accuracy": trial / 10}
            if rest == 0:
                follow(Report(trial, 1, epoch, metrics))
            outcome: Any = "completed" if epoch == request.epochs else None
            if not follow(Alive(trial, 1, "train", epoch + 1, rest, self.epoch_s + trial)):
                outcome = "timeout"
            if outcome is not None:
                self.waiting.remove(request)
                score = trial / 10 if epoch else None
                follow(TrialResult(trial, 1, outcome, score, 1, metrics, epoch, seconds))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found = [100.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: found[0])
    return found


def timed(table: Lay, executor: Any, limit: str, began: float = 100.0) -> Loop:
    laid = table(SPACE.replace("trials: 4", f"time: {limit}")).lay(Proposals(asks(*range(1, 99))), executor)
    laid.limit.began = began
    return laid


def test_a_search_ends_with_its_time_and_running_trials_keep_their_best(table: Lay, clock: list[float]) -> None:
    laid = timed(table, Ticking(clock, epoch_s=20, workers=2), "30s")
    assert laid.search() == "the time of 30s is over"
    assert clock[0] - 100.0 == 30.0
    results = laid.ranking.results
    assert {number: (each.outcome, each.epochs, each.score) for number, each in results.items()} == {
        1: ("timeout", 1, 0.1),
        2: ("timeout", 1, 0.2),
    }
    assert laid.ranking.best is not None
    assert laid.ranking.best.trial == 2
    assert laid.watcher.said == []  # type: ignore[attr-defined]


def test_where_nothing_has_a_score_the_furthest_trial_ends_its_epoch(table: Lay, clock: list[float]) -> None:
    laid = timed(table, Ticking(clock, epoch_s=50, workers=3), "30s")
    assert laid.search() == "the time of 30s is over"
    assert clock[0] - 100.0 == 51.0
    outcomes = {number: (each.outcome, each.score) for number, each in laid.ranking.results.items()}
    assert outcomes == {1: ("timeout", 0.1), 2: ("timeout", None), 3: ("timeout", None)}
    said = ["the time is over and nothing has a score yet: t001 ends its epoch first"]
    assert laid.watcher.said == said  # type: ignore[attr-defined]


def test_a_trial_begins_however_long_the_start_took(table: Lay, clock: list[float]) -> None:
    laid = timed(table, Ticking(clock, epoch_s=5, workers=3), "30s", began=0.0)
    assert laid.search() == "the time of 30s is over"
    assert {number: (each.outcome, each.epochs) for number, each in laid.ranking.results.items()} == {1: ("timeout", 1)}


def test_no_trial_is_tried_again_when_the_time_is_over(table: Lay, clock: list[float]) -> None:
    def work(request: TrialRequest) -> list[Event]:
        clock[0] += 40.0
        lost = WorkerLost(request.trial, request.attempt, WORKER_LOST)
        return [lost] if request.trial == 1 else [TrialResult(request.trial, request.attempt, "oom", message="no room")]

    laid = timed(table, Script(work, workers=2), "30s")
    laid.search()
    assert {number: each.outcome for number, each in laid.ranking.results.items()} == {1: "lost", 2: "oom"}


def test_what_a_worker_is_asked(table: Lay) -> None:
    parts = table()
    executor = Script(lambda r: scored(r, 0.5))
    parts.lay(Proposals([Ask(1, {"conv.filters": 4}), Ask(2, {"conv.filters": 5})]), executor).search()
    first, second = executor.requests
    assert (first.trial, first.attempt, first.epochs, first.rungs) == (1, 1, 3, ())
    assert first.goals == Goals.single("val_accuracy", "max")
    assert first.document["model"] == [{"conv": {"filters": 4}}]
    assert first.seed == first.document["training"]["seed"] == trial_seed(7, 1)
    assert Path(first.folder) == trial_folder(parts.folder, 1)
    assert Path(first.folder).is_dir()
    assert second.trial == 2


def test_a_scheduler_stops_what_promises_little(table: Lay) -> None:
    """Trial n scores n / 10 at once and forever; the rungs of asha at nine epochs are 1 and 3."""
    parts = table(SPACE.replace("epochs: 3", "epochs: 9").replace("trials: 4", "trials: 6, scheduler: asha"))

    def plan(request: TrialRequest) -> list[Event]:
        score = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2][request.trial - 1]
        metrics = {"loss": 0.5, "val_accuracy": score}
        reports = [Report(request.trial, 1, epoch, metrics, waits=epoch in request.rungs) for epoch in (1, 2, 3)]
        return [*reports, TrialResult(request.trial, 1, "completed", score, 1, metrics, 3, 0.1, 10)]

    executor = Script(plan)
    parts.lay(Proposals(asks(*range(1, 7))), executor).search()
    assert {request.rungs for request in executor.requests} == {(1, 3)}
    at_first_rung = executor.verdicts[::4]
    assert at_first_rung == [True, False, True, False, True, False]
    assert all(executor.verdicts[1::4])  # nobody is judged between rungs
    assert replay(parts.folder).trials[1].asked.rungs == (1, 3)


def test_a_rung_that_was_passed_is_passed_again(table: Lay) -> None:
    """The worker of the worst trial dies behind its rung; who came there meanwhile does not push it off."""
    parts = table(SPACE.replace("epochs: 3", "epochs: 9").replace("trials: 4", "trials: 2, scheduler: asha"))

    def plan(request: TrialRequest) -> list[Event]:
        metrics = {"loss": 0.5, "val_accuracy": request.trial / 10}
        epochs = (1, 2) if request.trial == 1 and request.attempt == 1 else (1, 2, 3)
        reports = [Report(request.trial, request.attempt, epoch, metrics, waits=epoch == 1) for epoch in epochs]
        lost = WorkerLost(request.trial, request.attempt, WORKER_LOST)
        return [*reports, lost] if len(epochs) == 2 else [*reports, scored(request, request.trial / 10)[-1]]

    class Swapped(Script):
        def wait(self, timeout_s: float, follow: Follow, silence_s: float) -> None:
            order = [(1, 2), (2, 1), (1, 1)]  # the last one first
            self.waiting.sort(key=lambda request: order.index((request.trial, request.attempt)))
            super().wait(timeout_s, follow, silence_s)

    executor = Swapped(plan, workers=2)
    parts.lay(Proposals(asks(1, 2)), executor).search()
    assert [(request.trial, request.attempt) for request in executor.requests] == [(1, 1), (2, 1), (1, 2)]
    assert all(executor.verdicts)


def test_epochs_that_are_trained_again_are_recorded_once(table: Lay) -> None:
    """After its worker's death a trial goes on from a checkpoint some epochs back."""
    parts = table()

    def plan(request: TrialRequest) -> list[Event]:
        first = 1 if request.attempt == 1 else 2
        told = {epoch: {"loss": 0.5, "val_accuracy": epoch / 10} for epoch in (1, 2, 3)}
        reports: list[Event] = [Report(request.trial, request.attempt, e, told[e]) for e in (1, 2, 3) if e >= first]
        if request.attempt == 1:
            return [*reports, WorkerLost(request.trial, 1, WORKER_LOST)]
        return [*reports, TrialResult(request.trial, 2, "completed", 0.3, 3, told[3], 3, 0.1, 10)]

    laid = parts.lay(Proposals(asks(1)), Script(plan))
    laid.search()
    assert [event for event in parts.events() if "report" in event] == ["report 1"] * 3
    assert [args[1] for args in laid.tracker.of("epoch")] == [1, 2, 3]  # type: ignore[attr-defined]
    assert laid.ranking.curves[1].costs == [-0.1, -0.2, -0.3]


def test_a_trial_whose_values_exclude_each_other_is_submitted_as_any_other(table: Lay) -> None:
    text = SPACE.replace("epochs: 3", "epochs: 3, clipnorm: {values: [null, 1.0]}, clipvalue: {values: [null, 1.0]}")
    executor = Script(lambda r: [run_trial(r, lambda report: None)])
    clash = {"conv.filters": 1, "training.clipnorm": 1.0, "training.clipvalue": 1.0}
    laid = table(text).lay(Proposals([Ask(1, clash)]), executor)
    laid.search()
    assert executor.requests[0].epochs == 3
    assert laid.ranking.results[1].outcome == "infeasible"
    assert laid.ranking.results[1].message == (
        "training: clipnorm and clipvalue exclude each other: Keras takes one of them"
    )


def test_a_seed_of_the_documents_own_stays(table: Lay) -> None:
    executor = Script(lambda r: scored(r, 0.5))
    table(SPACE.replace("epochs: 3", "epochs: 3, seed: 0")).lay(Proposals(asks(1, 2)), executor).search()
    assert [request.seed for request in executor.requests] == [0, 0]


def test_seeds_of_trials_differ_and_depend_on_search_and_number_alone() -> None:
    seeds = {trial_seed(search, number) for search in range(20) for number in range(1, 51)}
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert trial_seed(0, 1) == trial_seed(0, 1) == 4011020074


def test_the_journal_knows_a_trial_before_a_worker_does(table: Lay) -> None:
    parts = table()
    seen = []

    def work(request: TrialRequest) -> list[Event]:
        seen.append(parts.events()[-2:])
        return scored(request, 0.5, epochs=2)

    parts.lay(Proposals(asks(1)), Script(work)).search()
    assert seen == [["ask 1", "start 1"]]
    assert parts.events() == ["header", "ask 1", "start 1", "report 1", "report 1", "end 1"]
    told = replay(parts.folder)
    assert told.trials[1].ended is not None
    assert told.trials[1].ended.score == 0.5


def test_a_lost_worker_costs_an_attempt_and_three_the_trial(table: Lay) -> None:
    parts = table()

    def work(request: TrialRequest) -> list[Event]:
        if request.trial == 2:
            return [
                Report(2, request.attempt, 1, {"loss": 1.0}),
                WorkerLost(2, request.attempt, f"{WORKER_LOST} (SIGKILL)"),
            ]
        return scored(request, 0.5)

    executor, proposals = Script(work), Proposals(asks(1, 2, 3, 4))
    laid = parts.lay(proposals, executor)
    laid.search()
    assert [request.attempt for request in executor.requests if request.trial == 2] == [1, 2, 3]
    assert len({request.seed for request in executor.requests if request.trial == 2}) == 1
    assert proposals.told == {1: 0.5, 2: None, 3: 0.5, 4: 0.5}
    lost = laid.ranking.results[2]
    assert (lost.outcome, lost.attempt, lost.score) == ("lost", 3, None)
    assert "SIGKILL" in (lost.message or "")
    assert laid.ranking.counts() == {"completed": 3, "failed": 1, "stopped": 0, "timeout": 0, "infeasible": 0}
    told = replay(parts.folder).trials[2]
    assert [event.attempt for event in told.lost] == [1, 2, 3]
    assert told.attempts == 3
    assert laid.watcher.said == [f"t002  {WORKER_LOST} (SIGKILL); it is tried again"] * 2  # type: ignore[attr-defined]


def test_a_trial_that_comes_back_after_a_loss_counts_as_any_other(table: Lay) -> None:
    def work(request: TrialRequest) -> list[Event]:
        return [WorkerLost(1, 1, WORKER_LOST)] if request.attempt == 1 else scored(request, 0.5)

    laid = table().lay(Proposals(asks(1)), Script(work))
    laid.search()
    assert (laid.ranking.results[1].outcome, laid.ranking.results[1].attempt) == ("completed", 2)


@pytest.mark.parametrize("outcome", ["error", "diverged", "infeasible"])
def test_a_failed_trial_gives_the_oracle_no_number(table: Lay, outcome: Any) -> None:
    def work(request: TrialRequest) -> list[Event]:
        if request.trial == 2:
            return [TrialResult(2, 1, outcome, message="why", traceback="Traceback ...")]
        return scored(request, 0.5)

    proposals = Proposals(asks(1, 2, 3))
    laid = table().lay(proposals, Script(work))
    laid.search()
    assert proposals.told == {1: 0.5, 2: None, 3: 0.5}
    assert laid.ranking.ranks() == {1: 1, 3: 2}
    ended = laid.journal.replay().trials[2].ended
    assert ended is not None
    assert (ended.outcome, ended.message, ended.traceback) == (outcome, "why", "Traceback ...")
    (told,) = (result for result, _ in laid.tracker.of("trial_ended") if result.trial == 2)  # type: ignore[attr-defined]
    assert told.outcome == outcome


def test_nothing_that_succeeds_is_no_best(table: Lay) -> None:
    laid = table().lay(Proposals(asks(1, 2)), Script(lambda r: [TrialResult(r.trial, 1, "error")]))
    laid.search()
    assert laid.ranking.best is None
    assert laid.ranking.ranks() == {}
    assert [args[0] for args in laid.tracker.of("progress")] == [None, None]  # type: ignore[attr-defined]


def test_the_best_is_kept_whatever_the_direction(table: Lay) -> None:
    losses = SPACE.replace("val_accuracy", "val_loss")
    laid = table(losses).lay(Proposals(asks(1, 2, 3)), Script(score_of(t1=0.3, t2=0.1, t3=0.2)))
    laid.search()
    assert laid.ranking.best is not None
    assert laid.ranking.best.trial == 2
    assert laid.ranking.ranks() == {2: 1, 3: 2, 1: 3}
    assert [args[:2] for args in laid.tracker.of("progress")] == [(0.3, 1), (0.1, 2), (0.1, 3)]  # type: ignore[attr-defined]


def test_of_equals_the_earlier_trial_is_best_though_it_ends_later(table: Lay) -> None:
    """As the ranks and the leaderboard say: the model that is kept must be the one they name."""
    parts = table()
    laid = parts.lay(Proposals(asks(1, 2)), Script(score_of(t1=0.5, t2=0.5), workers=2))
    laid.search()
    assert [trial for trial, _ in laid.watcher.ended] == [2, 1]  # type: ignore[attr-defined]
    assert laid.ranking.ranks() == {1: 1, 2: 2}
    assert laid.ranking.best is not None
    assert laid.ranking.best.trial == 1
    assert [path.parent.name for path in sorted(parts.folder.rglob(MODEL))] == ["t001"]


def test_the_loss_tells_equal_trials_apart_live_and_from_the_journal(table: Lay) -> None:
    parts = table()
    losses = {1: 0.324, 2: 0.012, 3: 0.2, 4: 0.012}

    def work(request: TrialRequest) -> list[Event]:
        *reports, ended = scored(request, 1.0)
        assert isinstance(ended, TrialResult)
        return [*reports, replace(ended, loss=losses[request.trial])]

    laid = parts.lay(Proposals(asks(1, 2, 3, 4)), Script(work))
    laid.search()
    again = parts.lay(Proposals([]), Script(work))
    again.search()
    for ranking in (laid.ranking, again.ranking):
        assert ranking.ranks() == {2: 1, 4: 2, 3: 3, 1: 4}
        assert ranking.best is not None
        assert ranking.best.trial == 2
    assert [path.parent.name for path in sorted(parts.folder.rglob(MODEL))] == ["t002"]


def test_trials_of_an_earlier_version_which_kept_no_loss_stand_as_they_stood(table: Lay) -> None:
    """The model of the one that was best is the only one left."""
    parts = table()
    parts.lay(Proposals(asks(1, 2, 3, 4)), Script(score_of(t1=0.5, t2=1.0, t3=1.0, t4=0.9))).search()
    file = parts.folder / "journal.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line in lines:
        if line["event"] == "end":
            assert line.pop("loss") is None
            line["metrics"]["val_loss"] = 1 / line["number"]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    laid = parts.lay(Proposals([]), Script(lambda _: []))
    laid.search()
    assert laid.ranking.ranks() == {2: 1, 3: 2, 4: 3, 1: 4}
    assert [path.parent.name for path in sorted(parts.folder.rglob(MODEL))] == ["t002"]


def test_only_the_best_model_stays_and_no_checkpoint(table: Lay) -> None:
    parts = table()
    parts.lay(Proposals(asks(1, 2, 3, 4)), Script(score_of(t1=0.1, t2=0.4, t3=0.3, t4=0.2))).search()
    assert [path.parent.name for path in sorted(parts.folder.rglob(MODEL))] == ["t002"]
    assert list(parts.folder.rglob(CHECKPOINT)) == []


def test_the_tracker_is_told_what_the_journal_is(table: Lay) -> None:
    parts = table()
    laid = parts.lay(Proposals(asks(8)), Script(lambda r: scored(r, 0.5, epochs=2)))
    laid.search()
    told = replay(parts.folder).trials[1]
    ((number, values, text, time_ms, attempt, anew, name, logs),) = laid.tracker.of("trial_started")  # type: ignore[attr-defined]
    assert (number, values, time_ms, attempt, anew) == (1, {"conv.filters": 8}, told.asked.time, 1, False)
    assert (name, logs) == ("t001 8", {})
    assert "filters: 8" in text
    assert [args[:4] for args in laid.tracker.of("epoch")] == [  # type: ignore[attr-defined]
        (1, report.epoch, report.metrics, report.time) for report in told.reports
    ]
    ((result, ended_ms),) = laid.tracker.of("trial_ended")  # type: ignore[attr-defined]
    assert told.ended is not None
    assert (result.score, ended_ms) == (told.ended.score, told.ended.time)


def interrupted(parts: Table, executor: Script) -> Loop:
    """A search whose driver dies."""
    laid = parts.lay(Proposals(asks(1, 2, 3, 4)), executor)
    with pytest.raises(KeyboardInterrupt):
        laid.search()
    return laid


def test_a_resumed_search_runs_what_was_running_and_then_goes_on(table: Lay) -> None:
    parts = table()

    def work(request: TrialRequest) -> list[Event]:
        if request.trial == 3:
            raise KeyboardInterrupt
        return scored(request, request.trial / 10)

    first = interrupted(parts, Script(work))
    assert parts.events()[-2:] == ["ask 3", "start 3"]

    executor = Script(lambda r: scored(r, r.trial / 10))
    proposals = Proposals([Ask(4, {"conv.filters": 4})])
    laid = parts.lay(proposals, executor)
    assert laid.search() == "all 4 trials are done"
    assert [(request.trial, request.attempt) for request in executor.requests] == [(3, 2), (4, 1)]
    assert executor.requests[0].seed == trial_seed(7, 3)
    assert proposals.told == {3: 0.3, 4: 0.4}
    assert laid.ranking.ranks() == {4: 1, 3: 2, 2: 3, 1: 4}
    assert first.ranking.best is not None


def test_the_tracker_can_be_told_all_of_it_again_from_the_journal(table: Lay) -> None:
    """A driver that was killed had not told it everything, and a store may be lost."""
    parts = table(f"{SPACE}data: digits\n")

    def work(request: TrialRequest) -> list[Event]:
        number, attempt = request.trial, request.attempt
        if number == 2 and attempt == 1:
            return [Report(2, 1, 1, {"val_accuracy": 0.3}), WorkerLost(2, 1, WORKER_LOST)]
        if number == 3 and attempt == 1:
            return [TrialResult(3, 1, "oom")]
        if number == 4:
            raise KeyboardInterrupt
        return scored(request, (0.2, 0.1, 0.4)[number - 1], epochs=2)

    told = interrupted(parts, Script(work)).tracker.calls  # type: ignore[attr-defined]
    tracker: Any = Told()
    mirroring = Mirroring(tracker, DATA)
    mirroring.tell(parts.journal.events())
    assert tracker.calls[0][0] == "start"

    def without_anew(calls: list[tuple[str, tuple[Any, ...]]]) -> list[tuple[str, tuple[Any, ...]]]:
        # But for the run of trial 3, which began anew: its journal holds nothing that it would have to lose.
        cut = ((name, (*args[:5], *args[6:]) if name == "trial_started" else args) for name, args in calls)
        return [(name, args) for name, args in cut if name != "flush_if_due"]

    assert without_anew(tracker.calls[1:]) == without_anew(told)
    assert mirroring.running == [4]
    assert [args[:2] for args in tracker.of("progress")] == [(0.2, 1), (0.2, 2), (0.4, 3)]
    assert [args[4] for args in tracker.of("trial_started")] == [1, 1, 2, 1, 2, 1]


def test_losses_are_counted_over_resumes(table: Lay) -> None:
    parts = table()
    seen = []

    def work(request: TrialRequest) -> list[Event]:
        seen.append(request.attempt)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return [WorkerLost(1, request.attempt, WORKER_LOST)]

    interrupted(parts, Script(work))
    executor = Script(lambda r: [WorkerLost(1, r.attempt, WORKER_LOST)])
    laid = parts.lay(Proposals([]), executor)
    laid.search()
    # The attempt that ended with its driver is no loss of a worker.
    assert [request.attempt for request in executor.requests] == [3, 4]
    assert laid.ranking.results[1].outcome == "lost"


def test_a_resumed_search_cleans_up_after_the_driver_that_died(table: Lay) -> None:
    parts = table()
    parts.lay(Proposals(asks(1, 2)), Script(score_of(t1=0.5, t2=0.1))).search()
    (trial_folder(parts.folder, 2) / MODEL).touch()  # its driver died before it cleaned
    laid = parts.lay(Proposals([]), Script(lambda r: scored(r, 0.5)))
    laid.search()
    assert [path.parent.name for path in sorted(parts.folder.rglob(MODEL))] == ["t001"]
    assert laid.ranking.best is not None
    assert laid.ranking.best.model == str(trial_folder(parts.folder, 1) / MODEL)


def test_a_continued_search_counts_the_trials_it_had(table: Lay) -> None:
    parts = table()
    parts.lay(Proposals(asks(1, 2, 3, 4)), Script(lambda r: scored(r, 0.5))).search()
    parts.journal.append(Finished("completed", "done", 5))
    executor = Script(lambda r: scored(r, 0.5))
    assert parts.lay(Proposals([]), executor).search() == "all 4 trials are done"
    assert executor.requests == []


def test_a_search_is_left_between_two_steps_only(table: Lay) -> None:
    """Never between a trial's end and the record of it."""
    parts = table()
    laid = parts.lay(Proposals(asks(1, 2, 3)), Script(lambda r: scored(r, 0.5, epochs=2)))

    laid.wish = lambda: "now" if 2 in laid.ranking.results else None
    with pytest.raises(KeyboardInterrupt):
        laid.search()
    assert parts.events()[-1] == "end 2"
    assert [args[1] for args in laid.tracker.of("progress")] == [1, 2]  # type: ignore[attr-defined]


def test_a_search_that_shall_stop_lets_its_trials_end(table: Lay) -> None:
    parts = table()
    executor = Script(lambda r: scored(r, 0.5), workers=2)
    laid = parts.lay(Proposals(asks(1, 2, 3, 4)), executor)
    laid.wish = lambda: "drain" if executor.requests else None
    assert laid.search() == STOPPED
    assert laid.ranking.results.keys() == {1, 2}
    assert laid.watcher.said == ["stopping once the running trials have ended; Ctrl-C again stops at once"]  # type: ignore[attr-defined]


def test_a_trial_out_of_memory_is_tried_once_more_at_half_the_batch_size(table: Lay) -> None:
    parts = table(SPACE.replace("epochs: 3", "epochs: 3, batch_size: 48"))

    def plan(request: TrialRequest) -> list[Event]:
        assert not (Path(request.folder) / CHECKPOINT).exists()
        (Path(request.folder) / CHECKPOINT).touch()
        if request.document["training"]["batch_size"] > 24 or request.trial == 2:
            return [TrialResult(request.trial, request.attempt, "oom", message="no room")]
        return scored(request, 0.5)

    executor = Script(plan)
    laid = parts.lay(Proposals(asks(1, 2)), executor)
    laid.search()
    fresh = [args[5] for args in laid.tracker.of("trial_started")]  # type: ignore[attr-defined]
    assert fresh == [False, True, False, True]
    sizes = [(r.trial, r.attempt, r.document["training"]["batch_size"]) for r in executor.requests]
    assert sizes == [(1, 1, 48), (1, 2, 24), (2, 1, 48), (2, 2, 24)]
    first, second = laid.ranking.results[1], laid.ranking.results[2]
    assert (first.outcome, first.message) == ("completed", "out of memory at batch size 48, trained at 24")
    assert (second.outcome, second.message) == ("oom", "out of memory at batch size 48, and at 24: no room")
    assert replay(parts.folder).trials[1].changes == {"batch_size": 24}


def test_a_resumed_search_keeps_the_halved_batch_size(table: Lay) -> None:
    parts = table(SPACE.replace("epochs: 3", "epochs: 3, batch_size: 48"))
    parts.journal.append(Asked(1, {"conv.filters": 1}, 0, 0))
    parts.journal.append(Started(1, 1, 0))
    parts.journal.append(Retried(1, 1, 0, {"batch_size": 24}, "out of memory"))
    executor = Script(lambda r: scored(r, 0.5))
    parts.lay(Proposals([]), executor).search()
    assert executor.requests[0].document["training"]["batch_size"] == 24


def test_a_trial_that_says_nothing_is_given_up(table: Lay) -> None:
    """It is lost, and has no score; not tried again, as each time costs the wait."""
    parts = table()
    executor = Script(lambda r: [WorkerLost(r.trial, r.attempt, "no word of it", hung=True)])
    laid = parts.lay(Proposals(asks(1)), executor)
    laid.search()
    assert len(executor.requests) == 1
    result = laid.ranking.results[1]
    assert (result.outcome, result.message, result.is_scored) == ("lost", "no word of it", False)
    assert laid.ranking.counts()["failed"] == 1
    assert [each.message for each in replay(parts.folder).trials[1].lost] == ["no word of it"]


def test_trials_that_all_hang_end_the_search(table: Lay) -> None:
    executor = Script(lambda r: [WorkerLost(r.trial, r.attempt, f"nothing for {r.trial} s", hung=True)])
    laid = table(SPACE.replace("trials: 4", "trials: 40, failures: 3")).lay(Proposals(asks(*range(1, 41))), executor)
    assert laid.search() == "3 trials in a row failed alike: nothing for 3 s"


def test_how_long_a_trial_may_be_silent(table: Lay, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: clock[0])

    def work(request: TrialRequest) -> list[Event]:
        clock[0] += 90.0 * request.trial
        return scored(request, 0.5)

    executor = Script(work)
    laid = table(SPACE.replace("seed: 7", "seed: 7, silence: 10m")).lay(Proposals(asks(1, 2, 3)), executor)
    laid.search()
    assert executor.silences == [600.0, 900.0, 1800.0]


def test_a_trial_that_says_it_is_at_work_is_not_silent(table: Lay, clock: list[float]) -> None:
    """A first epoch of an hour, of which word comes every ten seconds."""

    def plan(request: TrialRequest) -> Iterator[Event]:
        for batch in range(360):
            clock[0] += 10.0
            yield Alive(request.trial, request.attempt, "train", 1, batch, 360)
        yield from scored(request, 0.5)

    executor = Script(plan)  # type: ignore[arg-type]
    laid = table(SPACE.replace("seed: 7", "seed: 7, silence: 10m")).lay(Proposals(asks(1, 2)), executor)
    laid.search()
    assert executor.silences == [600.0, 600.0]
    assert len(laid.watcher.alive_) == 720  # type: ignore[attr-defined]


def test_how_long_a_hang_was_waited_for_does_not_count(table: Lay, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: clock[0])

    def work(request: TrialRequest) -> list[Event]:
        clock[0] += 600.0
        return [WorkerLost(request.trial, request.attempt, f"no word of {'abc'[request.trial - 1]}", hung=True)]

    executor = Script(work)
    table(SPACE.replace("seed: 7", "seed: 7, silence: 10m")).lay(Proposals(asks(1, 2, 3)), executor).search()
    assert executor.silences == [600.0, 600.0, 600.0]


def test_a_trial_that_cannot_be_built_gives_its_place_to_another(table: Lay) -> None:
    """Also when it turns out so after the last place was given away."""

    def plan(request: TrialRequest) -> list[Event]:
        if request.trial == 3:
            return [TrialResult(3, 1, "infeasible", message="too large")]
        return scored(request, 0.5)

    laid = table().lay(Proposals(asks(*range(1, 9))), Script(plan, workers=2))
    assert laid.search() == "all 4 trials are done"
    assert laid.ranking.counts() == {"completed": 4, "stopped": 0, "timeout": 0, "infeasible": 1, "failed": 0}


FOLDS = SPACE + "evaluation: {folds: 3}\n"


def folded(request: TrialRequest, *scores: float) -> list[Event]:
    """A trial of several trainings, two epochs each; a worker would stop where it is told to."""
    for name in (MODEL, CHECKPOINT):
        (Path(request.folder) / name).touch()
    events: list[Event] = []
    for part, score in enumerate(scores, start=1):
        epochs = (2 * part - 1, 2 * part)
        events += [Report(request.trial, 1, epoch, {"val_accuracy": score}, part=part) for epoch in epochs]
        events.append(Measured(request.trial, 1, part, score, 1, 2))
    mean = sum(scores) / len(scores)
    return [*events, TrialResult(request.trial, 1, "completed", mean, 1, {}, 2 * len(scores), 0.1, 10, scores=scores)]


def test_a_trial_whose_first_fold_is_worse_than_all_of_the_best_is_dropped(table: Lay) -> None:
    by_trial = {1: (0.8, 0.6, 0.7), 2: (0.59,), 3: (0.6, 0.9, 0.9), 4: (0.65, 0.2, 0.2)}
    executor = Script(lambda r: folded(r, *by_trial[r.trial]))
    made = table(FOLDS)
    laid = made.lay(Proposals(asks(1, 2, 3, 4)), executor)
    laid.search()
    verdicts = [
        executor.verdicts[i]
        for i, event in enumerate(e for r in executor.requests for e in folded(r, *by_trial[r.trial]))
        if isinstance(event, Measured) and event.part == 1
    ]
    # After the third trial the bar is its own worst fold, 0.6.
    assert verdicts == [True, False, True, True]
    assert laid.ranking.best is not None
    assert laid.ranking.best.trial == 3
    assert laid.ranking.epochs.total() == 6 + 2 + 6 + 6
    assert [event for event in made.events() if event == "measured 3"] == ["measured 3"] * 3
    # The scheduler compares first trainings.
    assert [len(course.costs) for course in laid.ranking.others()] == [2] * 4


def test_the_loss_tells_equal_trainings_of_a_race_apart(table: Lay) -> None:
    by_trial = {1: (0.3, 0.1, 0.2), 2: (0.31,), 3: (0.29, 0.1, 0.1)}

    def work(request: TrialRequest) -> list[Event]:
        losses = by_trial[request.trial]
        *events, ended = folded(request, *[1.0] * len(losses))
        assert isinstance(ended, TrialResult)
        with_loss = [replace(e, loss=losses[e.part - 1]) if isinstance(e, Measured) else e for e in events]
        return [*with_loss, replace(ended, loss=sum(losses) / len(losses))]

    executor = Script(work)
    laid = table(FOLDS).lay(Proposals(asks(1, 2, 3)), executor)
    laid.search()
    events = [event for request in executor.requests for event in work(request)]
    firsts = [place for place, event in enumerate(events) if isinstance(event, Measured) and event.part == 1]
    assert [executor.verdicts[place] for place in firsts] == [True, False, True]
    assert laid.ranking.ranks() == {3: 1, 1: 2, 2: 3}


def test_no_trial_is_dropped_where_none_is_to_race(table: Lay) -> None:
    executor = Script(lambda r: folded(r, *((0.9, 0.9, 0.9) if r.trial == 1 else (0.1, 0.1, 0.1))))
    table(SPACE + "evaluation: {folds: 3, race: false}\n").lay(Proposals(asks(1, 2)), executor).search()
    assert all(executor.verdicts)


def test_one_lucky_fold_is_no_better_than_the_mean_of_three(table: Lay) -> None:
    by_trial = {1: (0.5, 0.5, 0.5), 2: (0.9,)}
    laid = table(FOLDS).lay(Proposals(asks(1, 2)), Script(lambda r: folded(r, *by_trial[r.trial])))
    laid.search()
    assert laid.ranking.ranks() == {1: 1, 2: 2}


def test_a_resumed_trial_is_given_the_trainings_it_has_behind_it(table: Lay) -> None:
    made = table(FOLDS)
    first = made.lay(Proposals(asks(1)), Script(lambda r: folded(r, 0.5, 0.6, 0.7)[:7]))  # dies in its third training
    first.wish = lambda: dying(first)
    with pytest.raises(SystemError):
        first.search()
    executor = Script(lambda r: [])
    second = made.lay(Proposals(asks(1)), executor)
    second.wish = lambda: "now" if executor.requests else None
    with pytest.raises(KeyboardInterrupt):
        second.search()
    (request,) = executor.requests
    assert [(training.part, training.score) for training in request.measured] == [(1, 0.5), (2, 0.6)]
    assert second.ranking.epochs[1] == 5


def dying(laid: Loop) -> None:
    if laid.ranking.epochs[1] == 5:
        raise SystemError
