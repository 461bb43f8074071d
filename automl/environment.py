"""The surroundings of a search: where it lives, what the driver hides from itself, what its workers are given."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from automl import devices, files, programs, typed
from automl.cluster import Nodes, Share, crew
from automl.errors import ConfigError, Problem

BACKENDS = ("tensorflow", "jax", "torch")
HOME_VARIABLE = "AUTOML_HOME"
FEATURES_VARIABLE = "AUTOML_FEATURES"
"""Names the folder where workers keep the features of frozen backbones; empty: they keep none."""
LOG = "backend.log"
"""What the backends print, in the folder of a search."""
MODEL = "model.keras"
"""A trial's model at its best epoch, in the folder of the trial."""
PACKAGES = ("automl", "keras", "keras-tuner", "mlflow", "tensorflow", "jax", "torch", "numpy", "ray")


def home() -> Path:
    """Returns where searches and the tracking store live: `$AUTOML_HOME`, else `./mlruns`.

    Raises:
        ConfigError: It is no path that a folder can have.
    """
    folder = files.expanded(os.environ.get(HOME_VARIABLE) or "mlruns")
    problem = files.absent(folder)
    if problem not in (None, files.NOTHING):
        where = files.shown(folder)
        raise ConfigError(Problem(where, f"searches cannot be kept here: {problem}", hint=f"Set {HOME_VARIABLE}"))
    return folder.absolute()


def searches_folder(home: Path) -> Path:
    """Returns where all searches of a home live."""
    return home / "searches"


def search_folder(home: Path, search_id: str) -> Path:
    """Returns where a search lives."""
    return searches_folder(home) / search_id


def trial_folder(search: Path, number: int) -> Path:
    """Returns where a trial's files live."""
    return search / "trials" / f"t{number:03d}"


def writable_home() -> Path:
    """Returns `home()` after checking that it can be made or written to.

    Raises:
        ConfigError: It cannot.
    """
    folder = home()
    nearest = next(path for path in (folder, *folder.parents) if files.exists(path))
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return folder
    what = f"{nearest} is not writable" if nearest.is_dir() else f"{nearest} {files.special(nearest) or 'is a file'}"
    hint = f"Set {HOME_VARIABLE} to another place"
    raise ConfigError(Problem(str(folder), f"searches cannot be kept here: {what}", "a folder", hint=hint))


def backend(wanted: str | None = None) -> str:
    """Returns the Keras backend: the one asked for, else `$KERAS_BACKEND`, else tensorflow.

    Raises:
        ConfigError: There is no such backend, or it is not installed.
    """
    name = wanted or os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    where = "--backend" if wanted else "KERAS_BACKEND"
    if name not in BACKENDS:
        raise ConfigError(Problem(where, "no such Keras backend", f"one of {', '.join(BACKENDS)}", repr(name)))
    if not installed(name):
        hint = f"Install it with: pip install 'automl[{name}]'" if name != BACKENDS[0] else "Install tensorflow"
        raise ConfigError(Problem(where, f"the backend {name} is not installed", hint=hint))
    return name


def installed(package: str) -> bool:
    """Tells whether a package is installed, without importing it."""
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def versions() -> dict[str, str]:
    """Returns the versions that a result depends on."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES if installed(name)}
    return {"python": platform.python_version(), **found}


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
        programs.prune(programs.folder(home))
        kept = programs.variables(self.backend, programs.folder(home)) | features_kept(home)
        return [{**self.worker_environment(number), **kept} for number in range(self.workers)]

    def node_environment(self, home: Path) -> tuple[dict[str, str], list[str]]:
        """Returns the variables of a worker on a cluster, and the names of those that name folders of this machine."""
        assert self.cluster is not None
        programs.prune(programs.folder(home))
        kept = programs.variables(self.backend, programs.folder(home)) | features_kept(home)
        folders = [name for name, value in kept.items() if Path(value).is_absolute()]
        return {**self._numbers(), **self.cluster.variables(self.backend), **kept}, folders

    def worker_environment(self, number: int = 0) -> dict[str, str | None]:
        """Returns the variables to set in a worker before it imports anything; None takes one away."""
        return {**_visible(), **self._device(number), **self._numbers()}

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
            devices.VISIBLE: self.gpus[number % len(self.gpus)],
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # the numbers are nvidia-smi's; CUDA's own put the fastest first
            **devices.memory(self.backend, self.workers_per_gpu),
        }


def features_kept(home: Path) -> dict[str, str]:
    """Returns the variable that tells trials where to keep the features of frozen backbones."""
    return {FEATURES_VARIABLE: os.environ.get(FEATURES_VARIABLE, str(home / "cache" / "features"))}


def machine(
    workers: int | None, wanted_backend: str | None, gpus: str | None = None, workers_per_gpu: int | None = None
) -> Machine:
    """Divides this machine's cores and GPUs among workers; see `devices.crew` for what is not given.

    Raises:
        ConfigError: The backend is not installed, or the GPUs asked for are not there.
    """
    name = backend(wanted_backend)
    crew = devices.crew(workers, gpus, workers_per_gpu, _visible()[devices.VISIBLE])
    return Machine(name, crew.workers, max(1, cores() // crew.workers), crew.gpus, crew.per_gpu)


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
    return Machine(backend(wanted_backend), crew(cluster, workers, nodes), cluster.threads, cluster=cluster)


def same_machine(name: str, threads: int | None, settings: Mapping[str, Any]) -> Machine:
    """Returns what a journal's header says the workers of its search were given.

    Raises:
        ConfigError: A GPU of theirs is not here.
    """
    gpus = tuple(settings.get("gpus") or ())
    devices.require(gpus, _visible()[devices.VISIBLE])
    cluster = typed.built(Share, settings["cluster"], "settings: cluster") if settings.get("cluster") else None
    return Machine(name, settings["workers"], threads or 1, gpus, settings.get("workers_per_gpu") or 1, cluster)


def become_driver(name: str) -> None:
    """Hides every accelerator from this process, which only proposes and records, before it imports Keras.

    Args:
        name: The Keras backend of the search.
    """
    _visible()
    os.environ.update({"KERAS_BACKEND": name, devices.VISIBLE: "", "JAX_PLATFORMS": "cpu"})
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@functools.cache
def _visible() -> dict[str, str | None]:
    """Returns what this process was started with, for the workers; remembered before the driver hides it."""
    return {name: os.environ.get(name) for name in (devices.VISIBLE, "JAX_PLATFORMS")}


@contextlib.contextmanager
def quietly(log: Path | None = None) -> Iterator[None]:
    """Sends what C++ libraries print, which no switch of theirs silences, to a file.

    Args:
        log: The file; None for nowhere, and so where it cannot be written.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    handle = _opened(log) or os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(handle, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(handle)


def _opened(log: Path | None) -> int | None:
    """Opens a log to be added to; None where there is none, or its folder is read-only."""
    with contextlib.suppress(OSError):
        return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) if log else None
    return None


def import_keras(log: Path | None = None) -> None:
    """Imports Keras and its backend, without what they print to `log` (None: to nowhere)."""
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quietly(log):
        importlib.import_module("keras")


def spare_imports() -> None:
    """Keeps the garbage collector from what the imports made, which stays: a pass then takes a quarter of the time."""
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()
