"""The norm of the gradient over the epochs of every trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from automl.results.plots import Plot, Searched, figure, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from automl.journal import TrialHistory

NORM = "gradient_norm"
MARKS = {"exploded": ("^", "#d62728"), "vanished": ("v", "#9467bd")}
"""What stands at the end of a trial's line, by what went wrong with its gradient."""


class Health(Plot):
    """A line is a trial, with a mark at its end where its gradient exploded or vanished."""

    title: ClassVar[str] = "Gradients"
    reads: ClassVar[str] = (
        "Each line is the norm of a trial's gradient on the same few training examples, on a logarithmic scale, "
        "measured as often as a hundredth of its time allows. A norm that rises by orders is about to explode: a "
        "smaller learning rate or clipnorm may help. The number of a trial stands where its gradient exploded (red) or "
        "vanished (violet)."
    )
    place: ClassVar[int] = 25

    def draw(self, searched: Searched) -> Figure | None:
        """Returns the norms; None where none was measured, and nothing went wrong."""
        drawn = [(trial, points) for trial in searched.ended if (points := _points(trial)) or _fault(trial)]
        if not drawn:
            return None
        made, axes = figure()
        axes.set_yscale("log")
        low = min((norm for _, points in drawn for _, norm in points), default=1.0)
        seen: set[str] = set()
        for trial, points in drawn:
            fault = _fault(trial)
            mark, colour = MARKS[fault] if fault else (None, "#1f77b4")
            if points:
                dot = "." if len(points) == 1 else None
                axes.plot(*zip(*points, strict=True), color=colour, alpha=0.6, linewidth=1, marker=dot)
            if fault:
                assert trial.ended is not None
                # Where nothing was measured but that it went wrong, the mark stands at the foot.
                at = points[-1] if points else (max(1, trial.ended.epochs), low)
                label = fault if fault not in seen else None
                axes.plot(*at, mark, color=colour, label=label, linestyle="none")
                axes.annotate(f"t{trial.asked.number:03d}", at, fontsize=7, textcoords="offset points", xytext=(4, 2))
                seen.add(fault)
        axes.set(xlabel="epoch", ylabel="norm of the gradient")
        if seen:
            axes.legend(fontsize=8)
        plain(axes)
        return made


def _points(trial: TrialHistory) -> list[tuple[int, float]]:
    """Returns the epochs at which the norm was measured, and the norm; one of 0 has no place on the scale."""
    return [(each.epoch, norm) for each in trial.reports if (norm := each.health.get(NORM, 0.0)) > 0]


def _fault(trial: TrialHistory) -> str | None:
    return trial.ended.gradient if trial.ended else None
