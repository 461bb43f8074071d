"""`trials`, `show`, `best`: what a search found."""

from __future__ import annotations

import click

from automl.cli import EXIT_NO_TRIAL, _board, _options, _output

GROUP = "What it found"


@click.command(short_help="The trials of a search, the best first.")
@_options.of_search
@_output.option
def trials(search: str | None, output: str) -> None:
    """List the trials of SEARCH (an id or a part of it; else the last), the best first."""
    from automl.machine import folders
    from automl.results import leaderboard

    home = folders.home()
    search_id = leaderboard.find_search(home, search)
    if output == "table":
        _board.emit(leaderboard.board(home, search_id))
    else:
        _output.emit(leaderboard.rows(home, search_id), output)


@click.command(short_help="All there is to know of one trial.")
@click.argument("trial", type=click.IntRange(min=1))
@_options.of_search
@click.option("--document", is_flag=True, help="Its document alone, as YAML: automl search trains it again.")
@_output.option
def show(trial: int, search: str | None, document: bool, output: str) -> None:
    """Show all there is to know of the trial number TRIAL: its document, its epochs, how it ended."""
    from automl.document import yaml_text
    from automl.machine import folders
    from automl.results import leaderboard

    home = folders.home()
    facts = leaderboard.details(home, leaderboard.find_search(home, search), trial)
    if document:
        alone = {"objective": facts["objective"], "trials": 1, "baselines": False}
        _output.say(yaml_text.dump({**facts["document"], "search": alone}).rstrip())
        return
    _output.emit_facts(facts, output, "epochs")


@click.command(short_help="The best trial so far.")
@_options.of_search
@_output.option
def best(search: str | None, output: str) -> None:
    """Show the best trial of SEARCH so far; also while it runs."""
    from automl.machine import folders
    from automl.results import leaderboard

    home = folders.home()
    search_id = leaderboard.find_search(home, search)
    number = leaderboard.best_trial(home, search_id)
    if number is None:
        _output.say(f"Error: search {search_id} has no scored trial yet.", err=True)
        raise SystemExit(EXIT_NO_TRIAL)
    _output.emit_facts(leaderboard.details(home, search_id, number), output, "epochs")
