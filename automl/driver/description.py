"""The description of a search's run in MLflow: what is searched, the winner, the board, what was odd, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from automl import tasks
from automl.driver.ranking import Ranking
from automl.experiment.experiment import Experiment
from automl.journal import Baseline, Finished, Header
from automl.records.data import DataSpec
from automl.records.objective import spread
from automl.records.trials import TrialResult
from automl.results import markdown, trial_names

BOARD = 10
"""Trials of the board."""

_ODD = {
    "infeasible": "could not be built",
    "diverged": "diverged: their loss was no number; `clipnorm` or lower learning rates may help",
    "oom": "ran out of memory; smaller batches or narrower layers may help",
    "error": "failed",
    "lost": "were lost: their worker died or hung",
    "timeout": "ran out of time",
    "stopped": "were stopped early: others did better",
}
"""What is said of trials that did not run to their end as they were meant to, by their outcome."""

_GRADIENTS = {
    "exploded": "had a gradient that exploded; `clipnorm`, lower learning rates, or `gru` in place of `simple_rnn` may "
    "help",
    "vanished": "had a gradient that vanished, and a loss that stood still; another activation, `norm`, `residual` "
    "blocks or fewer layers may help",
}
"""What is said of trials by what went wrong with their gradient."""


def written(
    read: Experiment,
    data: DataSpec,
    header: Header,
    ranking: Ranking,
    baselines: Mapping[str, Baseline],
    varied: Sequence[str],
    finished: Finished | None = None,
) -> str:
    """Returns the description of a search as it stands, in Markdown.

    Args:
        read: What is searched.
        data: The prepared data.
        header: How the search began.
        ranking: How its trials stand.
        baselines: What is simpler than a network, by name.
        varied: The parameters that may differ between trials.
        finished: How it ended, if it has.
    """
    parts = [_searched(read, data, header), _state(read, ranking, finished)]
    if ranking.best is not None:
        parts += [_winner(read, ranking.best, finished), _board(read, ranking, baselines, varied)]
    parts += [*_odd(ranking), _commands(header.search)]
    return "\n\n".join(parts)


def _searched(read: Experiment, data: DataSpec, header: Header) -> str:
    objective = read.goals.primary
    examples = f"{markdown.sizes(data)} examples of {markdown.shapes(data)}"
    return (
        f"`{read.name}` on `{data.name}`: {examples}, {tasks.of(data.task).tells(data.task)}. "
        f"Objective `{objective.metric}` ({objective.direction}). Search `{header.search}`; every trial is a child run."
    )


def _state(read: Experiment, ranking: Ranking, finished: Finished | None) -> str:
    done, most = len(ranking.results), read.search.most_trials
    if finished is not None:
        return f"Ended, {finished.status}: {finished.reason}."
    return f"{done} trials have ended{'' if most is None else f', of {most}'}."


def _winner(read: Experiment, best: TrialResult, finished: Finished | None) -> str:
    metric, around = read.goals.primary.metric, spread(best.scores)
    told = f"**{'Winner' if finished else 'Best so far'}: t{best.trial:03d}**, `{metric}` {markdown.figure(best.score)}"
    told += "" if around is None else f" (spread {markdown.figure(around)} over {len(best.scores)} trainings)"
    if finished is None:
        return told + "."
    test = ", ".join(f"`{name}` {markdown.figure(value)}" for name, value in sorted(finished.test.items()))
    told += f"; tested once: {test}." if test else "."
    if beaten := finished.result.get("beaten_by"):
        told += f" **The baseline `{beaten}` is as good, or better: a network is not needed yet.**"
    return told


def _board(read: Experiment, ranking: Ranking, baselines: Mapping[str, Baseline], varied: Iterable[str]) -> str:
    """Returns the best trials as a table, the baselines among them."""
    objective, names = read.goals.primary, list(varied)
    rows: list[tuple[float, list[str]]] = []
    for rank, result in enumerate(islice(ranking.ordered, BOARD), start=1):
        assert result.score is not None
        name = trial_names.name(result.trial, ranking.asked[result.trial].values, names)
        weights = "" if result.parameters is None else f"{result.parameters:,}"
        facts = [f"{result.best_epoch}/{result.epochs}", weights, f"{result.seconds:.0f}"]
        rows.append((objective.cost(result.score), [f"{rank}", name, markdown.figure(result.score), *facts]))
    for name, event in baselines.items():
        if (score := event.metrics.get(objective.metric)) is not None:
            row = ["", f"baseline {name}", markdown.figure(score), "", "", f"{event.seconds:.0f}"]
            place = next((at for at, (cost, _) in enumerate(rows) if cost >= objective.cost(score)), len(rows))
            rows.insert(place, (objective.cost(score), row))
    head = ("rank", "trial", objective.metric, "best epoch", "weights", "seconds")
    return markdown.table(head, [row for _, row in rows])


def _odd(ranking: Ranking) -> list[str]:
    """Returns what went otherwise than meant, and the most common reason."""
    done, found = len(ranking.results), []
    for outcome, what in _ODD.items():
        if said := ranking.messages.get(outcome):
            count, ((reason, _),) = said.total(), said.most_common(1)
            why = f", most often: {reason}" if reason else ""
            found.append(f"- {count} of {done} trials ({count / done:.0%}) {what}{why}")
    for fault, what in _GRADIENTS.items():
        if count := ranking.gradients[fault]:
            found.append(f"- {count} of {done} trials ({count / done:.0%}) {what}")
    return ["\n".join(found)] if found else []


def _commands(search: str) -> str:
    return "\n".join((
        "```",
        f"automl trials {search}    # every trial, and what differs between them",
        f"automl export {search}    # the best model as a file",
        f"automl resume {search}    # go on; with --trials N for more of them",
        "```",
    ))  # fmt: skip
