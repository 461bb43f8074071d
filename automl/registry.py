"""Registries: a folder of files, one member per file, the file name is the registered name; or a table in one file.

A member is one frozen pydantic model: its fields are the YAML keys, the types, the validation and the documentation.
Nothing is listed twice; adding a file adds the member.
"""

from __future__ import annotations

import importlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from automl import members
from automl.errors import AutomlError, did_you_mean


class Member(BaseModel):
    """Base of everything declared in YAML: immutable, and refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=False)


T = TypeVar("T", bound=Member)


class UnknownName(AutomlError):  # noqa: N818 - a name, as the message says it
    """A name that no member of the registry bears."""


class Names(Generic[T]):
    """Members by name: what `Family`, the schema and the documentation ask of a registry, wherever its members live.

    Args:
        base: The class every member derives from.
        noun: What a member is called in messages, for example `block`.
    """

    def __init__(self, base: type[T], noun: str) -> None:
        self.base = base
        self.noun = noun

    @abstractmethod
    def names(self) -> list[str]:
        """Returns every registered name, sorted. Imports no member."""

    @abstractmethod
    def _load(self, name: str) -> type[T]:
        """Returns the class of a name that is known to be registered."""

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def get(self, name: str) -> type[T]:
        """Returns the class of member `name`.

        Raises:
            UnknownName: No member of that name; the message lists the names there are.
        """
        if name not in self.names():
            hint = did_you_mean(name, self.names())
            raise UnknownName(
                f"unknown {self.noun} {name!r}. Expected one of {', '.join(self.names())}"
                + (f". {hint}" if hint else "")
            )
        return self._load(name)

    def name_of(self, member: T) -> str:
        """Returns the name that a member is declared by."""
        return next(name for name in self.names() if self.get(name) is type(member))

    def read(self, value: Any) -> T:
        """Builds the member that a literal `name` or `{name: {field: value}}` declares.

        Raises:
            UnknownName: No such member.
            pydantic.ValidationError: A field is wrong.
        """
        if isinstance(value, self.base):
            return value
        name, fields = declared(value)
        return self.get(name).model_validate(fields)


class Registry(Names[T]):
    """The members of one folder, imported when first asked for.

    Args:
        package: Dotted name of the folder, for example `automl.blocks`.
        base: The class every member derives from.
        noun: What a member is called in messages, for example `block`.
    """

    def __init__(self, package: str, base: type[T], noun: str) -> None:
        super().__init__(base, noun)
        self.package = package

    def names(self) -> list[str]:
        """Returns every registered name, sorted. Imports no member."""
        return list(self._found)

    @cached_property
    def _found(self) -> list[str]:
        # Once: a document asks for every block that it holds.
        return members.names(self.package)

    def name_of(self, member: T) -> str:
        """Returns the name that a member is declared by: that of its file."""
        return type(member).__module__.rpartition(".")[2]

    def _load(self, name: str) -> type[T]:
        module = importlib.import_module(f"{self.package}.{name}")
        found = [
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, self.base) and value.__module__ == module.__name__
        ]
        if len(found) != 1:
            raise TypeError(f"{module.__name__} must define exactly one {self.base.__name__}, found {len(found)}")
        return found[0]


class Table(Names[T]):
    """The members of one file, where each is too small for a file of its own (optimizers, losses).

    Args:
        members: Registered name to class.
        base: The class every member derives from.
        noun: What a member is called in messages, for example `optimizer`.
    """

    def __init__(self, members: Mapping[str, type[T]], base: type[T], noun: str) -> None:
        super().__init__(base, noun)
        self._members = dict(members)

    def names(self) -> list[str]:
        """Returns every registered name, sorted."""
        return sorted(self._members)

    def _load(self, name: str) -> type[T]:
        return self._members[name]


def declared(value: Any) -> tuple[str, dict[str, Any]]:
    """Splits a declaration, `name` or `{name: {field: value}}`, into its name and fields.

    Raises:
        ValueError: `value` is neither.
    """
    if isinstance(value, str):
        return value, {}
    if isinstance(value, dict) and len(value) == 1:
        ((name, fields),) = value.items()
        if isinstance(name, str) and (fields is None or isinstance(fields, dict)):
            return name, fields or {}
    raise ValueError("expected a name, or one name with its fields: {name: {field: value}}")


@dataclass(frozen=True)
class Family:
    """Marks a field whose value is one member of a registry: `source: Annotated[Source, Family(registry)]`.

    Pydantic builds the member from the declaration; `experiment.checks` reads the mark to check each leaf of it,
    with lines and columns, before any domain is fixed.
    """

    registry: Names[Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.registry.read)
