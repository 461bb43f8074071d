"""What every test stands on: no GPU, a home of its own, and real data where there is some."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import hypothesis
import pytest
import sweeps

# Before any test module imports a backend.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.update({"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu", "MLFLOW_DISABLE_TELEMETRY": "true"})

# A shell starts what it runs in the background deaf to Ctrl-C, and so would be every search that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

REPO = Path(__file__).parents[1]

# In CI the same examples each time: a new find is for whoever runs the tests, not for whoever submits next.
hypothesis.settings.register_profile("ci", derandomize=True)
hypothesis.settings.register_profile("whole", max_examples=2_000)
if sweeps.IS_WHOLE:
    hypothesis.settings.load_profile("whole")
elif os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own AUTOML_HOME, empty. Nothing of the developer's is read or written."""
    folder = tmp_path / "mlruns"
    monkeypatch.setenv("AUTOML_HOME", str(folder))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files that take minutes first, so that the other process has something to do until the end."""
    items.sort(key=lambda item: "flow" not in item.path.parts)


@pytest.fixture(scope="module", autouse=True)
def spare_the_collector() -> Iterator[None]:
    """Takes what a module's tests left (traced functions, caches) out of the passes of the collector.

    Each trial ends with one; late in the suite they took longer than the trials, two minutes and a half together.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def automl_data() -> Path:
    """The folder of real data sets, one subfolder each."""
    folder = Path(os.environ.get("AUTOML_DATA") or REPO.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} does not exist; name its place in AUTOML_DATA")
    return folder.resolve()


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite store with MLflow's tables and nothing in them: making one takes seconds, copying it none."""
    from automl.tracking import store

    folder = tmp_path_factory.mktemp("store")
    store(folder, f"sqlite:///{folder}/mlflow.db").prepare()
    # This process keeps it open, and what was written ahead would not be copied along.
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder / "mlflow.db"


@pytest.fixture
def eagerly() -> Iterator[None]:
    """Has TensorFlow run its steps without tracing them first, which takes longer than the few steps of a test."""
    if os.environ["KERAS_BACKEND"] != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def home_with_store(home: Path, empty_store: Path) -> Path:
    """`home`, with an empty MLflow store in it."""
    home.mkdir()
    shutil.copy(empty_store, home / "mlflow.db")
    return home
