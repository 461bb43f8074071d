"""Compares the search algorithms on functions whose best value is known, and writes docs/algorithms.md.

`python benchmarks/algorithms.py [ALGORITHM ...]`; 20 seeds each, 100 asks, one trial at a time: half an hour for all.
What was measured before stays in docs/algorithms.json.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from automl.document.problems import Problems
from automl.document.yaml_text import parse
from automl.errors import MissingExtra
from automl.oracles import Ask, Brief, Proposer, registry
from automl.records.objective import Goals
from automl.space import grammar
from automl.space.space import Space

DOCS = Path(__file__).parents[1] / "docs"
SEEDS, ASKS, HALF = 20, 100, 50

Values = Mapping[str, Any]


def branin(v: Values) -> float:
    """Two parameters. Source: Dixon & Szego 1978; least value 0.397887."""
    x, y = v["training.x"], v["training.y"]
    bowl = y - 5.1 * x**2 / (4 * math.pi**2) + 5 * x / math.pi - 6
    return bowl**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


ALPHA = (1.0, 1.2, 3.0, 3.2)
A = ((10, 3, 17, 3.5, 1.7, 8), (0.05, 10, 17, 0.1, 8, 14), (3, 3.5, 1.7, 10, 17, 8), (17, 8, 0.05, 10, 0.1, 14))
P = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)


def hartmann6(v: Values) -> float:
    """Six parameters. Source: Hartmann 1973; least value -3.32237."""
    x = [v[f"training.x{number}"] for number in range(6)]
    rows = zip(ALPHA, A, P, strict=True)
    return -sum(
        alpha * math.exp(-sum(a * (xi - p) ** 2 for a, xi, p in zip(row, x, centre, strict=True)))
        for alpha, row, centre in rows
    )


def mixed(v: Values) -> float:
    """Ten parameters, as those of a network: a choice of optimizer with its own rates, a depth, a width for each layer.

    Our own; least value 0: sgd at rate 0.03 and momentum 0.9, two layers of 48 and 24, activation gelu.
    """
    sgd = v["training.optimizer"] == "sgd"
    rate = math.log10(v["training.optimizer.sgd.rate"] / 0.03 if sgd else v["training.optimizer.adam.rate"] / 0.002)
    cost = rate**2 + (4 * (v["training.optimizer.sgd.momentum"] - 0.9) ** 2 if sgd else 0.3)
    cost += 0.4 * abs(v["dense.repeat"] - 2)
    for number, best in zip(range(1, v["dense.repeat"] + 1), (48, 24, 12), strict=False):
        cost += 0.3 * math.log2(v[f"dense.units.{number}"] / best) ** 2
    return cost + {"gelu": 0.0, "relu": 0.1, "tanh": 0.4}[v["dense.activation"]]


UNIT = "{min: 0.0, max: 1.0}"
SIX = ", ".join(f"x{number}: {UNIT}" for number in range(6))
MIXED = """
model:
  - dense:
      repeat: {min: 1, max: 3}
      units: {min: 8, max: 128, log: true, each: true}
      activation: {values: [relu, tanh, gelu]}
training:
  optimizer:
    one_of:
      adam: {rate: {min: 1e-5, max: 1e-1, log: true}}
      sgd: {rate: {min: 1e-5, max: 1.0, log: true}, momentum: {min: 0.0, max: 0.99}}
"""
FUNCTIONS: dict[str, tuple[str, Callable[[Values], float], float]] = {
    "branin": ("training: {x: {min: -5.0, max: 10.0}, y: {min: 0.0, max: 15.0}}", branin, 0.397887),
    "hartmann6": (f"training: {{{SIX}}}", hartmann6, -3.32237),
    "mixed, conditional": (MIXED, mixed, 0.0),
}


def regrets(algorithm: str, space: Space, function: Callable[[Values], float], least: float) -> dict[str, list[float]]:
    """Runs a search for each seed; returns how far its best stayed above the least value, and the time of an ask."""
    found: dict[str, list[float]] = {"half": [], "end": [], "ask_s": []}
    for seed in range(SEEDS):
        proposer = Proposer(registry.get(algorithm)(), Brief(space, Goals.single("score", "min"), seed))
        best, began = math.inf, time.process_time()
        for number in range(1, ASKS + 1):
            ask = proposer.ask()
            assert isinstance(ask, Ask)
            cost = function(ask.values)
            proposer.tell(ask.number, cost)
            best = min(best, cost)
            if number == HALF:
                found["half"].append(best - least)
        found["end"].append(best - least)
        found["ask_s"].append((time.process_time() - began) / ASKS)
    return found


def page(rows: dict[str, dict[str, dict[str, list[float]]]]) -> str:
    """Returns docs/algorithms.md."""
    lines = [
        "# Search algorithms compared",
        "",
        f"How far the best of {HALF} and of {ASKS} trials stays above the least value of a function: the median over",
        f"{SEEDS} seeds (and the middle half of them), one trial at a time. Written by `benchmarks/algorithms.py`.",
        "",
        "The default is `auto`: `bayesian` for the first hundred scored trials, where it finds most, then `tpe`, whose",
        "asks do not grow with the history. `gp` needs PyTorch, and has a row where that was installed.",
    ]
    for name in FUNCTIONS:
        lines += ["", f"## {name}", "", f"| algorithm | {HALF} trials | {ASKS} trials | an ask |", "|---|---|---|---|"]
        for algorithm, row in rows.get(name, {}).items():
            cells = [_spread(row["half"]), _spread(row["end"]), f"{1000 * statistics.median(row['ask_s']):.0f} ms"]
            lines.append(f"| {algorithm} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _spread(values: list[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def main(wanted: list[str]) -> None:
    """Runs what is missing, or what is named, and writes the page after each."""
    record = DOCS / "algorithms.json"
    rows = json.loads(record.read_text()) if record.exists() else {}
    for name, (text, function, least) in FUNCTIONS.items():
        document = text if "model:" in text else f"model: [flatten]\n{text}"
        read = parse(document, name)
        space = grammar.read(read, Problems(read))
        for algorithm in wanted or [each for each in registry if each != "hyperband"]:
            if not wanted and algorithm in rows.get(name, {}):
                continue
            try:
                registry.get(algorithm)().require()
            except MissingExtra as error:
                print(error)
                continue
            rows.setdefault(name, {})[algorithm] = regrets(algorithm, space, function, least)
            record.write_text(json.dumps(rows) + "\n")
            (DOCS / "algorithms.md").write_text(page(rows))
            print(name, algorithm, _spread(rows[name][algorithm]["end"]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
