"""The MLflow UI on a store, as a child process."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from automl.errors import ConfigError, Problem, SearchError
from automl.tracking.outbox import line
from automl.tracking.store import Store

START_TIMEOUT_S = 120.0
END_TIMEOUT_S = 15.0


def serve(store: Store, host: str = "127.0.0.1", port: int = 5000) -> subprocess.Popen[bytes]:
    """Starts the MLflow UI and waits until it answers.

    Args:
        store: A store without a server of its own (`not store.is_remote`).
        host: Address to listen on; the default is reached from this machine only.
        port: Port to listen on.

    Returns:
        The server's process; ends with Ctrl-C in the same terminal, else the caller terminates it.

    Raises:
        ConfigError: The port is taken, or the store has its own server.
        SearchError: The server did not come up, or its database cannot be opened.
    """
    if store.is_remote:
        raise ConfigError(Problem("ui", "this store has a server of its own", hint=f"Open {store.shown}"))
    _require_free(host, port)
    try:
        store.prepare()
    except Exception as error:
        raise SearchError(f"the store at {store.shown} cannot be opened: {line(error)}") from error
    artifacts = store.artifacts or Path.cwd() / "artifacts"
    artifacts.mkdir(parents=True, exist_ok=True)
    arguments = ["--host", host, "--port", str(port), "--workers", "1"]
    arguments += ["--default-artifact-root", artifacts.as_uri(), "--artifacts-destination", artifacts.as_uri()]
    environment = os.environ | {
        # Not an argument: it may hold a password, and everyone may read a process's arguments.
        "MLFLOW_BACKEND_STORE_URI": store.address,
        # Scorers and judges need it, the pages we show do not; it costs a process of 240 MB.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    process = subprocess.Popen([sys.executable, "-m", "mlflow", "server", *arguments], env=environment)
    try:
        _await_answer(process, f"http://{'[::1]' if ':' in host else host}:{port}/health")
    except BaseException:
        _end_server(process)
        raise
    return process


def serve_model(store: Store, address: str, host: str = "127.0.0.1", port: int = 5001) -> subprocess.Popen[bytes]:
    """Starts MLflow's server of a registered model and waits until it answers; see `serve`.

    Args:
        store: Where the model is.
        address: `models:/NAME@ALIAS` or the like.
        host: Address to listen on; the default is reached from this machine only.
        port: Port to listen on.

    Raises:
        ConfigError: The port is taken.
        SearchError: The server did not come up.
    """
    _require_free(host, port)
    arguments = ["-m", address, "--host", host, "--port", str(port), "--env-manager", "local", "--workers", "1"]
    # It starts a program of this environment by its bare name, whether that is activated or not.
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = os.environ | {"MLFLOW_TRACKING_URI": store.address, "PATH": folders}
    process = subprocess.Popen([sys.executable, "-m", "mlflow", "models", "serve", *arguments], env=environment)
    try:
        _await_answer(process, f"http://{host}:{port}/health")
    except BaseException:
        _end_server(process)
        raise
    return process


@contextlib.contextmanager
def while_wanted() -> Iterator[None]:
    """Has `kill` and a closed terminal end the block as an exception does; a server begun in it ends with it.

    For the main thread of a program that has no other child processes.
    """

    def leave(number: int, _: Any) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        _end_children()
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_children() -> None:
    """Ends what this process began, which a signal may have kept from being given a name."""
    children = psutil.Process().children()
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.terminate()
    _, alive = psutil.wait_procs(children, END_TIMEOUT_S)
    for child in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


def _end_server(process: subprocess.Popen[bytes]) -> None:
    """Ends a server, and waits for it: its port is free then."""
    process.terminate()
    try:
        process.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _require_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            what = f"cannot listen on {host}:{port}: {error.strerror}"
            raise ConfigError(Problem("--port", what, hint="Choose another --port")) from None


def _await_answer(process: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SearchError(f"the MLflow server ended with exit code {process.returncode} while starting")
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - http, to the server just started
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise SearchError(f"the MLflow server did not answer within {START_TIMEOUT_S:.0f} s")
