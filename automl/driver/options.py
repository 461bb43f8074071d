"""How a search is run, as the command line or a program says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.records.objective import Champion


@dataclass(frozen=True)
class Options:
    """How a search is run; what it searches stands in its document.

    Args:
        home: Where searches and the embedded store live.
        workers: Trials at once; None for one, or as many as the GPUs take.
        gpus: GPUs to use, as `0,1`; None for all that are visible.
        workers_per_gpu: Trials at once on each GPU; None for one, or as many as `workers` asks for.
        backend: Keras backend; None for `$KERAS_BACKEND`, else tensorflow.
        tracking_uri: MLflow tracking server; None for `$MLFLOW_TRACKING_URI`, else the embedded store.
        experiment: Name of the MLflow experiment; None for `$MLFLOW_EXPERIMENT_NAME`, else the data set's name.
        name: Name of the parent run and the registered model; None for `SPACE-DATA`.
        champion: When its model takes the registered name's alias `champion`.
        data_root: Parent folder of the data sets; None for the usual places.
        report: Keep the report of the search, without its winner, on its run.
        inline: Run trials in this process, for debugging.
        cluster: Address of a Ray cluster to run trials on; None for this machine. A resume may name another.
        cpus_per_trial: CPUs of the cluster that each trial takes; None for one.
        gpus_per_trial: GPUs of the cluster that each trial takes; None for one where it has some.
        source: How the documents were named, so that a resume sees whether they changed; see `changed_document.source`.
    """

    home: Path
    workers: int | None = None
    gpus: str | None = None
    workers_per_gpu: int | None = None
    backend: str | None = None
    tracking_uri: str | None = None
    experiment: str | None = None
    name: str | None = None
    champion: Champion = "better"
    data_root: Path | None = None
    report: bool = False
    inline: bool = False
    cluster: str | None = None
    cpus_per_trial: float | None = None
    gpus_per_trial: float | None = None
    source: Mapping[str, Any] | None = None
