"""Where searches and all they keep lie, below a home folder."""

from __future__ import annotations

import os
from pathlib import Path

from automl.errors import ConfigError, Problem
from automl.machine import files

HOME_VARIABLE = "AUTOML_HOME"
LOG = "backend.log"
"""What the backends print, in the folder of a search."""
MODEL = "model.keras"
"""A trial's model at its best epoch, in the folder of the trial."""
KEPT, EXAMPLES = "model.json", "examples.npz"
"""What reads raw examples for the model of a search, and a few; in the search's folder, and with a registered model."""


def home() -> Path:
    """Returns where searches and the tracking store live: `$AUTOML_HOME`, else `./mlruns`.

    Raises:
        ConfigError: It is no path that a folder can have.
    """
    folder = files.expanded(os.environ.get(HOME_VARIABLE) or "mlruns")
    problem = files.absent(folder)
    if problem not in (None, files.NOTHING):
        where = files.shown(folder)
        raise ConfigError(Problem(where, f"searches cannot be kept here: {problem}", hint=f"Set {HOME_VARIABLE}"))
    return folder.absolute()


def searches_folder(home: Path) -> Path:
    """Returns where all searches of a home live."""
    return home / "searches"


def search_folder(home: Path, search_id: str) -> Path:
    """Returns where a search lives."""
    return searches_folder(home) / search_id


def trial_folder(search: Path, number: int) -> Path:
    """Returns where a trial's files live."""
    return search / "trials" / f"t{number:03d}"


def writable_home() -> Path:
    """Returns `home()` after checking that it can be made or written to.

    Raises:
        ConfigError: It cannot.
    """
    folder = home()
    nearest = next(path for path in (folder, *folder.parents) if files.exists(path))
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return folder
    what = f"{nearest} is not writable" if nearest.is_dir() else f"{nearest} {files.special(nearest) or 'is a file'}"
    hint = f"Set {HOME_VARIABLE} to another place"
    raise ConfigError(Problem(str(folder), f"searches cannot be kept here: {what}", "a folder", hint=hint))
