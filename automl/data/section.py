"""The section of a document that says what data there is, as pydantic models.

No heavy library is imported until data is read, so documents can be checked in a moment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, FieldSerializationInfo, field_serializer, model_validator

from automl import inputs, sources, tasks
from automl.inputs import Input
from automl.registry import Family, Member, Registry
from automl.sources import Source
from automl.tasks import Task


class Split(Member):
    """How parts that the set does not bring are cut from its training part, stratified where there are classes.

    Both fractions are of what the source gives as training part: a set without any split becomes 60/20/20, and one with
    a test part of its own gives a fifth of its training part to `val`. They are of examples: groups, which are never
    split, are shared out so that each part holds about its fraction. Along a time line, test is its end.
    """

    val: float = Field(0.2, gt=0, lt=1, description="Fraction that becomes the validation part")
    test: float = Field(0.2, gt=0, lt=1, description="Fraction that becomes the test part")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Seed of the choice, of `limit` too")

    @model_validator(mode="after")
    def _leaves_training(self) -> Split:
        if self.val + self.test >= 1:
            raise ValueError("val and test leave nothing to train on: their sum must be below 1")
        return self


class Limit(Member):
    """At most so many examples of each part, chosen after the split so that classes keep their shares."""

    train: int | None = Field(None, ge=1, description="Most examples of the training part; of all folds together")
    val: int | None = Field(None, ge=1, description="Most examples of the validation part; of each fold")
    test: int | None = Field(None, ge=1, description="Most examples of the test part")


AnyInput = Annotated[Input, Family(inputs.registry)]
"""An input as it is declared."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_BOTH = "input and inputs exclude each other"
_REGISTRIES: Mapping[str, Registry[Any]] = {
    "source": sources.registry,
    "input": inputs.registry,
    "task": tasks.registry,
}


class DataDocument(Member):
    """A data set as its YAML file declares it: where it comes from, how it is read, what is learned."""

    name: str = Field(description="Name of the set", min_length=1)
    description: str | None = Field(None, description="What it is, in a line")
    source: Annotated[Source, Family(sources.registry)] = Field(description="Where it comes from")
    input: AnyInput | None = Field(None, description="How examples are read")
    inputs: dict[str, AnyInput] | None = Field(
        None, description="In the place of input: several by name, each of its own columns"
    )
    task: Annotated[Task, Family(tasks.registry)] = Field(description="What is learned")
    root: str | None = Field(None, description="Folder that relative paths of the source start from")
    split: Split = Field(default_factory=Split, description="How missing parts are cut")
    limit: Limit | None = Field(None, description="Most examples of each part")
    figures_by: str | None = Field(
        None,
        description="Column of few values (a sex, a site): the report has the winner's figures of each, and how far "
        "apart they are. It stays a feature if it is one; null: the `group` of the source, where it names one",
        min_length=1,
    )
    licence: str | None = Field(None, description="Licence of the data")
    citation: str | None = Field(None, description="Paper to cite")
    url: str | None = Field(None, description="Home of the data")
    digest: str | None = Field(
        None, description="SHA-256 the prepared data must have", pattern="^[0-9a-f]{64}$", examples=["9f86d0..."]
    )

    @model_validator(mode="after")
    def _has_inputs(self) -> DataDocument:
        if (self.input is None) == (self.inputs is None):
            raise ValueError("input is missing: how examples are read" if self.input is None else _BOTH)
        if odd := [name for name in self.inputs or () if not _NAME.fullmatch(name)]:
            raise ValueError(f"an input cannot be named {odd[0]!r}: a word of letters, digits and _, a letter first")
        if self.inputs is not None and len(self.inputs) < 2:
            raise ValueError("inputs names fewer than two: a single one is declared as input")
        return self

    @model_validator(mode="after")
    def _names_one_target(self) -> DataDocument:
        self.source.learning(self.task.target)
        return self

    @field_serializer("source", "input", "task")
    def _declare(self, member: Member | None, info: FieldSerializationInfo) -> dict[str, Any] | None:
        # As it was declared, {name: fields}: a dumped document is a document again.
        return None if member is None else declared(_REGISTRIES[info.field_name], member)

    @field_serializer("inputs")
    def _declare_all(self, members: Mapping[str, Input] | None) -> dict[str, Any] | None:
        return {name: declared(inputs.registry, member) for name, member in members.items()} if members else None

    @property
    def readers(self) -> Mapping[str, Input]:
        """The inputs by name; a single one bears the name of its kind."""
        if self.inputs is not None:
            return self.inputs
        assert self.input is not None
        return {inputs.registry.name_of(self.input): self.input}


def declared(registry: Registry[Any], member: Member) -> dict[str, Any]:
    """Returns a member as it was declared: `{name: fields}`."""
    return {registry.name_of(member): member.model_dump(mode="json", exclude_unset=True)}
