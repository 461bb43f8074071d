"""The run of a finalized model: what its folds scored, and what it scored on the test part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automl.tracking.run import MirrorRun, Point
from automl.tracking.store import Store
from automl.tracking.tags import FINAL_URI_TAG


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


def write(run: MirrorRun, final: Final) -> None:
    """Writes all of it to a run, and ends that."""
    points = [Point(name, value, 0, final.ended_ms) for name, value in final.metrics.items()]
    points += [
        Point(name, value, fold, final.ended_ms)
        for name, values in final.folds.items()
        for fold, value in enumerate(values, 1)
    ]
    run.write(params=final.params, tags=final.tags, points=points)
    for name, content in final.texts.items():
        run.attach(content, name)
    run.end("FINISHED", final.ended_ms)


def is_in(store: Store, search_id: str) -> bool:
    """Tells whether a store has a finalized model of a search.

    Raises:
        mlflow.exceptions.MlflowException: The store cannot be read.
    """
    run_id, _ = store.run_ids(search_id)
    return run_id is not None and FINAL_URI_TAG in store.client().get_run(run_id).data.tags
