"""Where data sets lie: the path the user gave, `$AUTOML_DATA`, the cache; and the one way to say that a set is bad."""

from __future__ import annotations

import os
from pathlib import Path

from automl.errors import DataError, Problem
from automl.machine import files

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
    name = files.expanded(wanted)
    if name.is_absolute():
        return _usable(name, put)
    variable = os.environ.get(VARIABLE)
    places: list[tuple[str, Path]] = []
    if root is not None:
        places.append(("the path given", files.expanded(root)))
    if variable:
        places.append((f"${VARIABLE}", files.expanded(variable)))
    places.append(("the cache", cache()))
    for _, place in places:
        # A link in a circle is something, of which its own reason is told.
        if files.absent(place / name) != files.NOTHING:
            return _usable(place / name, put)
    looked = [f"{place / name} ({label})" for label, place in places]
    if not variable:
        looked.append(f"${VARIABLE} (not set)")
    raise fault(
        wanted,
        f"data set not found; looked for {', '.join(looked)}",
        hint=f"Put {put} at {places[0][1] / name}, or name the parent folder of your data sets in ${VARIABLE}",
    )


def _usable(path: Path, put: str) -> Path:
    missing = files.absent(path)
    if problem := missing or files.special(path):
        raise fault(files.shown(path), problem, hint=f"Put {put} there")
    return path
