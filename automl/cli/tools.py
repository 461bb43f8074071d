"""`export`, `ui`, `doctor`: taking the model away, looking at the runs, checking the installation."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from automl.cli import EXIT_FAILED, _options, _output


@click.command()
@click.argument("search", required=False)
@click.option(
    "-f",
    "--format",
    "form",
    **_options.naming("automl.export"),
    default="keras",
    show_default=True,
    help="Export format: {names}.",
)
@click.option("--to", type=click.Path(path_type=Path), help="File to write; else NAME with its ending, in this folder.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
def export(search: str | None, form: str, to: Path | None, force: bool) -> None:
    """Write the best model of SEARCH (an id or a part of it; else the last) to a file."""
    from automl.deploy.export_best import export_best
    from automl.machine import folders

    _output.say(str(export_best(folders.home(), search, form, to, force)))


@click.command()
@click.argument("search", required=False)
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port on 127.0.0.1.")
@click.option("--tracking-uri", help="Store to show; else $MLFLOW_TRACKING_URI, else ./mlruns.")
def ui(search: str | None, port: int, tracking_uri: str | None) -> None:
    """Serve the MLflow UI on the store of this folder, on 127.0.0.1 alone, until Ctrl-C.

    Says where the trials of SEARCH (an id or a part of it; else the last) are compared.
    """
    from automl import tracking
    from automl.machine import folders
    from automl.results import leaderboard

    home, base = folders.home(), f"http://127.0.0.1:{port}"
    wanted = leaderboard.find_search(home, search) if search or leaderboard.searches(home) else None
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


@click.command()
@_output.option
def doctor(output: str) -> None:
    """Check the installation: versions, Keras backend, devices, data folders, store."""
    from automl.machine import doctor

    found = doctor.run()
    _output.emit(found, output)
    if any(row["ok"] is False for row in found):
        sys.exit(EXIT_FAILED)
