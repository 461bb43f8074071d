"""Intervals for a score to come, and paired tests, against known values and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from automl.results.significance import holm, interval, paired


def test_the_interval_is_of_a_mean_and_of_one_score_more() -> None:
    scores = [1.0, 2.0, 3.0, 4.0]
    found = interval(scores, "rmse", fold=100, test=100)
    spread = np.var(scores, ddof=1)
    width = stats.t.ppf(0.975, 3) * math.sqrt(spread * (1 / 4 + 1 / 3) + spread)
    assert (found.mean, found.low, found.high) == pytest.approx((2.5, 2.5 - width, 2.5 + width))
    assert found.holds(2.5 + width - 1e-9)
    assert not found.holds(2.5 + width + 1e-9)
    # Few examples to test on spread a score more; many do not spread it less than the folds tell.
    assert interval(scores, "rmse", fold=100, test=50).high > found.high
    assert interval(scores, "rmse", fold=100, test=1000).high == found.high


def test_a_share_stays_one_and_is_never_certain() -> None:
    found = interval([1.0] * 5, "accuracy", fold=30, test=40)
    assert found.high == 1.0
    assert 0.8 < found.low < 1.0
    assert interval([0.01, 0.02, 0.03], "f1", fold=30, test=40).low == 0.0
    assert interval([0.5] * 5, "mae", fold=30, test=40).low == 0.5


@pytest.mark.parametrize(("count", "test"), [(5, 200), (5, 1000), (10, 100)])
def test_it_holds_the_score_of_a_test_part_as_often_as_it_says(count: int, test: int) -> None:
    rng = np.random.default_rng(0)
    fold, held, turns = 200, 0, 2000
    for _ in range(turns):
        # Each model has a true share of right answers of its own, which its seed and its examples decided.
        skills = np.clip(rng.normal(0.9, 0.01, count + 1), 0, 1)
        scores = rng.binomial(fold, skills[:-1]) / fold
        held += interval(scores.tolist(), "accuracy", fold, test).holds(rng.binomial(test, skills[-1]) / test)
    assert 0.94 <= held / turns <= 1.0


def test_pairs_are_compared_on_the_same_folds() -> None:
    a, b = [0.9, 0.8, 0.7, 0.95], [0.88, 0.79, 0.69, 0.9]
    apart = np.subtract(a, b)
    t = apart.mean() / math.sqrt(apart.var(ddof=1) * (1 / 4 + 1 / 3))
    assert paired(a, b) == pytest.approx(2 * stats.t.sf(abs(t), 3))
    assert paired(a, b) == paired(b, a)
    assert paired(a, a) == 1.0
    assert paired([1.0, 2.0], [0.5, 1.5]) == 0.0
    # Of equal models it seldom finds a difference: the plain paired test would find one too often.
    rng = np.random.default_rng(1)
    found = [paired(*rng.normal(size=(2, 5)).tolist()) < 0.05 for _ in range(1000)]
    assert np.mean(found) < 0.05


def test_several_tests_are_read_as_holm_does() -> None:
    assert holm([]) == []
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
