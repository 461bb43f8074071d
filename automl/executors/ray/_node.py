"""A worker on a machine of a cluster, which may not see the driver's files: it is sent what it lacks, and sends back.

Knows nothing of the cluster: the driver calls `take`, `hear`, `halt`, `receive`, and asks with `said` for what is new.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import psutil

from automl.errors import SearchError
from automl.executors import Event, Message, Run
from automl.executors._recycling import own_memory
from automl.machine import compile_cache, disk, keras_backend
from automl.records.trials import (
    BaselineRequest,
    BaselineResult,
    TestRequest,
    TestResult,
    TrialRequest,
    TrialResult,
)

Request = TrialRequest | TestRequest | BaselineRequest
Result = TrialResult | TestResult | BaselineResult

PARTIAL = ".part"
"""Ends the names of files that are not whole yet."""

DATA, SCRATCH = "data-", "trial-"
"""Begin the names of folders on a node: data sets that were fetched; the files of a worker's trial, by its process."""

LIMIT_MB = 16_384
"""What a node keeps at most of the data of earlier searches."""


@dataclass(frozen=True)
class Here:
    """The worker has a place in the cluster. Its first word.

    Args:
        versions: What is installed there.
    """

    versions: Mapping[str, str]


@dataclass(frozen=True)
class Wants:
    """The worker waits for the files of a path that it does not see; see `Node.receive`."""

    path: str


@dataclass(frozen=True)
class Sent:
    """What happened, and what it left in the trial's folder since the last word; nothing where the driver sees that.

    Args:
        event: A message or a result.
        files: Contents by name.
        memory: The worker's own memory, in bytes.
    """

    event: Event
    files: Mapping[str, bytes]
    memory: int | None


@dataclass(frozen=True)
class Broken:
    """What the worker was asked to run raised, as one line."""

    message: str


def files(path: Path) -> list[Path]:
    """Returns a file, or the whole files of a folder."""
    found = sorted(path.iterdir()) if path.is_dir() else [path]
    return [each for each in found if each.is_file() and each.suffix != PARTIAL]


def keep(sent: Mapping[str, bytes], request: Any) -> None:
    """Writes what a node sent to the trial's folder; each file appears whole or not at all.

    Raises:
        SearchError: A name is no plain name, and would lead out of the folder.
    """
    for name, content in sent.items():
        if Path(name).name != name:
            raise SearchError(f"a node sent a file named {name!r}, which is no plain name.")
        partial = Path(request.folder) / f"{name}{PARTIAL}"
        partial.write_bytes(content)
        partial.replace(partial.with_suffix(""))


Said = Here | Wants | Sent | Broken


class Node:
    """A worker. Its methods are called from several threads, `said` blocks.

    Args:
        caches: Variables that name folders of the driver's; one that is not seen here is replaced by one of here.
        shared: Whether it sees the driver's files; None to look.
    """

    def __init__(self, caches: Sequence[str] = (), shared: bool | None = None) -> None:
        self._out: SimpleQueue[Said] = SimpleQueue()
        self._in: SimpleQueue[Any] = SimpleQueue()
        self._shared = shared
        self._seen: dict[str, tuple[int, int]] = {}
        self._halted: tuple[int, int] | None = None
        self._root = _own(Path(tempfile.gettempdir()) / f"automl-{os.getuid()}")
        self._out.put(Here(keras_backend.versions()))
        for name in caches:
            folder = os.environ.get(name)
            # mlruns/cache/NAME: the folder itself is made when it is first used.
            if folder and not any(self._sees(str(each), os.W_OK) for each in (Path(folder), *Path(folder).parents[:2])):
                os.environ[name] = str(self._root / "cache" / Path(folder).name)
        compile_cache.prune(compile_cache.folder(self._root))

    def take(self, run: Run, request: TrialRequest | TestRequest) -> None:
        """Begins with a request and returns at once."""
        threading.Thread(target=self._work, args=(run, request), daemon=True).start()

    def said(self) -> list[Said]:
        """Returns what was said since the last call, in order; waits until there is something."""
        found = [self._out.get()]
        while True:
            try:
                found.append(self._out.get_nowait())
            except Empty:
                return found

    def hear(self, verdict: bool) -> None:
        """Tells a trial that waits whether it goes on."""
        self._in.put(verdict)

    def halt(self, trial: int, attempt: int) -> None:
        """Tells a trial that waits for nothing that it is to end."""
        self._halted = (trial, attempt)

    def receive(self, names: Sequence[str], *contents: Any) -> None:
        """Takes the files that were wanted: bytes, or arrays of bytes."""
        self._in.put(dict(zip(names, contents, strict=True)))

    def _work(self, run: Run, request: Request) -> None:
        scratch: Path | None = None
        try:
            _sweep(self._root)
            scratch = here = Path(tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-", dir=self._root))
            with disk.held(self._kept(request.data.folder)):
                own = self._here(request, here)
                self._changed(here)  # the driver has these
                result = run(own, lambda message: self._told(message, here))
            last: Said = self._word(_there(result, request), here)
        except BaseException as error:  # noqa: BLE001 - what a trial does wrong is its result; this is a fault round it
            last = Broken(f"{type(error).__name__}: {error}".splitlines()[0])
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
        self._out.put(last)  # behind it the worker may be replaced, and would leave its files

    def _told(self, message: Message, scratch: Path) -> bool:
        self._out.put(self._word(message, scratch))
        return bool(self._in.get()) if message.waits else self._halted != (message.trial, message.attempt)

    def _word(self, event: Event, scratch: Path) -> Sent:
        return Sent(event, self._changed(scratch), own_memory())

    def _here(self, request: Request, scratch: Path) -> Request:
        """Returns a request whose paths are of this machine, with the driver's files at their ends."""
        data = request.data
        if not self._sees(data.folder):
            data = replace(data, folder=str(self._data(data.folder)))
        if isinstance(request, BaselineRequest):
            return replace(request, data=data)
        if isinstance(request, TestRequest):
            model = Path(request.model)
            if not self._sees(request.model):
                self._fetch(request.model, scratch)
                model = scratch / model.name
            return replace(request, data=data, model=str(model))
        if self._sees(request.folder, os.W_OK):
            return replace(request, data=data)
        self._fetch(request.folder, scratch)
        return replace(request, data=data, folder=str(scratch))

    def _sees(self, path: str, how: int = os.R_OK) -> bool:
        # The path of a search holds its id: what is found there is no other machine's. Seen and not allowed is not
        # seen: `exists` would raise below a folder that is closed to the node's user.
        return os.access(path, how) if self._shared is None else self._shared

    def _kept(self, folder: str) -> Path:
        """Returns where the driver's folder lies on this machine, or would."""
        return self._root / f"{DATA}{hashlib.sha256(folder.encode()).hexdigest()[:32]}"

    def _data(self, folder: str) -> Path:
        """Returns the driver's folder on this machine; fetched once, mapped by all workers here, who must hold it."""
        kept = self._kept(folder)
        with disk.locked(kept.with_suffix(".lock")):
            if not kept.is_dir():
                disk.make((path for path in self._root.glob(f"{DATA}*") if path.is_dir()), LIMIT_MB)
                fresh = kept.with_name(f".{kept.name}.{uuid.uuid4().hex}")
                fresh.mkdir()
                try:
                    self._fetch(folder, fresh)
                    fresh.rename(kept)
                finally:
                    shutil.rmtree(fresh, ignore_errors=True)
            os.utime(kept)  # by it `disk` tells what was longest not used
        return kept

    def _fetch(self, path: str, to: Path) -> None:
        """Asks the driver for a file, or for those of a folder."""
        self._out.put(Wants(path))
        for name, content in self._in.get().items():
            (to / name).write_bytes(memoryview(content))

    def _changed(self, folder: Path) -> dict[str, bytes]:
        """Returns the files of a folder that are new or other than at the last call."""
        found: dict[str, bytes] = {}
        for path in files(folder):
            state = path.stat()
            mark = (state.st_mtime_ns, state.st_size)
            if self._seen.get(str(path)) != mark:
                self._seen[str(path)] = mark
                found[path.name] = path.read_bytes()
        return found


def _own(root: Path) -> Path:
    """Makes the folder, or checks that whoever made it is this user: others may write to its parent.

    Raises:
        SearchError: It is not.
    """
    root.mkdir(exist_ok=True, mode=0o700)
    facts = root.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        raise SearchError(f"{root} is not this user's alone. Remove it, or set TMPDIR for the node.")
    return root


def _sweep(root: Path) -> None:
    """Removes what workers left that were killed."""
    for path in root.glob(f"{SCRATCH}*"):
        if not psutil.pid_exists(int(path.name.split("-")[1])):
            shutil.rmtree(path, ignore_errors=True)


def _there(result: Result, request: Request) -> Result:
    """Returns a result whose paths are the driver's."""
    if not isinstance(result, TrialResult) or not isinstance(request, TrialRequest) or result.model is None:
        return result
    return replace(result, model=str(Path(request.folder) / Path(result.model).name))
