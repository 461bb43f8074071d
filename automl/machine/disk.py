"""Room on disk for what is kept between searches, and who may write there."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

_GATE, _HELD = "held.lock", ".held"
"""The file that is locked while somebody comes to hold a folder, or removes one; the end of a holder's own."""


def make(entries: Iterable[Path], limit_mb: float) -> None:
    """Removes the files and folders that were longest not used, until the rest takes `limit_mb` at most.

    A folder that somebody holds, see `held`, stays, even where the rest then takes more.
    """
    found: list[tuple[float, int, Path, bool]] = []
    for path in entries:
        is_folder = path.is_dir()  # asked now: later it may be gone for a moment, and then there again
        with contextlib.suppress(FileNotFoundError):  # another process makes room too
            found.append((_used(path), _size(path), path, is_folder))
    excess = sum(size for _, size, _, _ in found) - limit_mb * 1e6
    for _, size, path, is_folder in sorted(found):
        if excess <= 0:
            break
        if not is_folder:
            path.unlink(missing_ok=True)
        elif not _removed(path):
            continue
        excess -= size


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keeps a folder, there or still to come, from `make` of every process of this machine. Ends with its process.

    Any number may hold it. Each locks a file of its own, so that an exclusive lock, which is all that every operating
    system has, will do: `filelock` makes a shared one out of a database.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    own = folder.with_name(f"{_name(folder)}.{uuid.uuid4().hex}{_HELD}")
    lock = exclusive(own)
    with locked(folder.with_name(_GATE)):
        _holders(folder)  # sweeps up
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
        own.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Keeps the processes of this machine apart: whoever comes second waits. The lock ends with its process."""
    with exclusive(file):
        yield


def exclusive(file: Path, *, waits: bool = True) -> FileLock:
    """Returns a lock that the operating system holds for one at a time, and takes back when its process ends.

    Args:
        file: Made where it is missing.
        waits: For whoever has it; else taking it raises `filelock.Timeout`.
    """
    # Where the system has no locks, `filelock` would make do with the file's being there, which outlives a kill.
    return FileLock(file, blocking=waits, fallback_to_soft=False)


def _removed(folder: Path) -> bool:
    """Removes a folder, and all of it, unless somebody holds it: whoever comes to hold it waits for that."""
    with locked(folder.with_name(_GATE)):
        if _holders(folder):
            return False
        shutil.rmtree(folder, ignore_errors=True)
        return True


def _holders(folder: Path) -> int:
    """Returns how many hold a folder; removes the files of those that died. To be called within the gate."""
    found = 0
    for file in folder.parent.glob(f"{_name(folder)}.*{_HELD}"):
        try:
            with exclusive(file, waits=False):
                pass
        except Timeout:
            found += 1
        else:
            file.unlink(missing_ok=True)  # its holder died, or gave it back just now
    return found


def _name(folder: Path) -> str:
    """Returns what all the names have in common that a folder has while it is made."""
    return folder.name.strip(".").partition(".")[0]


def _used(path: Path) -> float:
    """Returns when an entry was last used; of a folder, listing it for its size sets the time of access as well."""
    facts = path.stat()
    return facts.st_mtime if path.is_dir() else max(facts.st_atime, facts.st_mtime)


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.iterdir()) if path.is_dir() else path.stat().st_size
