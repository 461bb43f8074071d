"""The IDX files of the MNIST family."""

from __future__ import annotations

import contextlib
import gzip
import importlib
import math
import struct
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import numpy as np
from pydantic import Field

from automl.errors import DataError
from automl.machine import keras_backend
from automl.records.data import EXAMPLES, Part, Splits
from automl.sources import Source
from automl.sources._arrays import named, paired
from automl.sources._places import fault, find
from automl.sources._tables import Arrays, splits
from automl.sources._unlabelled import PREDICT

FILES = {"train": "train", "test": "t10k"}
"""The part's name and the first word of its files, as LeCun named them."""

_UNSIGNED_BYTE = 0x08


class Idx(Source):
    """A folder of IDX files: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-...`, plain or `.gz`.

    Images become `(n, height, width, 1)` uint8. Without the `t10k` files the set has no test part of its own.

    Source: http://yann.lecun.com/exdb/mnist/ (section "File formats"), https://github.com/zalandoresearch/fashion-mnist
    """

    folder: str = Field(description="The folder, relative to the place of all data sets", min_length=1)
    keras: Literal["fashion_mnist", "mnist"] | None = Field(
        None, description="Loader of `keras.datasets` that downloads the set when the folder is nowhere"
    )
    classes: tuple[str, ...] | None = Field(None, description="Class names in the order of the integer labels")

    def open(self, root: Path | None) -> Splits:
        """Reads both parts, from the folder or else through Keras's own downloader; see `Source.open`."""
        try:
            folder = find(
                self.folder, root, "the files train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-..."
            )
        except DataError as missing:
            if self.keras is None:
                raise
            return self._download(self.keras, missing)
        if not folder.is_dir():
            raise fault(folder, "is a file", expected="the folder that holds the idx files")
        train = self._part(folder, "train")
        if train is None:
            raise fault(
                folder,
                "holds no training images",
                expected="train-images-idx3-ubyte or train-images-idx3-ubyte.gz",
                received=", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "an empty folder",
            )
        return splits(train, test=self._part(folder, "test"))

    def unlabelled(self, paths: Sequence[Path], learned: Mapping[str, Any]) -> Splits:
        """Opens IDX files of images, plain or `.gz`; or arrays."""
        if any(path.suffix in (".npy", ".npz") for path in paths):
            return super().unlabelled(paths, learned)
        table = Arrays(*({EXAMPLES: read_idx(path, 3)[..., np.newaxis]} for path in paths))
        return Splits(table, {PREDICT: np.arange(len(table))}, targets=())

    def _part(self, folder: Path, part: str) -> Part | None:
        images = _existing(folder, f"{FILES[part]}-images", 3)
        labels = _existing(folder, f"{FILES[part]}-labels", 1)
        if images is None and labels is None:
            return None
        if images is None or labels is None:
            missing = f"{FILES[part]}-labels-idx1-ubyte" if labels is None else f"{FILES[part]}-images-idx3-ubyte"
            raise fault(folder, "images and labels must come together", expected=f"{missing} or {missing}.gz")
        return self._join(read_idx(images, 3), read_idx(labels, 1), labels)

    def _join(self, images: np.ndarray, codes: np.ndarray, where: Path | str) -> Part:
        y = codes if self.classes is None else named(codes, self.classes, where)
        return paired(images[..., np.newaxis], y, where)

    def _download(self, name: str, missing: DataError) -> Splits:
        # Through importlib so that the module is looked up by a name from the closed list of the field above.
        keras_backend.import_keras()
        loader = importlib.import_module(f"keras.datasets.{name}")
        try:
            # Keras prints its progress bar on stdout, which belongs to the output asked for (`-o json`).
            with contextlib.redirect_stdout(sys.stderr):
                (x, y), (x_test, y_test) = loader.load_data()
        except Exception as error:  # Keras raises a bare Exception when a download fails
            reason = " ".join(str(error).split())
            raise DataError(f"{missing} Keras could not download it either: {reason}") from error
        where = f"keras.datasets.{name}"
        return splits(self._join(x, y, where), test=self._join(x_test, y_test, where))

    @classmethod
    def toy(cls, folder: Path) -> Idx:
        """Writes 60 and 30 images of 6 by 6 pixels in three classes, gzipped and plain."""
        rng = np.random.default_rng(0)
        for part, size, opener, suffix in (("train", 60, gzip.open, ".gz"), ("t10k", 30, open, "")):
            write = cast("Callable[[Path, str], Any]", opener)
            with write(folder / f"{part}-images-idx3-ubyte{suffix}", "wb") as file:
                file.write(struct.pack(">HBB3I", 0, _UNSIGNED_BYTE, 3, size, 6, 6) + rng.bytes(size * 36))
            with write(folder / f"{part}-labels-idx1-ubyte{suffix}", "wb") as file:
                file.write(struct.pack(">HBBI", 0, _UNSIGNED_BYTE, 1, size) + bytes(i % 3 for i in range(size)))
        return cls(folder=str(folder), classes=("boot", "coat", "hat"))


def _existing(folder: Path, stem: str, axes: int) -> Path | None:
    # `train-images.idx3-ubyte` is what some unpackers make of the original name.
    names = [f"{stem}{dot}idx{axes}-ubyte{gz}" for dot in "-." for gz in ("", ".gz")]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def read_idx(path: Path, axes: int) -> np.ndarray:
    """Reads one IDX file of unsigned bytes, plain or gzipped.

    Args:
        path: The file; gzipped when its name ends in `.gz`.
        axes: How many axes it must have: 3 for images, 1 for labels.

    Raises:
        DataError: It is truncated, longer than its header says, or of another format.
    """
    try:
        with cast("BinaryIO", gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")) as file:
            header = file.read(4 + 4 * axes)
            expected = bytes((0, 0, _UNSIGNED_BYTE, axes))
            if header[:4] != expected:
                raise fault(
                    path,
                    "is not an idx file of this kind",
                    expected=f"the magic number 0x{expected.hex()}",
                    received=f"0x{header[:4].hex()}" if header else "an empty file",
                )
            if len(header) < 4 + 4 * axes:
                raise fault(path, "ends within its header", hint="Copy it again")
            shape = struct.unpack(f">{axes}I", header[4:])
            # One byte more than announced, so that a longer file is noticed without reading all of it.
            body = file.read(math.prod(shape) + 1)
    except MemoryError as error:
        hint = "It is too large for this machine, or its header is damaged"
        raise fault(path, "needs more memory than there is", hint=hint) from error
    except (OSError, EOFError, zlib.error, OverflowError) as error:
        raise fault(path, "cannot be read to its end", hint=f"It is damaged, copy it again ({error})") from error
    if len(body) != math.prod(shape):
        raise fault(
            path,
            "its length does not fit its header",
            expected=f"{math.prod(shape)} bytes for shape {shape}",
            received="more" if len(body) > math.prod(shape) else str(len(body)),
            hint="Copy it again",
        )
    return np.frombuffer(body, np.uint8).reshape(shape)
