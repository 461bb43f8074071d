"""`finalize`: from the best trials to the model to be used."""

from __future__ import annotations

from typing import Any, Literal

import click

from automl.cli import _options, _output

GROUP = "Take it along"


@click.command(short_help="Compare the best, train the model to use.")
@_options.of_search
@click.option("--top", type=click.IntRange(1, 50), default=3, show_default=True, help="Best trials to compare.")
@click.option("--seeds", type=click.IntRange(2, 100), default=5, show_default=True, help="Folds, each with a seed.")
@click.option("--ensemble", is_flag=True, help="Make one model of all of them, each trained once per seed.")
@click.option(
    "--choose",
    type=click.Choice(["best", "smallest"]),
    default="best",
    show_default=True,
    help="The best trial, or the smallest that cannot be told apart from it.",
)
@_options.workers
@_options.champion
@_options.root
@_options.tracking
@_options.inline
@_output.object_option
def finalize(
    search: str | None, top: int, seeds: int, ensemble: bool, choose: Literal["best", "smallest"], output: str,
    **given: Any,
) -> None:  # fmt: skip
    """Measure the best trials of SEARCH (an id or a part of it; else the last) on folds, and train the model to use.

    Each is trained on parts of all examples but the test part that take turns in validating. The table says what a
    model of its kind should score on the test part, and which of them cannot be told apart. The one chosen is then
    trained on all of these examples, tested once, and registered.
    """
    from dataclasses import asdict

    from automl.cli._progress import watcher
    from automl.deploy.finalized import Wanted
    from automl.driver.finalize import finalize as run
    from automl.driver.options import Options
    from automl.machine import folders
    from automl.results import leaderboard

    home = folders.home()
    search_id = leaderboard.find_search(home, search)
    with watcher() as shown:
        told = run(search_id, Wanted(top, seeds, ensemble, choose), Options(home, **given), shown)
    if output == "json":
        _output.say(_output.as_json(asdict(told)))  # one line, as of a search: what a program reads last
        return
    if output != "table":
        _output.emit_object(asdict(told), output)
        return
    rows = [
        {
            "trial": f"t{each.trial:03d}",
            f"mean {told.objective}": each.mean,
            "should lie in": f"{each.low:.4f} to {each.high:.4f}",
            "p": f"{each.p:.2g}",
            "alike": each.alike,
            "weights": each.weights,
        }
        for each in told.candidates
    ]
    _output.emit(rows, output)
    if told.smallest != told.candidates[0].trial and told.members == 1 and choose == "best":
        _output.say(f"t{told.smallest:03d} is the smallest that cannot be told apart from the best (--choose smallest)")
    what = (
        f"the mean of {told.members} networks"
        if told.members > 1
        else f"t{told.trial:03d}, trained on all but the test part"
    )
    held = "" if told.holds is None else ", in the interval" if told.holds else ", outside the interval"
    if told.score is not None:
        _output.say(f"{what}: test {told.objective} {told.score:.4g}{held}")
    if told.test_seen_before:
        _output.say("the test part was looked at before, at the end of the search")
    _output.say(f"model: {told.path}" + (f", {told.model_uri}" if told.model_uri else ""))
