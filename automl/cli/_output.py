"""How results are printed: a table for people, JSON, YAML or CSV for programs; always on stdout."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

option = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml", "csv"]),
    default="table",
    show_default=True,
    help="Form of the result.",
)

object_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
    help="Form of the result.",
)
"""For results that are no list of rows, and so no CSV."""

Row = Mapping[str, Any]


def emit(rows: Sequence[Row], output: str, title: str | None = None) -> None:
    """Prints rows of one form; their keys, in the order of their first appearance, are the columns."""
    if output in ("json", "yaml"):
        emit_object([dict(row) for row in rows], output)
        return
    if output == "csv":
        # A mapping becomes a column per key: each searched parameter one that pandas can group by.
        rows = [_flat(row) for row in rows]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    if output == "csv":
        import csv
        import io

        stream = io.StringIO()
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _csv(value) for key, value in row.items()} for row in rows)
        click.echo(stream.getvalue(), nl=False)
        return
    _table(rows, columns, title)


def emit_object(value: Any, output: str) -> None:
    """Prints one object as JSON or YAML."""
    if output == "yaml":
        from automl.document import dump

        click.echo(dump(value), nl=False)
    else:
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def cell(value: Any) -> str:
    """Returns a value as people read it in a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e-3 or abs(value) >= 1e4 else f"{value:.4f}".rstrip("0").rstrip(".")
    if isinstance(value, Mapping):
        return "  ".join(f"{key}={cell(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(cell, value))
    return str(value)


def _flat(row: Row) -> Row:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        flat |= dict(value) if isinstance(value, Mapping) else {key: value}
    return flat


def _csv(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | bool) else value


def _table(rows: Sequence[Row], columns: Sequence[str], title: str | None) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for column in columns:
        numeric = all(isinstance(row.get(column), int | float | None) for row in rows)
        table.add_column(column.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell(row.get(column)) for column in columns))
    # Without markup: messages of libraries hold brackets, which rich would take for tags and swallow, or fail on.
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        # A pipe has no width: lines are not folded for the program or file behind it.
        console.width = 400
    console.print(table)
