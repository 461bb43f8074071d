"""Tables that a terminal of any width can show: text is wrapped between words, numbers and names stay whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from automl.errors import printable

_NARROW = 16
"""Width that a column of text gets at least, if it wants as much."""


def console() -> Any:
    """Returns where tables go."""
    from rich.console import Console

    # Without markup: messages of libraries hold brackets, which rich would take for tags and swallow, or fail on.
    found = Console(highlight=False, markup=False, emoji=False)
    if not found.is_terminal:
        # A pipe has no width: lines are not folded for the program or file behind it.
        found.width = 400
    return found


def show(columns: Mapping[str, Sequence[str]], numeric: Iterable[str], title: str | None) -> None:
    """Prints a table; one too wide for the terminal goes on below, each part with the first column before it.

    Args:
        columns: The cells by their headings.
        numeric: Headings of the columns of numbers.
        title: Stands above.
    """
    from rich import box
    from rich.table import Table

    out, right = console(), set(numeric)
    for place, names in enumerate(_parts(columns, out.width)):
        table = Table(box=box.SIMPLE_HEAD, title=None if place else title, title_justify="left", pad_edge=False)
        for name, width in zip(names, _widths(columns, names, out.width), strict=True):
            side: Any = "right" if name in right else "left"
            table.add_column(name, justify=side, overflow="fold", width=width)
        for cells in zip(*(columns[name] for name in names), strict=True):
            table.add_row(*cells)
        out.print(table)


def _parts(columns: Mapping[str, Sequence[str]], width: int) -> list[list[str]]:
    """Deals the columns out to tables that fit."""
    first, *rest = columns or [""]
    parts = [[first]] if columns else [[]]
    for name in rest:
        if len(parts[-1]) > 1 and _taken([*parts[-1], name], columns) > width:
            parts.append([first])
        parts[-1].append(name)
    return parts


def _taken(names: Sequence[str], columns: Mapping[str, Sequence[str]]) -> int:
    """Returns the width of a table at its narrowest, with what rich draws between columns and round them."""
    return sum(_least(name, columns[name]) for name in names) + _drawn(names)


def _drawn(names: Sequence[str]) -> int:
    return 3 * len(names) - 1


def _widths(columns: Mapping[str, Sequence[str]], names: Sequence[str], width: int) -> list[int]:
    """Returns how wide each column becomes: what it needs, and of the rest as much as it lacks in proportion."""
    least = [_least(name, columns[name]) for name in names]
    lacking = [_most([name, *columns[name]]) - own for name, own in zip(names, least, strict=True)]
    rest = max(0, width - _drawn(names) - sum(least))
    share = min(1.0, rest / (sum(lacking) or 1))
    return [own + int(more * share) for own, more in zip(least, lacking, strict=True)]


def _least(name: str, cells: Sequence[str]) -> int:
    """Returns the width under which a column would break words or numbers, as far as they are no longer than lines."""
    words = [word for cell in (name, *cells) for word in cell.split()]
    return min(_most([name, *cells]), max(_NARROW if _most(cells) > _NARROW else 1, min(40, _most(words))))


def _most(texts: Sequence[str]) -> int:
    from rich.cells import cell_len

    return max((cell_len(line) for text in texts for line in text.splitlines()), default=1) or 1


def heading(name: str) -> str:
    """Returns a key as a heading."""
    return printable(name).replace("_", " ")
