"""`validate`: what is wrong with a document, and what is unwise in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from automl.cli import _options, _output

if TYPE_CHECKING:
    from automl.experiment.experiment import Experiment
    from automl.flow import Shape

GROUP = "Before a search"


@click.command(short_help="What is wrong with a space, or unwise in it.")
@_options.space
@click.option("--data", help="Name or file of the data set to check with it.")
@click.option("--set", "options", multiple=True, metavar="PATH=VALUE", help="Write a value into the document first.")
@click.option("--input", "shape", metavar="HxWxC", help="Shape of an example, as 28x28x1 or 150x1.")
@click.option("--strict", is_flag=True, help="Take what is unwise for wrong: end with exit code 2.")
@_output.option
def validate(
    space: str, data: str | None, options: tuple[str, ...], shape: str | None, strict: bool, output: str
) -> None:
    """Check the document SPACE: its YAML, its keys and types, its domains. Reads no data.

    Warns of what is right but unwise: domains, fields and constraints that do nothing, ranges that contradict their
    step or scale, slow recurrent layers, scores that do not compare; with --input, or data whose document tells its
    shape, of trials that cannot be built. `automl plan` checks against the real data.
    """
    from automl.authoring import lint
    from automl.errors import ConfigError
    from automl.experiment import experiment
    from automl.space.counting import told

    read = experiment.load(space, data, options)
    found = lint.findings(read, _shape(read, shape))
    facts = {
        "space": read.name,
        "file": str(Path(read.document.name)),
        "parameters": len(read.space.params),
        "configurations": told(read.space.size()),
        "objective": str(read.goals),
        "data": read.data.name if read.data else None,
    }
    if output == "table":
        _output.say("  ".join(f"{key}: {value}" for key, value in facts.items() if value is not None))
        if not (strict and found):
            _output.say("The document is valid.")
    elif output == "csv":
        _output.emit([facts], output)
    else:
        _output.emit_object({**facts, "findings": [vars(each) for each in found]}, output)
    if strict and found:
        raise ConfigError([each.problem() for each in found])
    for each in found:
        _output.say(str(each), err=True)


def _shape(read: Experiment, given: str | None) -> Shape | None:
    """Returns the shape of an example, as given or as the data document tells it."""
    from automl import flow, inputs

    if given is not None:
        return flow.read(given)
    told = getattr(read.data.source, "shape", None) if read.data else None
    if read.data is None or told is None or read.data.input is None:
        return None
    # An input adds the axis of a single channel where it is missing.
    axes = 3 if inputs.registry.name_of(read.data.input) == "image" else 2
    return flow.of_example((*told, 1)[:axes]) if len(told) in (axes - 1, axes) else None
