"""Real servers on 127.0.0.1 that can be killed and started again: MLflow's and PostgreSQL; and a proxy that fails."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from searches import wait_for

PASSWORD = "s3cret-of-automl"
MAKES = re.compile(r"/artifacts/|/\w[\w-]+/(create|delete|log-batch|log-inputs|outputs)$|/logged-models$")
"""Requests that would make something a second time, or fail, if they were simply repeated."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A server with a process group of its own.

    Args:
        line: The command.
        folder: Where it runs and logs.
        variables: Its environment.
        user: Who runs it; None for who runs the tests.
    """

    def __init__(self, line: list[str], folder: Path, variables: Mapping[str, str], user: str | None = None) -> None:
        self.line, self.folder, self.variables, self.user = line, folder, variables, user
        self.running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it; `await_up` waits for its first answer."""
        with (self.folder / "server.log").open("ab") as log:
            self.running = subprocess.Popen(
                self.line,
                env=dict(self.variables),
                cwd=self.folder,
                stdout=log,
                stderr=log,
                user=self.user,
                start_new_session=True,
            )

    def await_up(self) -> None:
        wait_for(self.is_up, 300, self.running)  # type: ignore[arg-type]

    def is_up(self) -> bool:
        raise NotImplementedError

    def kill(self) -> None:
        """Kills all its processes, as the kernel does when memory is short."""
        if self.running is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.running.pid, signal.SIGKILL)
            self.running.wait(30)
            self.running = None

    def restart(self) -> None:
        self.start()
        self.await_up()


class MlflowServer(Process):
    """`mlflow server`, with artifacts that it serves itself.

    Args:
        folder: Its files.
        backend: Address of its database.
        more: Further arguments.
        port: Where it listens; None for a free port.
        variables: Further environment.
    """

    def __init__(self, folder: Path, backend: str, *more: str, port: int | None = None, **variables: str) -> None:
        self.port = port or free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        line = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        line += ["--workers", "1", *more]
        own = {"MLFLOW_BACKEND_STORE_URI": backend, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        super().__init__(line, folder, {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", **own, **variables})

    def is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def secured(server: MlflowServer) -> MlflowServer:
    """Returns a server in the place of another, on its port and its store, that asks for a name and a password."""
    (server.folder / "auth.ini").write_text(
        "[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///auth.db\n"
        f"admin_username = ann\nadmin_password = {PASSWORD}\n"
        "auth_cache_ttl_seconds = 600\nauth_cache_max_size = 9\n"  # else it hashes the password at every request
    )
    return MlflowServer(
        server.folder,
        server.variables["MLFLOW_BACKEND_STORE_URI"],
        *("--app-name", "basic-auth"),
        port=server.port,
        MLFLOW_AUTH_CONFIG_PATH=str(server.folder / "auth.ini"),
        MLFLOW_FLASK_SERVER_SECRET_KEY="any",
    )


class PostgreSQL(Process):
    """A PostgreSQL server with one user, who has a password."""

    def __init__(self) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        path = os.pathsep.join([os.environ["PATH"], *map(str, found)])
        initdb, postgres = (shutil.which(name, path=path) for name in ("initdb", "postgres"))
        if initdb is None or postgres is None:
            pytest.skip("PostgreSQL is not installed")
        # It refuses to run as root, and the folders of pytest are closed to everybody else.
        folder = Path(tempfile.mkdtemp(prefix="automl-postgresql-"))
        user = "postgres" if os.getuid() == 0 else None
        (folder / "password").write_text(PASSWORD)
        if user:
            for path_ in (folder, folder / "password"):
                shutil.chown(path_, user)
        self.port = free_port()
        # Nothing here outlives a crash of the machine.
        settings = ["fsync=off", "unix_socket_directories=", "listen_addresses=127.0.0.1", f"port={self.port}"]
        line = [str(Path(postgres).resolve()), "-D", str(folder / "data")]
        super().__init__([*line, *(part for each in settings for part in ("-c", each))], folder, os.environ, user)
        made = [str(Path(initdb).resolve()), "-D", str(folder / "data"), "-U", "automl", "--no-sync"]
        subprocess.run(
            [*made, "--auth=scram-sha-256", f"--pwfile={folder / 'password'}"],
            check=True,
            capture_output=True,
            cwd=folder,
            user=user,
        )

    def uri(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql://automl:{password}@127.0.0.1:{self.port}/{database}"

    def make(self, database: str) -> str:
        """Makes an empty database and returns its address."""
        import psycopg2

        with contextlib.closing(psycopg2.connect(self.uri("postgres"))) as connection:
            connection.autocommit = True
            connection.cursor().execute(f"CREATE DATABASE {database}")
        return self.uri(database)

    def is_up(self) -> bool:
        import psycopg2

        try:
            psycopg2.connect(self.uri("postgres")).close()
        except psycopg2.OperationalError:
            return False
        return True

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def losing_answers(port: int) -> Iterator[str]:
    """A proxy to a server; it lets every request through, and loses the first answer to each kind that makes things."""
    lost: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        def relay(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            server = http.client.HTTPConnection("127.0.0.1", port)
            server.request(self.command, self.path, body, dict(self.headers))
            with contextlib.closing(server), server.getresponse() as answer:
                content = answer.read()
            kind = MAKES.search(self.path)
            if self.command != "GET" and kind and kind[0] not in lost:
                lost.add(kind[0])
                return
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = relay  # noqa: N815 - their names in http.server

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
        proxy.shutdown()
