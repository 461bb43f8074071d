"""`export`: taking the model away."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from automl.cli import _completion, _options, _output

GROUP = "Take it along"


@click.command(short_help="The best model, for another runtime.")
@click.argument("model", required=False, metavar="[SEARCH|RUN|MODEL]", shell_complete=_completion.searches)
@click.option(
    "-f",
    "--format",
    "formats",
    multiple=True,
    **_options.naming("automl.export"),
    help="Export format, once or several times: {names}. Else keras.",
)
@click.option("--quantize", metavar="BITS", help="Round the weights: float16 or int8, where the format can.")
@click.option("--to", type=click.Path(path_type=Path), help="Folder to write into, else this; or FILE.onnx.")
@click.option("--force", is_flag=True, help="Overwrite what is there, and keep what differs from the original.")
@_options.tracking
@_output.option
def export(
    model: str | None, formats: tuple[str, ...], quantize: str | None, to: Path | None, force: bool,
    tracking_uri: str | None, output: str,
) -> None:  # fmt: skip
    """Write a model for another runtime, with a program that predicts from raw files and needs that runtime alone.

    The model is that of a search (an id or a part of it; else the last), the finalized one where there is one, of a
    run in MLflow (its id), or a registered one (models:/NAME@champion). Each format becomes a folder NAME-FORMAT,
    once it is seen to answer as Keras does.
    """
    from automl.deploy import export as exports
    from automl.deploy import export_best
    from automl.deploy.finished import found
    from automl.machine import folders

    model, wanted = None if model == "last" else model, exports.exporters(formats or ("keras",), quantize)
    if to is not None and to.suffix == ".keras" and [each.label for each in wanted] == ["keras"] and _is_search(model):
        _output.say(str(export_best.export_best(folders.home(), model, to, force)))
        return
    rows = []
    with found(folders.home(), model, tracking_uri) as finished:
        say = lambda text: _output.say(text, err=True)  # noqa: E731 - the result goes to stdout
        for done in exports.write(finished, wanted, to, home=folders.home(), force=force, say=say):
            if done.problem:
                _output.say(f"{done.format}: {done.problem}" + ("" if done.path else ". Nothing is written"), err=True)
            rows.append(done.row())
    _output.emit(rows, output)
    if any(row["written"] is None for row in rows):
        sys.exit(1)


def _is_search(model: str | None) -> bool:
    from automl.tracking import fetching

    return model is None or not (fetching.RUN_ID.fullmatch(model) or fetching.ADDRESS.fullmatch(model))
