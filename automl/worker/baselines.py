"""Measures what is simpler than a network, on the same parts and by the same metrics as the trials."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from automl import inputs, tasks
from automl.executors import Tell
from automl.records.alive import Alive
from automl.records.data import DataSpec
from automl.records.trials import BaselineRequest, BaselineResult

if TYPE_CHECKING:
    from automl.data.feed import Feed

BATCH = 256
MOST_EXAMPLES, MOST_CELLS = 20_000, 3_000_000
"""Examples, and numbers in all, that they learn from: seconds on one core."""


def run_baselines(request: BaselineRequest, report: Tell) -> BaselineResult:
    """Fits and measures the baselines of a task; of a set in folds on each of them.

    Args:
        request: What to measure them on.
        report: Is told that the worker is alive.
    """
    found: dict[str, dict[str, list[float]]] = {}
    seconds: dict[str, float] = {}
    given, examples = (request.trial, request.attempt), 0
    try:
        in_folds = request.part == "val" and request.data.folds
        for fold in range(len(request.data.folds)) if in_folds else (None,):
            data = request.data.at(fold)
            began = time.monotonic()
            x, stored, others = _features(data, request)
            examples = len(x)
            for name, outputs in tasks.of(data.task).baselines(x, stored, others, data.task):
                report(Alive(*given, "train", 0, 0))
                for metric, value in _metrics(outputs, data, request).items():
                    found.setdefault(name, {}).setdefault(f"{request.part}_{metric}", []).append(value)
                seconds[name] = seconds.get(name, 0.0) + time.monotonic() - began
                began = time.monotonic()
    except Exception as error:  # noqa: BLE001 - the search goes on without
        message = f"{type(error).__name__}: {error}".splitlines()[0]
        return BaselineResult(*given, message=message)
    means = {name: {metric: fmean(values) for metric, values in each.items()} for name, each in found.items()}
    return BaselineResult(*given, means, seconds, examples)


def _features(data: DataSpec, request: BaselineRequest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns scaled features and stored targets of examples that train, and features of those to answer for."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from automl.data.feed import Feed, targets

    train = Feed(data, "train", BATCH)
    width = _plain(data, train.at(np.arange(1))).shape[1]
    count = min(train.size, MOST_EXAMPLES, max(1, MOST_CELLS // width))
    rows = np.sort(np.random.default_rng(request.seed).permutation(train.size)[:count])
    scale = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
    x = scale.fit_transform(np.concatenate([*_read(data, train, rows)]))
    part = Feed(data, request.part, BATCH)
    others = np.concatenate([*_read(data, part, np.arange(part.size))])
    return x, targets(data, "train")[rows], scale.transform(others)


def _read(data: DataSpec, feed: Feed, rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), BATCH):
        yield _plain(data, feed.at(rows[start : start + BATCH]))


def _plain(data: DataSpec, x: Any) -> np.ndarray:
    """Returns the features of all inputs side by side."""
    given = x if isinstance(x, dict) else {data.inputs[0].name: x}
    return np.concatenate([inputs.of(each).plain(given[each.name], each) for each in data.inputs], axis=1)


def _metrics(outputs: np.ndarray, data: DataSpec, request: BaselineRequest) -> dict[str, float]:
    """Returns all metrics of a part's answers that are finite numbers."""
    from automl.data.feed import targets

    task, stored = tasks.of(data.task), targets(data, request.part)
    y = task.encode(stored, data.task.state)
    found: dict[str, float] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for metric in task.keras_metrics(data.task):
            metric.update_state(y, outputs)
            found[metric.name] = float(metric.result())
    if request.with_loss:
        found["loss"] = float(np.mean(task.loss(None, data.task)(y, outputs)))
    found |= task.measure(outputs, stored, data.task)
    return {name: value for name, value in found.items() if np.isfinite(value)}
