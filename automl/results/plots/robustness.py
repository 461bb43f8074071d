"""How the winner bears noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from automl.results.plots import Searched, WinnerPlot, figure, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from automl.results.winner import Winner

MOST = 500
LEVELS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Standard deviation of the noise, in standard deviations of the input's own numbers."""


class Robustness(WinnerPlot):
    """The line is the score on examples with noise."""

    title: ClassVar[str] = "Robustness to noise"
    reads: ClassVar[str] = (
        "Gaussian noise is added to the examples of the validation part, in units of their own spread. A score that "
        "falls at the first steps says that the model leans on details; augmentation helps."
    )
    place: ClassVar[int] = 160
    tasks: ClassVar[tuple[str, ...]] = ("classification", "regression")

    def show(self, winner: Winner, searched: Searched) -> Figure | None:
        """Returns accuracy, or the mean error, over the noise."""
        del searched
        count, noise = min(MOST, len(winner.stored)), np.random.default_rng(0)
        x = winner.examples(np.arange(count))
        # Categories of a table are numbers of words: noise makes other words of them.
        if any(each.kind == "table" for each in winner.data.inputs):
            return None
        spread = {name: float(np.nanstd(each)) for name, each in x.items()}
        values = []
        for level in LEVELS:
            noisy = {name: each + noise.normal(0, level * spread[name], each.shape) for name, each in x.items()}
            answers = winner.answers({name: each.astype(np.float32) for name, each in noisy.items()})
            values.append(_score(winner, answers, count))
        made, axes = figure(3.2)
        axes.plot(LEVELS, values, "o-")
        axes.set(xlabel="noise, in standard deviations of the input")
        axes.set_ylabel("accuracy" if winner.task == "classification" else "mean absolute error")
        plain(axes)
        return made


def _score(winner: Winner, outputs: np.ndarray, count: int) -> float:
    if winner.task == "classification":
        return float((outputs.argmax(axis=-1) == winner.truth[:count]).mean())
    return float(np.abs(outputs - winner.stored[:count].reshape(outputs.shape)).mean())
