"""The shipped YAML files: a bare name finds them, a path finds the user's own."""

from __future__ import annotations

import os
from pathlib import Path

from automl.errors import ConfigError, Problem, did_you_mean, shorten
from automl.machine import files

SPACES = "search_spaces"
DATASETS = "datasets"
_SHIPPED = {SPACES: "_spaces", DATASETS: "_datasets"}
_NOUN = {SPACES: "search space", DATASETS: "data set"}
_WORD = {SPACES: "SPACE", DATASETS: "data"}
"""What the command line calls the argument."""


def folder(kind: str) -> Path:
    """Returns where the files of a kind (`SPACES` or `DATASETS`) lie."""
    package = Path(__file__).parents[1]
    # In a wheel they lie inside the package; only a checkout has the top-level folder.
    inside = package / _SHIPPED[kind]
    return inside if inside.is_dir() else package.parent / kind


def names(kind: str) -> list[str]:
    """Returns the names of a kind, sorted."""
    return sorted(path.stem for path in folder(kind).glob("*.yaml"))


def find(kind: str, name_or_path: str, where: str | None = None) -> Path:
    """Returns the file of a bare name (`cnn`) or of a path (`./mine.yaml`).

    Args:
        kind: `SPACES` or `DATASETS`.
        name_or_path: What to find.
        where: Where it was named, for messages: an option, or a place in a document.

    Raises:
        ConfigError: There is no such file, or no such name in the catalog.
    """
    path = files.expanded(name_or_path)
    # Of the text, not of `path`: pathlib takes `./` away, and a file beside the user needs no ending to be named.
    if path.suffix in (".yaml", ".yml") or name_or_path.startswith((".", "~")) or os.sep in name_or_path:
        problem = files.unreadable(path)
        if problem is None:
            return path
        named = f": {shorten(name_or_path, files.SHOWN)}" if where else ""
        where = where or files.shown(name_or_path)
        if files.exists(path) and path.is_dir():
            raise ConfigError(Problem(where, f"this is a folder{named}", "a YAML file"))
        if problem != files.NOTHING:
            raise ConfigError(Problem(where, f"{problem}{named}", "a YAML file"))
        near = sorted(p.name for p in path.parent.glob("*.y*ml")) if files.exists(path.parent) else []
        raise ConfigError(Problem(where, f"no such file{named}", hint=did_you_mean(path.name, near)))
    if name_or_path not in names(kind):
        expected = f"one of {', '.join(names(kind))}, or the path of a YAML file"
        hint = did_you_mean(name_or_path, names(kind))
        what = f"no {_NOUN[kind]} is called {shorten(name_or_path, files.SHOWN)}"
        raise ConfigError(Problem(where or _WORD[kind], what, expected, hint=hint))
    return folder(kind) / f"{name_or_path}.yaml"
