"""Grid search."""

from __future__ import annotations

from itertools import chain
from typing import Any, ClassVar

from automl.oracles import Algorithm, Brief
from automl.oracles._seeded import Seeded, proposal
from automl.space.space import grid


class Grid(Algorithm):
    """Tries every point of the grid in order, the last parameter fastest; a range without steps at up to ten points."""

    is_random: ClassVar[bool] = False

    def oracle(self, brief: Brief) -> Any:
        """Builds the oracle."""
        import keras_tuner

        class GridOracle(_Steps, keras_tuner.Oracle):
            """Our own: Keras Tuner's forgets its place when it is restored (keras-tuner#1055)."""

        return GridOracle(brief)


class _Steps(Seeded):
    def __init__(self, brief: Brief) -> None:
        super().__init__(brief)
        # Lazy: a grid may have more points than atoms. Points already seen are skipped, which is all a resume needs.
        self.ahead = map(self.space.encode, chain(self.space.start, grid(self.space)))

    def populate_space(self, trial_id: str) -> dict[str, Any]:  # noqa: ARG002 - Keras Tuner's signature
        coded = next((point for point in self.ahead if self.is_new(point)), None)
        if coded is None:
            self.reason = f"every point of the grid was tried or ruled out; {len(self.seen):,} points were tried"
        return proposal(coded)
