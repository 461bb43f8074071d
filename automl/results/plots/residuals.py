"""How far the winner's numbers are off."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from automl.results.plots import Searched, WinnerPlot, figure, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from automl.results.winner import Winner


class Residuals(WinnerPlot):
    """Points are examples: what was to be told against what was."""

    title: ClassVar[str] = "Predictions and residuals"
    reads: ClassVar[str] = (
        "Points on the dashed line are told exactly. A band that widens says that large numbers are told worse; one "
        "that leaves the line at an end, that extremes are told too mildly. Validation part."
    )
    place: ClassVar[int] = 115
    tasks: ClassVar[tuple[str, ...]] = ("regression",)

    def show(self, winner: Winner, searched: Searched) -> Figure | None:
        """Returns predictions against the truth, and the distribution of what is missing, for the first targets."""
        del searched
        told = winner.outputs.reshape(len(winner.outputs), -1)
        truth = winner.stored.reshape(told.shape)
        rows = min(3, told.shape[1])
        made, grid = figure(4.0 * rows, rows, 2, squeeze=False)
        for place, (left, right) in enumerate(grid):
            x, y = truth[:, place], told[:, place]
            ends = [min(x.min(), y.min()), max(x.max(), y.max())]
            left.plot(ends, ends, "--", color="grey")
            left.plot(x, y, ".", markersize=3, alpha=0.5, rasterized=len(x) > 1000)
            left.set(xlabel="true", ylabel="told")
            right.hist(y - x, bins=40)
            right.set(xlabel="told minus true", ylabel="examples")
            for axes in (left, right):
                plain(axes)
        return made
