"""Thousands of trials that do nothing: what the driver alone costs, with the MLflow mirror on SQLite.

    python benchmarks/scale.py [--trials 5000] [--workers 2] [--algorithms auto,bayesian:200] [--rival-trials 200]

Each row is a search in a process of its own, over the twelve parameters of cnn12.yaml: the whole of it (oracle,
journal, worker processes, mirror), but for a trial that returns a score at once. The last row is Keras Tuner's
BayesianOptimization by its own `Tuner.search`, its `run_trial` returning the same score. Measured are the trials a
second from the first start to the last end, the seconds after that (every run of the mirror is given its rank), the
time of an ask, and what the driver's memory grows by with a trial after the first tenth. Some ten minutes; an
algorithm may be given a number of trials of its own, as one that fits a Gaussian process needs it.
"""

# A worker imports this file for what it runs: what only the driver needs is imported inside functions.
from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import _page
import psutil
from _page import cell

from automl.driver.progress import Watcher
from automl.executors import Tell
from automl.machine.folders import MODEL, searches_folder
from automl.machine.keras_backend import become_driver
from automl.records.trials import TrialRequest, TrialResult

RIVAL = "keras_tuner BayesianOptimization"
RATE, DROPOUT = "training.optimizer.adam.learning_rate", "dense.dropout"


def worth(rate: float, dropout: float) -> float:
    """Scores a point: a smooth function with one best place, so that a model has something to learn."""
    return 0.9 - 0.1 * (math.log10(rate) + 2.6) ** 2 - 0.2 * (dropout - 0.3) ** 2


def do_nothing(request: TrialRequest, tell: Tell) -> TrialResult:
    """Stands for `run_trial`: leaves a model, by a link, and a score."""
    del tell
    model = Path(request.folder) / MODEL
    model.hardlink_to(Path(request.folder).parents[3] / MODEL)
    training, dense = request.document["training"], request.document["model"][-1]["dense"]
    score = worth(training["optimizer"]["adam"]["learning_rate"], dense["dropout"])
    return TrialResult(request.trial, request.attempt, "completed", score, model=str(model))


class Gauge(Watcher):
    """Notes when trials started and ended, and the memory of this process then."""

    def __init__(self) -> None:
        self.began = 0.0
        self.ends: list[float] = []
        self.rss: list[int] = []
        self._process = psutil.Process()

    def trial_started(self, number: int, values: dict[str, Any], epochs: int) -> None:
        """Notes when the first trial began."""
        del number, values, epochs
        self.began = self.began or time.monotonic()

    def trial_ended(self, result: Any = None, best: Any = None) -> None:
        """Notes the end of a trial."""
        del result, best
        self.ends.append(time.monotonic())
        self.rss.append(self._process.memory_info().rss)

    def figures(self, asks: list[float]) -> dict[str, Any]:
        """Returns what was measured, given the seconds of each ask."""
        import numpy as np

        after = len(self.rss) // 10
        slope = np.polyfit(range(len(self.rss) - after), self.rss[after:], 1)[0]
        return {
            "trials": len(self.ends),
            "trials_per_s": len(self.ends) / (self.ends[-1] - self.began),
            "ask_median_ms": 1000 * _page.percentile(asks, 0.5),
            "ask_p99_ms": 1000 * _page.percentile(asks, 0.99),
            "rss_kib_per_trial": float(slope) / 1024,
            "rss_mib": self.rss[-1] / 2**20,
            "cpu_s": time.process_time(),
        }


def search(algorithm: str, trials: int, workers: int) -> dict[str, Any]:
    """Runs a search in this folder."""
    import _models

    from automl.driver import launch
    from automl.driver.options import Options
    from automl.experiment import experiment
    from automl.experiment.search_section import Search
    from automl.oracles import Proposer

    asks: list[float] = []

    class Timed(Proposer):
        def ask(self) -> Any:
            began = time.perf_counter()
            try:
                return super().ask()
            finally:
                asks.append(time.perf_counter() - began)

    launch.Proposer = Timed  # type: ignore[misc] - the loop is given it by this name
    become_driver("tensorflow")
    home = Path.cwd() / "mlruns"
    home.mkdir()
    _save_model(home / MODEL)
    read = experiment.load(str(_models.CNN12), "digits", flags={"trials": trials, "algorithm": algorithm})
    is_default = Search().algorithm == read.search.algorithm
    gauge = Gauge()
    summary = launch.start(read, Options(home, workers=workers), gauge, do_nothing)
    folder = searches_folder(home) / summary.search_id
    return gauge.figures(asks) | {
        "algorithm": f"{algorithm}, the default" if is_default else algorithm,
        "finish_s": time.monotonic() - gauge.ends[-1],
        "best": summary.best["score"] if summary.best else None,
        "journal_kib_per_trial": (folder / "journal.jsonl").stat().st_size / trials / 1024,
        "mlflow_kib_per_trial": (home / "mlflow.db").stat().st_size / trials / 1024,
    }


def _save_model(path: Path) -> None:
    """Saves a model that fits the digits, for the test of the winner."""
    import keras

    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    keras.Sequential(layers).save(path)


def rival(trials: int) -> dict[str, Any]:
    """Runs Keras Tuner's search in this folder."""
    import _models
    import keras_tuner

    gauge, asks = Gauge(), list[float]()

    class Oracle(keras_tuner.oracles.BayesianOptimizationOracle):
        def populate_space(self, trial_id: str) -> Any:
            began = time.perf_counter()
            try:
                return super().populate_space(trial_id)
            finally:
                asks.append(time.perf_counter() - began)

    class Tuner(keras_tuner.Tuner):
        def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
            gauge.trial_started(0, {}, 0)
            return {"score": worth(trial.hyperparameters.get(RATE), trial.hyperparameters.get(DROPOUT))}

        def on_trial_end(self, trial: Any) -> None:
            super().on_trial_end(trial)
            gauge.trial_ended()

    hyperparameters = keras_tuner.HyperParameters()
    _models.declare(_models.read().space, hyperparameters)
    objective = keras_tuner.Objective("score", "max")
    oracle = Oracle(objective, max_trials=trials, hyperparameters=hyperparameters, seed=1)
    Tuner(oracle, directory="keras_tuner", project_name="scale").search(verbose=0)
    best = oracle.get_best_trials()[0].score
    return gauge.figures(asks) | {"algorithm": RIVAL, "best": best}


HEADS = [
    "search",
    "trials",
    "trials a second",
    "finish, s",
    "ask median, ms",
    "ask p99, ms",
    "driver, KiB a trial",
    "driver, MiB",
]
HEADS += ["journal, KiB a trial", "SQLite, KiB a trial", "best score"]


def table(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Returns the rows of the page."""
    shown = [HEADS]
    for row in rows:
        figures = [
            cell(row["trials_per_s"], 1),
            cell(row.get("finish_s"), 1),
            cell(row["ask_median_ms"], 1),
            cell(row["ask_p99_ms"], 1),
        ]
        figures += [cell(row["rss_kib_per_trial"], 1), cell(row["rss_mib"], 0)]
        figures += [cell(row.get("journal_kib_per_trial"), 1), cell(row.get("mlflow_kib_per_trial"), 0)]
        shown.append([row["algorithm"], f"{row['trials']:,}", *figures, cell(row["best"], 4)])
    return [*shown, ["expected", "5,000", "at least 15", "", "", "under 100", "under 20", "", "", "", ""]]


def main() -> None:
    """Runs every search in a process of its own and keeps the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=5_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--algorithms", default="auto,bayesian:200", help="NAME or NAME:TRIALS, comma-separated; may be empty"
    )
    parser.add_argument("--rival-trials", type=int, default=200, help="0 leaves Keras Tuner out")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        found = rival(asked.trials) if asked.only == RIVAL else search(asked.only, asked.trials, asked.workers)
        print(json.dumps(found))
        return
    wanted = [each.partition(":") for each in asked.algorithms.split(",")]
    runs = [(name, int(trials or asked.trials)) for name, _, trials in wanted if name]
    runs += [(RIVAL, asked.rival_trials)] if asked.rival_trials else []
    section: dict[str, Any] = {"title": "Scale", "text": _page.text(__doc__)}
    section["command"] = f"python benchmarks/scale.py --trials {asked.trials} --workers {asked.workers}"
    # Rows of searches that are not asked for stay: Keras Tuner's takes longer than all others.
    kept = _page.record().get("scale", {})
    section |= {"rows": kept.get("rows", {}), "ran": kept.get("ran", {})}
    for name, trials in runs:
        part = ["--only", name, "--trials", str(trials), "--workers", str(asked.workers)]
        with _page.described(section, f"`{name}`"), tempfile.TemporaryDirectory() as folder:
            section["rows"][name] = _page.child(__file__, *part, folder=folder)
        print(json.dumps(section["rows"][name]), flush=True)
        section["tables"] = [table(list(section["rows"].values()))]
        _page.keep("scale", section)


if __name__ == "__main__":
    main()
