"""Prepared data on disk: a `.npy` file for each column of each part, and `spec.json`, published by one rename."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np

from automl.data import folds, reread
from automl.data.reread import Reread
from automl.errors import ConfigError, Problem, SearchError
from automl.records import typed
from automl.records.data import DataSpec, InputSpec
from automl.sources._places import fault

PARTS = ("train", "val", "test")
SPEC = "spec.json"
GROUPS = ".group"
"""The column of what each example of the validation part belongs to: no other is called so."""
LIMIT_VARIABLE = "AUTOML_STORED_GB"
PIECE_BYTES = 64 * 2**20
"""How much is read at a time."""


def limit(folder: Path) -> float:
    """Returns how many bytes of examples may be stored in a folder: `$AUTOML_STORED_GB`, else half of what is free.

    Raises:
        ConfigError: The variable holds no such number.
    """
    given = os.environ.get(LIMIT_VARIABLE)
    if not given:
        there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
        return shutil.disk_usage(there).free / 2
    try:
        number = float(given)
    except ValueError:
        number = math.nan
    if not number >= 0:
        raise ConfigError(Problem(LIMIT_VARIABLE, "is no size", "gigabytes, from 0", repr(given)))
    return number * 1e9


class Column:
    """A column on disk, mapped anew for whatever is read of it.

    Pages that were read of a map count as this process's memory for as long as the map is there.

    Args:
        path: The `.npy` file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        array = mapped(path)
        self.shape, self.dtype, self.nbytes = array.shape, array.dtype, array.nbytes

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        return self.whole()[rows]

    def whole(self) -> np.ndarray:
        """Returns all of it, mapped."""
        return mapped(self._path)


class Draft:
    """A prepared set while it is written, in a folder beside the one that it is published in.

    So a reader never sees half a set, and of several writers one wins.

    Args:
        folder: Where it is published.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._fresh = folder.parent / f".{folder.name}.{uuid.uuid4().hex}"
        self._left: dict[tuple[str, str], Reread] = {}

    def __enter__(self) -> Self:
        self._fresh.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._fresh, ignore_errors=True)

    def put(self, part: str, column: str, values: np.ndarray, places: np.ndarray, size: int) -> None:
        """Writes some rows of a column.

        Args:
            part: The part.
            column: The column; its first rows say the shape of all. Of several types it gets one that holds all.
            values: The rows, `(rows, ...)`.
            places: Where in the part they belong.
            size: How many rows the part has.
        """
        path = self._fresh / f"{part}_{column}.npy"
        if not size:  # nothing can be mapped of a file that holds nothing
            np.save(path, values[:0], allow_pickle=False)
            return
        if not path.exists():
            _lay_out(path, values.dtype, (size, *values.shape[1:]))
        # Mapped anew for each piece: pages that were written count as this process's until they are let go.
        kept: np.ndarray = np.lib.format.open_memmap(path, "r+")
        if kept.shape[1:] != values.shape[1:]:
            raise ValueError(f"{path.name}: rows of shape {kept.shape[1:]} and {values.shape[1:]}")
        if not np.can_cast(values.dtype, kept.dtype):
            kept = _widened(path, kept, np.result_type(kept.dtype, values.dtype))
        kept[places] = values

    def leave(self, part: str, column: str, where: Reread) -> None:
        """Takes note of a column that is not written."""
        self._left[part, column] = where

    def describe(self, text: str) -> None:
        """Writes how the columns are read that are not written: `reread.description`."""
        (self._fresh / reread.FILE).write_text(text, encoding="utf-8")

    def column(self, part: str, name: str) -> np.ndarray:
        """Returns a column of a part, memory-mapped."""
        return mapped(self._fresh / f"{part}_{name}.npy")

    def stored(self, part: str, name: str) -> Column | Reread:
        """Returns a column of a part, to be read piece by piece."""
        if (part, name) in self._left:
            return self._left[part, name]
        return Column(self._fresh / f"{part}_{name}.npy")

    def digest(self, columns: Sequence[str], classes: Sequence[str], cut: np.ndarray | None = None) -> str:
        """Returns the SHA-256, in hex, of the columns as they are stored, of which part they are in, and the classes.

        Args:
            columns: Names of the columns.
            classes: Names of the classes.
            cut: Which fold each training example validates, where there are folds.
        """
        sha = hashlib.sha256(json.dumps(list(classes)).encode())
        for part in PARTS:
            for name in columns:
                array = self.stored(part, name)
                # Little-endian, so that the digest of a set is the same on every machine.
                dtype = array.dtype.newbyteorder("<")
                sha.update(f"{part}_{name} {dtype.str} {array.shape}\n".encode())
                for piece in pieces(array):
                    sha.update(np.ascontiguousarray(piece, dtype=dtype).data)
        if cut is not None:
            sha.update(b"folds\n" + cut.astype("<i2").tobytes())
        return sha.hexdigest()

    def publish(self, spec: DataSpec, document: Mapping[str, Any], cut: np.ndarray | None = None) -> DataSpec:
        """Writes the spec, puts the folder in its place, and returns the spec as it is read back.

        A folder that holds the same preparation already is left as it is.

        Args:
            spec: What is written about the set.
            document: The data document as plain data, kept for the record.
            cut: Which fold each training example validates, where there are folds.
        """
        if cut is not None:
            np.save(self._fresh / folds.FILE, cut, allow_pickle=False)
        content = {**asdict(spec), "sizes": dict(spec.sizes), "document": dict(document)}
        del content["folder"]  # the folder may be moved
        (self._fresh / SPEC).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        _publish(self._fresh, self.folder, files(spec))
        return read(self.folder)


def files(spec: DataSpec) -> list[str]:
    """Returns the names of the files that hold the columns of a set."""
    kept = [each for each in spec.inputs if not each.unstored]
    names = [*(each.stored(column) for each in kept for column in each.columns), *spec.task.columns]
    names += [] if len(kept) == len(spec.inputs) else [reread.ROWS]
    own = [] if spec.figures_by is None else [f"val_{GROUPS}.npy"]
    return [*(f"{part}_{name}.npy" for part in PARTS for name in names), *own]


def examples(spec: DataSpec, part: str, each: InputSpec) -> Mapping[str, np.ndarray | Column | Reread]:
    """Returns the columns of an input, of all rows of a part; see `columns` for those of a fold.

    They are memory-mapped, large ones anew for whatever is read of them; or read from their source when rows are asked
    for, where they are too much to be stored.
    """
    file, _ = folds.rows(spec, part)
    folder = Path(spec.folder)
    if each.unstored:
        return reread.columns(folder, file, each, each.columns)
    found = {column: Column(folder / f"{file}_{each.stored(column)}.npy") for column in each.columns}
    return {name: column if column.nbytes > PIECE_BYTES else column.whole() for name, column in found.items()}


def columns(spec: DataSpec, part: str, names: Sequence[str]) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """Returns columns of a part, memory-mapped, and which of their rows (None: all of them) one fold sees."""
    file, rows = folds.rows(spec, part)
    return {name: mapped(Path(spec.folder) / f"{file}_{name}.npy") for name in names}, rows


def groups(spec: DataSpec) -> np.ndarray | None:
    """Returns what each example of the validation part belongs to, `(examples,)` text; None where nothing says it."""
    return None if spec.figures_by is None else mapped(Path(spec.folder) / f"val_{GROUPS}.npy")


def mapped(path: Path) -> np.ndarray:
    """Returns the array in a file, memory-mapped, as a plain one, so that what is cut from it is plain too."""
    return np.asarray(np.load(path, mmap_mode="r"))


def _lay_out(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray:
    """Makes the file of an array, at its full size, and returns it, mapped."""
    array = np.lib.format.open_memmap(path, "w+", dtype, shape)
    if hasattr(os, "posix_fallocate"):
        # A disk that is found full once pages are written to their places ends the process without a word.
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def _widened(path: Path, array: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Replaces the file of an array by one of another type, and returns that, mapped."""
    wide = path.with_suffix(".wide")
    other = _lay_out(wide, dtype, array.shape)
    start = 0
    for piece in pieces(array):
        other[start : start + len(piece)] = piece
        start += len(piece)
    wide.replace(path)
    return other


def pieces(array: np.ndarray | Column | Reread) -> Iterator[np.ndarray]:
    """Returns a column, some rows at a time."""
    step = max(1, PIECE_BYTES * len(array) // max(1, array.nbytes))
    return (array[start : start + step] for start in range(0, len(array), step))


def _publish(fresh: Path, folder: Path, names: Sequence[str]) -> None:
    if _same(fresh, folder, names):
        return
    aside = fresh.with_name(fresh.name + ".old")
    with contextlib.suppress(FileNotFoundError):
        # Workers that have mapped the old files keep them: a rename does not touch what is open.
        folder.rename(aside)
    try:
        fresh.rename(folder)
    except OSError:
        # Another process published between the two renames; the same set is as good as ours.
        if not _same(fresh, folder, names):
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _same(fresh: Path, folder: Path, names: Sequence[str]) -> bool:
    try:
        whole = all((folder / name).stat().st_size == (fresh / name).stat().st_size for name in names)
        return whole and (folder / SPEC).read_bytes() == (fresh / SPEC).read_bytes()
    except OSError:
        return False


def read(folder: Path) -> DataSpec:
    """Reads the spec of the prepared data in `folder`.

    Raises:
        DataError: The folder holds no prepared data, or only some of its files.
    """
    folder = folder.resolve()
    path = folder / SPEC
    hint = "Delete the folder and prepare the data again"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        spec = typed.built(DataSpec, {**content, "folder": str(folder)}, str(path))
    except FileNotFoundError as error:
        raise fault(folder, "holds no prepared data", expected=f"the file {SPEC}") from error
    except (OSError, ValueError, TypeError, SearchError) as error:
        raise fault(path, "cannot be read as a description of prepared data", hint=hint) from error
    if not isinstance(spec.task.state.get("classes", []), list):
        raise fault(path, "cannot be read as a description of prepared data", hint=hint)
    unstored = [reread.FILE] if any(each.unstored for each in spec.inputs) else []
    for name in (*files(spec), *unstored, *((folds.FILE,) if spec.folds else ())):
        if not (folder / name).is_file():
            raise fault(folder, f"the file {name} is missing", hint=hint)
    return spec
