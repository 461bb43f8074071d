"""What `automl plan` said of a search, kept beside the searches: the search says afterwards whether it was right."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from automl.errors import SearchError
from automl.records import typed

FOLDER = "plans"


@dataclass(frozen=True)
class Prediction:
    """The wall time of a search, in seconds: most likely, and the range it should lie in."""

    seconds: float
    low_s: float
    high_s: float


def key(document: dict[str, Any], digest: str, workers: int, backend: str) -> str:
    """Returns what a plan and its search have in common, and no other search has: its trials, as they are foretold."""
    told = {name: part for name, part in document.items() if name not in ("name", "description")}
    if isinstance(search := told.get("search"), Mapping):
        told["search"] = {name: each for name, each in search.items() if name != "baselines"}  # no trials
    text = json.dumps([told, digest, workers, backend], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def took(result: Mapping[str, Any]) -> float:
    """Returns how long the trials of a search ran, which is what a prediction is of, in seconds.

    Args:
        result: What the search printed; earlier versions counted nothing but its trials.
    """
    trials_s = result.get("trials_s")
    return float(result["wall_s"] if trials_s is None else trials_s[1] - trials_s[0])


def remember(home: Path, name: str, prediction: Prediction) -> None:
    """Keeps a prediction for the search that it is about."""
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(asdict(prediction)))


def recall(home: Path, name: str) -> Prediction | None:
    """Returns what was predicted for a search; None when nothing was that can be read."""
    path = home / FOLDER / f"{name}.json"
    with contextlib.suppress(OSError, ValueError, AttributeError, SearchError):  # no search is lost for it
        return typed.built(Prediction, json.loads(path.read_text()), str(path))
    return None
