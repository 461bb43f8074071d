"""Runs the command that heads each shipped space and writes the time it took and the score it reached under it.

`python benchmarks/headers.py [SPACE ...]`; all of search_spaces/ takes about an hour on 2 quiet cores.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
import time
from pathlib import Path

from _run import automl

SPACES = Path(__file__).parents[1] / "search_spaces"
COMMAND = re.compile(r"^# automl (search .*)\n(?:#     .*\n)?", re.MULTILINE)
CORES = 2


def measure(command: str) -> str:
    """Runs `automl COMMAND` on two cores, in a folder of its own, and says what it took and reached."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        found = automl(folder, *shlex.split(command))
        took = time.monotonic() - start
    elapsed = f"{took:.0f} s" if took < 600 else f"{took / 60:.0f} min"
    tested = found["best"]["test"]
    metric = next(name for name in ("accuracy", "r2") if f"test_{name}" in tested)
    return f"{elapsed} on {CORES} cores, test {metric} {tested[f'test_{metric}']:.3f}"


def main(names: list[str]) -> None:
    """Rewrites the headers of these spaces, of all when none is named."""
    if len(os.sched_getaffinity(0)) > CORES:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    for name in names or sorted(path.stem for path in SPACES.glob("*.yaml")):
        path = SPACES / f"{name}.yaml"
        text = path.read_text(encoding="utf-8")
        command = COMMAND.search(text)
        if command is None:
            raise SystemExit(f"{path}: no line '# automl search ...' near its head")
        figures = measure(command[1])
        headed = f"# automl {command[1]}\n#     {figures}\n"
        path.write_text(text[: command.start()] + headed + text[command.end() :], encoding="utf-8")
        print(f"{name}: {figures}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
