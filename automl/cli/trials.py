"""`trials`, `show`, `best`: what a search found."""

from __future__ import annotations

from typing import Any

import click

from automl.cli import EXIT_NO_TRIAL, _board, _output


@click.command()
@click.argument("search", required=False)
@_output.option
def trials(search: str | None, output: str) -> None:
    """List the trials of SEARCH (an id or a part of it; else the last), the best first."""
    from automl.machine import folders
    from automl.results import leaderboard

    home = folders.home()
    rows = leaderboard.rows(home, leaderboard.find_search(home, search))
    if output == "table":
        _board.emit(rows)
    else:
        _output.emit(rows, output)


@click.command()
@click.argument("trial", type=click.IntRange(min=1))
@click.argument("search", required=False)
@_output.option
def show(trial: int, search: str | None, output: str) -> None:
    """Show all there is to know of the trial number TRIAL: its document, its epochs, how it ended."""
    from automl.machine import folders
    from automl.results import leaderboard

    home = folders.home()
    facts = leaderboard.details(home, leaderboard.find_search(home, search), trial)
    _show(facts, output, "epochs")


@click.command()
@click.argument("search", required=False)
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
    _show(leaderboard.details(home, search_id, number), output, "epochs")


def _show(facts: dict[str, Any], output: str, table: str) -> None:
    """Prints an object; its one list of rows as a table for people, alone as CSV."""
    if output in _output.OF_OBJECTS:
        _output.emit_object(facts, output)
        return
    if output == "csv":
        _output.emit(facts[table], output)
        return
    for key, value in facts.items():
        if key == "document":
            from automl.document.yaml_text import dump

            _output.say("document:\n" + "\n".join(f"  {line}" for line in dump(value).splitlines()))
        elif isinstance(value, dict) and value:
            _output.say("\n".join([f"{key}:", *(f"  {name}: {_output.within(each)}" for name, each in value.items())]))
        elif key != table and value not in (None, {}, []):
            _output.say(f"{key.replace('_', ' ')}: {_output.cell(value)}")
    _output.emit(facts[table], "table")
