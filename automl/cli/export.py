"""`export`: taking the model away."""

from __future__ import annotations

from pathlib import Path

import click

from automl.cli import _options, _output

GROUP = "Take it along"


@click.command(short_help="The best model as a file.")
@_options.of_search
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
