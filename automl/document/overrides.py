"""Writes `--set path=value` into a document, as if it had stood there."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace
from typing import Any

from automl.document import block_lists, yaml_text
from automl.document.block_lists import VARIANT_KEYS
from automl.document.yaml_text import Document, Path_
from automl.errors import ConfigError, Problem, did_you_mean, shorten


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
        value = yaml_text.parse(text, where).data
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
    if isinstance(node, list) and isinstance(parts[-1], int):
        _choose(node[parts[-1]], value, where)
        return replace(read, data=data)
    if not isinstance(node, dict):
        raise ConfigError(Problem(where, f"{'.'.join(map(str, path))} has no fields", "a mapping", shorten(node)))
    node[str(parts[-1])] = value
    path = (*path, str(parts[-1]))
    # What stood below is gone; messages about the new value name the option.
    marks = {at: mark for at, mark in read.marks.items() if at[: len(path)] != path}
    return Document(data, read.name, {**marks, **dict.fromkeys(_made(read.data, path), where)})


def _choose(item: dict[str, Any], value: Any, where: str) -> None:
    """Leaves one branch of a choice between lists of blocks.

    Raises:
        ConfigError: There is no such branch.
    """
    branches = item["one_of"] if isinstance(item["one_of"], dict) else {}
    if not isinstance(value, str) or value not in branches:
        known = f"one of {', '.join(map(str, branches))}"
        raise ConfigError(Problem(where, f"{item.get('name')} has no such branch", known, shorten(value)))
    item.update(one_of={value: branches[value]}, default=value)


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
    if parts[0] == "model" and block_lists.locate(model, parts[1:]) is not None:
        parts = parts[1:]
    found = None if parts[0] in data else block_lists.locate(model, parts)
    if found is not None:
        path, rest = found
        _open_block(_at(model, path[:-1]), path[-1])
        item = _at(model, path)
        return ["model", *path, *([] if block_lists.is_fork(item) else [next(iter(item))]), *rest]
    sections = ("training", "search", "evaluation", "data")
    if len(parts) > 1 and parts[0] not in (*data, *sections):
        known = [*block_lists.names(model), *sections]
        hint = did_you_mean(parts[0], known)
        raise ConfigError(Problem(where, f"nothing is called {parts[0]!r}", f"one of {', '.join(known)}", hint=hint))
    return list(parts)


def _at(node: Any, path: Path_) -> Any:
    for part in path:
        node = node[part]
    return node


def _open_block(items: list[Any], index: Any) -> None:
    """Gives a block that is written as a bare name, or without fields, a mapping to write into."""
    item = items[index]
    if isinstance(item, str):
        items[index] = {item: {}}
    elif len(item) == 1:
        ((kind, fields),) = item.items()
        items[index] = {kind: {} if fields is None else fields}


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
