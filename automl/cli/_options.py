"""Options that several commands take, each said once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from automl import members
from automl.cli import _completion


class Naming(click.Option):
    """An option whose help says what there is to name, asked for when the help is shown: `automl --help` is instant.

    Args:
        names: Returns what `{names}` in the help stands for.
    """

    def __init__(self, *args: Any, names: Callable[[], Iterable[str]], **given: Any) -> None:
        super().__init__(*args, **given)
        self._names = names

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Returns the option's line of the help."""
        self.help = (self.help or "").replace("{names}", ", ".join(self._names()))
        return super().get_help_record(ctx)


def naming(folder: str) -> dict[str, Any]:
    """Returns what makes an option name the members of a registry.

    Args:
        folder: Dotted name of the registry's folder.
    """
    return {"cls": Naming, "names": lambda: members.names(folder)}


def _backends() -> Iterable[str]:
    from automl.machine.keras_backend import BACKENDS

    return BACKENDS


space = click.argument("space", shell_complete=_completion.spaces)
of_search = click.argument("search", required=False, shell_complete=_completion.searches)
data = click.option(
    "--data", help="Name or file of the data set; else the document's own.", shell_complete=_completion.datasets
)
trials = click.option("--trials", type=click.IntRange(min=1), help="Trials in all.")
workers = click.option(
    "--workers", type=click.IntRange(1, 256), help="Trials at once; else 1, or as many as the GPUs take."
)
gpus = click.option("--gpus", help="GPUs to use, as 0,1 (nvidia-smi's numbers or UUIDs); else all that are visible.")
workers_per_gpu = click.option(
    "--workers-per-gpu", type=click.IntRange(1, 64), help="Trials at once on each GPU, which share its memory; else 1."
)
algorithm = click.option("--algorithm", **naming("automl.oracles"), help="Search algorithm: {names}.")
scheduler = click.option(
    "--scheduler", **naming("automl.schedulers"), help="What stops trials that promise little: {names}."
)
seed = click.option("--seed", type=int, help="Seed of the search.")
settings = click.option(
    "--set", "options", multiple=True, metavar="PATH=VALUE", help="Write a value into the document."
)
tracking = click.option("--tracking-uri", help="MLflow tracking server; else $MLFLOW_TRACKING_URI, else ./mlruns.")
warm_start = click.option(
    "--warm-start",
    metavar="EXPERIMENT_OR_RUN",
    help="Try the best of earlier MLflow runs first: name or id of an experiment, id of a run or of a search.",
)
warm_start_points = click.option(
    "--warm-start-points",
    type=click.IntRange(min=1),
    help="Points to take from them; else 5, and at most a third of the trials.",
)
SECTION = ("trials", "time", "algorithm", "scheduler", "seed")
"""Options that are keys of the search section, in the order in which they are written into the document."""


def take_section(given: dict[str, Any]) -> dict[str, Any]:
    """Takes out of a command's options those that are keys of the search section; returns the ones that were given."""
    taken = {key: given.pop(key, None) for key in SECTION}
    taken["baselines"] = False if given.pop("no_baselines") else None
    return {key: value for key, value in taken.items() if value is not None}


baselines = click.option(
    "--no-baselines", is_flag=True, help="Do not measure first what is simpler than a network, as a linear model."
)
_SEARCH = (workers, gpus, workers_per_gpu, algorithm, scheduler, seed, baselines, settings)


def of_a_search(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that say how a search is run, in the order in which help shows them."""
    for option in reversed(_SEARCH):
        command = option(command)
    return command


backend = click.option("--backend", cls=Naming, names=_backends, help="Keras backend: {names}; else $KERAS_BACKEND.")
root = click.option("--data-root", type=click.Path(file_okay=False, path_type=Path), help="Parent folder of data sets.")
cluster = click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Run trials on a Ray cluster: ray://host:port, or auto for the one of this machine.",
)
_SHARES = (
    click.option("--cpus-per-trial", type=click.FloatRange(0.01), help="CPUs of the cluster for each trial; else 1."),
    click.option(
        "--gpus-per-trial",
        type=click.FloatRange(0),
        help="GPUs of the cluster for each trial, 0.5 for half of one; else 1 where it has some.",
    ),
)


def of_a_cluster(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that say what a trial takes of a cluster."""
    for option in reversed((cluster, *_SHARES)):
        command = option(command)
    return command


no_report = click.option("--no-report", is_flag=True, help="Do not keep the report on the search's run in MLflow.")
inline = click.option("--inline", is_flag=True, help="Run trials in this process, for debugging.")
champion = click.option(
    "--champion",
    type=click.Choice(["always", "better", "never"]),
    default="better",
    show_default=True,
    help="When the model takes the name's alias champion; the one before keeps the alias previous.",
)
