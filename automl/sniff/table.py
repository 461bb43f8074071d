"""Sniffs a table: which column is the target, which are features, what shape a row has; read in pieces."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl import inputs
from automl.data._places import fault

# The reader's own check, row by row: what a search would refuse is refused here, in the same words.
from automl.data.csv import MISSING, _header
from automl.errors import did_you_mean, shorten
from automl.sniff import places
from automl.sniff.found import Found

if TYPE_CHECKING:
    import pandas as pd

TARGETS = ("label", "target", "class", "y")
"""What a target column is called, the likeliest first."""

CELLS = 2_000_000
"""Cells read at a time: 16 MB as float64."""

_ROW_NUMBERS = ("", "id", "index", "unnamed: 0")  # pandas writes its index under no name
_PIXEL = re.compile(r"(pixel|pix|px)[ _.-]?\d+|\d+x\d+", re.IGNORECASE)
_NUMBER = re.compile(r"\s*[+-]?[\d.]+(e[+-]?\d+)?\s*", re.IGNORECASE)


def read(path: Path, target: str | None, wanted: str | None) -> Found:
    """Sniffs the table at `path`, and its test part where a file beside it is one: see `sniff.look`."""
    separator = _separator(path)
    header = _header(path, separator)
    if all(_NUMBER.fullmatch(name) for name in header):
        raise fault(
            path,
            "has no header line",
            expected="column names",
            received=shorten(",".join(header)),
            hint="Write a line of names above the numbers",
        )
    column, because = _target(path, header, target)
    rest = [name for name in header if name != column]
    features = _features(path, rest, separator, column)
    shape, read_as, shaped = _shape(path, features, wanted)
    why = {"target": because, "input": read_as, "shape": shaped}
    fields: dict[str, Any] = {"target": column}
    left_out = [name for name in rest if name not in features]
    if left_out:
        fields["columns"] = features
        why["columns"] = f"all but {shorten(left_out)}: neither text nor a row number is a feature"
    beside = places.sibling(path, "train", "test")
    if beside is not None and set(_header(beside, separator)) >= {column, *features}:
        fields["test"], why["test"] = beside, "found beside the other, with the same columns"
    elif beside is not None:
        why["split"] = f"{beside.name} is not used: it lacks columns of {path.name}"
    if separator != ",":
        fields["separator"], why["separator"] = separator, "what parts the values of the first line"
    fields["shape"] = list(shape)
    found = Found("csv", path, fields, "image" if len(shape) == 3 else "series", shape, why, left_out)
    for part, file in {"train": path, "test": fields.get("test")}.items():
        if file is not None:
            found.labels[part] = _scan(found, file, features, separator)
    return found


def _separator(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            line = file.readline(1 << 20)
    except OSError as error:
        raise fault(path, "cannot be read", hint=str(error.strerror)) from error
    return max(",;\t|", key=line.count)


def _target(path: Path, header: list[str], target: str | None) -> tuple[str, str]:
    """Returns the target column and why it is that one."""
    if len(header) < 2:
        what = "has a single column"
        raise fault(path, what, expected="features and a target, parted by a comma, semicolon, tab or bar")
    if target is not None:
        if target not in header:
            hint = did_you_mean(target, header)
            raise fault(path, f"has no column {target!r}", expected=f"one of {shorten(header, 300)}", hint=hint)
        return target, "what --target named"
    for word in TARGETS:
        for name in header:
            if name.strip().lower() == word:
                return name, "what is learned, by its name; another: --target"
    return header[-1], f"the last column, for none is called {', '.join(TARGETS)}; another: --target"


def _features(path: Path, rest: list[str], separator: str, target: str) -> list[str]:
    """Returns the columns that hold numbers, as far as the first rows tell, and are not the rows' own."""
    import pandas as pd

    named = [name for name in rest if name.strip().lower() not in _ROW_NUMBERS]
    head = next(_chunks(path, named, separator, target, rows=1000))
    text = [name for name in named if head[name].notna().any() and pd.to_numeric(head[name], "coerce").isna().all()]
    features = [name for name in named if name not in text]
    if not features:
        raise fault(
            path,
            f"no column beside the target {target!r} holds numbers to learn from",
            expected="numeric features",
            received=shorten(rest),
            hint="There is no input for text yet" if text else None,
        )
    return features


def _shape(path: Path, features: Sequence[str], wanted: str | None) -> tuple[tuple[int, ...], str, str]:
    """Returns the shape of an example, why the input is what it is, and how the shape came about."""
    count = len(features)
    pixels = wanted is None and all(_PIXEL.fullmatch(name) for name in features)
    for channels in (1, 3) if wanted == "image" or pixels else ():
        side = math.isqrt(count // channels)
        if side > 1 and side * side * channels == count:
            why = "what --input named" if wanted else "the columns are named like pixels and make a square"
            return (side, side, channels), why, f"height, width, channels of {count} columns"
    if wanted == "image":
        received = f"{count} feature columns"
        raise fault(
            path, "no square image", expected="a square number of columns, or three times one", received=received
        )
    why = "what --input named" if wanted else "a row's numbers in order; pixels: --input image"
    if wanted is None and count < 16:
        why = "few columns: no input for tables yet, so a series"
    pairs = f"; in pairs: [{count // 2}, 2]" if count % 2 == 0 else ""
    return (count, 1), why, f"steps, channels of {count} columns{pairs}"


def _scan(found: Found, path: Path, features: list[str], separator: str) -> np.ndarray:
    """Reads a table piece by piece into the figures of `found`; returns its labels: numbers where all of them are."""
    import pandas as pd

    target, labels = found.fields["target"], []
    reader = inputs.registry.read(found.input)
    for chunk in _chunks(path, features, separator, target):
        x = np.column_stack([_numbers(chunk[name], path) for name in features])
        wrong = np.isinf(x).any(axis=1) | np.isnan(x).all(axis=1)
        if wrong.any():
            row = int(chunk.index[wrong.argmax()]) + 1
            raise fault(path, f"row {row} holds no number, or an infinite one", hint="Drop the row")
        found.count(reader.check(x.reshape(len(x), *found.shape)))
        labels.append(chunk[target].to_numpy(dtype=str))
    words, which = np.unique(np.concatenate(labels), return_inverse=True)
    blank = np.isin(which, np.flatnonzero(np.char.strip(words) == ""))
    if blank.any():
        raise fault(path, f"row {int(blank.argmax()) + 1} has no target in column {target!r}")
    numbers = pd.to_numeric(pd.Series(words), errors="coerce")
    values: np.ndarray = words if numbers.isna().any() else numbers.to_numpy()
    return values[which]


def _numbers(column: pd.Series, path: Path) -> np.ndarray:
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce")
    bad = (numbers.isna() & column.notna()).to_numpy()
    if bad.any():
        at = int(bad.argmax())
        raise fault(
            path,
            f"the column {column.name!r} holds text between its numbers",
            expected=f"a number, or one of {', '.join(filter(None, MISSING))} where it is missing",
            received=f"{shorten(str(column.iloc[at]))} in row {int(column.index[at]) + 1}",
            hint="Mend the row, or drop the column",
        )
    # float32, as it is stored: what is too large for it becomes infinite, and is told.
    with np.errstate(over="ignore"):
        values: np.ndarray = numbers.to_numpy(dtype=np.float64).astype(np.float32)
    return values


def _chunks(
    path: Path, features: list[str], separator: str, target: str, rows: int | None = None
) -> Iterator[pd.DataFrame]:
    """Reads some columns of a table, so many rows at a time; the target as text, without missing values."""
    import pandas as pd

    try:
        yield from pd.read_csv(
            path,
            sep=separator,
            usecols=[*features, target],
            index_col=False,
            encoding="utf-8-sig",
            keep_default_na=False,
            na_values=dict.fromkeys(features, MISSING),
            dtype={target: str},
            chunksize=rows or max(1, CELLS // (len(features) + 1)),
        )
    except (ValueError, OSError) as error:
        raise fault(path, "cannot be read as a table", hint=" ".join(str(error).split())) from error
