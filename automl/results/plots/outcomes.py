"""Where in the space trials fail."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from automl.results import trial_names
from automl.results.plots import COLOURS, Plot, Searched, grid, plain
from automl.space.domains import Range

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST, COLUMNS, BINS = 6, 3, 5


class Outcomes(Plot):
    """A bar is how the trials with one value of a parameter ended."""

    title: ClassVar[str] = "How trials ended, by parameter"
    reads: ClassVar[str] = (
        "Each bar is a value, or a stretch of values, of a parameter; its colours are how the trials there ended. "
        "Where most of a bar failed, the space should be cut."
    )
    place: ClassVar[int] = 80

    def draw(self, searched: Searched) -> Figure | None:
        """Returns a grid of axes; None where no trial failed."""
        if all(trial.ended and trial.ended.outcome in ("completed", "stopped") for trial in searched.ended):
            return None
        names = searched.varied[:MOST]
        if not names:
            return None
        made, every = grid(len(names), COLUMNS, 2.8)
        for axes, name in zip(every, names, strict=True):
            _bars(axes, searched, name)
        handles, labels = every[0].get_legend_handles_labels()
        made.legend(handles, labels, fontsize=8, loc="outside lower center", ncols=len(labels))
        return made


def _bars(axes: Axes, searched: Searched, name: str) -> None:
    domain: Any = searched.read.space.by_name[name].domain
    trials = [trial for trial in searched.ended if name in trial.asked.values]
    if isinstance(domain, Range):
        ends = [domain.at(place / BINS) for place in range(BINS + 1)]
        labels = [f"{trial_names.shown(low)}–{trial_names.shown(high)}" for low, high in pairwise(ends)]
        places = [min(sum(trial.asked.values[name] >= end for end in ends[1:]), BINS - 1) for trial in trials]
    else:
        labels = [trial_names.shown(value) for value in domain.values]
        places = [domain.encode(trial.asked.values[name]) for trial in trials]
    counts: Counter[tuple[int, str]] = Counter(
        (place, trial.ended.outcome) for place, trial in zip(places, trials, strict=True) if trial.ended
    )
    base = [0] * len(labels)
    for outcome, colour in COLOURS.items():
        heights = [counts[place, outcome] for place in range(len(labels))]
        if any(trial.ended and trial.ended.outcome == outcome for trial in searched.ended):
            axes.bar(range(len(labels)), heights, bottom=base, color=colour, label=outcome)
        base = [low + high for low, high in zip(base, heights, strict=True)]
    axes.set_xticks(range(len(labels)), labels, fontsize=7, rotation=30)
    axes.set_title(name, fontsize=9)
    plain(axes)
