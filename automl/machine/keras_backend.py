"""Keras and its backend: which one, its versions, importing it quietly, hiding the accelerators from the driver."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import importlib.metadata
import logging
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import automl
from automl.errors import ConfigError, Problem, install_hint
from automl.machine import gpus

BACKENDS = ("tensorflow", "jax", "torch")
PACKAGES = ("keras", "keras-tuner", "mlflow", "tensorflow", "jax", "torch", "numpy", "ray")


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
        hint = install_hint(name) if name != BACKENDS[0] else "Install tensorflow"
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
    # Of the code that runs: a checkout may not be installed at all, and what pip knows as automl is not ours.
    return {"python": platform.python_version(), "automl": automl.__version__, **found}


def become_driver(name: str) -> None:
    """Hides every accelerator from this process, which only proposes and records, before it imports Keras.

    Args:
        name: The Keras backend of the search.
    """
    visible_at_start()
    os.environ.update({"KERAS_BACKEND": name, gpus.VISIBLE: "", "JAX_PLATFORMS": "cpu"})
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@functools.cache
def visible_at_start() -> dict[str, str | None]:
    """Returns what this process was started with, for the workers; remembered before the driver hides it."""
    return {name: os.environ.get(name) for name in (gpus.VISIBLE, "JAX_PLATFORMS")}


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
    # Of many small models it warns that their functions were traced: each has to be, once.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with quietly(log), _without_jax():
        importlib.import_module("keras")


@contextlib.contextmanager
def _without_jax() -> Iterator[None]:
    """Hides JAX from TensorFlow, whose converter to TFLite imports it for nothing: half a second, and 100 MB."""
    if "jax" in sys.modules or os.environ.get("KERAS_BACKEND", BACKENDS[0]) != BACKENDS[0]:
        yield
        return
    hidden: dict[str, Any] = {"jax": None}
    sys.modules.update(hidden)
    try:
        yield
    finally:
        del sys.modules["jax"]


def spare_imports() -> None:
    """Keeps the garbage collector from what the imports made, which stays: a pass then takes a quarter of the time."""
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()
