"""The best model of a search, written to a file of the user's."""

from __future__ import annotations

import tempfile
from pathlib import Path

from automl import export
from automl.errors import ConfigError, ExportError, Problem, did_you_mean
from automl.machine import files, keras_backend
from automl.machine.folders import LOG, MODEL, search_folder, trial_folder
from automl.results import leaderboard


def export_best(home: Path, search: str | None, form: str, to: Path | None, force: bool) -> Path:
    """Writes the best model of a search to a file of the user's.

    Args:
        home: Where searches live.
        search: Its id or a part of it that no other has; None for the last one.
        form: Export format.
        to: File to write; None for `NAME` with the format's ending in the current folder.
        force: Overwrite it.

    Returns:
        The file written.

    Raises:
        ConfigError: No such search or format, or the file is there already.
        ExportError: The search has no model yet.
        SearchError: The model's file is gone, damaged, or another's.
    """
    search_id = leaderboard.find_search(home, search)
    if form not in export.registry:
        known = ", ".join(export.registry.names())
        hint = did_you_mean(form, export.registry)
        raise ConfigError(Problem("--format", f"unknown export format {form!r}", known, hint=hint))
    told = leaderboard.history(home, search_id)
    number = leaderboard.best_trial(home, search_id)
    if number is None:
        raise ExportError(f"{search_id}: there is no model to export yet. Expected at least one scored trial.")
    folder, header = search_folder(home, search_id), told.header
    source = trial_folder(folder, number) / MODEL
    target = to or files.named(header.settings["name"], source.suffix)
    files.require_file(target, force, "with --to")
    keras_backend.become_driver(leaderboard.backend(header))
    model = leaderboard.load_model(home, search_id, number, folder / LOG)
    with tempfile.TemporaryDirectory(dir=target.absolute().parent) as room:
        written = export.registry.read(form).write(model, Path(room))
        written.replace(target)
    return target
