"""What scores of folds tell of a score to come, and of two models: intervals and paired tests.

Source: Nadeau and Bengio 2003, https://doi.org/10.1023/A:1024068626366 (the variance of a mean over overlapping
training sets); Bouckaert and Frank 2004, https://doi.org/10.1007/978-3-540-24775-3_3 (its use on folds); Holm 1979,
https://www.jstor.org/stable/4615733 (several tests).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance

CONFIDENCE = 0.95
SHARES = ("accuracy", "subset_accuracy", "f1", "auc")
"""Metrics that go from 0 to 1, without `val_`."""


@dataclass(frozen=True)
class Interval:
    """Where a score to come should lie.

    Args:
        mean: Of the folds.
        low: It lies from here
        high: to here, in 95 of 100 cases.
    """

    mean: float
    low: float
    high: float

    def holds(self, score: float) -> bool:
        """Tells whether a score lies in it."""
        return self.low <= score <= self.high


def interval(scores: Sequence[float], metric: str, fold: int, test: int) -> Interval:
    """Returns where the score of one model, trained as those of the folds, should lie on a test part.

    Two things vary: the mean of the folds, whose training sets overlap, and the one score to come. That is spread as
    the score of a fold is, which its examples and its seed decide; on fewer examples than a fold's, more. On more it
    is spread less, by how much cannot be told from the folds: as much is taken. A share has at least the spread that
    counting right answers has, also where all folds agree.

    Args:
        scores: Of the folds, two or more.
        metric: What they are, without `val_`.
        fold: Examples that validate a fold.
        test: Examples of the test part.
    """
    from scipy import stats

    count, mean = len(scores), fmean(scores)
    spread = variance(scores)
    one = spread * max(1.0, fold / test)
    if metric in SHARES:
        # Agresti and Coull 1998: two right and two wrong answers more.
        right = (mean * fold * count + 2) / (fold * count + 4)
        one = max(one, right * (1 - right) / test)
    width = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * math.sqrt(spread * _of_mean(count) + one)
    low, high = (0.0 if metric in SHARES else -math.inf), (1.0 if metric in (*SHARES, "r2") else math.inf)
    return Interval(mean, max(low, mean - width), min(high, mean + width))


def paired(first: Sequence[float], second: Sequence[float]) -> float:
    """Returns how likely scores on the same folds would be at least so far apart if both models were equally good.

    Args:
        first: Of one model.
        second: Of the other, on the same folds in the same order.
    """
    from scipy import stats

    apart = [a - b for a, b in zip(first, second, strict=True)]
    count, spread = len(apart), variance(apart)
    if spread == 0:
        return 1.0 if fmean(apart) == 0 else 0.0
    t = fmean(apart) / math.sqrt(spread * _of_mean(count))
    return float(2 * stats.t.sf(abs(t), count - 1))


def holm(probabilities: Sequence[float]) -> list[float]:
    """Returns probabilities of several tests, each raised so that one false alarm among all is as rare as it says."""
    order = sorted(range(len(probabilities)), key=probabilities.__getitem__)
    found, least = [0.0] * len(order), 0.0
    for place, index in enumerate(order):
        least = max(least, min(1.0, (len(order) - place) * probabilities[index]))
        found[index] = least
    return found


def _of_mean(count: int) -> float:
    """Returns what the variance of a fold's score is multiplied by for that of the mean of all of them.

    Beside `1 / count`, what folds validate to what they train on: their training sets are nearly the same.
    """
    return 1 / count + 1 / (count - 1)
