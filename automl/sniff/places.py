"""Which files make up the data set that a path stands for."""

from __future__ import annotations

import re
from pathlib import Path

from automl.data._places import fault
from automl.errors import DataError, did_you_mean

KINDS = {".csv": "csv", ".tsv": "csv", ".npz": "npz", ".ts": "ts"}
"""The source that reads a file, by the ending of its name."""

_PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
_KNOWN = (
    "a .csv, .tsv, .npz or .ts file, or a folder with one of them, with idx files (train-images-idx3-ubyte, ...), or "
    "with a folder of images for each class"
)


def find(path: Path) -> tuple[str, Path]:
    """Returns the source's name and the file of a set; the folder, where the set is idx files or images.

    Raises:
        DataError: There is no such file, no source reads it, or a folder holds no set or several.
    """
    if not path.exists():
        near = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        raise fault(path, "no such file or folder", hint=did_you_mean(path.name, near))
    if path.is_dir():
        return _within(path)
    if re.search(r"idx[13]-ubyte(\.gz)?$", path.name):
        return "idx", path.parent
    if path.suffix.lower() in _PICTURES:
        raise _loose(path)
    if path.suffix.lower() not in KINDS:
        hint = "Save a table as .csv (pandas: to_csv), arrays as .npz (numpy.savez with x= and y=)"
        raise fault(path, f"no source reads {path.suffix or 'such'} files", expected=_KNOWN, hint=hint)
    return KINDS[path.suffix.lower()], path


def sibling(path: Path, word: str, other: str) -> Path | None:
    """Returns the file beside `path` whose name has `other` where this one has `word`; None where there is none.

    `word` stands alone in the name, in any case: `train.csv`, `GunPoint_TRAIN.ts`, `my-Train.csv`.
    """
    match = re.search(rf"(?<![a-z]){word}(?![a-z])", path.stem, re.IGNORECASE)
    if match is None:
        return None
    text = match.group()
    swapped = other.upper() if text.isupper() else other.title() if text.istitle() else other
    beside = path.with_name(path.stem[: match.start()] + swapped + path.stem[match.end() :] + path.suffix)
    return beside if beside.is_file() else None


def _within(folder: Path) -> tuple[str, Path]:
    files = sorted(each for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))
    if any(each.name.startswith("train-images") for each in files):
        return "idx", folder
    tests = {sibling(each, "train", "test") for each in files}
    sets = [each for each in files if each.suffix.lower() in KINDS and each not in tests]
    if len(sets) == 1:
        return KINDS[sets[0].suffix.lower()], sets[0]
    if sets:
        names = ", ".join(each.name for each in sets[:8])
        raise fault(folder, f"holds {len(sets)} data sets", expected="one", received=names, hint="Name one of them")
    # Pictures lie in a folder per class, or per part and class.
    if any(each.suffix.lower() in _PICTURES for depth in ("*/*", "*/*/*") for each in folder.glob(depth)):
        return "image_folder", folder
    if any(each.suffix.lower() in _PICTURES for each in files):
        raise _loose(folder)
    received = ", ".join(sorted(each.name for each in folder.iterdir())[:8]) or "an empty folder"
    raise fault(folder, "holds no data set", expected=_KNOWN, received=received)


def _loose(path: Path) -> DataError:
    what = "nothing tells the class of an image" if path.is_file() else "nothing tells the classes of its images"
    return fault(path, what, hint="Put the images of each class into a folder of its own, and give the folder of these")
