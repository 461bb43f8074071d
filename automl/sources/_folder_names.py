"""What folders that lie side by side are, by their names: parts of a set, answers to pictures, or classes.

A name is read word by word, and one word says little: a bus and a train, what is valid and what is fraud, are classes.
The folders beside it must say the same, or files that answer those of another folder one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from automl.sources._parts import PARTS

Sort = Literal["parts", "answers"]

Words = tuple[str, ...]
"""The words and numbers of a name."""

_PART = {word: part for part, words in PARTS.items() for word in words} | {"eval": "val", "holdout": "test"}
_CLASSES_TOO = {"train", "training", "valid", "dev"}
"""What a class is called as well, where no other part lies beside it."""

_PIECES = {"part", "fold", "split", "batch", "chunk", "subset", "image", "images", "img", "imgs"}
"""What is numbered where a set comes in pieces."""

_NOT = {"no", "not", "non", "without", "with"}
_IMAGE = {
    "image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "rgb", "input", "inputs",
    "data", "frames",
}  # fmt: skip
_SURE = {
    "masks", "labels", "lbls", "annot", "annots", "annotation", "annotations", "anns", "segmentation",
    "segmentations", "bbox", "bboxes", "truth", "instances", "trimap", "trimaps",
}  # fmt: skip
"""Answers, whatever lies beside them."""

_ANSWER = _SURE | {
    "mask", "label", "lbl", "ann", "gt", "gts", "seg", "semantic", "instance", "target", "targets",
}  # fmt: skip
_FILLING = {
    "set", "sets", "dataset", "datasets", "sample", "samples", "dir", "folder", "v", "my", "stage", "jpg",
    "jpeg", "png", "left", "right", "fine", "coarse", "bit", "class", "object", "color", "colour", "raw",
}  # fmt: skip
"""Words that say nothing of what a folder holds."""

_BORDER = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=\d)(?=[^\W\d_])|(?<=[^\W\d_])(?=\d)")
_FUSED = re.compile(
    rf"({'|'.join(_PART)})(sets?|data|images?|imgs?|annot|masks?|labels?)|(jpeg)(images)|(images?|labels?|masks?)"
    rf"({'|'.join(_PART)})"
)


def sort(
    names: Sequence[str], answers: Callable[[str], bool], same: Callable[[str], bool]
) -> tuple[Sort, list[str]] | None:
    """Returns what folders are, and those whose names say so; None where they may be classes.

    Args:
        names: Their names.
        answers: Tells of a folder whether its files answer those of others one by one, as masks do, by what they hold.
        same: Tells of a folder whether each other one holds files of the same names or numbers.
    """
    read = {name: _words(name) for name in names}
    if found := _answers(read, answers, same):
        return "answers", found
    found = _parts(read)
    return ("parts", found) if found else None


def _words(name: str) -> Words:
    name = re.sub(r"ground[ _.-]?truths?", "truth", name, flags=re.IGNORECASE)
    pieces = [piece.lower() for piece in _BORDER.split(name) if piece]
    fused = [_FUSED.fullmatch(piece) for piece in pieces]
    return tuple(
        word
        for piece, match in zip(pieces, fused, strict=True)
        for word in ([each for each in match.groups() if each] if match else [piece])
    )


def _answers(read: Mapping[str, Words], answers: Callable[[str], bool], same: Callable[[str], bool]) -> list[str]:
    images = [name for name, words in read.items() if _is_of(words, _IMAGE)]
    told = [name for name, words in read.items() if _is_of(words, _ANSWER) and not _NOT & {*words}]
    parts = [name for name, words in read.items() if _is_plain(words)]
    if {*images, *told, *parts} == {*read} and (len(read) == 1 or not _are_numbered([*read.values()], _ANSWER)):
        if told:
            return told
    elif len(told) < len(read) and any(_SURE & {*read[name]} - _denied(read) for name in told):
        return told
    pairs = _is_pair(read) or (len(read) == 2 and len({*images} - {*told}) == 1)
    if pairs and all(map(same, read)):
        return [name for name in read if name not in images and read[name] != ("x",)]
    return [name for name in read if answers(name)]


def _parts(read: Mapping[str, Words]) -> list[str]:
    found = {name: part for name, words in read.items() if (part := _part(words))}
    plain = [name for name in found if _is_plain(read[name])]
    if (len(found) == len(read) and len({*found.values()}) > 1) or _are_numbered([*read.values()], _PIECES | {*_PART}):
        return [*read]
    if all(_is_of(words, _IMAGE) or name in plain for name, words in read.items()):
        return [*read]
    if len({found[name] for name in plain}) > 1:
        return plain
    # Two classes may be `valid` and `fraud`; of a train there may be more.
    few = _CLASSES_TOO if len(read) == 2 else {"train", "training"}
    return [
        name
        for name in plain
        if not {*read[name]} & _denied(read) and not (len(read[name]) == 1 and name.lower() in few)
    ]


def _denied(read: Mapping[str, Words]) -> set[str]:
    """Returns the words that a name denies: where there is a `no_mask`, a `mask` is a class."""
    return {word for words in read.values() if _NOT & {*words} for word in words}


def _part(words: Words) -> str | None:
    return None if _NOT & {*words} else next((_PART[word] for word in words if word in _PART), None)


def _is_plain(words: Words) -> bool:
    """Tells whether a name says a part and nothing else."""
    return _part(words) is not None and all(word in _PART or _is_filling(word) or word in _IMAGE for word in words)


def _is_of(words: Words, sort: set[str]) -> bool:
    """Tells whether a name says one sort of things, of a part perhaps, and nothing else."""
    others = sort | (_IMAGE if sort is _ANSWER else set())
    return any(word in sort for word in words) and all(
        word in others or word in _PART or _is_filling(word) for word in words
    )


def _is_filling(word: str) -> bool:
    return word in _FILLING or word.isdecimal() or len(word) == 1


def _is_pair(read: Mapping[str, Words]) -> bool:
    return {*read.values()} == {("x",), ("y",)}


def _are_numbered(read: Sequence[Words], of: set[str]) -> bool:
    """Tells whether names differ by a number or a letter alone, and have one of some words in common."""
    common = set.intersection(*({*words} for words in read))
    return bool(common & of) and all(
        all(word.isdecimal() or len(word) == 1 for word in {*words} - common) for words in read
    )
