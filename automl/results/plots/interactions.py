"""How two parameters act together."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from automl.results.plots import HIGH, WIDE, Plot, Searched, unseen
from automl.results.study import quietly

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Interactions(Plot):
    """A map of the score over the two parameters that matter most."""

    title: ClassVar[str] = "The two most important parameters together"
    reads: ClassVar[str] = (
        "Points are trials, the colour between them is filled in from the nearest. Bands along one axis say that the "
        "other parameter does not matter; slanted ones, that the best value of one depends on the other."
    )
    place: ClassVar[int] = 60

    def draw(self, searched: Searched) -> Figure | None:
        """Returns Optuna's figure."""
        pair = list(searched.importances)[:2]
        if len(pair) < 2 or len(searched.study.trials) < 6:
            return None
        from optuna.visualization.matplotlib import plot_contour

        with unseen(), quietly():
            axes = plot_contour(searched.study, pair, target_name=searched.metric)
            made = axes.figure
        axes.set_title("")
        made.set_size_inches(WIDE, HIGH)
        return made
