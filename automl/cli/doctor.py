"""`doctor`: checking the installation."""

from __future__ import annotations

import sys

import click

from automl.cli import EXIT_FAILED, _output

GROUP = "Before a search"


@click.command(short_help="Check the installation.")
@_output.option
def doctor(output: str) -> None:
    """Check the installation: versions, Keras backend, devices, data folders, store."""
    from automl.machine import doctor

    found = doctor.run()
    _output.emit(found, output)
    if any(row["ok"] is False for row in found):
        sys.exit(EXIT_FAILED)
