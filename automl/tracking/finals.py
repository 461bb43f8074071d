"""The run of a finalized model: what its folds scored, and what it scored on the test part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl.tracking import model as models
from automl.tracking.model import BestModel
from automl.tracking.outbox import Outbox
from automl.tracking.run import MirrorRun, Point
from automl.tracking.search_runs import Family
from automl.tracking.tags import FINAL_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class Final:
    """What the run of a finalized model shows.

    Args:
        name: Of the run.
        began_ms: When finalizing began, since 1970.
        ended_ms: When it ended.
        params: What it was asked, and which trial it took.
        metrics: By their names.
        folds: What the folds scored, by the name of the metric; a point a fold.
        tags: Beside its own.
        texts: Files, by their names.
    """

    name: str
    began_ms: int
    ended_ms: int
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    folds: Mapping[str, Sequence[float]]
    tags: Mapping[str, str]
    texts: Mapping[str, str]


def log(
    family: Family, outbox: Outbox, model: Any, best: BestModel, final: Final, say: Callable[[str], None]
) -> str | None:
    """Logs a finalized model: a run of its own below the search's, and a version of the search's name.

    Args:
        family: The runs of the search.
        outbox: The way to the store.
        model: The loaded Keras model.
        best: What is told of it; `final` of it is the mark of the run.
        final: What the run shows.
        say: Told what became of the name's champion.

    Returns:
        The model's URI; None when the store could not be reached.
    """

    def call() -> str:
        parent = family.parent()
        write(family.api, parent.run_id, final, best.final)
        return models.log_best(family.api, parent, family.trial(best.trial, final.began_ms), model, best, say)

    try:
        return outbox.attempt(call)
    except Exception as error:  # noqa: BLE001 - the model stays where it is on disk
        outbox.drop(error)
        return None


def write(client: MlflowClient, parent: str, final: Final, mark: str) -> str:
    """Writes the run below the search's; returns its id.

    Args:
        client: MLflow's client.
        parent: The search's run.
        final: What it shows.
        mark: Tells it from other runs of the kind.
    """
    experiment = client.get_run(parent).info.experiment_id
    tags = {"mlflow.parentRunId": parent, FINAL_TAG: mark, "mlflow.source.name": "automl", **final.tags}
    run = client.create_run(experiment, start_time=final.began_ms, tags=tags, run_name=final.name)
    own = MirrorRun.read(client, run.info.run_id)
    points = [Point(name, value, 0, final.ended_ms) for name, value in final.metrics.items()]
    points += [
        Point(name, value, fold, final.ended_ms)
        for name, values in final.folds.items()
        for fold, value in enumerate(values, 1)
    ]
    own.write(params=dict(final.params), points=points)
    for name, content in final.texts.items():
        own.attach(content, name)
    own.end("FINISHED", final.ended_ms)
    return own.run_id
