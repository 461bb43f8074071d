"""`automl` from Python, for scripts and notebooks: a search is begun, a space is read."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.api import command
from automl.api.found import Search
from automl.api.plain import plain
from automl.document import yaml_text
from automl.errors import ConfigError
from automl.machine import folders
from automl.records.objective import Champion

if TYPE_CHECKING:
    from automl.experiment.experiment import Experiment
    from automl.integrations.hypermodel import SpaceModel


def search(
    space: str | Path | Mapping[str, Any],
    data: str | Path | Mapping[str, Any] | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    home: str | Path | None = None,
    trials: int | None = None,
    time: str | None = None,
    workers: int | None = None,
    gpus: str | None = None,
    workers_per_gpu: int | None = None,
    algorithm: str | None = None,
    scheduler: str | None = None,
    seed: int | None = None,
    no_baselines: bool = False,
    warm_start: str | None = None,
    warm_start_points: int | None = None,
    name: str | None = None,
    champion: Champion = "better",
    experiment: str | None = None,
    tracking_uri: str | None = None,
    backend: str | None = None,
    data_root: str | Path | None = None,
    cluster: str | None = None,
    cpus_per_trial: float | None = None,
    gpus_per_trial: float | None = None,
    no_report: bool = False,
    inline: bool = False,
    **others: Any,
) -> Search:
    """Searches a space for the best model of a data set, as `automl search` does, and returns when it ended.

    The search runs in a process of its own: this one keeps its GPU and its Keras as they are, and a script needs no
    `if __name__ == "__main__"`. Ctrl-C, or a notebook's stop button, lets the running trials end; twice, it stops them.
    Over the size limit because an editor completes what is written here: every option of the command line, by its name.

    Args:
        space: A shipped name, a YAML file, or the document itself.
        data: The same for the data set; None where the space's document has one.
        settings: Values to write into the document, by path: `{"training.epochs": 3}`.
        home: Where searches live; None for `$AUTOML_HOME`, else `./mlruns`.
        trials: Trials in all.
        time: End the search after this time, its running trials too: `"90s"`, `"30m"`, `"1h30m"`.
        workers: Trials at once; None for one, or as many as the GPUs take.
        gpus: GPUs to use, as `"0,1"`; None for all that are visible.
        workers_per_gpu: Trials at once on each GPU.
        algorithm: Search algorithm, as `"tpe"`.
        scheduler: What stops trials that promise little, as `"asha"`.
        seed: Seed of the search.
        no_baselines: Do not measure first what is simpler than a network.
        warm_start: Experiment or run whose best points are tried first.
        warm_start_points: How many of them.
        name: Of the run and the registered model; None for `SPACE-DATA`.
        champion: When the model takes the name's alias `champion`.
        experiment: MLflow experiment; None for `$MLFLOW_EXPERIMENT_NAME`, else the data set's name.
        tracking_uri: MLflow tracking server; None for `$MLFLOW_TRACKING_URI`, else the store in `home`.
        backend: Keras backend; None for that of this process, else `$KERAS_BACKEND`, else tensorflow.
        data_root: Parent folder of data sets.
        cluster: Address of a Ray cluster to run trials on.
        cpus_per_trial: CPUs of the cluster for each trial.
        gpus_per_trial: GPUs of the cluster for each trial.
        no_report: Do not keep the report on the search's run in MLflow.
        inline: Run trials in the search's own process, for debugging.
        others: None: a misspelt option is answered with the nearest.

    Returns:
        The search. `trials()`, `best` and `model()` read what it found, `report()` and `plot()` show it.

    Raises:
        ConfigError: Something given is wrong; all that is wrong is named.
        SearchError: The search could not go on.
    """
    options = {
        "trials": trials,
        "time": time,
        "workers": workers,
        "gpus": gpus,
        "workers_per_gpu": workers_per_gpu,
        "algorithm": algorithm,
        "scheduler": scheduler,
        "seed": seed,
        "no_baselines": no_baselines,
        "warm_start": warm_start,
        "warm_start_points": warm_start_points,
        "name": name,
        "champion": champion,
        "experiment": experiment,
        "tracking_uri": tracking_uri,
        "backend": backend,
        "data_root": data_root,
        "cluster": cluster,
        "cpus_per_trial": cpus_per_trial,
        "gpus_per_trial": gpus_per_trial,
        "no_report": no_report,
        "inline": inline,
        **others,
    }
    folder = Path(home) if home is not None else folders.writable_home()
    with tempfile.TemporaryDirectory() as drafts:
        space_name, data_name = _names(space, data, Path(drafts))
        line = [space_name] if data_name is None else [space_name, "--data", data_name]
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
