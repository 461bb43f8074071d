"""`stop` and `status`: a running search, from another terminal."""

from __future__ import annotations

import click

from automl.cli import _options, _output

GROUP = "Search"


@click.command(short_help="Stop a search once its running trials have ended.")
@_options.of_search
@click.option("--now", is_flag=True, help="Do not wait for the running trials; automl resume takes them up again.")
def stop(search: str | None, now: bool) -> None:
    """Stop SEARCH (an id or a part of it; else the last) once its running trials have ended."""
    from automl.driver import stop_request
    from automl.errors import ConfigError, Problem
    from automl.journal import holder
    from automl.machine import folders
    from automl.results import leaderboard

    home = folders.home()
    search_id = leaderboard.find_search(home, search)
    folder = folders.search_folder(home, search_id)
    driver = holder(folder)
    if driver is None:
        raise ConfigError(Problem(search_id, "nobody runs this search", hint="See it with: automl status"))
    stop_request.ask(folder, "now" if now else "drain")
    _output.say(f"search {search_id}: {driver} was asked to stop {'now' if now else 'after its running trials'}")


@click.command(short_help="How a search stands, also while it runs.")
@_options.of_search
@_output.object_option
def status(search: str | None, output: str) -> None:
    """Tell how SEARCH (an id or a part of it; else the last) stands, also while it runs."""
    from automl.machine import folders
    from automl.results import leaderboard

    home = folders.home()
    _output.emit_facts(leaderboard.status(home, leaderboard.find_search(home, search)), output)
