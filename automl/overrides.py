"""Writes `--set path=value` into a document, as if it had stood there."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace
from typing import Any

from automl import document
from automl.document import Document, Path_
from automl.errors import ConfigError, Problem, did_you_mean, shorten
from automl.grammar import VARIANT_KEYS, block_names


def require_mapping(read: Document, what: str, sections: tuple[str, ...]) -> None:
    """Refuses a document that is empty or not a mapping.

    Raises:
        ConfigError: It is.
    """
    if not isinstance(read.data, dict) or not read.data:
        kinds = {list: "a list", str: "text", bool: "true or false"}
        received = kinds.get(type(read.data), "a number") if read.data else "an empty document"
        raise ConfigError(Problem(read.where(()), f"{what} is a mapping", f"keys {', '.join(sections)}", received))


def apply(read: Document, option: str) -> Document:
    """Returns the document with one `path=value` written into it.

    A path is a parameter's name: `training.epochs`, `conv_2.filters`, `training.optimizer.sgd.momentum`. The value is
    YAML, so a domain may be given too: `conv.filters='{values: [8, 16]}'`.

    Raises:
        ConfigError: The option is no `path=value`, or its path leads through something that has no fields.
    """
    name, equals, text = option.partition("=")
    if not equals or not all(part.strip() for part in name.split(".")):
        raise ConfigError(Problem(f"--set {option}", "not a setting", "path=value, as in training.epochs=3"))
    return write(read, name.strip(), text, f"--set {option}")


def write(read: Document, name: str, text: str, where: str) -> Document:
    """Returns the document with a value written into it.

    Args:
        read: The document.
        name: The path of the value, as a parameter's name.
        text: The value, as YAML.
        where: The option that said so, for messages.

    Raises:
        ConfigError: The text is no YAML, or the path leads through something that has no fields.
    """
    try:
        value = document.parse(text, where).data
    except ConfigError as error:
        # A line and a column within an option help nobody.
        raise ConfigError([replace(problem, where=where) for problem in error.problems]) from error
    data = copy.deepcopy(read.data)
    path: Path_ = ()
    node: Any = data
    parts = _place(data, name.split("."), where)
    for part, after in itertools.pairwise(parts):
        node, path = _step(node, part, after, path, where)
    node, path = _into_branches(node, parts[-1], path)
    if not isinstance(node, dict):
        raise ConfigError(Problem(where, f"{'.'.join(map(str, path))} has no fields", "a mapping", shorten(node)))
    node[str(parts[-1])] = value
    path = (*path, str(parts[-1]))
    # What stood below is gone; messages about the new value name the option.
    marks = {at: mark for at, mark in read.marks.items() if at[: len(path)] != path}
    return Document(data, read.name, {**marks, **dict.fromkeys(_made(read.data, path), where)})


def _made(before: Any, path: Path_) -> list[Path_]:
    """Returns the places on a path that were not in the document before, the last one always."""
    places = [path]
    for end, part in enumerate(path[:-1], start=1):
        is_there = part in before if isinstance(before, dict) else isinstance(before, list)
        before = before[part] if is_there else None
        if not isinstance(before, dict | list):
            places.append(path[:end])
    return places


def _place(data: dict[str, Any], parts: list[str], where: str) -> list[str | int]:
    """Turns a parameter's name into a path: a block's name stands for its place in the model."""
    model = data["model"] if isinstance(data.get("model"), list) else []
    # What is no block has no name either; that is told when the document is checked.
    named = zip(block_names(model), model, strict=True)
    names = [name if _is_block(item) else "" for name, item in named]
    if parts[0] in names and parts[0] not in data:
        index = names.index(parts[0])
        _open_block(model, index)
        return ["model", index, next(iter(model[index])), *parts[1:]]
    if parts[0] == "model" and len(parts) > 1 and parts[1] in names:
        return _place(data, parts[1:], where)
    sections = ("training", "search", "data")
    if len(parts) > 1 and parts[0] not in (*data, *sections):
        known = [*filter(None, names), *sections]
        hint = did_you_mean(parts[0], known)
        raise ConfigError(Problem(where, f"nothing is called {parts[0]!r}", f"one of {', '.join(known)}", hint=hint))
    return list(parts)


def _is_block(item: Any) -> bool:
    return isinstance(item, str) or (isinstance(item, dict) and len(item) == 1)


def _open_block(model: list[Any], index: int) -> None:
    """Gives a block that is written as a bare name, or without fields, a mapping to write into."""
    item = model[index]
    if isinstance(item, str):
        model[index] = {item: {}}
    else:
        ((kind, fields),) = item.items()
        model[index] = {kind: {} if fields is None else fields}


def _step(node: Any, part: str | int, after: str | int, path: Path_, where: str) -> tuple[Any, Path_]:
    if isinstance(node, list) and isinstance(part, int):
        return node[part], (*path, part)
    node, path = _into_branches(node, part, path)
    if not isinstance(node, dict):
        raise ConfigError(Problem(where, f"{'.'.join(map(str, path))} has no fields", "a mapping", shorten(node)))
    key = str(part)
    if node.get(key) is None:
        node[key] = {}
    elif node[key] == after:
        node[key] = {after: {}}  # a declaration by its bare name, such as `optimizer: adam`
    return node[key], (*path, part)


def _into_branches(node: Any, part: str | int, path: Path_) -> tuple[Any, Path_]:
    """Steps over `one_of`, which stands in no parameter's name."""
    if isinstance(node, dict) and isinstance(node.get("one_of"), dict) and part not in VARIANT_KEYS:
        return node["one_of"], (*path, "one_of")
    return node, path
