"""Runs a search and reads back what became of it, from the journal's side and from MLflow's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

from click.testing import CliRunner

from automl.cli import main
from automl.driver import launch
from automl.driver.finish import Summary
from automl.driver.options import Options
from automl.driver.progress import Watcher
from automl.experiment import experiment
from automl.experiment.experiment import Experiment
from automl.journal import History, replay
from automl.machine.folders import MODEL, trial_folder
from automl.worker.trial import run_trial

REPO = Path(__file__).parents[2]
# The backend whose workers start the soonest, for tests that start many of them and do not care.
QUICKEST = "jax" if find_spec("jax") else "tensorflow"
# They name runs and models by ids, which the store hands out.
OF_THE_STORE = ("mlflow.parentRunId", "automl.model_uri")


@dataclass
class Search:
    """A search and the two places that tell of it."""

    home: Path
    read: Experiment
    summary: Summary
    client: Any

    @property
    def folder(self) -> Path:
        return self.home / "searches" / self.summary.search_id

    @property
    def history(self) -> History:
        return replay(self.folder)

    @property
    def parent(self) -> Any:
        return self.client.get_run(self.summary.run_id)

    @property
    def trials(self) -> dict[int, Any]:
        return trial_runs(self.client, self.summary.search_id)

    def points(self, run_id: str, key: str) -> list[tuple[int, float]]:
        return [(point.step, point.value) for point in self.client.get_metric_history(run_id, key)]

    def text(self, run_id: str, name: str) -> str:
        return Path(self.client.download_artifacts(run_id, name)).read_text()

    @property
    def winner(self) -> dict[str, Any]:
        assert self.summary.best is not None
        return dict(self.summary.best)

    @property
    def model(self) -> Any:
        """The winner as Keras saved it."""
        import keras

        return keras.saving.load_model(trial_folder(self.folder, self.winner["trial"]) / MODEL, compile=False)


class Said(Watcher):
    """Keeps what a search says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def client_of(home: Path) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{home}/mlflow.db")


def parent_run(client: Any, search_id: str) -> Any:
    experiments = [each.experiment_id for each in client.search_experiments()]
    (parent,) = client.search_runs(experiments, f"tags.`automl.search` = '{search_id}'")
    return parent


def trial_runs(client: Any, search_id: str) -> dict[int, Any]:
    """Returns the runs of the trials by number, found as a user would: the children of the parent."""
    parent = parent_run(client, search_id)
    found = client.search_runs(
        [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'", max_results=1000
    )
    found = [run for run in found if "automl.baseline" not in run.data.tags]
    numbers = [int(run.data.tags["automl.trial"].rpartition("/t")[2]) for run in found]
    assert len(set(numbers)) == len(numbers), "a trial has two runs"
    return dict(zip(numbers, found, strict=True))


def baseline_runs(client: Any, search_id: str) -> dict[str, Any]:
    """Returns the runs of the baselines by their names."""
    parent = parent_run(client, search_id)
    found = client.search_runs(
        [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'", max_results=1000
    )
    return {run.info.run_name: run for run in found if "automl.baseline" in run.data.tags}


def mirrored(client: Any, search_id: str) -> dict[str, Any]:
    """Returns all that MLflow holds of a search, by the names of the runs; the only search of its experiment."""
    parent = parent_run(client, search_id)
    runs = {"parent": parent} | {f"t{number:03d}": run for number, run in trial_runs(client, search_id).items()}
    runs |= baseline_runs(client, search_id)
    assert len(client.search_runs([parent.info.experiment_id], max_results=1000)) == len(runs)
    return {name: _held(client, run) for name, run in runs.items()}


def _held(client: Any, run: Any) -> dict[str, Any]:
    documents = [item.path for item in client.list_artifacts(run.info.run_id) if not item.is_dir]
    return {
        "info": (run.info.run_name, run.info.status, run.info.start_time, run.info.end_time),
        "params": run.data.params,
        "tags": {key: value for key, value in run.data.tags.items() if key not in OF_THE_STORE},
        "points": {
            key: [
                (point.step, point.value, point.timestamp) for point in client.get_metric_history(run.info.run_id, key)
            ]
            for key in run.data.metrics
        },
        "data": [each.dataset.to_dictionary() for each in run.inputs.dataset_inputs],
        "documents": {
            name: Path(client.download_artifacts(run.info.run_id, name)).read_text() for name in sorted(documents)
        },
    }


def load(home: Path, name: str, document: str) -> Experiment:
    """Reads a document; one that does not ask for baselines has none here, for they take a second."""
    file = home.parent / f"{name}.yaml"
    file.write_text(document)
    return experiment.load(str(file), flags=None if "baselines:" in document else {"baselines": False})


def make(
    home: Path, name: str, document: str, run: Any = run_trial, watcher: Watcher | None = None, **options: Any
) -> Search:
    """Runs a search in this process, its trials in workers as ever."""
    read = load(home, name, document)
    summary = launch.start(read, Options(home=home, **options), watcher or Watcher(), run)
    return Search(home, read, summary, client_of(home))


def scores(history: History) -> dict[int, Any]:
    """Returns all that must be equal where two searches are the same: proposals, and every number to 6 decimals."""
    return {
        number: (
            dict(trial.asked.values),
            trial.asked.seed,
            trial.asked.rungs,
            trial.ended and (trial.ended.outcome, trial.ended.best_epoch, rounded(trial.ended.metrics)),
            [(report.epoch, rounded(report.metrics)) for report in trial.reports],
        )
        for number, trial in history.trials.items()
    }


def rounded(metrics: Any) -> dict[str, float]:
    return {key: round(value, 6) for key, value in sorted(metrics.items())}


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "AUTOML_HOME": str(home), "PYTHONPATH": str(REPO)}


def command(*args: str | Path) -> list[str]:
    return [sys.executable, "-m", "automl", *map(str, args)]


def automl(home: Path, *args: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the command line in this process: one of its own takes ten seconds to import what a search needs."""
    line = list(map(str, args))
    with patch.dict(os.environ, environment(home)), chdir(home.parent):
        result = CliRunner().invoke(main, line, prog_name="automl")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return subprocess.CompletedProcess(line, result.exit_code, result.stdout, result.stderr)


def program(home: Path, *args: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the command line in a process of its own, as a user does."""
    return subprocess.run(
        command(*args), env=environment(home), cwd=home.parent, capture_output=True, text=True, timeout=300, check=False
    )


def begun(home: Path) -> Path:
    """Returns the folder of the only search of a home, once it has one."""
    (folder,) = [path.parent for path in (home / "searches").glob("*/journal.jsonl")]
    return folder


def wait_for(condition: Callable[[], Any], timeout_s: float, process: subprocess.Popen[str] | None = None) -> Any:
    """Waits until a condition holds; asserts that the process is alive meanwhile."""
    import time

    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        assert process is None or process.poll() is None, f"it ended: {process.communicate()}"
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def journal_holds(home: Path, text: str) -> Callable[[], bool]:
    return lambda: any(text in path.read_text() for path in (home / "searches").glob("*/journal.jsonl"))
