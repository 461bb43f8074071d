"""What stands in a trial's run once it has ended: how, its score, what it cost."""

from __future__ import annotations

from typing import Any

from automl.records.objective import spread
from automl.records.trials import TrialResult
from automl.tracking.outbox import Page
from automl.tracking.run import Point
from automl.tracking.tags import OUTCOME_TAG

_STATUS = {"completed": "FINISHED", "stopped": "FINISHED", "timeout": "FINISHED", "lost": "KILLED"}


def page(result: TrialResult, time_ms: int) -> Page:
    """Returns the page that ends a trial's run.

    Args:
        result: What the worker, or whoever lost it, said.
        time_ms: When it ended, since 1970.
    """
    facts: dict[str, float | None] = {
        "score": result.score,
        "score_spread": spread(result.scores),
        "best_epoch": result.best_epoch,
        "epochs": result.epochs,
        "seconds": result.seconds,
        "parameters": result.parameters,
        # Under names of their own: under the epochs' names they would add a point to a curve. Those of training stand
        # in its curve alone: the UI draws each of these as a chart of one bar, before the curves.
        **{f"best/{key}": value for key, value in result.metrics.items() if key.startswith("val_")},
    }
    points = [Point(key, float(value), 0, time_ms) for key, value in facts.items() if value is not None]
    tags: dict[str, Any] = {OUTCOME_TAG: result.outcome, "automl.attempt": result.attempt}
    tags |= {"automl.message": result.message} if result.message else {}
    if result.gradient and result.message:
        tags["mlflow.note.content"] = result.message[0].upper() + result.message[1:] + "."
    texts = {"traceback.txt": result.traceback} if result.traceback else {}
    ended = (_STATUS.get(result.outcome, "FAILED"), time_ms)
    return Page(result.trial, time_ms, tags=tags, points=points, texts=texts, ended=ended)
