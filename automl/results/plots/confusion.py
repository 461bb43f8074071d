"""Which classes the winner takes for which."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from automl.results.plots import Searched, WinnerPlot, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from automl.results.winner import Winner

MOST_NUMBERED = 20
"""Classes up to which a cell has room for its number."""


class Confusion(WinnerPlot):
    """A row is a class, a column what the model says."""

    title: ClassVar[str] = "Confusion matrix"
    reads: ClassVar[str] = (
        "A row is a class, a column what the model takes its examples for: how many, the darker the larger a share of "
        "the row. What lies off the diagonal is mistaken. Validation part."
    )
    place: ClassVar[int] = 110
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def show(self, winner: Winner, searched: Searched) -> Figure | None:
        """Returns the matrix."""
        from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

        del searched
        names = winner.classes
        counts = confusion_matrix(winner.truth, winner.told, labels=np.arange(len(names)))
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        made, axes = figure(min(9.0, 2.5 + 0.4 * len(names)))
        display = ConfusionMatrixDisplay(shares, display_labels=names)
        numbered = len(names) <= MOST_NUMBERED
        display.plot(ax=axes, cmap="Blues", colorbar=False, include_values=numbered, values_format=".2g")
        for text, count in zip(display.text_.ravel() if numbered else (), counts.ravel(), strict=False):
            text.set_text(f"{count}")
        axes.tick_params(axis="x", rotation=90 if max(map(len, names)) > 2 else 0)
        axes.set(xlabel="told", ylabel="true")
        if len(names) > 2 * MOST_NUMBERED:
            axes.set(xticks=[], yticks=[])
        return made
