"""Which parameters decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from automl.results.plots import Plot, Searched, figure, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 15


class Importance(Plot):
    """A bar is what a parameter decides of the score."""

    title: ClassVar[str] = "Importance of the parameters"
    reads: ClassVar[str] = (
        "How much of what tells the better quarter of the trials from all of them each parameter explains. It is a "
        "hint from few trials, not a law: what seems not to matter may only not have been tried widely enough."
    )
    place: ClassVar[int] = 40

    def draw(self, searched: Searched) -> Figure | None:
        """Returns bars, the longest at the top."""
        known = list(searched.importances.items())[:MOST]
        if not known:
            return None
        made, axes = figure(1 + 0.3 * len(known))
        names, values = zip(*reversed(known), strict=True)
        axes.barh(names, values, color="#1f77b4")
        axes.set(xlabel="share")
        plain(axes)
        return made
