"""One writer per search: a lock on its folder that ends with the process that holds it."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from automl.errors import SearchError
from automl.records import typed

FILE = "lock"

# `holder` takes the lock for a moment to see whether it is free; a writer that comes just then tries again.
_TRIES, _PAUSE_S = 5, 0.05


@dataclass(frozen=True)
class Holder:
    """Who drives a search.

    Args:
        pid: Its process.
        host: On which machine.
        started: Since when, unix milliseconds.
    """

    pid: int
    host: str
    started: int

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.started / 1000).astimezone().isoformat(" ", "seconds")
        return f"process {self.pid} on {self.host} since {since}"


class Lock:
    """Holds the folder of a search for one writer, `searches/ID/lock`.

    The operating system holds the lock, not the file's existence: a driver that was killed blocks nobody. The file
    stays where it is, because a process that waits on a removed file and one that makes it anew would both hold it.

    Args:
        folder: The search's folder; made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def acquire(self) -> None:
        """Takes the lock.

        Raises:
            SearchError: Another process holds it; the message says which.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = _open(self.path)
        for left in reversed(range(_TRIES)):
            if _try_lock(file):
                break
            if not left:
                owner = _read(file)
                file.close()
                raise SearchError(
                    f"{self.path.parent}: another process drives this search: {owner or 'it has not said which'}. "
                    "Wait for it, or stop it with: automl stop"
                )
            time.sleep(_PAUSE_S)
        own = Holder(os.getpid(), socket.gethostname(), time.time_ns() // 1_000_000)
        file.seek(0)
        file.truncate()
        file.write(json.dumps(asdict(own)).encode())
        file.flush()
        os.fsync(file.fileno())
        self._file = file

    def release(self) -> None:
        """Gives the lock back."""
        if self._file is not None:
            self._file.truncate(0)
            # Closing would do; explicit, because a child process may have inherited the handle.
            _unlock(self._file)
            self._file.close()
            self._file = None


def holder(folder: Path) -> Holder | None:
    """Returns who drives the search in `folder` now; None when nobody does."""
    try:
        file = (folder / FILE).open("rb")  # no more than read: the folder may be another's, or on a read-only disk
    except FileNotFoundError:
        return None
    with file:
        if _try_lock(file, shared=True):
            _unlock(file)
            return None
        # Between taking the lock and saying who did, a driver is nameless for a moment.
        return _read(file) or Holder(0, "unknown", 0)


def _open(path: Path) -> BinaryIO:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    return os.fdopen(handle, "r+b")


def _read(file: BinaryIO) -> Holder | None:
    try:
        file.seek(0)
        found = typed.built(Holder, json.loads(file.read()), FILE)
        str(found)  # a time can be beyond any calendar
    except (ValueError, AttributeError, OverflowError, OSError, SearchError):
        return None
    return found


if sys.platform == "win32":
    import msvcrt

    # Windows keeps others from reading locked bytes, so one far behind the text is locked.
    _BYTE = 1 << 20

    def _try_lock(file: BinaryIO, *, shared: bool = False) -> bool:
        del shared  # there is one kind of lock
        file.seek(_BYTE)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file: BinaryIO) -> None:
        file.seek(_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(file: BinaryIO, *, shared: bool = False) -> bool:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
