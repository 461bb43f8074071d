"""A search as an Optuna study, for what Optuna computes and draws of one. Imports Optuna."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from automl.experiment.experiment import Experiment
from automl.journal import History, TrialHistory
from automl.machine import quiet
from automl.results.leaderboard import score_of
from automl.space.domains import Range

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study

LEAST = 6
"""Scored trials below which nothing can be said of which parameter matters."""
BETTER = 0.25
"""Share of the trials that counts as the better ones: Optuna's tenth is six trials of sixty, which is luck."""


def made(told: History, read: Experiment) -> Study:
    """Returns the trials of a search that have a score.

    Args:
        told: The search's journal.
        read: What is searched.
    """
    import optuna

    with quietly():
        study = optuna.create_study(direction="minimize" if read.goals.primary.lower_is_better else "maximize")
        for trial in told.trials.values():
            if (score := score_of(trial)) is not None:
                study.add_trial(_trial(trial, score, read))
    return study


def importances(study: Study) -> dict[str, float]:
    """Returns how much each parameter decides of the score, the most first; they add up to one.

    Source: PED-ANOVA, Watanabe et al. 2023, https://arxiv.org/abs/2304.10255: what tells the better trials from all;
    for parameters that not all trials have, https://arxiv.org/abs/2601.20800.
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    if len(study.trials) < LEAST:
        return {}
    with quietly():
        evaluator = PedAnovaImportanceEvaluator(target_quantile=max(BETTER, min(0.5, LEAST / len(study.trials))))
        found = get_param_importances(study, evaluator=evaluator)
    total = sum(found.values())
    return {name: value / total for name, value in found.items()} if total else {}


@contextmanager
def quietly() -> Iterator[None]:
    """Keeps Optuna quiet, and what it draws with, which warns of figures with few points."""
    with quiet.of_optuna(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _trial(trial: TrialHistory, score: float, read: Experiment) -> Any:
    import optuna

    known = read.space.by_name
    values = {name: value for name, value in trial.asked.values.items() if name in known}
    distributions = {name: _distribution(known[name].domain) for name in values}
    assert trial.ended is not None
    began, ended = (datetime.fromtimestamp(each / 1000, UTC) for each in (trial.asked.time, trial.ended.time))
    params = {name: _plain(value) if _is_choice(distributions[name]) else value for name, value in values.items()}
    made = optuna.trial.create_trial(
        params=params, distributions=distributions, value=score, user_attrs={"trial": trial.asked.number}
    )
    made.datetime_start, made.datetime_complete = began, ended
    return made


def _distribution(domain: Any) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(domain, Range):
        kind = IntDistribution if domain.whole else FloatDistribution
        # Without the step: a value that stands on it by our decimals may stand beside it by Optuna's.
        return kind(domain.min, domain.max, log=domain.log)
    return CategoricalDistribution([_plain(value) for value in domain.values])


def _is_choice(distribution: BaseDistribution) -> bool:
    from optuna.distributions import CategoricalDistribution

    return isinstance(distribution, CategoricalDistribution)


def _plain(value: Any) -> Any:
    """Returns a choice as Optuna takes it: lists and mappings as text."""
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
