"""What descriptions and cards in MLflow are written with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from automl.records.data import DataSpec


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table; a bar in a cell, which would end it, becomes a slash."""
    head_, *lines = [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in (head, *rows)]
    return "\n".join([head_, f"|{'---|' * len(head)}", *lines])


def figure(value: float | None) -> str:
    """Returns a number in four digits; nothing where there is none."""
    return "" if value is None else f"{value:.4g}"


def shapes(data: DataSpec) -> str:
    """Returns the shapes of an example: `8 x 8 x 1`."""
    return " and ".join(" x ".join(map(str, shape)) for shape in data.shapes.values())


def sizes(data: DataSpec) -> str:
    """Returns how many examples each part has: `10 train, 5 val`."""
    return ", ".join(f"{count} {part}" for part, count in data.sizes.items())
