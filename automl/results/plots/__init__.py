"""The plots of a report: one file per plot."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from automl.experiment.experiment import Experiment
from automl.journal import History, TrialHistory
from automl.registry import Member, Registry
from automl.results import leaderboard, study

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from optuna.study import Study

    from automl.records.data import InputSpec
    from automl.results.winner import Winner

WIDE, HIGH = 9.0, 4.0
"""Size of a figure, in inches."""
MOST_COLUMNS = 14
"""Columns of a row that are shown."""
COLOURS: Mapping[str, str] = {
    "completed": "#1f77b4",
    "stopped": "#ff7f0e",
    "timeout": "#bcbd22",
    "infeasible": "#7f7f7f",
    "diverged": "#d62728",
    "oom": "#9467bd",
    "error": "#8c564b",
    "lost": "#e377c2",
}
"""Of trials, by how they ended; the same in every plot."""


@dataclass(frozen=True)
class Searched:
    """What there is to draw of a search.

    Args:
        told: Its journal.
        read: What is searched.
        winner: Its best model on the validation part; None where that is not looked at.
    """

    told: History
    read: Experiment
    winner: Winner | None = None

    @property
    def metric(self) -> str:
        """The objective."""
        return self.read.goals.primary.metric

    @cached_property
    def ended(self) -> list[TrialHistory]:
        """The trials that ended, in the order of their ends."""
        found = [trial for trial in self.told.trials.values() if trial.ended is not None]
        return sorted(found, key=lambda trial: trial.ended.time if trial.ended else 0)

    @cached_property
    def scored(self) -> list[TrialHistory]:
        """Those of them that have a score."""
        return [trial for trial in self.ended if leaderboard.score_of(trial) is not None]

    @cached_property
    def best(self) -> int | None:
        """The number of the best trial; None where none has a score."""
        found = self.read.goals.best(leaderboard.results_of(self.told))
        return None if found is None else found.trial

    @cached_property
    def study(self) -> Study:
        """The scored trials as Optuna sees them."""
        return study.made(self.told, self.read)

    @cached_property
    def importances(self) -> Mapping[str, float]:
        """How much each parameter decides, the most first."""
        return study.importances(self.study)

    @cached_property
    def varied(self) -> list[str]:
        """The parameters that had more than one value, those that matter most first."""
        names = dict.fromkeys([*self.importances, *(param.name for param in self.read.space.params)])
        values = {name: {str(trial.asked.values.get(name)) for trial in self.ended} for name in names}
        return [name for name in names if len(values[name]) > 1]


class Plot(Member):
    """Something that a figure shows of a search.

    `title` stands above it, `reads` is a sentence on how to read it, `place` is where it stands in the report.
    """

    title: ClassVar[str]
    reads: ClassVar[str]
    place: ClassVar[int]

    @abstractmethod
    def draw(self, searched: Searched) -> Figure | None:
        """Returns the figure; None where there is nothing to see."""


class WinnerPlot(Plot):
    """Something that a figure shows of the winner.

    `tasks` are those it is for; none: for all.
    """

    tasks: ClassVar[tuple[str, ...]]

    def draw(self, searched: Searched) -> Figure | None:
        """Returns the figure; None where the winner is not looked at, or did not learn a task of this kind."""
        winner = searched.winner
        if winner is None or (self.tasks and winner.task not in self.tasks):
            return None
        return self.show(winner, searched)

    @abstractmethod
    def show(self, winner: Winner, searched: Searched) -> Figure | None:
        """Returns the figure; None where there is nothing to see."""


registry: Registry[Plot] = Registry("automl.results.plots", Plot, "plot")


def ordered() -> list[Plot]:
    """Returns every plot, as they stand in a report."""
    return sorted((registry.read(name) for name in registry.names()), key=lambda plot: plot.place)


def figure(high: float = HIGH, rows: int = 1, columns: int = 1, **given: Any) -> tuple[Figure, Any]:
    """Returns a figure and its axes, which no window shows.

    Args:
        high: Its height, in inches.
        rows: Rows of axes.
        columns: Columns of axes.
        given: More of what `Figure.subplots` takes.
    """
    from matplotlib.figure import Figure as Made

    made = Made(figsize=(WIDE, high), layout="constrained")
    return made, made.subplots(rows, columns, **given)


def grid(count: int, columns: int, high: float, **given: Any) -> tuple[Figure, list[Axes]]:
    """Returns a figure and so many axes in rows.

    Args:
        count: How many.
        columns: Axes in a row.
        high: Height of a row, in inches.
        given: More of what `Figure.subplots` takes.
    """
    rows = -(-count // columns)
    made, found = figure(high * rows, rows, columns, squeeze=False, **given)
    every: list[Axes] = list(found.ravel())
    for axes in every[count:]:
        axes.set_visible(False)
    return made, every[:count]


def example(axes: Axes, x: Mapping[str, np.ndarray], specs: Sequence[InputSpec] = ()) -> None:
    """Draws an example as the model takes it: a picture, a series, or the values of a row; of several inputs one.

    Args:
        axes: Where.
        x: Its inputs by name: `(height, width, channels)`, `(steps, features)` or `(features,)`.
        specs: What they are, where the columns of a row are to be named.
    """
    import numpy as np

    name = max(x, key=lambda each: np.ndim(x[each]))
    first, spec = x[name], next((each for each in specs if each.name == name and each.kind == "table"), None)
    axes.set(xticks=[], yticks=[])
    if first.ndim == 3:
        channels = first if first.shape[-1] in (3, 4) else first[..., :1]
        low, high = float(np.nanmin(channels)), float(np.nanmax(channels))
        axes.imshow((channels - low) / ((high - low) or 1.0), cmap="gray", interpolation="nearest")
    elif first.ndim == 2:
        axes.plot(first[:, :8], linewidth=0.8)
        axes.set_xlim(0, max(1, len(first) - 1))
    elif spec is not None:
        lines = _row(spec, first)
        lines[MOST_COLUMNS:] = [f"and {len(lines) - MOST_COLUMNS} more"] * (len(lines) > MOST_COLUMNS)
        axes.text(0.02, 0.98, "\n".join(lines), fontsize=7, va="top", transform=axes.transAxes, clip_on=True)
    else:
        numbers = np.ravel(first)[:12]
        axes.barh(range(len(numbers)), numbers)
        axes.invert_yaxis()


def _row(spec: InputSpec, row: np.ndarray) -> list[str]:
    """Returns a line for each column of a row: its name and what stands there."""
    words, lines = spec.state.get("words", {}), []
    for name, value in zip([*spec.state["numbers"], *words], row, strict=True):
        if name in words:
            told = words[name]["names"][int(value) - 1] if value else "a word that is not known"
        else:
            told = "missing" if value != value else f"{value:.4g}"  # noqa: PLR0124 - NaN is not itself
        lines.append(f"{name}: {told}"[:40])
    return lines


def over(axes: Axes, heat: np.ndarray, **given: Any) -> None:
    """Lays a map over an example that is drawn.

    Args:
        axes: Where.
        heat: A number a piece, `(rows, columns)`, or `(pieces,)` of a series.
        given: More of what `Axes.imshow` takes.
    """
    sides = axes.get_xlim(), axes.get_ylim()
    spread = heat if heat.ndim == 2 else heat[None]
    axes.imshow(spread, extent=(*sides[0], *sides[1]), aspect="auto", **given)
    axes.set(xlim=sides[0], ylim=sides[1])


def caption(winner: Winner, number: int) -> str:
    """Returns what an example is, and what the model says."""
    if winner.task == "classification":
        sure = float(winner.outputs[number].max())
        return f"{winner.classes[winner.truth[number]]}, told {winner.classes[winner.told[number]]} ({sure:.0%})"
    truth, told = (float(each[number].flat[0]) for each in (winner.stored, winner.outputs))
    return f"{truth:.4g}, told {told:.4g}"


def plain(axes: Axes) -> None:
    """Takes off what says nothing."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.2)


@contextmanager
def unseen() -> Iterator[None]:
    """Has what draws through pyplot draw for nobody: no window opens, and a notebook shows no figure twice."""
    from matplotlib import pyplot as plt

    before, kept = plt.get_backend(), set(plt.get_fignums())
    plt.switch_backend("agg")
    try:
        yield
    finally:
        for number in set(plt.get_fignums()) - kept:
            plt.close(number)
        plt.switch_backend(before)
