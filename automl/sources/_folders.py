"""Which folders of pictures are classes, and which hold parts of a set, masks or annotations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from automl.errors import DataError, did_you_mean, shorten
from automl.machine import files
from automl.sources import _pictures
from automl.sources._folder_names import sort
from automl.sources._parts import PARTS
from automl.sources._places import fault

PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}

_OF_PART = r"(data)?sets?|data|splits?|images?|imgs?|pictures?|photos?|samples?"
_NAMED_PARTS = {
    part: re.compile(rf"({'|'.join(words)})([ _.-]?({_OF_PART}))?", re.IGNORECASE) for part, words in PARTS.items()
}
"""What people call the folders of parts, in any case; `training_set` and `train_images` too."""

_MASK_OF = re.compile(r"(.+?)[ _.-]+(mask|seg(mentation)?|annot(ation)?|gt|groundtruth)([ _.-]?\d+)?", re.IGNORECASE)
_WORD = re.compile(r"([^\W\d_]+)[ _.-]*\d+", re.IGNORECASE)
"""A file whose name begins with what may be its label: `cat.12.jpg`."""

_NO_DATA = {
    "thumbs.db", "ehthumbs.db", "desktop.ini", "picasa.ini", "icon\r", "__macosx", "@eadir", "$recycle.bin",
    "system volume information", "lost+found",
}  # fmt: skip
"""What systems leave behind in folders, beside names that begin with a dot; in any case."""

Files = list[tuple[Path, str]]
"""Image files, each with its class."""


def listed(folder: Path, *, links: bool = False, named: Sequence[str] | None = None) -> dict[str, Files]:
    """Returns the image files of each part that a set brings, in the order of their names; reads none of them.

    Args:
        folder: The set.
        links: Follow links that lead out of it.
        named: The folders that are the classes, whatever they are called; None for all of them.

    Raises:
        DataError: There are no folders of classes, one holds no image or a folder, or a link leads out of the set.
    """
    found: dict[str, Files] = {}
    for name, part in parts(folder).items():
        found[name] = _within(part, named, is_part=part != folder)
        out = None if links else leading_out(folder, found[name])
        if out is not None:
            raise fault(out, f"leads out of {folder}", hint="Copy what it leads to, or give `links: true`")
    return found


def leading_out(folder: Path, pictures: Files) -> Path | None:
    """Returns the first link that takes a picture of a set, or a folder of such, from elsewhere."""
    home = folder.resolve()

    def is_out(path: Path) -> bool:
        return not path.resolve().is_relative_to(home)

    picture = next((path for path, _ in pictures if is_out(path)), None)
    if picture is None:
        return None
    inside = [each for each in picture.parents if each != folder and each.is_relative_to(folder)]
    return next(each for each in (*reversed(inside), picture) if is_out(each))


def parts(folder: Path) -> dict[str, Path]:
    """Returns the folder of each part; of a set without parts the folder itself, for `train`.

    Raises:
        DataError: It is no folder, or beside its parts lie other folders.
    """
    if not folder.is_dir():
        raise fault(folder, "is a file", expected="a folder with one folder for each class")
    inside = folders(folder)
    # A class may be called `train` too: it holds images, and the part holds folders.
    named = [(part_of(each.name), each) for each in inside]
    if not any(part and folders(each) for part, each in named):
        return {"train": folder}
    others = [each.name for part, each in named if part is None]
    found: dict[str, Path] = {}
    for part, each in named:
        if part in found:
            received = f"{found[part].name} and {each.name}"
            raise fault(folder, f"holds two folders of the part {part}", expected="one", received=received)
        if part:
            found[part] = each
    if others:
        raise fault(folder, "holds folders beside `train`", expected=", ".join(PARTS), received=shorten(others))
    if "train" not in found:
        received = shorten([each.name for each in found.values()])
        raise fault(folder, "holds no training part", expected="a folder `train`", received=received)
    return {name: found[name] for name in PARTS if name in found}


def part_of(name: str) -> str | None:
    """Returns the part that a folder's name stands for, if any."""
    return next((part for part, names in _NAMED_PARTS.items() if names.fullmatch(name)), None)


def folders(folder: Path) -> list[Path]:
    """Returns the folders in a folder, by name."""
    return [path for path in seen(folder) if path.is_dir()]


def seen(folder: Path) -> list[Path]:
    """Returns what lies in a folder, by name, but for what systems leave behind."""
    inside = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted((path for path in inside if path.name.lower() not in _NO_DATA), key=lambda path: path.name)


def is_picture(path: Path) -> bool:
    """Tells whether a file is called like a picture."""
    return path.suffix.lower() in PICTURES


def _within(folder: Path, named: Sequence[str] | None, *, is_part: bool) -> Files:
    classes = folders(folder)
    if named is not None:
        there = [each.name for each in classes]
        for name in named:
            if name not in there:
                hint = did_you_mean(name, there)
                raise fault(folder, f"holds no folder {name!r}", expected="one for each of `classes`", hint=hint)
        classes = [each for each in classes if each.name in named]
    if not classes:
        hint = None if not is_part else "Nothing tells the classes there: take the folder out of the set"
        raise fault(folder, "holds no folders", expected="one for each class", received=_held(folder), hint=hint)
    if named is None and (problem := no_classes(folder, classes)):
        raise problem
    found: Files = []
    for each in classes:
        pictures = seen(each)
        if not pictures:
            raise fault(each, "holds no image", hint="Remove the folder, or put images of the class there")
        inner = next((path for path in pictures if path.is_dir()), None)
        if inner is not None:
            raise fault(inner, "is a folder in the folder of a class", expected="images alone")
        _check_files(each, pictures)
        found += [(path, each.name) for path in pictures]
    return found


def _check_files(folder: Path, pictures: Sequence[Path]) -> None:
    stems = {path.stem for path in pictures}
    for path in pictures:
        if problem := files.unreadable(path):
            raise fault(path, problem, expected="images alone", hint="Remove it")
        mask = _MASK_OF.fullmatch(path.stem)
        if mask and mask[1] in stems:
            what = f"seems to be the mask of {mask[1]}, and no example of the class {folder.name!r}"
            raise fault(path, what, hint="Move the masks out of the folders of classes")


def refused(folder: Path) -> DataError | None:
    """Returns what is wrong with the folders of a set, or with those of its parts; None where they may be classes."""
    try:
        found = parts(folder)
    except DataError as error:
        return error
    problems = (no_classes(part, folders(part)) for part in found.values())
    return next((problem for problem in problems if problem), None)


def no_classes(folder: Path, inside: Sequence[Path]) -> DataError | None:
    """Returns what is wrong with folders that are no classes, by their names and files; None where they may be classes.

    Args:
        folder: The set.
        inside: The folders in it.
    """
    by_name = {each.name: each for each in inside}
    if not by_name:
        return None
    found = sort([*by_name], lambda name: _is_answer(by_name[name], inside), lambda name: _same(by_name[name], inside))
    if found is None:
        return None
    kind, names = found
    odd = [by_name[name] for name in names]
    received = shorten(names, 100)
    way_out = None
    if 1 < len(inside) <= 20 and all(any(map(is_picture, seen(each))) for each in inside):
        way_out = f"If they are classes, say so in the source: `classes: [{', '.join(by_name)}]`"
    if kind == "answers":
        endings = {path.suffix.lower() for each in odd for path in _files(each)}
        what = "segmentation" if endings & PICTURES else "object detection" if endings else "segmentation or detection"
        what = f"looks like {what}, which is not supported yet: its folders hold masks, labels or annotations"
        return fault(folder, what, expected="a folder of images for each class", received=received, hint=way_out)
    hint = "Put the images of each class into a folder of its own"
    if len(odd) == 1 and folders(odd[0]):
        hint = f"Name the folder {odd[0]}, if its folders are the classes"
    elif words := _labels_in_names(odd):
        hint = (
            f"The label seems to stand in the names of the files ({words}): put those of each into a folder of its own"
        )
    what = "its folders are called like parts of a set, and not like classes"
    hint = f"{hint}. {way_out}" if way_out else hint
    return fault(folder, what, expected="a folder for each class", received=received, hint=hint)


def _same(folder: Path, inside: Sequence[Path]) -> bool:
    """Tells whether each other folder holds files of the same names or numbers."""
    return all(_alike(folder, each) for each in inside if each != folder)


def _is_answer(folder: Path, inside: Sequence[Path]) -> bool:
    """Tells whether a folder's pictures bear the numbers of another's and have few colours, and the other's many."""
    if len(inside) > 3 or not _has_few_colours(folder):
        return False
    return any(_alike(folder, each) and not _has_few_colours(each) for each in inside if each != folder)


def _alike(one: Path, other: Path) -> bool:
    mine, others = _numbers(one), _numbers(other)
    return len(mine & others) >= max(2, 0.9 * len(mine | others))


def _numbers(folder: Path) -> set[str]:
    """Returns the numbers in the names of a folder's files; of a name without any the name."""
    stems = (path.stem for path in seen(folder) if path.suffix)
    return {" ".join(re.findall(r"\d+", stem)) or stem for stem in stems}


def _has_few_colours(folder: Path) -> bool:
    """Tells whether the first pictures of a folder have few colours, as masks have, and not one alone."""
    some = [*islice(filter(is_picture, seen(folder)), 3)]
    if any(map(files.unreadable, some)):
        return False
    try:
        counts = [_pictures.read(path, _pictures.colours) for path in some]
    except DataError:
        return False
    few = [count for count in counts if count is not None]
    return 0 < len(few) == len(counts) and max(few) > 1


def _labels_in_names(inside: Sequence[Path]) -> str | None:
    """Returns the words that the names of files begin with, where they are as few as classes are."""
    names = [path.name for each in inside for path in _files(each)]
    words = {match[1] for name in names if (match := _WORD.match(name))}
    return shorten(sorted(words))[1:-1] if 1 < len(words) <= max(2, len(names) // 5) else None


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in islice(folder.rglob("*"), 1000) if path.is_file())


def _held(folder: Path) -> str:
    return shorten([path.name for path in seen(folder)]) if seen(folder) else "an empty folder"
