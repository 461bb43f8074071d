"""`sync`: a search told to MLflow again, from its journal."""

from __future__ import annotations

import click

from automl.cli import _options, _output


@click.command()
@click.argument("search", required=False)
@_options.tracking
@_output.object_option
def sync(search: str | None, tracking_uri: str | None, output: str) -> None:
    """Tell MLflow again what the journal of SEARCH (an id or a part of it; else the last) holds.

    For a store that was lost, was away while the search ran, or is another one. What stands there already stays single.
    """
    from dataclasses import asdict

    from automl.cli._progress import watcher
    from automl.driver.sync import sync as sync_search
    from automl.machine import folders
    from automl.results import leaderboard

    home = folders.home()
    search_id = leaderboard.find_search(home, search)
    with watcher() as shown:
        told = sync_search(home, search_id, shown, tracking_uri)
    if output != "table":
        _output.emit_object(asdict(told), output)
        return
    _output.say(f"search {told.search_id}: {told.trials} trials stand in {told.tracking_uri}")
    if told.model_uri:
        _output.say(f"model: {told.model_uri}")
