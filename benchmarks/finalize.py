"""Whether `automl finalize` keeps its word: the interval and the test score of ten seeds; writes docs/finalize.md.

    python benchmarks/finalize.py                          all rows that docs/finalize.json does not hold yet
    python benchmarks/finalize.py digits-0 arrowhead ...   these rows, again

A row of digits and fashion_mnist is a search of two trials with a seed of its own, also for what the parts are cut by,
and `automl finalize` of both with five folds. ArrowHead is a search of four and an ensemble of the best three, trained
about as long as those that the published figures are of. The test part is read by the search's winner and by the
finalized model, and decides nothing. Needs $AUTOML_DATA; $WORKERS trainings run at once, two if it is not set.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _run import automl, fill

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
TABLE, RECORD = DOCS / "finalize.md", DOCS / "finalize.json"
INTRODUCTION = """\
## Measured

Ten seeds, which the parts are cut by too; two trials of a small CNN each, five folds. `python benchmarks/finalize.py`.
"""
SEEDS = range(10)
SETS = {"digits": "digits", "fashion_mnist": "fashion_mnist, 10,000 images"}
EVERY = [*(f"{name}-{seed}" for name in SETS for seed in SEEDS), "arrowhead"]
MODEL = """\
model:
  - conv: {filters: {values: [8, 16]}, kernel_size: 3, norm: batch, norm_momentum: 0.9, pool: max}
  - conv: {filters: {values: [16, 32]}, kernel_size: 3, norm: batch, norm_momentum: 0.9, pool: max}
  - flatten
  - dense: {units: 32, dropout: 0.25}
training: {epochs: EPOCHS, batch_size: 64}
search: {trials: 2, algorithm: random, baselines: false}
"""
EPOCHS = {"digits": 12, "fashion_mnist": 4}
ARROWHEAD = (
    *("--set", "training.epochs=1000", "--set", "training.early_stopping=null", "--set", "training.batch_size=8"),
    # The rate's way down of Ismail Fawaz et al. 2019, https://doi.org/10.1007/s10618-019-00619-1, table 2.
    *("--set", "training.schedule={reduce_on_plateau: {factor: 0.5, patience: 50, min_lr: 0.0001}}"),
    *("--set", "search.objective=val_loss", "--seed", "0"),
)
WORKERS = ("--workers", os.environ.get("WORKERS", "2"))


def measure(name: str) -> dict[str, Any]:
    """Returns what a finalized search said, and what it scored."""
    with tempfile.TemporaryDirectory() as folder:
        if name == "arrowhead":
            return _arrowhead(folder)
        data, _, seed = name.rpartition("-")
        (Path(folder) / "small.yaml").write_text(MODEL.replace("EPOCHS", str(EPOCHS[data])))
        cut = ("--seed", seed, "--set", f"data.split.seed={seed}")
        # Of fashion_mnist, 10,000 images to train on and to validate together.
        limit = ("--set", "data.limit={train: 8000, val: 2000}") if data == "fashion_mnist" else ()
        automl(folder, "search", "small.yaml", "--data", data, *cut, *limit, "--no-report")
        told = automl(folder, "finalize", "--top", "2", "--seeds", "5")
        chosen = next(each for each in told["candidates"] if each["trial"] == told["trial"])
        row = {"mean": chosen["mean"], "low": chosen["low"], "high": chosen["high"], "test": told["score"]}
        return {**row, "holds": told["holds"], "alike": sum(each["alike"] for each in told["candidates"])}


def _arrowhead(folder: str) -> dict[str, Any]:
    found = automl(folder, "search", "fcn", "--data", "arrowhead", "--trials", "4", *WORKERS, *ARROWHEAD, "--no-report")
    told = automl(folder, "finalize", "--top", "3", "--seeds", "5", "--ensemble", *WORKERS)
    return {
        "test": told["test"]["test_accuracy"],
        "winner": found["best"]["test"]["test_accuracy"],
        "members": told["members"],
    }


def write(rows: Mapping[str, Any]) -> None:
    """Writes the page: its text, and what was measured."""
    # What stands above is written by hand.
    parts = [TABLE.read_text().split("## Measured")[0] + INTRODUCTION]
    parts += [
        "| set | seeds | interval holds the test score | mean of folds | test | width of the interval |",
        "|---" * 6 + "|",
    ]
    for data, title in SETS.items():
        mine = [rows[f"{data}-{seed}"] for seed in SEEDS if f"{data}-{seed}" in rows]
        if mine:
            held = sum(row["holds"] for row in mine)
            mean, test, width = (
                sum(map(of, mine)) / len(mine)
                for of in (lambda row: row["mean"], lambda row: row["test"], lambda row: row["high"] - row["low"])
            )
            parts.append(f"| {title} | {len(mine)} | {held} of {len(mine)} | {mean:.4f} | {test:.4f} | {width:.4f} |")
    if (row := rows.get("arrowhead")) is not None:
        told = f"the mean of {row['members']} networks {row['test']:.1%}, the search's own winner {row['winner']:.1%}"
        known = "Published means are 84.3 and 83.8 % after up to 2,000 epochs"
        parts += ["", f"ArrowHead, 36 series to learn from: {told} of the test part right. {known}."]
    TABLE.write_text("\n".join(parts).rstrip() + "\n")


if __name__ == "__main__":
    fill(RECORD, EVERY, sys.argv[1:], measure, write)
