"""Writes `--set path=value` into a document, as if it had stood there."""

from __future__ import annotations

import copy
from typing import Any

from automl import document
from automl.document import Document, Path_
from automl.errors import ConfigError, Problem, did_you_mean, shorten
from automl.grammar import block_names


def require_mapping(read: Document, what: str, sections: tuple[str, ...]) -> None:
    """Refuses a document that is empty or not a mapping.

    Raises:
        ConfigError: It is.
    """
    if not isinstance(read.data, dict) or not read.data:
        received = "an empty file" if not read.data else f"a {type(read.data).__name__}"
        raise ConfigError(Problem(read.where(()), f"{what} is a mapping", f"keys {', '.join(sections)}", received))


def apply(read: Document, option: str) -> Document:
    """Returns the document with one `path=value` written into it.

    A path is a parameter's name: `training.epochs`, `conv_2.filters`, `training.optimizer.sgd.momentum`. The value is
    YAML, so a domain may be given too: `conv.filters='{values: [8, 16]}'`.

    Raises:
        ConfigError: The option is no `path=value`, or its path leads through something that has no fields.
    """
    where = f"--set {option}"
    name, equals, text = option.partition("=")
    if not equals or not all(part for part in name.split(".")):
        raise ConfigError(Problem(where, "not a setting", "path=value, as in training.epochs=3", repr(option)))
    value = document.parse(text, where).data
    data = copy.deepcopy(read.data)
    path: Path_ = ()
    node: Any = data
    parts = _place(data, name.strip().split("."), where)
    for part in parts[:-1]:
        node, path = _step(node, part, path, where)
    if isinstance(node, dict) and isinstance(node.get("one_of"), dict) and parts[-1] not in node:
        node, path = node["one_of"], (*path, "one_of")
    if not isinstance(node, dict):
        raise ConfigError(Problem(where, f"{'.'.join(map(str, path))} has no fields", "a mapping", shorten(node)))
    node[str(parts[-1])] = value
    path = (*path, str(parts[-1]))
    # What stood below is gone; messages about the new value name the option.
    marks = {at: mark for at, mark in read.marks.items() if at[: len(path)] != path}
    return Document(data, read.name, {**marks, path: where})


def _place(data: dict[str, Any], parts: list[str], where: str) -> list[str | int]:
    """Turns a parameter's name into a path: a block's name stands for its place in the model."""
    model: Any = data.get("model")
    names = block_names(model)
    if parts[0] in names and parts[0] not in data:
        index = names.index(parts[0])
        _open_block(model, index)
        return ["model", index, next(iter(model[index])), *parts[1:]]
    if parts[0] == "model" and len(parts) > 1 and parts[1] in names:
        return _place(data, parts[1:], where)
    if len(parts) > 1 and parts[0] not in (*data, "training", "search", "data"):
        known = [*names, "training", "search", "data"]
        hint = did_you_mean(parts[0], known)
        raise ConfigError(Problem(where, f"nothing is called {parts[0]!r}", f"one of {', '.join(known)}", hint=hint))
    return list(parts)


def _open_block(model: list[Any], index: int) -> None:
    """Gives a block that is written as a bare name, or without fields, a mapping to write into."""
    item = model[index]
    if isinstance(item, str):
        model[index] = {item: {}}
    else:
        ((kind, fields),) = item.items()
        model[index] = {kind: {} if fields is None else fields}


def _step(node: Any, part: str | int, path: Path_, where: str) -> tuple[Any, Path_]:
    if isinstance(node, list) and isinstance(part, int):
        return node[part], (*path, part)
    if isinstance(node, dict):
        if isinstance(node.get("one_of"), dict) and part not in node:
            node, path = node["one_of"], (*path, "one_of")
        if node.get(str(part)) is None:
            node[str(part)] = {}
        return node[str(part)], (*path, part)
    raise ConfigError(Problem(where, f"{'.'.join(map(str, path))} has no fields", "a mapping", shorten(node)))
