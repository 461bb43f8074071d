"""How results are printed: a table for people, JSON, YAML or CSV for programs; always on stdout."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from automl.cli import _tables
from automl.errors import UNPRINTABLE, printable

if TYPE_CHECKING:
    from click.decorators import FC

OF_OBJECTS = ("json", "yaml")
"""Forms for programs that take any result; CSV takes rows alone."""


def _option(*forms: str) -> Callable[[FC], FC]:
    choice, told = click.Choice(forms), "Form of the result."
    return click.option("-o", "--output", type=choice, default=forms[0], show_default=True, help=told)


option = _option("table", *OF_OBJECTS, "csv")

object_option = _option("table", *OF_OBJECTS)
"""For results that are no list of rows, and so no CSV."""

Row = Mapping[str, Any]


def say(text: str, *, err: bool = False) -> None:
    """Prints a line for people; what documents, journals and libraries say moves no terminal's cursor."""
    click.echo(printable(text), err=err)


def emit(rows: Sequence[Row], output: str, title: str | None = None) -> None:
    """Prints rows of one form; their keys, in the order of their first appearance, are the columns."""
    if output in OF_OBJECTS:
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
        click.echo(printable(stream.getvalue()), nl=False)
        return
    cells = {_tables.heading(column): [cell(row.get(column)) for row in rows] for column in columns}
    numeric = [column for column in columns if all(isinstance(row.get(column), int | float | None) for row in rows)]
    _tables.show(cells, map(_tables.heading, numeric), title)


def emit_object(value: Any, output: str) -> None:
    """Prints one object as JSON or YAML."""
    if output == "yaml":
        from automl.document.yaml_text import dump

        click.echo(printable(dump(value)), nl=False)
    else:
        click.echo(as_json(value, indent=2))


def emit_facts(facts: Row, output: str, rows: str | None = None) -> None:
    """Prints what is known of one thing: for people a line for each fact, and a block for what holds several.

    Args:
        facts: The facts; people are not shown those that are empty.
        output: Form of the result.
        rows: Key of its list of rows, if it has one: a table below the rest, and all that CSV takes.
    """
    if output in OF_OBJECTS:
        emit_object(dict(facts), output)
        return
    if output == "table":
        for key, value in facts.items():
            if key != rows and value not in (None, {}, []):
                say(f"{_tables.heading(key)}:{_told(value)}")
    if rows is not None:
        emit(facts[rows], output)


def _told(value: Any) -> str:
    """Returns what stands behind a fact's colon: a value, or lines of their own."""
    if not isinstance(value, Mapping):
        return f" {cell(value)}"
    if any(isinstance(each, Mapping) for each in value.values()):
        from automl.document.yaml_text import dump

        lines = dump(value).splitlines()
    else:
        lines = [f"{name}: {within(each)}" for name, each in value.items()]
    return "".join(f"\n  {line}" for line in lines)


def as_json(value: Any, indent: int | None = None) -> str:
    """Returns a value as JSON that keeps every language, and shows a terminal nothing that it would obey."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def cell(value: Any) -> str:
    """Returns a value as people read it in a table."""
    if value is None:
        return ""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e-3 or abs(value) >= 1e4 else f"{value:.4f}".rstrip("0").rstrip(".")
    if isinstance(value, Mapping):
        return "  ".join(f"{printable(str(key))}={within(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(within, value))
    return str(value)


def within(value: Any) -> str:
    """Returns a value as people read it beside others, where a null is a value and no empty place."""
    return "null" if value is None else cell(value)


def _flat(row: Row) -> Row:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        flat |= dict(value) if isinstance(value, Mapping) else {key: value}
    return flat


def _csv(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | bool) else value
