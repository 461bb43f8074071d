"""Sees how a table is written: what parts its values, what stands before decimals, whether it names its columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from automl.errors import shorten
from automl.sources._packed import UNPACKING, opened
from automl.sources._places import fault
from automl.sources._table import Table

LINES = 200
"""Lines that are looked at."""

SEPARATORS = ",;\t|"

_NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?\s*%?\s*", re.IGNORECASE)
_COMMA = re.compile(r"[+-]?\d*,\d+%?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+%?")


def see(path: Path) -> tuple[Table, dict[str, object], dict[str, str]]:
    """Returns how the table at `path` is written, the source's fields that say so, and the reason for each.

    Raises:
        DataError: It cannot be read, or may be meant in two ways.
    """
    lines = _lines(path)
    separator = _separator(lines)
    rows = _rows(lines, separator)
    fields: dict[str, object] = {}
    why: dict[str, str] = {}
    if separator != ",":
        fields["separator"], why["separator"] = separator, "what parts the values of the first line"
    comma = _decimal(path, rows[1:] or rows)
    if comma is not None:
        fields["decimal"], why["decimal"] = ",", f"the comma stands before decimals, as in {comma}"
    if rows and not _named(path, rows):
        fields["header"], why["header"] = False, "the first line holds values as the others do"
    table = Table(separator, "." if comma is None else ",", "header" not in fields)
    return table, fields, why


def wordy(path: Path) -> bool:
    """Returns whether the first lines of a file hold text in several columns, and no number."""
    lines = _lines(path)
    rows = _rows(lines, _separator(lines))
    values = [value for row in rows for value in row]
    return len(values) > len(rows) > 0 and not any(_NUMBER.fullmatch(value) for value in values)


def _lines(path: Path) -> list[str]:
    try:
        with opened(path) as file:
            return [line for line in islice(iter(lambda: file.readline(1 << 20), ""), LINES) if line.strip()]
    except UnicodeDecodeError:
        return []  # whoever reads the table tells where
    except (OSError, *UNPACKING) as error:
        raise fault(path, "cannot be read", hint=str(getattr(error, "strerror", None) or error)) from error


def _rows(lines: Sequence[str], separator: str) -> list[list[str]]:
    try:
        found = csv.reader(lines, delimiter=separator, skipinitialspace=True)
        return [[value.strip() for value in row] for row in found if row]
    except csv.Error:
        return []  # whoever reads the table tells where


def _separator(lines: Sequence[str]) -> str:
    """Returns the character that cuts all lines into as many values, the more of them numbers the better."""

    def fit(separator: str) -> tuple[bool, float, int]:
        rows = _rows(lines, separator)
        even = len({len(row) for row in rows}) == 1 and len(rows[0]) > 1
        below = [value for row in rows[1:] or rows for value in row]
        numbers = sum(_NUMBER.fullmatch(value) is not None for value in below) / max(1, len(below))
        return even, numbers if even else 0.0, lines[0].count(separator) if lines else 0

    return max(SEPARATORS, key=fit)


def _decimal(path: Path, rows: Sequence[Sequence[str]]) -> str | None:
    """Returns a number with a comma before its decimals; None where there is none."""
    commas = [value for row in rows for value in row if _COMMA.fullmatch(value)]
    if not commas:
        return None
    sure = next((value for value in commas if not _THOUSANDS.fullmatch(value)), None)
    if sure is None:
        raise fault(
            path,
            "what the commas in its numbers mean cannot be told",
            expected="1234.5, or 1234,5",
            received=shorten(commas[0]),
            hint="It may be a thousand and more, or one and decimals; write it without the comma",
        )
    return sure


def _named(path: Path, rows: Sequence[Sequence[str]]) -> bool:
    """Returns whether the first line names the columns, rather than being one more row."""
    first, below = rows[0], rows[1:]
    numbers = [value for value in first if _NUMBER.fullmatch(value)]
    if not numbers:
        return True
    # As pandas names the columns of an array.
    counted = numbers in [[str(number + start) for number in range(len(numbers))] for start in (0, 1)]
    words = [(place, value) for place, value in enumerate(first) if value and value not in numbers]
    if words or (counted and len(numbers) < len(first)):
        return counted or not all(_again(place, value, below) for place, value in words)
    if counted:
        raise fault(
            path,
            "whether its first line is names or numbers cannot be told",
            expected="a line of column names",
            received=shorten(",".join(first)),
            hint="Write names above it",
        )
    return False


def _again(place: int, value: str, rows: Sequence[Sequence[str]]) -> bool:
    """Returns whether a value stands in its column again, or one that is written alike: another date, another id."""
    shape = re.sub(r"\d", "0", value)
    column = [row[place] for row in rows if place < len(row)]
    return value in column or (shape != value and any(re.sub(r"\d", "0", each) == shape for each in column))
