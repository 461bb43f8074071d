"""A search as MLflow's UI opens it: its trials as a table sorted by score, and charts of what matters.

The UI keeps a view that somebody shares as a tag of the experiment, in its own words; this writes such a tag.
Source: the state of the runs page in MLflow 3.17 (`ExperimentPageUIState`, `RunsChartsCardConfig`).
"""

from __future__ import annotations

import base64
import json
import logging
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from automl.tracking import limits
from automl.tracking.tags import OUTCOME_TAG

log = logging.getLogger("automl.tracking")

UI = "http://127.0.0.1:5000"
"""Where `automl ui` shows a store that has no server of its own."""
SEEN_WITH = ("3.17.",)
"""The versions of MLflow whose UI was seen to read it."""
LOG10 = "log10/"
"""Before a parameter's name: the metric that is its logarithm, because the UI's axes are linear."""
_TAG = "mlflow.sharedViewState."
_LONGEST_TAG = 5000
_NAME = "attributes.`Run Name`"
_COLUMNS, _AXES = 12, 8
_FINAL = ("score", "score_spread", "rank", "best_epoch", "epochs", "seconds", "parameters")
"""Metrics of a whole trial, one bar each in a chart: the table shows them better."""


@dataclass(frozen=True)
class View:
    """What a search's page shows.

    Args:
        name: What it is called.
        objective: The metric that scores.
        lower_is_better: Whether a lower score is a better one.
        columns: Parameters that stand in the table, the most telling first.
        axes: Parameters of the parallel coordinates: a trial without one of them is not drawn.
        logs: Parameters of which the logarithm is a metric.
    """

    name: str
    objective: str
    lower_is_better: bool
    columns: Sequence[str] = ()
    axes: Sequence[str] = ()
    logs: Sequence[str] = ()


def page(base: str, experiment_id: str, search_id: str) -> str:
    """Returns the address of the page that compares a search's trials: their table, in the view where it has one.

    Args:
        base: The address of the UI.
        experiment_id: The search's experiment.
        search_id: The search.
    """
    wanted = {"workflowType": "machine_learning"}  # else the UI opens its pages for language models
    if is_known():
        wanted |= {"viewStateShareKey": search_id, "compareRunsMode": "CHART"}
    return f"{base.rstrip('/')}/#/experiments/{experiment_id}/runs?{urlencode(wanted)}"


def is_known() -> bool:
    """Tells whether the installed MLflow is one whose views are known."""
    import mlflow

    return mlflow.__version__.startswith(SEEN_WITH)


def tag(view: View, search_id: str, run_id: str, time_ms: int) -> tuple[str, str] | None:
    """Returns the experiment's tag that holds a view; None, with a line of log, where MLflow would not read it.

    Args:
        view: What it shows.
        search_id: The search, which is the view's key.
        run_id: The search's run, whose children it shows.
        time_ms: When it was made, since 1970.
    """
    if not is_known():
        log.info("no view of the search %s was made: this version of MLflow may read it in another way", search_id)
        return None
    for count in range(_COLUMNS, -1, -1):  # long names may not fit
        told = json.dumps(_state(view, run_id, count), separators=(",", ":"))
        packed = "deflate;" + base64.b64encode(zlib.compress(told.encode())).decode()
        written = {"name": view.name, "createdAt": time_ms, "updatedAt": time_ms, "state": packed}
        value = json.dumps(written)
        if len(value) <= _LONGEST_TAG:
            return _TAG + search_id, value
    log.info("no view of the search %s was made: its names are too long for a tag", search_id)
    return None


def _state(view: View, run_id: str, count: int) -> dict[str, Any]:
    params = [limits.key_text(name) for name in view.columns[:count]]
    columns = [
        "metrics.`rank`",
        "metrics.`score`",
        f"tags.`{OUTCOME_TAG}`",
        "metrics.`seconds`",
        "metrics.`parameters`",
    ]
    columns += [f"params.`{name}`" for name in params]
    charts, sections = _charts(view, view.axes[: min(count, _AXES)])
    return {
        "searchFilter": f"tags.`mlflow.parentRunId` = '{run_id}'",
        "orderByKey": "metrics.`score`",
        "orderByAsc": view.lower_is_better,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
        "columnOrder": [_NAME, *columns],
        "columnWidths": {_NAME: 400, **dict.fromkeys(columns, 110)},
        "runsHidden": [],
        "runsHiddenMode": "SHOW_ALL",
        "runsVisibilityMap": {},
        "runsPinned": [],
        "runsExpanded": {},
        "runListHidden": False,
        "isAccordionReordered": True,
        "useGroupedValuesInCharts": False,
        "hideEmptyCharts": True,
        "groupBy": None,
        "groupsExpanded": {},
        "autoRefreshEnabled": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
        "compareRunsMode": "CHART",
        "compareRunCharts": charts,
        "compareRunSections": sections,
    }


def _charts(view: View, axes: Sequence[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Returns the charts, and the sections that hold them; the UI puts every further metric into one of its own."""
    logs = [name for name in axes if name in view.logs]
    parallel = {
        "type": "PARALLEL",
        "selectedParams": [limits.key_text(name) for name in axes if name not in logs],
        "selectedMetrics": [*(limits.key_text(LOG10 + name) for name in logs), "score"],
        "showAllRuns": False,
    }
    shown = [parallel, _line(view.objective), _scatter("parameters", "score"), _scatter("seconds", "score")]
    charts = [_card(f"automl{place}", "automl", chart) for place, chart in enumerate(shown)]
    # Deleted ones: the UI would make a bar for each trial of every metric that has no chart.
    hidden = [{"type": "BAR", "metricKey": key, "deleted": True} for key in _FINAL]
    charts += [_card(f"final{place}", "model", chart) for place, chart in enumerate(hidden)]
    sections = [
        {**_section("automl", "Search", is_open=True), "columns": 2, "cardHeight": 380},
        _section("model", "Model metrics", is_open=True),
        *(_section(name, name, is_open=False) for name in ("best", LOG10.rstrip("/"))),
        _section("system", "System metrics", is_open=False),
    ]
    return charts, sections


def _line(metric: str) -> dict[str, Any]:
    return {
        "type": "LINE",
        "metricKey": metric,
        "selectedMetricKeys": [metric],
        "xAxisKey": "step",
        "selectedXAxisMetricKey": "",
        "scaleType": "linear",
        "xAxisScaleType": "linear",
        "lineSmoothness": 0,
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "range": {},
    }


def _scatter(x: str, y: str) -> dict[str, Any]:
    return {"type": "SCATTER", "xaxis": {"key": x, "type": "METRIC"}, "yaxis": {"key": y, "type": "METRIC"}}


def _card(uuid: str, section: str, chart: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "uuid": uuid,
        "deleted": False,
        "isGenerated": False,
        "metricSectionId": section,
        "runsCountToCompare": 100,
        **chart,
    }


def _section(uuid: str, name: str, *, is_open: bool) -> dict[str, Any]:
    return {"uuid": uuid, "name": name, "display": is_open, "isReordered": True}
