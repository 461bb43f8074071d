"""`spaces`, `datasets`, `blocks`, `validate`: what there is to search with, and whether a document is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from automl.cli import _output


@click.command()
@_output.option
def spaces(output: str) -> None:
    """List the search spaces that are shipped."""
    from automl import experiment, shelf

    rows = []
    for name in shelf.names(shelf.SPACES):
        read = experiment.load(name)
        size = read.space.size()
        rows.append({
            "space": name,
            "description": read.document.data.get("description", ""),
            "parameters": len(read.space.params),
            "configurations": "endless" if size is None else size,
        })  # fmt: skip
    _output.emit(rows, output)


@click.command()
@_output.option
def datasets(output: str) -> None:
    """List the data sets that are shipped."""
    from automl import document, shelf
    from automl.registry import declared

    rows = []
    for name in shelf.names(shelf.DATASETS):
        data = document.read(shelf.find(shelf.DATASETS, name)).data
        rows.append({
            "data": name,
            "description": data.get("description", ""),
            "input": declared(data["input"])[0],
            "task": declared(data["task"])[0],
            "source": declared(data["source"])[0],
            "licence": data.get("licence", ""),
        })  # fmt: skip
    _output.emit(rows, output)


@click.command()
@click.argument("name", required=False)
@_output.option
def blocks(name: str | None, output: str) -> None:
    """List the blocks a model is declared with, or the fields of the block NAME."""
    from automl import blocks as rooms

    if name is None:
        rows = [_summary(each, rooms.registry.get(each)) for each in rooms.registry]
    else:
        schema = rooms.registry.get(name).model_json_schema()
        rows = [_field(k, each, k in schema.get("required", ())) for k, each in schema["properties"].items()]
    _output.emit(rows, output)


def _summary(name: str, member: Any) -> dict[str, Any]:
    text = (member.__doc__ or "").strip().splitlines()
    return {
        "block": name,
        "description": text[0] if text else "",
        "takes": ", ".join(member.takes),
        "yields": ", ".join(member.yields),
    }


def _field(name: str, schema: dict[str, Any], required: bool) -> dict[str, Any]:
    """Describes a field from the JSON schema that pydantic makes of it."""
    return {
        "field": name,
        "type": _type(schema),
        "default": "required" if required else schema.get("default"),
        "description": schema.get("description", ""),
    }


def _type(schema: dict[str, Any]) -> str:
    """Says in a few words what a field takes: `integer 1 to 8192`, `same | valid`, `number or null`."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    words = [str(schema.get("type", "any"))]
    words += [f"from {low:g}"] if low is not None else [f"above {above:g}"] if above is not None else []
    words += [f"to {high:g}"] if high is not None else [f"below {below:g}"] if below is not None else []
    return " ".join(words)


@click.command()
@click.argument("space")
@click.option("--data", help="Name or file of the data set to check with it.")
@click.option("--set", "options", multiple=True, metavar="PATH=VALUE", help="Write a value into the document first.")
@_output.option
def validate(space: str, data: str | None, options: tuple[str, ...], output: str) -> None:
    """Check the document SPACE: its YAML, its keys and types, its domains. Reads no data."""
    from automl import experiment

    read = experiment.load(space, data, options)
    size = read.space.size()
    facts = {
        "space": read.name,
        "file": str(Path(read.document.name)),
        "parameters": len(read.space.params),
        "configurations": "endless" if size is None else size,
        "objective": f"{read.objective} ({read.direction})",
        "data": read.data.name if read.data else None,
    }
    if output == "table":
        click.echo("  ".join(f"{key}: {value}" for key, value in facts.items() if value is not None))
        click.echo("The document is valid.")
    elif output == "csv":
        _output.emit([facts], output)
    else:
        _output.emit_object(facts, output)
