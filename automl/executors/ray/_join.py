"""Joining and leaving a Ray cluster."""

from __future__ import annotations

import logging
import os
import socket
from urllib.parse import urlsplit

from automl.errors import ConfigError, MissingExtra, Problem


def connect(address: str) -> tuple[float, float]:
    """Joins a cluster, unless this process has.

    Args:
        address: `ray://host:port`, `host:port`, or `auto` for the one that runs on this machine.

    Returns:
        The CPUs and the GPUs that it has in all, as its nodes count them.

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
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
        # Ray has no error of its own for any of this.
        except (OSError, RuntimeError, ValueError, AssertionError) as error:
            hint = "Start one with: ray start --head" if address == "auto" else None
            said = " ".join(str(error).split())[:300]
            raise ConfigError(Problem("--cluster", f"cannot join {address!r}: {said}", hint=hint)) from error
    found = ray.cluster_resources()
    return found.get("CPU", 0.0), found.get("GPU", 0.0)


def _knock(address: str) -> None:
    """Raises OSError where nobody answers: Ray itself goes on trying for many minutes."""
    found = urlsplit(address if "://" in address else f"//{address}")
    if found.hostname and found.port:
        socket.create_connection((found.hostname, found.port), timeout=10).close()


def leave() -> None:
    """Leaves the cluster, if this process has joined one."""
    import ray

    ray.shutdown()
