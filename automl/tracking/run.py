"""One run of the store, written so that writing it again changes nothing."""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.tracking import limits
from automl.tracking.tags import CHANGED_TAG

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
        is_running: Whether it is known to be running.
        artifacts: Address of its artifacts.
    """

    client: MlflowClient
    run_id: str
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    points: set[tuple[str, int]] = field(default_factory=set)
    is_running: bool = False
    artifacts: str = ""

    @classmethod
    def read(cls, client: MlflowClient, run_id: str) -> MirrorRun:
        """Reads a run that was begun earlier, with the history of its metrics."""
        run: Run = client.get_run(run_id)
        points = {(key, p.step) for key in run.data.metrics for p in client.get_metric_history(run_id, key)}
        uri = run.info.artifact_uri
        return cls(client, run_id, dict(run.data.params), dict(run.data.tags), points, artifacts=uri)

    def start(self) -> None:
        """Notes that it is running, where that does not stand there yet."""
        if not self.is_running:
            self.client.update_run(self.run_id, status="RUNNING")
            self.is_running = True

    def end(self, status: str, time_ms: int) -> None:
        """Notes how and when it ended."""
        self.client.set_terminated(self.run_id, status, end_time=time_ms)
        self.is_running = False

    def attach(self, content: str, name: str) -> None:
        """Keeps a text as an artifact.

        MLflow's `log_text` asks for the run first, and keeps a pool of threads for every run it was ever used on.
        """
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
        from mlflow.utils.uri import add_databricks_profile_info_to_artifact_uri

        uri = add_databricks_profile_info_to_artifact_uri(self.artifacts, self.client.tracking_uri)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_text(content, encoding="utf-8")
            get_artifact_repository(uri, self.client.tracking_uri).log_artifact(str(path))

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
            key = limits.key_text(point.key)
            if math.isfinite(point.value):
                if (key, point.step) not in self.points:
                    new_points.setdefault((key, point.step), Metric(key, point.value, point.time_ms, point.step))
            else:
                self._note_nonfinite(new_tags, point)
        # One call where the limits allow, as nearly always: each is a transaction with a dozen queries.
        names = limits.chunks(list(new_params.items()), limits.PARAMS_PER_CALL)
        pieces = limits.chunks(list(new_points.items()), limits.METRICS_PER_CALL)
        labels = limits.chunks(list(new_tags.items()), limits.PARAMS_PER_CALL)
        for some, piece, label in itertools.zip_longest(names, pieces, labels, fillvalue=()):
            params_, metrics = [Param(*pair) for pair in some], [metric for _, metric in piece]
            self.client.log_batch(self.run_id, metrics=metrics, params=params_, tags=[RunTag(*pair) for pair in label])
            self.params |= dict(some)
            self.points |= {known for known, _ in piece}
            self.tags |= dict(label)

    def _new_texts(self, params: Mapping[str, Any], tags: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
        new_params: dict[str, str] = {}
        new_tags = {
            limits.key_text(key): limits.cut(limits.value_text(value), limits.TAG_LIMIT) for key, value in tags.items()
        }
        for key, value in params.items():
            name, shown = limits.key_text(key), limits.cut(limits.value_text(value), limits.PARAM_LIMIT)
            if name not in self.params:
                new_params[name] = shown
            elif self.params[name] != shown:
                new_tags[limits.key_text(f"{CHANGED_TAG}{key}")] = shown
        return new_params, {key: shown for key, shown in new_tags.items() if self.tags.get(key) != shown}

    def _note_nonfinite(self, new_tags: dict[str, str], point: Point) -> None:
        # The first epoch says most: the later ones follow from it.
        name = limits.key_text(f"automl.nonfinite.{point.key}")
        if name not in self.tags:
            new_tags.setdefault(name, f"{point.value!r} at step {point.step}")
