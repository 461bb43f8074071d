"""Reads when something was: dates, times and rising numbers, so that rows can be put in the order of time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from automl.errors import shorten
from automl.sources._arrays import tidy
from automl.sources._places import fault

if TYPE_CHECKING:
    import pandas as pd

_DAYS = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d %b %Y", "%b %d, %Y")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
FORMS = ("ISO8601", *(f"{day}{time}" for day in _DAYS for time in _TIMES))
"""How dates are read, each of them only if all rows of a column are written so."""


def moments(column: np.ndarray, where: Path | str, name: str, decimal: str = ".") -> np.ndarray:
    """Returns a number per row that is larger the later it was.

    Args:
        column: What stands in the file, as text.
        where: What messages call the file.
        name: What they call the column.
        decimal: Character before the decimals of a number.

    Raises:
        DataError: A row is neither a number nor a date, or the dates can be read as two different orders.
    """
    import pandas as pd

    text = pd.Series(tidy(column.tolist()), dtype=object)
    numbers = pd.to_numeric(_with_points(text, decimal), errors="coerce")
    if numbers.notna().all():
        return numbers.to_numpy()
    read = readings(text)
    if not read:
        dates = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True)
        row = int((dates.isna() & numbers.isna()).to_numpy().argmax())
        raise fault(
            where,
            f"the column {name!r} does not say when each row was",
            expected="numbers in every row, or dates, as 2024-03-09 10:00:00",
            received=f"{shorten(str(text[row]))} in row {row + 1}",
        )
    orders = {np.argsort(each, kind="stable").tobytes(): each for each in read}
    # Files are mostly written as things happened: of day before month and month before day, the one that rises.
    rising = [each for each in read if (np.diff(each) >= 0).all()]
    if len(orders) > 1 and len(rising) != 1:
        raise fault(
            where,
            f"the dates of column {name!r} can be read with the day or the month first",
            expected="dates such as 2024-03-09",
            received=shorten(str(text[0])),
        )
    return rising[0] if len(orders) > 1 else read[0]


def plainly(column: np.ndarray, decimal: str = ".") -> tuple[str, np.ndarray] | None:
    """Returns how moments are written that each row tells by itself, and a number per row; None for other columns.

    Such are numbers and dates as 2024-03-09: some rows of them can be read without the others.

    Args:
        column: What stands in some rows, as text.
        decimal: Character before the decimals of a number.
    """
    import pandas as pd

    text = pd.Series(tidy(column.tolist()), dtype=object)
    numbers = pd.to_numeric(_with_points(text, decimal), errors="coerce")
    if numbers.notna().all():
        return "numbers", numbers.to_numpy()
    dates = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True)
    return ("dates", _nanoseconds(dates)) if dates.notna().all() else None


def follows(
    train: np.ndarray, test: np.ndarray, where: Path | str, name: str, decimal: str = "."
) -> tuple[bool, tuple[str, str]]:
    """Returns whether no row of a test part was before one of the training part, its first row and the other's last.

    Args:
        train: What stands in the column of the training part, as text.
        test: What stands in that of the test part.
        where: What messages call the file of the test part.
        name: What they call the column.
        decimal: Character before the decimals of a number.

    Raises:
        DataError: They are not written alike, so that it cannot be told.
    """
    # Together, so that of two readings of dates both take the same.
    when = moments(np.concatenate([train, test]), where, name, decimal)
    before, after = when[: len(train)], when[len(train) :]
    first, last = str(test[after.argmin()]), str(train[before.argmax()])
    return bool(after.min() >= before.max()), (first, last)


def readings(text: pd.Series) -> list[np.ndarray]:
    """Returns what a column of dates may mean, a number per row; nothing for a column that holds others than dates."""
    import pandas as pd

    found = []
    for form in FORMS:
        # The first row rules most forms out.
        if pd.isna(pd.to_datetime(text.iloc[0], format=form, errors="coerce", utc=True)):
            continue
        dates = pd.to_datetime(text, format=form, errors="coerce", utc=True)
        if dates.notna().all():
            found.append(_nanoseconds(dates))
    return found


def _with_points(text: pd.Series, decimal: str) -> pd.Series:
    return text.str.translate(str.maketrans({",": ".", ".": "!"})) if decimal == "," else text


def _nanoseconds(dates: pd.Series) -> np.ndarray:
    # In one unit, whatever the decimals of the seconds.
    found: np.ndarray = dates.dt.as_unit("ns").astype("int64").to_numpy()
    return found
