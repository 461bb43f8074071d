"""The best score over time on Fashion-MNIST: automl beside Keras Tuner's tuners and Optuna, all with the same models.

    python benchmarks/efficiency.py --minutes 10 --seeds 3 [--ours auto+asha] [--workers 2] [--methods random,optuna]

10,000 images to train on and the twelve parameters of cnn12.yaml, nine epochs at most. Every method has the same wall
time, its start included, on all cores:

- `automl`: `automl search` by its command line, with the algorithm and the scheduler of `--ours`.
- `random`, `bayesian`, `hyperband`: Keras Tuner's by their own `Tuner.search`.
- `optuna`: its TPE with its successive halving, round the same `fit`.

All build and compile their models by one function from a dict of values. A curve is the best `val_accuracy` of any
epoch so far. What was run is kept and not run again: the whole, of five methods and three seeds, may be cut off and
continued.

Four minutes on two cores are 20 to 70 epochs: some ten to thirty trials, of which every method draws the first ten at
random. So the best of a run hangs on its luck as much as on its method: the seeds of one method differ by more than the
methods do. Longer runs are what would tell them apart.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import _models
import _page

DATA, BATCH_SIZE, OBJECTIVE = "fashion_mnist", "training.batch_size", "val_accuracy"
RIVALS = ("random", "bayesian", "hyperband", "optuna")
CURVE = "curve.jsonl"
FACTOR = 3
EXPECTED = 0.6

Curve = list[tuple[float, float]]
"""Seconds since the start, and the score reached then: each better than the one before."""


class Rival:
    """What the rivals share: the data, the models, and a file of scores that outlives them."""

    def __init__(self, folder: Path) -> None:
        self.read = _models.read(data=DATA)
        self.arrays = _models.arrays(self.read, folder)
        self.folder = folder
        self.epochs: int = self.read.document.data["training"]["epochs"]

    def model(self, values: dict[str, Any]) -> Any:
        """Builds and compiles the model of these values."""
        return _models.compiled(self.read.trial(values), self.arrays.spec)

    def told(self) -> Any:
        """Returns a callback that writes every epoch's score down."""
        import keras

        path = self.folder / CURVE

        def write(epoch: int, logs: dict[str, float]) -> None:
            del epoch
            with path.open("a") as file:
                file.write(json.dumps([time.time(), logs[OBJECTIVE]]) + "\n")

        return keras.callbacks.LambdaCallback(on_epoch_end=write)

    def keras_tuner(self, name: str, seed: int) -> None:
        """Lets one of Keras Tuner's tuners search until it is killed."""
        import keras_tuner

        rival = self

        class Network(keras_tuner.HyperModel):
            def build(self, hp: Any) -> Any:
                return rival.model(_models.declare(rival.read.space, hp))

            def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
                return model.fit(*args, batch_size=hp.get(BATCH_SIZE), **kwargs)

        kind = {"random": "RandomSearch", "bayesian": "BayesianOptimization", "hyperband": "Hyperband"}[name]

        class Tuner(getattr(keras_tuner, kind)):  # type: ignore[misc]
            def _configure_tensorboard_dir(self, *_: Any) -> None:
                """Does nothing: it would import TensorBoard for a callback that is not used."""

        endless: dict[str, Any] = {"max_trials": 1_000_000}
        if name == "hyperband":
            endless = {"max_epochs": self.epochs, "factor": FACTOR, "hyperband_iterations": 1_000_000}
        directory = str(self.folder / "keras_tuner")
        tuner = Tuner(Network(), OBJECTIVE, seed=seed + 1, directory=directory, **endless)
        budget = {} if name == "hyperband" else {"epochs": self.epochs}
        validation = self.arrays.val
        tuner.search(*self.arrays.train, validation_data=validation, verbose=0, callbacks=[self.told()], **budget)

    def optuna(self, seed: int) -> None:
        """Lets Optuna search until it is killed."""
        import keras
        import optuna

        def objective(trial: Any) -> float:
            keras.utils.clear_session()
            values = _models.suggest(self.read.space, trial)
            best = 0.0

            def judge(epoch: int, logs: dict[str, float]) -> None:
                nonlocal best
                best = max(best, logs[OBJECTIVE])
                trial.report(best, epoch + 1)
                if trial.should_prune():
                    raise optuna.TrialPruned

            self.model(values).fit(
                *self.arrays.train,
                validation_data=self.arrays.val,
                epochs=self.epochs,
                batch_size=values[BATCH_SIZE],
                verbose=0,
                callbacks=[self.told(), keras.callbacks.LambdaCallback(on_epoch_end=judge)],
            )
            return best

        pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=FACTOR)
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), pruner=pruner, direction="maximize")
        study.optimize(objective)


def measure(method: str, seed: int, minutes: float, workers: int) -> dict[str, Any]:
    """Runs a method for its time and kills it; returns its curve."""
    with tempfile.TemporaryDirectory() as folder:
        if method in RIVALS:
            command = [sys.executable, __file__, "--only", method, "--seed", str(seed)]
        else:
            algorithm, scheduler = method.removeprefix("automl ").split("+")
            command = [sys.executable, "-m", "automl", "search", str(_models.CNN12), "--data", DATA]
            command += ["--algorithm", algorithm, "--scheduler", scheduler, "--workers", str(workers)]
            command += ["--seed", str(seed), "--time", f"{math.ceil(minutes)}m"]
        began = time.time()
        with (Path(folder) / "log").open("w") as log:
            process = subprocess.Popen(
                command, cwd=folder, env=_page.surroundings(), stdout=log, stderr=log, start_new_session=True
            )
            try:
                process.wait(minutes * 60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        points = _written(Path(folder), began)
        if process.returncode not in (0, -signal.SIGKILL) or not points:
            said = (Path(folder) / "log").read_text()
            raise SystemExit(f"{method}: it failed, or trained no epoch in {minutes} minutes.\n{said}")
    curve: Curve = []
    for seconds, score in sorted(points):
        if seconds <= minutes * 60 and (not curve or score > curve[-1][1]):
            curve.append((round(seconds, 1), round(score, 4)))
    return {"curve": curve, "epochs": len(points)}


def _written(folder: Path, began: float) -> Curve:
    """Returns what a method left: the seconds and the score of each epoch."""
    if (folder / CURVE).exists():
        lines = (folder / CURVE).read_text().splitlines()
        return [(at - began, score) for at, score in map(json.loads, lines)]
    found = next(folder.glob("mlruns/searches/*/journal.jsonl"), None)
    # The last line may have been cut off by the kill.
    lines = found.read_text().splitlines()[:-1] if found else []
    events = [json.loads(line) for line in lines]
    reports = [event for event in events if event["event"] == "report" and OBJECTIVE in event["metrics"]]
    return [(event["time"] / 1000 - began, event["metrics"][OBJECTIVE]) for event in reports]


def reached(curve: Curve, score: float) -> float:
    """Returns the seconds after which a curve is at a score; infinite where it never is."""
    return next((seconds for seconds, best in curve if best >= score), math.inf)


def tables(runs: dict[str, dict[str, Any]], seeds: int) -> list[list[list[str]]]:
    """Returns how far each method came, and the time of ours to the best score of the others."""
    ours = [name for name in runs if name not in RIVALS]
    rivals = [name for name in runs if name in RIVALS]
    scores = [["method", "best score, median", "each seed", "epochs trained"]]
    for name in (*ours, *rivals):
        found = list(runs[name].values())
        best = [run["curve"][-1][1] for run in found]
        each = (", ".join(f"{value:.4f}" for value in best), ", ".join(str(run["epochs"]) for run in found))
        scores.append([name, f"{statistics.median(best):.4f}", *each])
    shares = [["time to their best score, as a share of theirs", "median", "each seed", "expected"]]
    for mine in ours:
        for title, group in (*((name, [name]) for name in rivals), ("the best of them", rivals)):
            found = []
            for seed in map(str, range(seeds)):
                curves = [runs[name][seed]["curve"] for name in group if seed in runs[name]]
                if not curves or seed not in runs[mine]:
                    continue
                # The highest score, and of equals the earliest.
                theirs = max(curves, key=lambda curve: (curve[-1][1], -curve[-1][0]))
                found.append(reached(runs[mine][seed]["curve"], theirs[-1][1]) / theirs[-1][0])
            if found:
                each = ", ".join("not reached" if math.isinf(share) else f"{share:.2f}" for share in found)
                middle = statistics.median(found)
                shown = "not reached" if math.isinf(middle) else f"{middle:.2f}"
                expected = f"at most {EXPECTED}" if group is rivals else ""
                shares.append([f"{mine} to {title}", shown, each, expected])
    return [scores, shares]


def main() -> None:
    """Runs what is missing, keeps each run as soon as it is there, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ours", default="auto+asha", help="ALGORITHM+SCHEDULER, comma-separated")
    parser.add_argument("--workers", type=int, default=2, help="of automl; the others know one process")
    parser.add_argument("--methods", default=",".join(RIVALS), help="the others, comma-separated")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        rival = Rival(Path.cwd())
        if asked.only == "optuna":
            rival.optuna(asked.seed)
        else:
            rival.keras_tuner(asked.only, asked.seed)
        return
    ours = [f"automl {name}" for name in asked.ours.split(",")]
    methods = [*ours, *(name for name in asked.methods.split(",") if name)]
    # Runs of another length or with other workers are of another measurement.
    settings = {"minutes": asked.minutes, "workers": asked.workers}
    kept = _page.record().get("efficiency", {})
    runs: dict[str, dict[str, Any]] = kept.get("runs", {}) if kept.get("settings") == settings else {}
    given = f"--minutes {asked.minutes:g} --seeds {asked.seeds} --ours {asked.ours} --workers {asked.workers}"
    section: dict[str, Any] = {"title": "Sample efficiency", "text": _page.text(__doc__), "settings": settings}
    section |= {"command": f"python benchmarks/efficiency.py {given}", "runs": runs}
    section["ran"] = kept.get("ran", {}) if runs else {}
    for seed in range(asked.seeds):
        for method in methods:
            if str(seed) in runs.get(method, {}):
                continue
            with _page.described(section, f"`{method}`, seed {seed}"):
                runs.setdefault(method, {})[str(seed)] = measure(method, seed, asked.minutes, asked.workers)
            section["tables"] = tables(runs, asked.seeds)
            _page.keep("efficiency", section)


if __name__ == "__main__":
    main()
