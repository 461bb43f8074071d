"""Runs trials on the machines of a Ray cluster: the same function, the same records, the same journal in the driver.

A worker is an actor, for as long as `processes` keeps one of its own. What it says is fetched by a call that waits for
it: Ray's streaming generators do not work through its client (`ray://`). A machine that does not see the driver's files
is sent what it lacks, see `_node`. One that is lost takes no more than its trials with it.
"""

from __future__ import annotations

import logging
import math
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from automl.errors import SearchError, cut
from automl.executors import WORKER_HUNG, WORKER_LOST, Follow, Message, Request, Run
from automl.executors._recycling import GROWTH_MIB, RECYCLE_AFTER, Wear
from automl.executors.ray._join import NAMESPACE, connect, end_orphans, joined, leave
from automl.executors.ray._node import Broken, Here, Node, Said, Sent, Wants, files, keep
from automl.records.trials import Begun, WorkerLost

log = logging.getLogger("automl.executors.ray")

MOST_STARTS = 3
"""Actors in a row, in one place, that may die before they come."""

PATIENCE_S = 30.0
"""How long trials wait for a place on the cluster before that is said."""


@dataclass
class _Worker:
    actor: Any
    wear: Wear
    said: Any
    """Reference of what it says next."""
    is_here: bool = False
    run: Run | None = None
    request: Any = None
    taken: Any = None
    """Reference of the call that hands it the request, until that was answered."""
    heard: float | None = None
    """When it last said something about the request; None before it has begun."""
    failed: int = 0
    """How many before it, in its place, died before they came: a node that is lost takes several at once."""

    def assign(self, run: Run | None, request: Any) -> None:
        """Gives it something to do, which it is handed once it has a place."""
        self.run, self.request, self.taken, self.heard = run, request, None, None
        if self.is_here and request is not None:
            self.taken = self.actor.take.remote(run, request)


class Cluster:
    """A pool of actors on a cluster that was joined.

    Args:
        workers: How many.
        cpus, gpus: What each takes of the cluster; a part of one is allowed.
        variables: Set in each before it imports anything.
        caches: Names of those that name folders of this machine.
        versions: What must be installed on every node; nothing is compared where none are given.
        recycle_after, growth_mib: See `processes`.
        shared: Whether every node sees the files of this machine; None to have each look.
        name: Names the search. What a driver of it that was killed left running ends first: two of them may not write
            to one folder, and a client's (`ray://`) live for half a minute after it.
    """

    def __init__(
        self,
        workers: int,
        cpus: float = 1.0,
        gpus: float = 0.0,
        variables: Mapping[str, str] | None = None,
        caches: Sequence[str] = (),
        versions: Mapping[str, str] | None = None,
        recycle_after: int = RECYCLE_AFTER,
        growth_mib: float = GROWTH_MIB,
        shared: bool | None = None,
        name: str = "",
    ) -> None:
        import ray

        self._ray: Any = ray
        self._kind: Any = ray.remote(Node)
        self._options = {
            "num_cpus": cpus,
            "num_gpus": gpus,
            "max_restarts": 0,  # whoever takes the place of a dead one must not be given its calls again
            "max_concurrency": 4,  # `said` waits in one thread
            "scheduling_strategy": "SPREAD",
            "runtime_env": {"env_vars": dict(variables or {})},
            "namespace": NAMESPACE,
        }
        self._name = name or uuid.uuid4().hex
        end_orphans(self._name)
        self._given = (list(caches), shared)
        self._versions = versions or {}
        self._wear = (recycle_after, growth_mib)
        self._sent: dict[str, dict[str, Any]] = {}
        self._waiting_since: float | None = None
        self._workers = [self._start() for _ in range(workers)]

    @property
    def free(self) -> int:
        """Workers without a request."""
        return sum(worker.request is None for worker in self._workers)

    def submit(self, run: Run, request: Request) -> None:
        """Hands a request to a free worker, which begins once the cluster has room for it.

        Raises:
            RuntimeError: No worker is free.
        """
        idle = [worker for worker in self._workers if worker.request is None]
        if not idle:
            raise RuntimeError("no free worker")
        with joined():
            max(idle, key=lambda worker: worker.is_here).assign(run, request)

    def wait(self, timeout_s: float, follow: Follow, silence_s: float) -> None:
        """Waits for reports, results and deaths; gives up a worker that has begun and said nothing for too long.

        Raises:
            SearchError: No worker comes to its first word, or nodes have other versions than this machine.
        """
        with joined():
            self._wait(timeout_s, follow, silence_s)

    def _wait(self, timeout_s: float, follow: Follow, silence_s: float) -> None:
        if all(worker.request is None for worker in self._workers):
            return
        # Idle ones that have not come yet, too: unread, one would hold the room that a busy one waits for.
        heeded = [worker for worker in self._workers if worker.request is not None or not worker.is_here]
        references = [each for worker in heeded for each in (worker.taken, worker.said) if each is not None]
        self._ray.wait(references, num_returns=1, timeout=timeout_s)
        ready, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        now = time.monotonic()  # what is sent to one of them may take long, while others say something
        for worker in heeded:
            silent = worker.heard is not None and now - worker.heard > silence_s
            if worker.taken in ready and not self._has_begun(worker, follow):
                continue
            if worker.said in ready:
                self._receive(worker, follow)
            elif silent:
                reason = f"{WORKER_HUNG} (it said nothing for {silence_s:.0f} s)"
                follow(self._lost(worker, reason, hung=True))
        self._move()
        self._mind()

    def close(self) -> None:
        """Ends every worker now, in mid-trial too, and leaves the cluster."""
        try:
            for worker in self._workers:
                self._ray.kill(worker.actor)
        except ConnectionError:
            pass  # `ray://` is lost; the cluster ends them itself
        finally:
            self._workers.clear()
            leave()

    def _has_begun(self, worker: _Worker, follow: Follow) -> bool:
        """Learns whether a worker took its request; tries another one where it was dead by then."""
        try:
            self._ray.get(worker.taken)
        except self._ray.exceptions.RayTaskError as error:
            follow(self._lost(worker, f"{WORKER_LOST} ({_reason(error)})"))
            return False
        except self._ray.exceptions.RayError:
            # It died idle: nothing of the trial's was lost.
            self._replace(worker).assign(worker.run, worker.request)
            return False
        worker.taken, worker.heard = None, time.monotonic()
        follow(Begun(worker.request.trial, worker.request.attempt))
        return True

    def _receive(self, worker: _Worker, follow: Follow) -> None:
        try:
            said: list[Said] = self._ray.get(worker.said)
        except self._ray.exceptions.RayError as error:
            self._died(worker, error, follow)
            return
        worker.said = worker.actor.said.remote()
        for word in said:
            match word:
                case Here():
                    self._compare(word.versions)
                    worker.is_here = True
                    worker.assign(worker.run, worker.request)
                case Wants():
                    wanted = self._wanted(word.path, worker.request.data.folder)
                    worker.actor.receive.remote(list(wanted), *wanted.values())
                    worker.heard = time.monotonic()
                case Broken():
                    follow(self._lost(worker, f"{WORKER_LOST} ({word.message})"))
                    return
                case Sent():
                    worker.heard = time.monotonic()  # first: it may be given its next request by `follow`
                    self._tell(worker, word, follow)

    def _tell(self, worker: _Worker, word: Sent, follow: Follow) -> None:
        keep(word.files, worker.request)
        if not isinstance(word.event, Message):
            worker.assign(None, None)
            worker.wear.served += 1
            if worker.wear.is_out(word.memory):
                self._replace(worker)
        goes_on = follow(word.event)
        if isinstance(word.event, Message) and word.event.waits:
            worker.actor.hear.remote(goes_on)
        elif isinstance(word.event, Message) and not goes_on:
            worker.actor.halt.remote(word.event.trial, word.event.attempt)

    def _died(self, worker: _Worker, error: Exception, follow: Follow) -> None:
        if worker.heard is not None:
            follow(self._lost(worker, f"{WORKER_LOST} ({_reason(error)})"))
            return
        failed = 0 if worker.is_here else worker.failed + 1
        if failed >= MOST_STARTS:
            hint = "Every node needs the packages that this machine has, automl among them"
            raise SearchError(f"no worker of the cluster comes to begin: {_reason(error)}. {hint}.")
        fresh = self._replace(worker)
        fresh.failed = failed
        fresh.assign(worker.run, worker.request)

    def _lost(self, worker: _Worker, message: str, *, hung: bool = False) -> WorkerLost:
        trial, attempt = worker.request.trial, worker.request.attempt
        self._replace(worker)
        return WorkerLost(trial, attempt, message, hung)

    def _replace(self, worker: _Worker) -> _Worker:
        self._ray.kill(worker.actor)
        fresh = self._workers[self._workers.index(worker)] = self._start()
        return fresh

    def _start(self) -> _Worker:
        named = {"name": f"{self._name}/{uuid.uuid4().hex}"}
        actor = self._kind.options(**self._options, **named).remote(*self._given)
        return _Worker(actor, Wear(*self._wear), actor.said.remote())

    def _move(self) -> None:
        """Hands what waits for a place to workers that have one and nothing to do: they hold the room it waits for."""
        idle = [worker for worker in self._workers if worker.request is None and worker.is_here]
        waiting = [worker for worker in self._workers if worker.request is not None and not worker.is_here]
        for worker, other in zip(waiting, idle, strict=False):
            run, request = worker.run, worker.request
            worker.assign(None, None)
            other.assign(run, request)

    def _compare(self, versions: Mapping[str, str]) -> None:
        for name, own in self._versions.items():
            if (there := versions.get(name, "none")) != own:
                raise SearchError(f"a node of the cluster has {name} {there}; this machine has {own}. Make them equal.")

    def _wanted(self, path: str, data: str) -> dict[str, Any]:
        """Returns the files of a path for a node that does not see it; the data goes to the cluster once."""
        if path == data:
            if path not in self._sent:
                self._sent[path] = {each.name: self._ray.put(np.fromfile(each, np.uint8)) for each in files(Path(path))}
            return self._sent[path]
        return {each.name: each.read_bytes() for each in files(Path(path))}

    def _mind(self) -> None:
        if any(worker.is_here for worker in self._workers):
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = time.monotonic()
        elif time.monotonic() - self._waiting_since > PATIENCE_S:
            log.warning("the cluster has no room for a trial now; the search waits")
            self._waiting_since = math.inf  # once


def _reason(error: Exception) -> str:
    """Returns in a few words what Ray says in a paragraph."""
    said = " ".join(str(error).split())
    # Of a process that died: how it ended, without the list of what may cause that.
    found = re.search(r"exit detail: (.*?)\. (?:End of file|Some common|$)", said)
    return cut(found[1] if found else said.rpartition("Error: ")[2] or said or type(error).__name__)


__all__ = ["Cluster", "connect", "leave"]
