"""The best model of a search, registered in MLflow."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from automl import tasks
from automl.deploy import bundle, card, kept
from automl.deploy.card import BestTrial
from automl.journal import Header
from automl.machine import keras_backend
from automl.machine.folders import EXAMPLES, KEPT, LOG, MODEL, trial_folder
from automl.model import pretrained, saved
from automl.records.data import DataSpec
from automl.tracking import BestModel, Tracker


def files_of(folder: Path) -> dict[str, bytes]:
    """Returns what lies beside a registered model: what reads raw examples for it, and some of them."""
    found = kept.read(folder)
    if found is None:
        return {}
    texts = {f"code/{name}": text.encode() for name, text in bundle.reading(found).items()}
    return texts | {name: (folder / name).read_bytes() for name in (KEPT, EXAMPLES)}


def metadata_of(data: DataSpec, search: str, header: Header, winner: BestTrial) -> dict[str, Any]:
    """Returns what a reader of a model needs, as plain data; see `BestModel`."""
    metadata: dict[str, Any] = {
        **tasks.of(data.task).metadata(data.task),
        "input": data.inputs[0].kind if len(data.inputs) == 1 else {each.name: each.kind for each in data.inputs},
        "shape": data.profile.get("shape") or data.profile["shapes"],
        "task": data.task.kind,
        "data": data.name,
        "data_digest": data.digest,
        "search": search,
    }
    if origin := pretrained.origin(winner.document, header.settings.get("pretrained") or ()):
        metadata["pretrained"] = dict(origin)
    return metadata


def register(
    tracker: Tracker, data: DataSpec, folder: Path, header: Header, winner: BestTrial, say: Callable[[str], None]
) -> str | None:
    """Logs the winner as the best model of the search, under its registered name, unless it is there already.

    Args:
        tracker: The mirror of the search.
        data: What the search trained on.
        folder: The search's folder.
        header: Its journal's.
        winner: Its best trial.
        say: Takes a line for the user: whether it is the champion, or that MLflow did not take it.

    Returns:
        The model's address; None when MLflow did not take it.

    Raises:
        SearchError: The model's file is gone, damaged, or another's.
    """
    if known := tracker.model_uri(winner.trial):
        return known
    path, log = trial_folder(folder, winner.trial) / MODEL, folder / LOG
    model = saved.load(path, log, data.shapes, winner.parameters)
    metadata = metadata_of(data, folder.name, header, winner)
    best = BestModel(
        winner.trial,
        header.settings["name"],
        metadata,
        card=card.written(winner, data, header),
        # As its trial's run calls them.
        metrics={f"best/{key}" if key.startswith("val_") else key: value for key, value in winner.measured.items()},
        tags={"automl.space": header.settings["space"], "automl.data": data.name, "automl.objective": winner.objective},
        champion=header.settings.get("champion", "better"),  # earlier versions knew no other
        files=files_of(folder),
    )
    uri = logged(partial(tracker.log_best, model, best), log, say)
    if uri is None:
        say(f"MLflow did not take the best model; it stays at {path}. See {log}")
    return uri


def logged(call: Callable[[Callable[[str], None]], str | None], log: Path, say: Callable[[str], None]) -> str | None:
    """Has MLflow log a model, and returns its address; None where it did not take it.

    Args:
        call: Logs it, and is given who is told what became of the champion.
        log: Takes what the backends print: MLflow imports TensorFlow when it saves, whatever the backend.
        say: Takes a line for the user, once stderr is the user's again.
    """
    told: list[str] = []
    with keras_backend.quietly(log):
        uri = call(told.append)
    for line in told:
        say(line)
    return uri
