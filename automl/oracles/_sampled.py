"""What the oracles on Optuna's samplers share: a study made anew for each ask, of what the sampler may see."""

from __future__ import annotations

import contextlib
import sys
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from automl.machine import quiet
from automl.oracles._modelled import Modelled, tamed

if TYPE_CHECKING:
    import numpy as np
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

MOST_SEEN = 400
"""Finished trials a sampler sees at most: an ask grows with each of them (TPE: 18 ms at 400, 35 ms at 1,000).

Of hartmann6 and the mixed function of benchmarks/algorithms.py, four seeds each, a thousand asks that see 400 trials
found no less than those that see 1,000; with 250 they found less.
"""

MOST_TRIES = 30
"""Suggestions an ask makes until one is new and legal; then it draws."""


class Sampled(Modelled):
    """Chooses as an Optuna sampler does, told the history anew at each ask: a resume finds nothing to restore."""

    seen_before: Mapping[str, FrozenTrial] = {}
    """What the sampler saw at the last ask of the finished trials, by Keras Tuner's id: most of it serves again."""

    @cached_property
    def distributions(self) -> dict[str, BaseDistribution]:
        """What each parameter's code is drawn from, by name."""
        return {parameter.name: _distribution(parameter) for parameter in self.hyperparameters.space}

    @abstractmethod
    def sampler(self, seed: int) -> BaseSampler:
        """Returns a fresh sampler."""

    def chosen(self, scored: Sequence[Any], generator: np.random.Generator) -> dict[str, Any] | None:
        """Returns the first suggestion that is new and legal.

        A refused suggestion stays in the study as a trial that runs, which keeps the next one away from it.
        """
        import optuna

        with quiet.of_optuna(), _fast():
            study = optuna.create_study(sampler=self.sampler(int(generator.integers(2**31))))
            study.add_trials(self._frozen(scored))
            for _ in range(MOST_TRIES):
                coded = self._suggested(study)
                if self.is_new(coded):
                    return coded
        return None

    def _frozen(self, scored: Sequence[Any]) -> list[FrozenTrial]:
        """Returns what the sampler sees: of many trials the best quarter and the newest, and those that run."""
        import numpy as np

        cost = self.brief.goals.primary.cost
        costs = tamed(np.array([cost(trial.score) for trial in scored]))
        seen: Sequence[int] = range(len(scored))
        if len(scored) > MOST_SEEN:
            best = np.argsort(costs, kind="stable")[: MOST_SEEN // 4]
            rest = sorted(set(seen) - set(best.tolist()))[-(MOST_SEEN - len(best)) :]
            seen = sorted([*best.tolist(), *rest])
        told = {scored[index].trial_id: self._told(scored[index], float(costs[index])) for index in seen}
        self.seen_before = told
        running = [self._told(trial) for trial in self.trials.values() if trial.status == "RUNNING"]
        return [*told.values(), *running]

    def _told(self, trial: Any, cost: float | None = None) -> FrozenTrial:
        from automl.oracles._told import Told

        known = self.seen_before.get(trial.trial_id)
        if known is not None and known.value == cost:
            return known
        coded = trial.hyperparameters.values
        return Told(coded, {name: self.distributions[name] for name in coded}, cost)

    def _suggested(self, study: Study) -> dict[str, Any]:
        """Asks for the active parameters alone, parents first."""
        trial, coded = study.ask(), dict[str, Any]()
        for parameter in self.hyperparameters.space:
            if all(condition.is_active(coded) for condition in parameter.conditions):
                coded[parameter.name] = _suggest(trial, parameter.name, self.distributions[parameter.name])
        return coded


def _distribution(parameter: Any) -> BaseDistribution:
    """Returns what the codes of a Keras Tuner parameter are drawn from."""
    from keras_tuner.engine import hyperparameters as hp_types
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(parameter, hp_types.Choice):
        return CategoricalDistribution(parameter.values)
    kind = IntDistribution if isinstance(parameter, hp_types.Int) else FloatDistribution
    return kind(parameter.min_value, parameter.max_value, log=parameter.sampling == "log")


def _suggest(trial: Trial, name: str, distribution: Any) -> Any:
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    suggest = trial.suggest_int if isinstance(distribution, IntDistribution) else trial.suggest_float
    return suggest(name, distribution.low, distribution.high, log=distribution.log)


@contextlib.contextmanager
def _fast() -> Iterator[None]:
    """Lends Optuna SciPy's logarithm of the normal distribution.

    It has its own, equal in all but the last digits, to do without SciPy: number by number in Python, which is more
    than half of an ask that sees a thousand trials. A release without it is left as it is.
    """
    from optuna.samplers import TPESampler
    from scipy.special import log_ndtr

    # No public name leads there.
    module = getattr(sys.modules[TPESampler.__module__.rpartition(".")[0]], "_truncnorm", None)
    before = getattr(module, "_log_ndtr", None)
    if module is None or before is None:
        yield
        return
    module._log_ndtr = log_ndtr  # noqa: SLF001
    try:
        yield
    finally:
        module._log_ndtr = before  # noqa: SLF001
