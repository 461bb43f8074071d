"""Joining and leaving a Ray cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from automl.errors import ConfigError, MissingExtra, Problem, SearchError

MOST_TRIES = 5
"""How often a client (`ray://`) is let in at most."""

NAMESPACE = "automl"
"""Where our actors have their names, in every cluster."""


def connect(address: str) -> list[tuple[float, float]]:
    """Joins a cluster, unless this process has.

    Args:
        address: `ray://host:port`, `host:port`, or `auto` for the one that runs on this machine.

    Returns:
        The CPUs and the GPUs of each of its nodes, as they count them.

    Raises:
        MissingExtra: Ray is not installed.
        ConfigError: There is no cluster, or it runs another version of Ray or Python.
    """
    # Ray prints every worker's death to stdout, where the result of a search stands: what it calls duplicates it leaves
    # out. Read when it is imported.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("--cluster", "ray") from error
    if not ray.is_initialized():
        try:
            _knock(address)
            _enter(address)
        # Ray has no error of its own for any of this.
        except (OSError, RuntimeError, ValueError, AssertionError) as error:
            hint = "Start one with: ray start --head" if address == "auto" else None
            said = " ".join(str(error).split())[:300] or type(error).__name__
            raise ConfigError(Problem("--cluster", f"cannot join {address!r}: {said}", hint=hint)) from error
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [(each.get("CPU", 0.0), each.get("GPU", 0.0)) for each in alive]


def _knock(address: str) -> None:
    """Raises OSError where nobody answers: Ray itself goes on trying for many minutes."""
    found = urlsplit(address if "://" in address else f"//{address}")
    if found.hostname and found.port:
        socket.create_connection((found.hostname, found.port), timeout=10).close()


def _enter(address: str) -> None:
    """Joins a cluster; another time where the server that its head starts for each client died as it came up."""
    import ray
    from ray._private import client_mode_hook

    for attempt in range(1, MOST_TRIES + 1):
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
            return
        except ConnectionAbortedError:
            # Else every call goes on to a client that is not there, those of another cluster's too.
            client_mode_hook._explicitly_disable_client_mode()  # noqa: SLF001 - `ray.shutdown` passes it over
            if attempt == MOST_TRIES:
                raise
            time.sleep(1.0)


def leave() -> None:
    """Leaves the cluster, if this process has joined one."""
    import ray

    ray.shutdown()


def end_orphans(name: str) -> None:
    """Ends what is left of the workers whose names begin with `name/`."""
    import ray

    for each in ray.util.list_named_actors(all_namespaces=True):
        if each["namespace"] == NAMESPACE and each["name"].startswith(f"{name}/"):
            with contextlib.suppress(ValueError):  # it ended by itself meanwhile
                ray.kill(ray.get_actor(each["name"], NAMESPACE))


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Turns the loss of the cluster into the end of the search; of `ray://`, that is: a driver on a node ends with it.

    Raises:
        SearchError: It was lost.
    """
    try:
        yield
    except ConnectionError as error:
        raise SearchError(f"the cluster was lost: {error}. Go on with: automl resume") from error
