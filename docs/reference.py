"""Writes docs/reference/ from the code: `python docs/reference.py`. A test fails while the pages say something else.

`commands.md` is what click knows of the verbs, `grammar.md` what pydantic knows of the fields of documents.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticUndefined, core_schema

from automl import blocks, export, inputs, oracles, schedulers, sources, tasks
from automl import cli as verbs
from automl.authoring import editor
from automl.authoring.editor.describe import in_words, paragraphs
from automl.data.section import DataDocument, Limit, Split
from automl.experiment.search_section import Search
from automl.registry import Family, Member, Names
from automl.training.augmentation import Augmentation
from automl.training.evaluation import Evaluation
from automl.training.learning_rates import SCHEDULES
from automl.training.losses import LOSSES
from automl.training.optimizers import OPTIMIZERS
from automl.training.section import EarlyStopping, Phase, Training

FOLDER = Path(__file__).parent / "reference"
MADE = "<!-- Made from the code by `python docs/reference.py`; what is changed here is lost. -->\n"
BLOCKS = """\
A block is written `conv: {filters: 32}`, or, at its defaults, by its name alone. Beside these any Keras layer is a
block, by its class name, with its arguments as fields: `GaussianNoise: {stddev: 0.1}`. With several inputs the model is
a mapping in the place of a list: see [`inputs`](#block-inputs).
"""
DOMAINS = ("range", "choice", "per repeat", "variants", "choice between lists")
"""What the JSON Schema calls the mappings that may stand in the place of a literal."""
FACTS = ("takes", "yields", "metrics", "default_objective", "losses", "augmentations", "extra", "suffix", "tolerance")
"""What a member says in its class and not in its fields."""


class _Plain(GenerateJsonSchema):
    """Pydantic's own, in which a member of a registry and another model are called by their names."""

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> JsonSchemaValue:
        registry = getattr(schema["function"]["function"], "__self__", None)
        if isinstance(registry, Names):
            return {"title": registry.noun}
        return super().function_plain_schema(schema)


def pages() -> dict[str, str]:
    """Returns the pages by the names of their files."""
    return {"commands.md": commands(), "grammar.md": grammar()}


def commands() -> str:
    """Returns the page of the command line: each group of verbs, each verb with its options."""
    context = click.Context(verbs.main, info_name="automl")
    page = ["# Commands", MADE, "`automl VERB --help` says the same of one verb.\n"]
    found = verbs.Verbs.grouped()
    for group, own in found.items():
        links = [(f"[`{name}`](#automl-{name})", verb.get_short_help_str(200)) for name, verb in own.items()]
        page += [f"**{group}**\n", table(("verb", ""), links)]
    for name, verb in ((name, verb) for own in found.values() for name, verb in own.items()):
        page += [f"## automl {name}\n", *_verb(click.Context(verb, context, info_name=name))]
    return _joined(page)


def _verb(context: click.Context) -> Iterator[str]:
    """Yields what there is to say of one verb."""
    verb = context.command
    yield f"```\n{' '.join([context.command_path, *verb.collect_usage_pieces(context)])}\n```\n"
    for paragraph in re.split(r"\n\s*\n", (verb.help or "").strip()):
        lines = [line.strip() for line in paragraph.replace("\b", "").strip().splitlines()]
        is_code = "\b" in paragraph or lines[0].startswith(("automl ", "# "))
        yield ("```\n{}\n```\n" if is_code else "{}\n").format("\n".join(lines))
    rows = [
        record
        for param in verb.get_params(context)
        if (record := param.get_help_record(context)) and "--help" not in param.opts
    ]
    yield table(("option", ""), [(f"`{option}`", text) for option, text in rows])


def grammar() -> str:
    """Returns the page of the documents: their sections, domains, and the members of every family."""
    page = ["# Grammar", MADE, "Documents are YAML 1.2. What is searched is a domain in the place of a literal.\n"]
    page += ["## Search spaces\n", *_model(editor.SpaceDocument, heading=None)]
    page += ["## Domains\n", *_domains()]
    page += ["## Blocks\n"]
    page += [BLOCKS, *_family(blocks.registry)]
    page += ["## Training\n", *_model(Training, heading=None)]
    for model, name in ((EarlyStopping, "early_stopping"), (Phase, "phases"), (Augmentation, "augmentation")):
        page += [f"### training.{name}\n", *_model(model, heading=None)]
    for title, registry in (("Optimizers", OPTIMIZERS), ("Learning rates", SCHEDULES), ("Losses", LOSSES)):
        page += [f"## {title}\n", *_family(registry)]
    page += ["## Search\n", *_model(Search, heading=None)]
    page += ["## Algorithms\n", *_family(oracles.registry), "## Schedulers\n", *_family(schedulers.registry)]
    page += ["## Evaluation\n", *_model(Evaluation, heading=None)]
    page += ["## Data documents\n", *_model(DataDocument, heading=None)]
    for part, name in ((Split, "split"), (Limit, "limit")):
        page += [f"### {name}\n", *_model(part, heading=None)]
    page += ["## Sources\n", *_family(sources.registry), "## Inputs\n", *_family(inputs.registry)]
    page += ["## Tasks\n", *_family(tasks.registry), "## Export formats\n", *_family(export.registry)]
    return _joined(page)


def _domains() -> Iterator[str]:
    """Yields the keys of every domain, from the schema that editors read."""
    found: dict[str, dict[str, str]] = {title: {} for title in DOMAINS}
    for mapping in _mappings(json.loads(editor.text("space"))):
        if (title := mapping.get("title")) in found:
            for key, schema in mapping["properties"].items():
                found[title].setdefault(key, schema.get("description", ""))
    for title, keys in found.items():
        yield f"### {title}\n"
        yield table(("key", ""), [(f"`{key}`", text) for key, text in keys.items()])


def _mappings(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict) and isinstance(schema.get("properties"), dict):
        yield schema
    for child in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _mappings(child)


def _family(registry: Names[Any]) -> Iterator[str]:
    """Yields the members of a registry; the fields that all of them have stand once, before them."""
    common = registry.base.model_fields
    yield ", ".join(f"[`{name}`](#{_anchor(registry, name)})" for name in registry) + "\n"
    if common:
        yield f"Fields of every {registry.noun}:\n"
        yield _fields(registry.base, common)
    for name in registry:
        yield f"### {name} {{ #{_anchor(registry, name)} }}\n"
        yield from _model(registry.get(name), heading=registry, common=common)


def _anchor(registry: Names[Any], name: str) -> str:
    return f"{registry.noun}-{name}".replace(" ", "-")


def _model(
    model: type[Member], heading: Names[Any] | None, common: Mapping[str, FieldInfo] | None = None
) -> Iterator[str]:
    """Yields what a model is, and its fields but for those that are common and no different here.

    Args:
        model: The model.
        heading: The registry it is a member of; None for a section.
        common: Fields told already.
    """
    for paragraph in paragraphs(model.__doc__):
        yield re.sub(r"^(Input|Output|Source):", r"*\1*:", paragraph) + "\n"
    if heading is not None and (told := list(_facts(model))):
        yield "\n".join(told) + "\n"
    own = {
        name: field
        for name, field in model.model_fields.items()
        if name not in (common or {}) or _default(field) != _default((common or {})[name])
    }
    if own:
        yield _fields(model, own)


def _facts(model: type[Member]) -> Iterator[str]:
    for fact in FACTS:
        value = getattr(model, fact, None)
        if value is None or callable(value):
            continue
        if isinstance(value, Mapping):
            value = [f"{key}: {direction}" for key, direction in value.items()]
        shown = [f"`{each}`" for each in (value if isinstance(value, list | tuple) else [value]) if each != ""]
        if shown:
            yield f"- {fact.replace('_', ' ')}: {', '.join(shown)}"


def _fields(model: type[Member], wanted: Iterable[str]) -> str:
    """Returns the table of some fields of a model."""
    schema = model.model_json_schema(schema_generator=_Plain)
    told = _named(schema["properties"])
    has_units = any("unit" in told[name] for name in wanted)
    rows = []
    for name in wanted:
        default = _default(model.model_fields[name])
        unit = (told[name].get("unit", ""),) if has_units else ()
        rows.append((f"`{name}`", in_words(told[name]), default, *unit, told[name].get("description", "")))
    return table(("field", "type", "default", *(("unit",) if has_units else ()), ""), rows)


def _named(schema: Any) -> Any:
    """Returns a schema in which another model is called by its name."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return {"title": schema["$ref"].rpartition("/")[2], **{k: v for k, v in schema.items() if k != "$ref"}}
        return {key: _named(value) for key, value in schema.items()}
    return [_named(each) for each in schema] if isinstance(schema, list) else schema


def _default(field: FieldInfo) -> str:
    """Says what a field is when it is left out."""
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    for mark in field.metadata:
        if isinstance(mark, Family) and isinstance(value, Member):
            return f"`{mark.registry.name_of(value)}`"
    if isinstance(value, Member):
        return "its own defaults"
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)}`"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Returns a Markdown table, or nothing where there are no rows."""
    lines = [" | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows]
    return "".join(f"| {line} |\n" for line in (" | ".join(head), " | ".join("---" for _ in head), *lines) if lines)


def _joined(page: Iterable[str]) -> str:
    return "\n".join(page).rstrip() + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(FOLDER / name)
