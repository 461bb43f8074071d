"""Chooses space and configuration by five folds on four UCR/UEA sets, trains the choice on all of them, tests it.

    python benchmarks/folds.py                  all sets that docs/folds.json does not hold yet: hours
    python benchmarks/folds.py gunpoint ...     these sets, again

A search tests its winner as ever; the choice between spaces reads none of it. What stands in the table is the chosen
configuration, trained with five seeds.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from _run import automl, fill
from results import DATA, DOCS, PUBLISHED

TABLE, RECORD = DOCS / "folds.md", DOCS / "folds.json"
SPACES = ("fcn", "resnet1d")
TRIALS, SEEDS = 4, 5
INTRODUCTION = f"""\
# Folds on small sets

Test accuracy in percent on the official test parts of four UCR/UEA sets. For each set, {len(SPACES)} spaces
({", ".join(SPACES)}) are searched with {TRIALS} trials each, measured by five folds of the training part; the
configuration with the least mean validation loss is trained on all of the training part, for its mean best epoch, with
{SEEDS} seeds. Beside it, the published means of FCN and ResNet (Ismail Fawaz et al. 2019,
https://doi.org/10.1007/s10618-019-00619-1, five runs of up to 2,000 epochs). Written by `benchmarks/folds.py`.
"""


def command(data: str, space: str) -> list[str]:
    """Returns the command of a search, as a person would type it."""
    # By loss: of some ten validation examples many trials get as many right.
    folds = ["--set", "evaluation.folds=5", "--set", "search.objective=val_loss"]
    return ["search", space, "--data", data, "--trials", str(TRIALS), "--workers", "2", *folds]


def chosen(data: str) -> dict[str, Any]:
    """Searches every space; returns the winner of the best one, without a look at its test figures."""
    found = []
    for space in SPACES:
        with tempfile.TemporaryDirectory() as folder:
            best = automl(folder, *command(data, space))["best"]
            shown = automl(folder, "show", str(best["trial"]))
        known = {name: shown[name] for name in ("score", "spread", "best_epoch", "params", "document")}
        found.append({"space": space, **known})
    return min(found, key=lambda each: each["score"])


def tested(choice: dict[str, Any]) -> list[float]:
    """Trains a configuration on all folds together and tests it, once a seed."""
    from automl.data import prepare
    from automl.data.section import DataDocument
    from automl.experiment import experiment
    from automl.records.objective import Goals
    from automl.records.trials import TestRequest, TrialRequest
    from automl.worker.trial import run_refit, run_test

    document, goals, found = choice["document"], Goals.single("val_loss", "min"), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        read = DataDocument.model_validate(document["data"])
        data = prepare.prepare(read, folder / "data", None, experiment.evaluation(document))
        for seed in range(SEEDS):
            request = TrialRequest(1, 1, document, seed, data, name, goals, choice["best_epoch"])
            trained = run_refit(request, lambda _: True)
            result = run_test(TestRequest(1, 1, document, data, str(trained.model)), lambda _: True)
            if message := trained.message or result.message:
                raise RuntimeError(f"{document['data']['name']}, seed {seed}: {message}")
            found.append(round(100 * result.metrics["test_accuracy"], 1))
    return found


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Returns the page."""
    lines = [
        INTRODUCTION,
        "| data | chosen | median | seeds | published FCN | published ResNet |",
        "|---|---|---|---|---|---|",
    ]
    for data, row in rows.items():
        cells = [DATA[data], row["space"], f"**{statistics.median(row['test']):.1f}**"]
        cells += [", ".join(map(str, row["test"])), *map(str, PUBLISHED[data])]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "```"]
    lines += [f"automl {' '.join(command(data, space))}" for data in rows for space in SPACES]
    return "\n".join([*lines, "```", ""])


def measure(data: str) -> dict[str, Any]:
    """Chooses on the training part of a set, and tests the choice."""
    choice = chosen(data)
    row = {name: choice[name] for name in ("space", "score", "spread", "best_epoch", "params")}
    return row | {"test": tested(choice)}


def main(wanted: list[str]) -> None:
    """Runs the sets, keeps each as soon as it is there, and writes the page."""
    fill(RECORD, list(DATA), wanted, measure, lambda rows: TABLE.write_text(table(rows)))


if __name__ == "__main__":
    main(sys.argv[1:])
