"""The objective over the epochs of every trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from automl.journal import Reported
from automl.results.plots import COLOURS, Plot, Searched, figure, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class LearningCurves(Plot):
    """A line is a trial, coloured by how it ended."""

    title: ClassVar[str] = "Learning curves"
    reads: ClassVar[str] = (
        "Each line is a trial; a cross marks where one was stopped early. Curves that still rise at their end would "
        "gain from more epochs; a validation loss that rises again says that a trial learned its examples by heart."
    )
    place: ClassVar[int] = 20

    def draw(self, searched: Searched) -> Figure | None:
        """Returns the objective, and the loss of training and validation of the best trial."""
        drawn = [trial for trial in searched.ended if trial.reports]
        if not drawn:
            return None
        made, (left, right) = figure(columns=2)
        seen: set[str] = set()
        for trial in drawn:
            assert trial.ended is not None
            points = _points(trial.reports, searched.metric)
            if not points:
                continue
            outcome = trial.ended.outcome
            colour, label = COLOURS[outcome], outcome if outcome not in seen else None
            dot = "." if len(points) == 1 else None
            left.plot(*zip(*points, strict=True), color=colour, alpha=0.6, linewidth=1, label=label, marker=dot)
            if outcome == "stopped":
                left.plot(*points[-1], "x", color=colour)
            seen.add(outcome)
        left.set(xlabel="epoch", ylabel=searched.metric)
        if seen:
            left.legend(fontsize=8)
        best = searched.best
        right.set_visible(best is not None)
        if best is not None:
            for name in ("loss", "val_loss"):
                if points := _points(searched.told.trials[best].reports, name):
                    right.plot(*zip(*points, strict=True), label=name)
                    right.legend(fontsize=8)
            right.set(xlabel="epoch", ylabel="loss", title=f"the best trial, t{best:03d}")
        for axes in (left, right):
            plain(axes)
        return made


def _points(reports: Sequence[Reported], metric: str) -> list[tuple[int, float]]:
    """Returns the epochs at which a metric was a number, and that number."""
    return [(each.epoch, each.metrics[metric]) for each in reports if metric in each.metrics]
