"""Cuts a set into train, val and test, and limits their sizes: seeded, stratified, the same on every machine.

All of it on numbers of rows: no example is copied. Groups are cut in `groups`, time lines in `timeline`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from automl.data import groups, timeline
from automl.data.examples import Examples, Rows
from automl.sources._places import fault


def cut(
    given: Rows, examples: Examples, *, val: float | None, test: float, seed: int, name: str, in_time: bool = False
) -> dict[str, np.ndarray]:
    """Returns the rows of the three parts; those the set does not bring are cut from `train`.

    Groups stay whole. Along a time line the test part is its end, and what it cuts off for `val` comes before that.

    Args:
        given: The rows of the parts that the set brings, `train` among them.
        examples: All rows of the set.
        val: Fraction of what is there to cut (the whole set, or its `train`) that becomes `val`; None where folds take
            turns: `train` then keeps all, what the set brings as `val` among it, and `val` is empty.
        test: Fraction of it that becomes `test`.
        seed: Seed of the choice.
        name: What messages call the set.
        in_time: The examples of `train` stand in the order of time.

    Raises:
        DataError: The set is too small, or a class too rare, to stand in every part; its groups or its time line cannot
            be cut so; or the parts it brings are not apart.
    """
    left, parts = given["train"], {part: given.get(part) for part in ("val", "test")}
    if val is None:
        left = left if parts["val"] is None else np.concatenate([left, parts["val"]])
        parts["val"] = left[:0]
    wanted = (("test", test), ("val", val))
    fractions = {part: fraction for part, fraction in wanted if parts[part] is None and fraction is not None}
    there = examples.at(left)
    if there.labels is not None and fractions:
        _enough(there.labels, len(fractions) + 1, name)
    places: dict[str, np.ndarray] = {}
    if fractions and in_time:
        places = timeline.cut(there, fractions, name)
    elif fractions and there.groups is not None:
        places = groups.cut(there, fractions, seed, name)
    elif fractions:
        places = _drawn(there, fractions, seed, name)
    if places:
        parts |= {part: left[chosen] for part, chosen in places.items()}
        left = left[np.setdiff1d(np.arange(len(left)), np.concatenate([*places.values()]))]
    found = {"train": left, **{part: rows for part, rows in parts.items() if rows is not None}}
    groups.check_apart({part: examples.at(rows) for part, rows in found.items()}, name)
    return found


def limited(parts: Rows, limits: Mapping[str, int | None], seed: int, examples: Examples) -> dict[str, np.ndarray]:
    """Returns the parts with at most `limits[part]` examples each, chosen so that classes keep their shares."""
    from sklearn.utils import resample

    result = dict(parts)
    for name, rows in parts.items():
        limit = limits.get(name)
        if limit is not None and limit < len(rows):
            # resample rather than train_test_split: that one wants an example of each class among the left-out too.
            chosen = resample(
                np.arange(len(rows)), replace=False, n_samples=limit, random_state=seed,
                stratify=examples.at(rows).labels,
            )  # fmt: skip
            result[name] = rows[np.sort(chosen)]
    return result


def check_classes(parts: Rows, examples: Examples, name: str) -> None:
    """Checks that each class has an example in each part.

    Raises:
        DataError: A class is missing in a part: its score there would mean nothing, or it would never be learned.
    """
    if examples.labels is None:
        return
    # Where folds take turns, the part for validation is empty.
    labels = {part: examples.labels[rows] for part, rows in parts.items() if len(rows)}
    classes, counts = np.unique(np.concatenate(list(labels.values())), return_counts=True)
    for part, values in labels.items():
        missing = np.setdiff1d(classes, values)
        if len(missing):
            total = int(counts[classes == missing[0]][0])
            raise fault(
                f"{name}, part {part}",
                f"holds no example of class {str(missing[0])!r}" + _more(len(missing) - 1),
                expected="at least one example of each class in each part",
                received=f"{len(values)} examples; {total} of that class in all parts",
                hint="Enlarge the part (`split`, `limit`), or leave the class out of the set",
            )


def _more(count: int) -> str:
    return f" and of {count} more" if count else ""


def _enough(labels: np.ndarray, parts: int, name: str) -> None:
    classes, counts = np.unique(labels, return_counts=True)
    rarest = int(counts.argmin())
    if counts[rarest] < parts:
        raise fault(
            name,
            f"class {str(classes[rarest])!r} is too rare to be split",
            expected=f"at least {parts} examples, one for each part",
            received=str(counts[rarest]),
            hint="Add examples, or leave the class out of the set",
        )


def _drawn(examples: Examples, fractions: Mapping[str, float], seed: int, name: str) -> dict[str, np.ndarray]:
    """Returns the places of each part to cut off, drawn at random."""
    left, found = np.arange(examples.size), dict[str, np.ndarray]()
    for part, fraction in fractions.items():
        count = max(1, round(fraction * examples.size))
        found[part] = left[_choose(examples.at(left), count, seed, f"{name}, part {part}")]
        left = np.setdiff1d(left, found[part])
    return found


def _choose(examples: Examples, count: int, seed: int, where: str) -> np.ndarray:
    """Returns the sorted places of `count` examples, stratified."""
    from sklearn.model_selection import train_test_split

    size, labels = examples.size, examples.labels
    least = 1 if labels is None else len(np.unique(labels))
    if count < least or size - count < least:
        raise fault(
            where,
            f"{count} of {size} examples cannot be cut off",
            expected=f"at least {least} on both sides, one of each class",
            hint="Change the fractions in `split`, or bring more examples",
        )
    _, chosen = train_test_split(np.arange(size), test_size=count, random_state=seed, stratify=labels)
    return np.sort(chosen)
