"""`serve`: a model that answers over HTTP."""

from __future__ import annotations

import sys

import click

from automl.cli import _completion, _options, _output

GROUP = "Take it along"


@click.command(short_help="A model that answers over HTTP.")
@click.argument("model", required=False, metavar="[SEARCH|RUN|MODEL]", shell_complete=_completion.searches)
@click.option("--port", type=click.IntRange(1, 65535), default=5001, show_default=True, help="Port on 127.0.0.1.")
@_options.tracking
def serve(model: str | None, port: int, tracking_uri: str | None) -> None:
    """Serve a registered model by MLflow, on 127.0.0.1 alone, until Ctrl-C.

    The model is that of a search (an id or a part of it; else the last), the finalized one where there is one, of a
    run in MLflow (its id), or one by its address (models:/NAME@champion). It takes {"inputs": [...]}, raw examples
    or rows of the data set's columns, and gives what it predicts; with "params": {"give": "probabilities"} or
    "outputs" more of it.
    """
    from automl import tracking
    from automl.deploy.finished import registered
    from automl.machine import folders

    with tracking.while_wanted():
        where, address = registered(folders.home(), None if model == "last" else model, tracking_uri)
        server = tracking.serve_model(where, address, port=port)
        try:
            _output.say(f"{address} answers on http://127.0.0.1:{port}/invocations (Ctrl-C ends it)")
            line = '-H "Content-Type: application/json" -d \'{"inputs": [...]}\''
            _output.say(f"ask it: curl http://127.0.0.1:{port}/invocations {line}")
            code = server.wait()
        except KeyboardInterrupt:
            code = 0
    sys.exit(code)
