from __future__ import annotations

import gzip
import os
import struct
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from automl.errors import DataError
from automl.sources._tables import held
from automl.sources.idx import Idx

SHARED = Path(os.environ.get("AUTOML_DATA") or Path(__file__).parents[3] / "shared/data")
FASHION = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


def images(count: int = 4, kind: int = 8, axes: int = 3, body: int | None = None) -> bytes:
    size = count * 6 if body is None else body
    return struct.pack(">HBB3I", 0, kind, axes, count, 2, 3) + bytes(range(256))[: size % 256]


def labels(count: int = 4) -> bytes:
    return struct.pack(">HBBI", 0, 8, 1, count) + bytes(i % 2 for i in range(count))


def write(folder: Path, x: bytes, y: bytes, part: str = "train") -> None:
    (folder / f"{part}-images-idx3-ubyte").write_bytes(x)
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(y)


def failure(folder: Path, **fields) -> str:
    with pytest.raises(DataError) as caught:
        Idx(folder=str(folder), **fields).open(None)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_images_keep_their_bytes_and_get_a_channel(tmp_path):
    write(tmp_path, images(), labels())
    parts = held(Idx(folder=str(tmp_path)).open(None))
    assert "test" not in parts
    assert parts["train"].x.shape == (4, 2, 3, 1)
    assert parts["train"].x.dtype == np.uint8
    assert parts["train"].x.ravel().tolist() == list(range(24))
    assert parts["train"].y.tolist() == [0, 1, 0, 1]


def test_gzip_and_the_dotted_name_are_read(tmp_path):
    (tmp_path / "train-images.idx3-ubyte.gz").write_bytes(gzip.compress(images()))
    (tmp_path / "train-labels.idx1-ubyte.gz").write_bytes(gzip.compress(labels()))
    assert held(Idx(folder=tmp_path.name).open(tmp_path.parent))["train"].x.ravel().tolist() == list(range(24))


def test_class_names_replace_the_codes(tmp_path):
    write(tmp_path, images(), labels())
    assert held(Idx(folder=str(tmp_path), classes=("no", "yes")).open(None))["train"].y.tolist() == ["no", "yes"] * 2
    message = failure(tmp_path, classes=("no",))
    assert "Expected 0 to 0; received 1" in message


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (b"", labels(), "received an empty file"),
        (images()[:10], labels(), "ends within its header"),
        (images(kind=0x0D), labels(), "magic number 0x00000803; received 0x00000d03"),
        (labels(), labels(), "received 0x00000801"),
        (images(body=20), labels(), "Expected 24 bytes for shape (4, 2, 3); received 20"),
        (images(body=25), labels(), "received more"),
        (images(), labels(3), "Expected 4 targets; received 3"),
        (images(0), labels(0), "holds no examples"),
        (struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1), labels(), "cannot be read"),
    ],
)
def test_a_broken_file_is_said_in_a_line(tmp_path, x, y, said):
    write(tmp_path, x, y)
    assert said in failure(tmp_path)


def test_a_damaged_gzip_is_said_in_a_line(tmp_path):
    whole = gzip.compress(images(40, body=240))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(labels(40))
    for end in range(1, len(whole)):
        (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(whole[:end])
        failure(tmp_path)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"no gzip at all")
    assert "cannot be read to its end" in failure(tmp_path)
    corrupt = bytearray(whole)
    corrupt[-6] ^= 0xFF  # in the checksum
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(bytes(corrupt))
    failure(tmp_path)


def test_a_lone_file_names_its_missing_partner(tmp_path):
    assert "holds no training images" in failure(tmp_path)
    write(tmp_path, images(), labels())
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(images())
    assert "Expected t10k-labels-idx1-ubyte or" in failure(tmp_path)


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "set").write_bytes(b"")
    assert "is a file" in failure(tmp_path / "set")


@pytest.fixture
def loader(monkeypatch):
    module = types.ModuleType("keras.datasets.mnist")
    x, y = np.arange(24, dtype=np.uint8).reshape(4, 2, 3), np.array([0, 1, 0, 1], np.uint8)

    def load_data():
        sys.stdout.write("Downloading data")
        return (x, y), (x[:2], y[:2])

    module.load_data = load_data
    monkeypatch.setitem(sys.modules, "keras.datasets.mnist", module)
    return module


def test_keras_downloads_what_is_nowhere_and_keeps_stdout_clean(tmp_path, loader, capsys):
    parts = held(Idx(folder="nowhere", keras="mnist", classes=("even", "odd")).open(tmp_path))
    assert parts["train"].x.shape == (4, 2, 3, 1)
    assert parts["test"].y.tolist() == ["even", "odd"]
    assert capsys.readouterr().out == ""


def test_a_folder_that_is_there_is_preferred(tmp_path, loader):
    write(tmp_path, images(2), labels(2))
    assert len(held(Idx(folder=str(tmp_path), keras="mnist").open(None))["train"].x) == 2


def test_a_failed_download_says_both_ways(tmp_path, loader):
    def load_data():
        # Bare, as keras.utils.get_file raises it.
        raise Exception("URL fetch failure\non https://example.org")  # noqa: TRY002

    loader.load_data = load_data
    with pytest.raises(DataError) as caught:
        Idx(folder="nowhere", keras="mnist").open(tmp_path)
    message = str(caught.value)
    assert str(tmp_path / "nowhere") in message
    assert "could not download it either: URL fetch failure on" in message
    assert "\n" not in message


@pytest.mark.skipif(not (SHARED / "fashion_mnist").is_dir(), reason=f"no fashion_mnist in {SHARED}")
def test_fashion_mnist_is_what_its_source_says():
    parts = held(Idx(folder="fashion_mnist", classes=tuple(FASHION)).open(SHARED))
    assert parts["train"].x.shape == (60_000, 28, 28, 1)
    assert parts["test"].x.shape == (10_000, 28, 28, 1)
    for part, each in ((parts["train"], 6_000), (parts["test"], 1_000)):
        names, counts = np.unique(part.y, return_counts=True)
        assert set(names) == set(FASHION)
        assert set(counts) == {each}
    assert parts["train"].x.mean() / 255 == pytest.approx(0.28604, abs=1e-5)
    assert parts["train"].x.std() / 255 == pytest.approx(0.35302, abs=1e-5)
    assert parts["train"].y[0] == "Ankle boot"


def test_too_little_memory_is_no_damage(tmp_path, monkeypatch):
    write(tmp_path, images(), labels())

    def product(shape):
        raise MemoryError

    monkeypatch.setattr("automl.sources.idx.math.prod", product)
    assert "needs more memory than there is. It is too large for this machine, or its header" in failure(tmp_path)
