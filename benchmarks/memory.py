"""Two hundred tiny trainings: what the driver grows by, and what its worker holds when it is replaced.

    python benchmarks/memory.py [--trials 200]

One search on the digits with one worker, in a process of its own; real trials of about a second, so that the libraries
leak as they do. The resident memory of the driver is read at the end of every trial, its worker's at the end of every
epoch. Some eight minutes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import _page
import psutil

from automl.driver.progress import Watcher
from automl.records.trials import Report

SPACE = """
name: tiny
model:
  - conv: {filters: {min: 2, max: 8}, pool: max}
  - flatten
  - dense: {units: {min: 8, max: 64}, dropout: {min: 0.0, max: 0.5}}
training:
  epochs: 2
  batch_size: 32
  optimizer: {adam: {learning_rate: {min: 1e-4, max: 1e-2, log: true}}}
data:
  name: digits
  source: {sklearn: {name: digits}}
  input: image
  task: classification
  limit: {train: 200, val: 50, test: 50}
"""
MIB = 2**20
SETTLED = 20
"""Trials after which everything is imported."""


class Gauge(Watcher):
    """Reads the memory of this process as trials end, and of its worker as their epochs end."""

    def __init__(self) -> None:
        self.driver: list[int] = []
        self.workers: dict[int, dict[int, int]] = {}
        self._process = psutil.Process()

    def epoch(self, report: Report) -> None:
        """Reads the worker's: at the end of a trial it may be another process already."""
        # Python's resource tracker is a child too, and small.
        worker = max(self._process.children(), key=lambda child: child.memory_info().rss)
        self.workers.setdefault(worker.pid, {})[report.trial] = worker.memory_info().rss

    def trial_ended(self, result: Any, best: Any) -> None:
        """Reads the driver's."""
        del result, best
        self.driver.append(self._process.memory_info().rss)


def search(trials: int) -> dict[str, Any]:
    """Runs the search in this folder."""
    from automl.driver import launch
    from automl.driver.options import Options
    from automl.experiment import experiment

    Path("tiny.yaml").write_text(SPACE)
    gauge = Gauge()
    read = experiment.load("tiny.yaml", flags={"trials": trials})
    summary = launch.start(read, Options(Path.cwd() / "mlruns"), gauge)
    served = [list(sizes.values()) for sizes in gauge.workers.values()]
    return {
        "trials": dict(summary.trials),
        "driver_mib": [round(size / MIB, 1) for size in gauge.driver],
        "workers_mib": [[round(size / MIB, 1) for size in sizes] for sizes in served],
    }


def tables(found: dict[str, Any]) -> list[list[list[str]]]:
    """Returns the rows of the page."""
    driver, workers = found["driver_mib"], found["workers_mib"]
    settled = driver[min(SETTLED, len(driver)) - 1]
    rows = [["", "MiB", "expected"]]
    rows += [["driver at its last trial", f"{driver[-1]:,.0f}", ""]]
    rows += [[f"its growth after the first {SETTLED}", f"{driver[-1] - settled:,.1f}", "under 20"]]
    rows += [["a worker after its first trial, the largest", f"{max(sizes[0] for sizes in workers):,.0f}", ""]]
    rows += [["a worker at its last trial, the largest", f"{max(sizes[-1] for sizes in workers):,.0f}", ""]]
    growth = sum(sizes[-1] - sizes[0] for sizes in workers) / max(1, sum(len(sizes) - 1 for sizes in workers))
    rows += [["a worker's growth with a trial, the mean", f"{growth:,.1f}", ""]]
    lives = [["workers", "trials each served"], [f"{len(workers)}", ", ".join(str(len(sizes)) for sizes in workers)]]
    return [rows, lives]


def main() -> None:
    """Runs the search in a process of its own and keeps what was read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--only", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        print(json.dumps(search(asked.trials)))
        return
    command = f"python benchmarks/memory.py --trials {asked.trials}"
    section: dict[str, Any] = {"title": "Memory", "text": _page.text(__doc__), "command": command}
    with _page.described(section), tempfile.TemporaryDirectory() as folder:
        section |= _page.child(__file__, "--only", "--trials", str(asked.trials), folder=folder)
    section["tables"] = tables(section)
    _page.keep("memory", section)


if __name__ == "__main__":
    main()
