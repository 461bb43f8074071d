"""The model that a user means: the best of a search, a run's, or one in the registry; and all that reads for it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from automl.data import prepare
from automl.data.section import DataDocument
from automl.deploy import kept
from automl.deploy.kept import Kept
from automl.errors import ConfigError, DataError, ExportError, Problem, SearchError
from automl.journal import History
from automl.machine import keras_backend
from automl.machine.folders import LOG, MODEL, search_folder, trial_folder
from automl.results import leaderboard, relocation
from automl.tracking import Fetched, Store, fetch, fetching, names, search_of, store
from automl.training.evaluation import Evaluation

MOST_STORED = 2**33
"""Bytes of examples that are prepared again at most, where an earlier version kept none."""


@dataclass(frozen=True)
class Finished:
    """A model that was found.

    Args:
        name: What it is registered as.
        told: Where it comes from, in words.
        path: Its Keras file.
        kept: How raw examples are read for it.
        log: Takes what the backends print.
        tracking_uri: The store that its page is in; None for this folder's.
        fetched: Its place there, as far as it is known.
        search: The search that it is of, where that is in this home.
        backend: The Keras backend that it was trained on, as far as it is known.
    """

    name: str
    told: str
    path: Path
    kept: Kept
    log: Path | None = None
    tracking_uri: str | None = None
    fetched: Fetched | None = None
    search: str | None = None
    backend: str | None = None


@contextmanager
def found(home: Path, wanted: str | None, tracking_uri: str | None = None) -> Iterator[Finished]:
    """Yields the model that a user means.

    Args:
        home: Where searches live.
        wanted: A search, by its id or a part of it, for its best model; the id of a run of MLflow's; the address of a
            model, `models:/NAME@champion`; None for the last search.
        tracking_uri: The store of runs and models; None for this folder's.

    Raises:
        ConfigError: There is no such thing, or more than one.
        SearchError: Its file is gone, or what is kept with it cannot be read.
        ExportError: The search has no scored trial.
    """
    address = None
    if wanted is not None and fetching.RUN_ID.fullmatch(wanted):
        search, uri = search_of(store(home, tracking_uri), wanted)
        wanted, address = _of_run(home, wanted, search, uri)
    elif wanted is not None and fetching.ADDRESS.fullmatch(wanted):
        address = wanted
    if address is None:
        yield _best(home, leaderboard.find_search(home, wanted))
        return
    with tempfile.TemporaryDirectory() as room:
        got = fetch(store(home, tracking_uri), address, Path(room))
        read = kept.read(got.folder)
        if read is None:
            hint = "Name its search instead, where that is on this machine"
            raise ConfigError(
                Problem(address, "an earlier version of automl registered it, and kept no examples", hint=hint)
            )
        yield Finished(got.name, address, got.file, read, tracking_uri=tracking_uri, fetched=got)


def registered(home: Path, wanted: str | None, tracking_uri: str | None = None) -> tuple[Store, str]:
    """Returns where a model is registered: the store, and its address there; see `found` for the arguments.

    Raises:
        ConfigError: There is no such thing, or MLflow has no model of it.
    """
    if wanted is not None and fetching.ADDRESS.fullmatch(wanted):
        return store(home, tracking_uri), wanted
    if wanted is not None and fetching.RUN_ID.fullmatch(wanted):
        where = store(home, tracking_uri)
        search, uri = search_of(where, wanted)
        name = search or wanted
    else:
        name = leaderboard.find_search(home, wanted)
        where = store(home, tracking_uri or relocation.tracking_uri(leaderboard.history(home, name).header, None))
        place = None if where.is_missing else where.model_of(name)
        uri = None if place is None else f"models:/{place[0]}"
    if uri is None:
        raise ConfigError(Problem(name, "MLflow has no model of it", hint=f"Tell it again with: automl sync {name}"))
    return where, uri


def own_data(home: Path, finished: Finished) -> tuple[DataDocument, Evaluation]:
    """Returns the data set that a model learned from, as its search declared it, and how that measured.

    Raises:
        ConfigError: Its search is not in this home.
    """
    if finished.search is None:
        what = "its search is not on this machine, and its data not known"
        raise ConfigError(Problem(finished.told, what, hint="Name the data set with --data"))
    _, read = leaderboard.read(home, finished.search)
    assert read.data is not None
    return read.data, read.evaluation


def _of_run(home: Path, run: str, search: str | None, uri: str | None) -> tuple[str | None, str | None]:
    """Returns the search in this home, or the address of the model, that a run is of.

    Raises:
        ConfigError: It is of neither.
    """
    if search is None:
        raise ConfigError(Problem(run, "is no run of a search of automl's"))
    own, _, trial = search.partition("/")
    there = names.meant(own, [each.name for each in home.glob("searches/*")])[0]
    if not there:
        if uri is None:
            raise ConfigError(Problem(run, f"its search {own} is not on this machine, and it has no model of its own"))
        return None, uri
    best = leaderboard.best_trial(home, own)
    if trial and trial != f"t{best:03d}":
        what = f"is of the trial {trial}, whose model is not kept: that of the best one is, t{best:03d}"
        raise ConfigError(
            Problem(run, what, hint=f"automl show {int(trial[1:])} has its document, which can be trained again")
        )
    return own, None


def _best(home: Path, search_id: str) -> Finished:
    told, read = leaderboard.read(home, search_id)
    best = read.goals.best(leaderboard.results_of(told))
    if best is None:
        raise ExportError(f"{search_id}: there is no model to export yet. Expected at least one scored trial.")
    folder, settings = search_folder(home, search_id), told.header.settings
    path = trial_folder(folder, best.trial) / MODEL
    if not path.exists():
        raise SearchError(f"{path}: the best trial's model is gone. Run the search again.")
    own = kept.read(folder) or _prepared(home, told, folder)
    where = f"trial {best.trial} of the search {search_id}"
    uri = relocation.tracking_uri(told.header, None)
    return Finished(
        settings["name"], where, path, own, folder / LOG, uri, search=search_id, backend=told.header.backend
    )


def _prepared(home: Path, told: History, folder: Path) -> Kept:
    """Returns what an earlier version did not keep, of the data prepared again.

    Raises:
        SearchError: The data is gone, or is another.
    """
    _, read = leaderboard.read(home, told.header.search)
    header, settings = told.header, told.header.settings
    assert read.data is not None
    document = read.data.model_copy(update={"digest": header.data_digest or None})
    root = Path(settings["data_root"]) if settings.get("data_root") else None
    version = (settings.get("data") or {}).get("version", 1)
    keras_backend.become_driver(leaderboard.backend(header))
    keras_backend.import_keras(folder / LOG)
    with tempfile.TemporaryDirectory() as room:
        make = partial(prepare.prepare, document, Path(room) / "data", root, read.evaluation, version)
        try:
            kept.keep(Path(room), make(limit=MOST_STORED))
        except DataError as error:
            what = f"{header.search}: an earlier version kept no examples with the model, and the data is gone"
            raise SearchError(f"{what}: {error}") from error
        own = kept.read(Path(room))
    assert own is not None
    return replace(own, data=own.data)
