"""The tracker: what the driver tells of a search, told on to MLflow."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal

from automl.records.trials import CANCELLED, TrialResult
from automl.tracking import finals, trial_end
from automl.tracking import model as models
from automl.tracking.finals import Final
from automl.tracking.model import BestModel
from automl.tracking.outbox import Outbox, Page
from automl.tracking.run import Point
from automl.tracking.search_runs import DatasetInput, Family
from automl.tracking.store import Store
from automl.tracking.tags import OUTCOME_TAG
from automl.tracking.view import LOG10, View, page

log = logging.getLogger("automl.tracking")

Numbers = Mapping[str, float]


class Tracker:
    """Mirrors one search.

    A method that only writes never raises and never waits for a server: what it has to say is queued, in order, and
    the queue goes out within about a second, or when the server is back, at the latest with `close`. Those that begin
    or end the search wait for the answer, unless the server was gone a moment ago. `behind` tells what is missing then.

    Args:
        store: Where to.
        experiment: Name of the MLflow experiment.
        search_id: The search.
    """

    def __init__(self, store: Store, experiment: str, search_id: str) -> None:
        self.store = store
        self.search_id = search_id
        self._outbox = Outbox(self._write, store.shown, aside=not store.is_file)
        self._family = Family(store, experiment, search_id, self._outbox)

    @property
    def behind(self) -> bool:
        """Whether the mirror lacks something that was told; it can be told again from the journal."""
        return bool(self._outbox.queue) or self._outbox.dropped > 0

    @property
    def trouble(self) -> str:
        """What the store, or the way to it, said last where it did not take something."""
        return self._outbox.trouble

    @property
    def is_refused(self) -> bool:
        """Whether something of what is missing would be refused again, whenever it is told."""
        return self._outbox.has_refused

    @property
    def experiment_id(self) -> str | None:
        """The experiment of the search, once the store has it."""
        return self._family.experiment_id

    @property
    def run_id(self) -> str | None:
        """The run of the search, once the store has it."""
        return self._family.begun.run_id if self._family.begun else None

    @property
    def page(self) -> str | None:
        """The address of the page that compares the trials, once the store has the search."""
        base = self.store.ui
        return None if base is None or self.experiment_id is None else page(base, self.experiment_id, self.search_id)

    @property
    def trial_run_ids(self) -> dict[int, str]:
        """The runs of the trials by number, as far as the store has them."""
        return self._family.trial_run_ids

    def start(
        self,
        *,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, Any],
        experiment_yaml: str,
        dataset: DatasetInput | None,
        time_ms: int,
        note: str | None = None,
        view: View | None = None,
    ) -> str | None:
        """Begins the search's run, or finds it again.

        Args:
            name: Its name in the runs table.
            params: Settings of the search.
            tags: Versions, git commit, backend, whatever helps to find the search again.
            experiment_yaml: The resolved document, kept as `experiment.yaml`.
            dataset: What it trains on.
            time_ms: When the search began, since 1970.
            note: Description shown on the run's page, Markdown.
            view: What the page of its trials shows.

        Returns:
            The run's id; None while the store cannot be reached.
        """
        self._family.name, self._family.dataset, self._family.view = name, dataset, view
        texts = {"experiment.yaml": experiment_yaml}
        self._outbox.put(
            Page(None, time_ms, begins=True, params={**params}, tags={**tags, **_described(note)}, texts=texts)
        )
        self.flush()
        return self.run_id

    def baseline(self, name: str, metrics: Numbers, time_ms: int, began_ms: int | None = None) -> None:
        """Adds to the run of a baseline.

        Args:
            name: Which.
            metrics: What was measured of it.
            time_ms: When, since 1970.
            began_ms: When that began, for a run that is begun and ended with it.
        """
        points = [Point(key, value, 0, time_ms) for key, value in metrics.items()]
        ended = None if began_ms is None else ("FINISHED", time_ms)
        self._outbox.put(Page(name, began_ms or time_ms, points=points, ended=ended))

    def trial_started(
        self,
        number: int,
        params: Mapping[str, Any],
        trial_yaml: str,
        time_ms: int,
        attempt: int = 1,
        new: bool = False,
        *,
        name: str | None = None,
        logs: Numbers | None = None,
    ) -> None:
        """Begins a trial's run, or finds it again.

        Args:
            number: The trial, from 1.
            params: The searched parameters that are active in it.
            trial_yaml: Its resolved document, kept as `trial.yaml`.
            time_ms: When it began, since 1970.
            attempt: Which attempt this is.
            new: Its epochs so far no longer count; MLflow takes no point back, so another run replaces the one it had.
            name: Its name in the runs table; else its number, as `t012`.
            logs: Decimal logarithms of parameters, by their names.
        """
        tags, texts = {"automl.attempt": attempt}, {"trial.yaml": trial_yaml}
        points = [Point(f"{LOG10}{key}", value, 0, time_ms) for key, value in (logs or {}).items()]
        given: dict[str, Any] = {"params": {**params}, "tags": tags, "points": points, "texts": texts}
        self._outbox.put(Page(number, time_ms, new, begins=True, name=name, **given))

    def epoch(self, number: int, step: int, metrics: Numbers, time_ms: int) -> None:
        """Adds an epoch of a trial: a point a metric.

        Args:
            number: The trial.
            step: The epoch, from 1.
            metrics: Their values; one that is not finite becomes a tag.
            time_ms: When the epoch ended, since 1970.
        """
        points = [Point(key, value, step, time_ms) for key, value in metrics.items()]
        self._outbox.put(Page(number, time_ms, points=points))

    def trial_ended(self, result: TrialResult, time_ms: int) -> None:
        """Ends a trial's run: how it ended, its score, what it cost.

        Args:
            result: What the worker, or whoever lost it, said.
            time_ms: When it ended, since 1970.
        """
        self._outbox.put(trial_end.page(result, time_ms))

    def progress(self, best_so_far: float | None, trials_done: int, time_ms: int, note: str | None = None) -> None:
        """Adds to the search's curves `best_so_far` and `trials_done`, over the number of trials done.

        Args:
            best_so_far: Best score until now; None while there is none.
            trials_done: Trials ended until now.
            time_ms: When, since 1970.
            note: The description as it is from now on.
        """
        values: dict[str, float | None] = {"best_so_far": best_so_far, "trials_done": float(trials_done)}
        points = [Point(key, value, trials_done, time_ms) for key, value in values.items() if value is not None]
        self._outbox.put(Page(None, time_ms, tags=_described(note), points=points))

    def finish(
        self,
        ranks: Mapping[int, int],
        status: Literal["FINISHED", "FAILED"],
        test: Mapping[str, float],
        trials_done: int,
        time_ms: int,
        planned: Mapping[str, float] | None = None,
        beaten_by: str | None = None,
        note: str | None = None,
        report: str | None = None,
    ) -> None:
        """Ends the search's run.

        Args:
            ranks: Rank by trial, 1 the best; scored trials only. A metric, because the table sorts tags as text.
            status: How the search ended.
            test: The winner's metrics on the test part, by their bare names; written as `test_NAME`.
            trials_done: Trials ended: the step of the test metrics; a continued search adds those of its new winner.
            time_ms: When, since 1970.
            planned: What the search took and what was predicted, in seconds, by the names of the metrics.
            beaten_by: The baseline that the winner does not beat.
            note: The description as it is from now on.
            report: An HTML page, kept as `report.html`.
        """
        for number, rank in ranks.items():
            self._outbox.put(Page(number, time_ms, points=[Point("rank", float(rank), trials_done, time_ms)]))
        metrics = {f"test_{key}": value for key, value in test.items()} | dict(planned or {})
        points = [Point(key, value, trials_done, time_ms) for key, value in metrics.items()]
        tags: dict[str, Any] = {"automl.best_trial": min(ranks, key=ranks.__getitem__)} if ranks else {}
        tags |= {"automl.beaten_by": beaten_by} if beaten_by else {}
        tags |= _described(note)
        texts = {"report.html": report} if report else {}
        self._outbox.put(Page(None, time_ms, tags=tags, points=points, texts=texts, ended=(status, time_ms)))
        self.flush()

    def interrupted(self, running: Collection[int], time_ms: int) -> None:
        """Ends the search's run, and those of the trials still `running`, as killed; a resume takes them up again."""
        for number in running:
            self._outbox.put(Page(number, time_ms, tags={OUTCOME_TAG: CANCELLED}, ended=("KILLED", time_ms)))
        self._outbox.put(Page(None, time_ms, ended=("KILLED", time_ms)))
        self.flush()

    def log_best(
        self, model: Any, best: BestModel, say: Callable[[str], None] = log.info, *, final: Final | None = None
    ) -> str | None:
        """Logs the winner's model on the search's run and registers it, as its name's champion if it is one.

        Imports Keras. A second call for the same trial logs nothing.

        Args:
            model: The loaded Keras model.
            best: What is told of it.
            say: Told what became of the name's champion.
            final: What the run of a finalized model shows, which is begun below the search's for it.

        Returns:
            The model's URI, `models:/m-...`; None when the store could not be reached.
        """

        def call() -> str:
            began_ms = final.began_ms if final else int(time.time() * 1000)
            parent, own = self._family.parent(), self._family.trial(best.trial, began_ms)
            if final is not None:
                finals.write(self._family.final(best.final, final.name, began_ms), final)
            return models.log_best(self._family.api, parent, own, model, best, say)

        self.flush(now=True)
        if self._outbox.queue:  # gone, as was said just now
            self._outbox.dropped += 1
            return None
        try:
            return self._outbox.attempt(call)
        except Exception as error:  # noqa: BLE001 - a dead server does not stop a search
            self._outbox.drop(error)
            log.warning("MLflow did not take the model: %s", self._outbox.trouble)
            return None

    def model_uri(self, trial: int) -> str | None:
        """Returns the address of the winner's model where it is logged already, and comes from this trial."""
        self.flush(now=True)
        return models.logged(self._family.begun, trial) if self._family.begun else None

    def flush(self, *, now: bool = False) -> None:
        """Sends what waits, in order; stops at the first thing that the store cannot take at present.

        Args:
            now: Also try when the store was found unreachable a moment ago.
        """
        self._outbox.flush(now=now)

    def flush_if_due(self) -> None:
        """Sends what has waited for a second; for whoever has nothing new to tell."""
        self._outbox.flush_if_due()

    def close(self) -> None:
        """Sends the rest, if the store can be reached."""
        self.flush(now=True)
        if self.behind:
            log.warning("MLflow at %s lacks a part of the search %s", self.store.shown, self.search_id)

    def _write(self, page: Page) -> None:
        self._family.write(page)


def _described(note: str | None) -> dict[str, str]:
    """Returns the tag that MLflow shows as a run's description."""
    return {} if note is None else {"mlflow.note.content": note}
