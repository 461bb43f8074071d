"""Sniffs sets that their source reads in whole: `.npz` archives, idx and `.ts` files, folders of images."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl import inputs, sources
from automl.authoring.sniff import pictures, places
from automl.authoring.sniff.columns import is_owner
from automl.authoring.sniff.found import Found
from automl.errors import DataError, did_you_mean, shorten
from automl.inputs import OneColumn
from automl.records.data import EXAMPLES, TARGETS, Splits
from automl.sources import _arrays, _layout, npz
from automl.sources._constant import Constant
from automl.sources._places import fault
from automl.sources._tables import gathered

X_KEYS = (
    "x", "data", "images", "image", "imgs", "series", "signals", "features", "inputs", "input", "samples", "x_data",
    "arr_0",
)  # fmt: skip
"""What the examples are called in an archive, the likeliest first."""

FAR = 4
"""How many times shorter the first axis of series is than the second where it is taken for channels."""

_HOLDS = {
    "ts": ("series", "what .ts files hold"),
    "idx": ("image", "what idx3 files hold"),
    "image_folder": ("image", "what the files are"),
}

Y_KEYS = (
    "y", "labels", "label", "targets", "target", "classes", "class", "outputs", "output", "y_data", "arr_1",
)  # fmt: skip
"""What the targets are called in an archive, the likeliest first."""


def read(kind: str, path: Path, target: str | None, wanted: str | None) -> Found:
    """Sniffs the set that the source `kind` reads at `path`: see `sniff.look`."""
    fields: dict[str, Any] = {}
    why: dict[str, str] = {}
    photographs = kind == "image_folder" and pictures.are_photographs(path)
    if kind == "npz":
        fields = _keys(path, target)
        why = {"x": "the examples", "y": "the targets"}
        source = {"file": str(path), **fields}
    else:
        if kind == "ts":
            fields["name"], why["name"] = _series_name(path)
            path = path.parent
        if kind == "image_folder":
            fields, why = pictures.fields(path, photographs=photographs)
        source = {"folder": str(path), **fields}
    splits, notes = _loaded(kind, source, fields, why)
    first = _first_piece(splits)
    chosen, why["input"] = (wanted, "what --input named") if wanted else _input(kind, path, first)
    if kind == "npz" and chosen == "image" and not wanted and first.ndim == 3 and _far(first.shape[1:]):
        high, wide = first.shape[1:]
        notes.append(
            f"x is read as images of {high} by {wide} pixels, for its numbers are bytes; series: --input series"
        )
    if kind == "npz" and chosen == "series" and first.ndim == 3 and _channels_first(first, fields, why):
        splits, _ = _loaded(kind, {**source, **fields}, fields, why)
        notes.append(_both(first))
        first = _first_piece(splits)
    reader = inputs.registry.read(chosen)
    assert isinstance(reader, OneColumn)
    shape = tuple(int(side) for side in reader.checked(first[:1]).shape[1:])
    found = Found(kind, path, fields, chosen, shape, why, notes=[*splits.notes, *notes])
    found.photographs = photographs
    found.notes += [*_owners(path, fields), *_others(path, fields, splits)] if kind == "npz" else []
    for name, rows in splits.rows.items():
        constant = Constant()
        for _, piece in splits.table.pieces([EXAMPLES], rows):
            x = reader.checked(piece[EXAMPLES])
            found.count(x)
            if name == "train":
                constant.see(x)
        # A step that is alike in all series is nothing to speak of, a column is.
        if constant.channels and (shape[-1] > 1 or first.ndim == 2 or constant.is_all):
            found.notes.append(constant.told)
        found.labels[name] = _arrays.plain_targets(gathered(splits.table, [TARGETS], rows, text=True)[TARGETS], path)
    found.notes = [*splits.table.notes, *found.notes]
    found.offer_padding()
    return found


def _first_piece(splits: Splits) -> np.ndarray:
    """Returns the first training examples."""
    _, piece = next(splits.table.pieces([EXAMPLES], splits.rows["train"]))
    return piece[EXAMPLES]


def _loaded(kind: str, source: dict[str, Any], fields: dict[str, Any], why: dict[str, str]) -> tuple[Splits, list[str]]:
    """Loads a set; takes off what float32 cannot hold, where the source has a field for it, and says so."""
    reads = sources.registry.get(kind)
    try:
        return reads.model_validate(source).open(None), []
    except _layout.Blurred as error:
        if "offset" not in reads.model_fields:
            raise
        fields["offset"] = error.offsets[0] if len(error.offsets) == 1 else error.offsets
        why["offset"] = "float32 does not tell such large numbers apart; take it off what the model is given as well"
        splits: Splits = reads.model_validate({**source, **fields}).open(None)
        return splits, [f"{error} Here `offset` takes them off"]


def _channels_first(x: np.ndarray, fields: dict[str, Any], why: dict[str, str]) -> bool:
    """Returns whether the channels of series seem to stand first; writes down both readings of their axes."""
    steps, channels = x.shape[1:]
    if FAR * steps > channels:
        return False
    fields["channels_first"] = True
    why["channels_first"] = f"read as {_axes(channels, steps)}; false: as {_axes(steps, channels)}"
    return True


def _far(sides: Sequence[int]) -> bool:
    return FAR * min(sides) <= max(sides)


def _axes(steps: int, channels: int) -> str:
    return f"{steps} step{'s' * (steps > 1)} of {channels} channel{'s' * (channels > 1)}"


def _both(x: np.ndarray) -> str:
    steps, channels = x.shape[1:]
    return (
        f"the axes of x, {x.shape}, are read as {_axes(channels, steps)} each, for one is far shorter; if they are "
        f"{_axes(steps, channels)}, write `channels_first: false`"
    )


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
        names = _names(path)
    except (OSError, zipfile.BadZipFile):
        return {}  # its source knows the words for what is wrong
    parted = [npz.keyed(name) for name in names]
    trained = [base for base, part in parted if part == "train"]
    bases = list(dict.fromkeys(trained or names))
    if target is not None and target not in (*names, *bases):
        raise fault(
            path, f"has no array {target!r}", expected=f"one of {', '.join(names)}", hint=did_you_mean(target, names)
        )
    y = target if target in bases else npz.keyed(target)[0] if target else _first(Y_KEYS, bases)
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


def _owners(path: Path, fields: dict[str, Any]) -> list[str]:
    """Returns a sentence on arrays of an archive that say who an example belongs to, which its source does not read."""
    bases = {name: npz.keyed(name)[0] for name in _names(path)}
    owners = [name for name, base in bases.items() if is_owner(base) and base not in fields.values()]
    if not owners:
        return []
    told = (
        f"of the arrays {shorten(owners)}, which seem to say what belongs together, none is read: the parts that are "
        "cut may share an owner, and scores come out too high; bring the parts as x_train, x_val, x_test, or a table "
        "with `group`"
    )
    return [told]


def _others(path: Path, fields: dict[str, Any], splits: Splits) -> list[str]:
    """Returns a sentence on arrays of an archive that may be another input: they hold a number or a word for each."""
    read = {fields.get("x", "x"), fields.get("y", "y")}
    bases = dict.fromkeys(npz.keyed(name)[0] for name in _names(path))
    others = [name for name in bases if name not in read and not is_owner(name) and name in splits.table.columns]
    columns = [name for name in others if _is_column(splits, name)]
    if not columns:
        return []
    table = f"inputs: {{first: ..., second: {{table: {{columns: [{', '.join(columns)}]}}}}}}"
    return [
        f"of the arrays {shorten(columns)}, with a value for each example, none is read; as a second input: {table}"
    ]


def _is_column(splits: Splits, name: str) -> bool:
    try:
        _, piece = next(splits.table.pieces([name], splits.rows["train"]))
    except (DataError, KeyError, StopIteration):
        return False
    return piece[name].ndim == 1


def _names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


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
        if sides[0] == sides[1] == sides[2] > 4:
            hint = "If they are channels of an image, say so with --input image"
            raise fault(path, "volumes are not supported yet", received=f"shape {x.shape}", hint=hint)
        if sides[2] > 4 and (sides[0] <= 4 or sides[1] == sides[2] or sides[0] < min(sides[1:])):
            hint = "Save x.transpose(0, 2, 3, 1), write `channels_first: true` in a data document, or say that it is "
            hint += "right with --input image"
            what = "the channels seem to stand first"
            raise fault(path, what, expected="(examples, height, width, channels)", received=str(x.shape), hint=hint)
        return "image", "height, width, channels"
    if len(sides) == 2:
        # No picture is so low, whatever its numbers.
        strip = min(sides) <= 4 and _far(sides)
        square = sides[0] == sides[1] and not np.isnan(x[:100].astype(float)).any()
        if square or (x.dtype.kind in "ub" and not strip):
            return (
                "image",
                f"{sides[0]} by {sides[1]}, {'bytes' if x.dtype.kind in 'ub' else 'a square'}; else: --input series",
            )
        return "series", f"{_axes(*sides)}, else `channels_first`; height, width: --input image"
    expected = "(examples, steps[, channels]) or (examples, height, width[, channels])"
    raise fault(path, "neither series nor images", expected=expected, received=f"shape {x.shape}")
