"""The journal of a search, `searches/ID/journal.jsonl`, and the lock of its folder. No Keras, no MLflow.

One line of JSON per event, appended, flushed and synced to disk before the search goes on. The journal is the truth:
the oracle's history, the leaderboard and the whole mirror in MLflow are rebuilt from it. A last line that a crash cut
short is ignored by readers and cut off by the next writer; any other broken line is an error. Times are unix
milliseconds. Non-finite numbers cannot be written: they stand as text in `nonfinite`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

from automl.errors import SearchError
from automl.journal import results
from automl.journal.events import (
    Asked,
    Baseline,
    Changed,
    Ended,
    Event,
    Finished,
    Header,
    Lost,
    Measured,
    Reported,
    Resumed,
    Retried,
    Started,
    decode,
    encode,
)
from automl.journal.history import History, TrialHistory, build
from automl.journal.lock import Holder, Lock, holder
from automl.journal.upgrades import FORMAT
from automl.machine import files, folders

FILE = "journal.jsonl"


def now_ms() -> int:
    """Returns the time as unix milliseconds."""
    return time.time_ns() // 1_000_000


class Journal:
    """Writer of one journal. Hold the folder's `Lock` while one is open.

    Args:
        folder: The search's folder.
        file: The journal, open for appending, at the end of its last whole line.
    """

    def __init__(self, folder: Path, file: BinaryIO) -> None:
        self.folder = folder
        self._file = file

    @classmethod
    def create(cls, folder: Path, header: Header) -> Journal:
        """Begins a journal; on disk, folder and all, when this returns.

        Raises:
            SearchError: There is one already.
        """
        folder.mkdir(parents=True, exist_ok=True)
        try:
            file = (folder / FILE).open("xb")
        except FileExistsError as error:
            raise SearchError(f"{folder / FILE}: the search has begun already. Resume it, or take a new id.") from error
        journal = cls(folder, file)
        journal.append(header)
        _sync_folder(folder)
        _sync_folder(folder.parent)
        return journal

    @classmethod
    def open(cls, folder: Path) -> Journal:
        """Opens a journal to go on with it; a last line that was cut short is cut off.

        Raises:
            SearchError: There is none, or a line is broken.
        """
        for _ in read(folder):
            pass  # refuse before anything is changed
        path = folder / FILE
        file = path.open("r+b")
        *_, end = (position for position, _ in _lines(path.read_bytes()))
        file.truncate(end)
        file.seek(end)
        return cls(folder, file)

    def append(self, event: Event) -> None:
        """Writes an event; on disk when this returns.

        Raises:
            ValueError: A number is not finite.
            TypeError: A value is not plain.
            OSError: The disk is full, or gone; names the journal.
        """
        line = encode(event)
        try:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            error.filename = str(self.folder / FILE)
            raise

    def events(self) -> Iterator[Event]:
        """Yields what was written so far."""
        return read(self.folder)

    def replay(self) -> History:
        """Reads back what was written so far."""
        return replay(self.folder)

    def close(self) -> None:
        """Closes the file; what could not be written was told when it was appended."""
        with contextlib.suppress(OSError):
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read(folder: Path) -> Iterator[Event]:
    """Yields the events of the journal in `folder`, while its writer may be at work.

    Raises:
        SearchError: There is no journal, or a line before the last is broken; names file and line.
    """
    path = folder / FILE
    if problem := files.special(path):
        raise SearchError(f"{path}: {problem}. Put the journal back from a copy.")
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise SearchError(f"{path}: no such journal. Check the search's id.") from error
    empty, written = True, FORMAT
    for number, (_, line) in enumerate(_lines(content), start=1):
        where = f"{path}:{number}"
        event, written = decode(line, where, written)
        if empty and not isinstance(event, Header):
            raise SearchError(f"{where}: a journal begins with its header. Received {event.event!r}.")
        empty = False
        yield event
    if empty:
        raise SearchError(f"{path}: the journal holds no whole line; the search never began. Start it anew.")


def searches(home: Path) -> list[str]:
    """Returns the ids of all searches of a home, the last one last."""
    folder = folders.searches_folder(home)
    # No glob, which takes a folder that may not be read for an empty one.
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path.name for path in found if (path / FILE).exists())


def replay(folder: Path) -> History:
    """Reads the journal in `folder` and tells what came of the search.

    Raises:
        SearchError: There is no journal, a line is broken, or an event belongs to a trial never asked.
    """
    return build(read(folder), folder / FILE)


def _lines(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields every line with the position of its end, but for a last one that a crash cut short or garbled."""
    lines = io.BytesIO(content).readlines()
    end = 0
    for index, line in enumerate(lines):
        if index == len(lines) - 1 and not (line.endswith(b"\n") and _is_object(line)):
            return
        end += len(line)
        yield end, line


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _sync_folder(folder: Path) -> None:
    """Makes a new name in a folder outlive a power cut."""
    if os.name == "nt":  # a folder cannot be opened there, and NTFS journals its names
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


__all__ = [
    "FILE",
    "Asked",
    "Baseline",
    "Changed",
    "Ended",
    "Event",
    "Finished",
    "Header",
    "History",
    "Holder",
    "Journal",
    "Lock",
    "Lost",
    "Measured",
    "Reported",
    "Resumed",
    "Retried",
    "Started",
    "TrialHistory",
    "holder",
    "now_ms",
    "read",
    "replay",
    "results",
    "searches",
]
