"""Random search."""

from __future__ import annotations

from typing import Any

from automl.oracles import Algorithm, Brief
from automl.oracles._seeded import Seeded, proposal


class Random(Algorithm):
    """Draws every point independently, never the same point twice.

    Source: https://jmlr.org/papers/v13/bergstra12a.html
    """

    def oracle(self, brief: Brief) -> Any:
        """Builds the oracle."""
        import keras_tuner

        class RandomOracle(_Draws, keras_tuner.Oracle):
            """Our own: Keras Tuner's draws depend on how many draws came before, and stop after a reload."""

        return RandomOracle(brief)


class _Draws(Seeded):
    def populate_space(self, trial_id: str) -> dict[str, Any]:  # noqa: ARG002 - Keras Tuner's signature
        return proposal(self.draw(self.generator()))
