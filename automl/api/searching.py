"""`automl` from Python, for scripts and notebooks: a search, its trials as a table, its best model; a space."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.api import command
from automl.api.plain import plain
from automl.document import yaml_text
from automl.errors import ConfigError, SearchError
from automl.machine import folders
from automl.results import leaderboard

if TYPE_CHECKING:
    import keras
    import pandas as pd

    from automl.experiment.experiment import Experiment
    from automl.integrations.hypermodel import SpaceModel

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


def search(
    space: str | Path | Mapping[str, Any],
    data: str | Path | Mapping[str, Any] | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    home: str | Path | None = None,
    **options: Any,
) -> Search:
    """Searches a space for the best model of a data set, as `automl search` does, and returns when it ended.

    The search runs in a process of its own: this one keeps its GPU and its Keras as they are, and a script needs no
    `if __name__ == "__main__"`. Ctrl-C, or a notebook's stop button, lets the running trials end; twice, it stops them.

    Args:
        space: A shipped name, a YAML file, or the document itself.
        data: The same for the data set; None where the space's document has one.
        settings: Values to write into the document, by path: `{"training.epochs": 3}`.
        home: Where searches live; None for `$AUTOML_HOME`, else `./mlruns`.
        options: Those of `automl search`, with underscores: `trials=20, time="30m", workers=2, algorithm="tpe"`.

    Returns:
        The search. `trials()`, `best` and `model()` read what it found.

    Raises:
        ConfigError: Something given is wrong; all that is wrong is named.
        SearchError: The search could not go on.
    """
    folder = Path(home) if home is not None else folders.writable_home()
    with tempfile.TemporaryDirectory() as drafts:
        name, data_name = _names(space, data, Path(drafts))
        line = [name] if data_name is None else [name, "--data", data_name]
        line += [word for option in _options(settings) for word in ("--set", option)]
        result = command.run("search", line, options, folder, drafts)
    return Search(folder, result["search_id"])


@dataclass(frozen=True)
class Space:
    """A checked search space, with its data where it has some.

    Args:
        read: What was read.
    """

    read: Experiment

    @property
    def params(self) -> list[str]:
        """The names of its parameters."""
        return list(self.read.space.by_name)

    def hypermodel(self) -> SpaceModel:
        """Returns the space as a `keras_tuner.HyperModel`, for one's own tuner: see `integrations.hypermodel`.

        Raises:
            ConfigError: It has no data, or pretrained weights are missing or do not fit.
            DataError: The data is missing or does not fit its document.
        """
        from automl.integrations.hypermodel import SpaceModel

        return SpaceModel(self.read)


def load_space(
    space: str | Path | Mapping[str, Any],
    data: str | Path | Mapping[str, Any] | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
) -> Space:
    """Reads a search space and checks it; the arguments are those of `search`.

    Raises:
        ConfigError: Everything that is wrong with it.
    """
    from automl.experiment import experiment

    with tempfile.TemporaryDirectory() as drafts:
        try:
            return Space(experiment.load(*_names(space, data, Path(drafts)), _options(settings)))
        except ConfigError as error:
            places = [replace(problem, where=command.without(problem.where, drafts)) for problem in error.problems]
            raise ConfigError(places) from None


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


def _names(space: Any, data: Any, drafts: Path) -> tuple[str, str | None]:
    """Returns space and data as the command line takes them; documents given as such are written to `drafts`."""
    return _named(space, drafts / "space.yaml"), None if data is None else _named(data, drafts / "data.yaml")


def _options(settings: Mapping[str, Any] | None) -> list[str]:
    written = plain(dict(settings or {}), "settings")
    return [f"{path}={json.dumps(value)}" for path, value in written.items()]


def _named(given: str | Path | Mapping[str, Any], draft: Path) -> str:
    """Returns a name or a path as it was given; writes a document down first, whose files are then found from here."""
    if not isinstance(given, Mapping):
        return str(given)
    content: dict[str, Any] = plain(given, draft.name)
    here = {"root": str(Path.cwd())}
    if "source" in content:
        content = here | content
    elif isinstance(content.get("data"), dict):
        content = {**content, "data": here | content["data"]}
    draft.write_text(yaml_text.dump(content), encoding="utf-8")
    return str(draft)
