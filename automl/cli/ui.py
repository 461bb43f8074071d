"""`ui` and `sync`: the picture of a search in MLflow."""

from __future__ import annotations

import sys

import click

from automl.cli import _options, _output

GROUP = "What it found"


@click.command(short_help="The MLflow UI, and the page of a search in it.")
@_options.of_search
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port on 127.0.0.1.")
@click.option("--tracking-uri", help="Store to show; else $MLFLOW_TRACKING_URI, else ./mlruns.")
def ui(search: str | None, port: int, tracking_uri: str | None) -> None:
    """Serve the MLflow UI on the store of this folder, on 127.0.0.1 alone, until Ctrl-C.

    Says where the trials of SEARCH (an id or a part of it; else the last) are compared.
    """
    from automl import journal, tracking
    from automl.machine import folders
    from automl.results import leaderboard

    home, base = folders.home(), f"http://127.0.0.1:{port}"
    wanted = leaderboard.find_search(home, search) if search or journal.searches(home) else None
    with tracking.while_wanted():
        store = tracking.store(home, tracking_uri)
        server = tracking.serve(store, port=port)
        try:
            _output.say(f"MLflow UI on {base} (Ctrl-C ends it)")
            if wanted is not None and (page := store.page(wanted, base)):
                _output.say(f"search {wanted}: {page}")
            code = server.wait()
        except KeyboardInterrupt:
            code = 0
    sys.exit(code)


@click.command(short_help="Tell MLflow again what the journal holds.")
@_options.of_search
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
