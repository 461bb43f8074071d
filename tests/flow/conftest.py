"""Searches that several files look at, run once a session."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Workers import `faults` by its name; `spawn` hands them this path.
sys.path.insert(0, str(Path(__file__).parent))
from searches import Search, make
from spaces import DOCUMENTS

INLINE = ("hyperband", "rnn")
"""Searches that train in this process, as nobody asks what their workers do."""


@pytest.fixture
def new_home(home: Path, empty_store: Path) -> Path:
    """A home for one test, with an empty store in it."""
    home.mkdir()
    shutil.copy(empty_store, home)
    return home


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Callable[[str], Search]:
    """Returns the finished search of a document of `spaces`; run at the first call."""
    made: dict[str, Search] = {}

    def search(name: str) -> Search:
        if name not in made:
            home = tmp_path_factory.mktemp(name) / "mlruns"
            home.mkdir()
            shutil.copy(empty_store, home)
            made[name] = make(home, name, DOCUMENTS[name], inline=name in INLINE)
        return made[name]

    return search
