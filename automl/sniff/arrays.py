"""Sniffs sets that their source reads in whole: `.npz` archives, idx and `.ts` files, folders of images."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl import data, inputs
from automl.data._places import fault
from automl.errors import did_you_mean
from automl.records import Splits
from automl.sniff import pictures, places
from automl.sniff.found import Found

X_KEYS = ("x", "data", "images", "image", "series", "features", "inputs", "arr_0")
"""What the examples are called in an archive, the likeliest first."""

_HOLDS = {
    "ts": ("series", "what .ts files hold"),
    "idx": ("image", "what idx3 files hold"),
    "image_folder": ("image", "what the files are"),
}

Y_KEYS = ("y", "labels", "label", "targets", "target", "classes", "arr_1")
"""What the targets are called in an archive, the likeliest first."""


def read(kind: str, path: Path, target: str | None, wanted: str | None) -> Found:
    """Sniffs the set that the source `kind` reads at `path`: see `sniff.look`."""
    fields: dict[str, Any] = {}
    why: dict[str, str] = {}
    if kind == "npz":
        fields = _keys(path, target)
        why = {"x": "the examples", "y": "the targets"}
        source = {"file": str(path), **fields}
    else:
        if kind == "ts":
            fields["name"], why["name"] = _series_name(path)
            path = path.parent
        if kind == "image_folder":
            fields, why = pictures.fields(path)
        source = {"folder": str(path), **fields}
    splits: Splits = data.registry.get(kind).model_validate(source).load(None)
    first = splits.train.x
    chosen, why["input"] = (wanted, "what --input named") if wanted else _input(kind, path, first)
    reader = inputs.registry.read(chosen)
    shape = tuple(int(side) for side in reader.check(first[:1]).shape[1:])
    found = Found(kind, path, fields, chosen, shape, why, notes=list(splits.notes))
    for name in ("train", "val", "test"):
        part = getattr(splits, name)
        if part is not None:
            found.count(reader.check(part.x))
            found.labels[name] = part.y
    return found


def _series_name(path: Path) -> tuple[str, str]:
    """Returns the first word of the names of a set's `.ts` files: of both parts, where there are two."""
    for word, other in (("train", "test"), ("test", "train")):
        beside = places.sibling(path, word, other)
        if beside is not None and path.stem.upper().endswith(f"_{word.upper()}"):
            name = path.stem[: -len(word) - 1]
            return name, f"first word of {name}_TRAIN.ts and {name}_TEST.ts"
    return path.stem, f"first word of {path.name}, which brings no test part"


def _keys(path: Path, target: str | None) -> dict[str, str]:
    """Returns the keys of examples and targets; none where they are the source's own, `x` and `y`."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return {}  # its source knows the words for what is wrong
    bases = list(dict.fromkeys(name.removesuffix("_train") for name in names))
    if target is not None and target.removesuffix("_train") not in bases:
        raise fault(
            path, f"has no array {target!r}", expected=f"one of {', '.join(names)}", hint=did_you_mean(target, names)
        )
    y = target.removesuffix("_train") if target else _first(Y_KEYS, bases)
    x = _first(X_KEYS, [base for base in bases if base != y])
    if x is None or y is None:
        raise fault(
            path,
            f"which array holds the {'examples' if x is None else 'targets'} cannot be told",
            expected="x and y, or x_train, y_train, x_test, y_test",
            received=", ".join(names) or "no arrays",
            hint="Save it again under such names: numpy.savez(file, x=..., y=...)",
        )
    return {} if (x, y) == ("x", "y") else {"x": x, "y": y}


def _first(words: Sequence[str], keys: Sequence[str]) -> str | None:
    return next((key for word in words for key in keys if key.lower() == word), None)


def _input(kind: str, path: Path, x: np.ndarray) -> tuple[str, str]:
    """Returns the input that the arrays look like, and why."""
    if kind in _HOLDS:
        return _HOLDS[kind]
    sides = x.shape[1:]
    if len(sides) == 1:
        return "series", "one number per step"
    if len(sides) == 3:
        if sides[0] in (1, 3) and sides[2] > 4:
            hint = "Save x.transpose(0, 2, 3, 1), or say that it is right with --input image"
            what = "the channels seem to stand first"
            raise fault(path, what, expected="(examples, height, width, channels)", received=str(x.shape), hint=hint)
        return "image", "height, width, channels"
    if len(sides) == 2:
        if x.dtype.kind in "ub" or (sides[0] == sides[1] and not np.isnan(x[:100].astype(float)).any()):
            return (
                "image",
                f"{sides[0]} by {sides[1]}, {'bytes' if x.dtype == np.uint8 else 'a square'}; else: --input series",
            )
        return "series", "steps, channels; height, width: --input image"
    expected = "(examples, steps[, channels]) or (examples, height, width[, channels])"
    raise fault(path, "neither series nor images", expected=expected, received=f"shape {x.shape}")
