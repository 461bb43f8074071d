"""What the project is installed as: `automl` is the package and the command, the distribution has its own name."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from automl.errors import DISTRIBUTION
from automl.machine.keras_backend import BACKENDS

REPO = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"].keys()
FOLDERS = ("automl", "benchmarks", "datasets", "docs", "search_spaces", "tests")
KINDS = {"", ".ipynb", ".md", ".py", ".toml", ".txt", ".yaml"}
STRANGER = re.compile(r"""pip3? install [^\\`"\n]*?(?<![\w./-])automl(?![\w./-])|(?<![\w-])automl\[\w""")
"""An install line that names `automl`, or an extra of it."""


def pages() -> Iterator[tuple[str, str]]:
    """Yields what is written for people to read, by its place: not what an earlier release left, nor this file."""
    inside = (path for folder in FOLDERS for path in sorted((REPO / folder).rglob("*")))
    for path in (*sorted(REPO.glob("*")), *inside):
        if path.is_file() and path.suffix in KINDS and "released" not in path.parts and path != Path(__file__):
            yield str(path.relative_to(REPO)), path.read_text("utf-8")


def test_the_distribution_is_named_in_one_way() -> None:
    assert PROJECT["name"] == DISTRIBUTION == "automl-keras"
    assert PROJECT["scripts"] == {"automl": "automl.cli:main"}


def test_no_page_installs_the_distribution_of_somebody_else() -> None:
    for line in ("pip install automl", "pip install 'automl[ray]'", "pip install -U -c constraints.txt automl==0.1"):
        assert STRANGER.search(line), line
    for line in ("pip install automl-keras", "pip install 'automl-keras[ray]'", "pip install -e ./automl", "`automl`"):
        assert not STRANGER.search(line), line
    texts = dict(pages())
    read = {"README.md", "CONTRIBUTING.md", "Makefile", "docs/quickstart.ipynb", "docs/index.md", "automl/errors.py"}
    assert read <= texts.keys()
    assert not [(place, found) for place, text in texts.items() for found in STRANGER.findall(text)]


def test_every_extra_that_is_told_exists() -> None:
    told = {(place, name) for place, text in pages() for name in re.findall(r"pip install .*\[([a-z]+)\]", text)}
    for path in sorted((REPO / "automl").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            extra = None
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "MissingExtra":
                extra = node.args[1]
            elif isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "extra":  # of an export format
                extra = node.value
            if isinstance(extra, ast.Constant) and extra.value is not None:
                told.add((str(path.relative_to(REPO)), extra.value))
    assert {name for _, name in told} >= {"ray", "postgresql", "torch", "onnx", "openvino", "litert"}
    assert not {(place, name) for place, name in told if name not in EXTRAS}
    assert set(BACKENDS[1:]) <= EXTRAS  # the first is of the core
