"""Whether the winner is as sure as it is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from automl.results.plots import Searched, WinnerPlot, figure, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from automl.results.winner import Winner

BINS = 10


class Calibration(WinnerPlot):
    """A point is how often the model is right where it is so sure."""

    title: ClassVar[str] = "Calibration"
    reads: ClassVar[str] = (
        "Where the model gives its answer a probability (to the right), how often it is right (up). On the dashed line "
        "probabilities mean what they say; below it the model is too sure. ECE is the mean distance from the line."
    )
    place: ClassVar[int] = 130
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def show(self, winner: Winner, searched: Searched) -> Figure | None:
        """Returns the curve, and how often the model is how sure."""
        del searched
        sure, right = winner.outputs.max(axis=-1), winner.told == winner.truth
        error, points = expected_error(sure, right)
        made, (left, below) = figure(columns=2)
        left.plot([0, 1], [0, 1], "--", color="grey")
        left.plot(*zip(*points, strict=True), "o-")
        left.set(xlabel="probability of the answer", ylabel="share that is right", title=f"ECE {error:.3f}")
        below.hist(sure, bins=np.linspace(0, 1, BINS + 1))
        below.set(xlabel="probability of the answer", ylabel="examples")
        for axes in (left, below):
            plain(axes)
        return made


def expected_error(sure: np.ndarray, right: np.ndarray) -> tuple[float, list[tuple[float, float]]]:
    """Returns the expected calibration error in ten bins, and the mean probability and share that is right of each.

    Args:
        sure: The probability of each answer, from 0 to 1.
        right: Whether it is right.

    Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599, equation 3.
    """
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    error, points = 0.0, []
    for place in range(BINS):
        mine = bins == place
        if mine.any():
            mean, share = float(sure[mine].mean()), float(right[mine].mean())
            error += float(mine.mean()) * abs(mean - share)
            points.append((mean, share))
    return error, points
