"""The best model of a search, registered in MLflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from automl import tasks
from automl.journal import Header
from automl.machine import keras_backend
from automl.machine.folders import LOG, MODEL, trial_folder
from automl.model import pretrained, saved
from automl.records.data import DataSpec
from automl.tracking import Tracker


def register(
    tracker: Tracker,
    data: DataSpec,
    folder: Path,
    header: Header,
    trial: int,
    document: Mapping[str, Any],
    say: Callable[[str], None],
    parameters: int | None = None,
) -> str | None:
    """Logs the winner as the best model of the search, under its registered name, unless it is there already.

    Args:
        tracker: The mirror of the search.
        data: What the search trained on.
        folder: The search's folder.
        header: Its journal's.
        trial: The winner.
        document: The winner's, resolved.
        say: Takes a line for the user: whether it is the champion, or that MLflow did not take it.
        parameters: Number of the winner's weights, as its trial reported it.

    Returns:
        The model's address; None when MLflow did not take it.

    Raises:
        SearchError: The model's file is gone, damaged, or another's.
    """
    if known := tracker.model_uri(trial):
        return known
    path, log = trial_folder(folder, trial) / MODEL, folder / LOG
    model = saved.load(path, log, data.shapes, parameters)
    metadata: dict[str, Any] = {
        **tasks.of(data.task).metadata(data.task),
        "input": data.inputs[0].kind if len(data.inputs) == 1 else {each.name: each.kind for each in data.inputs},
        "shape": data.profile.get("shape") or data.profile["shapes"],
        "task": data.task.kind,
        "data": data.name,
        "data_digest": data.digest,
        "search": folder.name,
    }
    if origin := pretrained.origin(document, header.settings.get("pretrained") or ()):
        metadata["pretrained"] = dict(origin)
    told: list[str] = []
    with keras_backend.quietly(log):  # MLflow imports TensorFlow when it saves, whatever the backend
        uri = tracker.log_best(model, trial, header.settings["name"], metadata, say=told.append)
    for line in told:  # by now stderr is the user's again
        say(line)
    if uri is None:
        say(f"MLflow did not take the best model; it stays at {path}. See {log}")
    return uri
