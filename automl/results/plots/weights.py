"""Of what layers the winner is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from automl.model.summary import summary
from automl.results.plots import Searched, WinnerPlot, figure, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from automl.results.winner import Winner

MOST = 60


class Weights(WinnerPlot):
    """A row is a layer, from the input at the top to the answer."""

    title: ClassVar[str] = "The winner, layer by layer"
    reads: ClassVar[str] = (
        "Each row is a layer with the shape of what it gives. On the left its weights, on the right what it computes "
        "for one example: where a model is large, and where it is slow."
    )
    place: ClassVar[int] = 100
    tasks: ClassVar[tuple[str, ...]] = ()

    def show(self, winner: Winner, searched: Searched) -> Figure | None:
        """Returns bars of weights and of multiply-accumulates."""
        del searched
        told = summary(winner.model)
        layers = [each for each in told.layers if each.parameters or each.macs][:MOST]
        if not layers:
            return None
        made, (left, right) = figure(1.2 + 0.25 * len(layers), columns=2, sharey=True)
        rows = range(len(layers))
        left.barh(rows, [each.parameters for each in layers], color="#1f77b4")
        right.barh(rows, [each.macs for each in layers], color="#ff7f0e")
        names = [f"{each.name}  {' x '.join(map(str, each.output))}" for each in layers]
        left.set_yticks(rows, names, fontsize=8)
        left.invert_yaxis()
        left.set(xlabel=f"weights, of {told.parameters:,}")
        right.set(xlabel=f"multiply-accumulates, of {told.macs:,}")
        for axes in (left, right):
            plain(axes)
        return made
