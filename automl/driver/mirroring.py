"""What MLflow is told of a search, from its journal alone: whatever the mirror lacks is told again, nothing doubles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from automl import oracles, schedulers, tasks
from automl.document import yaml_text
from automl.document.yaml_text import Document
from automl.driver.ranking import Ranking
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
from automl.model import pretrained
from automl.records.data import DataSpec
from automl.records.objective import Objective
from automl.records.trials import TrialResult
from automl.results import prediction
from automl.tracking import DatasetInput, Tracker


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
    """

    def __init__(self, tracker: Tracker, data: DataSpec) -> None:
        self.tracker = tracker
        self.data = data
        self._header: Header
        self._document: Mapping[str, Any]
        self._total: int | None = None
        self._read: Experiment
        self._ranking: Ranking
        self._changes: dict[int, Mapping[str, Any]] = {}

    @property
    def running(self) -> list[int]:
        """The trials that were asked and have not ended."""
        return self._ranking.running

    def resolved(self, number: int) -> dict[str, Any]:
        """Returns the document of a trial that was asked."""
        asked, changes = self._ranking.asked[number], self._changes.get(number)
        return self._read.trial(asked.values, asked.seed, self.data.digest, changes)

    def tell(self, events: Iterable[Event]) -> None:
        """Tells of events, from the header on, in the journal's order and with its times."""
        known = list(events)
        # What a trial did before it began anew at half the batch size no longer counts.
        anew = {event.number: place for place, event in enumerate(known) if isinstance(event, Retried)}
        for place, event in enumerate(known):
            if not (isinstance(event, Reported) and place < anew.get(event.number, 0)):
                self._tell(event)

    def _tell(self, event: Event) -> None:
        match event:
            case Header():
                self._header, self._document = event, event.document
                self._begin()
            case Changed():
                self._document = event.document
                self._begin(self._ranking)
            case Resumed():
                self._total = event.trials or self._total
                self._begin(self._ranking)
            case Baseline():
                tell_baseline(self.tracker, self._read.goals.primary, event)
            case Asked():
                self._ranking.ask(event)
            case Retried():
                self._changes[event.number] = event.changes
            case Started():
                asked, text = self._ranking.asked[event.number], yaml_text.dump(self.resolved(event.number))
                self.tracker.trial_started(asked.number, asked.values, text, asked.time, event.attempt)
            case Reported():
                self.tracker.epoch(event.number, event.epoch, event.metrics, event.time, event.nonfinite)
            case Ended():
                result = results.result(event, None)
                self._ranking.end(result)
                tell_end(self.tracker, self._ranking, result, event.time)
            case Finished():
                tell_finish(self.tracker, self._ranking, event)

    def _begin(self, known: Ranking | None = None) -> None:
        """Begins the search's run, or goes on with it, perhaps under a changed document."""
        header, content = self._header, with_trials(self._document, self._total)
        checked = Document(content, header.search)
        read = with_data(experiment.check(checked, header.settings["space"], layers=False))
        self._read, self._ranking = read, Ranking(read.goals)
        if known is not None:
            for asked in known.asked.values():
                self._ranking.ask(asked)
            for result in known.results.values():
                self._ranking.end(result)
        data, commit = self.data, header.settings.get("commit")
        cluster = header.settings.get("cluster")
        origins = "\n".join(map(pretrained.told, header.settings.get("pretrained") or ()))
        self.tracker.start(
            name=header.settings["name"],
            params=_params(read, data, header),
            tags={
                **{f"automl.version.{name}": version for name, version in header.versions.items()},
                # The parameter keeps its first value in MLflow; a resume may give another total.
                "automl.trials": read.search.most_trials,
                **({"mlflow.source.git.commit": commit} if commit else {}),
                **({"automl.pretrained": origins} if origins else {}),
                **({"automl.cluster": cluster["address"]} if cluster else {}),
            },
            experiment_yaml=yaml_text.dump(read.document.data),
            dataset=DatasetInput(
                name=data.name,
                digest=data.digest,
                source=yaml_text.dump(read.document.data["data"]["source"]).strip(),
                profile=data.profile,
            ),
            time_ms=header.created,
            note=_note(read, data, header),
        )


def with_trials(content: Mapping[str, Any], trials: int | None) -> dict[str, Any]:
    """Returns a document with another total of trials; None for its own."""
    return (
        dict(content) if trials is None else {**content, "search": {**(content.get("search") or {}), "trials": trials}}
    )


def tell_baseline(tracker: Tracker, objective: Objective, event: Baseline) -> None:
    """Tells of a baseline."""
    facts = {**event.metrics, **{f"best/{key}": value for key, value in event.metrics.items()}}
    # The objective, as that of a trial is called, so that both stand in one column.
    score = {"score": event.metrics[objective.metric]} if objective.metric in event.metrics else {}
    began = event.time - int(1000 * event.seconds)
    tracker.baseline(event.name, {**facts, **score, "seconds": event.seconds}, event.time, began)


def tell_end(tracker: Tracker, ranking: Ranking, result: TrialResult, time_ms: int) -> None:
    """Tells of a trial's end, and of how the search stands then."""
    tracker.trial_ended(result, time_ms)
    best = ranking.best
    tracker.progress(best.score if best else None, len(ranking.results), time_ms)


def tell_finish(tracker: Tracker, ranking: Ranking, finished: Finished) -> None:
    """Tells of a search's end."""
    test = {name.removeprefix("test_"): value for name, value in finished.test.items()}
    planned = None
    if predicted := finished.result.get("predicted_s"):
        within = {"search_planned_low_s": predicted[0], "search_planned_high_s": predicted[1]}
        planned = {"search_s": prediction.took(finished.result), **within}
    for name, metrics in (finished.result.get("baselines") or {}).items():
        tested = {key: value for key, value in metrics.items() if key.startswith("test_")}
        tracker.baseline(name, tested, finished.time)
    done, is_won = len(ranking.results), finished.best is not None
    beaten_by = finished.result.get("beaten_by")
    tracker.finish(ranking.ranks(), "FINISHED" if is_won else "FAILED", test, done, finished.time, planned, beaten_by)


def _params(read: Experiment, data: DataSpec, header: Header) -> dict[str, Any]:
    search, objective = read.search, read.goals.primary
    return {
        "space": read.name,
        "data": data.name,
        "algorithm": oracles.registry.name_of(search.algorithm),
        "scheduler": schedulers.registry.name_of(search.judge),
        "objective": objective.metric,
        "direction": objective.direction,
        "trials": search.most_trials,
        "time": search.time,
        "seed": search.seed,
        "workers": header.settings["workers"],
        "gpus": ",".join(header.settings.get("gpus") or ()) or None,
        "threads": header.threads,
        "backend": header.backend,
    }


def _note(read: Experiment, data: DataSpec, header: Header) -> str:
    """Describes a search on its page in the MLflow UI."""
    objective = read.goals.primary
    shapes = (" x ".join(map(str, shape)) for shape in data.shapes.values())
    learned = tasks.of(data.task).tells(data.task)
    sizes = ", ".join(f"{count} {part}" for part, count in data.sizes.items())
    return (
        f"`{read.name}` on `{data.name}`: {sizes} examples of {' and '.join(shapes)}, {learned}. "
        f"Objective `{objective.metric}` ({objective.direction}). Search `{header.search}`; every trial is a child run."
    )
