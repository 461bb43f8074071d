"""What a field's type annotation says: the marks, the members and the plain types inside its unions."""

from __future__ import annotations

import types
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from automl.registry import Family, Member


def annotated(info: FieldInfo) -> Any:
    """Returns a field's type with the constraints pydantic took off it."""
    return Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation


def parts(annotation: Any) -> list[Any]:
    """Returns the type and everything inside its `Annotated` and unions."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return [part for inner in get_args(annotation) for part in parts(inner)]
    if origin in (Union, types.UnionType):
        return [part for inner in get_args(annotation) for part in parts(inner)]
    return [annotation]


def family_of(annotation: Any) -> Family | None:
    """Returns the registry that a field's value is declared from; None for a plain field."""
    return next((part for part in parts(annotation) if isinstance(part, Family)), None)


def member_of(annotation: Any) -> type[Member] | None:
    """Returns the member that a field holds a mapping of; None for a plain field."""
    return next((p for p in parts(annotation) if isinstance(p, type) and issubclass(p, Member)), None)


def is_null(annotation: Any, node: Any) -> bool:
    """Tells whether a value is null where null may stand."""
    return node is None and type(None) in parts(annotation)


def item_of(annotation: Any) -> Any:
    """Returns what a tuple or list of any length holds; None for anything else."""
    inner = next((part for part in parts(annotation) if get_origin(part) in (tuple, list)), None)
    return None if inner is None else get_args(inner)[0]


def wants(annotation: Any, this: type, not_that: type) -> bool:
    """Tells whether a value may be of the one type and not of the other."""
    inside = parts(annotation)
    return this in inside and not_that not in inside


def held_of(annotation: Any) -> Any:
    """Returns what a mapping by name holds whose values are declared, or are lists of blocks; None for anything else.

    A list of blocks is a type that pydantic builds by a rule of its own, and so is no plain one.
    """
    inner = next((part for part in parts(annotation) if get_origin(part) is dict), None)
    held = None if inner is None else get_args(inner)[1]
    declared = family_of(held) is not None or hasattr(held, "__get_pydantic_core_schema__")
    return held if declared else None
