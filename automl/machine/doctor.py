"""Checks an installation: versions, backends, devices, data folders, the store."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from automl.machine import files, folders, keras_backend
from automl.machine.workers import cores

Row = dict[str, Any]

_DEVICES = {
    "tensorflow": "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))",
    "jax": "import jax; print(sum(device.platform == 'gpu' for device in jax.devices()))",
    "torch": "import torch; print(torch.cuda.device_count())",
}


def run() -> list[Row]:
    """Returns a row per check: its name, whether it is well (None: a fact, neither), what was found, what to do."""
    return [
        _row(
            "python", sys.version_info >= (3, 11), keras_backend.versions()["python"], "Python 3.11 or newer is needed"
        ),
        *(_row(name, None, version, "") for name, version in keras_backend.versions().items() if name != "python"),
        _backend(),
        *_devices(),
        _row("cores", None, str(cores()), ""),
        _data(),
        _home(),
    ]


def _row(check: str, ok: bool | None, found: str, advice: str) -> Row:
    return {"check": check, "ok": ok, "found": found, "advice": advice if ok is False else ""}


def _backend() -> Row:
    from automl.errors import ConfigError

    try:
        return _row("backend", True, keras_backend.backend(), "")
    except ConfigError as error:
        return _row("backend", False, os.environ.get("KERAS_BACKEND", ""), str(error))


def _devices() -> list[Row]:
    """Asks each installed backend for its GPUs, each in a process of its own: three in one would clash."""
    rows = []
    for name, code in _DEVICES.items():
        if not keras_backend.installed(name):
            continue
        variables = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        try:
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, env=variables
            )
        except subprocess.TimeoutExpired:
            advice = f"Check that python -c 'import {name}' works"
            rows.append(_row(f"GPUs ({name})", False, "no answer in 120 s", advice))
            continue
        said = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
        found = said[-1] if said else f"exit code {done.returncode}"
        rows.append(_row(f"GPUs ({name})", done.returncode == 0, found, f"Reinstall {name}: it does not import"))
    return rows


def _data() -> Row:
    folder = os.environ.get("AUTOML_DATA")
    if not folder:
        return _row("AUTOML_DATA", None, "not set", "")
    path = files.expanded(folder)
    there = files.exists(path) and path.is_dir()
    return _row("AUTOML_DATA", there, files.shown(folder), "The folder does not exist")


def _home() -> Row:
    from automl.errors import ConfigError

    found = os.environ.get(folders.HOME_VARIABLE, "")
    try:
        home = folders.home()
        found = f"{home}{'' if home.exists() else ' (made by the first search)'}"
        folders.writable_home()
    except ConfigError as error:
        return _row("home", False, files.shown(found), str(error))
    return _row("home", True, found, "")
