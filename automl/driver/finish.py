"""The end of a search: its winner tested once, registered as the best model, exported on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, TypedDict

from automl.data import folds
from automl.deploy import kept
from automl.deploy.card import BestTrial
from automl.deploy.register import register
from automl.driver import baselines
from automl.driver.course import course
from automl.driver.loop import STOPPED, Loop
from automl.driver.single import run_single
from automl.experiment import experiment
from automl.journal import Finished, now_ms
from automl.machine.folders import MODEL, trial_folder
from automl.records.objective import spread
from automl.records.trials import TestRequest, TestResult, TrialResult
from automl.results import report
from automl.results.prediction import Prediction
from automl.worker.trial import run_refit, run_test


class Best(TypedDict):
    """What a summary says of the winner, beside the scores of its trainings where it has several."""

    trial: int
    score: float
    params: Mapping[str, Any]
    run_id: str | None
    model_uri: str | None
    test: Mapping[str, float]


@dataclass(frozen=True)
class Summary:
    """The result of a search, as `search -o json` prints it.

    `wall_s` is what the drivers of the search took, as its journal counts it; `trials_s` from when to when of that
    trials ran, on a resume those of earlier drivers with it. `baselines` are the metrics of what is simpler than a
    network, by name; `beaten_by` is the best of them that the winner does not beat, if there is one. `page` is where
    the UI compares the trials: that of the tracking server, or of `automl ui`.
    """

    search_id: str
    status: str
    reason: str
    trials: Mapping[str, int]
    best: Annotated[Mapping[str, Any], Best] | None
    wall_s: float
    tracking_uri: str
    experiment_id: str | None
    run_id: str | None
    predicted_s: list[float] | None = None
    trials_s: list[float] | None = None
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    beaten_by: str | None = None
    page: str | None = None


def finish(loop: Loop, reason: str, trials_s: Sequence[float], predicted: Prediction | None = None) -> Summary:
    """Tests the winner once, records it as the best model, and writes the result down.

    Args:
        loop: The search, at its end.
        reason: Why it ended.
        trials_s: From when to when trials ran, in seconds of the search.
        predicted: How long `automl plan` said it would take, if it was asked.
    """
    tracker, ranking = loop.tracker, loop.ranking
    best = ranking.best
    described = None if best is None else _honoured(loop, best)
    simpler = baselines.told(loop, with_test=best is not None)
    beaten_by = None if best is None else _beaten(loop, best, simpler)
    status = "failed" if best is None else "stopped" if reason == STOPPED else "completed"
    time_ms = now_ms()
    summary = Summary(
        search_id=loop.folder.name,
        status=status,
        reason=reason,
        trials=ranking.counts(),
        best=described,
        wall_s=round(loop.history.seconds + (time_ms - loop.history.begun) / 1000, 3),
        predicted_s=None if predicted is None else [round(predicted.low_s, 1), round(predicted.high_s, 1)],
        tracking_uri=tracker.store.shown,
        experiment_id=tracker.experiment_id,
        run_id=tracker.run_id,
        trials_s=[round(seconds, 3) for seconds in trials_s],
        baselines=simpler,
        beaten_by=beaten_by,
        page=tracker.page,
    )
    test_metrics = described["test"] if described else {}
    finished = Finished(status, reason, time_ms, best.trial if best else None, test_metrics, asdict(summary))
    loop.journal.append(finished)
    home, wanted = loop.folder.parent.parent, loop.history.header.settings.get("report")
    loop.teller.finished(finished, report.attempted(home, summary.search_id, loop.watcher.say) if wanted else None)
    tracker.close()
    return summary


def _honoured(loop: Loop, best: TrialResult) -> dict[str, Any]:
    """Tests the winner and registers its model; returns what the summary says of it."""
    if loop.experiment.evaluation.refit:
        _refit(loop, best)
    kept.keep(loop.folder, loop.data)
    test, asked = _test(loop, best), loop.ranking.asked[best.trial]
    facts = best.score, best.metrics, test.metrics, best.parameters
    winner = BestTrial(best.trial, loop.resolved(asked), asked.values, loop.experiment.goals.primary.metric, *facts)
    uri = register(loop.tracker, loop.data, loop.folder, loop.history.header, winner, loop.watcher.say)
    described = {
        "trial": best.trial,
        "score": best.score,
        **({"spread": spread(best.scores), "scores": list(best.scores)} if best.scores else {}),
        "params": dict(asked.values),
        "run_id": loop.tracker.trial_run_ids.get(best.trial),
        "model_uri": uri,
        "test": dict(test.metrics),
    }
    if test.message:
        loop.watcher.say(f"the winner could not be tested: {test.message}")
    if loop.history.finishes:
        loop.watcher.say("the test part was looked at before: this search was continued after its end")
        described["test_seen_before"] = True
    return described


def _beaten(loop: Loop, best: TrialResult, simpler: Mapping[str, Mapping[str, float]]) -> str | None:
    """Returns the best baseline that the winner does not beat, and says so; None where there is none."""
    objective = loop.experiment.goals.primary
    assert best.score is not None
    found = baselines.unbeaten(simpler, best.score, objective)
    if found is not None:
        told = f"{objective.metric} {best.score:.4g} against {simpler[found][objective.metric]:.4g}"
        loop.watcher.say(f"the winner does not beat the baseline {found}: {told}")
    return found


def _refit(loop: Loop, best: TrialResult) -> None:
    """Trains the winner once more, on the examples of all folds; its model takes the place of the best fold's."""
    trial, request = loop.journal.replay().trials[best.trial], loop.request(loop.ranking.asked[best.trial])
    if not all(each.phase for each in trial.reports) and len(experiment.training(request.document).stages()) > 1:
        why = "an earlier version trained its folds, and did not note how long each phase lasted"
        loop.watcher.say(f"t{best.trial:03d}  is not trained on all folds together: {why}; its best fold's model stays")
        return
    reports = [replace(each, phase=each.phase or 1) for each in trial.reports]
    trainings = [[each for each in reports if each.part == done.part] for done in trial.measured]
    rates = course(trainings, [each.best_epoch for each in trial.measured], folds.share(loop.data))
    request = replace(request, rates=rates)
    loop.watcher.say(f"t{best.trial:03d}  is trained on all folds together, for {sum(map(len, rates))} epochs")
    told = run_single(loop, run_refit, request, TrialResult)
    if told.message:
        loop.watcher.say(f"the winner could not be trained again, its best fold's model stays: {told.message}")


def _test(loop: Loop, best: TrialResult) -> TestResult:
    """Evaluates the winner."""
    model = str(trial_folder(loop.folder, best.trial) / MODEL)
    request = TestRequest(best.trial, 1, loop.resolved(loop.ranking.asked[best.trial]), loop.data, model)
    told = run_single(loop, run_test, request, TestResult)
    return told if isinstance(told, TestResult) else TestResult(best.trial, told.attempt, message=told.message)
