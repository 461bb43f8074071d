"""What the journals of a home tell: searches, leaderboards, single trials. Reads only, also while a search runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.document.yaml_text import Document
from automl.errors import ConfigError, Problem
from automl.experiment import experiment
from automl.experiment.experiment import Experiment
from automl.journal import FILE, Header, History, TrialHistory, holder, replay, results, searches
from automl.journal.data import data_of
from automl.machine import folders, keras_backend
from automl.model import saved
from automl.records.objective import Objective, spread
from automl.records.trials import CANCELLED, SCORED, TrialResult
from automl.results import sparkline
from automl.tracking import names

if TYPE_CHECKING:
    import keras


def find_search(home: Path, wanted: str | None) -> str:
    """Returns the id of a search.

    Args:
        home: Where searches live.
        wanted: Its id or a part of it that no other has; None for the last one.

    Raises:
        ConfigError: There is none, or more than one.
    """
    known = searches(home)
    if not known:
        hint = "Start one with: automl search cnn --data digits"
        raise ConfigError(Problem(str(folders.searches_folder(home)), "no search was made here yet", hint=hint))
    if wanted is None:
        return known[-1]
    found, what = names.meant(wanted, known)
    if len(found) != 1:
        raise ConfigError(Problem(wanted, what, f"one of {', '.join(found or known[-5:])}"))
    return found[0]


def history(home: Path, search_id: str) -> History:
    """Reads the journal of a search."""
    return replay(folders.search_folder(home, search_id))


def read(home: Path, search_id: str) -> tuple[History, Experiment]:
    """Reads a search's journal, and the experiment that stands in it."""
    told = history(home, search_id)
    document = Document(dict(told.header.document), f"{search_id}/{FILE}")
    return told, experiment.check(document, told.header.settings["space"], layers=False)


def backend(header: Header) -> str:
    """Returns the Keras backend that a search was made with, after checking that it is here.

    Raises:
        ConfigError: It is not, or there is none of that name.
    """
    try:
        return keras_backend.backend(header.backend)
    except ConfigError as error:
        (problem,) = error.problems
        raise ConfigError(replace(problem, where=f"{header.search}, made with {header.backend}")) from None


def rows(home: Path, search_id: str) -> list[dict[str, Any]]:
    """Returns a row per trial: scored ones first, the best at the top, then the others by number."""
    return _rows(home, *read(home, search_id))


def _rows(home: Path, told: History, read_: Experiment) -> list[dict[str, Any]]:
    unended, metric = _unended(home, told.header.search), read_.goals.primary.metric
    ranks = read_.goals.ranks(results_of(told))
    found = []
    for number in sorted(told.trials, key=lambda number: (ranks.get(number, math.inf), number)):
        trial = told.trials[number]
        ended = trial.ended
        found.append({
            "rank": ranks.get(number),
            "trial": number,
            "outcome": ended.outcome if ended else unended,
            metric: score_of(trial),
            "spread": spread(ended.scores) if ended else None,
            "best_epoch": ended.best_epoch if ended else None,
            "epochs": ended.epochs if ended else len(trial.reports),
            "weights": ended.parameters if ended else None,
            "seconds": round(ended.seconds, 1) if ended else None,
            "params": dict(trial.asked.values),
            "message": ended.message if ended else None,
        })  # fmt: skip
    # A column that is empty for every trial says nothing.
    empty = {name for name in ("message", "spread") if all(row[name] is None for row in found)}
    return [{name: value for name, value in row.items() if name not in empty} for row in found]


def board(home: Path, search_id: str) -> list[dict[str, Any]]:
    """Returns the rows of `rows` and one for each baseline, before the first trial that is no better than it.

    With a small drawing of each trial's objective over its epochs, all on one scale.
    """
    return board_of(home, *read(home, search_id))


def board_of(home: Path, told: History, read_: Experiment) -> list[dict[str, Any]]:
    """Returns the same of a search whose journal is read already."""
    found, objective = _with_curves(_rows(home, told, read_), told, read_.goals.primary.metric), read_.goals.primary
    for name, event in told.baselines.items():
        score = event.metrics.get(objective.metric)
        known = {"trial": name, "outcome": "baseline", objective.metric: score, "seconds": round(event.seconds, 1)}
        row: dict[str, Any] = {**dict.fromkeys(found[0] if found else (), None), **known, "params": {}}
        place = (at for at, other in enumerate(found) if _stands_behind(other, score, objective))
        found.insert(next(place, len(found)), row)
    return found


def _with_curves(found: Sequence[dict[str, Any]], told: History, metric: str) -> list[dict[str, Any]]:
    """Returns rows with the curves of their trials, where a trial has more than one epoch."""
    curves = {
        row["trial"]: [each.metrics[metric] for each in told.trials[row["trial"]].reports if metric in each.metrics]
        for row in found
    }
    every = [value for curve in curves.values() for value in curve]
    if max(map(len, curves.values()), default=0) < 2:
        return list(found)
    low, high = min(every), max(every)
    return [{**row, "curve": sparkline.drawn(curves[row["trial"]], low, high)} for row in found]


def _stands_behind(row: Mapping[str, Any], score: float | None, objective: Objective) -> bool:
    """Returns whether a row has no score, or one that a baseline's beats or equals."""
    own = row.get(objective.metric)
    return own is None or (score is not None and not objective.beats(own, score))


def status(home: Path, search_id: str) -> dict[str, Any]:
    """Returns how a search stands: who drives it, what its trials do, the best so far."""
    told, read_ = read(home, search_id)
    driver = holder(folders.search_folder(home, search_id))
    ended = Counter(trial.ended.outcome for trial in told.trials.values() if trial.ended)
    running = {t.asked.number: len(t.reports) for t in told.trials.values() if t.ended is None}
    finished = told.finished.reason if told.finished else None
    best = read_.goals.best(results_of(told))
    return {
        "search": search_id,
        "state": f"run by {driver}" if driver else f"ended: {finished}" if finished else "interrupted",
        "trials": read_.search.most_trials,
        "ended": dict(ended),
        "running": [f"t{trial:03d} after {epochs} epochs" for trial, epochs in running.items()],
        "best": None if best is None else f"t{best.trial:03d}",
        read_.goals.primary.metric: None if best is None else best.score,
        "seconds": round(told.seconds, 1),
    }


def best_trial(home: Path, search_id: str) -> int | None:
    """Returns the number of the best trial so far, or None when none has a score."""
    told, read_ = read(home, search_id)
    best = read_.goals.best(results_of(told))
    return None if best is None else best.trial


def load_model(home: Path, search_id: str, number: int, log: Path | None = None) -> keras.Model:
    """Returns the model that a trial left, which takes raw examples. Runs no code of the file's.

    Raises:
        SearchError: Its file is gone, damaged, or another's.
    """
    told, folder = history(home, search_id), folders.search_folder(home, search_id)
    ended = told.trials[number].ended
    # Journals of the first version do not describe the data.
    shapes = data_of(told.header).shapes if told.header.settings.get("data") else None
    path = folders.trial_folder(folder, number) / folders.MODEL
    return saved.load(path, log, shapes, ended.parameters if ended else None)


def details(home: Path, search_id: str, number: int) -> dict[str, Any]:
    """Returns all there is to know of one trial.

    Raises:
        ConfigError: The search has no such trial.
    """
    return details_of(home, *read(home, search_id), number)


def details_of(home: Path, told: History, read_: Experiment, number: int) -> dict[str, Any]:
    """Returns the same of a trial whose search's journal is read already.

    Raises:
        ConfigError: The search has no such trial.
    """
    search_id, trial = told.header.search, told.trials.get(number)
    if trial is None:
        numbers = f"1 to {len(told.trials)}" if told.trials else "none yet"
        raise ConfigError(Problem(search_id, f"no trial {number}", numbers, str(number)))
    ended, finished = trial.ended, told.finished
    return {
        "search": search_id,
        "trial": number,
        "outcome": ended.outcome if ended else _unended(home, search_id),
        "score": score_of(trial),
        "objective": read_.goals.primary.metric,
        "scores": list(ended.scores) if ended else [],
        "spread": spread(ended.scores) if ended else None,
        "best_epoch": ended.best_epoch if ended else None,
        "weights": ended.parameters if ended else None,
        "seconds": round(ended.seconds, 1) if ended else None,
        "attempts": trial.attempts,
        "message": ended.message if ended else None,
        "gradient": ended.gradient if ended else None,
        "health": _health(trial),
        "traceback": ended.traceback if ended else None,
        "metrics": dict(ended.metrics) if ended else {},
        "test": dict(finished.test) if finished and finished.best == number else {},
        "params": dict(trial.asked.values),
        "document": read_.trial(trial.asked.values, trial.asked.seed, told.header.data_digest, trial.changes),
        "epochs": [{"epoch": report.epoch, **report.metrics, **report.nonfinite} for report in trial.reports],
    }


def _health(trial: TrialHistory) -> dict[str, float]:
    """Returns the last value of each figure of a trial's health."""
    return {name: value for each in trial.reports for name, value in each.health.items()}


def _unended(home: Path, search_id: str) -> str:
    """Returns what the trials do that have not ended: they run, unless nobody drives their search."""
    return "running" if holder(folders.search_folder(home, search_id)) else CANCELLED


def results_of(told: History) -> list[TrialResult]:
    """Returns how the trials ended that did."""
    return [results.result(trial.ended, None) for trial in told.trials.values() if trial.ended]


def score_of(trial: TrialHistory) -> float | None:
    """Returns what a trial reached; None where that is not compared."""
    return trial.ended.score if trial.ended and trial.ended.outcome in SCORED else None
