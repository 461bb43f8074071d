"""Kills a search whose trials train with Keras 20 times, and writes what became of it to docs/kills.md.

python benchmarks/kills.py            on the backend of $KERAS_BACKEND, tensorflow if not given
python benchmarks/kills.py --missing  unless docs/kills.md holds this backend

The kills are those of tests/flow/kills.py, which the tests do too, only fewer.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TABLE, RECORD = ROOT / "docs" / "kills.md", ROOT / "docs" / "kills.json"
KILLS, TRIALS, SEED = 20, 24, 0
INTRODUCTION = """\
# Kills

One search of small CNNs on the digits, 24 trials of 8 epochs with 2 workers, is left alone. Another of the same seed is
killed 20 times (`kill -9`): its driver, which `automl resume` then goes on from, or one of its workers; the moments and
the victims are random. What differs in the end is counted: trials that are lost, run twice or doubled in MLflow, and
proposals, epochs, scores (to 6 decimals) and ranks that are not those of the search left alone.

| backend | drivers killed | workers killed | attempts at 24 trials | left alone, s | killed, s | differences |
|---|---|---|---|---|---|---|
"""


def measure(backend: str) -> dict[str, Any]:
    """Runs both searches in a folder of their own."""
    sys.path.insert(0, str(ROOT / "tests" / "flow"))
    from kills import LINES, compare, finish, kill_at_random, trained
    from searches import begun

    from automl.journal import replay

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drive = trained(folder / "trained.yaml", TRIALS, backend)
        alone, killed = folder / "alone" / "mlruns", folder / "killed" / "mlruns"
        for home in (alone, killed):
            home.parent.mkdir()
        moments = [time.monotonic()]
        finish(drive, alone)
        moments.append(time.monotonic())
        counted = kill_at_random(drive, killed, SEED, KILLS, TRIALS * LINES)
        moments.append(time.monotonic())
        return {
            "drivers": counted["driver"],
            "workers": counted["worker"],
            "attempts": sum(trial.attempts for trial in replay(begun(killed)).trials.values()),
            "alone_s": round(moments[1] - moments[0]),
            "killed_s": round(moments[2] - moments[1]),
            "differences": compare(killed, alone),
        }


def page(rows: dict[str, dict[str, Any]]) -> str:
    """Returns the page."""
    lines = [
        f"| {backend} | {row['drivers']} | {row['workers']} | {row['attempts']} | {row['alone_s']} | {row['killed_s']} "
        f"| {'; '.join(row['differences']) or 'none'} |"
        for backend, row in rows.items()
    ]
    return INTRODUCTION + "\n".join([*lines, "", "Reproduced by `python benchmarks/kills.py`.", ""])


def main(backend: str, *, missing: bool) -> None:
    """Runs the row of a backend and writes the page; ends with 1 where something differs."""
    rows = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    if missing and backend in rows:
        return
    rows[backend] = row = measure(backend)
    RECORD.write_text(json.dumps(rows, indent=1) + "\n")
    TABLE.write_text(page(rows))
    print(backend, json.dumps(row), flush=True)
    if row["differences"] or row["drivers"] + row["workers"] < KILLS:
        sys.exit(1)


if __name__ == "__main__":
    main(os.environ.get("KERAS_BACKEND") or "tensorflow", missing="--missing" in sys.argv[1:])
