"""The same twelve small trainings by a search, by a bare loop of `model.fit`, and by Keras Tuner's RandomSearch.

    python benchmarks/overhead.py [--repeats 3] [--epochs 15] [--data digits]

Each runs in a process of its own with the same number of threads, one after the other, in another order each time:

- `automl`: `automl search` with one worker, over a grid of twelve networks of about one size.
- `bare`: the same twelve models from the same code, on arrays in memory, `fit` after `fit`.
- `keras_tuner`: `RandomSearch` over the same twelve by its own `search`, its checkpoints included.
- `2 workers`: `automl search` with two workers of half the threads each.

Compared is the time from the end of the second trial to the end of the last: the start of workers and the logging of
the best model, once a search each, are left out. Some ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import _models
import _page
from _run import automl

SPACE = """
name: overhead
model:
  - conv: {name: stem, filters: {values: [16, 18]}, norm: batch, norm_momentum: 0.9, pool: max}
  - conv: {name: body, filters: 32, dropout: {values: [0.1, 0.2]}, pool: max}
  - flatten
  - dense: {units: 64}
training:
  epochs: EPOCHS
  batch_size: 32
  optimizer: {adam: {learning_rate: {values: [5e-4, 1e-3, 2e-3]}}}
search: {algorithm: grid, objective: val_accuracy, trials: 12}
"""
TRIALS, LEFT_OUT = 12, 2
WAYS = ("automl", "bare", "keras_tuner", "2 workers")


def searched(space: Path, data: str, workers: int) -> list[float]:
    """Runs the search; returns when its trials ended, in seconds."""
    automl(str(space.parent), "search", str(space), "--data", data, "--workers", str(workers))
    journal = next(space.parent.glob("mlruns/searches/*/journal.jsonl"))
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    return sorted(event["time"] / 1000 for event in events if event["event"] == "end")


def bare(space: Path, data: str) -> list[float]:
    """Trains the twelve one after the other; returns when each was done."""
    import keras

    read = _models.read(str(space), data)
    arrays = _models.arrays(read, space.parent)
    keras.utils.set_random_seed(0)  # asked for by the determinism that workers are given
    ends = []
    for document in _models.documents(read):
        network, fit = _models.compiled(document, arrays.spec), document["training"]
        network.fit(
            *arrays.train, validation_data=arrays.val, epochs=fit["epochs"], batch_size=fit["batch_size"], verbose=0
        )
        ends.append(time.time())
    return ends


def tuned(space: Path, data: str) -> list[float]:
    """Lets Keras Tuner train the twelve, in the order it draws them; returns when each was done."""
    import keras
    import keras_tuner

    keras.utils.set_random_seed(0)
    read = _models.read(str(space), data)
    arrays = _models.arrays(read, space.parent)
    documents = _models.documents(read)
    ends: list[float] = []

    class Tuner(keras_tuner.RandomSearch):
        def on_trial_end(self, trial: Any) -> None:
            super().on_trial_end(trial)
            ends.append(time.time())

    def build(hp: Any) -> Any:
        return _models.compiled(documents[hp.Choice("point", list(range(len(documents))))], arrays.spec)

    fit = documents[0]["training"]
    tuner = Tuner(build, "val_accuracy", max_trials=TRIALS, seed=1, directory=str(space.parent / "keras_tuner"))
    tuner.search(
        *arrays.train, validation_data=arrays.val, epochs=fit["epochs"], batch_size=fit["batch_size"], verbose=0
    )
    return ends


def measure(way: str, epochs: int, data: str) -> float:
    """Runs one way; returns the seconds a trial took."""
    from automl.machine.workers import this_machine

    with tempfile.TemporaryDirectory() as folder:
        space = Path(folder) / "overhead.yaml"
        space.write_text(SPACE.replace("EPOCHS", str(epochs)))
        if way in ("automl", "2 workers"):
            ends = searched(space, data, 2 if way == "2 workers" else 1)
        else:
            given = {k: v for k, v in this_machine(1, None).worker_environment().items() if v is not None}
            command = ["--only", way, "--data", data, "--space", str(space)]
            ends = _page.child(__file__, *command, folder=folder, environment=given)["ends"]
    assert len(ends) == TRIALS, f"{way}: {len(ends)} trials"
    return (ends[-1] - ends[LEFT_OUT - 1]) / (TRIALS - LEFT_OUT)


def tables(seconds: dict[str, list[float]]) -> list[list[list[str]]]:
    """Returns the ratios and what they are made of."""
    ratios = [["ratio", "median", "each repeat", "expected"]]
    for title, one, other, expected in (
        ("time of automl to the bare loop", "automl", "bare", "at most 1.15"),
        ("time of automl to Keras Tuner", "automl", "keras_tuner", "at most 0.85"),
        ("trials a minute of 2 workers to 1", "automl", "2 workers", "at least 1.5"),
    ):
        found = [a / b for a, b in zip(seconds[one], seconds[other], strict=True)]
        ratios.append([title, f"{statistics.median(found):.2f}", ", ".join(f"{x:.2f}" for x in found), expected])
    times = [["seconds a trial", *(f"repeat {number + 1}" for number in range(len(seconds["bare"])))]]
    times += [[way, *(f"{value:.2f}" for value in seconds[way])] for way in WAYS]
    return [ratios, times]


def main() -> None:
    """Runs every way as often as asked, each time beginning with another, and keeps the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--space", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        print(json.dumps({"ends": (bare if asked.only == "bare" else tuned)(asked.space, asked.data)}))
        return
    os.environ.pop("AUTOML_HOME", None)
    command = f"python benchmarks/overhead.py --repeats {asked.repeats} --epochs {asked.epochs} --data {asked.data}"
    section: dict[str, Any] = {"title": "Overhead", "text": _page.text(__doc__), "command": command}
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    with _page.described(section):
        for repeat in range(asked.repeats):
            for way in (*WAYS[repeat % 4 :], *WAYS[: repeat % 4]):
                seconds[way].append(measure(way, asked.epochs, asked.data))
                print(f"{way}: {seconds[way][-1]:.2f} s a trial", flush=True)
    section |= {"seconds": seconds, "tables": tables(seconds)}
    _page.keep("overhead", section)


if __name__ == "__main__":
    main()
