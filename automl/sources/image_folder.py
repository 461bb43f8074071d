"""Folders of image files, one sub-folder for each class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveInt

from automl.records.data import Splits, Table
from automl.sources import Source, _pictures
from automl.sources._folders import PICTURES, Files, listed
from automl.sources._picture_table import PictureTable, Pixels
from automl.sources._pictures import Depth, Range, read_all
from automl.sources._places import fault, find
from automl.sources._unlabelled import PREDICT

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

    runtime: ClassVar[tuple[str, ...]] = ("pillow",)

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
        """Lists the images, their sizes and depths; see `Source.open`.

        They are decoded once they are read, but for numbers of more than 8 bits, whose range all of them share.
        """
        folder = find(self.folder, root, "a folder of images for each class")
        parts = listed(folder, links=self.links, named=self.classes)
        heads = {part: _Heads.of(found, sized=self.size is None) for part, found in parts.items()}
        size = self.size or _shared_size(folder, heads.values())
        scale, dtype, notes = _range(folder, heads)
        ground = self.background if isinstance(self.background, tuple) else _GROUNDS[self.background]
        made = Pixels(size, self.fit, "RGB" if self.color == "rgb" else "L", ground, scale)
        shown = self.background if isinstance(self.background, str) else f"the colour {list(self.background)}"
        ends = np.cumsum([0, *map(len, parts.values())])
        rows = {name: np.arange(*ends[place : place + 2]) for place, name in enumerate(parts)}
        table = PictureTable([*chain(*parts.values())], made, dtype, shown)
        learned = {"made": asdict(made), "dtype": np.dtype(dtype).name, "shown": shown}
        return Splits(table, rows, notes=tuple(notes), recipe=table.recipe, learned=lambda _: learned)

    def open_like(self, root: Path | None, learned: Mapping[str, Any]) -> Splits:
        """Opens the set, its images decoded as those of the other were; see `Source.open_like`."""
        own = self if not learned else self.model_copy(update={"size": tuple(learned["made"]["size"])})
        opened = own.open(root)
        assert opened.recipe is not None
        return replace(opened, table=PictureTable.of({**opened.recipe(), **learned})) if learned else opened

    def unlabelled(self, paths: Sequence[Path], learned: Mapping[str, Any]) -> Splits:
        """Opens image files, and those in folders, decoded as those of the set were."""
        pictures = [(path, "") for given in paths for path in _pictures_in(given)]
        table = PictureTable.of({"files": pictures, "stamps": None, **learned})
        names = [str(path) for path, _ in pictures]
        return Splits(table, {PREDICT: np.arange(len(table))}, targets=(), named=names)

    @staticmethod
    def batches(paths: Sequence[str], how: Mapping[str, Any]) -> Iterator[tuple[Sequence[Any], Mapping[str, Any]]]:
        """Reads image files, and those in folders, where this package is not; see `Source.batches`."""
        from pathlib import Path

        import numpy as np
        from PIL import Image, ImageOps

        made = how["learned"]["made"]
        side, bilinear = (made["size"][1], made["size"][0]), Image.Resampling.BILINEAR

        def pixels(path: str) -> Any:
            image = ImageOps.exif_transpose(Image.open(path))
            if image.mode.startswith(("I", "F")):
                values = (np.asarray(image).astype(np.float64) - made["scale"]["low"]) / made["scale"]["step"]
                image = Image.fromarray(values.astype(np.float32))
            else:
                if image.has_transparency_data:
                    ground = Image.new("RGBA", image.size, (*made["ground"], 255))
                    image = Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
                image = image.convert(made["mode"])
            if image.size != side:
                ways: dict[str, Any] = {"stretch": Image.Image.resize, "pad": ImageOps.pad, "crop": ImageOps.fit}
                image = ways[made["fit"]](image, side, bilinear)
            return np.asarray(image).reshape(side[1], side[0], -1)

        endings = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
        files: list[str] = []
        for path in paths:
            inside = [path]
            if Path(path).is_dir():
                inside = [str(each) for each in sorted(Path(path).rglob("*")) if each.suffix.lower() in endings]
            if not inside:
                raise ValueError(f"{path}: holds no image")
            files += inside
        for start in range(0, len(files), 64):
            some = files[start : start + 64]
            yield some, {"x": np.stack([pixels(path) for path in some])}

    def reopened(self, recipe: Mapping[str, Any]) -> Table:
        """Returns the table of the files that were listed before; see `Source.reopened`."""
        return PictureTable.of(recipe)

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


def _pictures_in(path: Path) -> list[Path]:
    """Returns the image files of a folder, in the order of their names; a file as it is."""
    if not path.is_dir():
        return [path]
    found = sorted(each for each in path.rglob("*") if each.suffix.lower() in PICTURES and each.is_file())
    if not found:
        raise fault(path, "holds no image", expected=", ".join(sorted(PICTURES)))
    return found


def sizes(parts: Mapping[str, Files]) -> Counter[tuple[int, int]]:
    """Returns how many images have which height and width."""
    return Counter(read_all([path for found in parts.values() for path, _ in found], _pictures.size))


@dataclass(frozen=True)
class _Heads:
    """What the files of a part hold, as far as is known before they are decoded.

    Args:
        paths: The files.
        depths: What each holds.
        sizes: Height and width of each, where they were asked for.
    """

    paths: list[Path]
    depths: tuple[Depth, ...]
    sizes: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, pictures: Files, *, sized: bool) -> _Heads:
        def seen(image: Image) -> tuple[Depth, tuple[int, int]]:
            # The depth first: where a PNG says how it lies behind its pixels, Pillow decodes it to find that.
            depth = _pictures.depth(image)
            return depth, _pictures.size(image) if sized else image.size

        paths = [path for path, _ in pictures]
        depths, sizes = zip(*read_all(paths, seen), strict=True)
        return cls(paths, depths, sizes)

    def holding(self, depth: Depth) -> list[Path]:
        return [path for path, found in zip(self.paths, self.depths, strict=True) if found == depth]


def _range(folder: Path, heads: Mapping[str, _Heads]) -> tuple[Range | None, type[np.generic], list[str]]:
    """Returns the range of numbers of more than 8 bits and the type that holds them, and what is said of them.

    Raises:
        DataError: There is nothing to learn a range from, or too little is left of what the files hold.
    """
    colours = heads["train"].holding("colours")
    if colours and _pictures.brightest(colours) < 64:
        what = "its colours have 16 bits in the files, of which the highest are not used, and 8 would be read"
        raise fault(folder, what, received=f"{len(colours)} such images", hint="Convert them to 8 bits")
    deep = [path for each in heads.values() for path in each.holding("numbers")]
    if not deep:
        return None, np.uint8, []
    known = heads["train"].holding("numbers")
    if not known:
        what = "has numbers of more than 8 bits, and the images of the training part have none"
        raise fault(deep[0], what, hint="Convert all images to one depth")
    scale = Range.of(known)
    others = sum(len(each.paths) for each in heads.values()) - len(deep)
    if others and not scale.is_whole:
        what = f"{len(deep)} of its images hold {scale.told}, the others bytes: no range fits both"
        raise fault(folder, what, hint="Convert all images to one depth")
    beside = f", {others:,} have 8" if others else ""
    return scale, np.float32, [f"{len(deep):,} images hold {scale.told}, {scale.rule} for the range of bytes{beside}"]


def _shared_size(folder: Path, heads: Iterable[_Heads]) -> tuple[int, int]:
    found = Counter(chain.from_iterable(each.sizes for each in heads))
    if len(found) > 1:
        told = [f"{height}x{width} ({count})" for (height, width), count in found.most_common(5)]
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        received = f"{', '.join(told)}{more}"
        hint = "Give `size: [height, width]`, and `fit` if they should not be padded"
        raise fault(folder, "its images differ in size", expected="one size", received=received, hint=hint)
    return next(iter(found))
