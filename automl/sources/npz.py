"""NumPy archives."""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path

import numpy as np
from pydantic import Field

from automl.errors import did_you_mean
from automl.records.data import Part, Splits
from automl.sources import _layout
from automl.sources._arrays import paired, plain_targets
from automl.sources._parts import PARTS
from automl.sources._places import fault, find
from automl.sources._tables import splits

_PART = {word: part for part, words in PARTS.items() for word in words}
_WORDS = "|".join(sorted(_PART, key=len, reverse=True))
_KEY = re.compile(rf"(?P<first>{_WORDS})[_. -]?(?P<behind>.+)|(?P<before>.+?)[_. -]?(?P<last>{_WORDS})", re.IGNORECASE)
_READING = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError, MemoryError)
"""What NumPy and zipfile raise on a broken archive, truncated or altered at any byte."""


def keyed(key: str) -> tuple[str, str | None]:
    """Returns the name of an array without its part, and the part: `x_train`, `train_x` and `trainX` are of `train`."""
    match = _KEY.fullmatch(key)
    if match is None:
        return key, None
    return match["behind"] or match["before"], _PART[(match["first"] or match["last"]).lower()]


class Npz(_layout.Arrays):
    """A `.npz` archive with arrays named `x_train, y_train, x_test, y_test` (and `x_val, y_val`), or `x, y`.

    The part may stand in front (`train_images, train_labels`), and be called `valid`, `validation` or `dev` as well.
    With `channels_first`, series lie as (examples, channels, steps), images as (examples, channels, height, width).

    Arrays of pickled objects are refused: unpickling runs code.

    Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    """

    file: str = Field(description="The archive, relative to the place of all data sets", min_length=1)
    x: str = Field("x", description="Key of the examples, without the part's name where there are parts", min_length=1)
    y: str = Field("y", description="Key of the targets, without the part's name where there are parts", min_length=1)
    offset: float | tuple[float, ...] = Field(
        0.0,
        description="Number taken off every value, or one for each channel (of rows of numbers: for each column), "
        "before they become float32; so it must be off what the model is given",
    )

    def open(self, root: Path | None) -> Splits:
        """Reads every part the archive holds; see `Source.open`."""
        path = find(self.file, root, "the .npz archive")
        # The file is opened here because NumPy leaves it open when it turns out to be no archive.
        try:
            file = path.open("rb")
        except OSError as error:
            raise fault(path, "cannot be opened", hint=str(error.strerror)) from error
        with file:
            try:
                archive = np.load(file, allow_pickle=False)
            except _READING as error:
                raise fault(path, "cannot be read as an .npz archive", hint=_reason(error)) from error
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise fault(path, "is one array, not an archive", expected="an .npz archive of examples and targets")
            with archive:
                return self._splits(archive, path)

    def _splits(self, archive: np.lib.npyio.NpzFile, path: Path) -> Splits:
        keys = archive.files
        named = {name: key for name in PARTS if (key := self._key(keys, self.x, name, path)) is not None}
        parts = {name: self._part(archive, path, key, name) for name, key in named.items()}
        if "train" in parts:
            return splits(parts["train"], parts.get("val"), parts.get("test"))
        if parts or self.x not in keys:
            wanted = f"{self.x}_train"
            others = [key for key in keys if keyed(key)[0] != self.y]
            raise fault(
                path,
                "holds no training examples",
                expected=f"the key {wanted!r} or {self.x!r}",
                received=", ".join(keys) or "no keys",
                hint=did_you_mean(wanted, others) or "Name its keys with the fields `x` and `y`",
            )
        return splits(self._part(archive, path, self.x, None))

    def _key(self, keys: list[str], name: str, part: str | None, path: Path) -> str | None:
        """Returns the key of an array, of a part where there are parts; None where there is none."""
        if part is None:
            return name if name in keys else None
        found = [key for key in keys if keyed(key)[1] == part and keyed(key)[0].lower() == name.lower()]
        if len(found) > 1:
            what = f"which array holds {name!r} of the part {part} cannot be told"
            raise fault(path, what, expected="one", received=", ".join(found), hint="Remove the others")
        return found[0] if found else None

    def _part(self, archive: np.lib.npyio.NpzFile, path: Path, x_key: str, name: str | None) -> Part:
        y_key = self._key(archive.files, self.y, name, path)
        if y_key is None:
            wanted = self.y if name is None else f"{self.y}_{name}"
            raise fault(
                path,
                f"the targets of {x_key!r} are missing",
                expected=f"the key {wanted!r}",
                received=", ".join(archive.files),
                hint=did_you_mean(wanted, archive.files),
            )
        arrays = []
        for key in (x_key, y_key):
            try:
                arrays.append(archive[key])
            except _READING as error:
                raise fault(f"{path}[{key}]", "cannot be read", hint=_reason(error)) from error
        where = f"{path}[{x_key}, {y_key}]"
        return paired(
            self._examples(arrays[0], f"{path}[{x_key}]"), plain_targets(arrays[1], f"{path}[{y_key}]"), where
        )

    def _examples(self, x: np.ndarray, where: str) -> np.ndarray:
        """Returns the examples as they are meant: see the fields."""
        if x.ndim < 2 or x.dtype.kind not in "biuf":
            return x  # what is wrong with them is told by others
        x = self.laid(x, where)
        if np.any(self.offset):
            channels = x.shape[-1]
            if np.size(self.offset) not in (1, channels):
                received = f"{np.size(self.offset)} numbers"
                raise fault(where, "`offset` does not fit", expected=f"one number, or {channels}", received=received)
            x = x.astype(np.float64) - np.asarray(self.offset)
        _layout.check(x, where)
        return x

    @classmethod
    def toy(cls, folder: Path) -> Npz:
        """Writes an archive of 60 and 30 small images, three classes."""
        rng = np.random.default_rng(0)
        x = rng.integers(0, 256, (90, 6, 6, 1), dtype=np.uint8)
        y = np.arange(90) % 3
        np.savez(folder / "toy.npz", x_train=x[:60], y_train=y[:60], x_test=x[60:], y_test=y[60:])
        return cls(file=str(folder / "toy.npz"))


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "It needs more memory than there is: it is too large for this machine, or its header is damaged"
    if "pickle" in str(error).lower():
        return "It may hold pickled objects, which are never loaded because they can run code; save plain arrays"
    return f"It is damaged or of another format ({type(error).__name__})"
