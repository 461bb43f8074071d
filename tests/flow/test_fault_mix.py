"""Sixty trials, 5 % each of error, NaN, inf, hang, SIGKILL, out of memory and models that cannot be built.

The search ends by itself, every trial is accounted for, and those that came through are what they are without faults.
"""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mix
import pytest
import sweeps
from searches import QUICKEST, Search, automl, make, scores
from spaces import QUICK

from automl import journal
from automl.journal import Asked, Ended, Reported, Retried

pytestmark = pytest.mark.slow

FACTOR = 3
# Of 9 epochs: who is judged after 1 and 3, after 3, and never, in the shares of the paper.
BRACKETS = {(1, 3): 9, (3,): 5, (): 3}
SPACE = (
    QUICK.replace("epochs: 1", f"epochs: {mix.EPOCHS}")
    .replace("max: 9", "max: 8000")
    .replace("trials: 2", "trials: TRIALS, objective: val_loss, silence: 1s, scheduler: SCHEDULER")
)
OVERSIZED = [number for number, outcome in mix.OUTCOMES.items() if outcome == "infeasible"]
# What cannot be built takes no trial's place.
ASKED = mix.TRIALS + len(OVERSIZED)
SOUND = sorted(set(range(1, ASKED + 1)) - mix.OUTCOMES.keys())


def searched(folder: Path, store: Path, scheduler: str, trials: int, run: Any = mix.run, **options: Any) -> Search:
    """Runs the search in a home of its own."""
    import keras

    home = folder / "mlruns"
    (home / "searches").mkdir(parents=True)
    shutil.copy(store, home)
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")])
    model.save(home / "searches" / "model.keras")
    document = SPACE.replace("SCHEDULER", scheduler).replace("TRIALS", str(trials))
    return make(home, "mix", document, run, backend=QUICKEST, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Search:
    """The same trials, none of them ill and none of them stopped."""
    return searched(tmp_path_factory.mktemp("whole"), empty_store, "none", ASKED, mix.sound, inline=True)


@pytest.fixture(scope="module", params=sweeps.part(["asha"], ["asha", "hyperband"]))
def search(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Search:
    return searched(tmp_path_factory.mktemp(request.param), empty_store, request.param, mix.TRIALS, workers=2)


def outcomes(search: Search) -> dict[int, str]:
    return {number: trial.ended.outcome for number, trial in search.history.trials.items() if trial.ended}


def test_every_trial_is_accounted_for(search: Search) -> None:
    assert {kind: sum(kind == other for other, _ in mix.FAULTS.values()) for kind in mix.KINDS} == dict.fromkeys(
        mix.KINDS, 0.05 * mix.TRIALS
    )
    trials = search.history.trials
    assert trials.keys() == set(range(1, ASKED + 1))
    found = outcomes(search)
    assert {number: found[number] for number in mix.OUTCOMES} == mix.OUTCOMES
    assert {found[number] for number in SOUND} == {"completed", "stopped"}
    counted = Counter(found.values())
    assert (search.summary.status, search.summary.reason) == ("completed", f"all {mix.TRIALS} trials are done")
    assert search.summary.trials == {
        **{outcome: counted[outcome] for outcome in ("completed", "stopped", "timeout", "infeasible")},
        "failed": counted["error"] + counted["diverged"] + counted["oom"] + counted["lost"],
    }
    attempts = {number: trial.attempts for number, trial in trials.items() if trial.attempts > 1}
    again = {("kill", 0): 2, ("kill", 1): 3, ("kill", 2): 3, ("oom", 0): 2, ("oom", 1): 2, ("oom", 2): 2}
    assert attempts == {number: again[fault] for number, fault in mix.FAULTS.items() if fault in again}


def test_the_listing_and_mlflow_tell_the_same(search: Search) -> None:
    found = outcomes(search)
    rows = json.loads(automl(search.home, "trials", "-o", "json").stdout)
    assert {row["trial"]: row["outcome"] for row in rows} == found
    assert [row["rank"] for row in rows] == [*range(1, len(SOUND) + 1), *[None] * len(mix.OUTCOMES)]
    runs = search.trials
    assert {number: run.data.tags["automl.outcome"] for number, run in runs.items()} == found
    assert {row["trial"]: row["rank"] for row in rows if row["rank"]} == {
        number: run.data.metrics["rank"] for number, run in runs.items() if "rank" in run.data.metrics
    }
    for number in SOUND:
        trial, run = search.history.trials[number], runs[number]
        assert trial.ended is not None
        assert run.data.metrics["score"] == trial.ended.score
        told = [(report.epoch, report.metrics["val_loss"]) for report in trial.reports]
        assert search.points(run.info.run_id, "val_loss") == told


def test_who_came_through_scores_what_it_scores_without_faults(search: Search, whole: Search) -> None:
    trials = search.history.trials
    for number, reference in whole.history.trials.items():
        trial = trials[number]
        assert (trial.asked.values, trial.asked.seed) == (reference.asked.values, reference.asked.seed)
        if number not in SOUND:
            assert trial.ended is not None
            assert trial.ended.score is None
            continue
        costs = [report.metrics["val_loss"] for report in reference.reports]
        if number in mix.HALVED:
            document = search.read.trial(trial.asked.values, trial.asked.seed)
            assert costs == mix.costs(document)
            costs = mix.costs(document, batch_size=16)
        assert trial.ended is not None
        assert [report.metrics["val_loss"] for report in trial.reports] == costs[: trial.ended.epochs]
        assert trial.ended.score == min(costs[: trial.ended.epochs])
    scores = {number: trials[number].ended.score for number in SOUND}  # type: ignore[union-attr]
    assert search.winner["trial"] == min(scores, key=scores.__getitem__)


@dataclass
class Stand:
    """A trial as the journal tells of it, up to some line."""

    rungs: tuple[int, ...]
    costs: list[float] = field(default_factory=list)
    failed: bool = False


def among_the_best(own: Stand, others: list[Stand]) -> bool:
    """Tells whether a trial is among the best third of those that came to its rung."""
    epoch = len(own.costs)
    there = [min(each.costs[:epoch]) for each in others if epoch in each.rungs and len(each.costs) >= epoch]
    return sum(each < min(own.costs) for each in there) < max(1, (len(there) + 1) // FACTOR)


@dataclass
class Judged:
    """What the rules say, followed through the journal line by line."""

    verdicts: dict[int, list[tuple[int, bool]]] = field(default_factory=dict)
    """Of each trial: its rungs, and whether it goes on."""
    misled: int = 0
    """How many would have been judged otherwise, had the failed trials kept their places."""
    brackets: list[tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=list)
    """The rungs that each trial was given, and those it should have been given."""


def judged(search: Search, peers_share_rungs: bool) -> Judged:
    told, stands = Judged(), dict[int, Stand]()
    for event in journal.read(search.folder):
        match event:
            case Asked(number=number, rungs=rungs):
                there = Counter(each.rungs for each in stands.values() if not each.failed)
                told.brackets.append((rungs, min(BRACKETS, key=lambda each: there[each] / BRACKETS[each])))
                stands[number] = Stand(rungs)
            case Reported(number=number, epoch=epoch, metrics=metrics, nonfinite=nonfinite):
                own = stands[number]
                own.costs.append(metrics.get("val_loss", math.inf))
                if epoch in own.rungs and "loss" not in nonfinite:
                    others = [each for other, each in stands.items() if other != number]
                    if peers_share_rungs:
                        others = [each for each in others if each.rungs == own.rungs]
                    verdict = among_the_best(own, [each for each in others if not each.failed])
                    told.misled += verdict != among_the_best(own, others)
                    told.verdicts.setdefault(number, []).append((epoch, verdict))
            case Retried(number=number):
                stands[number].costs.clear()
                told.verdicts.pop(number, None)
            case Ended(number=number, score=score):
                stands[number].failed = score is None
    return told


def test_the_rungs_hold_as_many_as_the_rule_says(search: Search, request: pytest.FixtureRequest) -> None:
    brackets = request.node.callspec.params["search"] == "hyperband"
    told = judged(search, brackets)
    trials = search.history.trials
    for number in SOUND:
        # Whose worker died was judged again when it came there again, and the journal does not tell when.
        if not trials[number].lost:
            epochs = next((epoch for epoch, goes_on in told.verdicts.get(number, ()) if not goes_on), mix.EPOCHS)
            assert len(trials[number].reports) == epochs, number
    assert told.misled > 0  # the failed ones were the best wherever they came
    if not brackets:
        assert {trial.asked.rungs for trial in trials.values()} == {(1, 3)}


def test_the_brackets_fill_in_their_shares(search: Search, request: pytest.FixtureRequest) -> None:
    if request.node.callspec.params["search"] == "asha":
        pytest.skip("it has one bracket")
    for given, due in judged(search, peers_share_rungs=True).brackets:
        assert given == due
    alive = Counter(search.history.trials[number].asked.rungs for number in SOUND)
    for rungs, share in BRACKETS.items():
        assert abs(alive[rungs] - len(SOUND) * share / sum(BRACKETS.values())) <= 2


def test_with_one_worker_all_of_it_can_be_repeated(tmp_path: Path, empty_store: Path) -> None:
    tables = []
    for name in ("first", "second"):
        history = searched(tmp_path / name, empty_store, "asha", 20).history
        assert {trial.ended.outcome for trial in history.trials.values() if trial.ended} >= {"error", "lost"}
        tables.append((scores(history), [trial.attempts for trial in history.trials.values()]))
    assert tables[0] == tables[1]
