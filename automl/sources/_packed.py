"""Files that are packed: those that hold one file are read as they are, those of many are to be unpacked first.

Nothing is ever written, so no member can leave its folder.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shlex
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO, cast

from automl.sources._places import fault

UNPACKING = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError)
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
    member = _member(path)
    if member is not None:
        return path.with_name(Path(member).name)
    return path.with_suffix("") if path.suffix.lower() in _ONE else path


def _member(path: Path) -> str | None:
    """Returns the one file that a .zip archive holds; None for several, and for other files."""
    if path.suffix.lower() != ".zip" or not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            files = [
                each for each in archive.infolist() if not each.is_dir() and not each.filename.startswith("__MACOSX")
            ]
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        return None
    return files[0].filename if len(files) == 1 and not files[0].flag_bits & 1 else None  # 1: under a password


def opened(path: Path) -> TextIO:
    """Opens a text file, packed (gzip, bzip2, xz, the only one in a .zip) or not; its lines keep their ends for `csv`.

    Raises:
        DataError: It is an archive of many files.
    """
    member = _member(path)
    if member is not None:
        # The archive stays open for as long as its member is read.
        return io.TextIOWrapper(zipfile.ZipFile(path).open(member), encoding="utf-8-sig", newline="")
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
    if ending in _MANY and path.is_file() and _member(path) is None:
        folder = whole.with_suffix("")
        command = _MANY[ending].format(path=shlex.quote(str(path)), folder=shlex.quote(str(folder)))
        raise fault(path, "is packed", expected="its files", hint=f"Unpack it ({command}) and give {folder}")
