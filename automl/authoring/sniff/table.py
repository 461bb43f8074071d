"""Sniffs a table: which column is the target, which are features, what shape a row has; read in pieces."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl import inputs
from automl.authoring.sniff import columns, form, places, when
from automl.authoring.sniff.columns import Columns
from automl.authoring.sniff.found import Found
from automl.errors import DataError, shorten
from automl.inputs import OneColumn
from automl.sources import _layout, _order
from automl.sources._arrays import tidy
from automl.sources._places import fault
from automl.sources._table import Table

LEAST_STEPS = 16
"""Columns that may be the steps of a series; fewer are taken for columns of their own."""

_NUMBERED = re.compile(r"(.*?)[ _.-]?(\d+)")
_PIXEL = re.compile(r"(pixel|pix|px)[ _.-]?\d+|\d+x\d+", re.IGNORECASE)


def read(path: Path, target: str | None, wanted: str | None) -> Found:
    """Sniffs the table at `path`, and its test part where a file beside it is one: see `sniff.look`."""
    table, written, why = form.see(path)
    seen = _seen(path, table)
    target = None if target is None else tidy([target])[0]
    column, why["target"] = columns.target(seen, target)
    timed = when.see(seen, column)
    order, why["order"] = timed.column, timed.why
    owner = columns.owner(seen, column)
    others = {column, owner, *timed.others}
    numbers, words = _features(seen, column, others, timed.others, wanted)
    kind, shape = _form(seen, numbers, words, wanted, why)
    words = words if kind == "table" else []
    features = [name for name in seen.kinds if name in {*numbers, *words}]
    fields: dict[str, Any] = {"target": column}
    beside, notes = places.sibling(path, "train", "test"), timed.notes
    there = set() if beside is None else set(table.names(beside))
    if beside and order and {column, order, *features} <= there and not _later(seen, beside, order):
        told = f"{beside.name} holds rows that by {order!r} are earlier than some of {path.name}"
        order, notes = None, [f"{told}: the validation part is drawn at random, not by time"]
    if owner is not None and order is None:
        fields["group"], why["group"] = owner, "what belongs together stays in one part; none: leave it out"
    chosen = {column, order or owner, *features}
    left_out = [name for name in seen.kinds if name not in chosen]
    if left_out or owner is not None:
        fields["columns"] = features
        told = shorten(left_out or [owner])
        why["columns"] = f"all but {told}: neither text, nor a row number, nor a time, nor an owner is a feature"
    if order is not None:
        fields["order"] = order
        why["split"] = f"the latest rows by {order}, as shares of the training examples"
    names = {path: list(seen.kinds)}
    if beside is not None and {column, order or owner or column, *features} <= there:
        fields["test"], why["test"] = beside, "found beside the other, with the same columns"
        names[beside] = table.names(beside)
    elif beside is not None:
        why["split"] = f"{beside.name} is not used: it lacks columns of {path.name}"
    fields |= written
    if kind != "table":
        fields["shape"] = list(shape)
    offsets = _offsets(seen, numbers)
    if offsets:
        fields["offset"] = offsets
        why["offset"] = "float32 does not tell such large numbers apart; take it off what the model is given as well"
    found = Found("csv", path, fields, kind, shape, why, left_out, words)
    found.notes += [*notes, *_unread(seen, column, order, owner, words), *columns.leaks(seen, numbers, column)]
    for part, (file, header) in zip(("train", "test"), names.items(), strict=False):
        found.labels[part] = _scan(found, table, file, header, numbers)
    found.offer_padding()
    return found


def _later(seen: Columns, beside: Path, order: str) -> bool:
    """Returns whether the rows of the table beside are all at least as late as those of the first."""
    table = seen.table
    (train,) = table.pieces(seen.path, list(seen.kinds), (), (order,), rows=0)
    (test,) = table.pieces(beside, table.names(beside), (), (order,), rows=0)
    before, after = train[order].to_numpy(dtype=str), test[order].to_numpy(dtype=str)
    return _order.follows(before, after, beside, order, table.decimal)[0]


def _offsets(seen: Columns, features: Sequence[str]) -> dict[str, float]:
    """Returns what is to be taken off columns whose numbers are too large for float32; nothing for most tables."""
    piece = next(seen.table.pieces(seen.path, list(seen.kinds), features, ()))
    try:
        _layout.check(seen.table.numbers(piece, features, seen.path), seen.path, features)
    except _layout.Blurred as error:
        return {name: offset for name, offset in zip(features, error.offsets, strict=True) if offset}
    return {}


def _seen(path: Path, table: Table) -> Columns:
    try:
        return columns.see(path, table)
    except DataError as error:
        # Text is full of quotes and separators, but that is not why it cannot be searched on.
        if form.wordy(path):
            raise DataError(f"{error} There is no input for text yet.") from error
        raise


def _features(
    seen: Columns, target: str, others: set[str | None], times: Sequence[str], wanted: str | None
) -> tuple[list[str], list[str]]:
    """Returns the columns that hold numbers, and those of words that come again, as far as the first rows tell.

    Those that are the rows' own are neither.

    Args:
        seen: The table.
        target: What is learned.
        others: Columns that are no features.
        times: Those among them that say when a row was.
        wanted: What the user named as the input.

    Raises:
        DataError: There are none.
    """
    rest = [name for name in seen.kinds if name not in others]
    named = [name for name in rest if not seen.counts(name)]
    numbers = [name for name in named if seen.kinds[name] in ("numbers", "nothing")]
    words = [name for name in named if seen.kinds[name] == "words" and seen.comes_again(name)]
    holds = any(seen.kinds[name] == "numbers" for name in numbers)
    if not holds and not (words and wanted in (None, "table")):
        hint = "There is no input for text yet" if "words" in map(seen.kinds.get, named) else None
        raise fault(
            seen.path,
            f"no column beside the target {target!r} holds numbers to learn from",
            expected="numeric features",
            received=shorten(rest) + (f", beside the order of the rows in {shorten(list(times))}" if times else ""),
            hint="There is no task for anomalies or forecasts yet" if times and not rest else hint,
        )
    return numbers, words


def _unread(seen: Columns, target: str, order: str | None, owner: str | None, categories: Sequence[str]) -> list[str]:
    """Returns sentences on what the table holds and no input reads."""
    words = [
        name
        for name, kind in seen.kinds.items()
        if kind == "words" and name not in (target, owner) and name not in categories
    ]
    categorical = [name for name in words if seen.comes_again(name)]
    free = [name for name in words if name not in categorical]
    told = [f"there is no input for text yet, so {shorten(free)} is left out"] if free else []
    told += [f"{shorten(categorical)} holds words, and is left out; --input table reads them"] if categorical else []
    counting = [
        name for name in seen.kinds if name != target and seen.counts(name) and not seen.is_called_a_count(name)
    ]
    if counting:
        told.append(f"{shorten(counting)} counts the rows, and is no feature")
    if order is not None and owner is not None:
        told.append(
            f"{owner!r} seems to say who an example belongs to and is no feature; the parts are cut by {order!r}, so "
            "one who is in the training part may be in another too"
        )
    return told


def _form(
    seen: Columns, numbers: Sequence[str], words: Sequence[str], wanted: str | None, why: dict[str, str]
) -> tuple[str, tuple[int, ...]]:
    """Returns the input and the shape of an example, and writes down why."""
    count = len(numbers)
    pixels = wanted is None and not words and all(_PIXEL.fullmatch(name) for name in numbers)
    for channels in (1, 3) if wanted == "image" or pixels else ():
        side = math.isqrt(count // channels)
        if side > 1 and side * side * channels == count:
            why["input"] = "what --input named" if wanted else "the columns are named like pixels and make a square"
            why["shape"] = f"height, width, channels of {count} columns"
            return "image", (side, side, channels)
    if wanted == "image":
        received = f"{count} feature columns"
        raise fault(
            seen.path, "no square image", expected="a square number of columns, or three times one", received=received
        )
    in_order = not words and count >= LEAST_STEPS and (not seen.table.header or _numbered(numbers))
    if wanted == "table" or (wanted is None and not in_order):
        why["input"] = "what --input named" if wanted else "columns of their own; a row's numbers in order: series"
        return "table", (count + len(words),)
    why["input"] = "what --input named" if wanted else "a row's numbers in order; no order: table; pixels: image"
    pairs = f"; in pairs: [{count // 2}, 2]" if count % 2 == 0 else ""
    why["shape"] = f"steps, channels of {count} columns{pairs}"
    return "series", (count, 1)


def _numbered(names: Sequence[str]) -> bool:
    """Returns whether columns are one word and the numbers that follow each other, as `t1, t2, t3`."""
    found = [_NUMBERED.fullmatch(name) for name in names]
    if not all(found):
        return False
    words, places = zip(*((match[1], int(match[2])) for match in found if match), strict=True)
    return len(set(words)) == 1 and list(places) == [*range(places[0], places[0] + len(names))]


def _scan(found: Found, table: Table, path: Path, names: list[str], features: list[str]) -> np.ndarray:
    """Reads a table piece by piece into the figures of `found`; returns its labels, in the order of its examples."""
    order, group, is_table = found.fields.get("order"), found.fields.get("group"), found.input == "table"
    texts = [name for name in (found.fields["target"], order, group) if name is not None]
    labels: list[str] = []
    times: list[str] = []
    groups: list[str] = []
    reader = inputs.registry.read(found.input)
    by_name = found.fields.get("offset", {})
    offsets = np.array([by_name.get(name, 0.0) for name in features])
    low, high = np.full(len(features), np.inf), np.full(len(features), -np.inf)
    for piece in table.pieces(path, names, features, texts):
        x = _numbers(table.numbers(piece, features, path) - offsets)
        wrong = np.isinf(x).any(axis=1) | (np.isnan(x).all(axis=1) & (not is_table))
        if wrong.any():
            row = int(piece.index[wrong.argmax()]) + 1
            raise fault(path, f"row {row} holds no number, or an infinite one", hint="Drop the row")
        low, high = np.fmin(low, np.fmin.reduce(x)), np.fmax(high, np.fmax.reduce(x))
        found.count(reader.checked(x.reshape(len(x), *found.shape)) if isinstance(reader, OneColumn) else x)
        labels += tidy(piece[texts[0]])
        times += piece[order].tolist() if order else []
        groups += tidy(piece[group]) if group else []
    y = np.array(labels, dtype=str)
    blank = y == ""
    if blank.any():
        raise fault(path, f"row {int(blank.argmax()) + 1} has no target in column {texts[0]!r}")
    if path == found.path:
        _note_constant(found, [name for name, least, most in zip(features, low, high, strict=True) if least == most])
        empty = [name for name, least in zip(features, low, strict=True) if np.isinf(least)]
        found.notes += [f"{shorten(empty)}: holds no number in any row"] if empty else []
    if order and times:
        moments = _order.moments(np.array(times, dtype=str), path, order, table.decimal)
        y = y[np.argsort(moments, kind="stable")]
    if group:
        found.groups.append(np.array(groups, dtype=str))
    return y


def _note_constant(found: Found, names: Sequence[str]) -> None:
    if names and len(names) == math.prod(found.shape):
        found.notes.append("every feature carries a single value in all rows: there is nothing to learn from")
    elif names and found.input != "image":
        verb = "carry" if len(names) > 1 else "carries"
        found.notes.append(f"{shorten(list(names))} {verb} a single value in all rows: nothing is learned from that")


def _numbers(x: np.ndarray) -> np.ndarray:
    # float32, as it is stored: what is too large for it becomes infinite, and is told.
    with np.errstate(over="ignore"):
        return x.astype(np.float32)
