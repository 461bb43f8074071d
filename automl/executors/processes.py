"""Runs trials in worker processes on this machine.

A worker imports its backend once and serves many trials; after `recycle_after` of them it is replaced, because every
backend leaks a little memory with each model, and sooner where one leaks much. A worker that dies takes no more than
its trial with it. Each has a place, and whoever takes the place has its environment: its GPU, for one.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from automl.executors import WORKER_HUNG, WORKER_LOST, Event, Follow, Message, Request, Run
from automl.executors._recycling import GROWTH_MIB, RECYCLE_AFTER, Wear, own_memory
from automl.machine.interrupts import ENDINGS
from automl.records.trials import WorkerLost

EXIT_TIMEOUT_S = 5.0


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    place: int
    wear: Wear
    request: Request | None = None
    heard: float = 0.0


@dataclass(frozen=True)
class _Broken:
    """A worker's last words: what it was asked to run raised, or could not be read, or its result could not be sent."""

    message: str


@dataclass(frozen=True)
class _Halt:
    """Tells a worker that waits for no verdict that its trial is to end."""


class Processes:
    """A pool of spawned workers.

    Args:
        environments: For each worker, the variables to set before it imports anything; None takes one away.
        log: File that takes what workers print; a backend's own messages would tear the driver's display.
        warm: Called in each worker before its first request: imports what takes seconds.
        recycle_after: Trials after which a worker is replaced.
        growth_mib: Growth of its own memory since its first trial after which a worker is replaced, in MiB.
    """

    def __init__(
        self,
        environments: Sequence[Mapping[str, str | None]],
        log: Path | None = None,
        warm: Callable[[], None] | None = None,
        recycle_after: int = RECYCLE_AFTER,
        growth_mib: float = GROWTH_MIB,
    ) -> None:
        # Spawn, not fork: a forked TensorFlow or CUDA hangs. It also leaves the other workers' pipes closed in a
        # worker, so that the driver's death is seen as end of file.
        self._context = multiprocessing.get_context("spawn")
        self._environments = [dict(environment) for environment in environments]
        self._log, self._warm = log, warm
        self._recycle_after = recycle_after
        self._growth_mib = growth_mib
        # Before Python's own end of workers, which asks them by a signal that they ignore, and waits.
        atexit.register(self.close)
        # Started at once: backends take seconds to import, which the driver uses to prepare the rest.
        self._workers = [self._start(place) for place in range(len(self._environments))]

    @property
    def free(self) -> int:
        """Workers without a request."""
        return sum(worker.request is None for worker in self._workers)

    def submit(self, run: Run, request: Request) -> None:
        """Hands a request to a free worker.

        Raises:
            RuntimeError: No worker is free.
        """
        for worker in self._workers:
            if worker.request is not None:
                continue
            try:
                worker.pipe.send((run, request))
            except OSError:
                # It died idle; nothing of ours was lost, a fresh one takes its place.
                worker = self._replace(worker)
                worker.pipe.send((run, request))
            worker.request, worker.heard = request, time.monotonic()
            return
        raise RuntimeError("no free worker")

    def wait(self, timeout_s: float, follow: Follow, silence_s: float) -> None:
        """Waits for reports, results and deaths; kills a worker that has said nothing for too long."""
        busy = [worker for worker in self._workers if worker.request is not None]
        if not busy:
            return
        # A dead worker's pipe is readable too (end of file), and what it sent before is read first.
        ready = wait([worker.pipe for worker in busy], timeout_s)
        for worker in busy:
            if worker.pipe in ready:
                worker.heard = time.monotonic()
                self._receive(worker, follow)
            elif time.monotonic() - worker.heard > silence_s:
                follow(self._lost(worker, f"it said nothing for {silence_s:.0f} s", hung=True))

    def close(self) -> None:
        """Ends every worker, in mid-trial too."""
        atexit.unregister(self.close)
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join(EXIT_TIMEOUT_S)
            worker.pipe.close()
        self._workers.clear()

    def _receive(self, worker: _Worker, follow: Follow) -> None:
        """Reads all that lies in a worker's pipe."""
        events = self._read(worker)
        if worker.request is None and worker.wear.is_out(own_memory(worker.process.pid)):
            self._replace(worker)
        for event in events:
            goes_on = follow(event)
            if isinstance(event, Message) and (event.waits or not goes_on):
                # A dead worker's end of file is met when its pipe is read next.
                with contextlib.suppress(OSError):
                    worker.pipe.send(goes_on if event.waits else _Halt())

    def _read(self, worker: _Worker) -> list[Event]:
        events: list[Event] = []
        try:
            while worker.pipe.poll():
                event: Event | _Broken = worker.pipe.recv()
                if isinstance(event, _Broken):
                    return [*events, self._lost(worker, event.message)]
                events.append(event)
                if not isinstance(event, Message):
                    worker.request = None
                    worker.wear.served += 1
        except (EOFError, OSError):
            worker.process.join(EXIT_TIMEOUT_S)
            if worker.request is not None:
                return [*events, self._lost(worker, _reason(worker.process.exitcode))]
            worker.wear.served = worker.wear.recycle_after  # it died behind its result
        return events

    def _lost(self, worker: _Worker, reason: str, *, hung: bool = False) -> WorkerLost:
        """Puts a fresh worker in the place of one that died with a request in its hands."""
        assert worker.request is not None
        self._replace(worker)
        message = f"{WORKER_HUNG if hung else WORKER_LOST} ({reason})"
        return WorkerLost(worker.request.trial, worker.request.attempt, message, hung)

    def _replace(self, worker: _Worker) -> _Worker:
        # Its work is done or lost: there is nothing to say good-bye to.
        worker.pipe.close()
        worker.process.kill()
        worker.process.join(EXIT_TIMEOUT_S)
        fresh = self._workers[worker.place] = self._start(worker.place)
        return fresh

    def _start(self, place: int) -> _Worker:
        ours, theirs = self._context.Pipe()
        log = str(self._log) if self._log else None
        given = theirs, self._environments[place], log, self._warm
        process = self._context.Process(target=_serve, args=given, daemon=True)
        with _interrupts_blocked():
            process.start()
        theirs.close()  # the worker's end lives in the worker alone, so that its death ends the pipe
        return _Worker(process, ours, place, Wear(self._recycle_after, self._growth_mib))


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Starts a process deaf to Ctrl-C and the like, until it can ignore them: it would die half imported, aloud."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    # Python's own helper process is started with the first worker, and unblocks the signals on the way.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, *ENDINGS})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _reason(exitcode: int | None) -> str:
    if exitcode is None:
        return "it does not answer"
    if exitcode < 0:
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(-exitcode).name}"
    return f"exit code {exitcode}"


def _serve(
    pipe: Connection, environment: Mapping[str, str | None], log: str | None, warm: Callable[[], None] | None
) -> None:
    """A worker's life: requests in, reports and results out, until the pipe closes."""
    for name, value in environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    # Ctrl-C, `timeout` and a closed terminal reach the whole process group; what it means is the driver's decision.
    for each in (signal.SIGINT, *ENDINGS):
        signal.signal(each, signal.SIG_IGN)
    _redirect(log)
    requests: SimpleQueue[Any] = SimpleQueue()
    halted = threading.Event()
    threading.Thread(target=_listen, args=(pipe, requests, halted), daemon=True).start()
    if warm is not None:
        with contextlib.suppress(ImportError):  # the first request fails of it too, and says so
            warm()
    try:
        while True:
            run, request = _taken(requests.get())
            pipe.send(run(request, lambda report: _told(report, pipe, requests, halted)))
    except BaseException as error:
        # What a trial does wrong is its result; this is a fault round it, and the traceback goes to the log.
        pipe.send(_Broken(f"{type(error).__name__}: {error}".splitlines()[0]))
        raise


def _told(report: Message, pipe: Connection, received: SimpleQueue[Any], halted: threading.Event) -> bool:
    """Sends a report; waits for the verdict if it asks for one."""
    pipe.send(report)
    return bool(_taken(received.get())) if report.waits else not halted.is_set()


def _taken(received: Any) -> Any:
    if isinstance(received, Exception):
        raise received
    return received


def _listen(pipe: Connection, requests: SimpleQueue[Any], halted: threading.Event) -> None:
    """Reads requests and verdicts in a thread of its own, so that the driver's death is noticed in mid-epoch."""
    while True:
        try:
            received = pipe.recv()
            if isinstance(received, _Halt):
                halted.set()
                continue
            if isinstance(received, tuple):
                halted.clear()  # it was of the request before
            requests.put(received)
        except (EOFError, OSError):
            os._exit(0)  # no clean-up: the main thread is deep in a training step
        except Exception as error:  # noqa: BLE001 - handed to the main thread, which raises it
            requests.put(error)


def _redirect(log: str | None) -> None:
    """Sends what the worker prints to the log file; results alone may stand on the driver's stdout."""
    sys.stdout.flush()
    sys.stderr.flush()
    if log is None:
        os.dup2(2, 1)
        return
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
