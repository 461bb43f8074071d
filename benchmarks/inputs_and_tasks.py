"""Several labels, several inputs, tables: each set searched with three seeds; writes docs/inputs_and_tasks.md.

    python benchmarks/inputs_and_tasks.py                 all rows that docs/inputs_and_tasks.json does not hold yet
    python benchmarks/inputs_and_tasks.py two_digits ...  these rows, again

The made sets are of scikit-learn's digits, cut into parts before anything is made of them: no digit of the test part is
seen in training. The test part is looked at once, by the winner of the validation part and by the baselines.
`beijing_pm25` is the shipped set, which needs $AUTOML_DATA; beside it stands the value of the hour before.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from _run import automl, fill

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
TABLE, RECORD = DOCS / "inputs_and_tasks.md", DOCS / "inputs_and_tasks.json"
SEEDS = (0, 1, 2)
INTRODUCTION = """\
# Inputs and tasks beyond images and classes

Each row is one search of a few trials with three seeds: the mean of the test metric, and its deviation. The winner of
the validation part is tested once. `beijing_pm25` tells the fine particles of the next hour in micrograms, by time: the
last fifth of the hours is tested. Made by `python benchmarks/inputs_and_tasks.py`, which holds the documents.
"""
CNN = """\
  - conv: {filters: {min: 16, max: 32, default: 24}, kernel_size: 3, norm: batch, norm_momentum: 0.9}
  - conv: {filters: {min: 24, max: 48, default: 48}, kernel_size: 3, norm: batch, norm_momentum: 0.9, pool: max}
  - flatten
  - dense: {units: 64, dropout: 0.25}
"""
TRAINING = """\
training:
  epochs: 15
  batch_size: 32
  optimizer: {adam: {learning_rate: {min: 5e-4, max: 3e-3, log: true, default: 1e-3}}}
search: {trials: 3, algorithm: random}
"""
TABLE_MODEL = """\
  - entity_embedding: {size: {min: 2, max: 8}}
  - dense: {repeat: {min: 1, max: 3, default: 2}, units: {values: [32, 64, 128]}, norm: batch, norm_momentum: 0.9}
"""
SIZES = {"train": 6000, "val": 1000, "test": 1000}


def digits() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns images and digits of each part."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    found = load_digits()
    x, y = found.images[..., np.newaxis].astype(np.float32), found.target
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.2, random_state=0, stratify=y)
    x, x_val, y, y_val = train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)
    return {"train": (x, y), "val": (x_val, y_val), "test": (x_test, y_test)}


def two_digits(folder: Path) -> None:
    """Two digits side by side; the labels are the set of both."""
    arrays, rng = {}, np.random.default_rng(0)
    for part, (x, y) in digits().items():
        left, right = (rng.integers(len(x), size=SIZES[part]) for _ in "ab")
        labels = np.zeros((SIZES[part], 10), np.uint8)
        for chosen in (left, right):
            labels[np.arange(SIZES[part]), y[chosen]] = 1
        arrays |= {f"x_{part}": np.concatenate([x[left], x[right]], axis=2), f"y_{part}": labels}
    np.savez(folder / "set.npz", **arrays)


def image_and_table(folder: Path) -> None:
    """A digit, shown by its image or that of the other one of its pair (0 and 1, 2 and 3, ...), and whether it is even.

    The image tells the pair and the column which of the two it is: neither suffices alone.
    """
    arrays, rng = {}, np.random.default_rng(0)
    for part, (x, y) in digits().items():
        shown = rng.integers(len(x), size=SIZES[part])
        label = y[shown] // 2 * 2 + rng.integers(2, size=SIZES[part])
        even = np.where(label % 2 == 0, "even", "odd")
        arrays |= {f"x_{part}": x[shown], f"y_{part}": label, f"parity_{part}": even}
    np.savez(folder / "set.npz", **arrays)


MADE = "source: {npz: {file: set.npz}}\n"


def nothing(folder: Path) -> None:
    """Makes no set: the row is of a shipped one."""


ROWS: Mapping[str, tuple[Callable[[Path], None], str, str, str]] = {
    "two_digits": (
        two_digits,
        f"name: two_digits\n{MADE}input: image\ntask: multi_label\n",
        f"model:\n{CNN}{TRAINING}",
        "test_subset_accuracy",
    ),
    "image_and_table": (
        image_and_table,
        f"name: both\n{MADE}inputs: {{photo: image, facts: {{table: {{columns: [parity]}}}}}}\ntask: classification\n",
        "model:\n  photo:\n" + CNN.replace("  -", "    -") + "  facts:\n    - entity_embedding: {size: 2}\n"
        f"  join: concat\n  trunk:\n    - dense: {{units: 64}}\n{TRAINING}",
        "test_accuracy",
    ),
    "image_alone": (
        image_and_table,
        f"name: image\n{MADE}input: image\ntask: classification\n",
        f"model:\n{CNN}{TRAINING}",
        "test_accuracy",
    ),
    "table_alone": (
        image_and_table,
        f"name: table\n{MADE}input: {{table: {{columns: [parity]}}}}\ntask: classification\n",
        f"model:\n{TABLE_MODEL}{TRAINING}",
        "test_accuracy",
    ),
    "beijing_pm25": (
        nothing,
        (ROOT / "datasets" / "beijing_pm25.yaml").read_text(),
        (ROOT / "search_spaces" / "table.yaml").read_text().replace("  seed: 0", "  trials: 8"),
        "test_rmse",
    ),
}


def hour_before() -> float:
    """Returns the root mean squared test error of the value of the hour before, on the air of Beijing."""
    from automl.data import prepare
    from automl.experiment import experiment

    data = experiment.load("table", "beijing_pm25").data
    assert data is not None
    with tempfile.TemporaryDirectory() as folder:
        prepare.prepare(data, Path(folder, "set"))
        before = np.load(Path(folder, "set", "test_table_numbers.npy"))[:, 0]
        mean, y = (np.load(Path(folder, "set", f"{part}_y.npy")).ravel() for part in ("train", "test"))
    return float(np.sqrt(np.mean((np.where(np.isnan(before), mean.mean(), before) - y) ** 2)))


ROWS: Mapping[str, tuple[Callable[[Path], None], str, str, str]] = {
    "two_digits": (
        two_digits,
        f"name: two_digits\n{MADE}input: image\ntask: multi_label\n",
        f"model:\n{CNN}{TRAINING}",
        "test_subset_accuracy",
    ),
    "image_and_table": (
        image_and_table,
        f"name: both\n{MADE}inputs: {{photo: image, facts: {{table: {{columns: [parity]}}}}}}\ntask: classification\n",
        "model:\n  photo:\n" + CNN.replace("  -", "    -") + "  facts:\n    - entity_embedding: {size: 2}\n"
        f"  join: concat\n  trunk:\n    - dense: {{units: 64}}\n{TRAINING}",
        "test_accuracy",
    ),
    "image_alone": (
        image_and_table,
        f"name: image\n{MADE}input: image\ntask: classification\n",
        f"model:\n{CNN}{TRAINING}",
        "test_accuracy",
    ),
    "table_alone": (
        image_and_table,
        f"name: table\n{MADE}input: {{table: {{columns: [parity]}}}}\ntask: classification\n",
        f"model:\n{TABLE_MODEL}{TRAINING}",
        "test_accuracy",
    ),
    "beijing_pm25": (
        nothing,
        (ROOT / "datasets" / "beijing_pm25.yaml").read_text(),
        (ROOT / "search_spaces" / "table.yaml").read_text().replace("  seed: 0", "  trials: 8"),
        "test_rmse",
    ),
}


def peers() -> dict[str, float]:
    """Returns the root mean squared test error of what is simpler than a network, on the air of Beijing."""
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    from automl.data import prepare
    from automl.experiment import experiment

    data = experiment.load("table", "beijing_pm25").data
    assert data is not None
    with tempfile.TemporaryDirectory() as folder:
        prepare.prepare(data, Path(folder, "set"))
        read = {
            (part, column): np.load(Path(folder, "set", f"{part}_{column}.npy"))
            for part in ("train", "test")
            for column in ("table_numbers", "table_words", "y")
        }
    means = np.nanmean(read["train", "table_numbers"], axis=0)

    def plain(part: str) -> np.ndarray:
        numbers, words = read[part, "table_numbers"].astype(float), read[part, "table_words"]
        missing = np.isnan(numbers)
        sizes = read["train", "table_words"].max(axis=0) + 1
        coded = [np.eye(size)[column] for size, column in zip(sizes, words.T, strict=True)]
        return np.hstack([np.where(missing, means, numbers), missing, *coded])

    x, x_test = plain("train"), plain("test")
    y, y_test = (read[part, "y"].ravel().astype(float) for part in ("train", "test"))
    scale = StandardScaler().fit(x)
    guesses = {
        "mean": np.full(len(y_test), y.mean()),
        "ridge": Ridge().fit(scale.transform(x), y).predict(scale.transform(x_test)),
        "the hour before": x_test[:, 0],
    }
    return {name: round(float(np.sqrt(np.mean((guess - y_test) ** 2))), 2) for name, guess in guesses.items()}


def measure(name: str) -> dict[str, Any]:
    """Runs the searches of a row, each in a folder of its own."""
    make, data, space, metric = ROWS[name]
    found = []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder))
            Path(folder, "data.yaml").write_text(data)
            Path(folder, "space.yaml").write_text(space)
            found.append(automl(folder, "search", "space.yaml", "--data", "data.yaml", "--seed", str(seed)))
    scores = [each["best"]["test"][metric] for each in found]
    beside = {each: round(known[metric], 4) for each, known in found[0]["baselines"].items()}
    beside |= {"the hour before": round(hour_before(), 4)} if name == "beijing_pm25" else {}
    return {
        "metric": metric,
        "scores": [round(score, 4) for score in scores],
        "test": round(fmean(scores), 4),
        "spread": round(stdev(scores), 4),
        "wall_s": [round(each["wall_s"]) for each in found],
        "baselines": beside,
    }


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Returns the page."""
    lines = [
        INTRODUCTION,
        "| set | metric | mean | spread over seeds | baselines | seconds of a search |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        told = ", ".join(f"{peer} {score}" for peer, score in row["baselines"].items())
        lines.append(
            f"| {name} | {row['metric'].removeprefix('test_')} | {row['test']} | {row['spread']} | {told} | "
            f"{round(fmean(row['wall_s']))} |"
        )
    return "\n".join([*lines, ""])


def main(wanted: list[str]) -> None:
    """Runs the rows, keeps each as soon as it is there, and writes the page."""
    fill(RECORD, list(ROWS), wanted, measure, lambda rows: TABLE.write_text(table(rows)))


if __name__ == "__main__":
    main(sys.argv[1:])
