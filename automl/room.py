"""Room on disk for what is kept between searches, and who may write there."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path


def make(entries: Iterable[Path], limit_mb: float) -> None:
    """Removes the files and folders that were longest not used, until the rest takes `limit_mb` at most."""
    found: list[tuple[float, int, Path]] = []
    for path in entries:
        with contextlib.suppress(FileNotFoundError):  # another process makes room too
            found.append((_used(path), _size(path), path))
    excess = sum(size for _, size, _ in found) - limit_mb * 1e6
    for _, size, path in sorted(found):
        if excess <= 0:
            break
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        excess -= size


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
