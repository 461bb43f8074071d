"""The git checkout that a search is begun in."""

from __future__ import annotations

import subprocess
from pathlib import Path

PATIENCE_S = 5.0
"""How long git may take: a checkout on a slow disk of a network is known without its commit."""


def git_commit(folder: Path) -> str | None:
    """Returns the commit of the git checkout around `folder`, or None where there is none."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):  # there is no git, or it takes too long
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
