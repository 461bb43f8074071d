"""How well the winner knows each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from automl import tasks
from automl.results.plots import Searched, WinnerPlot, figure, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from automl.results.winner import Winner

MOST = 40


class PerClass(WinnerPlot):
    """Points are precision, recall and F1 of a class."""

    title: ClassVar[str] = "Precision, recall and F1 of each class"
    reads: ClassVar[str] = (
        "Precision: of what is told to be of a class, how much is. Recall: of a class, how much is found. The worst "
        "class stands at the top; in brackets, its examples in the validation part."
    )
    place: ClassVar[int] = 120
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def show(self, winner: Winner, searched: Searched) -> Figure | None:
        """Returns the points, a row for each class."""
        del searched
        task = winner.data.task
        found = tasks.of(task).details(winner.outputs, winner.stored, task)
        precision, recall, f1, count = (
            np.array([row[key] for row in found]) for key in ("precision", "recall", "f1", "examples")
        )
        order = np.argsort(-f1, kind="stable")[-MOST:]
        made, axes = figure(1.2 + 0.28 * len(order))
        rows = np.arange(len(order))
        for values, marker, label in ((precision, "<", "precision"), (recall, ">", "recall"), (f1, "o", "F1")):
            axes.plot(values[order], rows, marker, label=label, alpha=0.8)
        axes.set_yticks(rows, [f"{winner.classes[place]} ({count[place]})" for place in order])
        handles, names = axes.get_legend_handles_labels()
        made.legend(handles, names, fontsize=8, loc="outside lower center", ncols=3)
        plain(axes)
        return made
