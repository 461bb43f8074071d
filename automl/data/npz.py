"""NumPy archives."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from pydantic import Field

from automl.data import Source
from automl.data._arrays import paired, plain_targets
from automl.data._places import fault, find
from automl.errors import did_you_mean
from automl.records import Part, Splits

PARTS = ("train", "val", "test")
_READING = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError, MemoryError)
"""What NumPy and zipfile raise on a broken archive, truncated or altered at any byte."""


class Npz(Source):
    """A `.npz` archive with arrays named `x_train, y_train, x_test, y_test` (and `x_val, y_val`), or `x, y`.

    Arrays of pickled objects are refused: unpickling runs code.

    Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    """

    file: str = Field(description="The archive, relative to the place of all data sets", min_length=1)
    x: str = Field("x", description="Key of the examples; of a part: this key, `_` and the part's name", min_length=1)
    y: str = Field("y", description="Key of the targets; of a part: this key, `_` and the part's name", min_length=1)

    def load(self, root: Path | None) -> Splits:
        """Reads every part the archive holds; see `Source.load`."""
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
        parts = {name: self._part(archive, path, name) for name in PARTS if f"{self.x}_{name}" in keys}
        if "train" in parts:
            return Splits(parts["train"], parts.get("val"), parts.get("test"))
        if parts or self.x not in keys:
            wanted = f"{self.x}_train"
            others = [key for key in keys if key.partition("_")[0] != self.y]
            raise fault(
                path,
                "holds no training examples",
                expected=f"the key {wanted!r} or {self.x!r}",
                received=", ".join(keys) or "no keys",
                hint=did_you_mean(wanted, others) or "Name its keys with the fields `x` and `y`",
            )
        return Splits(self._part(archive, path, None))

    def _part(self, archive: np.lib.npyio.NpzFile, path: Path, name: str | None) -> Part:
        x_key, y_key = (self.x, self.y) if name is None else (f"{self.x}_{name}", f"{self.y}_{name}")
        if y_key not in archive.files:
            raise fault(
                path,
                f"the targets of {x_key!r} are missing",
                expected=f"the key {y_key!r}",
                received=", ".join(archive.files),
                hint=did_you_mean(y_key, archive.files),
            )
        arrays = []
        for key in (x_key, y_key):
            try:
                arrays.append(archive[key])
            except _READING as error:
                raise fault(f"{path}[{key}]", "cannot be read", hint=_reason(error)) from error
        where = f"{path}[{x_key}, {y_key}]"
        return paired(arrays[0], plain_targets(arrays[1], f"{path}[{y_key}]"), where)

    @classmethod
    def toy(cls, folder: Path) -> Npz:
        """Writes an archive of 60 and 30 small images, three classes."""
        rng = np.random.default_rng(0)
        x = rng.integers(0, 256, (90, 6, 6, 1), dtype=np.uint8)
        y = np.arange(90) % 3
        np.savez(folder / "toy.npz", x_train=x[:60], y_train=y[:60], x_test=x[60:], y_test=y[60:])
        return cls(file=str(folder / "toy.npz"))


def _reason(error: BaseException) -> str:
    if "pickle" in str(error).lower():
        return "It may hold pickled objects, which are never loaded because they can run code; save plain arrays"
    return f"It is damaged or of another format ({type(error).__name__})"
