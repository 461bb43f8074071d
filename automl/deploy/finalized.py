"""A finalized model: the trials it was chosen from, and the model in its place, on disk and in MLflow."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from automl.deploy import card
from automl.deploy.card import BestTrial
from automl.deploy.register import files_of, logged, metadata_of
from automl.errors import SearchError
from automl.journal import History, now_ms
from automl.machine import files
from automl.machine.folders import LOG, MODEL, search_folder
from automl.model import saved
from automl.records import typed
from automl.records.data import DataSpec
from automl.records.objective import Champion
from automl.results import markdown, relocation
from automl.results.significance import Interval
from automl.tracking import BestModel, Final, Tracker, store

FOLDER, TOLD = "final", "finalized.json"
"""Where a finalized model lies, in the folder of its search, and what is told of it there."""

Choice = Literal["best", "smallest"]


@dataclass(frozen=True)
class Candidate:
    """One of the best trials, measured on folds.

    Args:
        trial: Its number.
        scores: Of the folds.
        mean: Of them.
        low: Where the score of one model of its kind should lie on the test part: from here
        high: to here, in 95 of 100 cases.
        p: How likely folds would be so far from the best one's by chance; 1 for the best one.
        alike: Whether it cannot be told apart from the best one.
        weights: Of the model.
        epochs: What it is trained for on all of the examples.
    """

    trial: int
    scores: tuple[float, ...]
    mean: float
    low: float
    high: float
    p: float
    alike: bool
    weights: int | None
    epochs: int


@dataclass(frozen=True)
class Finalized:
    """What `finalize -o json` prints.

    Args:
        search_id: The search.
        objective: What is compared.
        candidates: The best first.
        trial: The one that was chosen.
        smallest: The one with the fewest weights of those that cannot be told apart.
        members: Models that the one written is the mean of; one, unless an ensemble was asked for.
        score: The objective on the test part.
        holds: Whether the interval of the chosen one holds it; None of an ensemble, for which there is none.
        test: Every metric on the test part.
        test_seen_before: Whether the test part was looked at earlier, at the end of the search.
        path: The model's file.
        model_uri: Its address in MLflow.
    """

    search_id: str
    objective: str
    candidates: tuple[Candidate, ...]
    trial: int
    smallest: int
    members: int
    score: float | None
    holds: bool | None
    test: dict[str, float]
    test_seen_before: bool
    path: str
    model_uri: str | None


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Args:
        top: How many of the best trials are measured.
        seeds: Folds, each with a seed of its own; of an ensemble, also how often each trial is trained on all.
        ensemble: Whether the mean of all of them is the model.
        choose: Which trial becomes the model: the best one, or the smallest that cannot be told apart from it.
    """

    top: int = 3
    seeds: int = 5
    ensemble: bool = False
    choose: Choice = "best"


@dataclass(frozen=True)
class Made:
    """What was made of a search's best trials, in a folder of its own.

    Args:
        told: The search.
        data: What it was trained on, its training and validation part together.
        work: The folder; its `model.keras` is the model.
        wanted: What was asked for.
        candidates: The best first.
        chosen: The one that was taken.
        document: Of that trial.
        objective: What is compared, with `val_`.
        weights: Of the model.
        members: Of how many networks it is the mean.
        test: Every metric on the test part.
        began_ms: When finalizing began, since 1970.
    """

    told: History
    data: DataSpec
    work: Path
    wanted: Wanted
    candidates: Sequence[Candidate]
    chosen: Candidate
    document: Mapping[str, Any]
    objective: str
    weights: int | None
    members: int
    test: Mapping[str, float]
    began_ms: int

    def published(
        self, home: Path, say: Callable[[str], None], champion: Champion = "better", tracking_uri: str | None = None
    ) -> Finalized:
        """Puts the model in its place, tells MLflow of it, and returns what came of it.

        Args:
            home: Where searches live.
            say: Told what became of the champion, or that MLflow did not take the model.
            champion: When the model takes its name's alias.
            tracking_uri: The store; None for the search's own.
        """
        metric, chosen = self.objective.removeprefix("val_"), self.chosen
        score = self.test.get(f"test_{metric}")
        within = Interval(chosen.mean, chosen.low, chosen.high)
        result = Finalized(
            search_id=self.told.header.search,
            objective=metric,
            candidates=tuple(self.candidates),
            trial=chosen.trial,
            smallest=smallest(self.candidates).trial,
            members=self.members,
            score=score,
            holds=None if self.members > 1 or score is None else within.holds(score),
            test=dict(self.test),
            test_seen_before=bool(self.told.finishes),
            path=str(self.work.with_name(FOLDER) / MODEL),
            model_uri=None,
        )
        for each in self.work.iterdir():
            if each.is_dir():
                shutil.rmtree(each)
        result = replace(result, model_uri=self._registered(result, home, say, champion, tracking_uri))
        (self.work / TOLD).write_text(json.dumps(asdict(result), indent=1) + "\n", encoding="utf-8")
        files.replace(self.work, self.work.with_name(FOLDER))
        return result

    def _registered(
        self, result: Finalized, home: Path, say: Callable[[str], None], champion: Champion, tracking_uri: str | None
    ) -> str | None:
        header, settings = self.told.header, self.told.header.settings
        log, name = search_folder(home, header.search) / LOG, settings["name"]
        mark = f"{header.search}/{time.strftime('%Y%m%d-%H%M%S')}"
        where = store(home, relocation.tracking_uri(header, tracking_uri))
        tracker = Tracker(where, settings["experiment"], header.search)
        model = saved.load(self.work / MODEL, log, self.data.shapes, self.weights)
        best = self._best(result, champion, mark)
        uri = logged(partial(tracker.log_best, model, best, final=self._final(result)), log, say)
        tracker.close()
        if uri is None:
            say(f"MLflow did not take the model {name}; it lies at {result.path}. {tracker.trouble}")
        return uri

    def _best(self, result: Finalized, champion: Champion, mark: str) -> BestModel:
        header, settings = self.told.header, self.told.header.settings
        values, metrics = self.told.trials[result.trial].asked.values, {self.objective: self.chosen.mean}
        facts = self.objective, self.chosen.mean, metrics, self.test, self.weights
        winner = BestTrial(result.trial, self.document, values, *facts)
        # On the card the mean of the folds stands in a table of its own; the networks of several trials differ.
        told = replace(winner, metrics={}, values=values if result.members == 1 else {})
        return BestModel(
            result.trial,
            settings["name"],
            metadata_of(self.data, header.search, header, winner),
            card="\n\n".join((card.written(told, self.data, header, made(result)), table(result))),
            metrics={f"final/{key}" if key.startswith("val_") else key: x for key, x in winner.measured.items()},
            tags={"automl.space": settings["space"], "automl.data": self.data.name, "automl.objective": self.objective},
            champion=champion,
            files=files_of(self.work),
            final=mark,
        )

    def _final(self, result: Finalized) -> Final:
        chosen, seen = self.chosen, ", after the search had read it" if result.test_seen_before else ""
        interval = {"mean": chosen.mean, "interval_low": chosen.low, "interval_high": chosen.high}
        return Final(
            name=f"final {self.told.header.settings['name']}",
            began_ms=self.began_ms,
            ended_ms=now_ms(),
            params={**asdict(self.wanted), "trial": chosen.trial, "epochs": chosen.epochs, "members": self.members},
            metrics={**interval, **self.test},
            folds={f"t{each.trial:03d}_{result.objective}": each.scores for each in self.candidates},
            tags={
                "automl.test_part": f"read once{seen}",
                "mlflow.note.content": f"{made(result).capitalize().rstrip(',')}.\n\n{table(result)}",
            },
            texts={"candidates.json": json.dumps([asdict(each) for each in self.candidates], indent=1)},
        )


def of(home: Path, search_id: str, best: int | None) -> Finalized | None:
    """Returns the finalized model of a search; None where there is none, or the best trial was found after it.

    Args:
        home: Where searches live.
        search_id: The search.
        best: Its best trial.

    Raises:
        SearchError: What is told of it cannot be read, or its file is gone.
    """
    told = search_folder(home, search_id) / FOLDER / TOLD
    if not told.exists():
        return None
    try:
        data = json.loads(told.read_text(encoding="utf-8"))
        found = typed.built(Finalized, data, str(told))
    except (OSError, ValueError) as error:
        raise SearchError(f"{told}: cannot be read. Finalize the search again.") from error
    if best not in {each.trial for each in found.candidates}:
        return None
    path = told.with_name(MODEL)
    if not path.exists():
        raise SearchError(f"{path}: the finalized model is gone. Finalize the search again, or remove {told.parent}.")
    return replace(found, path=str(path))


def smallest(candidates: Sequence[Candidate]) -> Candidate:
    """Returns the one with the fewest weights of those that cannot be told apart from the best."""
    return min((each for each in candidates if each.alike), key=lambda each: each.weights or 0)


def made(result: Finalized) -> str:
    """Returns in words what the model is."""
    if result.members > 1:
        trials = ", ".join(str(each.trial) for each in result.candidates)
        return f"the mean of {result.members} networks of the trials {trials}, trained on all but the test part,"
    (chosen,) = (each for each in result.candidates if each.trial == result.trial)
    return f"trial {result.trial}, trained on all but the test part for {chosen.epochs} epochs,"


def table(result: Finalized) -> str:
    """Returns the candidates as a Markdown table."""
    rows = [
        (
            f"t{each.trial:03d}",
            markdown.figure(each.mean),
            f"{each.low:.4g} to {each.high:.4g}",
            f"{each.p:.2g}",
            "yes" if each.alike else "no",
            "" if each.weights is None else f"{each.weights:,}",
        )
        for each in result.candidates
    ]
    return markdown.table(("trial", f"mean {result.objective}", "95 %", "p", "alike", "weights"), rows)
