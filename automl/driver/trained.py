"""A training that is no trial of a search, kept in its folder when it has ended: another try need not repeat it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from automl.errors import SearchError
from automl.machine import files
from automl.records import typed
from automl.records.trials import Report, TrialResult

FILE = "trained.json"


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Args:
        result: How it ended.
        epochs: What it told of each.
    """

    result: TrialResult
    epochs: tuple[Report, ...]


def write(folder: Path, trained: Trained) -> None:
    """Keeps a training; whole or not at all."""
    files.write_whole(folder / FILE, json.dumps(asdict(trained)))


def read(folder: Path) -> Trained | None:
    """Returns the training that was kept in a folder; None where none was, or it is not whole."""
    try:
        told = json.loads((folder / FILE).read_text(encoding="utf-8"))
        epochs = tuple(typed.built(Report, each, FILE) for each in told["epochs"])
        found = Trained(typed.built(TrialResult, told["result"], FILE), epochs)
    except (FileNotFoundError, ValueError, KeyError, TypeError, SearchError):
        return None
    return found if found.result.model is None or Path(found.result.model).exists() else None
