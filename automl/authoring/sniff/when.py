"""Tells which column of a table says when each row was: the order of time, by which parts are cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from automl.errors import shorten
from automl.sources import _order
from automl.sources._table import MISSING

if TYPE_CHECKING:
    from automl.authoring.sniff.columns import Columns

FEWEST = 8
"""Rows that rise by chance so seldom that it means something."""

_WORDS = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+")
_TIMES = re.compile(
    r"t|ts|secs?|seconds?|ms|millis|milliseconds?|us|ns|mins|minutes?|hours?|hrs?|days?|weeks?|months?|years?|when"
    r"|epoch|unix|clock|utc|sekunden?|minuten|stunden?|tage?|woche|monat|jahr|uhr|temps|heure|jour|fecha|hora|tiempo"
    r"|giorno|.*(times?|dates?|stamps?|zeit|zeitpunkt|datum)"
)
_BIRTH = re.compile(r"birth|(^|[^a-z])(dob|born)([^a-z]|$)|geburt|geboren|naissance|nacimiento", re.IGNORECASE)
_EPOCH = (9e8, 2.3e9)
"""Seconds since 1970 of the years 1998 to 2042; they may be milli-, micro- or nanoseconds as well."""

_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_NUMERIC = r"\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{2}(\d\d)?"
_NAMED = rf"\d{{1,2}}[ .-]*{_MONTH}[ .,-]*\d{{2,4}}|{_MONTH}[ .-]*\d{{1,2}}[ .,-]+(\d\d:.*)?\d{{2,4}}"
_DATED = re.compile(rf"([a-z]{{3,9}},? )?({_NUMERIC}|{_NAMED})\b.*", re.IGNORECASE)


@dataclass(frozen=True)
class Order:
    """What was seen of the order of rows in time.

    Args:
        column: The column that says when a row was; None where there is none.
        others: All columns that tell no more than that.
        why: Why it is that column.
        notes: What a user should know of it, a sentence each.
    """

    column: str | None = None
    others: list[str] = field(default_factory=list)
    why: str = ""
    notes: list[str] = field(default_factory=list)


def see(columns: Columns, target: str) -> Order:
    """Returns the order of the rows: by a column of dates, or of numbers that rise and are times by name or size."""
    names = [name for name in columns.kinds if name != target and not columns.counts(name)]
    dates = [name for name in names if columns.kinds[name] == "dates" and columns.different(name) > 1]
    decimal = columns.table.decimal
    heads = {name: numbers(columns.head[name], decimal) for name in names if columns.kinds[name] == "numbers"}
    likely = [name for name, head in heads.items() if rises(head) or _is_clock(name, head)]
    maybe = [name for name, head in heads.items() if _maybe(name, head) and name not in likely]
    unread = [name for name in names if columns.kinds[name] == "unread dates"]
    if not (dates or likely or maybe or unread):
        return Order()
    told = columns.whole([*dates, *likely]) if dates or likely else pd.DataFrame()
    wholly = {name: numbers(told[name], decimal) for name in likely}
    rising = [name for name, values in wholly.items() if rises(values) or _is_clock(name, values)]
    times = [name for name in rising if says_time(name) or _is_epoch(heads[name])]
    born = [name for name in dates if _BIRTH.search(name)]
    # A date that some rows lack is none of the row's own.
    gaps = [name for name in dates if name not in born and told[name].isin(MISSING).any()]
    whole = [name for name in dates if name not in (*born, *gaps)]
    notes = [f"{shorten(born)}: when somebody was born is not when a row was"] if born else []
    if whole:
        why = "its dates put the rows in an order: the latest are the test part"
        if len(whole) > 1:
            notes.append(f"more columns than one hold dates, {shorten(whole)}: `order` names the one that counts")
        notes.append(_stands(whole[0], _order.moments(told[whole[0]].to_numpy(dtype=str), columns.path, whole[0])))
        return Order(whole[0], [*dates, *times], why, notes)
    if times:
        why = "it rises from row to row, as time does: the last rows are the test part"
        why += "; of a column that only counts rows, call it id"
        return Order(times[0], [*dates, *times], why, [*notes, _stands(times[0], np.array([0]))])
    drawn = "so the parts are drawn at random, not by time"
    notes += [f"some rows have no date in {name!r}, {drawn}" for name in gaps]
    for name in unread:
        text = next(value for value in columns.head[name] if value not in MISSING)
        forms = "2024-03-09, 2024-03-09 10:00:00, 09.03.2024, 03/09/2024, 9 Mar 2024 are"
        notes.append(f"{name!r} looks like a date that is not read ({forms}; not {shorten(text)}), {drawn}")
    asked = "is a feature, and the parts are drawn at random: if it is time, say `order"
    notes += [f"{name!r} rises from row to row; it {asked}: {name}`" for name in rising]
    notes += [f"{name!r} may be a time; it {asked}: {name}`" for name in maybe]
    return Order(None, [], "", notes)


def _stands(name: str, when: np.ndarray) -> str:
    told = "each is judged by itself, for no input reads windows yet"
    if (np.diff(when) >= 0).all():
        return f"the rows are in the order of {name!r}; {told}"
    return f"the rows are put in the order of {name!r}, in which they do not stand; {told}"


def says_time(name: str) -> bool:
    """Returns whether a column is called like a time."""
    return any(_TIMES.fullmatch(word.lower()) for word in _WORDS.findall(name))


def _maybe(name: str, values: Sequence[float | None]) -> bool:
    """Returns whether a column called like a time holds seconds since 1970, or never falls, or never rises."""
    there = [value for value in values if value is not None]
    if len(there) < FEWEST or len(there) < len(values) or not says_time(name):
        return False
    steps = np.diff(there)
    return bool(steps.any()) and (_is_epoch(values) or bool((steps >= 0).all() or (steps <= 0).all()))


def _is_clock(name: str, values: Sequence[float | None]) -> bool:
    """Returns whether a column called like a time holds seconds since 1970 that never fall: ties do not matter then."""
    if len(values) < FEWEST or not says_time(name) or not _is_epoch(values):
        return False
    return values[0] != values[-1] and all(
        one is not None and other is not None and one <= other for one, other in pairwise(values)
    )


def _is_epoch(values: Sequence[float | None]) -> bool:
    there = [value for value in values if value is not None]
    return any(all(_EPOCH[0] <= value / unit <= _EPOCH[1] for value in there) for unit in (1, 1e3, 1e6, 1e9))


def looks_dated(text: Iterable[str]) -> bool:
    """Returns whether words look like dates of a form that is not read."""
    return all(_DATED.fullmatch(value) for value in text)


def number(text: str, decimal: str) -> float | None:
    """Returns what a cell says as a number; None where it is none."""
    plain = text.removesuffix("%")
    try:
        return float(plain.replace(",", ".") if decimal == "," else plain)
    except ValueError:
        return None


def numbers(text: Iterable[str], decimal: str) -> list[float | None]:
    """Returns what the cells of a column say as numbers."""
    return [number(value, decimal) for value in text]


def rises(values: Sequence[float | None]) -> bool:
    """Returns whether numbers rise from each row to the next."""
    return len(values) >= FEWEST and all(
        one is not None and other is not None and one < other for one, other in pairwise(values)
    )


def count_rows(text: Sequence[str], decimal: str) -> bool:
    """Returns whether the cells of a column are 0, 1, 2, ... or 1, 2, 3, ..."""
    counts = ([*range(start, start + len(text))] for start in (0, 1))
    return len(text) >= FEWEST and numbers(text[:2], decimal) in ([0, 1], [1, 2]) and numbers(text, decimal) in counts
