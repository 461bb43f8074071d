"""What a model's fields take, as JSON Schema: the literals that pydantic tells of and, where it may be, domains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from automl.authoring.editor._layout import refs, target
from automl.authoring.editor.describe import in_words, paragraphs
from automl.document.block_lists import BLOCKS, BRANCHES, VARIANT_KEYS
from automl.space.domain_syntax import CHOICE_KEYS, RANGE_KEYS

Schema = dict[str, Any]

NOTES = ("description", "default", "examples", "unit")
"""What is said of a field beside what it takes."""
MODEL, TRAINING, REPEAT = "model", "training", "repeat"
"""Where domains stand; a repeat, which others follow, knows neither `each` nor `when`."""
WORDS = {MODEL: ("each", "when"), TRAINING: ("when",), REPEAT: ()}
LAYER = "^[A-Z]"
ITEM = {"title": "block"}
"""What a `Chain` calls its items."""
BLOCK = {"$ref": "#/$defs/block"}
ONE = {"allOf": [{"minProperties": 1, "maxProperties": 1}]}
"""One key and no other; apart from the keys, because editors offer none where there is no room for a second one."""
SWITCH = {"type": "boolean"}
NULL = {"type": "null"}
SAID: Schema = {
    "each": SWITCH | {"description": "A value of its own for every repeat of the block"},
    "when": {"type": "object", "description": "Exists only beside these values: {parameter: [values]}"},
}


@dataclass(frozen=True)
class Fields:
    """Writes out what the fields of one model take.

    Args:
        owner: The model's name.
        section: Where it stands; None where nothing is searched.
        defs: All definitions; those of the fields are added.
    """

    owner: str
    section: str | None
    defs: Schema

    def write(self, schema: Schema) -> None:
        """Writes every field of the model's schema."""
        schema["description"] = "\n\n".join(paragraphs(schema.get("description")))
        for name, field in schema["properties"].items():
            notes = {key: field[key] for key in NOTES if key in field}
            literal = {key: value for key, value in field.items() if key not in (*NOTES, "title")}
            schema["properties"][name] = {**self.value(name, _linked(literal)), **notes}

    def value(self, name: str, literal: Schema) -> Schema:
        """Returns what a field takes."""
        parts = literal.get("anyOf", [literal])
        family = next((part["family"] for part in parts if "family" in part), None)
        if family is not None:
            found = self.family(family) + [part for part in parts if "family" not in part]
            return self.define(name, {"anyOf": found})
        # What holds other models is searched leaf by leaf, and a block's name not at all: it names the parameters.
        if self.section is None or name == "name" or any(refs(literal)):
            return literal
        return self.searched(name, literal, REPEAT if name == "repeat" else self.section)

    def searched(self, name: str, literal: Schema, section: str) -> Schema:
        """Returns a literal, or a domain of such literals."""
        # Alike numbers share a definition whatever they mean; a list of words means something under its name only.
        name = name if "|" in in_words(literal) else in_words(literal).replace(" ", "-")
        plain = self.define(name, literal)
        parts = literal.get("anyOf", [literal])
        found = [plain]
        if any("items" in part for part in parts):
            # A list may hold domains itself, but the values of a domain are literals to the last leaf.
            found = [{**p, "items": self.searched(name, p["items"], section)} if "items" in p else p for p in parts]
        for number in [part for part in parts if part.get("type") in ("integer", "number")][:1]:
            found.append(_range(plain if number is literal else number, number["type"], section))
        found.append(_choice(plain, section))
        if "each" in WORDS[section]:
            found.append(
                _mapping("per repeat", {"each": _list(plain) | {"description": "One value per repeat"}}, ["each"])
            )
        return self.define(f"{name}-in-{section}", {"anyOf": found})

    def family(self, members: Schema) -> list[Schema]:
        """Returns what declares one member of a registry: its name, or its name with its fields."""
        known = [name for name, ref in members.items() if not _needs(ref, self.defs)]
        bare = [_names(known)] if known else []
        fields = {name: _or_null(ref, self.defs) for name, ref in members.items()}
        some = {"type": "object", "properties": fields, "additionalProperties": False, "minProperties": 1}
        found = [*bare, some | ONE]
        if self.section is not None:
            keys = {
                "one_of": {"anyOf": [some, *map(_list, bare)], "description": "The variants, of which one is chosen"},
                "default": _names(list(members)) | {"description": "The variant to start from; else the first"},
                **_said(self.section),
            }
            found.append(_mapping("variants", {key: keys[key] for key in VARIANT_KEYS if key in keys}, ["one_of"]))
            found += [_choice(names, self.section) for names in bare]
        return found

    def define(self, name: str, schema: Schema) -> Schema:
        """Returns a reference to a definition; where another has taken its name, the owner's stands before it."""
        while self.defs.get(name, schema) != schema:
            name = f"{self.owner}.{name}"
        self.defs[name] = schema
        return {"$ref": f"#/$defs/{name}"}


def add_lists(defs: Schema, kinds: Schema) -> None:
    """Adds the definitions of what stands in a list of blocks.

    Args:
        defs: The definitions so far.
        kinds: References to the blocks' own, by their names.
    """
    argument = {"anyOf": [{"type": "number"}, {"type": ["array", "boolean", "null", "string"]}]}
    defs["KerasLayer"] = defs["Block"] | {
        "description": "Arguments of a Keras layer, by their names",
        "additionalProperties": Fields("KerasLayer", MODEL, defs).searched("argument", argument, MODEL),
    }
    fork = {
        "one_of": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": BLOCK},
            "minProperties": 1,
            "description": "Lists of blocks by their names, of which one is chosen",
        },
        "default": {"type": "string", "description": "The list to start from; else the first"},
        "when": SAID["when"],
        "name": {"type": "string", "description": "What the choice is called, also in parameter names"},
    }
    defs["fork"] = _mapping("choice between lists", {key: fork[key] for key in VARIANT_KEYS}, ["one_of", "name"])
    one = {
        "type": "object",
        "properties": {name: _short(ref, defs) for name, ref in kinds.items()},
        "patternProperties": {LAYER: {"anyOf": [{"$ref": "#/$defs/KerasLayer"}, NULL]}},
        "additionalProperties": False,
        **ONE,
    }
    bare = _names([name for name, ref in kinds.items() if not _needs(ref, defs)])
    defs["block"] = {"anyOf": [bare, {"type": "string", "pattern": LAYER}, one, {"$ref": "#/$defs/fork"}]}


def _short(ref: Schema, defs: Schema) -> Schema:
    """Returns what stands behind a block's name: its fields, nothing, or its lists of blocks alone."""
    fields = defs[target(ref)]["properties"]
    lists = [{k: v for k, v in fields[key].items() if k not in NOTES} for key in (BLOCKS, BRANCHES) if key in fields]
    full = _or_null(ref, defs)
    return {"anyOf": [*full.get("anyOf", [full]), *lists]} if lists else full


def _range(number: Schema, kind: str, section: str) -> Schema:
    keys = {
        "min": number | {"description": "Smallest value, itself included"},
        "max": number | {"description": "Largest value, itself included"},
        "step": {"type": kind, "exclusiveMinimum": 0, "description": "Distance of neighbouring values"},
        "log": SWITCH | {"description": "Even on a logarithmic scale"},
        "default": number | {"description": "Where the search starts; else at min"},
        **_said(section),
    }
    return _mapping("range", {key: keys[key] for key in RANGE_KEYS if key in keys}, ["min", "max"])


def _choice(value: Schema, section: str) -> Schema:
    keys = {
        "values": _list(value) | {"uniqueItems": True, "description": "The values, of which one is chosen"},
        "default": value | {"description": "Where the search starts; else at the first"},
        **_said(section),
    }
    return _mapping("choice", {key: keys[key] for key in CHOICE_KEYS if key in keys}, ["values"])


def _said(section: str) -> Schema:
    return {word: SAID[word] for word in WORDS[section]}


def _mapping(title: str, properties: Schema, required: list[str]) -> Schema:
    rest = {"properties": properties, "required": required, "additionalProperties": False}
    return {"title": title, "type": "object", **rest}


def _names(names: list[str]) -> Schema:
    return {"type": "string", "enum": names}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items, "minItems": 1}


def _needs(ref: Schema, defs: Schema) -> bool:
    """Tells whether a member has fields that must be given."""
    return bool(defs[target(ref)].get("required"))


def _or_null(ref: Schema, defs: Schema) -> Schema:
    """Returns a member's fields; nothing behind its colon means none of them."""
    return ref if _needs(ref, defs) else {"anyOf": [ref, NULL]}


def _linked(schema: Any) -> Any:
    """Returns a schema in which a list of blocks points to what stands in it."""
    if isinstance(schema, dict):
        return BLOCK if schema == ITEM else {key: _linked(value) for key, value in schema.items()}
    return schema
