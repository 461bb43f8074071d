"""Room on disk for what is kept between searches, and who may write there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO


def make(entries: Iterable[Path], limit_mb: float) -> None:
    """Removes the files and folders that were longest not used, until the rest takes `limit_mb` at most.

    A folder that somebody holds, see `held`, stays, even where the rest then takes more.
    """
    found: list[tuple[float, int, Path]] = []
    for path in entries:
        with contextlib.suppress(FileNotFoundError):  # another process makes room too
            found.append((_used(path), _size(path), path))
    excess = sum(size for _, size, _ in found) - limit_mb * 1e6
    for _, size, path in sorted(found):
        if excess <= 0:
            break
        if not path.is_dir():
            path.unlink(missing_ok=True)
        elif not _removed(path):
            continue
        excess -= size


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keeps a folder, there or still to come, from `make` of every process of this machine. Ends with its process."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    file = _hold(folder)
    while True:
        with file.open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH)
            # Whoever removed the folder while this one waited has removed the file too: another would lock a new one.
            if _is_at(file, handle):
                yield
                return


def _removed(folder: Path) -> bool:
    """Removes a folder, and all of it, unless somebody holds it: whoever comes to hold it waits for that."""
    file = _hold(folder)
    with file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        if not _is_at(file, handle):
            return False  # another process removed it just now
        shutil.rmtree(folder, ignore_errors=True)
        file.unlink()
        return True


def _is_at(file: Path, handle: IO[str]) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(handle.fileno()))
    except FileNotFoundError:
        return False


def _hold(folder: Path) -> Path:
    """Returns the file whose lock holds a folder, under all the names that it has while it is made."""
    return folder.with_name(f"{folder.name.strip('.').partition('.')[0]}.held")


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Keeps the processes of this machine apart: whoever comes second waits. The lock ends with its process."""
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _used(path: Path) -> float:
    """Returns when an entry was last used; of a folder, listing it for its size sets the time of access as well."""
    facts = path.stat()
    return facts.st_mtime if path.is_dir() else max(facts.st_atime, facts.st_mtime)


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.iterdir()) if path.is_dir() else path.stat().st_size
