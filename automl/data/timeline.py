"""Cuts along the time line: what judges a model comes after all that trains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from automl.data import groups
from automl.data.examples import Examples
from automl.sources._places import fault

HELD = "a cut may not fall within a group, whose examples stand before and after it"


def cut(examples: Examples, fractions: Mapping[str, float], name: str) -> dict[str, np.ndarray]:
    """Returns the places of each part to cut off: test is the end of the time line, and val what comes before it.

    Args:
        examples: They, in the order of time.
        fractions: Fraction of them by part.
        name: What messages call the set.

    Raises:
        DataError: Groups leave no place to cut near enough.
    """
    size = examples.size
    parts = [each for each in ("val", "test") if each in fractions]
    counts = [max(1, round(fractions[each] * size)) for each in parts]
    if sum(counts) >= size:
        raise fault(name, f"{size} examples leave nothing to train on", hint="Change the fractions in `split`")
    starts = _moved(examples, [size - sum(counts[place:]) for place in range(len(counts))], name)
    bounds = [0, *starts, size]
    shares = np.array([1.0 - sum(fractions.values()), *(fractions[each] for each in parts)])
    if examples.groups is not None:
        groups.check_sizes(("train", *parts), shares, np.diff(bounds), name, HELD)
    return {each: np.arange(bounds[place], bounds[place + 1]) for place, each in enumerate(parts, start=1)}


def folds(examples: Examples, count: int, name: str) -> np.ndarray:
    """Returns the fold that each example validates, from 0; -1 for the first ones, which only ever train.

    Args:
        examples: They, in the order of time.
        count: Number of folds, all of one size but for what groups do not allow.
        name: What messages call the set.

    Raises:
        DataError: There are too few places to cut, or groups leave none near enough.
    """
    size = examples.size
    each = size // (count + 1)
    if each == 0:
        raise fault(name, f"{size} examples cannot be cut into {count} folds", hint="Use fewer folds")
    starts = _moved(examples, [size - each * left for left in range(count, 0, -1)], name)
    if examples.groups is not None:
        sizes = np.diff([0, *starts, size])
        names = ("before the folds:", *(f"fold {number}:" for number in range(1, count + 1)))
        wanted = np.array([size - each * count, *[each] * count]) / size
        hint = "Use fewer folds, or bring more groups"
        groups.check_sizes(names, wanted, sizes, name, HELD, wish=f"into {count} folds", hint=hint)
    found: np.ndarray = np.searchsorted(starts, np.arange(size), side="right").astype(np.int16) - np.int16(1)
    return found


def _moved(examples: Examples, wanted: Sequence[int], name: str) -> list[int]:
    """Returns the rows at which parts begin: those wanted, or the nearest at which a cut may fall."""
    places = _places(examples)
    found: list[int] = []
    for row in wanted:
        able = places[places > found[-1]] if found else places
        if not len(able):
            what = f"its time line cannot be cut into {len(wanted) + 1}: {HELD}"
            raise fault(name, what, hint="Use fewer parts or folds, or leave `group` out")
        found.append(int(able[np.abs(able - row).argmin()]))
    return found


def _places(examples: Examples) -> np.ndarray:
    """Returns the rows before which a cut may fall."""
    rows = np.arange(1, examples.size)
    able = np.ones(len(rows), bool)
    if examples.groups is not None:
        codes = groups.numbered(examples.groups)
        last = np.zeros(codes.max() + 1, np.intp)
        np.maximum.at(last, codes, np.arange(len(codes)))
        # How far the groups reach that have begun.
        able &= np.maximum.accumulate(last[codes])[:-1] < rows
    return rows[able]
