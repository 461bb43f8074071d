"""What the workers of a search are given: cores, GPUs, environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from automl.machine import compile_cache, keras_backend
from automl.machine.cluster import Nodes, Share, crew
from automl.machine.gpus import VISIBLE, memory, require
from automl.machine.gpus import crew as crew_of_gpus
from automl.records import typed

FEATURES_VARIABLE = "AUTOML_FEATURES"
"""Names the folder where workers keep the features of frozen backbones; empty: they keep none."""


def cores() -> int:
    """Returns the number of CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Machine:
    """What the workers of a search are given; written into the journal and used again on resume.

    Args:
        backend: Keras backend.
        workers: How many run at once.
        threads: CPU threads of each; the same count gives the same numbers, another differs in the last digits.
        gpus: GPUs that they are dealt out to, as `CUDA_VISIBLE_DEVICES` names them; none: a worker sees what this
            process was started with.
        workers_per_gpu: How many share a GPU.
        cluster: What they are given of a cluster, if they run on one.
    """

    backend: str
    workers: int
    threads: int
    gpus: tuple[str, ...] = ()
    workers_per_gpu: int = 1
    cluster: Share | None = None

    def settings(self) -> dict[str, Any]:
        """Returns what stands in the journal's header for `same_machine`, beside the backend and the threads."""
        cluster = self.cluster and asdict(self.cluster)
        own = {"workers": self.workers, "gpus": list(self.gpus), "workers_per_gpu": self.workers_per_gpu}
        return {**own, "cluster": cluster}

    def worker_environments(self, home: Path) -> list[dict[str, str | None]]:
        """Returns the variables of each worker, and makes room in `home`, where they keep programs and features."""
        compile_cache.prune(compile_cache.folder(home))
        kept = compile_cache.variables(self.backend, compile_cache.folder(home)) | features_kept(home)
        return [{**self.worker_environment(number), **kept} for number in range(self.workers)]

    def node_environment(self, home: Path) -> tuple[dict[str, str], list[str]]:
        """Returns the variables of a worker on a cluster, and the names of those that name folders of this machine."""
        assert self.cluster is not None
        compile_cache.prune(compile_cache.folder(home))
        kept = compile_cache.variables(self.backend, compile_cache.folder(home)) | features_kept(home)
        folders = [name for name, value in kept.items() if Path(value).is_absolute()]
        return {**self._numbers(), **self.cluster.variables(self.backend), **kept}, folders

    def worker_environment(self, number: int = 0) -> dict[str, str | None]:
        """Returns the variables to set in a worker before it imports anything; None takes one away."""
        return {**keras_backend.visible_at_start(), **self._device(number), **self._numbers()}

    def _numbers(self) -> dict[str, str]:
        """Returns what has every worker compute the same numbers."""
        threads = str(self.threads)
        multi = "true" if self.threads > 1 else "false"
        xla = f"--xla_cpu_multi_thread_eigen={multi} intra_op_parallelism_threads={threads}"
        return {
            "KERAS_BACKEND": self.backend,
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "TF_NUM_INTRAOP_THREADS": threads,
            "TF_NUM_INTEROP_THREADS": threads,
            "XLA_FLAGS": " ".join(filter(None, [os.environ.get("XLA_FLAGS"), xla])),
            "TF_DETERMINISTIC_OPS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            # Several workers may share a card: take memory as needed, not all of it at once.
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        }

    def _device(self, number: int) -> dict[str, str]:
        """Returns what shows a worker its own GPU alone; in turns, so that every card has as much to do."""
        if not self.gpus:
            return {}
        return {
            VISIBLE: self.gpus[number % len(self.gpus)],
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # the numbers are nvidia-smi's; CUDA's own put the fastest first
            **memory(self.backend, self.workers_per_gpu),
        }


def features_kept(home: Path) -> dict[str, str]:
    """Returns the variable that tells trials where to keep the features of frozen backbones."""
    return {FEATURES_VARIABLE: os.environ.get(FEATURES_VARIABLE, str(home / "cache" / "features"))}


def this_machine(
    workers: int | None, wanted_backend: str | None, gpus: str | None = None, workers_per_gpu: int | None = None
) -> Machine:
    """Divides this machine's cores and GPUs among workers; see `gpus.crew` for what is not given.

    Raises:
        ConfigError: The backend is not installed, or the GPUs asked for are not there.
    """
    name = keras_backend.backend(wanted_backend)
    dealt = crew_of_gpus(workers, gpus, workers_per_gpu, keras_backend.visible_at_start()[VISIBLE])
    return Machine(name, dealt.workers, max(1, cores() // dealt.workers), dealt.gpus, dealt.per_gpu)


def on_cluster(cluster: Share, workers: int | None, wanted_backend: str | None, nodes: Nodes) -> Machine:
    """Divides a cluster among workers.

    Args:
        cluster: What each takes.
        workers: How many; None for as many as there is room for.
        wanted_backend: See `backend`.
        nodes: What there is.

    Raises:
        ConfigError: The backend is not installed here, or there is room for no worker.
    """
    return Machine(
        keras_backend.backend(wanted_backend), crew(cluster, workers, nodes), cluster.threads, cluster=cluster
    )


def same_machine(name: str, threads: int | None, settings: Mapping[str, Any]) -> Machine:
    """Returns what a journal's header says the workers of its search were given.

    Raises:
        ConfigError: A GPU of theirs is not here.
    """
    gpus = tuple(settings.get("gpus") or ())
    require(gpus, keras_backend.visible_at_start()[VISIBLE])
    cluster = typed.built(Share, settings["cluster"], "settings: cluster") if settings.get("cluster") else None
    return Machine(name, settings["workers"], threads or 1, gpus, settings.get("workers_per_gpu") or 1, cluster)
