"""What ends a search: its budgets, its aims, and failures that would only go on."""

from __future__ import annotations

import re
from itertools import takewhile

from automl.driver.ranking import Ranking
from automl.experiment.search_section import Search
from automl.records.trials import NO_PLACE, TrialResult

MOST_INFEASIBLE = 200
"""Trials in a row that cannot be built: such a space is wrong, though none of them counts."""


def spent(search: Search, ranking: Ranking, seconds: float) -> str | None:
    """Returns why no further trial may start, as a clause for a message; None while one may.

    Args:
        search: The budgets.
        ranking: How the trials stand, those that run included.
        seconds: Time spent so far, earlier drivers' too.
    """
    ended = list(ranking.results.values())
    counted = len(ranking.asked) - sum(result.outcome == NO_PLACE for result in ended)
    if search.most_trials is not None and counted >= search.most_trials:
        return f"all {search.most_trials} trials are done"
    # One begins however long that took: it ends its first epoch, and there is a result.
    if search.timeout_s is not None and seconds >= search.timeout_s and counted:
        return f"the time of {search.time} is over"
    epochs = ranking.epochs.total()
    if search.epochs_total is not None and epochs >= search.epochs_total:
        return f"{epochs:,} of {search.epochs_total:,} epochs are trained"
    return _reached(search, ranking) or _stuck(search, ranking) or _failing(search, ended)


def _reached(search: Search, ranking: Ranking) -> str | None:
    best = ranking.best
    if search.target is None or best is None or best.score is None:
        return None
    there = ranking.goals.primary.reached(best.score, search.target)
    return f"trial {best.trial} reached the target of {search.target}" if there else None


def _stuck(search: Search, ranking: Ranking) -> str | None:
    """Counts in the order of the trials' ends."""
    best = ranking.best
    if search.patience is None or best is None:
        return None
    scored = [number for number, result in ranking.results.items() if result.is_scored]
    since = len(scored) - 1 - scored.index(best.trial)
    return f"{since} trials in a row were no better" if since >= search.patience else None


def _failing(search: Search, ended: list[TrialResult]) -> str | None:
    """Finds one cause behind the last failures; a trial that goes well in between shows that the fault is its own."""
    last = ended[-1] if ended else None
    if last is None or last.is_scored:
        return None
    row = sum(1 for _ in takewhile(lambda result: cause(result) == cause(last), reversed(ended)))
    if last.outcome == "infeasible":
        return f"{row} trials in a row could not be built: {last.message}" if row >= MOST_INFEASIBLE else None
    return f"{row} trials in a row failed alike: {last.message}" if row >= search.failures else None


def cause(result: TrialResult) -> str:
    """Returns what failures of one cause have in common: their outcome and message, but for the numbers in it."""
    if result.outcome == "infeasible":
        return result.outcome
    return f"{result.outcome}: {re.sub(r'[0-9]+', '#', result.message or '')}"
