"""A whole search told to MLflow from its journal: the mirror rebuilt, completed, or made anew in another store."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from automl.deploy.finalized import FOLDER, TOLD
from automl.deploy.register import register
from automl.driver.mirroring import Mirroring
from automl.driver.progress import Watcher
from automl.errors import SearchError
from automl.journal import FILE, Finished, Header, Lock, read
from automl.journal.data import data_of
from automl.journal.history import build
from automl.machine import keras_backend
from automl.machine.folders import MODEL, search_folder, trial_folder
from automl.results import leaderboard, relocation, report
from automl.tracking import Tracker, finals, line, store


@dataclass(frozen=True)
class Mirrored:
    """What `sync -o json` prints: which search was told, and where it is to be found."""

    search_id: str
    trials: int
    tracking_uri: str
    experiment_id: str | None
    run_id: str | None
    model_uri: str | None


def sync(home: Path, search_id: str, watcher: Watcher, tracking_uri: str | None = None) -> Mirrored:
    """Tells MLflow again what the journal of a search holds; what stands there already stays single.

    Args:
        home: Where searches and the embedded store live.
        search_id: Its whole id.
        watcher: Who is shown what happens.
        tracking_uri: MLflow tracking server; None for the one that the search was begun with.

    Raises:
        SearchError: There is no such search, a driver is at work on it, or MLflow does not take all of it.
        ConfigError: The tracking address held a password, or the backend that the model needs is not installed.
    """
    folder = search_folder(home, search_id)
    with Lock(folder):
        *_, last = events = list(read(folder))
        history = relocation.followed(build(events, folder / FILE), home)
        header, settings = history.header, history.header.settings
        data = data_of(header)
        where = store(home, relocation.tracking_uri(header, tracking_uri))
        try:
            where.prepare()
        except Exception as error:
            hint = "Mend that, or name another store with --tracking-uri"
            raise SearchError(f"the store at {where.shown} cannot be opened: {line(error)}. {hint}.") from error
        tracker = Tracker(where, settings["experiment"], search_id)
        makes = partial(report.attempted, home, search_id, watcher.say) if settings.get("report") else None
        mirroring = Mirroring(tracker, data, makes)
        mirroring.tell(events)
        if not isinstance(last, Finished):
            # No driver is at work: what the journal shows as running was cut off.
            tracker.interrupted(mirroring.running, last.created if isinstance(last, Header) else last.time)
        tracker.flush(now=True)
        best = history.finishes[-1].best if history.finishes else None
        uri = None
        # The model of a winner that was beaten since is deleted.
        if best is not None and not tracker.behind and (trial_folder(folder, best) / MODEL).exists():
            keras_backend.become_driver(leaderboard.backend(header))
            winner = mirroring.winner(best, history.finishes[-1].test)
            uri = register(tracker, data, folder, header, winner, watcher.say)
        if (folder / FOLDER / TOLD).exists() and not tracker.behind and not finals.is_in(where, search_id):
            watcher.say(f"the finalized model is not told of again: automl finalize {search_id} registers one anew")
        tracker.close()
        if tracker.behind:
            again = "It would be refused again: mend that first, or" if tracker.is_refused else "Sync it again, or"
            lacks = f"MLflow at {where.shown} lacks a part of the search {search_id}: {tracker.trouble}"
            raise SearchError(f"{lacks}. {again} name another store with --tracking-uri.")
    trials = len(history.trials)
    return Mirrored(search_id, trials, where.shown, tracker.experiment_id, tracker.run_id, uri)
