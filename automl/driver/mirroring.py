"""What MLflow is told of a search, from its journal alone: whatever the mirror lacks is told again, nothing doubles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from automl.deploy.card import BestTrial
from automl.document.yaml_text import Document
from automl.driver.ranking import Ranking
from automl.driver.telling import Teller
from automl.errors import SearchError
from automl.experiment import experiment
from automl.experiment.experiment import Experiment
from automl.journal import (
    Asked,
    Baseline,
    Changed,
    Ended,
    Event,
    Finished,
    Header,
    Reported,
    Resumed,
    Retried,
    Started,
    results,
)
from automl.records.data import DataSpec
from automl.tracking import Tracker


def with_data(read: Experiment) -> Experiment:
    """Returns an experiment that a journal holds, once it is seen to have data: no search begins without.

    Raises:
        SearchError: It has none.
    """
    if read.data is None:
        raise SearchError(
            f"{read.document.name}: the document of the search has no data. Somebody changed its journal."
        )
    return read


class Mirroring:
    """Follows a journal and tells the tracker what its driver told, or would have told, of every event.

    Args:
        tracker: The mirror.
        data: The data of the search.
        report: Makes the report that stands on the run of a search that has ended; None for none.
    """

    def __init__(self, tracker: Tracker, data: DataSpec, report: Callable[[], str | None] | None = None) -> None:
        self.tracker = tracker
        self.data = data
        self._report = report
        self._header: Header
        self._document: Mapping[str, Any]
        self._total: int | None = None
        self._teller: Teller
        self._changes: dict[int, Mapping[str, Any]] = {}

    @property
    def running(self) -> list[int]:
        """The trials that were asked and have not ended."""
        return self._teller.ranking.running

    def resolved(self, number: int) -> dict[str, Any]:
        """Returns the document of a trial that was asked."""
        asked, changes = self._teller.ranking.asked[number], self._changes.get(number)
        return self._teller.read.trial(asked.values, asked.seed, self.data.digest, changes)

    def winner(self, number: int, test: Mapping[str, float]) -> BestTrial:
        """Returns the best trial of a search that has ended.

        Args:
            number: Its number.
            test: What it reached on the test part.
        """
        ranking, metric = self._teller.ranking, self._teller.read.goals.primary.metric
        result, values = ranking.results[number], ranking.asked[number].values
        facts = result.score, result.metrics, test, result.parameters
        return BestTrial(number, self.resolved(number), values, metric, *facts)

    def tell(self, events: Iterable[Event]) -> None:
        """Tells of events, from the header on, in the journal's order and with its times."""
        known = list(events)
        # What a trial did before it began anew at half the batch size no longer counts.
        anew = {event.number: place for place, event in enumerate(known) if isinstance(event, Retried)}
        for place, event in enumerate(known):
            if isinstance(event, Finished):
                makes = self._report if place + 1 == len(known) else None
                self._teller.finished(event, makes() if makes else None)
            elif not (isinstance(event, Reported) and place < anew.get(event.number, 0)):
                self._tell(event)

    def _tell(self, event: Event) -> None:
        match event:
            case Header():
                self._header, self._document = event, event.document
                self._begin()
            case Changed():
                self._document = event.document
                self._begin(self._teller)
            case Resumed():
                self._total = event.trials or self._total
                self._begin(self._teller)
            case Baseline():
                self._teller.baseline(event)
            case Asked():
                self._teller.ranking.ask(event)
            case Retried():
                self._changes[event.number] = event.changes
            case Started():
                asked = self._teller.ranking.asked[event.number]
                self._teller.started(asked, self.resolved(event.number), event.attempt)
            case Reported():
                self._teller.epoch(event)
            case Ended():
                result = results.result(event, None)
                self._teller.ranking.end(result)
                self._teller.ended(result, event.time)

    def _begin(self, earlier: Teller | None = None) -> None:
        """Begins the search's run, or goes on with it, perhaps under a changed document."""
        header, content = self._header, with_trials(self._document, self._total)
        read = with_data(experiment.check(Document(content, header.search), header.settings["space"], layers=False))
        ranking = Ranking(read.goals)
        if earlier is not None:
            for asked in earlier.ranking.asked.values():
                ranking.ask(asked)
            for result in earlier.ranking.results.values():
                ranking.end(result)
        known = earlier.baselines if earlier is not None else {}
        self._teller = Teller(self.tracker, read, self.data, header, ranking, known)
        self._teller.begun()


def with_trials(content: Mapping[str, Any], trials: int | None) -> dict[str, Any]:
    """Returns a document with another total of trials; None for its own."""
    return (
        dict(content) if trials is None else {**content, "search": {**(content.get("search") or {}), "trials": trials}}
    )
