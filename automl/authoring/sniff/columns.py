"""Tells what the columns of a table are: the target, numbers, dates, text; and which gives another away."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from automl.authoring.sniff import when
from automl.errors import DataError, did_you_mean, shorten
from automl.sources import _order
from automl.sources._arrays import tidy
from automl.sources._places import fault
from automl.sources._table import CELLS, MISSING, Table

TARGETS = ("label", "target", "class", "y")
"""What a target column is called, the likeliest first."""

MOST = 100_000
"""Columns of a table: pandas takes a fraction of a millisecond for each."""

ROWS = 1000
"""Rows that are looked at to tell what a column holds."""

FEW = 20
"""Different values of a column that may tell classes, or give them away."""

# pandas writes its index under no name
_ROW_NUMBERS = ("", "id", "index", "unnamed: 0", "rownames", "row names", "row_names", "rowid", "s.no", "sl.no")
_NUMBERED = re.compile(r".*([ _.-](id|idx|index)|[a-z]I[dD])")
_OWNER = re.compile(
    r"(patient|subject|speaker|user|person|participant|individual|animal|customer|driver|writer|author|device|machine|"
    r"household|session|group)s?([ _.-]?(id|ids|no|nr|num|number|code|name|key))?",
    re.IGNORECASE,
)
"""What a column is called that says who or what an example belongs to."""

_DECIMALS = re.compile(r"[+-]?\d+\.(\d+)")

Kind = Literal["numbers", "dates", "unread dates", "words", "nothing"]


@dataclass(frozen=True)
class Columns:
    """The columns of a table, as far as its first rows tell.

    Args:
        path: The file.
        table: How it is written.
        head: Its first rows, as text.
        kinds: What each column holds.
    """

    path: Path
    table: Table
    head: dict[str, tuple[str, ...]]
    kinds: dict[str, Kind]

    def is_called_a_count(self, column: str) -> bool:
        """Returns whether a column only counts rows by its name: `id`, or `PassengerId` where it rises."""
        if column.lower() in _ROW_NUMBERS:
            return True
        return _NUMBERED.fullmatch(column) is not None and when.rises(
            when.numbers(self.head[column], self.table.decimal)
        )

    def counts(self, column: str) -> bool:
        """Returns whether a column only counts rows, by its name or as 1, 2, 3: but time steps say when a row was."""
        if self.is_called_a_count(column):
            return True
        return not when.says_time(column) and when.count_rows(self.head[column], self.table.decimal)

    def comes_again(self, column: str) -> bool:
        """Returns whether what a column holds comes again in others of the first rows: words of categories do."""
        return 2 <= self.different(column) <= len(self.head[column]) / 2

    def different(self, column: str) -> int:
        """Returns how many different values the first rows of a column hold."""
        return len(set(self.head[column]))

    def whole(self, columns: Sequence[str]) -> pd.DataFrame:
        """Returns some columns of the whole file as text, or of as many of its rows as memory is meant to hold."""
        rows = 2 * CELLS // max(1, len(columns))
        found = next(self.table.pieces(self.path, list(self.kinds), (), columns, rows=rows))
        return pd.DataFrame({name: tidy(found[name]) for name in columns}, dtype=object)


def see(path: Path, table: Table) -> Columns:
    """Looks at the first rows of a table."""
    names = table.names(path)
    if len(names) > MOST:
        hint = "Save it as an .npz archive (numpy.savez with x= and y=)"
        raise fault(
            path, "is too wide for a table", expected=f"{MOST:,} columns at most", received=f"{len(names):,}", hint=hint
        )
    head = table.head(path, names, min(ROWS, max(2, CELLS // len(names))))
    return Columns(path, table, head, {name: _kind(text, table.decimal) for name, text in head.items()})


def _kind(column: Sequence[str], decimal: str) -> Kind:
    text = [value for value in column if value not in MISSING]
    if not text:
        return "nothing"
    # One number makes a column of numbers: what stands between them is told, not left out.
    if any(when.number(value, decimal) is not None for value in text) or {*text} <= {"True", "False"}:
        return "numbers"
    if _order.readings(pd.Series(text, dtype=object)):
        return "dates"
    return "unread dates" if when.looks_dated(text) else "words"


def owner(columns: Columns, target: str) -> str | None:
    """Returns the column that says, by its name, who an example belongs to, where several belong to most."""
    named = [name for name in columns.kinds if name != target and is_owner(name)]
    text = columns.whole(named) if named else pd.DataFrame()
    return next((name for name in named if 2 <= text[name].nunique() <= len(text) / 2), None)


def is_owner(name: str) -> bool:
    """Returns whether a name is that of what says who an example belongs to."""
    return _OWNER.fullmatch(name) is not None


def target(columns: Columns, named: str | None) -> tuple[str, str]:
    """Returns the target column and why it is that one.

    Raises:
        DataError: It has not the name of one, and several could be it.
    """
    path, header = columns.path, list(columns.kinds)
    if len(header) < 2:
        what = "has a single column"
        raise fault(path, what, expected="features and a target, parted by a comma, semicolon, tab or bar")
    if named is not None:
        if named not in columns.kinds:
            hint = did_you_mean(named, header)
            raise fault(path, f"has no column {named!r}", expected=f"one of {shorten(header, 300)}", hint=hint)
        return named, "what --target named"
    space = {name.lower() for name in header} >= {"x", "y", "z"}
    for word in TARGETS:
        for name in header:
            if name.lower() == word and not (word == "y" and space):
                return name, "what is learned, by its name; another: --target"
    words = [name for name in header if columns.kinds[name] == "words"]
    if words == header[-1:] and 2 * columns.different(words[0]) <= len(columns.head[words[0]]):
        return header[-1], "the only column of words, and the last one; another: --target"
    return _only(columns), "the only column that can be classes; another: --target"


def _only(columns: Columns) -> str:
    """Returns the one column that can be classes."""
    header = list(columns.kinds)
    plain = [name for name in header if columns.kinds[name] in ("numbers", "words")]
    # Of more columns the first rows must do.
    text = columns.whole(plain) if len(plain) <= 3 * FEW else pd.DataFrame({name: columns.head[name] for name in plain})
    could = [name for name in text if _classes(pointed(text[name].to_numpy(dtype=str), columns.table.decimal))]
    if columns.table.header and could == header[-1:]:
        return header[-1]
    what = "which column is the target cannot be told"
    expected = [f"{name} ({text[name].nunique()} values)" for name in could]
    hints = ["Name it with --target"]
    try:
        first = when.see(columns, "").column
    except DataError:
        first = None
    if first is not None:
        hints.append(f"The rows stand in the order of {first!r}; there is no task for anomalies or forecasts yet")
    hints += [f"{told[0].upper()}{told[1:]}: leave one of the two out" for told in _pairs(text[could])]
    raise fault(
        columns.path,
        what if columns.table.header else f"has no header line, and {what}",
        expected=f"one of {', '.join(expected[:FEW]) or shorten(header)}",
        received=f"the columns {shorten(header)}",
        hint=". ".join(hints),
    )


def _classes(text: np.ndarray) -> bool:
    words, counts = np.unique(text, return_counts=True)
    return bool(2 <= len(words) <= len(text) / 2 and counts.min() >= 2 and not numeric(text))


def numeric(text: np.ndarray) -> bool:
    """Returns whether labels are numbers to predict rather than names: some are not whole, all spelled as numbers are.

    `3.10` beside `3.1` is a name. Few numbers of as many decimals each, which might be names, are taken for numbers:
    a refusal is better than a guess.
    """
    words = np.unique(text)
    numbers = pd.to_numeric(pd.Series(words), errors="coerce")
    if numbers.isna().any() or whole(text):
        return False
    if len(words) > max(FEW, len(text) // 10):
        return True
    decimals = [match.group(1) for match in map(_DECIMALS.fullmatch, words) if match]
    return len({len(each) for each in decimals}) == 1 or not any(
        each.endswith("0") and each != "0" for each in decimals
    )


def pointed(text: np.ndarray, decimal: str) -> np.ndarray:
    """Returns labels with a point before decimals where their file has a comma there, if they are numbers then."""
    if decimal != "," or text.dtype.kind != "U":
        return text
    found = np.char.replace(text, ",", ".")
    return found if are_numbers(found) else text


def are_numbers(labels: np.ndarray) -> bool:
    """Returns whether all labels are numbers, or texts that can be read as such."""
    return bool(pd.to_numeric(pd.Series(np.unique(labels)), errors="coerce").notna().all())


def whole(labels: np.ndarray) -> bool:
    """Returns whether all labels are whole numbers, or texts that can be read as such."""
    numbers = pd.to_numeric(pd.Series(np.unique(labels)), errors="coerce")
    return bool((numbers == numbers.round()).all())


def leaks(columns: Columns, features: Sequence[str], target: str) -> list[str]:
    """Returns sentences on the features that give the target away."""
    few = [name for name in features if 2 <= columns.different(name) <= FEW]
    few = few if len(few) <= 3 * FEW else []  # pixels and the like, of which chance has some that fit
    if not few:
        return []
    text = columns.whole([*few, target])
    told = []
    for name in few:
        values = text[name].nunique()
        sure = _sure(text[name], text[target])
        if sure and (text[target].groupby(text[name]).nunique() == 1).all():
            told.append(f"{name!r} determines {target!r}: each of its {values} values comes with one class alone")
        elif sure and values == 2:
            told.append(_told(text, name, target, sure[0]))
    return told


def _pairs(text: pd.DataFrame) -> list[str]:
    """Returns sentences on columns of two values, one of which gives another column away."""
    found = []
    for name in text.columns[:FEW]:
        for other in text.columns[:FEW]:
            if name != other and text[name].nunique() == 2:
                found += [_told(text, name, other, value) for value in _sure(text[name], text[other])]
    return found[:3]


def _told(text: pd.DataFrame, name: str, other: str, value: str) -> str:
    always = text.loc[text[name] == value, other].iloc[0]
    return f"every row with {name} {value} has {other} {always}, so {name!r} gives {other!r} away"


def _sure(given: pd.Series, target: pd.Series) -> list[str]:
    """Returns the values that always come with one class, more often than chance would have it."""
    shares = target.value_counts(normalize=True)
    found = []
    for value, rows in target.groupby(given):
        share = float(shares[rows.iloc[0]])
        if rows.nunique() == 1 and share < 0.6 and share ** len(rows) < 0.01:
            found.append(str(value))
    return found
