"""Tables that are read as they lie, some rows at a time: what is decoded when, in which order, and how much memory."""

from __future__ import annotations

import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from automl.data import prepare, store
from automl.data.section import DataDocument
from automl.errors import DataError
from automl.inputs import _moments
from automl.records.data import Splits
from automl.sources import _picture_table, _pictures
from automl.sources.image_folder import ImageFolder

MB = 2**20

# --- folders of images


def pictures(folder: Path, count: int = 40, side: int = 6) -> Path:
    """Writes pictures that bear their number as their colour."""
    for number in range(count):
        path = folder / f"c{number % 2}" / f"{number // 2:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (side, side), (number, number, 255 - number)).save(path)
    return folder


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The colours of the images whose pixels were asked for, in no order."""
    seen: list[int] = []
    laid = _pictures.on

    def on(ground: tuple[int, int, int], image: Image.Image) -> tuple[Image.Image, bool]:
        seen.append(image.getpixel((0, 0))[0])
        return laid(ground, image)

    monkeypatch.setattr(_pictures, "on", on)
    return seen


def opened(folder: Path, **fields: object) -> Splits:
    return ImageFolder(folder=str(folder), **fields).open(None)


def test_images_are_decoded_when_they_are_read_and_not_before(tmp_path, decoded):
    table = opened(pictures(tmp_path), size=[6, 6]).table
    assert (table.columns, len(table)) == (("x", "y"), 40)
    ((rows, piece),) = table.pieces(["y"])
    assert rows.tolist() == list(range(40))
    assert piece["y"].tolist() == ["c0"] * 20 + ["c1"] * 20
    assert decoded == []
    ((rows, piece),) = table.pieces(["x", "y"], np.array([3, 21, 39]))
    assert rows.tolist() == [3, 21, 39]
    assert piece["x"][:, 0, 0, 0].tolist() == [6, 3, 39]
    assert piece["y"].tolist() == ["c0", "c1", "c1"]
    assert sorted(decoded) == [3, 6, 39]


def test_images_stand_in_the_order_of_their_names_however_many_are_decoded_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(_picture_table, "PIECE_BYTES", 7 * 6 * 6 * 3)
    monkeypatch.setattr(_pictures, "TOGETHER", 2)
    pieces = list(opened(pictures(tmp_path)).table.pieces(["x"]))
    assert [len(rows) for rows, _ in pieces] == [7, 7, 7, 7, 7, 5]
    found = np.concatenate([piece["x"] for _, piece in pieces])
    assert found[:, 0, 0, 0].tolist() == [*range(0, 40, 2), *range(1, 40, 2)]


def test_the_first_of_several_damaged_images_is_named(tmp_path):
    paths = sorted(pictures(tmp_path).rglob("*.png"))
    table = opened(tmp_path, size=[6, 6]).table
    for path in (paths[30], paths[11], paths[12]):
        path.write_bytes(path.read_bytes()[:45])
    for _ in range(5):
        with pytest.raises(DataError, match=rf"{paths[11]}: cannot be read to its end"):
            list(table.pieces(["x"]))


def test_threads_leave_the_filters_of_warnings_as_they_were(tmp_path):
    table = opened(pictures(tmp_path)).table
    before = list(warnings.filters)
    for _ in range(20):
        list(table.pieces(["x"]))
    assert list(warnings.filters) == before


def test_a_table_says_what_it_saw_of_the_rows_that_were_read_each_counted_once(tmp_path):
    pictures(tmp_path, 10)
    for number in (1, 2, 8):
        Image.new("RGBA", (6, 6), (1, 2, 3, 100 if number else 255)).save(tmp_path / f"c{number % 2}" / "z.png")
        (tmp_path / f"c{number % 2}" / "z.png").rename(tmp_path / f"c{number % 2}" / f"z{number}.png")
    table = opened(tmp_path).table
    assert table.notes == ()
    list(table.pieces(["x"], np.arange(5)))
    assert table.notes == ()
    for _ in range(2):
        list(table.pieces(["x"], np.arange(7)))
        assert table.notes[0].startswith("2 of 7 images are transparent in part")
    list(table.pieces(["x"]))
    assert table.notes[0].startswith("3 of 13 images are transparent in part")


def test_what_a_table_saw_is_told_of_what_is_prepared(tmp_path):
    folder = pictures(tmp_path / "set", 40)
    Image.new("RGBA", (6, 6), (1, 2, 3, 100)).save(folder / "c0" / "z.png")
    document = {"name": "seen", "source": {"image_folder": {"folder": str(folder)}}, "input": "image"}
    spec = prepare.prepare(DataDocument.model_validate({**document, "task": "classification"}), tmp_path / "prepared")
    assert spec.notes[0].startswith("1 of 41 images are transparent in part, and lie on white")
    assert prepare.load_spec(tmp_path / "prepared").notes == spec.notes


# --- memory


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is read or looked at some rows at a time is so half a megabyte at a time."""
    for module in (_picture_table, store):
        monkeypatch.setattr(module, "PIECE_BYTES", MB // 2)
    monkeypatch.setattr(_moments, "CHUNK_BYTES", MB // 2)
    # What is imported meanwhile is no memory of the data.
    import sklearn.model_selection  # noqa: F401


def peak_mb(document: dict[str, object], folder: Path) -> float:
    """Returns the most memory that NumPy and Python held at once while a set was prepared."""
    read = DataDocument.model_validate({"name": "large", "task": "classification", **document})
    tracemalloc.start()
    try:
        prepare.prepare(read, folder)
        return tracemalloc.get_traced_memory()[1] / MB
    finally:
        tracemalloc.stop()


def test_a_folder_of_images_is_prepared_in_a_fraction_of_the_memory_that_its_pixels_take(tmp_path, small_pieces):
    folder = pictures(tmp_path / "set", count=240, side=4)
    source = {"image_folder": {"folder": str(folder), "size": [160, 160]}}
    # 18 MB of pixels.
    assert peak_mb({"source": source, "input": "image"}, tmp_path / "prepared") < 6
