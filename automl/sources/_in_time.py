"""The rows of files in the order of time, where a column says when they were."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from automl.errors import shorten
from automl.sources._arrays import tidy
from automl.sources._files import Files
from automl.sources._order import follows, moments, plainly
from automl.sources._places import fault


def rows(files: Files, column: str | None) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Returns the rows of each part, in the order of time where there is one, and when they were.

    Args:
        files: That of the training part, and that of the test part where there is one.
        column: Says when rows were; None where nothing does.

    Raises:
        DataError: It does not, or the test part is not later.
    """
    bounds = [*pairwise(np.cumsum([0, *files.sizes]).tolist())]
    parts = ("train", "test")[: len(bounds)]
    if column is None:
        return {part: np.arange(start, end) for part, (start, end) in zip(parts, bounds, strict=True)}, {}
    (order,) = tidy([column])
    found, when = {}, {}
    for place, (part, (start, _)) in enumerate(zip(parts, bounds, strict=True)):
        times = _times(files, place, order)
        # What is equally old stays as it stands in the file.
        places = np.argsort(times, kind="stable")
        found[part], when[part] = start + places, times[places]
    if len(parts) > 1:
        _check_later(files, order, column)
    return found, when


def _times(files: Files, place: int, order: str) -> np.ndarray:
    """Returns when each row of a file was; its column is held as text only where single rows do not tell that."""
    found: list[np.ndarray] = []
    forms = set()
    for *_, others in files.read(place, (), (order,)):
        told = plainly(others[order], files.decimal)
        forms.add(None if told is None else told[0])
        if told is None or len(forms) > 1:
            return moments(_text(files, place, order), files.paths[place], order, files.decimal)
        found.append(told[1])
    return np.concatenate(found)


def _check_later(files: Files, order: str, column: str) -> None:
    path, (train, test) = files.paths[1], (_text(files, place, order) for place in (0, 1))
    apart, (first, last) = follows(train, test, path, order, files.decimal)
    if not apart:
        raise fault(
            path,
            f"by {column!r} the test part is not later than the training part",
            expected=f"rows from {shorten(last)} on, which is the last of the training part",
            received=shorten(first),
            hint="If that does not matter, leave `order` out, and the column out of `columns`; else leave `test` "
            "out, and the test part is the latest of one file",
        )


def _text(files: Files, place: int, column: str) -> np.ndarray:
    return np.concatenate([others[column] for *_, others in files.read(place, (), (column,))])
