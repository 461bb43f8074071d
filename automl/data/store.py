"""Prepared data on disk: six `.npy` files for memory maps and `spec.json`, published by one rename."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from automl.data.folds import FILE as FOLDS
from automl.errors import SearchError
from automl.records import typed
from automl.records.data import DataSpec, Part
from automl.sources._places import fault

PARTS = ("train", "val", "test")
SPEC = "spec.json"


def digest(parts: Mapping[str, Part], classes: tuple[str, ...], folds: np.ndarray | None = None) -> str:
    """Returns the SHA-256, in hex, of the arrays as they are stored, of which part they are in, and of the classes.

    Args:
        parts: The arrays.
        classes: Names of the classes.
        folds: Which fold each training example validates, where there are folds.
    """
    sha = hashlib.sha256(json.dumps(list(classes)).encode())
    for name in PARTS:
        for axis, array in (("x", parts[name].x), ("y", parts[name].y)):
            # Little-endian, so that the digest of a set is the same on every machine.
            little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
            sha.update(f"{name}_{axis} {little.dtype.str} {little.shape}\n".encode())
            sha.update(little.data)
    if folds is not None:
        sha.update(b"folds\n" + folds.astype("<i2").tobytes())
    return sha.hexdigest()


def write(
    spec: DataSpec, parts: Mapping[str, Part], document: Mapping[str, Any], folds: np.ndarray | None = None
) -> DataSpec:
    """Writes the parts and the spec to `spec.folder` and returns the spec as it is read back.

    All is written beside the folder and then renamed, so a reader never sees half a set, and of several writers one
    wins. A folder that holds the same preparation already is left as it is.

    Args:
        spec: What is written about the set.
        parts: The arrays as they are to be stored.
        document: The data document as plain data, kept for the record.
        folds: Which fold each training example validates, where there are folds.
    """
    folder = Path(spec.folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.parent / f".{folder.name}.{uuid.uuid4().hex}"
    fresh.mkdir()
    try:
        for name in PARTS:
            np.save(fresh / f"{name}_x.npy", parts[name].x, allow_pickle=False)
            np.save(fresh / f"{name}_y.npy", parts[name].y, allow_pickle=False)
        if folds is not None:
            np.save(fresh / FOLDS, folds, allow_pickle=False)
        content = {**asdict(spec), "sizes": dict(spec.sizes), "document": dict(document)}
        del content["folder"]  # the folder may be moved
        (fresh / SPEC).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        _publish(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return read(folder)


def _publish(fresh: Path, folder: Path) -> None:
    if _same(fresh, folder):
        return
    aside = fresh.with_name(fresh.name + ".old")
    with contextlib.suppress(FileNotFoundError):
        # Workers that have mapped the old files keep them: a rename does not touch what is open.
        folder.rename(aside)
    try:
        fresh.rename(folder)
    except OSError:
        # Another process published between the two renames; the same set is as good as ours.
        if not _same(fresh, folder):
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _same(fresh: Path, folder: Path) -> bool:
    names = [f"{part}_{axis}.npy" for part in PARTS for axis in "xy"]
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
    for part in PARTS:
        for axis in "xy":
            _there(folder, f"{part}_{axis}.npy", hint)
    if spec.stems:
        _there(folder, FOLDS, hint)
    return spec


def _there(folder: Path, name: str, hint: str) -> None:
    if not (folder / name).is_file():
        raise fault(folder, f"the file {name} is missing", hint=hint)
