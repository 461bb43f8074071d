"""The model that a user means: the best of a search, a run's, or one in the registry; and all that reads for it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from automl.data.section import DataDocument
from automl.deploy import finalized, kept
from automl.deploy.kept import Kept
from automl.errors import ConfigError, DataError, ExportError, Problem, SearchError
from automl.experiment.experiment import Experiment
from automl.journal import History, searches
from automl.machine import keras_backend
from automl.machine.folders import LOG, MODEL, search_folder, trial_folder
from automl.results import leaderboard, prepared, relocation
from automl.tracking import Fetched, Store, fetch, fetching, search_of, store
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
        fetched: Its place there, where it comes from there.
        model_uri: Its address there, `models:/m-...`, where it is not that of the best trial's model.
        search: The search that it is of, where that is in this home.
        backend: The Keras backend that it was trained on, as far as it is known.
        final: Whether it was finalized: trained on all but the test part.
    """

    name: str
    told: str
    path: Path
    kept: Kept
    log: Path | None = None
    tracking_uri: str | None = None
    fetched: Fetched | None = None
    model_uri: str | None = None
    search: str | None = None
    backend: str | None = None
    final: bool = False


@contextmanager
def found(home: Path, wanted: str | None, tracking_uri: str | None = None) -> Iterator[Finished]:
    """Yields the model that a user means.

    Args:
        home: Where searches live.
        wanted: A search, by its id or a part of it, for its finalized model, else that of its best trial; the id of
            a run of MLflow's; the address of a model, `models:/NAME@champion`; None for the last search.
        tracking_uri: The store of runs and models; None for this folder's.

    Raises:
        ConfigError: There is no such thing, or more than one.
        SearchError: Its file is gone, or what is kept with it cannot be read.
        ExportError: The search has no scored trial.
    """
    search, address = _meant(home, wanted, tracking_uri)
    if address is None:
        yield _best(home, leaderboard.find_search(home, search))
        return
    with tempfile.TemporaryDirectory() as room:
        got = fetch(store(home, tracking_uri), address, Path(room))
        read = kept.read(got.folder)
        if read is None:
            hint = "Name its search instead, where that is on this machine"
            raise ConfigError(
                Problem(address, "an earlier version of automl registered it, and kept no examples", hint=hint)
            )
        search = got.search if got.search in searches(home) else None
        given = got.name, address, got.file, read
        yield Finished(*given, tracking_uri=tracking_uri, fetched=got, search=search, final=got.final)


def registered(home: Path, wanted: str | None, tracking_uri: str | None = None) -> tuple[Store, str]:
    """Returns where a model is registered: the store, and its address there; see `found` for the arguments.

    Raises:
        ConfigError: There is no such thing, or MLflow has no model of it.
    """
    search, address = _meant(home, wanted, tracking_uri)
    if address is not None:
        return store(home, tracking_uri), address
    name = leaderboard.find_search(home, search)
    final = finalized.of(home, name, leaderboard.best_trial(home, name))
    where = store(home, tracking_uri or relocation.tracking_uri(leaderboard.history(home, name).header, None))
    if final is not None and final.model_uri is not None:
        return where, final.model_uri
    place = None if where.is_missing else where.model_of(name)
    if place is None:
        raise ConfigError(Problem(name, "MLflow has no model of it", hint=f"Tell it again with: automl sync {name}"))
    return where, f"models:/{place[0]}"


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


def _meant(home: Path, wanted: str | None, tracking_uri: str | None) -> tuple[str | None, str | None]:
    """Returns the search, None for the last one, or the address of a model, that a user means.

    Raises:
        ConfigError: A run is of neither, or of a trial whose model is not kept.
    """
    if wanted is not None and fetching.ADDRESS.fullmatch(wanted):
        return None, wanted
    if wanted is None or not fetching.RUN_ID.fullmatch(wanted):
        return wanted, None
    told, address = search_of(store(home, tracking_uri), wanted)
    if told is None:
        raise ConfigError(Problem(wanted, "is no run of a search of automl's"))
    search, _, trial = told.partition("/")
    if search not in searches(home):
        if address is None:
            what = f"its search {search} is not on this machine, and it has no model of its own"
            raise ConfigError(Problem(wanted, what))
        return None, address
    best = leaderboard.best_trial(home, search)
    if trial and trial != f"t{best:03d}":
        what = f"is of the trial {trial}, whose model is not kept: that of the best one is, t{best:03d}"
        hint = f"automl show {int(trial[1:])} has its document, which can be trained again"
        raise ConfigError(Problem(wanted, what, hint=hint))
    return search, None


def _best(home: Path, search_id: str) -> Finished:
    told, read = leaderboard.read(home, search_id)
    best = read.goals.best(leaderboard.results_of(told))
    if best is None:
        raise ExportError(f"{search_id}: there is no model to export yet. Expected at least one scored trial.")
    folder, settings = search_folder(home, search_id), told.header.settings
    path, where = trial_folder(folder, best.trial) / MODEL, f"trial {best.trial} of the search {search_id}"
    final = finalized.of(home, search_id, best.trial)
    if final is not None:
        path, where = Path(final.path), f"the finalized model of the search {search_id}"
    if not path.exists():
        raise SearchError(f"{path}: the best trial's model is gone. Run the search again.")
    own = kept.read(path.parent if final else folder) or _prepared(told, read, folder / LOG)
    return Finished(
        settings["name"],
        where,
        path,
        own,
        folder / LOG,
        relocation.tracking_uri(told.header, None),
        model_uri=None if final is None else final.model_uri,
        search=search_id,
        backend=told.header.backend,
        final=final is not None,
    )


def _prepared(told: History, read: Experiment, log: Path) -> Kept:
    """Returns what an earlier version did not keep, of the data prepared again.

    Raises:
        SearchError: The data is gone, or is another.
    """
    keras_backend.become_driver(leaderboard.backend(told.header))
    keras_backend.import_keras(log)
    with tempfile.TemporaryDirectory() as room:
        try:
            kept.keep(Path(room), prepared.again(told.header, read, Path(room) / "data", limit=MOST_STORED))
        except DataError as error:
            what = f"{told.header.search}: an earlier version kept no examples with the model, and the data is gone"
            raise SearchError(f"{what}: {error}") from error
        own = kept.read(Path(room))
    assert own is not None
    return own
