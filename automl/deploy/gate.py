"""Holds an exported model against the one it was made from, in its own runtime, in another process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from automl import tasks
from automl.deploy import bundle
from automl.deploy.kept import Kept
from automl.errors import ExportError, last_line
from automl.export import Exporter

TIMEOUT_S = 900.0

AGREEMENT = 0.95
"""Share of answers that a rounded model has to keep; of numbers, their loss may rise by as much as is left."""


@dataclass(frozen=True)
class Findings:
    """What came of holding an exported model against its original.

    Args:
        difference: The largest absolute difference of any output.
        agreement: Share of examples to which both give the same answer; None where answers are numbers.
        bytes: What the model takes on disk.
        median_ms: Time of a single example, half of them; on this machine.
        p95_ms: The same of 95 in 100.
        examples: How many were looked at.
        metrics: What the exported model's answers to them score, where it is rounded.
        keras_metrics: The same of Keras's.
        imported: Which of the large packages its program imported: a runtime that needs no TensorFlow shows none.
        problem: Why it is not equal to its original; None where it is.
    """

    difference: float
    agreement: float | None
    bytes: int
    median_ms: float
    p95_ms: float
    examples: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    keras_metrics: Mapping[str, float] = field(default_factory=dict)
    imported: tuple[str, ...] = ()
    problem: str | None = None

    def figures(self, label: str) -> dict[str, float]:
        """Returns them as metrics of a model's page."""
        numbers = {name: value for name, value in asdict(self).items() if isinstance(value, int | float)}
        numbers |= {f"change_of_{name}": value - self.keras_metrics[name] for name, value in self.metrics.items()}
        return {f"export/{label}_{name}": float(value) for name, value in numbers.items() if name != "examples"}


def hold(folder: Path, exporter: Exporter, kept: Kept, expected: np.ndarray, examples: Path) -> Findings:
    """Runs an exported model by the program beside it, and compares.

    Args:
        folder: Its bundle.
        exporter: Its format.
        kept: The examples, with their targets.
        expected: What Keras gives for them.
        examples: The file that they lie in, for the other process.

    Raises:
        ExportError: Its runtime does not run it.
    """
    outputs = examples.with_name(f"{exporter.label}.npy")
    script = Path(__file__).with_name("_running.py")
    words = [sys.executable, "-IB", str(script), str(folder), str(examples), str(outputs)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise ExportError(
            f"{exporter.label}: its runtime took more than {TIMEOUT_S:.0f} s for {len(expected)} examples."
        ) from error
    if done.returncode != 0:
        last = last_line(done.stderr, f"exit code {done.returncode}")
        raise ExportError(f"{exporter.label}: its runtime does not run it: {last}.")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    beside = {bundle.TOLD, bundle.PROGRAM, bundle.REQUIREMENTS}
    own = [each for each in folder.rglob("*") if each.is_file() and each.name not in beside]
    size = sum(each.stat().st_size for each in own)
    times = {name: told[name] for name in ("median_ms", "p95_ms")}
    facts = {"bytes": size, **times, "imported": tuple(told["modules"])}
    return _compared(exporter, kept, expected, np.load(outputs), facts)


def _compared(exporter: Exporter, kept: Kept, expected: np.ndarray, got: np.ndarray, facts: dict[str, Any]) -> Findings:
    if got.shape != expected.shape:
        raise ExportError(f"{exporter.label}: it answers in the shape {got.shape}. Expected {expected.shape}.")
    difference = float(np.abs(got - expected).max()) if np.isfinite(got).all() else float("inf")
    task = tasks.of(kept.data.task)
    told = task.metadata(kept.data.task)
    agreement = None
    if kept.data.classes:
        ours, theirs = (task.answers(each, told)[0]["prediction"] for each in (expected, got))
        agreement = float((ours == theirs).mean())
    from automl.model.scores import scored  # which imports Keras

    scores = [scored(each, kept.stored, kept.data.task) if exporter.rounding else {} for each in (got, expected)]
    problem = _problem(exporter, difference, agreement, *scores)
    metrics, keras_metrics = scores
    return Findings(
        difference,
        agreement,
        examples=len(expected),
        metrics=metrics,
        keras_metrics=keras_metrics,
        problem=problem,
        **facts,
    )


def _problem(
    exporter: Exporter,
    difference: float,
    agreement: float | None,
    metrics: Mapping[str, float],
    keras: Mapping[str, float],
) -> str | None:
    """Says why an exported model is not what it was made from; None where it is."""
    if not np.isfinite(difference):
        return "some of its answers are no finite numbers"
    if exporter.rounding is None:
        told = f"its answers differ from Keras's by up to {difference:.1e}. Expected {exporter.tolerance:.0e} at most"
        return told if difference > exporter.tolerance else None
    if agreement is not None and agreement < AGREEMENT:
        return f"rounded, it agrees with Keras on {agreement:.1%} of the examples. Expected {AGREEMENT:.0%} at least"
    if agreement is None and metrics["loss"] > (2 - AGREEMENT) * keras["loss"]:
        return f"rounded, its loss is {metrics['loss']:.4g} where Keras's is {keras['loss']:.4g}"
    return None
