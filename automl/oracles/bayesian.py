"""Bayesian optimisation with Keras Tuner's Gaussian process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import Field

from automl.oracles import Algorithm, Brief
from automl.oracles._modelled import InitialPoints, Modelled, tamed
from automl.oracles._seeded import at

if TYPE_CHECKING:
    import numpy as np

RANDOM_CANDIDATES = 2_000
"""Candidates drawn from the whole space."""

NEAR_CANDIDATES = 100
"""Candidates near each of the best trials, for each width."""

BEST_TRIALS = 5
"""How many of the best trials get candidates near them."""

WIDTHS = (0.1, 0.02)
"""Standard deviations of those candidates, in a parameter's unit interval."""

LEVELS = 2_000
"""Steps of the unit interval in the tables by which candidates are ranked."""

LENGTHS = (1e-2, 1e2, 13)
"""Least and largest length scale tried, and how many between: the space's diagonal is a few units long."""


class Bayesian(Algorithm):
    """Fits a Gaussian process to the scores so far and tries the point with the best lower confidence bound.

    Source: https://www.cse.wustl.edu/~garnett/cse515t/spring_2015/files/lecture_notes/12.pdf
    """

    initial_points: InitialPoints = None
    beta: float = Field(2.6, ge=0.0, description="How much the unknown attracts: 0 trusts the model's mean alone.")
    alpha: float = Field(1e-4, gt=0.0, description="Noise of the scores, as a part of their variance.")

    def oracle(self, brief: Brief) -> Any:
        """Builds the oracle."""
        from keras_tuner.oracles import BayesianOptimizationOracle

        class BayesianOracle(Candidates, BayesianOptimizationOracle):
            """Keras Tuner's Gaussian process; the candidates, the seeds and the running trials are ours."""

        return BayesianOracle(brief, self.initial_points, beta=self.beta, alpha=self.alpha)


class Candidates(Modelled):
    """Chooses among candidates instead of descending from 50 starts: cheaper, and a point seen can be passed over."""

    def chosen(self, scored: Sequence[Any], generator: np.random.Generator) -> dict[str, Any] | None:
        """Returns the new candidate with the best lower confidence bound; None when no candidate is new."""
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        # More BLAS threads than free cores made one ask take minutes; one thread also keeps proposals reproducible.
        with threadpool_limits(1, user_api="blas"):
            return self.best_candidate(scored, generator)

    def best_candidate(self, scored: Sequence[Any], generator: np.random.Generator) -> dict[str, Any] | None:
        """Fits the model and ranks the candidates by it."""
        import numpy as np

        # Always a minimisation.
        cost = self.brief.goals.primary.cost
        x = np.array([self.vector(trial.hyperparameters.values) for trial in scored])
        y = tamed(np.array([cost(trial.score) for trial in scored]))
        model = self.fit(x, y)
        candidates = self.candidates(x[np.argsort(y, kind="stable")[:BEST_TRIALS]], generator)
        mean, deviation = model.predict(self.vectors(candidates), return_std=True)
        order = np.argsort(mean - self.beta * deviation, kind="stable")
        ranked = (self.sample(candidates[i]) for i in order)
        return next((coded for coded in ranked if self.is_new(coded)), None)

    def fit(self, x: np.ndarray, y: np.ndarray) -> Any:
        """Fits the Gaussian process to the finished trials, then adds what it expects of the running ones."""
        import numpy as np

        model = self._make_gpr().set_params(n_restarts_optimizer=0, optimizer=best_length)
        model.fit(x, y)
        running = [trial for trial in self.trials.values() if trial.status == "RUNNING"]
        if not running:
            return model
        # A pessimistic guess keeps the next proposal away from them. Keras Tuner guesses with the model of the ask
        # before, which the first time was never fitted, and crashes on a running trial it does not know as ongoing.
        hallucinated = np.array([self.vector(trial.hyperparameters.values) for trial in running])
        mean, deviation = model.predict(hallucinated, return_std=True)
        more = self._make_gpr().set_params(kernel=model.kernel_, optimizer=None)
        more.fit(np.concatenate([x, hallucinated]), np.concatenate([y, mean + deviation]))
        return more

    def candidates(self, best: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Draws positions in the whole space, and near the best trials with about half of the parameters moved.

        Output: (candidates, parameters) float64, in [0, 1].
        """
        import numpy as np

        dimensions = best.shape[1]
        everywhere = generator.random((RANDOM_CANDIDATES, dimensions))
        near = [everywhere]
        for width in WIDTHS:
            centres = np.repeat(best, NEAR_CANDIDATES, axis=0)
            moved = generator.random(centres.shape) < 0.5
            near.append(np.clip(centres + moved * generator.normal(0.0, width, centres.shape), 0.0, 1.0))
        return np.concatenate(near)

    def vectors(self, positions: np.ndarray) -> np.ndarray:
        """Returns what `vector` says of the points at these positions; one by one they took longer than the model.

        Output: of the same shape.
        """
        import numpy as np

        levels = np.minimum((positions * LEVELS).astype(int), LEVELS - 1)
        middles = (np.arange(LEVELS) + 0.5) / LEVELS
        found = np.empty_like(positions)
        for number, (places, gates) in enumerate(self.tables):
            found[:, number] = np.interp(positions[:, number], middles, places)
            for parent, opens in gates:
                parameter = self.hyperparameters.space[number]
                found[~opens[levels[:, parent]], number] = parameter.value_to_prob(parameter.default)
        return found

    @cached_property
    def tables(self) -> list[tuple[np.ndarray, list[tuple[int, np.ndarray]]]]:
        """For each parameter: what `vector` holds at each level, and at which levels of its parents it exists."""
        import numpy as np

        space = self.hyperparameters.space
        numbers = {parameter.name: number for number, parameter in enumerate(space)}
        values = [[at(parameter, (level + 0.5) / LEVELS) for level in range(LEVELS)] for parameter in space]
        found = []
        for parameter, own in zip(space, values, strict=True):
            parents = [(numbers[condition.name], condition.values) for condition in parameter.conditions]
            gates = [(parent, np.array([value in wanted for value in values[parent]])) for parent, wanted in parents]
            found.append((np.array([parameter.value_to_prob(value) for value in own]), gates))
        return found

    def vector(self, coded: dict[str, Any]) -> list[float]:
        """Returns a point's place in the unit cube; an inactive parameter stands at its default, as in Keras Tuner."""
        return [p.value_to_prob(coded.get(p.name, p.default)) for p in self.hyperparameters.space]


def best_length(loss: Callable[..., float], initial: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, float]:
    """Fits the Gaussian process's only parameter, the logarithm of its length scale.

    Keras Tuner descends from 21 starts, which takes seconds an ask and may end in a poor one. A row of values and a
    search between the neighbours of its best need no gradient, which is most of the cost of a step.

    Args:
        loss: Takes the parameter, `(1,)`, and whether its gradient is wanted.
        initial: Where scikit-learn would begin, which is not needed.
        bounds: What scikit-learn would keep to, far wider than `LENGTHS`.

    Returns:
        The parameter, `(1,)`, and its loss; see scikit-learn's `GaussianProcessRegressor`.
    """
    import numpy as np
    from scipy.optimize import minimize_scalar

    del initial, bounds

    def at(length: float) -> float:
        return loss(np.array([length]), eval_gradient=False)

    row = np.log(np.geomspace(*LENGTHS))
    losses = [at(length) for length in row]
    best = int(np.argmin(losses))
    around = row[max(best - 1, 0)], row[min(best + 1, len(row) - 1)]
    found = minimize_scalar(at, bounds=around, method="bounded", options={"xatol": 1e-2})
    if found.fun < losses[best]:
        return np.array([found.x]), float(found.fun)
    return row[best : best + 1], losses[best]
