"""Keeps what the benchmarks measured in docs/benchmarks.json, and writes docs/benchmarks.md from it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
RECORD, PAGE = DOCS / "benchmarks.json", DOCS / "benchmarks.md"
PACKAGES = ("tensorflow", "keras", "keras-tuner", "optuna", "mlflow")
INTRODUCTION = """\
# Benchmarks

What a search costs beside the training it does, measured by the scripts of `benchmarks/`: each section says its
command, when it ran and how busy the machine was. `make bench` runs the first four; the others take long.
"""
ORDER = ("overhead", "health", "scale", "memory", "large", "transfer", "predict", "efficiency")


def record() -> dict[str, Any]:
    """Returns what was measured so far, by section."""
    return dict(json.loads(RECORD.read_text())) if RECORD.exists() else {}


def keep(name: str, section: dict[str, Any]) -> None:
    """Puts a section in the place of the one of that name, writes the page, and prints the section.

    Args:
        name: One of `ORDER`.
        section: `title`, `text` (what was compared), `command`, `tables` (each a list of rows, the heads first), and
            whatever the script wants to find again.
    """
    sections = record() | {name: section}
    sections = {each: sections[each] for each in ORDER if each in sections}
    RECORD.write_text(json.dumps(sections, indent=1) + "\n")
    PAGE.write_text("\n".join([INTRODUCTION, *(line for each in sections.values() for line in _lines(each))]))
    print("\n".join(_lines(section)), flush=True)


def _lines(section: dict[str, Any]) -> Iterator[str]:
    yield from (f"## {section['title']}", "", section["text"], "", "```", section["command"], "```", "")
    for rows in section["tables"]:
        yield f"| {' | '.join(rows[0])} |"
        yield "|---" * len(rows[0]) + "|"
        yield from (f"| {' | '.join(row)} |" for row in rows[1:])
        yield ""
    for part, ran in section["ran"].items():
        yield from (f"{part}: {ran}" if part else ran.capitalize(), "")


@contextmanager
def described(section: dict[str, Any], part: str = "") -> Iterator[None]:
    """Notes in `section["ran"]` when, where and beside how much other work the block ran, which measures this part."""
    began, before = time.strftime("%Y-%m-%d %H:%M"), os.getloadavg()[0]
    clock = time.monotonic()
    yield
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    took = (time.monotonic() - clock) / 60
    section.setdefault("ran", {})[part] = (
        f"measured {began}, in {took:.0f} minutes, on {len(os.sched_getaffinity(0))} cores, load {before:.1f} before "
        f"and {os.getloadavg()[0]:.1f} after; {versions}."
    )


def child(script: str, *arguments: str, folder: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Runs a part of a script in a process of its own; returns the object that it prints last.

    Args:
        script: The script, `__file__`.
        arguments: What tells it which part.
        folder: Where it runs.
        environment: Variables to set for it.

    Raises:
        CalledProcessError: It fails.
    """
    command = [sys.executable, script, *arguments]
    done = subprocess.run(
        command, cwd=folder, env=surroundings() | (environment or {}), stdout=subprocess.PIPE, text=True, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def surroundings() -> dict[str, str]:
    """Returns the environment of a measured process: this checkout, nobody's store, no chatter."""
    own = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"}
    rest = {name: value for name, value in os.environ.items() if name not in ("AUTOML_HOME", "MLFLOW_TRACKING_URI")}
    return rest | own


def text(docstring: str | None) -> str:
    """Returns what a script's docstring says, but for its headline and its command."""
    return (docstring or "").strip().split("\n\n", 2)[2]


def cell(value: float | None, digits: int = 2) -> str:
    """Returns a figure as a table shows it."""
    return "-" if value is None else f"{value:,.{digits}f}"


def percentile(values: Sequence[float], share: float) -> float:
    """Returns the value below which `share` of them lie: the smallest that is not exceeded by more than the rest."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
