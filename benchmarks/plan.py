"""Holds `automl plan` against the clock: how often a search takes as long as it was said to.

`python benchmarks/plan.py`; five seeds each of two spaces, some 25 minutes on 2 quiet cores. Early stopping is off:
when it strikes cannot be known before.
"""

from __future__ import annotations

import tempfile

from _run import automl

from automl.results.prediction import took

RUNS = {"cnn": "digits", "rnn": "japanese_vowels"}
SEEDS = range(5)
TRIALS = 5
OPTIONS = ["--trials", str(TRIALS), "--set", "training.early_stopping=null"]


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
            inside += low <= took(found) <= high
            print(f"{space} seed {seed}: planned {low:.0f} to {high:.0f} s, took {took(found):.0f} s", flush=True)
        print(f"{space}: {inside} of {len(SEEDS)} inside", flush=True)


if __name__ == "__main__":
    main()
