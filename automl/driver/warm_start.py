"""A search that starts from earlier runs: the best of them that fit its space become its first points."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from automl.errors import shorten
from automl.experiment.experiment import Experiment
from automl.records.objective import LOSS
from automl.space.domains import Choice, Domain, same
from automl.space.tree import Param
from automl.tracking import EarlierRun, key_text, value_text

MOST = 5
"""Points taken at most, and at most a third of the trials, unless another number is asked for."""
MOST_LINES = 5
MOST_NAMES = 8

_WORDS = {"True": "true", "False": "false", "None": "null"}
_LARGEST = 1.7e308
"""MLflow writes infinity as the largest number there is."""


@dataclass(frozen=True)
class WarmStart:
    """What earlier runs give.

    Args:
        points: Complete, active values of the space, best first.
        told: What was taken and what was left out, a line each.
    """

    points: tuple[dict[str, Any], ...]
    told: tuple[str, ...]


@dataclass(frozen=True)
class _Fit:
    run: EarlierRun
    score: float
    loss: float | None
    point: dict[str, Any]
    unused: tuple[str, ...]


class _Unfit(Exception):  # noqa: N818 - a verdict, not a fault
    """Why a run gives no point."""


def warm_start(read: Experiment, runs: Iterable[EarlierRun], most: int | None = None) -> WarmStart:
    """Returns the best points that earlier runs give.

    A run is as good as the search's own objective, which it must have measured. Its parameters count by their names:
    one that is not searched here is left out, one that it lacks stands at its default. A value outside its domain, or
    a broken constraint, makes the run unfit.

    Args:
        read: The search.
        runs: The earlier runs.
        most: Points at most; None for 5, and no more than a third of the trials.
    """
    if most is None:
        trials = read.search.most_trials
        most = MOST if trials is None else min(MOST, max(1, trials // 3))
    fits: list[_Fit] = []
    refused: list[str] = []
    for run in runs:
        try:
            fits.append(_fit(read, run))
        except _Unfit as reason:
            refused.append(f"{run}: {reason}")
    count = len(fits) + len(refused)
    fits.sort(key=lambda fit: read.goals.primary.merit(fit.score, fit.loss))
    seen = {read.space.key(point) for point in read.space.start}
    chosen: list[_Fit] = []
    for fit in fits:
        key = read.space.key(fit.point)
        if key not in seen and len(chosen) < most:
            seen.add(key)
            chosen.append(fit)
    told = [_summary(read, chosen, fits, count), *_unused(chosen), *refused[:MOST_LINES]]
    if len(refused) > MOST_LINES:
        told.append(f"and {len(refused) - MOST_LINES} more runs that do not fit")
    return WarmStart(tuple(fit.point for fit in chosen), tuple(f"warm start: {line}" for line in told))


def _summary(read: Experiment, chosen: Sequence[_Fit], fits: Sequence[_Fit], count: int) -> str:
    if not count:
        return "there are no runs there; the search begins without"
    if not fits:
        return f"none of {count} runs fits this search, which begins without"
    if not chosen:
        return "the document's own starting points are all that the earlier runs give"
    best, metric = chosen[0], read.goals.primary.metric
    points = "1 point" if len(chosen) == 1 else f"{len(chosen)} points"
    return f"{points} from {len(fits)} of {count} runs that fit; best {metric} {best.score:.6g}, {best.run}"


def _unused(chosen: Sequence[_Fit]) -> list[str]:
    names = list(dict.fromkeys(name for fit in chosen for name in fit.unused))
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return [f"left out, as not searched here: {', '.join(names[:MOST_NAMES])}{more}"] if names else []


def _fit(read: Experiment, run: EarlierRun) -> _Fit:
    """Maps a run onto the space.

    Raises:
        _Unfit: It cannot be.
    """
    if run.failure:
        raise _Unfit(run.failure)
    score = _score(run, read.goals.primary.metric)
    used: set[str] = set()

    def pick(param: Param) -> Any:
        name = key_text(param.name)
        if name not in run.params:
            return param.domain.default
        used.add(name)
        try:
            return value_of(run.params[name], param.domain)
        except ValueError as error:
            what = f"{param.name} is never {shorten(run.params[name])}"
            raise _Unfit(f"{what}. Expected {param.domain.described()}") from error

    point = read.space.fill(pick)
    if not used:
        raise _Unfit("none of its parameters is searched here")
    broken = next((rule.text for rule in read.space.rules if not rule.holds(point)), None)
    if broken is not None:
        raise _Unfit(f"it breaks the constraint {broken!r}")
    return _Fit(run, score, _loss(run), point, tuple(name for name in run.params if name not in used))


def _score(run: EarlierRun, metric: str) -> float:
    """Returns what a run reached."""
    score = _reached(run, metric)
    if score is None:
        raise _Unfit(f"it has no {metric}")
    if not abs(score) < _LARGEST:  # also when it is no number
        raise _Unfit(f"its {metric} is not finite")
    return score


def _loss(run: EarlierRun) -> float | None:
    """Returns the loss beside its score, where it has one."""
    loss = _reached(run, LOSS)
    return loss if loss is not None and abs(loss) < _LARGEST else None


def _reached(run: EarlierRun, metric: str) -> float | None:
    """Returns a metric of a run: its value at the best epoch where it has one, else the last."""
    names = [name for name in (key_text(f"best/{metric}"), key_text(metric)) if name in run.metrics]
    return run.metrics[names[0]] if names else None


def value_of(text: str, domain: Domain) -> Any:
    """Returns the value of a domain that a parameter's text in MLflow stands for.

    The tracker's own spelling comes first, so that `"1"`, `"1.0"` and `"true"` stay apart where the domain has them
    all; then Python's, which other programs leave there (`True`, `None`), and a number of the other kind.

    Raises:
        ValueError: It stands for none.
    """
    try:
        plain = json.loads(_WORDS.get(text, text))
    except (ValueError, RecursionError):
        plain = text
    is_number = isinstance(plain, int | float) and not isinstance(plain, bool) and math.isfinite(plain)
    if isinstance(domain, Choice):
        for known in domain.values:
            if value_text(known) == text:
                return known
        for known in domain.values:
            alike = is_number and isinstance(known, int | float) and not isinstance(known, bool) and known == plain
            if alike or same(known, plain):
                return known
        raise ValueError(f"{text!r} is none of the values")
    if is_number:
        value = int(plain) if domain.whole and plain == int(plain) else plain
        if domain.holds(value):
            return domain.decode(domain.encode(value))
    raise ValueError(f"{text!r} lies outside the range")
