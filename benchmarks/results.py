"""Searches four UCR/UEA sets with four shipped spaces and writes docs/results.md beside the published means.

    python benchmarks/results.py                      all rows that docs/results.json does not hold yet
    python benchmarks/results.py gunpoint/fcn ...     these rows, again

Each row is one search. The official test part is looked at once, by the winner of the validation part.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from _run import automl, fill

DOCS = Path(__file__).parents[1] / "docs"
TABLE, RECORD = DOCS / "results.md", DOCS / "results.json"
DATA = {"gunpoint": "GunPoint", "italy_power_demand": "ItalyPowerDemand", "arrowhead": "ArrowHead"}
DATA |= {"japanese_vowels": "JapaneseVowels"}
SPACES = ("fcn", "resnet1d", "rnn", "crnn")
TRIALS = {"fcn": 4, "resnet1d": 4, "rnn": 6, "crnn": 6}
# Means over five runs: Ismail Fawaz et al. 2019, as in the data's SOURCE.txt.
PUBLISHED = {"gunpoint": (100.0, 99.1), "italy_power_demand": (96.3, 96.2), "arrowhead": (84.3, 83.8)}
PUBLISHED |= {"japanese_vowels": (99.3, 99.2)}
INTRODUCTION = """\
# Results

Test accuracy in percent on the official test parts of four UCR/UEA sets, beside the published means of FCN and ResNet
(Ismail Fawaz et al. 2019, https://doi.org/10.1007/s10618-019-00619-1, five runs of up to 2,000 epochs on the whole
training part). Here each cell is one search, of a few trials with one seed; it holds a fifth of the training part back
for validation; its winner by validation loss is tested once. **Bold**: the space with the least validation loss of its
row, which is the one a user would have chosen. The training parts are tiny (GunPoint: 40 examples to train on, 10 to
validate), so a cell may move by several points with its split.
"""


def command(data: str, space: str) -> list[str]:
    """Returns the command of a row, as a person would type it."""
    # By loss: of some ten validation examples many trials get as many right.
    options = ["--set", "search.objective=val_loss", "--seed", "0"]
    return ["search", space, "--data", data, "--trials", str(TRIALS[space]), *options]


def measure(data: str, space: str) -> dict[str, Any]:
    """Runs one search in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        found = automl(folder, *command(data, space))
    best = found["best"]
    return {
        "val_loss": round(best["score"], 4),
        "test": round(100 * best["test"]["test_accuracy"], 1),
        "wall_s": round(found["wall_s"]),
        "trial": best["trial"],
        "params": best["params"],
    }


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Returns the page."""
    header = f"| data | {' | '.join(SPACES)} | published FCN | published ResNet |"
    lines = [INTRODUCTION, header, f"|---|{'---|' * (len(SPACES) + 2)}"]
    for data, title in DATA.items():
        found = {space: rows[f"{data}/{space}"] for space in SPACES if f"{data}/{space}" in rows}
        chosen = min(found, key=lambda space: found[space]["val_loss"], default=None)
        cells = [
            ""
            if space not in found
            else f"**{found[space]['test']}**"
            if space == chosen
            else f"{found[space]['test']}"
            for space in SPACES
        ]
        lines.append(f"| {title} | {' | '.join(cells)} | {PUBLISHED[data][0]} | {PUBLISHED[data][1]} |")
    lines += ["", "Each cell is reproduced by its command. Seconds on 2 cores, with other work beside:", "", "```"]
    for name, row in rows.items():
        lines.append(f"automl {' '.join(command(*name.split('/')))}    # {row['wall_s']} s, val_loss {row['val_loss']}")
    return "\n".join([*lines, "```", ""])


def main(wanted: list[str]) -> None:
    """Runs the rows, keeps each as soon as it is there, and writes the page."""
    every = [f"{data}/{space}" for data in DATA for space in SPACES]
    fill(RECORD, every, wanted, lambda name: measure(*name.split("/")), lambda rows: TABLE.write_text(table(rows)))


if __name__ == "__main__":
    main(sys.argv[1:])
