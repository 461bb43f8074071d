"""The card of a registered model: what it is, how it was found, how well it does, how it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from automl import tasks
from automl.journal import Header
from automl.records.data import DataSpec
from automl.results import markdown

PARTS = {"val_": "validation", "test_": "test"}


@dataclass(frozen=True)
class BestTrial:
    """The best trial of a search.

    Args:
        trial: Its number.
        document: Its resolved document.
        values: The searched parameters.
        objective: The metric by which it is the best.
        score: What it reached.
        metrics: Every metric at the best epoch, by its name with the part before it.
        test: Every metric of the test part, by its bare name or with `test_` before it; empty where it is not tested.
        parameters: Number of its weights; None where it is not known.
    """

    trial: int
    document: Mapping[str, Any]
    values: Mapping[str, Any]
    objective: str
    score: float | None
    metrics: Mapping[str, float] = field(default_factory=dict)
    test: Mapping[str, float] = field(default_factory=dict)
    parameters: int | None = None

    @property
    def measured(self) -> dict[str, float]:
        """What was measured of it on the validation and on the test part, by names with the part before them."""
        val = {name: value for name, value in self.metrics.items() if name.startswith("val_")}
        return val | {f"test_{name.removeprefix('test_')}": value for name, value in self.test.items()}


def written(winner: BestTrial, data: DataSpec, header: Header, final: str | None = None) -> str:
    """Returns the card, in Markdown.

    Args:
        winner: The trial.
        data: What it was trained on.
        header: Of the search's journal.
        final: What a finalized model is made of, in words; None for the trial's own.
    """
    about = f"`{header.settings['space']}` on `{data.name}`, {tasks.of(data.task).tells(data.task)}"
    weights = "" if winner.parameters is None else f", {winner.parameters:,} weights"
    best = f"trial {winner.trial} of the search `{header.search}`, the best of it by `{winner.objective}`"
    found = f"{best if final is None else f'{final} of the search `{header.search}`'}{weights}"
    made = f"Made from {markdown.sizes(data)} examples, digest `{data.digest[:12]}`, with Keras on {header.backend}."
    values = [(f"`{name}`", f"{value}") for name, value in winner.values.items()]
    used = f"`mlflow.pyfunc.load_model` gives it a `predict`; `automl export {header.search}` writes it to a file."
    return "\n\n".join((
        f"{about}: {found}.",
        _figures(winner.measured),
        f"Takes raw examples of {markdown.shapes(data)}: what prepares them is a part of the model. {made}",
        markdown.table(("parameter", "value"), values),
        used,
    ))  # fmt: skip


def _figures(measured: Mapping[str, float]) -> str:
    """Returns the metrics as a table, a column for each part."""
    names = dict.fromkeys(key.partition("_")[2] for key in measured)
    rows = [(f"`{name}`", *(markdown.figure(measured.get(f"{part}{name}")) for part in PARTS)) for name in names]
    return markdown.table(("", *PARTS.values()), rows)
