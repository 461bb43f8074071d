"""A prepared set while it is written: columns that come in pieces, for places anywhere, and what they are told by."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from automl.data import store
from automl.data.store import Draft

RNG = np.random.default_rng(0)


def whole_digest(parts: dict[str, dict[str, np.ndarray]], classes: list[str], cut: np.ndarray | None = None) -> str:
    """Returns the digest of whole arrays, as it was defined when they were held in memory."""
    sha = hashlib.sha256(json.dumps(classes).encode())
    for part in ("train", "val", "test"):
        for name, array in parts[part].items():
            little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
            sha.update(f"{part}_{name} {little.dtype.str} {little.shape}\n".encode())
            sha.update(little.data)
    if cut is not None:
        sha.update(b"folds\n" + cut.astype("<i2").tobytes())
    return sha.hexdigest()


def scattered(draft: Draft, part: str, column: str, array: np.ndarray, step: int) -> None:
    """Writes a column some rows at a time, in an order that is not its own."""
    order = RNG.permutation(len(array))
    for start in range(0, len(array), step):
        places = order[start : start + step]
        draft.put(part, column, array[places], places, len(array))


@pytest.mark.parametrize("dtype", ["uint8", "float32", ">f4", "int64", "<U7"])
def test_rows_that_come_in_pieces_for_places_anywhere_make_the_whole(tmp_path: Path, dtype: str) -> None:
    array = RNG.integers(0, 100, (50, 3, 2)).astype(dtype)
    with Draft(tmp_path / "d") as draft:
        scattered(draft, "train", "x", array, 7)
        found = draft.column("train", "x")
        assert found.dtype == dtype
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("piece_bytes", [1, 100, store.PIECE_BYTES])
@pytest.mark.parametrize("cut", [None, np.arange(40) % 3])
def test_the_digest_is_that_of_the_whole_arrays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece_bytes: int, cut: np.ndarray | None
) -> None:
    monkeypatch.setattr(store, "PIECE_BYTES", piece_bytes)
    sizes = {"train": 40, "val": 0, "test": 11}
    parts = {
        part: {
            "x": RNG.normal(size=(size, 5, 2)).astype(np.float32),
            "word": np.array(["one", "another"] * size, dtype="<U7")[:size],
            "y": RNG.integers(0, 3, size).astype(np.int32),
        }
        for part, size in sizes.items()
    }
    classes = ["a", "b", "\u00e9"]
    with Draft(tmp_path / "d") as draft:
        for part, columns in parts.items():
            for column, array in columns.items():
                scattered(draft, part, column, array, 9)
                if not len(array):
                    draft.put(part, column, array, np.arange(0), 0)
        assert draft.digest(["x", "word", "y"], classes, cut) == whole_digest(parts, classes, cut)
        for part in parts.values():
            part.pop("word")
        assert draft.digest(["x", "y"], classes, cut) == whole_digest(parts, classes, cut)


def test_an_empty_part_has_the_type_and_the_shape_of_its_rows(tmp_path: Path) -> None:
    with Draft(tmp_path / "d") as draft:
        draft.put("val", "x", np.zeros((4, 3, 2), np.uint8), np.arange(0), 0)
        found = draft.column("val", "x")
        assert (found.shape, found.dtype) == ((0, 3, 2), np.uint8)


@pytest.mark.parametrize(
    ("first", "then", "kept"),
    [
        (np.array([1, 255], "uint8"), np.array([0.5, -7], "float32"), "float32"),
        (np.array([0.5, -7], "float32"), np.array([1, 255], "uint8"), "float32"),
        (np.array(["a", "b"]), np.array(["long", "longer"]), "<U6"),
        (np.array([1, 2], "int32"), np.array([2**40, 3], "int64"), "int64"),
    ],
)
def test_a_column_of_several_types_gets_one_that_holds_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: np.ndarray, then: np.ndarray, kept: str
) -> None:
    monkeypatch.setattr(store, "PIECE_BYTES", 8)
    with Draft(tmp_path / "d") as draft:
        draft.put("train", "x", first, np.array([0, 3]), 4)
        draft.put("train", "x", then, np.array([2, 1]), 4)
        found = draft.column("train", "x")
        assert found.dtype == kept
        assert found.tolist() == [first[0], then[1], then[0], first[1]]
        assert [path.name for path in (draft._fresh).iterdir()] == ["train_x.npy"]


def test_rows_of_another_shape_are_not_stretched_to_fit(tmp_path: Path) -> None:
    with Draft(tmp_path / "d") as draft:
        draft.put("train", "x", np.zeros((2, 3)), np.arange(2), 4)
        with pytest.raises(ValueError, match=r"train_x\.npy: rows of shape \(3,\) and \(1,\)"):
            draft.put("train", "x", np.ones((2, 1)), np.arange(2, 4), 4)


def test_a_draft_that_is_not_published_leaves_nothing(tmp_path: Path) -> None:
    with Draft(tmp_path / "d") as draft:
        draft.put("train", "x", np.zeros(3), np.arange(3), 3)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_before_pages_are_written_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int, start: int, size: int) -> None:
        assert size == 128 + 8 * 1000
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left on device"), Draft(tmp_path / "d") as draft:
        draft.put("train", "x", np.zeros(10), np.arange(10), 1000)
    assert list(tmp_path.iterdir()) == []
