"""The JSON Schema of the documents: what an editor completes, explains and underlines while one is written.

Made of the models alone: pydantic describes their fields, and every leaf that may be searched is widened to the domains
that fit it. Each leaf is judged by itself; how leaves agree (`min` below `max`, `when`, points, constraints) is told by
`automl validate`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from automl import blocks, tasks
from automl.authoring.editor._fields import MODEL, TRAINING, Fields, add_lists
from automl.authoring.editor._layout import laid_out, reached
from automl.blocks import Block
from automl.blocks._chain import Chain
from automl.data.section import DataDocument
from automl.experiment.search_section import Search
from automl.registry import Member, Names
from automl.training.evaluation import Evaluation
from automl.training.section import Training

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The newest that every editor reads."""

DocumentKind = Literal["space", "data"]


class SpaceDocument(Member):
    """A search space: a model as a list of blocks, its training, and how both are searched."""

    name: str | None = Field(None, description="Name of the space; null: that of its file")
    description: str | None = Field(None, description="What it is, in a line")
    model: Chain = Field(description="The blocks, one behind the other", json_schema_extra={"minItems": 1})
    training: Training | None = Field(None, description="How a model is trained. Every leaf may be searched")
    search: Search | None = Field(None, description="How the space is searched. Nothing here is searched itself")
    evaluation: Evaluation | None = Field(None, description="Repeats and folds that a trial is measured by")
    data: str | DataDocument | None = Field(None, description="Name or file of a data set, or the data document itself")


def text(kind: DocumentKind) -> str:
    """Returns the JSON Schema of a search space or of a data document, as the text of its file."""
    defs = _definitions()
    if kind == "space":
        root = defs["SpaceDocument"]
    else:
        # Its file names it, unless it does so itself.
        root = defs["DataDocument"] | {"required": [key for key in defs["DataDocument"]["required"] if key != "name"]}
    used = sorted(reached(root, defs), key=lambda name: (name.lower(), name))
    return laid_out({"$schema": DIALECT, **root, "$defs": {name: defs[name] for name in used}}) + "\n"


class _Generator(GenerateJsonSchema):
    """Pydantic's own, taught what a `Family` reads: a member of a registry."""

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> JsonSchemaValue:
        registry = getattr(schema["function"]["function"], "__self__", None)
        if not isinstance(registry, Names):
            return super().function_plain_schema(schema)
        return {"family": {name: self.generate_inner(registry.get(name).__pydantic_core_schema__) for name in registry}}


def _definitions() -> dict[str, Any]:
    """Returns the schemas of all models, by their class names, and of the values in them."""
    members = {name: blocks.registry.get(name) for name in blocks.registry}
    roots: list[type[Member]] = [SpaceDocument, Block, *members.values()]
    refs, found = models_json_schema([(root, "validation") for root in roots], schema_generator=_Generator)
    defs: dict[str, Any] = found["$defs"]
    kinds = {name: refs[member, "validation"] for name, member in members.items()}
    sections = {
        **dict.fromkeys(reached(defs["SpaceDocument"]["properties"]["training"], defs), TRAINING),
        **dict.fromkeys(reached([*kinds.values(), refs[Block, "validation"]], defs), MODEL),
    }
    for name, schema in list(defs.items()):  # the values' own definitions are added on the way
        if "properties" in schema:
            schema.pop("title", None)
            Fields(name, sections.get(name), defs).write(schema)
    add_lists(defs, kinds)
    metrics = {f"val_{metric}" for name in tasks.registry for metric in tasks.registry.get(name).metrics}
    defs["Search"]["properties"]["objective"]["anyOf"][0]["enum"] = sorted(metrics)
    return defs
