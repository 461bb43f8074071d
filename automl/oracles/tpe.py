"""Tree-structured Parzen estimators, with Optuna's sampler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from automl.oracles import Algorithm, Brief
from automl.oracles._modelled import InitialPoints
from automl.oracles._sampled import Sampled

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class Tpe(Algorithm):
    """Models where good trials lie and where the others, all parameters together, and tries what tells them apart.

    Parameters that exist together are modelled together; running trials count as bad ones, so that workers spread.

    Source: Bergstra et al. 2011, https://papers.nips.cc/paper/4443, section 4; as in Watanabe 2023,
    https://arxiv.org/abs/2304.11127.
    """

    initial_points: InitialPoints = None
    candidates: int = Field(24, ge=1, le=10_000, description="Points drawn an ask, of which the best is tried.")

    def oracle(self, brief: Brief) -> Any:
        """Builds the oracle."""
        import keras_tuner

        class TpeOracle(Parzen, keras_tuner.Oracle):
            """Our own: Keras Tuner has no such oracle."""

        return TpeOracle(brief, self.initial_points, self.candidates)


class Parzen(Sampled):
    """Asks Optuna's sampler.

    Args:
        brief: The search.
        initial_points: Scored trials before it is asked.
        candidates: Points it draws an ask.
    """

    def __init__(self, brief: Brief, initial_points: int | None, candidates: int) -> None:
        super().__init__(brief, initial_points)
        self.drawn = candidates

    def sampler(self, seed: int) -> BaseSampler:
        """Returns a fresh sampler; the random trials before the model are not its own."""
        from optuna.samplers import TPESampler

        return TPESampler(n_startup_trials=1, n_ei_candidates=self.drawn, seed=seed, multivariate=True, group=True)
