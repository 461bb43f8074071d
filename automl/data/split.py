"""Cuts a set into train, val and test, and limits their sizes: seeded, stratified, the same on every machine.

Groups are cut in `groups`, time lines in `timeline`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from automl.data import groups, timeline
from automl.records.data import Part, Splits, Timeline
from automl.sources._places import fault

Strata = Callable[[np.ndarray], "np.ndarray | None"]
"""Maps raw targets to a label per example to stratify by, or to None: `Task.strata`."""


def cut(
    splits: Splits, *, val: float | None, test: float, seed: int, strata: Strata, name: str, walks: bool = False
) -> dict[str, Part]:
    """Returns the three parts; those the set does not bring are cut from `train`.

    Groups stay whole. Along a time line the test part is its end, and what it cuts off for `val` comes before that.

    Args:
        splits: What the source loaded.
        val: Fraction of what is there to cut (the whole set, or its `train`) that becomes `val`; None where folds take
            turns: `train` then keeps all, what the set brings as `val` among it, and `val` is empty.
        test: Fraction of it that becomes `test`.
        seed: Seed of the choice.
        strata: Labels to stratify by.
        name: What messages call the set.
        walks: The examples stand in the order of time, though the source does not say so: see `Timeline`.

    Raises:
        DataError: The set is too small, or a class too rare, to stand in every part; its groups or its time line cannot
            be cut so; or the parts it brings are not apart.
    """
    left, parts = splits.train, {"val": splits.val, "test": splits.test}
    if val is None:
        left = left if splits.val is None else joined(left, splits.val)
        parts["val"] = take(left, np.arange(0))
    wanted = (("test", test), ("val", val))
    fractions = {part: fraction for part, fraction in wanted if parts[part] is None and fraction is not None}
    labels = strata(left.y)
    if labels is not None and fractions:
        _enough(labels, len(fractions) + 1, name)
    rows: dict[str, np.ndarray] = {}
    if fractions and (walks or isinstance(splits, Timeline)):
        rows = timeline.cut(left, fractions, name)
    elif fractions and left.groups is not None:
        rows = groups.cut(left, fractions, seed, labels, name)
    elif fractions:
        rows = _drawn(left.y, fractions, seed, strata, name)
    if rows:
        parts |= {part: take(left, chosen) for part, chosen in rows.items()}
        left = take(left, np.setdiff1d(np.arange(len(left.x)), np.concatenate([*rows.values()])))
    found = {"train": left, **{part: content for part, content in parts.items() if content is not None}}
    groups.check_apart(found, name)
    return found


def limited(parts: Mapping[str, Part], limits: Mapping[str, int | None], seed: int, strata: Strata) -> dict[str, Part]:
    """Returns the parts with at most `limits[part]` examples each, chosen so that classes keep their shares."""
    from sklearn.utils import resample

    result = dict(parts)
    for name, part in parts.items():
        limit = limits.get(name)
        if limit is not None and limit < len(part.x):
            rows = np.arange(len(part.x))
            # resample rather than train_test_split: that one wants an example of each class among the left-out too.
            chosen = resample(rows, replace=False, n_samples=limit, random_state=seed, stratify=strata(part.y))
            result[name] = take(part, np.sort(chosen))
    return result


def check_classes(parts: Mapping[str, Part], strata: Strata, name: str) -> None:
    """Checks that each class has an example in each part.

    Raises:
        DataError: A class is missing in a part: its score there would mean nothing, or it would never be learned.
    """
    # Where folds take turns, the part for validation is empty.
    found = {part: strata(content.y) for part, content in parts.items() if len(content.y)}
    labels = {part: values for part, values in found.items() if values is not None}
    if not labels:
        return
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


def _drawn(
    y: np.ndarray, fractions: Mapping[str, float], seed: int, strata: Strata, name: str
) -> dict[str, np.ndarray]:
    """Returns the rows of each part to cut off, drawn at random."""
    left, found = np.arange(len(y)), dict[str, np.ndarray]()
    for part, fraction in fractions.items():
        count = max(1, round(fraction * len(y)))
        found[part] = left[_choose(y[left], count, seed, strata, f"{name}, part {part}")]
        left = np.setdiff1d(left, found[part])
    return found


def _choose(y: np.ndarray, count: int, seed: int, strata: Strata, where: str) -> np.ndarray:
    """Returns the sorted rows of `count` examples, stratified."""
    from sklearn.model_selection import train_test_split

    size, labels = len(y), strata(y)
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


def joined(one: Part, other: Part) -> Part:
    """Returns both, one after the other."""
    found = None
    if one.groups is not None or other.groups is not None:
        # Examples of a part that names no groups belong to none.
        each = (groups.named(part.groups) if part.groups is not None else [""] * len(part.x) for part in (one, other))
        found = np.concatenate([*each])
    return Part(np.concatenate([one.x, other.x]), np.concatenate([one.y, other.y]), found)


def take(part: Part, rows: np.ndarray) -> Part:
    """Returns some examples of a part."""
    return Part(part.x[rows], part.y[rows], None if part.groups is None else part.groups[rows])
