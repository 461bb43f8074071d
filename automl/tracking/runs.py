"""One run of the store, written so that writing it again changes nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from automl.tracking import text

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class Point:
    """One value of one metric.

    Args:
        key: Name of the metric.
        value: Its value; one that is not finite becomes a tag.
        step: Epoch, or trials done.
        time_ms: When it was measured, since 1970.
    """

    key: str
    value: float
    step: int
    time_ms: int


@dataclass
class MirrorRun:
    """A run and what stands in it already.

    Args:
        client: MLflow's client.
        run_id: Its id.
        params: Parameters that stand there.
        tags: Tags that stand there.
        points: (metric, step) of the points that stand there.
    """

    client: MlflowClient
    run_id: str
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    points: set[tuple[str, int]] = field(default_factory=set)

    @classmethod
    def read(cls, client: MlflowClient, run_id: str) -> MirrorRun:
        """Reads a run that was begun earlier, with the history of its metrics."""
        run: Run = client.get_run(run_id)
        points = {(key, p.step) for key in run.data.metrics for p in client.get_metric_history(run_id, key)}
        return cls(client, run_id, dict(run.data.params), dict(run.data.tags), points)

    def write(
        self,
        *,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
        points: Iterable[Point] = (),
    ) -> None:
        """Writes what does not stand there yet, in as few calls as MLflow's limits allow.

        A parameter cannot be changed in MLflow: one that differs from what stands there, as the number of trials does
        after a search was continued, becomes the tag `automl.changed.KEY`.
        """
        from mlflow.entities import Metric, Param, RunTag

        new_params, new_tags = self._new_texts(params or {}, tags or {})
        new_points: dict[tuple[str, int], Metric] = {}
        for point in points:
            key = text.key_text(point.key)
            if math.isfinite(point.value):
                if (key, point.step) not in self.points:
                    new_points.setdefault((key, point.step), Metric(key, point.value, point.time_ms, point.step))
            else:
                self._note_nonfinite(new_tags, point)
        for some in text.chunks(list(new_params.items()), text.PARAMS_PER_CALL):
            self.client.log_batch(self.run_id, params=[Param(*pair) for pair in some])
            self.params |= some
        # The common call, an epoch, carries points and perhaps a tag: one call then, two only where there are many.
        pieces = list(text.chunks(list(new_points.items()), text.METRICS_PER_CALL)) or [[]]
        labels = list(text.chunks(list(new_tags.items()), text.PARAMS_PER_CALL)) or [[]]
        for index in range(max(len(pieces), len(labels))):
            piece = pieces[index] if index < len(pieces) else []
            label = labels[index] if index < len(labels) else []
            if piece or label:
                metrics = [metric for _, metric in piece]
                self.client.log_batch(self.run_id, metrics=metrics, tags=[RunTag(*pair) for pair in label])
                self.points |= {known for known, _ in piece}
                self.tags |= label

    def _new_texts(self, params: Mapping[str, Any], tags: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
        new_params: dict[str, str] = {}
        new_tags = {text.key_text(key): text.cut(text.value_text(value), text.TAG_LIMIT) for key, value in tags.items()}
        for key, value in params.items():
            name, shown = text.key_text(key), text.cut(text.value_text(value), text.PARAM_LIMIT)
            if name not in self.params:
                new_params[name] = shown
            elif self.params[name] != shown:
                new_tags[text.key_text(f"automl.changed.{key}")] = shown
        return new_params, {key: shown for key, shown in new_tags.items() if self.tags.get(key) != shown}

    def _note_nonfinite(self, new_tags: dict[str, str], point: Point) -> None:
        # The first epoch says most: the later ones follow from it.
        name = text.key_text(f"automl.nonfinite.{point.key}")
        if name not in self.tags:
            new_tags.setdefault(name, f"{point.value!r} at step {point.step}")
