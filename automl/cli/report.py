"""`report`, `importance`, `compare`: what a search has to say, and searches and trials beside each other."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import click

from automl.cli import EXIT_NO_TRIAL, _options, _output

GROUP = "What it found"


@click.command(short_help="One HTML file that tells of a search.")
@_options.of_search
@click.option("--to", type=click.Path(path_type=Path), help="File to write; else NAME.html, in this folder.")
@click.option("--no-winner", is_flag=True, help="Leave out what needs the winner's model and the data.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
def report(search: str | None, to: Path | None, no_winner: bool, force: bool) -> None:
    """Write a report of SEARCH (an id or a part of it; else the last): one HTML file that needs no network.

    The winner is looked at on the validation part: confusion, calibration, worst mistakes, what it looks at.
    """
    from automl.deploy.write_report import write_report
    from automl.machine import folders
    from automl.results import leaderboard

    home = folders.home()
    search_id = leaderboard.find_search(home, search)
    say = partial(_output.say, err=True)
    _output.say(str(write_report(home, search_id, to, winner=not no_winner, force=force, say=say)))


@click.command(short_help="Which parameters decide of the score.")
@_options.of_search
@_output.option
def importance(search: str | None, output: str) -> None:
    """Rank the parameters of SEARCH (an id or a part of it; else the last) by how much they decide of the score."""
    from automl.machine import folders
    from automl.results import leaderboard, study
    from automl.results.plots import Searched

    home = folders.home()
    search_id = leaderboard.find_search(home, search)
    searched = Searched(*leaderboard.read(home, search_id))
    if not searched.importances:
        few = f"{len(searched.scored)} of its trials have a score, and {study.LEAST} are needed"
        _output.say(f"Error: search {search_id} does not tell which parameters matter: {few}.", err=True)
        raise SystemExit(EXIT_NO_TRIAL)
    values = {} if searched.best is None else searched.told.trials[searched.best].asked.values
    rows = [
        {"parameter": name, "importance": round(share, 4), "best": values.get(name)}
        for name, share in searched.importances.items()
    ]
    _output.emit(rows, output)


@click.command(short_help="Trials or searches beside each other.")
@click.argument("which", nargs=-1, required=True)
@click.option("-s", "--search", help="The search that trials are of, an id or a part of it; else the last.")
@_output.option
def compare(which: tuple[str, ...], search: str | None, output: str) -> None:
    """Put trials or searches beside each other.

    \b
    automl compare 3 7                  two trials of the last search: what differs between them
    automl compare 3 7 -s a1b2          the same of another
    automl compare a1b2 c3d4            two searches, by their ids or parts of them
    """  # noqa: D301 - click itself reads the \b
    from automl.machine import folders
    from automl.results import comparison, leaderboard

    home = folders.home()
    if search is not None or all(re.fullmatch(r"t?\d{1,3}", each) for each in which):
        numbers = [_number(each) for each in which]
        rows = comparison.trials(home, leaderboard.find_search(home, search), numbers)
    else:
        rows = comparison.searches(home, which)
    _output.emit(rows, output)


@click.command(short_help="The searches of this folder.")
@_output.option
def searches(output: str) -> None:
    """List the searches of this folder, the last one last."""
    from automl import journal
    from automl.machine import folders
    from automl.results import comparison

    home = folders.home()
    known = journal.searches(home)
    if not known and output == "table":
        _output.say("No search was made here yet. Start one with: automl search cnn --data digits")
        return
    _output.emit([comparison.summed(home, each) for each in known], output)


def _number(text: str) -> int:
    from automl.errors import ConfigError, Problem

    if not re.fullmatch(r"t?\d+", text):
        raise ConfigError(Problem("compare", "not a trial", "a number, as 3 or t003", repr(text)))
    return int(text.removeprefix("t"))
