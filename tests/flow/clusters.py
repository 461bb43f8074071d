"""A Ray cluster on this machine: a head and other nodes, each a process of its own that can be killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from socket import socket

import psutil

REPO = Path(__file__).parents[2]
RAY = Path(sys.executable).with_name("ray")
HOST = "127.0.0.1"


def free_port() -> int:
    with socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class LocalCluster:
    """Nodes of one CPU each, unless told otherwise; `close` ends them.

    Args:
        cpus: CPUs that the head claims to have.
    """

    def __init__(self, cpus: int = 1) -> None:
        # Ray's sockets lie in it, whose paths may not be long.
        self.folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
        self.port, self.client_port = free_port(), free_port()
        self.nodes: list[subprocess.Popen[bytes]] = []
        # What the nodes run is found there by its name.
        paths = [REPO, REPO / "tests" / "flow", REPO / "tests" / "unit"]
        self._environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
        own = ["--port", self.port, "--ray-client-server-port", self.client_port, "--temp-dir", self.folder]
        self._start("--head", *own, "--include-dashboard", "false", "--num-cpus", cpus)

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def client_address(self) -> str:
        return f"ray://{HOST}:{self.client_port}"

    def join(self, cpus: int = 1) -> subprocess.Popen[bytes]:
        """Adds a node."""
        return self._start("--address", self.address, "--num-cpus", cpus)

    def _start(self, *options: object) -> subprocess.Popen[bytes]:
        common = ["--node-ip-address", HOST, "--disable-usage-stats", "--block", "--object-store-memory", 100_000_000]
        log = self.folder / f"node{len(self.nodes)}.log"
        with log.open("wb") as out:
            line = [str(RAY), "start", *map(str, [*options, *common])]
            self.nodes.append(
                subprocess.Popen(line, stdout=out, stderr=out, env=self._environment, start_new_session=True)
            )
        deadline = time.monotonic() + 60
        while b"Ray runtime started" not in log.read_bytes():
            assert self.nodes[-1].poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        return self.nodes[-1]

    def kill(self, node: subprocess.Popen[bytes]) -> None:
        """Ends a node at once, and all that runs on it."""
        processes = [*psutil.Process(node.pid).children(recursive=True), psutil.Process(node.pid)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        node.wait()

    def close(self) -> None:
        for node in reversed(self.nodes):
            if node.poll() is None:
                self.kill(node)
        shutil.rmtree(self.folder, ignore_errors=True)
