"""A Gaussian process with a length scale for each parameter, with Optuna's sampler."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from automl.errors import MissingExtra
from automl.oracles import Algorithm, Brief
from automl.oracles._modelled import InitialPoints
from automl.oracles._sampled import Sampled

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class Gp(Algorithm):
    """Fits a Gaussian process that learns which parameters matter, and tries the point of most expected improvement.

    Parameters that do not exist in every trial are drawn at random; `bayesian` and `tpe` model those too.

    Source: Jones et al. 1998, https://doi.org/10.1023/A:1008306431147, section 4.
    """

    initial_points: InitialPoints = None

    def require(self) -> None:
        """Checks that PyTorch is there, which Optuna's sampler is written in."""
        if importlib.util.find_spec("torch") is None:
            raise MissingExtra("search.algorithm: gp", "torch")

    def oracle(self, brief: Brief) -> Any:
        """Builds the oracle."""
        import keras_tuner

        class GpOracle(_Gp, keras_tuner.Oracle):
            """Our own: Keras Tuner's process has one length scale for all parameters."""

        return GpOracle(brief, self.initial_points)


class _Gp(Sampled):
    def sampler(self, seed: int) -> BaseSampler:
        """Returns a fresh sampler; the random trials before the model are not its own."""
        from optuna.samplers import GPSampler

        return GPSampler(n_startup_trials=1, seed=seed, warn_independent_sampling=False)
