"""Plain data held against the records that it is read into: a journal is a file that anybody may have written."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from math import isfinite
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict

from automl.errors import SearchError, shorten

_LARGEST = 2**63
"""No count, seed or time of ours is larger; what is cannot be reckoned with."""

Record = TypeVar("Record")

_LISTS = (tuple, list, Sequence)
_MAPPINGS = (Mapping, dict)
_WORDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number", NoneType: "null"}


def built(kind: type[Record], data: Mapping[str, Any], where: str) -> Record:
    """Returns the record that plain data tells of; what the record does not know, a later version wrote.

    Args:
        kind: A dataclass.
        data: Its fields as JSON has them; lists stand for tuples.
        where: Stands for the data in messages.

    Raises:
        SearchError: A field is missing, or is not what it should be.
    """
    if wrong := fault(kind, data):
        raise SearchError(f"{where}: {wrong}.")
    hints, _ = _fields(kind)  # type: ignore[arg-type]  # classes are hashable
    return kind(**{name: _value(data[name], hint, f"{where}: {name}") for name, hint in hints.items() if name in data})


def fault(kind: type[Any], data: Mapping[str, Any]) -> str | None:
    """Says what keeps plain data from being a record of a kind, a dataclass or a typed dict; None when nothing does."""
    hints, needed = _fields(kind)  # type: ignore[arg-type]
    if missing := [name for name in hints if name in needed and name not in data]:
        return f"it lacks {', '.join(missing)}"
    for name in hints.keys() & data.keys():
        value, record = data[name], _record(hints[name])
        if record is not None and isinstance(value, Mapping):
            if inner := fault(record, value):
                return f"{name}: {inner}"
        elif not _fits(value, hints[name]):
            return f"{name} is not what it should be. Expected {_words(hints[name])}; received {shorten(value)}"
    return None


@functools.cache
def _fields(kind: type[Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """Returns the types of a record's fields, and the names of those that it cannot do without."""
    hints = get_type_hints(kind, include_extras=True)
    if is_typeddict(kind):
        return hints, frozenset(kind.__required_keys__)
    own = {each.name: hints[each.name] for each in fields(kind)}
    needed = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]
    return own, frozenset(needed)


def _record(hint: Any) -> type[Any] | None:
    """Returns the record that a type stands for or contains: alone, as one of several, as what a mapping holds."""
    if is_dataclass(hint) or is_typeddict(hint):
        return hint
    if get_origin(hint) in (Union, UnionType, Annotated):
        inner = hint.__metadata__ if get_origin(hint) is Annotated else get_args(hint)
        return next(filter(None, map(_record, inner)), None)
    return None


def _fits(value: Any, hint: Any) -> bool:
    """Tells whether plain data is of a type. A truth value is no number, and no number is endless."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in inner)
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if origin in _LISTS:
        if not isinstance(value, list | tuple):
            return False
        kinds = inner if _is_fixed(hint) else inner[:1] * len(value)
        return len(kinds) == len(value) and all(map(_fits, value, kinds))
    if origin in _MAPPINGS:
        return isinstance(value, Mapping) and all(_fits(k, inner[0]) and _fits(v, inner[1]) for k, v in value.items())
    if hint in (int, float):
        if isinstance(value, int):
            return not isinstance(value, bool) and abs(value) < _LARGEST
        return hint is float and isinstance(value, float) and isfinite(value)
    if origin is Annotated or hint not in _WORDS:  # a record, in a list or of data that is no mapping
        record = _record(hint)
        return record is not None and isinstance(value, Mapping) and fault(record, value) is None
    return isinstance(value, hint)


def _is_fixed(hint: Any) -> bool:
    """Tells whether a type is that of tuples of a certain length."""
    return get_origin(hint) is tuple and Ellipsis not in get_args(hint)


def _value(value: Any, hint: Any, where: str) -> Any:
    """Returns plain data as a field of a record holds it: lists as tuples, mappings as the records that they are."""
    if get_origin(hint) in (Union, UnionType):
        return _value(value, next(each for each in get_args(hint) if _fits(value, each)), where)
    if is_dataclass(hint):
        return built(hint, value, where)  # type: ignore[arg-type]  # a class, not an instance
    if get_origin(hint) is tuple:
        inner = get_args(hint)
        kinds = inner if _is_fixed(hint) else inner[:1] * len(value)
        return tuple(_value(each, kind, where) for each, kind in zip(value, kinds, strict=True))
    return value


def _words(hint: Any) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(map(_words, inner))
    if origin is Literal:
        return f"one of {', '.join(inner)}"
    if origin in _LISTS:
        return f"a list of {len(inner)}" if _is_fixed(hint) else f"a list, each entry {_words(inner[0])}"
    if origin in _MAPPINGS and inner[1] is not Any:
        return f"a mapping to {_words(inner[1])}"
    return _WORDS.get(hint, "anything" if hint is Any else "a mapping")
