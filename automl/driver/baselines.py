"""What is simpler than a network: measured before the first trial, and on the test part beside the winner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from automl.driver.loop import Loop
from automl.driver.single import run_single
from automl.journal import Baseline, now_ms
from automl.records.objective import Objective
from automl.records.trials import BaselineRequest, BaselineResult
from automl.worker.baselines import run_baselines
from automl.worker.trial import run_trial


def measure(loop: Loop) -> None:
    """Measures the baselines of a search that asks for them, unless an earlier driver has; a failure is said."""
    wanted = loop.experiment.search.baselines and loop.run is run_trial
    if not wanted or loop.history.trials:
        return
    result = _run(loop, "val")
    objective = loop.experiment.goals.primary
    for name, metrics in result.metrics.items():
        if name in loop.history.baselines:  # of a driver that died before it told all of them
            continue
        event = Baseline(name, metrics, round(result.seconds[name], 3), result.examples, now_ms())
        loop.journal.append(event)
        loop.teller.baseline(event)  # which adds it to the history
        score = metrics.get(objective.metric)
        reached = f"{objective.metric} {score:.4g}" if score is not None else "without the objective"
        loop.watcher.say(f"baseline {name}: {reached}")


def told(loop: Loop, *, with_test: bool) -> dict[str, dict[str, float]]:
    """Returns what the baselines reached, by name: on the validation part and, measured now, on the test part.

    Args:
        loop: The search, at its end.
        with_test: Whether the test part is looked at, as it is where there is a winner to hold against them.
    """
    known = loop.history.baselines
    found = {name: dict(event.metrics) for name, event in known.items()}
    if found and with_test and loop.data.sizes["test"]:
        for name, metrics in _run(loop, "test").metrics.items():
            found.setdefault(name, {}).update(metrics)
    return found


def unbeaten(found: Mapping[str, Mapping[str, float]], score: float, objective: Objective) -> str | None:
    """Returns the best baseline that a score is not better than, if there is one."""
    scores = {name: each[objective.metric] for name, each in found.items() if objective.metric in each}
    best = min(scores, key=lambda name: objective.cost(scores[name]), default=None)
    return best if best is not None and not objective.beats(score, scores[best]) else None


def _run(loop: Loop, part: Literal["val", "test"]) -> BaselineResult:
    training = loop.experiment.document.data.get("training") or {}
    request = BaselineRequest(loop.data, part, loop.experiment.search.seed, with_loss="loss" not in training)
    result = run_single(loop, run_baselines, request, BaselineResult)
    if result.message:
        loop.watcher.say(f"the baselines could not be measured: {result.message}")
    return result if isinstance(result, BaselineResult) else BaselineResult(0, result.attempt, message=result.message)
