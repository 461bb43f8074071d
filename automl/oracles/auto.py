"""The Gaussian process while trials are few, Parzen estimators once they are many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from automl.oracles import Algorithm, Brief
from automl.oracles._modelled import InitialPoints
from automl.oracles.bayesian import Bayesian, Candidates
from automl.oracles.tpe import Parzen, Tpe

if TYPE_CHECKING:
    import numpy as np


class Auto(Algorithm):
    """As `bayesian`, which finds most in few trials, and from `many` scored ones on as `tpe`, whose asks stay cheap.

    Source: docs/algorithms.md, where all algorithms are compared.
    """

    initial_points: InitialPoints = None
    many: int = Field(100, ge=1, description="Scored trials from which on tpe proposes.")

    def oracle(self, brief: Brief) -> Any:
        """Builds the oracle."""
        from keras_tuner.oracles import BayesianOptimizationOracle

        class AutoOracle(_Auto, BayesianOptimizationOracle):
            """Keras Tuner's Gaussian process, and Optuna's sampler."""

        return AutoOracle(brief, self.initial_points, self.many)


class _Auto(Candidates, Parzen):
    def __init__(self, brief: Brief, initial_points: int | None, many: int) -> None:
        few, later = Bayesian(), Tpe()
        Candidates.__init__(self, brief, initial_points, beta=few.beta, alpha=few.alpha)
        self.drawn = later.candidates
        self.many = many

    def chosen(self, scored: Sequence[Any], generator: np.random.Generator) -> dict[str, Any] | None:
        """Asks the model that suits the number of trials."""
        return (Candidates if len(scored) < self.many else Parzen).chosen(self, scored, generator)
