"""Holds `automl plan` against the clock: how often a search takes as long as it was said to.

`python benchmarks/plan.py`; five seeds each of two spaces, some 25 minutes on 2 quiet cores. Early stopping is off:
when it strikes cannot be known before.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from typing import Any

RUNS = {"cnn": "digits", "rnn": "japanese_vowels"}
SEEDS = range(5)
TRIALS = 5
OPTIONS = ["--trials", str(TRIALS), "--set", "training.early_stopping=null"]


def automl(folder: str, *arguments: str) -> dict[str, Any]:
    """Runs a command and returns what it prints as JSON."""
    command = [sys.executable, "-m", "automl", *arguments, "-o", "json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout if done.stdout.startswith("{\n") else done.stdout.splitlines()[-1]))


def main() -> None:
    """Plans and runs each search, and prints a line for it."""
    for space, data in RUNS.items():
        inside = 0
        for seed in SEEDS:
            with tempfile.TemporaryDirectory() as folder:
                given = [space, "--data", data, "--seed", str(seed), *OPTIONS]
                automl(folder, "plan", *given, "--samples", "10")
                found = automl(folder, "search", *given)
            low, high = found["predicted_s"]
            inside += low <= found["wall_s"] <= high
            print(f"{space} seed {seed}: planned {low:.0f} to {high:.0f} s, took {found['wall_s']:.0f} s", flush=True)
        print(f"{space}: {inside} of {len(SEEDS)} inside", flush=True)


if __name__ == "__main__":
    main()
