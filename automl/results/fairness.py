"""Whether a model treats groups alike: what it tells of a class in each, and how far groups are apart.

Source: Hardt et al. 2016, https://arxiv.org/abs/1610.02413, section 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Share:
    """How many of some examples are so, from 0 to 1; NaN where there are no examples.

    Args:
        value: The share.
        low: That of all such examples should lie from here
        high: to here, in 95 of 100 cases.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Rates:
    """What a model tells of a class in a group.

    Args:
        told: How much of the group is told to be of the class: its selection rate.
        right: Of those that are, how many are told to be: the true positive rate.
        wrong: Of those that are not, how many are told to be: the false positive rate.
    """

    told: Share
    right: Share
    wrong: Share


@dataclass(frozen=True)
class Differences:
    """How far the highest and the lowest of some groups are apart, from 0 to 1; NaN where fewer than two have a rate.

    Args:
        parity: In what is told: 0 is demographic parity.
        opportunity: In the true positive rate: 0 is equal opportunity.
        odds: In that or in the false positive rate, whichever is more: 0 is equalized odds.
    """

    parity: float
    opportunity: float
    odds: float


def share(so: np.ndarray) -> Share:
    """Returns how many of some examples are so.

    Args:
        so: Whether each is, `(examples,) bool`.

    Source: Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953, for the interval.
    """
    from scipy import stats

    if not len(so):
        return Share(math.nan, math.nan, math.nan)
    interval = stats.binomtest(int(so.sum()), len(so)).proportion_ci(method="wilson")
    return Share(float(so.mean()), float(interval.low), float(interval.high))


def rates(truth: np.ndarray, told: np.ndarray, label: int) -> Rates:
    """Returns what is told of a class in a group.

    Args:
        truth: The right classes of its examples, `(examples,) int`.
        told: Those that the model tells.
        label: The class.
    """
    there, says = truth == label, told == label
    return Rates(share(says), share(says[there]), share(says[~there]))


def differences(groups: Iterable[Rates]) -> Differences:
    """Returns how far groups are apart."""
    every = [*groups]
    right, wrong = _apart(each.right for each in every), _apart(each.wrong for each in every)
    return Differences(_apart(each.told for each in every), right, float(np.fmax(right, wrong)))


def _apart(shares: Iterable[Share]) -> float:
    known = [each.value for each in shares if not math.isnan(each.value)]
    return max(known) - min(known) if len(known) > 1 else math.nan
