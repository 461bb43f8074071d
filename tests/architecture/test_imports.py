"""Who may import whom, and what an import may cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
HEAVY = ("keras", "keras_tuner", "tensorflow", "jax", "torch", "mlflow")
FILES = sorted((REPO / "automl").rglob("*.py"))
NAMES = [".".join(file.relative_to(REPO).with_suffix("").parts).removesuffix(".__init__") for file in FILES]
# The rooms a document passes through before any data is read, and those the driver decides and writes in.
LIGHT = (
    "cli",
    "data",
    "deploy",
    "document",
    "errors",
    "executors",
    "experiment",
    "journal",
    "machine",
    "oracles",
    "records",
    "registry",
    "results",
    "schedulers",
    "space",
    "tracking",
    "training",
)
KERAS = {"automl.data.feed", "automl.data.tf_pipeline"}
"""Modules in rooms of those that workers alone import."""
LIGHT_NAMES = [name for name in NAMES if name.split(".")[1:2] and name.split(".")[1] in LIGHT and name not in KERAS]


def loaded_by(code: str) -> list[str]:
    """Returns the heavy packages that are loaded after `code` ran in a fresh interpreter."""
    tell = f"{code}\nimport sys; print(*sorted(set(sys.modules) & set({HEAVY!r})))"
    done = subprocess.run(
        [sys.executable, "-c", tell], cwd=REPO, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()


def test_the_import_contracts_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    if not program.exists():
        pytest.skip("import-linter is not installed")
    done = subprocess.run([program, "--no-cache"], cwd=REPO, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout


def test_no_module_imports_tensorflow_but_for_what_is_its_own() -> None:
    """All three backends are first-class; the pipeline mends what one of them does to data that Python reads.

    Its own formats are written by it, and no word of Keras's asks for a gradient: each backend is asked in its own.
    """
    formats = ("export/_graph.py", "export/litert.py", "export/saved_model.py")
    own = [
        REPO / "automl" / name for name in ("data/tf_pipeline.py", "model/gradient.py", "worker/gradients.py", *formats)
    ]
    for file in FILES:
        if file in own:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not [name for name in names if name.split(".")[0] == "tensorflow"], (
                f"{file}:{getattr(node, 'lineno', 0)}"
            )


def test_the_rooms_that_only_read_write_and_decide_load_nothing_heavy() -> None:
    assert {name.split(".")[1] for name in LIGHT_NAMES} == set(LIGHT)
    assert loaded_by("import " + ", ".join(LIGHT_NAMES)) == []


@pytest.mark.parametrize("registry", ["blocks", "sources", "executors", "inputs", "tasks", "cli"])
def test_members_load_keras_only_when_used(registry: str) -> None:
    members = [name for name in NAMES if name.startswith(f"automl.{registry}.")]
    assert loaded_by("import " + ", ".join([f"automl.{registry}", *members])) == []


FIRST = """
import importlib, os, sys, traceback
import click, pydantic, rich, ruamel.yaml, psutil, numpy  # theirs take longest, and are in no circle with ours
for name in {names}:
    if os.fork() == 0:
        try:
            importlib.import_module(name)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        loaded = set(sys.modules) & set({heavy})
        if loaded:
            print(name, "loads", *loaded, file=sys.stderr)
        os._exit(bool(loaded))
    if os.wait()[1]:
        print(name)
"""


@pytest.mark.slow
def test_each_light_module_may_be_imported_first() -> None:
    # A circle of imports shows only when one enters it at the wrong place.
    assert len(LIGHT_NAMES) > 40
    code = FIRST.format(names=LIGHT_NAMES, heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
