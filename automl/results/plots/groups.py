"""How the winner does on each of the groups that the data names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from automl import tasks
from automl.results import fairness
from automl.results.fairness import Differences, Rates, Share
from automl.results.plots import Searched, WinnerPlot, figure, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from automl.results.winner import Winner

LEAST, MOST = 20, 20
"""Examples of a group that stands by itself at least, and groups that do at most; the others are put together."""
COLUMNS = 4
MEANS = ("f1", "auc")
"""Metrics that are means over classes: of examples that lack one they are means of others."""

Members = Mapping[str, np.ndarray]
"""Which examples belong to a group, `(examples,) bool`, by its name."""


class Groups(WinnerPlot):
    """A row is a group, a column a figure of it."""

    title: ClassVar[str] = "The groups, one by one"
    reads: ClassVar[str] = (
        "Each row is a group of the validation part, with its number of examples. The dashed line is the figure of "
        "all, the number in brackets how far the group is off it. Bars are 95 % intervals of shares: a gap within "
        "them may be chance. Of a class: how much of a group is told to be of it (the same everywhere: demographic "
        "parity), of those that are of it (the same: equal opportunity) and of those that are not (this the same too: "
        "equalized odds). A difference is that of the highest and the lowest group."
    )
    place: ClassVar[int] = 125
    tasks: ClassVar[tuple[str, ...]] = ()

    def show(self, winner: Winner, searched: Searched) -> Figure | None:
        """Returns the figures of each group; None where no column names groups, or none is large enough to compare."""
        del searched
        if winner.groups is None:
            return None
        named, others = parted(winner.groups)
        if not named or len(named) + len(others) < 2:
            return None
        every = {"all": np.ones(len(winner.groups), bool), **named, **others}
        lines, told = [_metrics(winner, every)], ""
        if winner.task == "classification":
            label, apart = _furthest(winner, named)
            found = [_rates(winner, label, mine) for mine in every.values()]
            name = winner.classes[label]
            lines.append({
                f"told {name}": [each.told for each in found],
                f"{name}: true positive rate": [each.right for each in found],
                f"{name}: false positive rate": [each.wrong for each in found],
            })  # fmt: skip
            told = (
                f"{name} by {winner.data.figures_by}: demographic parity difference {_shown(apart.parity)}, equal "
                f"opportunity difference {_shown(apart.opportunity)}, equalized odds difference {_shown(apart.odds)}"
            )
        high, wide = (1.0 + 0.25 * len(every)) * len(lines), max(map(len, lines))
        made, grid = figure(high, len(lines), wide, sharey=True, squeeze=False)
        for line, row in zip(lines, grid, strict=True):
            for axes, (title, shares) in zip(row, line.items(), strict=True):
                _draw(axes, title, shares)
        grid[0][0].set_yticks(range(len(every)), [f"{name} ({mine.sum()})" for name, mine in every.items()])
        grid[0][0].set_ylim(len(every) - 0.5, -0.5)
        made.supxlabel(told, fontsize=9)
        return made


def parted(groups: np.ndarray) -> tuple[Members, Members]:
    """Returns the groups that are large enough, the largest first; and what is left, if anything is.

    Args:
        groups: What each example belongs to, `(examples,)` text, empty for nothing.
    """
    names, codes, counts = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    chosen = [place for place in order if counts[place] >= LEAST and names[place]][:MOST]
    left, count = ~np.isin(codes, chosen), int((names != "").sum()) - len(chosen)
    found = {str(names[place]): codes == place for place in chosen}
    return found, {f"{count} other{'s' * (count > 1)}" if count else "no group": left} if left.any() else {}


def _rates(winner: Winner, label: int, mine: np.ndarray) -> Rates:
    return fairness.rates(winner.truth[mine], winner.told[mine], label)


def _furthest(winner: Winner, named: Members) -> tuple[int, Differences]:
    """Returns the class in which groups are furthest from equalized odds, of two the second, and how far they are."""
    labels = range(len(winner.classes))
    every = {
        label: fairness.differences(_rates(winner, label, mine) for mine in named.values())
        for label in (labels[1:] if len(labels) == 2 else labels)
    }
    label = max(every, key=lambda each: float(np.nan_to_num(every[each].odds, nan=-1.0)))
    return label, every[label]


def _metrics(winner: Winner, every: Members) -> dict[str, list[Share]]:
    """Returns the metrics of the task for each group; where numbers are told also whether these are too large."""
    spec, found = winner.data.task, dict[str, list[Share]]()
    for mine in every.values():
        metrics: dict[str, Any] = winner.metrics(mine)
        if spec.kind == "regression":
            told, truth = (each[mine].reshape(mine.sum(), -1) for each in (winner.outputs, winner.stored))
            del metrics["mse"]  # rmse tells it, in the unit of the targets
            metrics = {"told minus true": float((told - truth).mean()), **metrics}
        elif not tasks.of(spec).encode(winner.stored[mine], spec.state).any(axis=0).all():
            metrics |= dict.fromkeys(MEANS, math.nan)
        if spec.kind == "classification":
            metrics["accuracy"] = fairness.share(winner.told[mine] == winner.truth[mine])
        for name, value in metrics.items():
            figures = value if isinstance(value, Share) else Share(value, math.nan, math.nan)
            found.setdefault(name, []).append(figures)
    return dict([*found.items()][:COLUMNS])


def _draw(axes: Axes, title: str, shares: list[Share]) -> None:
    """Draws a figure of each group, that of all first, and writes it beside."""
    whole = shares[0].value
    axes.axvline(whole, linestyle="--", color="grey", linewidth=1)
    for row, each in enumerate(shares):
        axes.plot([each.low, each.high], [row, row], color="#1f77b4", linewidth=1)
        axes.plot(each.value, row, "o", color="#1f77b4" if row else "black", markersize=4)
        off = f" ({each.value - whole:+.2g})" if row and not math.isnan(each.value) else ""
        axes.annotate(
            _shown(each.value) + off, (1.02, row), xycoords=("axes fraction", "data"), fontsize=8, va="center"
        )
    axes.set_title(title, fontsize=9)
    axes.locator_params(axis="x", nbins=3)
    plain(axes)


def _shown(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3g}"
