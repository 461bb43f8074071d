"""`automl` from Python, for scripts and notebooks: a search, its trials as a table, its best model; a space."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl import cli, document, environment, leaderboard
from automl.environment import HOME_VARIABLE, MODEL, search_folder, trial_folder
from automl.errors import ConfigError, ExportError, Problem, SearchError, did_you_mean

if TYPE_CHECKING:
    import keras
    import pandas as pd

    from automl.experiment import Experiment
    from automl.hypermodel import SpaceModel

OWN = {"space", "data", "options", "output"}
"""What `search` takes of the command line's arguments by another name."""


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

        rows = leaderboard.rows(self.home, self.id)
        return pd.DataFrame([{**row, **row.pop("params")} for row in rows])

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
            SearchError: No trial has a score yet.
            ExportError: Its file is gone.
        """
        path = trial_folder(search_folder(self.home, self.id), self._best()) / MODEL
        if not path.exists():
            raise ExportError(f"{path}: the best trial's model is gone. Run the search again.")
        import keras

        return keras.saving.load_model(path, compile=False, safe_mode=True)

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
    folder = Path(home) if home is not None else environment.writable_home()
    with tempfile.TemporaryDirectory() as drafts:
        name, data_name = _names(space, data, Path(drafts))
        line = [name] if data_name is None else [name, "--data", data_name]
        line += [word for option in _options(settings) for word in ("--set", option)]
        result = _run(["search", *line, *_flags(options), "--output", "json"], folder, drafts)
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
        """Returns the space as a `keras_tuner.HyperModel`, for a tuner of one's own: see `automl.hypermodel`.

        Raises:
            ConfigError: It has no data, or pretrained weights are missing or do not fit.
            DataError: The data is missing or does not fit its document.
        """
        from automl.hypermodel import SpaceModel

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
    from automl import experiment

    with tempfile.TemporaryDirectory() as drafts:
        try:
            return Space(experiment.load(*_names(space, data, Path(drafts)), _options(settings)))
        except ConfigError as error:
            places = [replace(problem, where=_shown_place(problem.where, drafts)) for problem in error.problems]
            raise ConfigError(places) from None


def load_search(search_id: str | None = None, home: str | Path | None = None) -> Search:
    """Returns an earlier search.

    Args:
        search_id: Its id or the beginning of it; None for the last one.
        home: Where searches live; None for `$AUTOML_HOME`, else `./mlruns`.

    Raises:
        ConfigError: There is none, or more than one.
    """
    folder = Path(home) if home is not None else environment.home()
    return Search(folder, leaderboard.find_search(folder, search_id))


def _names(space: Any, data: Any, drafts: Path) -> tuple[str, str | None]:
    """Returns space and data as the command line takes them; documents given as such are written to `drafts`."""
    return _named(space, drafts / "space.yaml"), None if data is None else _named(data, drafts / "data.yaml")


def _options(settings: Mapping[str, Any] | None) -> list[str]:
    return [f"{path}={json.dumps(value)}" for path, value in (settings or {}).items()]


def _shown_place(text: str, drafts: str) -> str:
    """Takes away the folder of the drafts, which is gone when an error is read."""
    return text.replace(f"{drafts}{os.sep}", "")


def _named(given: str | Path | Mapping[str, Any], draft: Path) -> str:
    """Returns a name or a path as it was given; writes a document down first, whose files are then found from here."""
    if not isinstance(given, Mapping):
        return str(given)
    here = {"root": str(Path.cwd())}
    if "source" in given:
        given = here | dict(given)
    elif isinstance(given.get("data"), Mapping):
        given = {**given, "data": here | dict(given["data"])}
    draft.write_text(document.dump(dict(given)))
    return str(draft)


def _flags(options: Mapping[str, Any]) -> list[str]:
    """Returns options as the command line takes them.

    Raises:
        ConfigError: There is no such option.
    """
    verb = cli.main.get_command(None, "search")  # type: ignore[arg-type]
    known = {option.name: option for option in verb.params if option.name not in OWN}  # type: ignore[union-attr]
    line: list[str] = []
    for name, value in options.items():
        if name not in known:
            hint = did_you_mean(name, known)
            raise ConfigError(Problem(f"search({name}=...)", "no such option", hint=hint or "See automl search --help"))
        if value is None or value is False:
            continue
        line += [known[name].opts[0], *([] if value is True else [str(value)])]
    return line


def _run(line: list[str], home: Path, drafts: str) -> dict[str, Any]:
    """Runs the command line in a process of its own, shows what it says, and returns the object that it prints."""
    variables = {**os.environ, HOME_VARIABLE: str(home)}
    if "keras" in sys.modules:
        variables.setdefault("KERAS_BACKEND", sys.modules["keras"].config.backend())
    command = [sys.executable, "-m", "automl", *line]
    # A session of its own: Ctrl-C is handed on below, and not a second time by the terminal.
    how: dict[str, Any] = {"env": variables, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    with tempfile.TemporaryFile("w+") as out, subprocess.Popen(command, stdout=out, **how) as process:
        errors = _shown(process)
        code = process.wait()
        out.seek(0)
        printed = out.read().splitlines()
    if code in (cli.EXIT_FAILED, cli.EXIT_USAGE) or not printed:
        raise _error(code, [_shown_place(text, drafts) for text in errors])
    return dict(json.loads(printed[-1]))


def _shown(process: subprocess.Popen[str]) -> list[str]:
    """Prints what a process says, until it ends; returns its errors. Hands Ctrl-C on to it."""
    errors: list[str] = []
    assert process.stderr is not None
    while True:
        try:
            for text in process.stderr:
                if text.startswith("Error: "):
                    errors.append(text.removeprefix("Error: ").rstrip())
                else:
                    sys.stderr.write(text)
                    sys.stderr.flush()
            return errors
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)


def _error(code: int, errors: list[str]) -> BaseException:
    """Returns the exception that a process ended with."""
    if code == cli.EXIT_INTERRUPTED:
        return KeyboardInterrupt()
    if code == cli.EXIT_USAGE and errors:
        return ConfigError([Problem(*line.split(": ", 1)) for line in errors])
    return SearchError("\n".join(errors) or f"the search ended with exit code {code}.")
