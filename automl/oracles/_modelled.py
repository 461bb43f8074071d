"""What the oracles that learn from scores share: random trials first, then a model's choice."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from automl.oracles import Brief
from automl.oracles._seeded import Seeded, proposal

if TYPE_CHECKING:
    import numpy as np

MOST_INITIAL_POINTS = 10
"""Keras Tuner draws three random points a parameter first: 36 trials with 12 parameters."""

InitialPoints = Annotated[
    int | None,
    Field(ge=1, description="Scored random trials before the model is used; 3 a parameter, at most 10, if not given."),
]


class Modelled(Seeded):
    """Draws until enough trials have a score, then asks a model.

    Args:
        brief: The search.
        initial_points: Scored trials before the model is asked; None for three a parameter, at most 10.
        settings: The algorithm's own arguments for Keras Tuner's class.
    """

    def __init__(self, brief: Brief, initial_points: int | None, **settings: Any) -> None:
        super().__init__(brief, **settings)
        self.initial_points = initial_points or max(1, min(3 * len(brief.space.params), MOST_INITIAL_POINTS))

    @abstractmethod
    def chosen(self, scored: Sequence[Any], generator: np.random.Generator) -> dict[str, Any] | None:
        """Returns the model's choice, new and legal; None when it has none.

        Args:
            scored: The trials that have a score.
            generator: The ask's random numbers.
        """

    def populate_space(self, trial_id: str) -> dict[str, Any]:  # noqa: ARG002 - Keras Tuner's signature
        """Returns a starting point, a draw, or the model's choice."""
        generator = self.generator()
        scored = [trial for trial in self.trials.values() if trial.status == "COMPLETED"]
        if len(scored) < self.initial_points or not self.space.params or self.started() is not None:
            return proposal(self.draw(generator))
        return proposal(self.chosen(scored, generator) or self.draw(generator))


def tamed(y: np.ndarray) -> np.ndarray:
    """Caps costs far above the rest: one exploding loss would flatten all others, or overflow when squared.

    Args:
        y: Costs, less is better.
    """
    import numpy as np

    y = np.clip(y, -1e30, 1e30)
    best, middle = float(np.min(y)), float(np.median(y))
    # The cap lies ten times as far above the median as the best lies below: seldom touched by ordinary scores.
    return np.minimum(y, middle + 10 * (middle - best)) if middle > best else y
