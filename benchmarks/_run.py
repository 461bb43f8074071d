"""Runs commands of `automl` as a person would, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def automl(folder: str, *arguments: str) -> dict[str, Any]:
    """Runs a command of this checkout in a folder; returns the object it prints.

    Raises:
        CalledProcessError: It fails.
    """
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-m", "automl", *arguments, "-o", "json"]
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    # A search prints its result as the last line, the others print one object over many.
    return dict(json.loads(done.stdout if done.stdout.startswith("{\n") else done.stdout.splitlines()[-1]))
