"""Where the mirror lives: an SQLite file in the project's home by default, or the tracking server asked for."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from automl.errors import ConfigError, MissingExtra, Problem
from automl.machine import disk
from automl.tracking import address, moved
from automl.tracking.address import driver, kind, redacted
from automl.tracking.tags import MODEL_URI_TAG, SEARCH_TAG, TRIAL_TAG
from automl.tracking.view import UI, page

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SQL = ("sqlite", "postgresql", "mysql", "mssql")
_POSTGRESQL = "postgresql://"
_POSTGRESQL_LOCK = int.from_bytes(b"automl")
_LOCAL = {"apfs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "hfs", "jfs", "overlay", "tmpfs", "xfs", "zfs"}
"""File systems that only this machine writes to."""
_ENVIRONMENT = {
    # A search tells nobody that it runs.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Else a run's end prints an address of it, before the result, and with the password where the server's has one.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # A bar for each model that is fetched, however small.
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # MLflow would wait minutes for a dead server, and the search with it; the mirror is caught up later instead.
    # It would also make a run twice where only the answer to the first request was lost; see `Outbox.attempt`.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    # PostgreSQL's own client, which reads it, would wait for as long as the kernel does.
    "PGCONNECT_TIMEOUT": "15",
}


@dataclass(frozen=True)
class Store:
    """A tracking store.

    Args:
        uri: Its address as it was given; may hold a password, `shown` does not.
        artifacts: Folder for the artifacts of new experiments; None where a server keeps them.
    """

    uri: str
    artifacts: Path | None

    @property
    def address(self) -> str:
        """What MLflow is given: `uri`, for PostgreSQL with the driver that is installed.

        Which one an address without a driver means depends on SQLAlchemy's version, not on what is installed.
        """
        return re.sub(f"^{_POSTGRESQL}", f"postgresql+{driver()}://", self.uri)

    @property
    def shown(self) -> str:
        """The address as it may be printed."""
        return redacted(self.uri)

    @property
    def is_remote(self) -> bool:
        """Whether a tracking server stands between us and the store; it then has its own UI at `uri`."""
        return kind(self.uri) not in _SQL

    @property
    def ui(self) -> str | None:
        """The address of its UI as it may be printed: the server's own, or that of `automl ui`; None of Databricks."""
        if not self.is_remote:
            return UI
        return self.shown if kind(self.uri) in ("http", "https") else None

    @property
    def is_file(self) -> bool:
        """Whether it is an SQLite file, which is always there and answers at once."""
        return self.file is not None

    @property
    def file(self) -> Path | None:
        """The SQLite file; None where it is none."""
        return address.sqlite_file(self.uri)

    @property
    def is_missing(self) -> bool:
        """Whether it is an SQLite file that nobody has made yet."""
        return self.file is not None and not self.file.exists()

    def prepare(self) -> None:
        """Makes the tables of a new database; brings an old SQLite file to this MLflow's. A server does so by itself.

        Under a lock: processes that open a new database at once would each try to make its tables, and fail.

        Raises:
            sqlalchemy.exc.OperationalError: A PostgreSQL server cannot be reached, or lets nobody in.
            sqlite3.DatabaseError: The file is no database, or another program does not let go of it.
        """
        _configure()
        if kind(self.uri) == "postgresql":
            _open_postgresql(self.address)
        file = self.file
        if file is None:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        with disk.locked(file.with_name(file.name + ".lock")):
            is_new = self.is_missing
            if not is_new:
                _look_into(file)
            _migrate(self.uri, is_new=is_new)
            if is_new and _is_local(file):
                _write_ahead(file)
            if not is_new and self.artifacts == file.parent / moved.ARTIFACTS:
                moved.follow(file)

    def client(self) -> MlflowClient:
        """Returns MLflow's client for this store."""
        _configure()
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.address)

    def page(self, search_id: str, base: str) -> str | None:
        """Returns the address of the page that compares a search's trials; None where the store has no such search.

        Args:
            search_id: The search.
            base: The address of the UI.

        Raises:
            mlflow.exceptions.MlflowException: The store cannot be read.
        """
        client, _, run_id = self._found(search_id)
        return None if run_id is None else page(base, client.get_run(run_id).info.experiment_id, search_id)

    def run_ids(self, search_id: str) -> tuple[str | None, dict[int, str]]:
        """Returns the run of a search and the runs of its trials, by number; reads every experiment.

        Raises:
            mlflow.exceptions.MlflowException: The store cannot be read.
        """
        client, experiments, parent = self._found(search_id)
        return parent, find_trials(client, experiments, parent) if parent else {}

    def model_of(self, search_id: str) -> tuple[str, str] | None:
        """Returns the id of a search's model, and its run; None where the store has none.

        Raises:
            mlflow.exceptions.MlflowException: The store cannot be read.
        """
        client, _, run_id = self._found(search_id)
        uri = None if run_id is None else client.get_run(run_id).data.tags.get(MODEL_URI_TAG)
        return None if run_id is None or uri is None else (uri.removeprefix("models:/"), run_id)

    def _found(self, search_id: str) -> tuple[MlflowClient, list[str], str | None]:
        """Returns the client, all experiments, and the run of a search where one of them has it."""
        client = self.client()
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return client, experiments, find(client, experiments, SEARCH_TAG, search_id)


def store(home: Path, uri: str | None = None) -> Store:
    """Returns the store of a home folder. Creates nothing.

    Args:
        home: The folder of searches (`mlruns`).
        uri: `--tracking-uri`; else `MLFLOW_TRACKING_URI`, else `mlflow.db` in `home`. MLflow's own default is not
            asked: it would turn to an old file store lying in `./mlruns`.

    Raises:
        ConfigError: The address is no store that MLflow still has.
        MissingExtra: It is a PostgreSQL database, and no driver is installed.
    """
    where = "--tracking-uri" if uri else "MLFLOW_TRACKING_URI"
    artifacts = home.absolute() / moved.ARTIFACTS
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        return Store(address.of_file(home.absolute() / address.FILE), artifacts)
    scheme = kind(uri)
    if uri.startswith(address.SQLITE_BEGINNINGS):
        # Relative to here and now: workers and the UI may stand in another folder.
        _, *query = uri.split("?", 1)
        uri = "?".join([address.of_file(address.file(uri).absolute()), *query])
    if uri.startswith(_POSTGRESQL) and driver() is None:
        raise MissingExtra(f"{where}: PostgreSQL", "postgresql")
    if scheme in _SQL:
        return Store(uri, artifacts)
    if scheme in ("http", "https", "databricks", "databricks-uc") or uri in ("databricks", "databricks-uc"):
        return Store(uri, None)
    expected = "sqlite:///FILE, http(s)://HOST:PORT or an SQL database"
    raise ConfigError(Problem(where, "not a tracking store", expected, redacted(uri), address.hint(uri)))


def find(client: MlflowClient, experiments: list[str], tag: str, value: str | None = None) -> str | None:
    """Returns the id of the first run that bears a tag, with this value or with any, or None."""
    wanted = f"tags.`{tag}` LIKE '%'" if value is None else f"tags.`{tag}` = '{value}'"
    found = client.search_runs(experiments, wanted, max_results=1, order_by=["start_time ASC"])
    return found[0].info.run_id if found else None


def find_trials(client: MlflowClient, experiments: list[str], parent: str) -> dict[int, str]:
    """Returns the runs of a search's trials by trial number."""
    trials: dict[int, str] = {}
    token = None
    while True:
        page = client.search_runs(
            experiments,
            f"tags.`mlflow.parentRunId` = '{parent}'",
            max_results=1000,
            order_by=["start_time ASC"],
            page_token=token,
        )
        for run in page:
            name = run.data.tags.get(TRIAL_TAG, "").rpartition("/t")[2]
            if name.isdigit():
                trials.setdefault(int(name), run.info.run_id)
        token = page.token
        if not token:
            return trials


def _configure() -> None:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import mlflow  # noqa: F401 - sets its loggers up, which are quietened after that

    for name, level in {
        "alembic": logging.WARNING,
        # They tell of each failure at length; the tracker says it in one line.
        "mlflow.store.db.utils": logging.CRITICAL,
        "urllib3.connectionpool": logging.ERROR,
    }.items():
        logging.getLogger(name).setLevel(level)


def _look_into(file: Path) -> None:
    """Reads an SQLite file, or raises at once what is wrong with it: MLflow would try again for a hundred seconds."""
    with contextlib.closing(sqlite3.connect(file, timeout=address.LOCKED_S)) as database:
        database.execute("PRAGMA schema_version").fetchone()


def _migrate(uri: str, *, is_new: bool) -> None:
    from mlflow import MlflowClient
    from mlflow.store.db import utils

    if not is_new:
        engine = utils.create_sqlalchemy_engine_with_retry(uri)
        try:
            revision = utils._get_schema_version(engine)  # noqa: SLF001 - no public name tells the revision
            if revision is not None and revision != utils._get_latest_schema_revision():  # noqa: SLF001
                utils._upgrade_db(engine)  # noqa: SLF001 - what `mlflow db upgrade` calls
        finally:
            engine.dispose()
    MlflowClient(tracking_uri=uri).search_experiments(max_results=1)


def _open_postgresql(uri: str) -> None:
    """Opens a PostgreSQL database, where it is empty under a lock of its own: MLflow's is a file of this machine alone.

    At once or not at all, where MLflow would try for a hundred seconds. An old database is left as it is: it has other
    users, and `mlflow db upgrade` is for who runs it.
    """
    import sqlalchemy
    from mlflow import MlflowClient

    # Outside transactions, or MLflow's own would wait for this one.
    engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"SELECT pg_advisory_lock({_POSTGRESQL_LOCK})"))
        MlflowClient(tracking_uri=uri).search_experiments(max_results=1)


def _is_local(file: Path) -> bool:
    """Tells whether a file lies on a disk of this machine, as far as can be known."""
    mounts = [mount for mount in psutil.disk_partitions(all=True) if file.is_relative_to(mount.mountpoint)]
    nearest = max(mounts, key=lambda mount: len(mount.mountpoint), default=None)
    return nearest is not None and nearest.fstype.lower() in _LOCAL


def _write_ahead(file: Path) -> None:
    """Has a new database keep what is written in a file beside it first, for good; see https://sqlite.org/wal.html.

    A commit then waits for the disk once and not four times (0.8 ms and 15 ms were measured), a trial is some eight of
    them, and the UI reads while a search writes. Not over a network: a reader on another machine would not see it all.
    """
    with contextlib.closing(sqlite3.connect(file)) as database, contextlib.suppress(sqlite3.OperationalError):
        database.execute("PRAGMA journal_mode=WAL")
