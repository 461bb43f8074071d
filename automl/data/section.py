"""The section of a document that says what data there is, as pydantic models.

No heavy library is imported until data is read, so documents can be checked in a moment.
"""

from __future__ import annotations

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
    input: Annotated[Input, Family(inputs.registry)] = Field(description="How examples are read")
    task: Annotated[Task, Family(tasks.registry)] = Field(description="What is learned")
    root: str | None = Field(None, description="Folder that relative paths of the source start from")
    split: Split = Field(default_factory=Split, description="How missing parts are cut")
    limit: Limit | None = Field(None, description="Most examples of each part")
    licence: str | None = Field(None, description="Licence of the data")
    citation: str | None = Field(None, description="Paper to cite")
    url: str | None = Field(None, description="Home of the data")
    digest: str | None = Field(
        None, description="SHA-256 the prepared data must have", pattern="^[0-9a-f]{64}$", examples=["9f86d0..."]
    )

    @field_serializer("source", "input", "task")
    def _declare(self, member: Member, info: FieldSerializationInfo) -> dict[str, Any]:
        # As it was declared, {name: fields}: a dumped document is a document again.
        return declared(_REGISTRIES[info.field_name], member)

    @property
    def readers(self) -> Mapping[str, Input]:
        """The inputs by name; a single one bears the name of its kind."""
        return {inputs.registry.name_of(self.input): self.input}


def declared(registry: Registry[Any], member: Member) -> dict[str, Any]:
    """Returns a member as it was declared: `{name: fields}`."""
    return {registry.name_of(member): member.model_dump(mode="json", exclude_unset=True)}
