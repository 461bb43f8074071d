"""When each trial ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from automl.results.plots import COLOURS, Plot, Searched, figure, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Timeline(Plot):
    """A bar is a trial, from its proposal to its end."""

    title: ClassVar[str] = "Timeline"
    reads: ClassVar[str] = (
        "Each bar is a trial; those in one row ran one after the other. Gaps are time in which a worker had nothing to "
        "do; many short bars of one colour are failures that come quickly."
    )
    place: ClassVar[int] = 70

    def draw(self, searched: Searched) -> Figure | None:
        """Returns a row for each trial that ran at once with others."""
        if not searched.ended:
            return None
        begun = searched.told.header.created
        free: list[int] = []  # when the trial in each row ended
        bars: list[tuple[int, float, float, str]] = []
        for trial in sorted(searched.ended, key=lambda each: each.asked.time):
            assert trial.ended is not None
            start, end = trial.asked.time, trial.ended.time
            row = next((place for place, until in enumerate(free) if until <= start), len(free))
            free[row : row + 1] = [end]
            bars.append((row, (start - begun) / 60_000, (end - start) / 60_000, trial.ended.outcome))
        made, axes = figure(1.5 + 0.35 * len(free))
        for outcome in dict.fromkeys(bar[3] for bar in bars):
            mine = [bar for bar in bars if bar[3] == outcome]
            rows, starts, widths = [bar[0] for bar in mine], [bar[1] for bar in mine], [bar[2] for bar in mine]
            axes.barh(rows, widths, left=starts, color=COLOURS[outcome], edgecolor="white", label=outcome)
        axes.set(xlabel="minutes", yticks=range(len(free)), yticklabels=[f"{place + 1}" for place in range(len(free))])
        axes.set_ylabel("worker")
        handles, labels = axes.get_legend_handles_labels()
        made.legend(handles, labels, fontsize=8, loc="outside lower center", ncols=len(labels))
        plain(axes)
        return made
