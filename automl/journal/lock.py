"""One writer per search: a lock on its folder that ends with the process that holds it."""

from __future__ import annotations

import contextlib
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

from filelock import lock_descriptor, unlock_descriptor

from automl.errors import SearchError
from automl.records import typed

FILE = "lock"

# `holder` takes the lock for a moment to see whether it is free; a writer that comes just then tries again.
_TRIES, _PAUSE_S = 5, 0.05

# Where the text begins: Windows lets nobody else read the byte that is locked, the first.
_TEXT_AT = 1 if sys.platform == "win32" else 0


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
    """Holds the folder of a search for one writer, `searches/ID/lock`, whose text says which.

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
            SearchError: Another process holds it; the message says which. Or no file can be locked there.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(_open(self.path))
            if not self._is_ours(file):
                owner = _read(file) or "it has not said which"
                raise SearchError(
                    f"{self.path.parent}: another process drives this search: {owner}. "
                    "Wait for it, or stop it with: automl stop"
                )
            own = Holder(os.getpid(), socket.gethostname(), time.time_ns() // 1_000_000)
            file.truncate(0)
            file.write(b" " * _TEXT_AT + json.dumps(asdict(own)).encode())
            file.flush()
            os.fsync(file.fileno())
            stack.pop_all()
        self._file = file

    def release(self) -> None:
        """Gives the lock back."""
        if self._file is not None:
            self._file.truncate(0)
            # Closing would do; explicit, because a child process may have inherited the handle.
            unlock_descriptor(self._file.fileno())
            self._file.close()
            self._file = None

    def _is_ours(self, file: BinaryIO) -> bool:
        for left in reversed(range(_TRIES)):
            try:
                if lock_descriptor(file.fileno(), blocking=False):
                    return True
            except OSError as error:
                what = f"{self.path}: no file can be locked there: {error.strerror}"
                raise SearchError(f"{what}. Keep searches on another disk, named by $AUTOML_HOME.") from None
            if left:
                time.sleep(_PAUSE_S)
        return False


def holder(folder: Path) -> Holder | None:
    """Returns who drives the search in `folder` now; None when nobody does."""
    try:
        file = (folder / FILE).open("rb")  # no more than read: the folder may be another's, or on a read-only disk
    except FileNotFoundError:
        return None
    with file:
        if _is_free(file):
            unlock_descriptor(file.fileno())  # closing would not do: a child process may have inherited the handle
            return None
        # Between taking the lock and saying who did, a driver is nameless for a moment.
        return _read(file) or Holder(0, "unknown", 0)


def _open(path: Path) -> BinaryIO:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    return os.fdopen(handle, "r+b")


def _read(file: BinaryIO) -> Holder | None:
    try:
        file.seek(_TEXT_AT)
        found = typed.built(Holder, json.loads(file.read()), FILE)
        str(found)  # a time can be beyond any calendar
    except (ValueError, AttributeError, OverflowError, OSError, SearchError):
        return None
    return found


if sys.platform == "win32":

    def _is_free(file: BinaryIO) -> bool:
        return lock_descriptor(file.fileno(), blocking=False)

else:
    import fcntl

    def _is_free(file: BinaryIO) -> bool:
        """Tells whether nobody holds the lock, by a shared one, which `filelock` does not have for a file of ours.

        Two who look at once would each take the other's exclusive lock for a driver's, and over NFS there is none for a
        file that is open for reading only.
        """
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
