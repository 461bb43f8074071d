"""The best model of a search as a Keras file of the user's: it is that already, and needs no data to be copied."""

from __future__ import annotations

import tempfile
from pathlib import Path

from automl import export
from automl.deploy import finalized
from automl.errors import ExportError
from automl.machine import files, keras_backend
from automl.machine.folders import LOG, search_folder
from automl.model import saved
from automl.results import leaderboard


def export_best(home: Path, search: str | None, to: Path, force: bool) -> Path:
    """Writes the best model of a search, the finalized one where there is one, to a file of the user's.

    Args:
        home: Where searches live.
        search: Its id or a part of it that no other has; None for the last one.
        to: File to write.
        force: Overwrite it.

    Returns:
        The file written.

    Raises:
        ConfigError: No such search, or the file is there already.
        ExportError: The search has no model yet.
        SearchError: The model's file is gone, damaged, or another's.
    """
    search_id = leaderboard.find_search(home, search)
    told = leaderboard.history(home, search_id)
    number = leaderboard.best_trial(home, search_id)
    if number is None:
        raise ExportError(f"{search_id}: there is no model to export yet. Expected at least one scored trial.")
    folder, header, final = search_folder(home, search_id), told.header, finalized.of(home, search_id, number)
    files.require_file(to, force, "with --to")
    keras_backend.become_driver(leaderboard.backend(header))
    if final is None:
        model = leaderboard.load_model(home, search_id, number, folder / LOG)
    else:
        model = saved.load(Path(final.path), folder / LOG)
    with tempfile.TemporaryDirectory(dir=to.absolute().parent) as room:
        written = export.registry.read("keras").write(model, Path(room))
        written.replace(to)
    return to
