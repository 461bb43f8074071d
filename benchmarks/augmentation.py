"""Searches a space with and without its augmentation on few images, and writes docs/augmentation.md.

    python benchmarks/augmentation.py           all searches that docs/augmentation.json does not hold yet: 20 minutes
    python benchmarks/augmentation.py none/1 ...          these searches, again

Trials and epochs are the same for both; the winner by validation accuracy is tested once.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from _run import automl, fill

DOCS = Path(__file__).parents[1] / "docs"
TABLE, RECORD = DOCS / "augmentation.md", DOCS / "augmentation.json"
SPACE, DATA = "cnn_augmented", "fashion_mnist"
TRIALS, EPOCHS, SEEDS = 6, 30, (0, 1, 2)
LIMIT = "{train: 1000, val: 1000}"
KINDS = {"searched": [], "none": ["--set", "training.augmentation={}"]}
INTRODUCTION = f"""\
# Augmentation

Test accuracy in percent on the 10,000 test images of fashion_mnist after training on 1,000: the space `{SPACE}` as it
is, and with its augmentation taken out (`none`). Each cell is one search of {TRIALS} trials of {EPOCHS} epochs at most;
its winner by accuracy on 1,000 validation images is tested once. The seed chooses trials, weights and the order of
examples; the images are the same. Written by `benchmarks/augmentation.py`.
"""


def command(kind: str, seed: str) -> list[str]:
    """Returns the command of a search, as a person would type it."""
    same = ["--set", f"data.limit={LIMIT}", "--set", f"training.epochs={EPOCHS}", *KINDS[kind]]
    return ["search", SPACE, "--data", DATA, "--trials", str(TRIALS), "--workers", "2", "--seed", seed, *same]


def measure(kind: str, seed: str) -> dict[str, Any]:
    """Runs one search in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        found = automl(folder, *command(kind, seed))
    best = found["best"]
    return {
        "val": round(100 * best["score"], 1),
        "test": round(100 * best["test"]["test_accuracy"], 1),
        "wall_s": round(found["wall_s"]),
        "params": best["params"],
    }


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Returns the page."""
    lines = [INTRODUCTION, f"| augmentation | {' | '.join(f'seed {s}' for s in SEEDS)} | mean |"]
    lines.append("|---" * (len(SEEDS) + 2) + "|")
    for kind in KINDS:
        found = [rows.get(f"{kind}/{seed}") for seed in SEEDS]
        cells = ["" if row is None else str(row["test"]) for row in found]
        there = [row["test"] for row in found if row is not None]
        lines.append(f"| {' | '.join([kind, *cells, f'{statistics.mean(there):.1f}' if there else ''])} |")
    lines += ["", "What the winners with a searched augmentation do:", ""]
    for seed in SEEDS:
        row = rows.get(f"searched/{seed}")
        if row is not None:
            mark = "training.augmentation."
            told = [f"{k.removeprefix(mark)} {v}" for k, v in row["params"].items() if k.startswith(mark)]
            lines.append(f"- seed {seed}: {', '.join(told)}")
    lines += ["", "```"]
    for name, row in rows.items():
        kind, seed = name.split("/")
        quoted = [f"'{word}'" if " " in word or "{" in word else word for word in command(kind, seed)]
        lines.append(f"automl {' '.join(quoted)}    # {row['wall_s']} s, val_accuracy {row['val']}")
    return "\n".join([*lines, "```", ""])


def main(wanted: list[str]) -> None:
    """Runs the searches, keeps each as soon as it is there, and writes the page."""
    every = [f"{kind}/{seed}" for seed in SEEDS for kind in KINDS]
    fill(RECORD, every, wanted, lambda name: measure(*name.split("/")), lambda rows: TABLE.write_text(table(rows)))


if __name__ == "__main__":
    main(sys.argv[1:])
