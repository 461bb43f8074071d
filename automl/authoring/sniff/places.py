"""Which files make up the data set that a path stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from automl.authoring.sniff import unread
from automl.errors import DataError, did_you_mean, shorten
from automl.machine import files
from automl.sources import _folders, _packed
from automl.sources._places import fault

KINDS = {".csv": "csv", ".tsv": "csv", ".npz": "npz", ".ts": "ts"}
"""The source that reads a file, by the ending of its name."""

LOOKED_AT = 5_000
"""Files and folders in a folder that are looked at."""

IN_ALL = 20_000
"""The same of the folders in a folder that is no set itself: links in a circle and whole disks are left in seconds."""

DEPTH = 2
"""How deep below the folder given a set is looked for, to be named."""

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
        is_read = path.suffix.lower() == ".parquet"
        what = f"{'`init` does not look into' if is_read else 'no source reads'} {path.suffix or 'such'} files"
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
    looks = iter(range(IN_ALL))
    try:
        found = _set(folder, looks)
        if found is None:
            raise _nothing(folder, looks)
        return found
    except OSError as error:
        raise fault(error.filename or folder, "cannot be read", hint=f"{error.strerror}") from error


def _set(folder: Path, looks: Iterator[int]) -> tuple[str, Path] | None:
    """Returns the set that a folder is, or holds as a file; None where it may hold some in folders.

    Args:
        folder: The folder.
        looks: A count of what may still be looked at, which all folders of a search share.

    Raises:
        DataError: It holds several sets, or of two kinds.
    """
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
        if _pictures(folder, "*/*", looks):
            what = f"holds {sets[0].name} and folders of pictures"
            hint = "Name the file; or, to read the pictures of folders that are their classes, move the file away"
            raise fault(folder, what, expected="one data set", hint=hint)
        return _kind(sets[0]) or "", sets[0]
    # Pictures lie in a folder per class, or per part and class.
    if _pictures(folder, "*/*", looks) or (_pictures(folder, "*/*/*", looks) and _is_one(folder)):
        return "image_folder", folder
    return None


def _is_one(folder: Path) -> bool:
    """Tells whether folders of folders of pictures are one set, in parts, or one of a form that its source refuses."""
    inner = _folders.folders(folder)
    return any(_folders.part_of(each.name) for each in inner) or _folders.no_classes(folder, inner) is not None


def _nothing(folder: Path, looks: Iterator[int]) -> DataError:
    """Returns why a folder is no set: its pictures bear no classes, it holds sets in folders, or what none reads."""
    inside = _folders.seen(folder)
    if any(_folders.is_picture(each) for each in inside):
        return _loose(folder)
    sets = _sets(folder, looks, DEPTH)
    if len(sets) == 1:
        ((only, kind),) = sets.items()
        problem = _folders.refused(only) if kind == "image_folder" else None
        return problem or fault(folder, "holds no data set but in a folder", received=only.name, hint=f"Name {only}")
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
        "holds no data set" if next(looks, None) is not None else f"holds no data set in the first {IN_ALL:,} files",
        expected=_KNOWN,
        received=received,
        hint=unread.advice(inside) or unread.advice(_files(folder)),
    )


def _sets(folder: Path, looks: Iterator[int], depth: int) -> dict[Path, str]:
    """Returns the source of each set in the folders of a folder; `several` of one that holds more than one."""
    some = zip(_folders.folders(folder), looks, strict=False)
    return {each: kind for each, _ in some if (kind := _kind_in(each, looks, depth))}


def _kind_in(folder: Path, looks: Iterator[int], depth: int) -> str | None:
    try:
        if found := _set(folder, looks):
            return found[0]
        if depth == 1 or any(_folders.is_picture(each) for each in _folders.seen(folder)):
            return None
        return "several" if len(_sets(folder, looks, depth - 1)) > 1 else None
    except Several:
        return "several"
    except (DataError, OSError):  # what may not be read is no set
        return None


def _pictures(folder: Path, pattern: str, looks: Iterator[int]) -> bool:
    found = zip(islice(folder.glob(pattern), LOOKED_AT), looks, strict=False)
    return any(_folders.is_picture(each) for each, _ in found)


def _files(folder: Path) -> Iterator[Path]:
    inside = islice(folder.rglob("*"), LOOKED_AT)
    return (each for each in inside if not each.name.startswith(".") and each.is_file())


def _no_input(path: Path, modality: str) -> DataError:
    return fault(path, f"{modality} is not supported yet", expected=_KNOWN)


def _loose(path: Path) -> DataError:
    what = "nothing tells the class of an image" if path.is_file() else "nothing tells the classes of its images"
    return fault(path, what, hint="Put the images of each class into a folder of its own, and give the folder of these")
