"""What the winner looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from automl.results.plots import Searched, WinnerPlot, example, grid, over

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from automl.results.winner import Winner

EXAMPLES, COLUMNS, PIECES = 6, 3, 12
"""So many examples; each is hidden in so many pieces along a side."""


class Occlusion(WinnerPlot):
    """Colours are where the answer depends on."""

    title: ClassVar[str] = "What the model looks at"
    reads: ClassVar[str] = (
        "Piece after piece of an example is hidden behind its mean. Red is where hiding takes most from the "
        "probability of the right class: there the model looks. Red on the background says that it learned the wrong "
        "thing."
    )
    place: ClassVar[int] = 150
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def show(self, winner: Winner, searched: Searched) -> Figure | None:
        """Returns examples of as many classes, each with its map over it.

        Source: Zeiler and Fergus 2014, https://arxiv.org/abs/1311.2901, section 4.2.
        """
        del searched
        if len(winner.data.inputs) > 1 or winner.data.inputs[0].kind not in ("image", "series"):
            return None
        _, firsts = np.unique(winner.truth, return_index=True)
        chosen = np.sort(firsts[:EXAMPLES])
        (name, x), *_ = winner.examples(chosen).items()
        made, every = grid(len(chosen), COLUMNS, 2.2)
        for axes, place, number in zip(every, range(len(chosen)), chosen, strict=True):
            heat = hidden(winner, name, x[place], int(winner.truth[number]))
            example(axes, {name: x[place]})
            top = max(float(np.abs(heat).max()), 1e-6)
            over(axes, heat, cmap="bwr", alpha=0.45, vmin=-top, vmax=top)
            axes.set_title(winner.classes[winner.truth[number]], fontsize=8)
        return made


def hidden(winner: Winner, name: str, x: np.ndarray, label: int) -> np.ndarray:
    """Returns what hiding each piece of an example takes from the probability of a class.

    Args:
        winner: The model.
        name: Its input.
        x: An image, `(height, width, channels)`, or a series, `(steps, features)`.
        label: The class.

    Output: a number a piece, `(rows, columns)` of an image, `(pieces,)` of a series.
    """
    axes = 2 if x.ndim == 3 else 1
    steps = [np.linspace(0, side, min(PIECES, side) + 1).astype(int) for side in x.shape[:axes]]
    shape = tuple(len(each) - 1 for each in steps)
    pieces = []
    for place in np.ndindex(*shape):
        piece = x.copy()
        where = tuple(slice(each[at], each[at + 1]) for each, at in zip(steps, place, strict=True))
        # Padding stays what it is: a mean in its place would be a longer series.
        piece[where] = np.where(np.isnan(x[where]), np.nan, np.nanmean(x, axis=tuple(range(axes))))
        pieces.append(piece)
    outputs = winner.answers({name: np.stack([x, *pieces])})[:, label]
    drops: np.ndarray = (outputs[0] - outputs[1:]).reshape(shape)
    return drops
