"""A table of image files, decoded to examples of one size as they are read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.records.data import EXAMPLES, TARGETS, Tree
from automl.sources import _pictures
from automl.sources._folders import Files
from automl.sources._pictures import Range
from automl.sources._places import fault
from automl.sources._tables import PIECE_BYTES

if TYPE_CHECKING:
    from PIL.Image import Image

UNREAD, HIDDEN, SEEN, ALONE = range(4)
"""How much is seen of the ground of an image: not known yet, nothing, something, nothing else."""


class PictureTable:
    """A table of image files and their labels, decoded as they are read."""

    columns = (EXAMPLES, TARGETS)

    def __init__(
        self,
        pictures: Files,
        made: Pixels,
        dtype: type[np.generic],
        shown: str,
        stamps: Sequence[Sequence[int]] | None = None,
    ) -> None:
        self._paths = [path for path, _ in pictures]
        self._labels = np.array([label for _, label in pictures])
        self._made, self._dtype, self._shown, self._stamps = made, dtype, shown, stamps
        self._grounds = np.full(len(pictures), UNREAD, np.int8)

    def recipe(self) -> dict[str, Any]:
        """Returns what `of` makes the table of again, and when its files were changed last."""
        return {
            "files": [[str(path), label] for path, label in zip(self._paths, self._labels.tolist(), strict=True)],
            "stamps": [_stamp(path) for path in self._paths],
            "made": asdict(self._made),
            "dtype": np.dtype(self._dtype).name,
            "shown": self._shown,
        }

    @classmethod
    def of(cls, recipe: Mapping[str, Any]) -> PictureTable:
        """Returns the table of a recipe. A file that was changed since is refused when it is read."""
        known = recipe["made"]
        scale = Range(**known["scale"]) if known["scale"] else None
        made = Pixels(tuple(known["size"]), known["fit"], known["mode"], tuple(known["ground"]), scale)
        pictures = [(Path(path), label) for path, label in recipe["files"]]
        return cls(pictures, made, np.dtype(recipe["dtype"]).type, recipe["shown"], recipe["stamps"])

    def __len__(self) -> int:
        return len(self._paths)

    @property
    def notes(self) -> tuple[str, ...]:
        """How many of the images that were read are transparent, and what is seen of them."""
        count, seen, flat = ((self._grounds >= least).sum() for least in (HIDDEN, SEEN, ALONE))
        if not seen:
            return ()
        told = [f"{seen:,} of {count:,} images are transparent in part, and lie on {self._shown} (`background`)"]
        if flat:
            told.append(
                f"nothing is seen on {self._shown} of {flat:,} of {count:,} images, which become one colour: what "
                "they show has that colour, or they are empty. Another `background` may show it"
            )
        return tuple(told)

    def pieces(
        self, columns: Sequence[str], rows: np.ndarray | None = None, *, text: bool = False
    ) -> Iterator[tuple[np.ndarray, Tree]]:
        """Reads columns, some rows at a time; see `records.data.Table`."""
        del text  # labels are text in any case
        wanted = np.arange(len(self)) if rows is None else rows
        size = math.prod(self._made.shape) * np.dtype(self._dtype).itemsize
        step = max(1, PIECE_BYTES // size) if EXAMPLES in columns else max(1, len(wanted))
        for start in range(0, len(wanted), step):
            some = wanted[start : start + step]
            read = {TARGETS: lambda some: self._labels[some], EXAMPLES: self._decoded}
            yield some, {name: read[name](some) for name in columns}

    def _decoded(self, rows: np.ndarray) -> np.ndarray:
        if self._stamps is not None:
            for row in rows:
                if _stamp(self._paths[row]) != [*self._stamps[row]]:
                    raise fault(self._paths[row], "was changed since the set was prepared", hint="Begin a new search")
        made = _pictures.read_all([self._paths[row] for row in rows], self._made)
        self._grounds[rows] = [ground for _, ground in made]
        x = np.empty((len(rows), *self._made.shape), self._dtype)
        for place, (pixels, _) in enumerate(made):
            x[place] = pixels
        return x


def _stamp(path: Path) -> list[int]:
    """Returns the size of a file and when it was changed last.

    Raises:
        DataError: It is gone.
    """
    try:
        seen = path.stat()
    except OSError as error:
        raise fault(path, "is gone since the set was prepared", hint=error.strerror) from error
    return [seen.st_size, seen.st_mtime_ns]


@dataclass(frozen=True)
class Pixels:
    """Makes the pixels of an example of an open image.

    Args:
        size: Height and width.
        fit: How an image of other proportions gets it.
        mode: Pillow's word for the channels.
        ground: What lies behind what is transparent.
        scale: The range of numbers of more than 8 bits.
    """

    size: tuple[int, int]
    fit: str
    mode: str
    ground: tuple[int, int, int]
    scale: Range | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return (*self.size, 3 if self.mode == "RGB" else 1)

    def __call__(self, image: Image) -> tuple[np.ndarray, int]:
        """Returns the pixels, and how much is seen of the ground."""
        from PIL import ImageOps

        deep = _pictures.depth(image) == "numbers"
        image = ImageOps.exif_transpose(image)
        if deep:
            assert self.scale is not None
            return self._fitted(self.scale.applied(image)), HIDDEN
        image, is_seen = _pictures.on(self.ground, image)
        ground = HIDDEN if not is_seen else ALONE if _pictures.colours(image) == 1 else SEEN
        return self._fitted(image.convert(self.mode)), ground

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
