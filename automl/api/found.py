"""A search from Python: its trials as a table, its best model, what it has to say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.api import command
from automl.errors import SearchError
from automl.machine import folders
from automl.results import leaderboard

if TYPE_CHECKING:
    import keras
    import pandas as pd
    from matplotlib.figure import Figure

SHOWN_TRIALS = 10
"""So many of a leaderboard's rows stand where a notebook shows a search."""


@dataclass(frozen=True)
class Search:
    """A search in a home folder, running or ended: read from its journal.

    Args:
        home: Where searches live.
        id: Its id.
    """

    home: Path
    id: str

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What `automl search -o json` prints at its end: status, counts, the winner with its test scores.

        Raises:
            SearchError: It has not ended.
        """
        finished = leaderboard.history(self.home, self.id).finished
        if finished is None:
            raise SearchError(f"search {self.id} has not ended. Go on with it: automl resume {self.id}")
        return dict(finished.result)

    @property
    def best(self) -> dict[str, Any]:
        """The best trial so far, with its values, its scores and its resolved document.

        Raises:
            SearchError: No trial has a score yet.
        """
        return self.trial(self._best())

    def trial(self, number: int) -> dict[str, Any]:
        """Returns all there is to know of a trial, as `automl show -o json` does."""
        return leaderboard.details(self.home, self.id, number)

    def trials(self) -> pd.DataFrame:
        """Returns the leaderboard: a row a trial, the best first, a column for every searched value."""
        import pandas as pd

        rows = [(row.pop("params"), row) for row in leaderboard.rows(self.home, self.id)]
        return pd.DataFrame([{**row, **values} for values, row in rows])

    def baselines(self) -> pd.DataFrame:
        """Returns what is simpler than a network: a row a baseline, a column for every metric of the validation part.

        Those of the test part, measured at the end, are among the `summary`.
        """
        import pandas as pd

        told = leaderboard.history(self.home, self.id).baselines
        return pd.DataFrame([{"baseline": name, **event.metrics} for name, event in told.items()])

    def epochs(self) -> pd.DataFrame:
        """Returns the curves: a row an epoch of each trial, a column for every metric."""
        import pandas as pd

        told = leaderboard.history(self.home, self.id).trials
        return pd.DataFrame([
            {"trial": number, "epoch": report.epoch, **report.metrics}
            for number, trial in told.items()
            for report in trial.reports
        ])  # fmt: skip

    def model(self) -> keras.Model:
        """Loads the best trial's model, which takes raw examples. Runs no code of the file's.

        Raises:
            SearchError: No trial has a score yet, or its file is gone, damaged, or another's.
        """
        # Without the page of things that TensorFlow says, which a notebook would keep.
        return leaderboard.load_model(self.home, self.id, self._best())

    def report(self, to: str | Path | None = None, *, winner: bool = True) -> Path:
        """Writes the search's report, one HTML file, as `automl report` does; over the file that is there.

        Args:
            to: The file; None for the search's name with `.html` in this folder.
            winner: Also look at the winner, which loads its model and reads the data.

        Raises:
            ConfigError: There is no such folder.
        """
        from automl.deploy import write_report

        return write_report.write_report(
            self.home, self.id, None if to is None else Path(to), winner=winner, force=True
        )

    def plot(self, name: str) -> Figure | None:
        """Returns a plot of the report as a Matplotlib figure; None where there is nothing to see.

        Those of the winner, which need its model and the data, only the report has.

        Args:
            name: Of a file in `automl/results/plots`, as `learning_curves`, `importance`, `slices`.

        Raises:
            UnknownName: There is no such plot.
        """
        from automl.results import plots

        return plots.registry.read(name).draw(plots.Searched(*leaderboard.read(self.home, self.id)))

    def importance(self) -> pd.Series:
        """Returns how much each parameter decides of the score, the most first; they add up to one."""
        import pandas as pd

        from automl.results.plots import Searched

        return pd.Series(dict(Searched(*leaderboard.read(self.home, self.id)).importances), dtype=float)

    def compare(self, *trials: int) -> pd.DataFrame:
        """Returns what differs between trials: a row for each parameter and figure, a column for each trial.

        Raises:
            ConfigError: There is no such trial, or only one is named.
        """
        import pandas as pd

        from automl.results import comparison

        return pd.DataFrame(comparison.trials(self.home, self.id, trials)).set_index("what")

    def predict(self, *files: str | Path, probabilities: bool = False) -> pd.DataFrame:
        """Returns what the best trial's model predicts for files, as `automl predict` does: a row an example.

        Args:
            files: Of the form that the data set had, or arrays.
            probabilities: Also those of every class.

        Raises:
            ConfigError: A file is not there.
            DataError: One cannot be read as the data set was.
            SearchError: The model's file is gone, damaged, or another's.
        """
        import pandas as pd

        from automl.deploy.finished import found
        from automl.deploy.predict import Predictions

        with found(self.home, self.id) as finished:
            answers = Predictions(finished, [Path(file) for file in files])
            pieces = [pd.DataFrame(columns) for columns in answers.batches(probabilities=probabilities)]
        return pd.concat(pieces, ignore_index=True)

    def finalize(self, top: int = 3, seeds: int = 5, **options: Any) -> dict[str, Any]:
        """Compares the best trials on folds, and trains the model to use, as `automl finalize` does.

        Args:
            top: Best trials to compare.
            seeds: Folds, each with a seed.
            options: The others of `automl finalize`, with underscores: `ensemble`, `choose`, `workers`, `champion`.

        Returns:
            What `automl finalize -o json` prints: the candidates, the score on the test part, where the model lies.

        Raises:
            ConfigError: An option is wrong, or no trial has a score.
            SearchError: The data is another, or a training failed.
        """
        return command.run("finalize", [self.id], {"top": top, "seeds": seeds, **options}, self.home)

    def resume(self, trials: int | None = None, **options: Any) -> Search:
        """Goes on with the search, as `automl resume` does; one that was stopped, or with more trials.

        Args:
            trials: A new total of trials; None for the old one.
            options: Those of `automl resume`, with underscores.

        Returns:
            The search, with what it found since.

        Raises:
            ConfigError: An option is wrong, or the search's documents changed.
            SearchError: The search could not go on.
        """
        command.run("resume", [self.id], {"trials": trials, **options}, self.home)
        return Search(self.home, self.id)

    def __repr__(self) -> str:
        return f"Search({self.id!r})"  # without the home: whoever keeps a notebook keeps no path of his machine

    def _repr_html_(self) -> str:
        """Shows the top of the leaderboard in a notebook."""
        table, style = self.trials(), {"index": False, "na_rep": "", "float_format": "{:.4g}".format}
        more = f", the first {SHOWN_TRIALS} of {len(table)} trials" if len(table) > SHOWN_TRIALS else ""
        return f"<p>search {self.id}{more}</p>{table.head(SHOWN_TRIALS).to_html(**style)}"

    def _best(self) -> int:
        number = leaderboard.best_trial(self.home, self.id)
        if number is None:
            raise SearchError(f"search {self.id} has no scored trial yet.")
        return number


def load_search(search_id: str | None = None, home: str | Path | None = None) -> Search:
    """Returns an earlier search.

    Args:
        search_id: Its id or a part of it that no other has; None for the last one.
        home: Where searches live; None for `$AUTOML_HOME`, else `./mlruns`.

    Raises:
        ConfigError: There is none, or more than one.
    """
    folder = Path(home) if home is not None else folders.home()
    return Search(folder, leaderboard.find_search(folder, search_id))
