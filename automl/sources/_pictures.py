"""Picture files to pixels: their formats, how many bits they use, and what lies behind what is transparent."""

from __future__ import annotations

import contextlib
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from automl.sources._places import fault

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF")

TOGETHER = 16
"""Files that a thread reads before it asks for more, at most."""

_READING = (
    OSError, EOFError, ValueError, TypeError, SyntaxError, IndexError, KeyError, OverflowError, AttributeError,
    NotImplementedError, RuntimeError, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow raises on a broken file, truncated or altered at any byte."""

_ORIENTATION = 0x0112
"""EXIF tag; from 5 on an image lies on its side."""

_DEPTHS = (8, 10, 12, 14, 16)
"""Bits that cameras and scanners give to a value; a set whose brightest pixel needs 15 has 16."""

_OF_MASK = 32
"""Colours of a mask: one for each thing that is marked."""

Depth = Literal["bytes", "numbers", "colours"]
"""What a file holds: bytes; a number of more bits, or a float, for each pixel; three colours of 16 bits each."""


def read(path: Path, what: Callable[[Image], T]) -> T:
    """Returns something of an image file.

    Raises:
        DataError: It is no image, damaged, of several pages, or of more pixels than Pillow takes to be meant well.
    """
    with _quiet():
        return _read(path, what)


def read_all(paths: Iterable[Path], what: Callable[[Image], T]) -> list[T]:
    """Returns something of each of several image files, in their order; several are read at a time. See `read`."""
    paths = [*paths]
    # A batch is spread over all cores, however small.
    together = max(1, min(TOGETHER, len(paths) // (os.cpu_count() or 1)))
    some = [paths[start : start + together] for start in range(0, len(paths), together)]
    # Warnings are caught for the whole process: threads that did so each for itself would undo what others did.
    with _quiet(), ThreadPoolExecutor() as pool:
        return [*chain.from_iterable(pool.map(lambda few: [_read(path, what) for path in few], some))]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leaves out what Pillow warns of: a large image, or a tag that is of no use here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _read(path: Path, what: Callable[[Image], T]) -> T:
    from PIL import Image as Images
    from PIL import UnidentifiedImageError

    try:
        with Images.open(path, formats=FORMATS) as image:
            return what(image)
    except UnidentifiedImageError as error:
        raise fault(path, "is no image", expected=", ".join(FORMATS), hint="Remove it, or convert it") from error
    except Images.DecompressionBombError as error:
        most = 2 * (Images.MAX_IMAGE_PIXELS or 0)
        what_is = f"has more than the {most:,} pixels that an image may have here"
        raise fault(path, what_is, hint="It is not damaged, but large: shrink it, or cut it up") from error
    except MemoryError as error:
        raise fault(path, "needs more memory than there is", hint="Shrink it, or cut it up") from error
    except _READING as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise fault(path, "cannot be read to its end", hint=f"It is damaged, copy it again ({reason})") from error


def size(image: Image) -> tuple[int, int]:
    """Returns height and width, once the image is turned as its EXIF data says.

    That is read without its pixels, but for PNG, where it may stand behind them.
    """
    width, height = image.size
    return (width, height) if image.getexif().get(_ORIENTATION, 1) >= 5 else (height, width)


def colours(image: Image) -> int | None:
    """Returns how many colours an image has; None for more than a mask has."""
    found = image.getcolors(_OF_MASK)
    return None if found is None else len(found)


def depth(image: Image) -> Depth:
    """Returns what an image file holds; reads no pixels."""
    if image.format == "TIFF" and getattr(image, "n_frames", 1) > 1:
        where = Path(str(getattr(image, "filename", "")))
        raise fault(where, "holds several pages", expected="one image", hint="Save each page as a file of its own")
    if image.mode.startswith(("I", "F")):
        return "numbers"
    # Of 16 bits for each colour Pillow keeps the upper 8: the form in the file, which its decoder is given, tells.
    given = [
        arguments if isinstance(arguments, tuple) else (arguments,) for *_, arguments in getattr(image, "tile", ())
    ]
    deep = any(isinstance(word, str) and ";16" in word for words in given for word in words)
    return "colours" if deep else "bytes"


@dataclass(frozen=True)
class Range:
    """What brings numbers of more than 8 bits to the range of bytes, without rounding them.

    Args:
        low: The number that becomes 0.
        step: How much more makes one.
        told: What the numbers are, for people.
        is_whole: Whether they are whole numbers from 0 on.
    """

    low: float
    step: float
    told: str
    is_whole: bool

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Range:
        """Learns the range of numbers in image files.

        Whole numbers from 0 on have the bits that the greatest of them needs, of the usual depths: 12 bits in files of
        16 are 12 bits. Of all others the least becomes 0 and the greatest 255.
        """
        lows, highs, wholes = zip(*read_all(paths, _span), strict=True)
        low, high, whole = min(lows), max(highs), all(wholes)
        if whole and low >= 0:
            needed = int(high).bit_length()
            bits = next((bits for bits in _DEPTHS if bits >= needed), needed)
            return cls(0.0, 2.0 ** (bits - 8), f"numbers of {bits} bits", is_whole=True)
        return cls(low, (high - low) / 255 or 1.0, f"numbers from {low:g} to {high:g}", is_whole=False)

    @property
    def rule(self) -> str:
        """What is done to the numbers, in words: whoever uses a model does it too."""
        return (f"less {self.low:g} and " if self.low else "") + f"divided by {self.step:g}"

    def applied(self, image: Image) -> Image:
        """Returns an image of floats."""
        from PIL import Image as Images

        values = (_numbers(image).astype(np.float64) - self.low) / self.step
        return Images.fromarray(values.astype(np.float32))


def on(ground: tuple[int, int, int], image: Image) -> tuple[Image, bool]:
    """Returns an image of bytes laid on a ground, and whether any of the ground is seen."""
    from PIL import Image as Images

    if not image.has_transparency_data:
        return image, False
    image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    least, _ = image.getchannel("A").getextrema()
    behind = Images.new("RGBA", image.size, (*ground, 255))
    return Images.alpha_composite(behind, image).convert("RGB"), int(least) < 255  # type: ignore[arg-type]


def brightest(paths: Iterable[Path]) -> int:
    """Returns the greatest value of any colour in images of bytes, transparency aside."""
    return max(read_all(paths, lambda image: int(np.asarray(image.convert("RGB")).max())))


def _span(image: Image) -> tuple[float, float, bool]:
    """Returns the least and the greatest number of an image, and whether they are whole."""
    values = _numbers(image)
    return float(values.min()), float(values.max()), values.dtype.kind in "iu"


def _numbers(image: Image) -> np.ndarray:
    values = np.asarray(image)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        where = Path(str(getattr(image, "filename", "")))
        raise fault(where, "holds pixels that are no finite numbers", hint="Repair the image, or remove it")
    return values
