"""What belongs together: whole groups are shared out, counted by their examples; none is ever split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from automl.data.examples import Examples
from automl.errors import shorten
from automl.sources._parts import PARTS
from automl.sources._places import fault

MOST_OFF = 0.5
"""Share of what a part should hold by which it may be larger or smaller, because groups are not split."""


def named(groups: np.ndarray) -> np.ndarray:
    """Returns the ids as text; empty for an example that belongs to none."""
    missing = np.isnan(groups) if groups.dtype.kind == "f" else np.zeros(len(groups), bool)
    return np.where(missing, "", np.char.strip(groups.astype(str)))


def numbered(groups: np.ndarray) -> np.ndarray:
    """Returns the number of each example's group, from 0; an example without an id is a group of its own.

    Output: (examples,) int.
    """
    names, codes = np.unique(named(groups), return_inverse=True)
    alone = np.flatnonzero(names[codes] == "")
    codes[alone] = len(names) + np.arange(len(alone))
    numbers: np.ndarray = np.unique(codes, return_inverse=True)[1]
    return numbers


def shared(codes: np.ndarray, labels: np.ndarray | None, shares: np.ndarray, seed: int) -> np.ndarray:
    """Shares groups out, the largest first, each to where it leaves the least chi-square of classes against shares.

    Args:
        codes: Group of each example.
        labels: Class of each example, or None.
        shares: Share of the examples that each part should hold; their sum is 1.
        seed: Seed of the choice between groups of one size.

    Returns:
        The part of each example, from 0. As long as there are as many groups, none is empty.
    """
    kinds = np.zeros(len(codes), np.intp) if labels is None else np.unique(labels, return_inverse=True)[1]
    counts = np.zeros((codes.max() + 1, kinds.max() + 1))
    np.add.at(counts, (codes, kinds), 1.0)
    wanted = np.outer(shares, counts.sum(axis=0))
    order = np.random.default_rng(seed).permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    held, owner = np.zeros_like(wanted), np.zeros(len(counts), np.intp)
    for place, group in enumerate(order):
        own, empty = counts[group], held.sum(axis=1) == 0
        # What (held + own - wanted)^2 / wanted grows by, but for a term that all parts have in common.
        cost = (own * (2 * held + own) / wanted).sum(axis=1)
        if len(order) - place <= empty.sum():
            cost[~empty] = np.inf
        owner[group] = cost.argmin()
        held[owner[group]] += own
    return owner[codes]


def cut(examples: Examples, fractions: Mapping[str, float], seed: int, name: str) -> dict[str, np.ndarray]:
    """Returns the places of each part to cut off, whole groups that hold about its fraction of the examples.

    Raises:
        DataError: There are too few groups, or one is too large, for the fractions to mean what they say.
    """
    assert examples.groups is not None
    codes, labels = numbered(examples.groups), examples.labels
    parts = (*fractions, "train")
    _enough(codes, labels, len(parts), name)
    shares = np.array([*fractions.values(), 1.0 - sum(fractions.values())])
    owner = shared(codes, labels, shares, seed)
    check_sizes(parts, shares, np.bincount(owner, minlength=len(parts)), name, _largest(examples.groups))
    return {each: np.flatnonzero(owner == number) for number, each in enumerate(fractions)}


def folds(groups: np.ndarray, count: int, seed: int, labels: np.ndarray | None, name: str) -> np.ndarray:
    """Returns the fold of each example, whole groups in each, all of about one size.

    Raises:
        DataError: There are too few groups, or one is too large for a fold.
    """
    codes = numbered(groups)
    found = len(np.unique(codes))
    if found < count:
        raise fault(name, f"{found} groups cannot be cut into {count} folds", hint="Use fewer folds")
    shares = np.full(count, 1 / count)
    owner = shared(codes, labels, shares, seed)
    names = [f"fold {number}:" for number in range(1, count + 1)]
    sizes = np.bincount(owner, minlength=count)
    hint = "Use fewer folds, or bring more groups"
    check_sizes(names, shares, sizes, name, _largest(groups), wish=f"into {count} folds", hint=hint)
    return owner.astype(np.int16)


def check_sizes(
    parts: Sequence[str],
    shares: np.ndarray,
    sizes: np.ndarray,
    name: str,
    because: str,
    *,
    wish: str = "as `split` says",
    hint: str = "Change the fractions in `split`, or bring more groups",
) -> None:
    """Checks that parts hold about their shares.

    Args:
        parts: What they are called.
        shares: Shares of the examples that they should hold.
        sizes: Examples that they hold.
        name: What messages call the set.
        because: Why they may hold others.
        wish: How they were to be cut.
        hint: What to do.

    Raises:
        DataError: One is off by more than half.
    """
    wanted = shares * sizes.sum()
    if (np.abs(sizes - wanted) > MOST_OFF * wanted).any():
        raise fault(
            name,
            f"cannot be cut {wish} without splitting what belongs together: {because}",
            expected=f"about {_listed(parts, wanted)} examples",
            received=f"{_listed(parts, sizes)} at best",
            hint=hint,
        )


def check_apart(parts: Mapping[str, Examples], name: str) -> None:
    """Checks that no group stands in two parts.

    Raises:
        DataError: One does, because the set brings its parts so.
    """
    ids = {part: np.unique(named(content.groups)) for part, content in parts.items() if content.groups is not None}
    for one, other in combinations(ids, 2):
        both = np.setdiff1d(np.intersect1d(ids[one], ids[other]), [""])
        if len(both):
            raise fault(
                name,
                f"group {shorten(str(both[0]))} stands in part {one} and in part {other}"
                + (f", and {len(both) - 1} more do" if len(both) > 1 else ""),
                expected="each group in one part",
                hint="Mend the files, or leave `group` out if its examples do not belong together",
            )


def _enough(codes: np.ndarray, labels: np.ndarray | None, parts: int, name: str) -> None:
    """Checks that there are as many groups as parts, of each class too."""
    count = len(np.unique(codes))
    if count < parts:
        raise fault(
            name,
            f"{count} groups cannot be cut into {parts} parts",
            expected=f"at least {parts}, one for each part",
            hint="Bring more groups, or a file with the test part",
        )
    for kind in () if labels is None else np.unique(labels):
        count = len(np.unique(codes[labels == kind]))
        if count < parts:
            raise fault(
                name,
                f"class {str(kind)!r} stands in too few groups to be split",
                expected=f"at least {parts}, one for each part",
                received=str(count),
                hint="Bring more groups, or leave the class out of the set",
            )


def _largest(groups: np.ndarray) -> str:
    names, counts = np.unique(named(groups)[named(groups) != ""], return_counts=True)
    if not len(names):
        return "no example names its group"
    return f"group {shorten(str(names[counts.argmax()]))} alone has {counts.max()} of {len(groups)} examples"


def _listed(parts: Sequence[str], sizes: np.ndarray) -> str:
    held = dict(zip(parts, sizes, strict=True))
    return ", ".join(f"{part} {round(held[part])}" for part in [part for part in PARTS if part in held] or held)
