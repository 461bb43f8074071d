"""A cluster of machines, as a search uses it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from automl import devices
from automl.errors import ConfigError, Problem


@dataclass(frozen=True)
class Share:
    """What a search takes of a cluster; written into the journal and used again on resume.

    Args:
        address: `ray://host:port`, `host:port` or `auto`.
        cpus: CPUs of each trial; a part of one is allowed.
        gpus: GPUs of each trial; a part of one is allowed.
    """

    address: str
    cpus: float
    gpus: float

    def settings(self) -> dict[str, Any]:
        """Returns what stands in the journal's header."""
        return asdict(self)

    @property
    def threads(self) -> int:
        """CPU threads of each trial."""
        return max(1, int(self.cpus))

    def variables(self, backend: str) -> dict[str, str]:
        """Returns the variables that hold a trial to its GPUs, of which Ray itself shows it no others."""
        if not self.gpus:
            return {devices.VISIBLE: ""}
        return devices.memory(backend, max(1, math.floor(1 / self.gpus)))


def crew(cluster: Share, workers: int | None, cpus: float, gpus: float) -> int:
    """Settles how many trials run at once.

    Args:
        cluster: What each takes.
        workers: `--workers`; None for as many as there is room for.
        cpus: CPUs of the cluster.
        gpus: GPUs of the cluster.

    Raises:
        ConfigError: There is room for none.
    """
    rooms = [math.floor(cpus / cluster.cpus)] if cluster.cpus else []
    rooms += [math.floor(gpus / cluster.gpus)] if cluster.gpus else []
    room = min(rooms, default=workers or 1)
    if room < 1:
        needs = f"room for {cluster.cpus:g} CPUs and {cluster.gpus:g} GPUs"
        raise ConfigError(
            Problem("--cluster", "no trial fits", needs, f"a cluster of {cpus:g} CPUs and {gpus:g} GPUs in all")
        )
    return workers or room
