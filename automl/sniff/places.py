"""Which files make up the data set that a path stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from automl import files
from automl.data import _folders, _packed
from automl.data._places import fault
from automl.errors import DataError, did_you_mean, shorten
from automl.sniff import unread

KINDS = {".csv": "csv", ".tsv": "csv", ".npz": "npz", ".ts": "ts"}
"""The source that reads a file, by the ending of its name."""

LOOKED_AT = 5_000
"""Files of a folder that are looked at."""

_KNOWN = (
    "a .csv, .tsv, .npz or .ts file, or a folder with one of them, with idx files (train-images-idx3-ubyte, ...), or "
    "with a folder of images for each class"
)


class Several(DataError):  # noqa: N818 - a fact, as the message says it
    """A folder holds several data sets, of which one is to be named."""


def find(given: Path) -> tuple[str, Path]:
    """Returns the source's name and the file of a set; the folder, where the set is idx files or images.

    Raises:
        DataError: There is no such file, no source reads it, or a folder holds no set or several.
    """
    path = files.expanded(given)
    if missing := files.absent(path):
        beside = files.exists(path.parent) and path.parent.is_dir() and missing == files.NOTHING
        near = [each.name for each in path.parent.iterdir()] if beside else []
        raise fault(files.shown(path), missing, hint=did_you_mean(path.name, near))
    path = path.resolve()
    if special := files.special(path):
        raise fault(path, special, expected=_KNOWN)
    if path.is_dir():
        return _within(path)
    if re.search(r"idx[13]-ubyte(\.gz)?$", path.name):
        return "idx", path.parent
    if _folders.is_picture(path):
        raise _loose(path)
    _packed.check(path)
    kind = _kind(path)
    if kind is None:
        if modality := unread.modality([path]):
            raise _no_input(*modality)
        what = f"no source reads {path.suffix or 'such'} files"
        raise fault(path, what, expected=_KNOWN, hint=unread.advice([path]) or unread.OTHER)
    return kind, path


def _kind(path: Path) -> str | None:
    """Returns the source that reads a file, by its name; a table alone may be packed."""
    kind = KINDS.get(_packed.inner(path).suffix.lower())
    return kind if kind == "csv" or _packed.inner(path) == path else None


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
    inside = _folders.seen(folder)
    plain = [each for each in inside if each.is_file()]
    if any(each.name.startswith("train-images") for each in plain):
        return "idx", folder
    tests = {sibling(each, "train", "test") for each in plain}
    sets = [each for each in plain if _kind(each) and each not in tests]
    if len(sets) > 1:
        names = ", ".join(each.name for each in sets[:8])
        what = f"holds {len(sets)} data sets"
        raise Several(str(fault(folder, what, expected="one", received=names, hint="Name one of them")))
    if sets:
        if _pictures(folder, "*/*"):
            what = f"holds {sets[0].name} and folders of pictures"
            hint = "Name the file; or, to read the pictures of folders that are their classes, move the file away"
            raise fault(folder, what, expected="one data set", hint=hint)
        return _kind(sets[0]) or "", sets[0]
    # Pictures lie in a folder per class, or per part and class.
    if _pictures(folder, "*/*") or (_pictures(folder, "*/*/*") and _is_one(folder)):
        return "image_folder", folder
    raise _nothing(folder, inside)


def _is_one(folder: Path) -> bool:
    """Tells whether folders of folders of pictures are one set, in parts, or one of a form that its source refuses."""
    inner = _folders.folders(folder)
    return any(_folders.part_of(each.name) for each in inner) or _folders.no_classes(folder, inner) is not None


def _nothing(folder: Path, inside: list[Path]) -> DataError:
    """Returns why a folder is no set: its pictures bear no classes, it holds sets in folders, or what none reads."""
    if any(_folders.is_picture(each) for each in inside):
        return _loose(folder)
    sets = [each for each in inside if each.is_dir() and _is_set(each)]
    if len(sets) == 1:
        hint = f"Name {sets[0]}"
        problem = _folders.no_classes(sets[0], _folders.folders(sets[0]))
        return problem or fault(folder, "holds no data set but in a folder", received=sets[0].name, hint=hint)
    if sets:
        received, what = shorten([each.name for each in sets], 300), f"holds {len(sets)} data sets, each in a folder"
        return Several(str(fault(folder, what, expected="one", received=received, hint="Name one of them")))
    if modality := unread.modality(_files(folder)):
        return _no_input(*modality)
    for each in inside:
        _packed.check(each)
    received = ", ".join(each.name for each in inside[:8]) or "an empty folder"
    return fault(
        folder,
        "holds no data set",
        expected=_KNOWN,
        received=received,
        hint=unread.advice(inside) or unread.advice(_files(folder)),
    )


def _is_set(folder: Path) -> bool:
    try:
        _within(folder)
    except DataError as error:
        return isinstance(error, Several)
    return True


def _pictures(folder: Path, pattern: str) -> bool:
    return any(_folders.is_picture(each) for each in islice(folder.glob(pattern), LOOKED_AT))


def _files(folder: Path) -> Iterator[Path]:
    inside = (each for each in folder.rglob("*") if not each.name.startswith(".") and each.is_file())
    return islice(inside, LOOKED_AT)


def _no_input(path: Path, modality: str) -> DataError:
    return fault(path, f"{modality} is not supported yet", expected=_KNOWN)


def _loose(path: Path) -> DataError:
    what = "nothing tells the class of an image" if path.is_file() else "nothing tells the classes of its images"
    return fault(path, what, hint="Put the images of each class into a folder of its own, and give the folder of these")
