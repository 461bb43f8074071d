"""The examples that the winner is most wrong about."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from automl.results.plots import Searched, WinnerPlot, caption, example, grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from automl.results.winner import Winner

MOST, COLUMNS = 12, 4


class Worst(WinnerPlot):
    """A picture, a series or a row, with what it is and what the model says."""

    title: ClassVar[str] = "The worst mistakes"
    reads: ClassVar[str] = (
        "The examples of the validation part that the model is most wrong about, the worst first. Look for labels that "
        "are wrong, and for what these examples have in common."
    )
    place: ClassVar[int] = 140
    tasks: ClassVar[tuple[str, ...]] = ("classification", "regression")

    def show(self, winner: Winner, searched: Searched) -> Figure | None:
        """Returns a grid of examples."""
        del searched
        worst = np.argsort(-winner.loss, kind="stable")[:MOST]
        if winner.task == "classification":
            worst = worst[winner.told[worst] != winner.truth[worst]]
        if not len(worst):
            return None
        made, every = grid(len(worst), COLUMNS, 2.5)
        x = winner.examples(worst)
        for axes, place, number in zip(every, range(len(worst)), worst, strict=True):
            example(axes, {name: each[place] for name, each in x.items()}, winner.data.inputs)
            axes.set_title(caption(winner, number), fontsize=8)
        return made
