"""Runs commands of `automl` as a person would, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Rows = dict[str, Row]


def fill(
    record: Path,
    every: Sequence[str],
    wanted: Sequence[str],
    measure: Callable[[str], Row],
    write: Callable[[Rows], Any],
) -> None:
    """Measures rows, keeps each as soon as it is there, and writes the page.

    Args:
        record: The JSON file that holds them.
        every: The names of all rows, in their order.
        wanted: Those to measure; none: all that are missing.
        measure: Returns the row of a name; its `test` is printed.
        write: Writes the page of the rows there are.
    """
    rows: Rows = json.loads(record.read_text()) if record.exists() else {}
    for name in wanted or [name for name in every if name not in rows]:
        rows[name] = measure(name)
        rows = {each: rows[each] for each in every if each in rows}
        record.write_text(json.dumps(rows, indent=1) + "\n")
        write(rows)
        print(name, rows[name]["test"], flush=True)


def automl(folder: str, *arguments: str) -> dict[str, Any]:
    """Runs a command of this checkout in a folder; returns the object it prints.

    Raises:
        CalledProcessError: It fails.
    """
    path = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    command = [sys.executable, "-m", "automl", *arguments, "-o", "json"]
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    # A search prints its result as the last line, the others print one object over many.
    return dict(json.loads(done.stdout if done.stdout.startswith("{\n") else done.stdout.splitlines()[-1]))
