"""Runs that are in the store already, ours or another program's, read for a search that starts from them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.errors import ConfigError, Problem, did_you_mean
from automl.records.trials import SCORED
from automl.tracking import names
from automl.tracking.outbox import line
from automl.tracking.store import Store
from automl.tracking.tags import BASELINE_TAG, FINAL_TAG, OUTCOME_TAG, SEARCH_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

OPTION = "--warm-start"
_RUN_ID = re.compile(r"[0-9a-f]{32}")
_SEARCH_ID = re.compile(r"[\w-]+")


@dataclass(frozen=True)
class EarlierRun:
    """A run as the store has it.

    Args:
        run_id: Its id.
        name: Its name in the runs table.
        params: Its parameters, as text.
        metrics: The last value of each of its metrics.
        failure: Why it counts as failed; None when it does not.
    """

    run_id: str
    name: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    failure: str | None = None

    def __str__(self) -> str:
        return f"{self.name} ({self.run_id[:8]})"


def earlier_runs(where: Store, wanted: str) -> list[EarlierRun]:
    """Returns earlier runs, the first one first; those of whole searches, which only hold trials, are left out.

    Args:
        where: The store; only read, and never made.
        wanted: Name or id of an experiment, for all its runs; id of a run, for its children, or itself where it has
            none; id of a search or a part of it, for its trials.

    Raises:
        ConfigError: There is no such thing, more than one search begins so, or the store cannot be read.
    """
    if where.is_missing:
        hint = "Name the store of the earlier runs with --tracking-uri"
        raise ConfigError(Problem(f"{OPTION} {wanted}", f"there is no store at {where.shown} yet", hint=hint))
    try:
        where.prepare()
        found = _found(where.client(), wanted)
    except ConfigError:
        raise
    except Exception as error:
        what = f"the store at {where.shown} cannot be read: {line(error)}"
        raise ConfigError(Problem(f"{OPTION} {wanted}", what)) from error
    return [_read(run) for run in found if not run.data.tags.keys() & {SEARCH_TAG, BASELINE_TAG, FINAL_TAG}]


def _found(client: MlflowClient, wanted: str) -> list[Run]:
    experiments = {experiment.experiment_id: experiment.name for experiment in client.search_experiments()}
    for experiment_id, name in experiments.items():
        if name == wanted:
            return _search(client, [experiment_id])
    if wanted in experiments:
        return _search(client, [wanted])
    within = list(experiments)
    if _RUN_ID.fullmatch(wanted):
        run = next(iter(_search(client, within, f"attributes.run_id = '{wanted}'")), None)
        if run is not None:
            return _children(client, within, wanted) or [run]
    elif _SEARCH_ID.fullmatch(wanted):
        # In LIKE, an underscore stands for anything: what it finds is looked at once more.
        begun = _search(client, within, f"tags.`{SEARCH_TAG}` LIKE '%{wanted}%'")
        ids = {run.data.tags[SEARCH_TAG]: run.info.run_id for run in begun}
        found, what = names.meant(wanted, sorted(ids))
        if len(found) > 1:
            raise ConfigError(Problem(f"{OPTION} {wanted}", what, f"one of {', '.join(found)}"))
        if found:
            return _children(client, within, ids[found[0]])
    hint = did_you_mean(wanted, experiments.values())
    known = ", ".join(sorted(experiments.values())[:10])
    what = "no experiment, search or run is called so"
    raise ConfigError(Problem(f"{OPTION} {wanted}", what, f"an id, or one of the experiments {known}", hint=hint))


def _children(client: MlflowClient, experiments: list[str], parent: str) -> list[Run]:
    return _search(client, experiments, f"tags.`mlflow.parentRunId` = '{parent}'")


def _search(client: MlflowClient, experiments: list[str], wanted: str = "") -> list[Run]:
    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs(
            experiments, wanted, max_results=1000, order_by=["attributes.start_time ASC"], page_token=token
        )
        runs += page
        token = page.token
        if not token:
            return runs


def _read(run: Run) -> EarlierRun:
    outcome = run.data.tags.get(OUTCOME_TAG)
    failure = None
    if outcome is not None and outcome not in SCORED:
        failure = f"it ended as {outcome}"
    elif outcome is None and run.info.status == "FAILED":
        failure = "it failed"
    name = run.info.run_name or "run"
    return EarlierRun(run.info.run_id, name, dict(run.data.params), dict(run.data.metrics), failure)
