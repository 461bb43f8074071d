"""A cluster of machines, as a search uses it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from automl.errors import ConfigError, Problem
from automl.machine import gpus


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

    @property
    def threads(self) -> int:
        """CPU threads of each trial."""
        return max(1, int(self.cpus))

    def variables(self, backend: str) -> dict[str, str]:
        """Returns the variables that hold a trial to its GPUs, of which Ray itself shows it no others."""
        if not self.gpus:
            return {gpus.VISIBLE: ""}
        return gpus.memory(backend, max(1, math.floor(1 / self.gpus)))


Nodes = Sequence[tuple[float, float]]
"""CPUs and GPUs of each node of a cluster."""


def crew(cluster: Share, workers: int | None, nodes: Nodes) -> int:
    """Settles how many trials run at once.

    Args:
        cluster: What each takes.
        workers: `--workers`; None for as many as there is room for.
        nodes: What there is.

    Raises:
        ConfigError: No node has room for one, or the share is none that Ray can give.
    """
    if cluster.gpus > 1 and cluster.gpus != int(cluster.gpus):
        received = f"{cluster.gpus:g}"
        raise ConfigError(Problem("--gpus-per-trial", "more than one GPU are whole ones", "0.5, 1, 2", received))
    wanted = [(place, share) for place, share in enumerate((cluster.cpus, cluster.gpus)) if share]
    # A share of 0.07 fits 100 times into 7, not 99 times as in floating point.
    room = sum(min(math.floor(node[place] / share + 1e-9) for place, share in wanted) for node in nodes)
    if room < 1:
        needs = f"a node with {cluster.cpus:g} CPUs and {cluster.gpus:g} GPUs for each"
        has = ", ".join(f"{cpus:g} CPUs and {gpus:g} GPUs" for cpus, gpus in nodes)
        raise ConfigError(Problem("--cluster", "no trial fits on a node", needs, has))
    return workers or room
