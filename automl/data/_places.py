"""Where data sets lie: the path the user gave, `$AUTOML_DATA`, the cache; and the one way to say that a set is bad."""

from __future__ import annotations

import os
from pathlib import Path

from automl.errors import DataError, Problem

VARIABLE = "AUTOML_DATA"
"""Environment variable that names the parent folder of all data sets."""


def cache() -> Path:
    """Returns the last place looked in, `~/.cache/automl`."""
    return Path.home() / ".cache" / "automl"


def fault(
    where: Path | str, what: str, *, expected: str | None = None, received: str | None = None, hint: str | None = None
) -> DataError:
    """Builds the one-line error of a data set: see `errors.Problem` for the arguments."""
    return DataError(str(Problem(str(where), what, expected, received, hint)))


def find(wanted: str, root: Path | None, put: str) -> Path:
    """Finds the file or folder of a data set.

    Looked in, in this order: `root`, `$AUTOML_DATA`, `~/.cache/automl`. An absolute path is taken as it is.

    Args:
        wanted: File or folder as the data document names it, relative to the place of all sets.
        root: The folder given by the user, or None.
        put: What the set consists of, for the message: `the four idx files of the set`.

    Raises:
        DataError: It is in none of the places; the message names each of them.
    """
    name = Path(wanted).expanduser()
    if name.is_absolute():
        if name.exists():
            return name
        raise fault(name, "no such file or folder", hint=f"Put {put} there")
    variable = os.environ.get(VARIABLE)
    places: list[tuple[str, Path]] = []
    if root is not None:
        places.append(("the path given", root.expanduser()))
    if variable:
        places.append((f"${VARIABLE}", Path(variable).expanduser()))
    places.append(("the cache", cache()))
    for _, place in places:
        if (place / name).exists():
            return place / name
    looked = [f"{place / name} ({label})" for label, place in places]
    if not variable:
        looked.append(f"${VARIABLE} (not set)")
    raise fault(
        wanted,
        f"data set not found; looked for {', '.join(looked)}",
        hint=f"Put {put} at {places[0][1] / name}, or name the parent folder of your data sets in ${VARIABLE}",
    )
