"""`spaces`, `datasets`, `blocks`, `schema`: what there is to search with, and how it is written."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from automl.cli import _output
from automl.machine import files

if TYPE_CHECKING:
    from automl.authoring.editor import DocumentKind
    from automl.blocks import Block

GROUP = "Before a search"


@click.command(short_help="The search spaces that are shipped.")
@_output.option
def spaces(output: str) -> None:
    """List the search spaces that are shipped."""
    from automl.document import catalog
    from automl.experiment import experiment
    from automl.space.counting import told

    rows = []
    for name in catalog.names(catalog.SPACES):
        read = experiment.load(name)
        rows.append({
            "space": name,
            "description": read.document.data.get("description", ""),
            "parameters": len(read.space.params),
            "configurations": told(read.space.size()),
        })  # fmt: skip
    _output.emit(rows, output)


@click.command(short_help="The data sets that are shipped.")
@_output.option
def datasets(output: str) -> None:
    """List the data sets that are shipped."""
    from automl.document import catalog, yaml_text
    from automl.registry import declared

    rows = []
    for name in catalog.names(catalog.DATASETS):
        data = yaml_text.read(catalog.find(catalog.DATASETS, name)).data
        rows.append({
            "data": name,
            "description": data.get("description", ""),
            "input": " and ".join(declared(each)[0] for each in data.get("inputs", {"": data.get("input")}).values()),
            "task": declared(data["task"])[0],
            "source": declared(data["source"])[0],
            "licence": data.get("licence", ""),
        })  # fmt: skip
    _output.emit(rows, output)


@click.command(short_help="The blocks of a model, and their fields.")
@click.argument("name", required=False)
@_output.option
def blocks(name: str | None, output: str) -> None:
    """List the blocks a model is declared with, or tell of the block NAME and its fields."""
    from automl import blocks as rooms

    if name is None:
        columns = ("block", "description", "takes", "yields")
        told = [_about(each, rooms.registry.get(each)) for each in rooms.registry]
        _output.emit([{key: about[key] for key in columns} for about in told], output)
        return
    block = rooms.registry.get(name)
    about, fields = _about(name, block), _fields(block)
    if output in _output.OF_OBJECTS:
        _output.emit_object({**about, "fields": fields}, output)
        return
    if output == "table":
        page = click.HelpFormatter(max_width=100)
        page.write_dl([(key, text) for key, text in about.items() if text])
        _output.say(page.getvalue())
    _output.emit(fields, output)


def _about(name: str, block: type[Block]) -> dict[str, Any]:
    """Says what a block is: its docstring's first line and parts, and the kinds it takes and yields."""
    from automl.authoring.editor.describe import paragraphs

    first, *rest = paragraphs(block.__doc__)
    parts = dict(text.split(": ", 1) for text in rest if ": " in text)
    told = {"block": name, "description": first, "takes": ", ".join(block.takes), "yields": ", ".join(block.yields)}
    return told | {part.lower(): parts.get(part, "") for part in ("Input", "Output", "Source")}


def _fields(block: type[Block]) -> list[dict[str, Any]]:
    """Describes a block's fields from the JSON Schema that pydantic makes of them."""
    from automl.authoring.editor.describe import in_words

    told = block.model_json_schema()
    fields = told["properties"].items()
    has_units = any("unit" in field for _, field in fields)
    return [
        {
            "field": name,
            "type": in_words(field),
            "default": "required" if name in told.get("required", ()) else field.get("default"),
            **({"unit": field.get("unit", "")} if has_units else {}),
            "description": field.get("description", ""),
        }
        for name, field in fields
    ]


class _Regular(click.File):
    """A file to write; nothing but a regular one, which it would take the place of: a device, a pipe."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Opens the file."""
        problem = files.unwritable(Path(value)) if isinstance(value, str) and value != "-" else None
        if problem:
            self.fail(f"{files.shown(value)!r}: {problem}", param, ctx)
        return super().convert(value, param, ctx)


@click.command(short_help="The JSON Schema of a document, for an editor.")
@click.argument("kind", type=click.Choice(["space", "data"]), default="space")
@click.option(
    "--to",
    type=_Regular("w", encoding="utf-8", lazy=False, atomic=True),
    default="-",
    metavar="FILE",
    help="Write it to a file.",
)
def schema(kind: DocumentKind, to: IO[str]) -> None:
    """Print the JSON Schema of a search space, or of a data document, for editors.

    An editor that knows YAML completes, explains and checks a document whose first line points to the file:

    # yaml-language-server: $schema=schema.json
    """
    from automl.authoring import editor

    to.write(editor.text(kind))
