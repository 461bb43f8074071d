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


_OTHERS = {
    b"PK\x03\x04": "a ZIP archive, as .npz and .xlsx are",
    b"\x93NUMPY": "an array of NumPy's",
    b"PAR1": "a Parquet file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}
"""What files that are no text begin with."""


def not_text(where: Path | str, error: UnicodeDecodeError) -> DataError:
    """Builds the error of a text that is not UTF-8."""
    byte = f"byte 0x{error.object[error.start]:02x} at offset {error.start}"
    known = next((what for begin, what in _OTHERS.items() if error.object.startswith(begin)), None)
    if known is not None:
        return fault(where, "is no text", expected="text in UTF-8", received=known)
    if error.object[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        hint = "It is UTF-16: convert it with iconv -f utf-16 -t utf-8"
    else:
        hint = "Convert it from what it is, as with iconv -f latin1 -t utf-8"
    return fault(where, "is not UTF-8 text", expected="UTF-8", received=byte, hint=hint)
