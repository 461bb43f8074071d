"""What a model needs beside its file: how raw examples are read for it; and a few of them, to hold its copies against.

It lies in the folder of a search, and beside every registered model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from automl.errors import SearchError
from automl.machine.folders import EXAMPLES, KEPT
from automl.records import typed
from automl.records.data import DataSpec

MOST, MOST_BYTES = 256, 16 * 2**20
"""Examples that are kept, and what they may take as float32."""

_TARGETS, _OF = "targets", "x_"


@dataclass(frozen=True)
class Kept:
    """What is kept with a model.

    Args:
        data: The set it learned from; its own files are gone.
        x: Examples as the model takes them, of the validation part where there is one, by the names of the inputs.
        stored: Their targets, as the task stores them.
    """

    data: DataSpec
    x: Mapping[str, np.ndarray]
    stored: np.ndarray


def keep(folder: Path, data: DataSpec) -> None:
    """Writes what reads raw examples, and some of a prepared set, spread over its validation part. Imports Keras."""
    from automl.data.feed import Feed, targets

    part = "val" if data.sizes.get("val") and not data.folds else "train"
    feed = Feed(data, part, MOST)
    each = 4 * sum(math.prod(shape) for shape in data.shapes.values())
    count = max(1, min(MOST, feed.size, MOST_BYTES // max(1, each)))
    places = np.unique(np.linspace(0, feed.size - 1, count).astype(int))
    save(folder / EXAMPLES, feed.named(places), {_TARGETS: targets(data, part)[places]})
    told = {key: value for key, value in asdict(data).items() if key not in ("folder", "folds", "fold", "notes")}
    (folder / KEPT).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def save(path: Path, x: Mapping[str, np.ndarray], others: Mapping[str, np.ndarray] | None = None) -> None:
    """Writes examples as an archive, `x_NAME` for each input: an input may be called as an argument of NumPy's is."""
    arrays: dict[str, Any] = {f"{_OF}{name}": values for name, values in x.items()} | dict(others or {})
    np.savez_compressed(path, **arrays)


def read(folder: Path) -> Kept | None:
    """Returns what is kept in a folder; None where an earlier version kept nothing.

    Raises:
        SearchError: It cannot be read.
    """
    path = folder / KEPT
    if not path.exists():
        return None
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        with np.load(folder / EXAMPLES, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        stored = arrays.pop(_TARGETS)
        data = typed.built(DataSpec, {**told, "folder": ""}, str(path))
    except SearchError:
        raise
    except Exception as error:  # whatever a file that anybody may have written makes of NumPy
        what = f"what is kept with the model cannot be read ({type(error).__name__})"
        raise SearchError(f"{path}: {what}. Put it back from a copy.") from error
    return Kept(data, {name.removeprefix(_OF): x for name, x in arrays.items()}, stored)
