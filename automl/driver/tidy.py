"""What trials leave on disk that nobody needs any more."""

from __future__ import annotations

from pathlib import Path

from automl.driver.ranking import Ranking
from automl.machine.folders import MODEL, trial_folder
from automl.worker.trial import CHECKPOINT


class Tidy:
    """Deletes the checkpoints of trials that ended, and the models of beaten ones.

    Args:
        folder: The search's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bare: set[int] = set()
        """Trials whose files are deleted for good: a beaten model is not best again."""

    def after(self, ranking: Ranking) -> None:
        """Deletes what the trials left that have ended by now."""
        best = ranking.best
        for number in ranking.results.keys() - self._bare:
            folder = trial_folder(self._folder, number)
            (folder / CHECKPOINT).unlink(missing_ok=True)
            if best is None or number != best.trial:
                (folder / MODEL).unlink(missing_ok=True)
                self._bare.add(number)
