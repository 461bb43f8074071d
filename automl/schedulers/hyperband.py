"""Several successive halvings beside each other."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from pydantic import Field

from automl.schedulers import LearningCurve
from automl.schedulers.asha import Asha


class Hyperband(Asha):
    """Several successive halvings beside each other, from many trials judged early to few that are never judged.

    A new trial joins the bracket that is furthest from its share.

    Source: Li et al. 2016, https://jmlr.org/papers/v18/16-558.html, algorithm 1, with asynchronous brackets.
    """

    first: None = Field(None, description="Each bracket has its own.")

    def rungs(self, epochs: int, others: Sequence[LearningCurve]) -> tuple[int, ...]:
        """Returns the rungs of the bracket that is furthest from its share."""
        last = int(math.log(epochs) / math.log(self.factor) + 1e-9)
        # From the paper: bracket s holds ceil((last + 1) / (s + 1) * factor^s) trials.
        shares = {
            self.ladder(max(1, epochs // self.factor**s), epochs) if s else (): math.ceil(
                (last + 1) / (s + 1) * self.factor**s
            )
            for s in range(last, -1, -1)
        }
        there = Counter(each.rungs for each in others if not each.failed)
        return min(shares, key=lambda rungs: there[rungs] / shares[rungs])

    def meets(self, own: LearningCurve, other: LearningCurve) -> bool:
        """Tells whether they are of one bracket."""
        return own.rungs == other.rungs
