"""Folders of image files, one sub-folder for each class."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, PositiveInt

from automl.data import Source
from automl.data._arrays import paired
from automl.data._places import fault, find
from automl.errors import shorten
from automl.records import Part, Splits

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF")
PARTS = ("train", "val", "test")

_READING = (
    OSError, EOFError, ValueError, TypeError, SyntaxError, IndexError, KeyError, OverflowError, MemoryError,
    NotImplementedError, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow raises on a broken file, truncated or altered at any byte."""

_NO_DATA = ("Thumbs.db", "desktop.ini", "__MACOSX")
"""What systems leave behind in folders, beside names that begin with a dot."""

_ORIENTATION = 0x0112
"""EXIF tag; from 5 on an image lies on its side."""


class ImageFolder(Source):
    """A folder with a sub-folder for each class, or with `train`, `test` (and `val`) folders that hold one for each.

    JPEG, PNG, BMP, WebP and GIF (its first frame), of any mode, turned as their EXIF data says, without transparency.
    Images become `(n, height, width, channels)` uint8, in the order of their folders' and files' names. Files beside
    the folders of classes are not read.
    """

    folder: str = Field(description="The folder, relative to the place of all data sets", min_length=1)
    size: tuple[PositiveInt, PositiveInt] | None = Field(
        None, description="Height and width of the examples; null: the size that all images share"
    )
    fit: Literal["pad", "crop", "stretch"] = Field(
        "pad", description="How an image of other proportions gets that size: with black edges, cut, or distorted"
    )
    color: Literal["rgb", "grey"] = Field("rgb", description="Three channels, or one")

    def load(self, root: Path | None) -> Splits:
        """Reads every image; see `Source.load`."""
        folder = find(self.folder, root, "a folder of images for each class")
        parts = listed(folder)
        size = self.size or _shared_size(folder, parts)
        return Splits(**{name: self._part(folder, files, size) for name, files in parts.items()})

    def _part(self, folder: Path, files: Files, size: tuple[int, int]) -> Part:
        x = np.empty((len(files), *size, 3 if self.color == "rgb" else 1), np.uint8)
        for place, (path, _) in enumerate(files):
            x[place] = read(path, lambda image: self._pixels(image, size))
        return paired(x, np.array([name for _, name in files]), folder)

    def _pixels(self, image: Image, size: tuple[int, int]) -> np.ndarray:
        from PIL import Image as Images
        from PIL import ImageOps

        image = _plain(ImageOps.exif_transpose(image), "RGB" if self.color == "rgb" else "L")
        height, width = size
        method = Images.Resampling.BILINEAR
        if image.size != (width, height):
            if self.fit == "stretch":
                image = image.resize((width, height), method)
            else:
                change = ImageOps.pad if self.fit == "pad" else ImageOps.fit
                image = change(image, (width, height), method)
        return np.asarray(image).reshape(height, width, -1)

    @classmethod
    def toy(cls, folder: Path) -> ImageFolder:
        """Writes 45 images of 6 by 6 pixels in three classes, in two parts."""
        from PIL import Image as Images

        rng = np.random.default_rng(0)
        for part, count in (("train", 10), ("test", 5)):
            for name in ("boot", "coat", "hat"):
                (folder / part / name).mkdir(parents=True)
                for number in range(count):
                    pixels = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
                    Images.fromarray(pixels).save(folder / part / name / f"{number}.png")
        return cls(folder=str(folder))


Files = list[tuple[Path, str]]
"""Image files, each with its class."""


def listed(folder: Path) -> dict[str, Files]:
    """Returns the image files of each part that a set brings, in the order of their names; reads none of them.

    Raises:
        DataError: There are no folders of classes, one holds no image or a folder, or a link leads out of the set.
    """
    return {name: _within(folder, part) for name, part in _parts(folder).items()}


def _within(root: Path, folder: Path) -> Files:
    classes = _folders(folder)
    if not classes:
        raise fault(folder, "holds no folders", expected="one for each class", received=_held(folder))
    home = root.resolve()
    found: Files = []
    for each in classes:
        files = _seen(each)
        if not files:
            raise fault(each, "holds no image", hint="Remove the folder, or put images of the class there")
        for path in (each, *files):
            if not path.resolve().is_relative_to(home):
                raise fault(path, f"leads out of {root}", hint="Copy what it leads to")
        inner = next((path for path in files if path.is_dir()), None)
        if inner is not None:
            raise fault(inner, "is a folder in the folder of a class", expected="images alone")
        found += [(path, each.name) for path in files]
    return found


def sizes(parts: Mapping[str, Files]) -> Counter[tuple[int, int]]:
    """Returns how many images have which height and width; reads no pixels."""
    return Counter(read(path, _size) for files in parts.values() for path, _ in files)


def read(path: Path, what: Callable[[Image], Any]) -> Any:
    """Returns something of an image file.

    Raises:
        DataError: It is no image, damaged, or of more pixels than Pillow takes to be meant well.
    """
    from PIL import Image as Images
    from PIL import UnidentifiedImageError

    try:
        with Images.open(path, formats=FORMATS) as image:
            return what(image)
    except UnidentifiedImageError as error:
        raise fault(path, "is no image", expected=", ".join(FORMATS), hint="Remove it, or convert it") from error
    except (*_READING, Images.DecompressionBombError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise fault(path, "cannot be read to its end", hint=f"It is damaged, copy it again ({reason})") from error


def _plain(image: Image, mode: str) -> Image:
    if image.mode.startswith(("I", "F")):
        # 16 bits: Pillow would cut off what is above 255.
        image = image.convert("I").point(lambda value: value * (1 / 256))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
    return image.convert(mode)


def _size(image: Image) -> tuple[int, int]:
    width, height = image.size
    return (width, height) if image.getexif().get(_ORIENTATION, 1) >= 5 else (height, width)


def _shared_size(folder: Path, parts: Mapping[str, Files]) -> tuple[int, int]:
    found = sizes(parts)
    if len(found) > 1:
        told = [f"{height}x{width} ({count})" for (height, width), count in found.most_common(5)]
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        received = f"{', '.join(told)}{more}"
        hint = "Give `size: [height, width]`, and `fit` if they should not be padded"
        raise fault(folder, "its images differ in size", expected="one size", received=received, hint=hint)
    return next(iter(found))


def _parts(folder: Path) -> dict[str, Path]:
    """Returns the folder of each part; of a set without parts the folder itself, for `train`."""
    if not folder.is_dir():
        raise fault(folder, "is a file", expected="a folder with one folder for each class")
    names = [each.name for each in _folders(folder)]
    # A class may be called `train` too: it holds images, and the part holds folders.
    if "train" not in names or not _folders(folder / "train"):
        return {"train": folder}
    others = sorted(set(names) - set(PARTS))
    if others:
        raise fault(folder, "holds folders beside `train`", expected=", ".join(PARTS), received=shorten(others))
    return {name: folder / name for name in PARTS if name in names}


def _folders(folder: Path) -> list[Path]:
    return [path for path in _seen(folder) if path.is_dir()]


def _seen(folder: Path) -> list[Path]:
    return sorted(_visible(folder), key=lambda path: path.name)


def _visible(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if not path.name.startswith(".") and path.name not in _NO_DATA)


def _held(folder: Path) -> str:
    return shorten([path.name for path in _seen(folder)]) if _seen(folder) else "an empty folder"
