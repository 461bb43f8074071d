"""One HTML file that tells of a search: its figures, tables and plots, readable anywhere and without a network."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.results import leaderboard, plots, trial_names
from automl.results.plots import Plot, Searched
from automl.results.study import quietly

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE = Path(__file__).with_name("report.html.j2")
_STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "automl", "font.family": "sans-serif", "font.size": 9}
BOARD = 20
"""Trials of the leaderboard; `automl trials` has all of them."""


@dataclass(frozen=True)
class Section:
    """A plot as it stands in the report.

    Args:
        title: Stands above it.
        reads: How it is read.
        svg: The drawing.
    """

    title: str
    reads: str
    svg: str


def written(searched: Searched, rows: Sequence[Mapping[str, Any]], result: Mapping[str, Any] | None) -> str:
    """Returns the report.

    Args:
        searched: What there is to draw.
        rows: The leaderboard, the best first; see `leaderboard.board`.
        result: What the search printed at its end; None while it runs.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    header, objective = searched.told.header, searched.read.goals.primary
    return template.render(
        search=header.search,
        space=searched.read.name,
        data=searched.read.data.name if searched.read.data else "",
        objective=objective,
        began=time.strftime("%Y-%m-%d %H:%M", time.gmtime(header.created / 1000)),
        seconds=searched.told.seconds,
        backend=header.backend,
        versions=dict(header.versions),
        trials=len(searched.ended),
        rows=_rows(rows, objective.metric, searched),
        more=max(0, len(rows) - BOARD),
        best=(result or {}).get("best"),
        beaten_by=(result or {}).get("beaten_by"),
        reason=(result or {}).get("reason"),
        figure=_figure,
        sections=list(drawn(searched)),
    )


def of(home: Path, searched: Searched) -> str:
    """Returns the report of a search as its journal stands."""
    told, read = searched.told, searched.read
    return written(searched, leaderboard.board_of(home, told, read), told.finished.result if told.finished else None)


def attempted(home: Path, search_id: str, say: Callable[[str], None]) -> str | None:
    """Returns a search's report without its winner; None, with a line, where a plot fails: no search ends for it."""
    try:
        return of(home, Searched(*leaderboard.read(home, search_id)))
    except Exception as error:  # noqa: BLE001 - libraries draw it, and the search has its result
        say(f"no report was made: {type(error).__name__}: {error}")
        return None


def drawn(searched: Searched) -> list[Section]:
    """Returns the plots that have something to show, in their order."""
    found = []
    for plot in plots.ordered():
        svg = image(plot, searched)
        if svg is not None:
            found.append(Section(plot.title, plot.reads, svg))
    return found


def image(plot: Plot, searched: Searched) -> str | None:
    """Returns a plot as SVG; None where there is nothing to see."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE), quietly():
        made = plot.draw(searched)
        return None if made is None else _svg(made)


def _svg(made: Figure) -> str:
    buffer = io.StringIO()
    made.savefig(buffer, format="svg", metadata={"Date": None}, dpi=110, bbox_inches="tight")
    text = buffer.getvalue()
    return text[text.index("<svg") :]  # without the declaration of XML, which HTML does not have


def _rows(rows: Sequence[Mapping[str, Any]], metric: str, searched: Searched) -> list[dict[str, Any]]:
    name = partial(trial_names.name, varies=searched.varied)
    return [
        {
            "rank": row.get("rank"),
            "name": f"baseline {row['trial']}" if row["outcome"] == "baseline" else name(row["trial"], row["params"]),
            "outcome": row["outcome"],
            "score": row.get(metric),
            "epochs": row.get("epochs"),
            "weights": row.get("weights"),
            "seconds": row.get("seconds"),
            "message": row.get("message"),
        }
        for row in rows[:BOARD]
    ]


def _figure(value: Any) -> str:
    match value:
        case None:
            return ""
        case float():
            return f"{value:.4g}"
        case int():
            return f"{value:,}"
    return str(value)
