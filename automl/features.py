"""The features of a frozen backbone: computed once, kept on disk, read by every trial that would compute the same.

Imports Keras: for workers only. Where they are kept is told by `$AUTOML_FEATURES`, which the driver sets.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from automl import phases, pretrained, room
from automl.blocks.backbone import FEATURES, Backbone
from automl.environment import FEATURES_VARIABLE
from automl.feed import Feed
from automl.records import DataSpec
from automl.tasks import Task

LIMIT_MB = 4096
"""What is kept at most, of all data sets and backbones together."""
BATCH = 64


@dataclass(frozen=True)
class Cached:
    """A model that begins behind the frozen backbone, and where the examples lie that it reads.

    Args:
        head: Shares its weights with the whole model.
        folder: Holds `train_x.npy` and `val_x.npy`, the features of the examples in their order.
    """

    head: keras.Model
    folder: Path


def cached(network: keras.Model, document: Mapping[str, Any], data: DataSpec, task: Task) -> Cached | None:
    """Returns the head of a network with a frozen backbone, and computes the features unless they are there.

    Args:
        network: The whole model, frozen for the stage that begins.
        document: The resolved document of the trial.
        data: The prepared data.
        task: Its task.

    Returns:
        None where the features change from epoch to epoch, see `pretrained.changing`, or are more than the limit.
    """
    root = os.environ.get(FEATURES_VARIABLE)
    first = pretrained.backbone(document)
    if not root or first is None or pretrained.changing(document) is not None or not phases.is_frozen(network):
        return None
    layer = str(first.label(FEATURES))
    extractor = keras.Model(network.input, network.get_layer(layer).output)
    feeds = {part: Feed(data, part, task, BATCH) for part in ("train", "val")}
    size_mb = 4e-6 * sum(feed.size for feed in feeds.values()) * int(np.prod(extractor.output_shape[1:]))
    if size_mb > LIMIT_MB:
        return None
    folder = Path(root) / _key(first, document, data)
    _computed(extractor, folder, feeds, size_mb)
    return Cached(phases.behind(network, layer), folder)


def _key(backbone: Backbone, document: Mapping[str, Any], data: DataSpec) -> str:
    """Returns a name that is the same for two trials whose features are."""
    weights = backbone.pretrained()
    said = {
        "backbone": backbone.model_dump(include={"family", "alpha", "size", "pooling", "batch_norm"}),
        # Random weights are the trial's own.
        "weights": weights.digest if weights else document["training"]["seed"],
        "data": [data.digest, data.fold],
        "range": [data.stem.get("low"), data.stem.get("high")],
        "precision": (document.get("training") or {}).get("precision"),
        "keras": [keras.__version__, keras.config.backend()],
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def _computed(extractor: keras.Model, folder: Path, feeds: Mapping[str, Feed], size_mb: float) -> None:
    """Writes the features of both parts, unless another worker has; they appear whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        # Who comes second waits for the first one's.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            os.utime(folder)
            return
        _prune(folder.parent, LIMIT_MB - size_mb)
        fresh = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
        fresh.mkdir()
        try:
            for part, feed in feeds.items():
                _write(extractor, fresh / f"{part}_x.npy", feed)
            fresh.rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _write(extractor: keras.Model, path: Path, feed: Feed) -> None:
    kept = np.lib.format.open_memmap(path, "w+", np.float32, (feed.size, *extractor.output_shape[1:]))
    place = 0
    for index in range(len(feed)):
        features = extractor.predict_on_batch(feed[index][0])
        kept[place : place + len(features)] = features
        place += len(features)
    kept.flush()


def _prune(root: Path, limit_mb: float) -> None:
    """Removes what was longest not used, until the rest takes `limit_mb` at most."""
    room.make((path for path in root.iterdir() if path.is_dir()), limit_mb)
