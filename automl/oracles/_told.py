"""What an Optuna study is told of a trial. Imports Optuna: for an ask alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

_THEN = datetime.fromtimestamp(0, UTC)


class Told(FrozenTrial):
    """A trial as a study made for one ask sees it.

    Optuna checks every trial that it is told of, and copies it to the bottom, twice: with a thousand trials at each ask
    that took twice as long as the choice itself. Ours are made anew for each ask, of values that the space proposed.

    Args:
        coded: Its values.
        distributions: What they are drawn from.
        cost: What it reached, less is better; None while it runs.
    """

    def __init__(self, coded: dict[str, Any], distributions: dict[str, BaseDistribution], cost: float | None) -> None:
        super().__init__(
            number=-1,  # set by the study, as the id is
            trial_id=-1,
            state=TrialState.RUNNING if cost is None else TrialState.COMPLETE,
            value=cost,
            datetime_start=_THEN,
            datetime_complete=None if cost is None else _THEN,
            params=coded,
            distributions=distributions,
            user_attrs={},
            system_attrs={},
            intermediate_values={},
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Told:
        return self

    def _validate(self) -> None:
        """Takes it as it is: see the class."""
