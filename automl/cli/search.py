"""`search` and `resume`: the one command that searches, tracks, picks and saves a model."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from automl.cli import EXIT_INTERRUPTED, EXIT_NO_TRIAL, _board, _options, _output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.driver.finish import Summary
    from automl.driver.options import Options
    from automl.driver.progress import Watcher
    from automl.experiment.experiment import Experiment
    from automl.space.tree import Values

GROUP = "Search"


@click.command(short_help="Search a space for the best model of a data set.")
@_options.space
@_options.data
@_options.trials
@click.option("--time", help="End the search after this time, its running trials too: 90s, 30m, 1h30m.")
@_options.of_a_search
@_options.warm_start
@_options.warm_start_points
@click.option("--name", help="Name of the run and of the registered model; else SPACE-DATA.")
@_options.champion
@click.option("--experiment", help="MLflow experiment; else $MLFLOW_EXPERIMENT_NAME, else the data set's name.")
@_options.tracking
@_options.backend
@_options.root
@_options.of_a_cluster
@_options.no_report
@_options.inline
@_output.object_option
def search(space: str, data: str | None, options: tuple[str, ...], output: str, **given: Any) -> None:
    """Search the space SPACE, a shipped name or a YAML file, for the best model of a data set.

    \b
    automl search cnn --data digits
    automl search my_space.yaml --data my_data.yaml --trials 40 --workers 2
    automl search rnn --data japanese_vowels --warm-start japanese_vowels
    """  # noqa: D301 - click itself reads the \b
    from automl.driver import changed_document, launch
    from automl.errors import ConfigError, Problem
    from automl.experiment import experiment

    # Options are written into the document, where they are checked like anything else in it.
    flags = _options.take_section(given)
    read = experiment.load(space, data, options, flags)
    if read.data is None:
        raise ConfigError(Problem(read.document.name, "no data to search on", hint="Name a data set with --data"))
    _agree(given)
    wanted, most = given.pop("warm_start"), given.pop("warm_start_points")
    if most is not None and wanted is None:
        raise click.UsageError("--warm-start-points says how many points --warm-start takes. Give both")

    def begin(watcher: Watcher) -> Summary:
        start = _earlier(read, wanted, most, given["tracking_uri"], watcher) if wanted else ()
        begun = experiment.load(space, data, options, flags, start) if start else read
        source = changed_document.source(space, data, options, flags, start)
        return launch.start(begun, _launch_options(**given, source=source), watcher)

    _run(begin, output)


@click.command(short_help="Go on with a search from where it ended.")
@_options.of_search
@click.option("--trials", type=click.IntRange(min=1), help="A new total of trials, to go on with a finished search.")
@click.option("--accept-changes", is_flag=True, help="Go on with the YAML files as they are now.")
@_options.tracking
@_options.root
@_options.cluster
@_options.inline
@_output.object_option
def resume(search: str | None, trials: int | None, accept_changes: bool, output: str, **given: Any) -> None:
    """Go on with the search SEARCH (an id or a part of it; else the last) from where it ended."""
    from automl.driver import launch
    from automl.machine import folders
    from automl.results import leaderboard

    search_id = leaderboard.find_search(folders.home(), search)
    options = _launch_options(**given)
    _run(lambda watcher: launch.resume(search_id, options, watcher, trials, accept_changes=accept_changes), output)


def _agree(given: dict[str, Any]) -> None:
    """Refuses options that exclude each other."""
    from automl.errors import ConfigError, Problem

    of_machine = given["gpus"] or given["workers_per_gpu"]
    if given["inline"] and of_machine:
        what, hint = "this process sees no GPU", "Leave --gpus and --workers-per-gpu out"
        raise ConfigError(Problem("--inline", what, hint=hint))
    if given["cluster"] and (of_machine or given["inline"]):
        what = "trials run on the cluster, not on this machine"
        hint = "Leave --gpus, --workers-per-gpu and --inline out; --gpus-per-trial says what a trial takes"
        raise ConfigError(Problem("--cluster", what, hint=hint))
    if not given["cluster"] and (given["cpus_per_trial"], given["gpus_per_trial"]) != (None, None):
        what = "there is no cluster to take them from"
        raise ConfigError(Problem("--cpus-per-trial, --gpus-per-trial", what, hint="Name one with --cluster"))


def _earlier(
    read: Experiment, wanted: str, most: int | None, tracking_uri: str | None, watcher: Watcher
) -> Sequence[Values]:
    """Returns the points that earlier runs give, and says what was taken and what was not."""
    from automl import tracking
    from automl.driver.warm_start import warm_start
    from automl.machine import folders

    runs = tracking.earlier_runs(tracking.store(folders.writable_home(), tracking_uri), wanted)
    found = warm_start(read, runs, most)
    for line in found.told:
        watcher.say(line)
    return found.points


def _launch_options(**given: Any) -> Options:
    from automl.driver.options import Options
    from automl.machine import folders

    return Options(home=folders.writable_home(), report=not given.pop("no_report", False), **given)


def _run(call: Any, output: str) -> None:
    """Shows a search while it runs and prints its result."""
    from automl.cli._progress import watcher
    from automl.driver.launch import Interrupted
    from automl.machine.interrupts import Interrupts

    try:
        with Interrupts(at_once=True), watcher() as shown:
            summary: Summary = call(shown)
    except Interrupted as stopped:
        _output.say(f"Stopped. What was done is kept; go on with: automl resume {stopped.search_id}", err=True)
        sys.exit(EXIT_INTERRUPTED)
    if output == "json":
        # One line, the last of stdout, so that a program finds it.
        _output.say(_output.as_json(asdict(summary)))
    elif output == "yaml":
        _output.emit_object(asdict(summary), output)
    else:
        _show(summary)
    if summary.best is None:
        _output.say("Error: no trial succeeded; see automl trials for the reasons.", err=True)
        sys.exit(EXIT_NO_TRIAL)
    if summary.status == "stopped":
        _output.say(f"Stopped; go on with: automl resume {summary.search_id}", err=True)
        sys.exit(EXIT_INTERRUPTED)


def _show(summary: Summary) -> None:
    from automl.machine import folders
    from automl.results import leaderboard, prediction

    # Without the values, which would not fit beside the figures: `automl trials` and `automl show` have them.
    table = leaderboard.board(folders.home(), summary.search_id)
    _board.emit(table[:10], "Leaderboard", values=False)
    told = ", ".join(f"{count} {name}" for name, count in summary.trials.items() if count)
    span = (
        ", the first trial begun at {:.0f} s, the last ended at {:.0f} s".format(*summary.trials_s)
        if summary.trials_s
        else ""
    )
    _output.say(f"search {summary.search_id}: {told or 'no trial'} in {summary.wall_s:.0f} s{span} ({summary.reason})")
    if summary.predicted_s is not None:
        low, high = summary.predicted_s
        verdict = "as planned" if low <= prediction.took(asdict(summary)) <= high else "not as planned"
        _output.say(f"{verdict}: automl plan said {low:.0f} to {high:.0f} s")
    if summary.best is None:
        return
    best = summary.best
    test = "  ".join(f"{name} {_output.cell(value)}" for name, value in sorted(best["test"].items()))
    _output.say(f"winner t{best['trial']:03d}: {_output.cell(best['params'])}")
    _output.say(f"test: {test or 'not tested'}")
    if summary.beaten_by is not None:
        _output.say(
            f"the baseline {summary.beaten_by} is as good as the winner, or better: a network is not needed yet"
        )
    _output.say(f"model: {best['model_uri']}")
    _output.say("save the model: automl export -f keras")
    if summary.page is not None:
        _output.say(f"compare the trials{'' if _has_server(summary) else ' (with automl ui)'}: {summary.page}")


def _has_server(summary: Summary) -> bool:
    """Tells whether the UI is there by itself."""
    return summary.tracking_uri.startswith("http")
