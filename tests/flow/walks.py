"""A driver of a search whose trials are walks of random numbers: quick, so that it can be killed often.

`python walks.py HOME SPACE MODEL` begins the search of a home or goes on with it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from pathlib import Path

from mix import WEIGHTS

from automl.driver import launch
from automl.driver.options import Options
from automl.driver.progress import Watcher
from automl.executors import Tell
from automl.experiment import experiment
from automl.machine.folders import MODEL
from automl.records.trials import Report, TrialRequest, TrialResult

EPOCHS = 6


def score_of(request: TrialRequest, epoch: int) -> float:
    text = json.dumps([request.document["model"], request.seed, epoch], sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32


def walk(request: TrialRequest, tell: Tell) -> TrialResult:
    """Reports six epochs, and starts from the first one whenever it is tried again."""
    scores: list[float] = []
    for epoch in range(1, EPOCHS + 1):
        time.sleep(0.02)
        scores.append(score_of(request, epoch))
        metrics = {"loss": 1.0 / epoch, "val_accuracy": scores[-1]}
        waits = epoch in request.rungs
        if not tell(Report(request.trial, request.attempt, epoch, metrics, waits=waits)) and waits:
            break
    # Any model will do; the driver tests and registers it.
    shutil.copy(Path(request.folder).parents[2] / MODEL, request.folder)
    best = max(scores)
    outcome = "completed" if len(scores) == EPOCHS else "stopped"
    at = scores.index(best) + 1
    return TrialResult(
        request.trial, request.attempt, outcome, best, at, {"val_accuracy": best}, len(scores), 0.1, WEIGHTS,
        str(Path(request.folder) / MODEL),
    )  # fmt: skip


def stroll(request: TrialRequest, tell: Tell) -> TrialResult:
    """Walks slowly enough for somebody to interfere."""

    def slowly(report: Report) -> bool:
        time.sleep(0.2)
        return tell(report)

    return walk(request, slowly)


def main(home: Path, space: Path) -> None:
    begun = [path.parent.name for path in (home / "searches").glob("*/journal.jsonl")]
    options = Options(home=home, workers=2)
    if begun:
        launch.resume(begun[0], options, Watcher(), run=walk)
    else:
        launch.start(experiment.load(str(space)), options, Watcher(), walk)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    from walks import main as run  # by its name, as the workers import `walk`

    run(Path(sys.argv[1]), Path(sys.argv[2]))
