"""Compiled programs kept between processes, so that an architecture that comes again is not compiled again.

JAX alone can keep them (its persistent compilation cache); TensorFlow and PyTorch trace anew in each trial.
"""

from __future__ import annotations

import os
from pathlib import Path

from automl.machine import disk

LIMIT_MB = 1024
"""What is kept at most: a small CNN's programs take about 1 MB."""

_FOLDER = "JAX_COMPILATION_CACHE_DIR"


def folder(home: Path) -> Path:
    """Returns where the programs of a home lie."""
    return home / "cache" / "jax"


def variables(backend: str, kept: Path) -> dict[str, str]:
    """Returns the variables that make a worker keep and find programs; none where the user has set a place."""
    if backend != "jax" or os.environ.get(_FOLDER):
        return {}
    return {
        _FOLDER: str(kept),
        # JAX leaves out what compiles within a second; a small model's programs all do, dozens a trial.
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def prune(kept: Path, limit_mb: float = LIMIT_MB) -> None:
    """Removes the programs that were longest not used, until the rest takes `limit_mb` at most.

    JAX has a limit of its own (`JAX_COMPILATION_CACHE_MAX_SIZE`), which does not outlive a kill: an entry that was
    half written makes every later write fail. It also reads through the whole folder, under a lock that all workers
    share, at each program written.
    """
    disk.make(kept.glob("*"), limit_mb)
