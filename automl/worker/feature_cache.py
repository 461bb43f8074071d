"""The features of a frozen backbone: computed once, kept on disk, read by every trial that would compute the same.

Imports Keras: for workers only. Where they are kept is told by `$AUTOML_FEATURES`, which the driver sets.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from filelock import Timeout

from automl.blocks.backbone import FEATURES, Backbone
from automl.data.feed import Feed
from automl.machine import disk
from automl.machine.workers import FEATURES_VARIABLE
from automl.model import build, freezing, pretrained
from automl.records.data import DataSpec

LIMIT_MB = 4096
"""What is kept at most, of all data sets and backbones together."""
BATCH = 64
PARTIAL, DONE = ".part", "done"
"""Ends the name of a folder that workers are at; the file in it that says which batches are done."""


Beat = Callable[[int, int], None]
"""Is told how many batches are done, and of how many; may raise, and what is done stays for whoever comes next."""


@dataclass(frozen=True)
class Cached:
    """A model that begins behind the frozen backbone, and where the examples lie that it reads.

    Args:
        head: Shares its weights with the whole model.
        folder: Holds `train_x.npy` and `val_x.npy`, the features of the examples in their order.
    """

    head: keras.Model
    folder: Path


@contextmanager
def cached(network: keras.Model, document: Mapping[str, Any], data: DataSpec, beat: Beat) -> Iterator[Cached | None]:
    """Yields the head of a network with a frozen backbone, and computes the features unless they are there.

    They stay until the caller is done with them, whoever makes room meanwhile.

    Args:
        network: The whole model, frozen for the stage that begins.
        document: The resolved document of the trial.
        data: The prepared data.
        beat: Called between two batches.

    Yields:
        None where the features change from epoch to epoch, see `pretrained.changing`, or are more than the limit.
    """
    root = os.environ.get(FEATURES_VARIABLE)
    first = pretrained.backbone(document)
    if not root or first is None or pretrained.changing(document) is not None or not freezing.is_frozen(network):
        yield None
        return
    layer = str(first.label(FEATURES))
    extractor = keras.Model(network.input, network.get_layer(layer).output)
    feeds = {part: Feed(data, part, BATCH) for part in ("train", "val")}
    size_mb = 4e-6 * sum(feed.size for feed in feeds.values()) * int(np.prod(extractor.output_shape[1:]))
    if size_mb > LIMIT_MB:
        yield None
        return
    folder = Path(root) / _key(first, document, data)
    with disk.held(folder):
        _computed(extractor, folder, feeds, size_mb, beat)
        with build.precision(document):  # by which a model that is compiled scales its loss
            head = freezing.behind(network, layer)
        yield Cached(head, folder)


def _key(backbone: Backbone, document: Mapping[str, Any], data: DataSpec) -> str:
    """Returns a name that is the same for two trials whose features are."""
    weights = backbone.pretrained()
    said = {
        "backbone": backbone.model_dump(include={"family", "alpha", "size", "pooling", "batch_norm"}),
        # Random weights are the trial's own.
        "weights": weights.digest if weights else document["training"]["seed"],
        "data": [data.digest, data.fold],
        "range": [data.inputs[0].state.get("low"), data.inputs[0].state.get("high")],
        "precision": (document.get("training") or {}).get("precision"),
        "keras": [keras.__version__, keras.config.backend()],
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def _computed(extractor: keras.Model, folder: Path, feeds: Mapping[str, Feed], size_mb: float, beat: Beat) -> None:
    """Computes the features of both parts, batch by batch, with every worker that waits for them.

    They appear whole or not at all; what workers did that died is there for the next one. The folder must be held: what
    another process took away meanwhile, and a third began anew, would appear as zeros.
    """
    partial = folder.with_suffix(PARTIAL)
    with disk.locked(folder.with_suffix(".lock")):
        if folder.is_dir():
            os.utime(folder)
            return
        if not partial.is_dir():
            _prune(folder.parent, LIMIT_MB - size_mb)
            _lay_out(partial, feeds, tuple(extractor.output_shape[1:]))
        # Opened here: who ends first renames the folder.
        kept = {part: np.load(partial / f"{part}_x.npy", mmap_mode="r+") for part in feeds}
        done = (partial / DONE).open("r+b")
    with done:
        places = [(part, index) for part, feed in feeds.items() for index in range(len(feed))]
        # First what nobody is at, then what somebody was, who may have died.
        for waits in (False, True):
            for place, (part, index) in enumerate(places):
                beat(len(places) if waits else place, len(places))
                claim = folder.with_suffix(f".{place}.lock")  # beside: whoever ends first renames the folder
                with _claimed(claim, done.fileno(), place, waits=waits) as is_ours:
                    if is_ours:
                        _write(extractor, kept[part], feeds[part], index)
    with disk.locked(folder.with_suffix(".lock")):
        if not folder.is_dir():
            partial.rename(folder)


@contextmanager
def _claimed(claim: Path, done: int, place: int, *, waits: bool) -> Iterator[bool]:
    """Takes a batch for this process; yields whether there is something to do, and notes that it was done.

    Args:
        claim: The batch's own file, there and locked while somebody is at it; the lock ends with its process.
        done: File with a byte a batch, 1 where it was computed.
        place: Which batch.
        waits: Wait for whoever is at it.
    """
    if _is_done(done, place):
        yield False
        return
    lock = disk.exclusive(claim, waits=waits)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        is_ours = not _is_done(done, place)
        yield is_ours
        if is_ours:
            os.pwrite(done, b"\1", place)
    finally:
        claim.unlink(missing_ok=True)  # before the lock ends: whoever waits for it sees that, and makes a new one
        lock.release()


def _is_done(done: int, place: int) -> bool:
    return os.pread(done, 1, place) == b"\1"


def _lay_out(partial: Path, feeds: Mapping[str, Feed], shape: tuple[int, ...]) -> None:
    """Makes the files, at their full size."""
    fresh = partial.with_name(f".{partial.name}.{uuid.uuid4().hex}")
    fresh.mkdir()
    for part, feed in feeds.items():
        np.lib.format.open_memmap(fresh / f"{part}_x.npy", "w+", np.float32, (feed.size, *shape)).flush()
    (fresh / DONE).write_bytes(bytes(sum(map(len, feeds.values()))))
    fresh.rename(partial)


def _write(extractor: keras.Model, kept: Any, feed: Feed, index: int) -> None:
    features = extractor.predict_on_batch(feed[index][0])
    kept[index * BATCH : index * BATCH + len(features)] = features
    kept.flush()  # before it is noted as done


def _prune(root: Path, limit_mb: float) -> None:
    """Removes what was longest not used, until the rest takes `limit_mb` at most."""
    disk.make((path for path in root.iterdir() if path.is_dir()), limit_mb)
