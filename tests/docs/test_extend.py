"""The examples of how to add a member, put where their pages say and tried as every member is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import DOCS, REPO, blocks

pytestmark = pytest.mark.slow

PAGES = ("block", "task", "format")
CARRIED = ("automl", "search_spaces", "datasets", "pyproject.toml", "tests/contracts", "tests/specs.py",
           "tests/sweeps.py", "tests/conftest.py", "tests/docs/pages.py")  # fmt: skip
WALK = '''
"""Follows the pages of `docs/extend` in a checkout that holds their files."""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "docs"))
from pages import run

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_block_walk(tmp_path):
    said = run(ROOT / "block.md", tmp_path)
    assert "A gate, from 0 to 1 for each unit" in said["automl blocks highway"]
    assert "The document is valid." in said["automl validate deep.yaml --input 8x8x1"]


def test_task_walk(home_with_store):
    folder, rng = home_with_store.parent, np.random.default_rng(0)
    rows = [(value, ["poor", "fair", "good"][int(value * 3)]) for value in rng.uniform(size=150)]
    (folder / "grades.csv").write_text("a,grade\\n" + "".join(f"{value:.3f},{grade}\\n" for value, grade in rows))
    said = run(ROOT / "task.md", folder)
    (search,) = [text for command, text in said.items() if command.startswith("automl search")]
    assert "baseline majority: val_mae " in search
    assert "test: test_above 0." in search


def test_format_walk():
    from click.testing import CliRunner

    from automl.cli import main

    assert "archive, keras, " in " ".join(CliRunner().invoke(main, ["export", "--help"]).output.split())
'''


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with the files of the pages in their places."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in CARRIED:
        source, target = REPO / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for page in PAGES:
        shutil.copy(DOCS / "extend" / f"{page}.md", folder)
        for block in blocks(DOCS / "extend" / f"{page}.md"):
            if block.title.startswith("automl/"):
                assert not (folder / block.title).exists()
                (folder / block.title).write_text(block.text)
    (folder / "tests" / "test_walk.py").write_text(WALK)
    return folder


def test_the_examples_are_members_like_any_other(checkout: Path) -> None:
    files = [f"tests/contracts/test_{room}.py" for room in ("blocks", "tasks", "exports")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, "tests/test_walk.py",
         "-k", "highway or ordinal or archive or walk"],
        env={**os.environ, "PYTHONPATH": str(checkout)}, cwd=checkout,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "\n13 passed, 1 skipped" in done.stdout, done.stdout[-500:]


def test_the_examples_are_written_as_the_project_is(checkout: Path) -> None:
    made = [
        block.title for page in PAGES for block in blocks(DOCS / "extend" / f"{page}.md") if block.title.endswith(".py")
    ]
    assert made == ["automl/blocks/highway.py", "automl/tasks/ordinal.py", "automl/export/archive.py"]
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", *made],
            cwd=checkout,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
