"""NumPy archives."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from automl.errors import did_you_mean
from automl.records.data import EXAMPLES, TARGETS, Part, Splits, Table, Tree
from automl.sources import _layout
from automl.sources._arrays import paired, plain_targets
from automl.sources._parts import PARTS
from automl.sources._places import fault, find
from automl.sources._tables import Arrays, splits

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

    Its other arrays are columns too, by their names without the part's (`photo_train` and `photo_test` are `photo`),
    for inputs and tasks that name their columns; they are read when they are asked for.

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

    def unlabelled(self, paths: Sequence[Path], learned: Mapping[str, Any]) -> Splits:
        """Opens `.npy` and `.npz` files, laid out as the set's; the archive's examples go by the name of its own."""
        from automl.sources import _unlabelled

        del learned
        return _unlabelled.arrays(paths, lambda x, where: self._examples(x, str(where)), self.x)

    def _splits(self, archive: np.lib.npyio.NpzFile, path: Path) -> Splits:
        keys = archive.files
        named = {name: key for name in PARTS if (key := self._key(keys, self.x, name, path)) is not None}
        parts = {name: self._part(archive, path, key, name) for name, key in named.items()}
        if "train" in parts:
            opened = splits(parts["train"], parts.get("val"), parts.get("test"))
            named_of = [{keyed(key)[0]: key for key in keys if keyed(key)[1] == part} for part in opened.rows]
            table = Archive(path, opened.table, [parts[part] for part in opened.rows], named_of)
            return replace(opened, table=table)
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
        part = self._part(archive, path, self.x, None)
        opened = splits(part)
        return replace(opened, table=Archive(path, opened.table, [part], [dict(zip(keys, keys, strict=True))]))

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


class Archive:
    """The table of an archive: examples and targets, and by their names its other arrays.

    Args:
        path: The archive.
        own: Examples and targets.
        parts: These of each part, in their order.
        keys: The key of each array of each part, by its name; of those that every part has.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, path: Path, own: Table, parts: Sequence[Part], keys: Sequence[Mapping[str, str]]) -> None:
        self._path, self._own, self._parts, self._keys = path, own, parts, keys

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        others = [name for name in self._keys[0] if all(name in keys for keys in self._keys)]
        return tuple(dict.fromkeys([*self._own.columns, *others]))

    def __len__(self) -> int:
        return len(self._own)

    def pieces(
        self, columns: Sequence[str], rows: np.ndarray | None = None, *, text: bool = False
    ) -> Iterator[tuple[np.ndarray, Tree]]:
        """Reads columns, some rows at a time; see `records.data.Table`."""
        blocks = []
        for part, keys in zip(self._parts, self._keys, strict=True):
            known = {EXAMPLES: part.x, TARGETS: part.y}
            block = {name: known[name] if name in known else self._read(keys[name]) for name in columns}
            if odd := next((name for name, column in block.items() if len(column) != len(part.x)), None):
                where, received = f"{self._path}[{keys[odd]}]", f"shape {block[odd].shape}"
                raise fault(where, "is no column of the examples", expected=f"{len(part.x)} rows", received=received)
            blocks.append(block)
        yield from Arrays(*blocks).pieces(columns, rows, text=text)

    def _read(self, key: str) -> np.ndarray:
        try:
            with np.load(self._path, allow_pickle=False) as archive:
                column: np.ndarray = archive[key]
        except _READING as error:
            raise fault(f"{self._path}[{key}]", "cannot be read", hint=_reason(error)) from error
        if not column.ndim:
            raise fault(f"{self._path}[{key}]", "is a single number", expected="a column of the examples")
        return column


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "It needs more memory than there is: it is too large for this machine, or its header is damaged"
    if "pickle" in str(error).lower():
        return "It may hold pickled objects, which are never loaded because they can run code; save plain arrays"
    return f"It is damaged or of another format ({type(error).__name__})"
