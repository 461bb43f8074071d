"""Checks and conversions that every source needs: numbers to float32, labels to names, examples against labels."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from automl.errors import DataError
from automl.records.data import Part
from automl.sources._places import fault

ROWS = 10_000
"""Rows that are looked at at a time."""


def as_stored(x: np.ndarray, where: Path | str, first: int = 0) -> np.ndarray:
    """Returns `x` as it is stored: bytes stay `uint8` (a quarter of the disk and page cache), all else is float32.

    Args:
        x: Numbers of any shape; NaN stands for what is missing.
        where: What messages call the array.
        first: What they call its first row.

    Raises:
        DataError: `x` is not made of real numbers, holds infinity, or a number too large for float32.
    """
    if x.dtype == np.uint8:
        return x
    if x.dtype.kind not in "biuf":
        raise fault(where, "examples are not numbers", expected="an array of real numbers", received=f"dtype {x.dtype}")
    # The overflow is reported below as an error of the data, with its place, instead of as NumPy's warning.
    with np.errstate(over="ignore"):
        small = x.astype(np.float32, copy=False)
    infinite = np.isinf(small)
    if infinite.any():
        at = tuple(int(i) for i in np.argwhere(infinite)[0])
        told = (first + at[0], *at[1:])
        raise fault(
            where, f"the value at {told} is infinite or beyond float32", expected="finite numbers", received=str(x[at])
        )
    return small


def channels_of(x: np.ndarray) -> tuple[int, str]:
    """Returns how many channels examples have, and what they are called: of rows of numbers, the columns."""
    if x.ndim == 2 or (x.ndim == 3 and x.shape[-1] == 1):
        return x.shape[1], "column"
    return x.shape[-1], "channel"


def constant_channels(x: np.ndarray) -> list[int]:
    """Returns the channels of images and series (of rows of numbers, the columns) of one value in all examples.

    NaN aside. Most sets are told by their first examples, so this takes no time to speak of.
    """
    if x.ndim < 2:
        return []
    if channels_of(x)[1] == "column":
        return _constant_columns(x.reshape(len(x), -1))
    channels = x.shape[-1]
    left = dict.fromkeys(range(channels), np.nan)
    for example in x:
        values = np.asarray(example).reshape(-1, channels)
        for channel, known in list(left.items()):
            column = values[:, channel]
            column = column[~np.isnan(column)] if column.dtype.kind == "f" else column
            first = known if not np.isnan(known) or not len(column) else column[0]
            if (column != first).any():
                del left[channel]
            else:
                left[channel] = first
        if not left:
            break
    return list(left)


def all_alike(x: np.ndarray, constant: Sequence[int]) -> bool:
    """Returns whether channels of one value leave nothing to learn from: of rows of numbers, gaps may tell more."""
    channels, kind = channels_of(x)
    if not len(constant) or len(constant) < channels:
        return False
    return kind == "channel" or x.dtype.kind != "f" or bool((np.isnan(x) == np.isnan(x[0])).all())


def _constant_columns(x: np.ndarray) -> list[int]:
    left = np.arange(x.shape[1])
    low, high = np.full(len(left), np.inf), np.full(len(left), -np.inf)
    for start in range(0, len(x), ROWS):
        piece = x[start : start + ROWS, left]
        low, high = np.fmin(low, np.fmin.reduce(piece)), np.fmax(high, np.fmax.reduce(piece))
        same = low >= high
        left, low, high = left[same], low[same], high[same]
        if not len(left):
            break
    # Where there is nothing at all, as in the padding of series, there is no value either.
    return [int(place) for place in left[low == high]]


def said_of(constant: Sequence[int], x: np.ndarray) -> str:
    """Returns what is said of channels that carry one value, in words."""
    channels, kind = channels_of(x)
    if len(constant) == channels:
        return "every value of every training example is the same" + (f", {kind} by {kind}" if channels > 1 else "")
    named = ", ".join(map(str, constant[:10])) + (f" and {len(constant) - 10} more" if len(constant) > 10 else "")
    which = f"{kind}s {named} of {channels} carry" if len(constant) > 1 else f"{kind} {named} of {channels} carries"
    return f"{which} a single value in all training examples (counted from 0)"


def named(codes: np.ndarray, classes: Sequence[str], where: Path | str) -> np.ndarray:
    """Returns the class name of each integer code.

    Raises:
        DataError: A code has no name.
    """
    if len(codes) and not 0 <= int(codes.min()) <= int(codes.max()) < len(classes):
        worst = int(codes.max()) if int(codes.max()) >= len(classes) else int(codes.min())
        raise fault(where, "a label has no class name", expected=f"0 to {len(classes) - 1}", received=str(worst))
    return np.asarray(classes, dtype=str)[codes]


def paired(x: np.ndarray, y: np.ndarray, where: Path | str, groups: np.ndarray | None = None) -> Part:
    """Joins examples and targets.

    Raises:
        DataError: There are none, or not as many of one as of the other.
    """
    if x.ndim == 0 or y.ndim == 0:
        raise fault(where, "examples or targets are a single number", expected="arrays with one entry per example")
    if len(x) != len(y):
        raise fault(where, "examples and targets differ in number", expected=f"{len(x)} targets", received=f"{len(y)}")
    if len(x) == 0:
        raise fault(where, "holds no examples", expected="at least one", received="none")
    return Part(x, y, groups)


def plain_targets(y: np.ndarray, where: Path | str, *, may_be_empty: bool = False) -> np.ndarray:
    """Returns raw targets as numbers or text: bytes become text, a column `(n, 1)` becomes `(n,)`; see `tidy`.

    Args:
        y: The targets.
        where: What messages call them.
        may_be_empty: Whether text without a character is a target.

    Raises:
        DataError: A target is an object of another kind, not finite, empty, or text that is not UTF-8.
    """
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.dtype.kind == "S":
        try:
            y = np.char.decode(y, "utf-8")
        except UnicodeDecodeError as error:
            raise not_text(where, error) from error
    if y.dtype.kind == "U":
        return _words(y, where, may_be_empty=may_be_empty)
    if y.dtype.kind not in "biufU":
        raise fault(where, "targets are neither numbers nor text", received=f"dtype {y.dtype}")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        at = int(np.argwhere(~np.isfinite(y))[0][0])
        raise fault(where, f"the target of example {at + 1} is not a finite number", received=str(y[at]))
    return y


def tidy(words: Iterable[str]) -> list[str]:
    """Returns words without the spaces around them, in Unicode's normal form NFC: what looks alike is one word."""
    return [unicodedata.normalize("NFC", word).strip() for word in words]


def _words(y: np.ndarray, where: Path | str, *, may_be_empty: bool) -> np.ndarray:
    words, places = np.unique(y, return_inverse=True)
    found = np.array(tidy(words.tolist()), dtype=str)[places].reshape(y.shape)
    empty = found == ""
    if empty.any() and not may_be_empty:
        raise fault(where, f"the target of example {int(np.argwhere(empty)[0][0]) + 1} is empty")
    return found


def not_text(where: Path | str, error: UnicodeDecodeError) -> DataError:
    """Builds the error of a text that is not UTF-8."""
    byte = f"byte 0x{error.object[error.start]:02x} at offset {error.start}"
    if error.object[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        hint = "It is UTF-16: convert it with iconv -f utf-16 -t utf-8"
    else:
        hint = "Convert it from what it is, as with iconv -f latin1 -t utf-8"
    return fault(where, "is not UTF-8 text", expected="UTF-8", received=byte, hint=hint)
