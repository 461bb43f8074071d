"""The trials of a search as people compare them: a line each, with what tells them apart, in any terminal."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from automl.cli import _output, _tables
from automl.cli._output import Row
from automl.records.trials import SCORED

_SPARED = ("curve", "weights", "rank", "outcome", "seconds", "spread")
"""What a narrow terminal does without, in this order."""

_LEAST = 34
"""Columns of the terminal that the values get before one of the others does."""

_BESIDE = {"best_epoch", "epochs", "params", "message"}
"""Keys of a row that are no column of their own."""


def emit(rows: Sequence[Row], title: str | None = None, *, values: bool = True) -> None:
    """Prints rows of `leaderboard.rows`. What does not fit is cut off, and that is said.

    Args:
        rows: They.
        title: Stands above them.
        values: With the values that differ; where a trial has no score, with the reason.
    """
    console, columns = _tables.console(), _columns(rows)
    width = console.width if console.is_terminal else sys.maxsize  # a pipe is shown all of it
    texts = _texts(rows, str) if values else [""] * len(rows)
    for name in _SPARED:
        if _room(columns, width) >= min(_longest(texts), _LEAST):
            break
        columns.pop(name, None)
    room = _room(columns, width)
    if _longest(texts) > room:
        texts = _texts(rows, _shortest(rows))
    heads = ["what differs" if values and rows else "", *texts]
    sides = [_aligned(name, cells) for name, cells in columns.items()]
    lines = ["  ".join([*cells, _cut(text, room)]).rstrip() for *cells, text in zip(*sides, heads, strict=True)]
    rule = "─" * min(width, _longest(lines))
    for line in filter(None, (title, lines[0], rule, *lines[1:])):
        _output.say(line)
    if _longest(texts) > room:
        _output.say("Cut at the terminal's width; all of it: automl show TRIAL, automl trials -o yaml")


def _aligned(name: str, cells: Sequence[str]) -> list[str]:
    """Returns a column's heading and cells, all equally wide."""
    width = _longest([name, *cells])
    return [text.ljust(width) if name in ("outcome", "curve") else text.rjust(width) for text in (name, *cells)]


def _cut(text: str, room: int) -> str:
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= room else set_cell_size(text, max(0, room - 1)) + "…"


def _longest(texts: Sequence[str]) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, texts), default=0)


def _columns(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Returns the cells of each column by its heading; without columns that say the same of every trial, or nothing."""
    names = dict.fromkeys(key for row in rows for key in row if key not in _BESIDE)
    found = {name: [_output.cell(row.get(name)) for row in rows] for name in names}
    if set(found.get("outcome", ())) == {"completed"}:
        del found["outcome"]
    epochs = [f"{_output.cell(row.get('best_epoch')) or '-'}/{_output.cell(row.get('epochs'))}" for row in rows]
    place = next((place for place, name in enumerate(found) if name in ("weights", "seconds")), len(found))
    ordered = list(found.items())
    return dict([*ordered[:place], ("epoch", epochs), *ordered[place:]])


def _room(columns: Mapping[str, Sequence[str]], width: int) -> int:
    """Returns what the columns leave of a terminal's width."""
    return width - sum(2 + _longest([name, *cells]) for name, cells in columns.items())


def _texts(rows: Sequence[Row], shown: Any) -> list[str]:
    """Returns for each trial why it has no score, or the values that not all trials have.

    Args:
        rows: The trials.
        shown: Returns a parameter's name as it is written.
    """
    trials = [row for row in rows if row["params"]]  # baselines have none
    alike = {name for name in _names(rows) if len(trials) > 1 and _is_alike(trials, name)}
    return [_text(row, alike, shown) for row in rows]


def _text(row: Row, alike: set[str], shown: Any) -> str:
    message = " ".join(_output.cell(row.get("message")).split())
    values = {shown(name): value for name, value in row["params"].items() if name not in alike}
    told = [message, _output.cell(values)]
    # What is odd of a trial with a score comes behind what it is.
    return "  ".join(filter(None, reversed(told) if row["outcome"] in SCORED else told))


def _names(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row["params"]))


def _is_alike(rows: Sequence[Row], name: str) -> bool:
    """Tells whether all trials have a parameter, and the same value of it."""
    first = rows[0]["params"].get(name)
    return all(name in row["params"] and row["params"][name] == first for row in rows)


def _shortest(rows: Sequence[Row]) -> Any:
    """Returns what shortens a name of the training section to the end of its path that no other parameter has.

    Those of blocks stay whole: `filters` behind `stem.kernel_size` would be read as the stem's.
    """
    endings = Counter(ending for name in _names(rows) for ending in _endings(name))

    def shorten(name: str) -> str:
        if not name.startswith("training."):
            return name
        return next((ending for ending in _endings(name) if endings[ending] == 1), name)

    return shorten


def _endings(name: str) -> list[str]:
    """Returns the ends of a path, the shortest first; the number of a repeat alone names nothing."""
    parts = name.split(".")
    return [".".join(parts[at:]) for at in reversed(range(len(parts))) if not parts[at].isdigit()]
