"""When a worker is replaced: every backend leaks a little memory with each model, and some models leave much behind."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

RECYCLE_AFTER = 20
"""Trials a worker serves: its start costs seconds, its leak about 6 MiB a trial (TensorFlow, measured)."""

GROWTH_MIB = 512
"""Memory that a worker may gain after its first trial: four times what 20 trials leak. More of it is a larger leak, or
what a large model leaves behind, which an allocator seldom gives back; a start costs less than another trial's memory.
"""


@dataclass
class Wear:
    """How far a worker is used up.

    Args:
        recycle_after: Requests after which it is replaced.
        growth_mib: Growth of its own memory since its first trial after which it is replaced, in MiB.
        served: Requests it has answered.
        settled: Memory of its own behind its first trial, which imported the backend, in bytes.
    """

    recycle_after: int = RECYCLE_AFTER
    growth_mib: float = GROWTH_MIB
    served: int = 0
    settled: int | None = None

    def is_out(self, memory: int | None) -> bool:
        """Tells, between two trials, whether another worker should take its place.

        Args:
            memory: What `own_memory` says of it now; None where that cannot be read.
        """
        if self.served >= self.recycle_after:
            return True
        if memory is None:
            return False  # it died behind its result; the next request finds that out
        if self.settled is None:
            self.settled = memory
        return memory - self.settled > self.growth_mib * 2**20


def own_memory(pid: int | None = None) -> int | None:
    """Returns the resident memory of a process in bytes, without the pages of files that it maps: data is shared.

    Args:
        pid: The process; None for this one.
    """
    try:
        memory = psutil.Process(pid).memory_info()
    except psutil.Error:
        return None
    return int(memory.rss - getattr(memory, "shared", 0))
