"""Every trial as a line through its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from automl.results.plots import HIGH, WIDE, Plot, Searched, unseen
from automl.results.study import quietly

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 8
"""Axes that can be told apart."""


class ParallelCoordinates(Plot):
    """A line is a trial, an axis a parameter; what is drawn on a logarithmic scale has a logarithmic axis."""

    title: ClassVar[str] = "Parallel coordinates"
    reads: ClassVar[str] = (
        "Each line is a trial, each axis a parameter, the most important first where that can be told. Where the lines "
        "of one colour bundle, that value goes with that score. Trials without one of these parameters are left out."
    )
    place: ClassVar[int] = 30

    def draw(self, searched: Searched) -> Figure | None:
        """Returns Optuna's figure."""
        everywhere = [name for name in searched.varied if all(name in trial.params for trial in searched.study.trials)]
        if len(searched.study.trials) < 2 or len(everywhere) < 2:
            return None
        from optuna.visualization.matplotlib import plot_parallel_coordinate

        with unseen(), quietly():
            axes = plot_parallel_coordinate(searched.study, everywhere[:MOST], target_name=searched.metric)
            made = axes.figure
        axes.set_title("")
        for lines in axes.collections:  # Optuna's end in white
            lines.set_cmap("viridis" if lines.get_cmap().name.endswith("_r") else "viridis_r")
        made.set_size_inches(WIDE, HIGH + 1)
        return made
