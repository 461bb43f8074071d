"""Files that are packed: those of one file are read as they are, those of many are to be unpacked first."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shlex
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO, cast

from automl.data._places import fault

UNPACKING = (EOFError, zlib.error, lzma.LZMAError)
"""What a packed file that is damaged raises, beside OSError."""

_ONE: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_MANY = {
    ".zip": "unzip {path} -d {folder}",
    ".7z": "7z x {path} -o{folder}",
    ".rar": "unrar x {path} {folder}/",
    ".tar": "mkdir {folder} && tar -xf {path} -C {folder}",
}


def inner(path: Path) -> Path:
    """Returns the path of what a packed file holds: `a.csv` for `a.csv.gz`; any other path as it is."""
    return path.with_suffix("") if path.suffix.lower() in _ONE else path


def opened(path: Path) -> TextIO:
    """Opens a text file, which may be packed by gzip, bzip2 or xz; its lines keep their ends, as `csv` wants them.

    Raises:
        DataError: It is an archive of many files.
    """
    check(path)
    opener = _ONE.get(path.suffix.lower(), open)
    return cast("TextIO", opener(path, "rt", encoding="utf-8-sig", newline=""))


def check(path: Path) -> None:
    """Checks that a file is no archive of many: which of them is meant cannot be told, and they may be large.

    Raises:
        DataError: It is one; the message has the command that unpacks it.
    """
    whole = inner(path)
    ending = ".tar" if whole.suffix.lower() in (".tar", ".tgz", ".tbz2", ".txz") else whole.suffix.lower()
    if ending in _MANY and path.is_file():
        folder = whole.with_suffix("")
        command = _MANY[ending].format(path=shlex.quote(str(path)), folder=shlex.quote(str(folder)))
        raise fault(path, "is packed", expected="its files", hint=f"Unpack it ({command}) and give {folder}")
