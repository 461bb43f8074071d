"""Folders of image files, one sub-folder for each class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field, PositiveInt

from automl.records.data import Splits
from automl.sources import Source, _pictures
from automl.sources._arrays import paired
from automl.sources._folders import Files, listed
from automl.sources._pictures import Range, read
from automl.sources._places import fault, find
from automl.sources._tables import splits

if TYPE_CHECKING:
    from PIL.Image import Image

Byte = Annotated[int, Field(ge=0, le=255)]

_GROUNDS = {"white": (255, 255, 255), "black": (0, 0, 0)}


class ImageFolder(Source):
    """A folder with a sub-folder for each class, or with `train`, `test` (and `val`) folders that hold one for each.

    JPEG, PNG, BMP, WebP, GIF (its first frame) and TIFF (of one page), of any mode, turned as their EXIF data says,
    what is transparent on a ground. Images become `(n, height, width, channels)` uint8, in the order of their folders'
    and files' names. Where a file has numbers of more than 8 bits, or floats, they are float32: from 0 up to 256 by the
    bits that the training part uses, or else by its least and greatest number. Files beside the folders of classes are
    not read.
    """

    folder: str = Field(description="The folder, relative to the place of all data sets", min_length=1)
    size: tuple[PositiveInt, PositiveInt] | None = Field(
        None, description="Height and width of the examples; null: the size that all images share"
    )
    fit: Literal["pad", "crop", "stretch"] = Field(
        "pad", description="How an image of other proportions gets that size: with black edges, cut, or distorted"
    )
    color: Literal["rgb", "grey"] = Field("rgb", description="Three channels, or one")
    background: Literal["white", "black"] | tuple[Byte, Byte, Byte] = Field(
        "white", description="What is seen behind what is transparent: `white`, `black`, or red, green and blue"
    )
    classes: tuple[str, ...] | None = Field(
        None,
        description="The folders that are the classes, whatever they are called; null: all, unless they look like "
        "parts of a set or like masks",
    )
    links: bool = Field(False, description="Follow links that lead out of the folder")

    def open(self, root: Path | None) -> Splits:
        """Reads every image; see `Source.open`."""
        folder = find(self.folder, root, "a folder of images for each class")
        parts = listed(folder, links=self.links, named=self.classes)
        size = self.size or _shared_size(folder, parts)
        ground = self.background if isinstance(self.background, tuple) else _GROUNDS[self.background]
        scale, dtype, notes = _depths(folder, parts)
        made = _Pixels(size, self.fit, "RGB" if self.color == "rgb" else "L", ground, scale)
        loaded = {}
        for name, found in parts.items():
            x = np.empty((len(found), *size, 3 if self.color == "rgb" else 1), dtype)
            for place, (path, _) in enumerate(found):
                x[place] = read(path, made)
            loaded[name] = paired(x, np.array([label for _, label in found]), folder)
        if made.transparent:
            count = sum(len(part.x) for part in loaded.values())
            shown = self.background if isinstance(self.background, str) else f"the colour {list(self.background)}"
            seen = f"{made.transparent:,} of {count:,} images are transparent in part"
            notes.append(f"{seen}, and lie on {shown} (`background`)")
            if made.flat:
                notes.append(
                    f"nothing is seen on {shown} of {made.flat:,} of {count:,} images, which become one colour: what "
                    "they show has that colour, or they are empty. Another `background` may show it"
                )
        return splits(loaded["train"], loaded.get("val"), loaded.get("test"), notes)

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


@dataclass
class _Pixels:
    """Makes the pixels of an example of an open image.

    Args:
        size: Height and width.
        fit: How an image of other proportions gets it.
        mode: Pillow's word for the channels.
        ground: What lies behind what is transparent.
        scale: The range of numbers of more than 8 bits.
        transparent: How many images showed some of the ground.
        flat: How many of them are of one colour on it.
    """

    size: tuple[int, int]
    fit: str
    mode: str
    ground: tuple[int, int, int]
    scale: Range | None
    transparent: int = field(default=0)
    flat: int = field(default=0)

    def __call__(self, image: Image) -> np.ndarray:
        from PIL import ImageOps

        deep = _pictures.depth(image) == "numbers"
        image = ImageOps.exif_transpose(image)
        if deep:
            assert self.scale is not None
            return self._fitted(self.scale.applied(image))
        image, is_seen = _pictures.on(self.ground, image)
        self.transparent += is_seen
        self.flat += is_seen and _pictures.colours(image) == 1
        return self._fitted(image.convert(self.mode))

    def _fitted(self, image: Image) -> np.ndarray:
        from PIL import Image as Images
        from PIL import ImageOps

        height, width = self.size
        method = Images.Resampling.BILINEAR
        if image.size != (width, height):
            if self.fit == "stretch":
                image = image.resize((width, height), method)
            else:
                change = ImageOps.pad if self.fit == "pad" else ImageOps.fit
                image = change(image, (width, height), method)
        return np.asarray(image).reshape(height, width, -1)


def sizes(parts: Mapping[str, Files]) -> Counter[tuple[int, int]]:
    """Returns how many images have which height and width; reads no pixels."""
    return Counter(read(path, _pictures.size) for found in parts.values() for path, _ in found)


def _depths(folder: Path, parts: Mapping[str, Files]) -> tuple[Range | None, type[np.generic], list[str]]:
    """Returns the range of numbers of more than 8 bits and the type that holds them, and what is said of them.

    Raises:
        DataError: There is nothing to learn a range from, or too little is left of what the files hold.
    """
    kinds = {path: read(path, _pictures.depth) for found in parts.values() for path, _ in found}
    training = [path for path, _ in parts["train"]]
    colours = [path for path in training if kinds[path] == "colours"]
    if colours and _pictures.brightest(colours) < 64:
        what = "its colours have 16 bits in the files, of which the highest are not used, and 8 would be read"
        raise fault(folder, what, received=f"{len(colours)} such images", hint="Convert them to 8 bits")
    deep = [path for path, kind in kinds.items() if kind == "numbers"]
    if not deep:
        return None, np.uint8, []
    known = [path for path in training if kinds[path] == "numbers"]
    if not known:
        what = "has numbers of more than 8 bits, and the images of the training part have none"
        raise fault(deep[0], what, hint="Convert all images to one depth")
    scale = Range.of(known)
    others = len(kinds) - len(deep)
    if others and not scale.is_whole:
        what = f"{len(deep)} of its images hold {scale.told}, the others bytes: no range fits both"
        raise fault(folder, what, hint="Convert all images to one depth")
    beside = f", {others:,} have 8" if others else ""
    return scale, np.float32, [f"{len(deep):,} images hold {scale.told}, {scale.rule} for the range of bytes{beside}"]


def _shared_size(folder: Path, parts: Mapping[str, Files]) -> tuple[int, int]:
    found = sizes(parts)
    if len(found) > 1:
        told = [f"{height}x{width} ({count})" for (height, width), count in found.most_common(5)]
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        received = f"{', '.join(told)}{more}"
        hint = "Give `size: [height, width]`, and `fit` if they should not be padded"
        raise fault(folder, "its images differ in size", expected="one size", received=received, hint=hint)
    return next(iter(found))
