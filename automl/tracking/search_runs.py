"""The runs of a search in the store: the parent, a child for every trial and baseline; made once, then found again."""

from __future__ import annotations

import getpass
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.records.trials import CANCELLED
from automl.tracking.limits import value_text
from automl.tracking.outbox import Outbox, Page, line
from automl.tracking.run import MirrorRun
from automl.tracking.store import Store, find, find_trials
from automl.tracking.tags import BASELINE_TAG, DATA_DIGEST_TAG, FINAL_TAG, OUTCOME_TAG, SEARCH_TAG, TRIAL_TAG
from automl.tracking.view import View, tag

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger("automl.tracking")


@dataclass(frozen=True)
class DatasetInput:
    """The data set of a search, as MLflow lists it.

    Args:
        name: Its name.
        digest: Digest of what was prepared, in hex; MLflow keeps its first 36 characters.
        source: Where it came from, in words or as a path.
        profile: Sizes, shape and classes, as plain data.
    """

    name: str
    digest: str
    source: str
    profile: Mapping[str, Any]


class Family:
    """A search's runs.

    Args:
        store: Where they are.
        experiment: Name of the MLflow experiment.
        search_id: The search.
        outbox: Knows whether a call has failed before.

    Attributes:
        name: What the search's run is called.
        dataset: What it trains on.
        view: What the page of its trials shows.
    """

    def __init__(self, store: Store, experiment: str, search_id: str, outbox: Outbox) -> None:
        self.store = store
        self.experiment = experiment
        self.search_id = search_id
        self.outbox = outbox
        self.name = search_id
        self.dataset: DatasetInput | None = None
        self.view: View | None = None
        self.experiment_id: str | None = None
        self.begun: MirrorRun | None = None
        self._client: MlflowClient | None = None
        self._trials: dict[int, MirrorRun] = {}
        self._known: dict[int, str] = {}
        self._baselines: dict[str, MirrorRun] = {}
        self._mark = ""

    @property
    def trial_run_ids(self) -> dict[int, str]:
        """The runs of the trials by number, as far as the store has them."""
        return self._known | {number: run.run_id for number, run in self._trials.items()}

    @property
    def api(self) -> MlflowClient:
        """MLflow's client; the first use makes an embedded store."""
        if self._client is None:
            self.store.prepare()
            self._client = self.store.client()
        return self._client

    def open(self, name: str, time_ms: int) -> MirrorRun:
        """Returns the search's run, begun at `time_ms` under `name` where there is none yet."""
        if self.begun is None:
            self.experiment_id = self._open_experiment()
            run_id = find(self.api, [self.experiment_id], SEARCH_TAG, self.search_id)
            if find(self.api, [self.experiment_id], SEARCH_TAG) not in (None, run_id):
                # The table of an experiment shows the runs of all its searches: of the second and later, say which.
                self._mark = self.search_id.rpartition("-")[2]
            if run_id:
                self._known = find_trials(self.api, [self.experiment_id], run_id)
                self.begun = MirrorRun.read(self.api, run_id)
            else:
                tags = {"mlflow.source.name": "automl", "mlflow.source.type": "LOCAL"}
                own = f"{name} {self._mark}".rstrip()
                self.begun = self._create(own, time_ms, SEARCH_TAG, self.search_id, tags)
        return self.begun

    def parent(self) -> MirrorRun:
        """Returns the search's run."""
        # Where `start` was refused, its run is begun all the same: its trials must hang somewhere.
        return self.begun or self.open(self.search_id, int(time.time() * 1000))

    def trial(self, number: int, time_ms: int, name: str | None = None) -> MirrorRun:
        """Returns a trial's run, begun at `time_ms` under `name` where there is none yet."""
        if number not in self._trials:
            parent = self.parent()
            if number in self._known:
                self._trials[number] = MirrorRun.read(self.api, self._known[number])
            else:
                short, tags = f"t{number:03d}", {"mlflow.parentRunId": parent.run_id}
                given = self._called(name or short), time_ms, TRIAL_TAG, f"{self.search_id}/{short}", tags
                self._trials[number] = self._create(*given)
        return self._trials[number]

    def baseline(self, name: str, time_ms: int) -> MirrorRun:
        """Returns a baseline's run, begun at `time_ms` where there is none yet."""
        if name not in self._baselines:
            parent, value = self.parent(), f"{self.search_id}/{name}"
            assert self.experiment_id is not None
            known = find(self.api, [self.experiment_id], BASELINE_TAG, value)
            tags = {"mlflow.parentRunId": parent.run_id}
            self._baselines[name] = (
                MirrorRun.read(self.api, known)
                if known
                else self._create(self._called(f"baseline {name}"), time_ms, BASELINE_TAG, value, tags)
            )
        return self._baselines[name]

    def final(self, mark: str, name: str, time_ms: int) -> MirrorRun:
        """Returns a new run for a finalized model, which its mark tells from others of the kind."""
        tags = {"mlflow.parentRunId": self.parent().run_id}
        return self._create(self._called(name), time_ms, FINAL_TAG, mark, tags)

    def _called(self, name: str) -> str:
        """Returns the name of a child, with its search before it where the experiment has another."""
        return f"{self._mark} {name}".lstrip()

    def drop(self, number: int) -> None:
        """Deletes a trial's run, if it has one."""
        self.parent()  # which finds the runs of an earlier driver
        known = self.trial_run_ids.get(number)
        if known is not None and self.outbox.has_failed:
            # The store may have deleted it and only its answer been lost.
            assert self.experiment_id is not None
            known = find(self.api, [self.experiment_id], TRIAL_TAG, f"{self.search_id}/t{number:03d}")
        if known is not None:
            self.api.delete_run(known)
        self._trials.pop(number, None)
        self._known.pop(number, None)

    def log_dataset(self, dataset: DatasetInput) -> None:
        """Lists the data set on the search's run, once."""
        run = self.parent()
        if DATA_DIGEST_TAG in run.tags:
            return
        from mlflow.entities import Dataset, InputTag
        from mlflow.entities import DatasetInput as MlflowInput

        source = value_text({"uri": str(Path(dataset.source))})
        profile = value_text(dict(dataset.profile))
        entity = Dataset(dataset.name[:500], dataset.digest[:36], "local", source, profile=profile)
        self.api.log_inputs(run.run_id, [MlflowInput(entity, [InputTag("mlflow.data.context", "training")])])
        run.write(tags={"automl.data": dataset.name, DATA_DIGEST_TAG: dataset.digest})

    def log_view(self, view: View, time_ms: int) -> None:
        """Keeps the view of the search's page, where it has one that MLflow reads; a store may not take it."""
        from mlflow.exceptions import MlflowException

        known = tag(view, self.search_id, self.parent().run_id, time_ms)
        if known is None:
            return
        try:
            self.api.set_experiment_tag(self.experiment_id, *known)
        except MlflowException as error:
            if error.get_http_status_code() >= 500:
                raise
            # Somebody may write runs alone, and the runs matter.
            log.info("the view of the search %s was not kept: %s", self.search_id, line(error))

    def write(self, page: Page) -> None:
        """Writes a page to its run, which is begun where there is none yet."""
        if page.anew and isinstance(page.trial, int):
            self.drop(page.trial)
            page.anew = False  # a second try must not delete the run that the first one made
        if isinstance(page.trial, str):
            run = self.baseline(page.trial, page.time_ms)
        elif page.trial is None:
            run = self.open(self.name, page.time_ms)
        else:
            run = self.trial(page.trial, page.time_ms, page.name)
        if page.begins and run.tags.get(OUTCOME_TAG) == CANCELLED:
            page.tags.setdefault(OUTCOME_TAG, "running")
        run.write(params=page.params, tags=page.tags, points=page.points)
        for name, content in page.texts.items():
            run.attach(content, name)
        if page.trial is None and page.begins:
            if self.dataset is not None:
                self.log_dataset(self.dataset)
            if self.view is not None:
                self.log_view(self.view, page.time_ms)
        if page.ended:
            run.end(*page.ended)
        elif page.begins:
            run.start()

    def _create(self, name: str, time_ms: int, tag: str, value: str, tags: dict[str, str]) -> MirrorRun:
        assert self.experiment_id is not None
        if self.outbox.has_failed:
            # The store may have made the run and only its answer been lost.
            run_id = find(self.api, [self.experiment_id], tag, value)
            if run_id:
                return MirrorRun.read(self.api, run_id)
        tags |= {tag: value, "mlflow.user": _user()}
        run = self.api.create_run(self.experiment_id, start_time=time_ms, tags=tags, run_name=name)
        tags = dict(run.data.tags)
        return MirrorRun(self.api, run.info.run_id, tags=tags, is_running=True, artifacts=run.info.artifact_uri)

    def _open_experiment(self) -> str:
        from mlflow.exceptions import MlflowException

        found = self.api.get_experiment_by_name(self.experiment)
        if found is None:
            folder = self.store.artifacts
            try:
                # Else the UI opens it with its pages for language models.
                tags = {"mlflow.experimentKind": "custom_model_development"}
                return self.api.create_experiment(self.experiment, folder.as_uri() if folder else None, tags)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            # Another search made it in this very moment.
            found = self.api.get_experiment_by_name(self.experiment)
        if found.lifecycle_stage == "deleted":
            self.api.restore_experiment(found.experiment_id)
        return str(found.experiment_id)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user id without a name
        return "unknown"
