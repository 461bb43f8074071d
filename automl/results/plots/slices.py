"""The score over each parameter that matters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from automl.results import trial_names
from automl.results.leaderboard import score_of
from automl.results.plots import COLOURS, Plot, Searched, grid, plain
from automl.space.domains import Range

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST, COLUMNS = 9, 3


class Slices(Plot):
    """Points are trials; an axis is a parameter."""

    title: ClassVar[str] = "The score over each parameter"
    reads: ClassVar[str] = (
        "Each point is a trial. A best value at the end of a range says that the range should go on there."
    )
    place: ClassVar[int] = 50

    def draw(self, searched: Searched) -> Figure | None:
        """Returns a grid of axes, the most important parameter first."""
        names = searched.varied[:MOST]
        if not names or len(searched.scored) < 2:
            return None
        made, every = grid(len(names), COLUMNS, 2.6, sharey=True)
        for axes, name in zip(every, names, strict=True):
            _slice(axes, searched, name)
        for axes in every[::COLUMNS]:
            axes.set_ylabel(searched.metric)
        return made


def _slice(axes: Axes, searched: Searched, name: str) -> None:
    domain: Any = searched.read.space.by_name[name].domain
    trials = [trial for trial in searched.scored if name in trial.asked.values]
    values: list[Any] = [trial.asked.values[name] for trial in trials]
    if not isinstance(domain, Range):
        labels = [trial_names.shown(value) for value in domain.values]
        values = [domain.encode(value) for value in values]
        axes.set_xticks(range(len(labels)), labels, fontsize=8, rotation=30 if max(map(len, labels)) > 6 else 0)
        axes.set_xlim(-0.5, len(labels) - 0.5)
    elif domain.log:
        axes.set_xscale("log")
    colours = [COLOURS[trial.ended.outcome] if trial.ended else "grey" for trial in trials]
    reached: Any = [score_of(trial) for trial in trials]
    axes.scatter(values, reached, s=14, c=colours)
    axes.set_title(name, fontsize=9)
    plain(axes)
