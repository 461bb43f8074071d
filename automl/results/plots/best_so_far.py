"""The best score over trials and over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from automl.results.leaderboard import score_of
from automl.results.plots import COLOURS, Plot, Searched, figure, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class BestSoFar(Plot):
    """Points are trials, the line is the best of them so far; dashed lines are baselines."""

    title: ClassVar[str] = "Best so far"
    reads: ClassVar[str] = (
        "Each point is a trial, the line the best until then. A line that has been flat for long says that more trials "
        "of this kind will find little; points below a dashed line are no better than that baseline."
    )
    place: ClassVar[int] = 10

    def draw(self, searched: Searched) -> Figure | None:
        """Returns two axes: over the number of trials that ended, and over the minutes of the search."""
        if not searched.scored:
            return None
        goal, begun = searched.read.goals.primary, searched.told.header.created
        made, (left, right) = figure(columns=2, sharey=True)
        number = {id(trial): place for place, trial in enumerate(searched.ended, start=1)}
        best: float | None = None
        steps: list[tuple[int, float, float]] = []
        for trial in searched.scored:
            value, ended = score_of(trial), trial.ended
            assert value is not None
            assert ended is not None
            best = value if best is None or goal.beats(value, best) else best
            at, minutes = number[id(trial)], (ended.time - begun) / 60_000
            steps.append((at, minutes, best))
            for axes, x in ((left, at), (right, minutes)):
                axes.plot(x, value, "o", color=COLOURS[ended.outcome], markersize=4)
        for axes, place in ((left, 0), (right, 1)):
            axes.step([step[place] for step in steps], [step[2] for step in steps], where="post", color="black")
            for name, event in searched.told.baselines.items():
                if (level := event.metrics.get(goal.metric)) is not None:
                    axes.axhline(level, linestyle="--", color="grey", linewidth=1)
                    axes.annotate(
                        name, (1, level), xycoords=("axes fraction", "data"), fontsize=8, ha="right", va="bottom"
                    )
            plain(axes)
        left.set(xlabel="trials ended", ylabel=goal.metric)
        right.set(xlabel="minutes")
        return made
