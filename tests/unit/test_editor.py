import json
from textwrap import dedent

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator
from pydantic import Field

from automl import blocks, inputs, oracles, sources, tasks
from automl.authoring import editor
from automl.authoring.editor.describe import in_words, paragraphs
from automl.cli import main
from automl.document import catalog, yaml_text
from automl.errors import ConfigError
from automl.experiment import experiment
from automl.experiment.search_section import Search
from automl.training.optimizers import OPTIMIZERS
from automl.training.section import Training

KINDS = {"space": catalog.SPACES, "data": catalog.DATASETS}
FILES = [(kind, name) for kind, place in KINDS.items() for name in catalog.names(place)]


@pytest.fixture(scope="module")
def schemas():
    found = {kind: json.loads(editor.text(kind)) for kind in KINDS}
    for schema in found.values():
        Draft7Validator.check_schema(schema)
    return found


def accepts(schema, text):
    return Draft7Validator(schema).is_valid(yaml_text.parse(dedent(text), "f.yaml").data)


def is_valid(text):
    try:
        experiment.check(yaml_text.parse(dedent(text), "f.yaml"), "f")
    except ConfigError:
        return False
    return True


# --- the files beside the documents


@pytest.mark.parametrize("kind", KINDS)
def test_the_committed_file_is_up_to_date(kind):
    file = catalog.folder(KINDS[kind]) / "schema.json"
    command = f"automl schema {kind} --to {KINDS[kind]}/schema.json"
    assert file.read_text(encoding="utf-8") == editor.text(kind), f"renew it with: {command}"
    assert "schema" not in catalog.names(KINDS[kind])


@pytest.mark.parametrize(("kind", "name"), FILES)
def test_a_shipped_document_fits(schemas, kind, name):
    found = yaml_text.read(catalog.find(KINDS[kind], name)).data
    assert [error.message for error in Draft7Validator(schemas[kind]).iter_errors(found)] == []


@pytest.mark.parametrize("name", catalog.names(catalog.DATASETS))
def test_a_data_document_points_to_its_schema(name):
    first = catalog.find(catalog.DATASETS, name).read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=schema.json"


def test_the_command_writes_what_it_prints(tmp_path):
    printed = CliRunner().invoke(main, ["schema", "data"])
    written = CliRunner().invoke(main, ["schema", "data", "--to", str(tmp_path / "s.json")])
    assert (printed.exit_code, written.exit_code, written.output) == (0, 0, "")
    assert (tmp_path / "s.json").read_text(encoding="utf-8") == printed.stdout == editor.text("data")


def test_a_file_that_cannot_be_written_is_a_message(tmp_path):
    result = CliRunner().invoke(main, ["schema", "--to", str(tmp_path / "none" / "s.json")])
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: Invalid value for '--to'")


# --- what it knows


@pytest.mark.parametrize("registry", [blocks.registry, OPTIMIZERS, oracles.registry])
def test_every_member_is_known_with_its_fields(schemas, registry):
    schema = schemas["space"]
    keyed = [each["properties"] for each in mappings(schema) if set(registry) <= set(each.get("properties", ()))]
    for name in registry:
        member = schema["$defs"][registry.get(name).__name__]
        assert set(member["properties"]) == set(registry.get(name).model_fields)
        assert member["additionalProperties"] is False
        assert all(registry.get(name).__name__ in json.dumps(each[name]) for each in keyed)
    assert keyed


@pytest.mark.parametrize("registry", [sources.registry, inputs.registry, tasks.registry])
def test_every_member_of_a_data_document_is_known(schemas, registry):
    for kind in KINDS:
        assert any(set(registry) == set(each.get("properties", ())) for each in mappings(schemas[kind]))


def mappings(schema):
    if isinstance(schema, dict):
        yield schema
    for child in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from mappings(child)


def test_the_sections_are_those_of_the_check(schemas):
    assert tuple(schemas["space"]["properties"]) == experiment.SECTIONS
    assert set(schemas["space"]["$defs"]["Training"]["properties"]) == set(Training.model_fields)
    assert set(schemas["space"]["$defs"]["Search"]["properties"]) == set(Search.model_fields)


def test_every_field_is_explained(schemas):
    for schema in schemas.values():
        models = [each for each in [schema, *schema["$defs"].values()] if each.get("additionalProperties") is False]
        assert models
        for model in models:
            assert all(field.get("description") for field in model["properties"].values()), model


def test_a_field_keeps_its_bounds_its_default_and_its_choices(schemas):
    defs = schemas["space"]["$defs"]
    conv = defs["Conv"]["properties"]
    assert conv["filters"]["default"] == 32
    literal, domain = defs[conv["filters"]["$ref"].rpartition("/")[2]]["anyOf"][:2]
    number = defs[literal["$ref"].rpartition("/")[2]]
    assert number == {"type": "integer", "minimum": 1, "maximum": 8192}
    assert list(domain["properties"]) == ["min", "max", "step", "log", "default", "each", "when"]
    assert defs["padding"]["enum"] == ["same", "valid", "causal"]


def test_it_is_laid_out_in_lines():
    lines = editor.text("space").splitlines()
    # Only a description may be longer: JSON has no way to fold one.
    assert not [line for line in lines if len(line) > 120 and '"description"' not in line and '"$ref"' not in line]
    assert any('{"$ref"' in line for line in lines)


# --- right and wrong documents, as `automl validate` has it

MODEL = "model: [dense]\n"
RIGHT = [
    "model: [conv, flatten, Dropout: {rate: 0.5}, Flatten, dense: ]",
    "model: [{residual: [conv, {conv: {filters: 8}}]}, {parallel: [[conv], [{conv: {}}, conv]]}]",
    "model: [{residual: {blocks: [conv], norm: none}}, {parallel: {branches: [[conv], []], merge: add}}]",
    "model: [{name: body, one_of: {a: [dense], b: []}, default: b}]",
    "model: [{stack: {repeat: {min: 0, max: 3}, blocks: [{dense: {units: {min: 8, max: 9, log: true, each: true}}}]}}]",
    "model: [{conv: {kernel_size: [3, {values: [3, 5]}], stride: {values: [1, [2, 2]], default: [2, 2]}}}]",
    "model: [{dense: {repeat: 2, units: {each: [64, 32]}}}]",
    "model: [{dense: {name: top, activation: {values: [relu, tanh], default: tanh}}}]",
    "model: [{SpatialDropout1D: {name: drop, repeat: 2, rate: {min: 0, max: 0.5, step: 0.1, each: true}}}]",
    MODEL + "training: {optimizer: {one_of: {adam: {learning_rate: {min: 1, max: 2}}, sgd: }}, clipnorm: 1}",
    MODEL + "training: {optimizer: {one_of: [adam, sgd], default: sgd}, epochs: {min: 1, max: 3}}",
    MODEL + "training: {optimizer: {values: [adam, sgd]}, clipnorm: {values: [null, 1.0]}, early_stopping: null}",
    MODEL + "training: {early_stopping: {patience: {values: [3, 5]}}, optimizer: {adam: }}",
    MODEL + "training:\nsearch:\ndata:\nname: x\ndescription: y",
    MODEL + "search: {algorithm: {random: }, trials: null, time: 30m, start: [{}], constraints: []}",
    MODEL + "data: {name: x, source: {sklearn: {name: digits}}, input: image, task: classification, limit: {train: 5}}",
]
WRONG = [
    "model: []",
    "model: dense",
    "training: {}",
    MODEL + "trainig: {}",
    MODEL + "name: 3",
    "model: [cnov]",
    "model: [{cnov: {filters: 8}}]",
    "model: [residual]",
    "model: [{dense: {}, conv: {}}]",
    "model: [{conv: {filter: 8}}]",
    "model: [{conv: {filters: 0}}]",
    "model: [{conv: {filters: '8'}}]",
    "model: [{conv: {filters: 8.5}}]",
    "model: [{conv: {dropout: 1}}]",
    "model: [{conv: {padding: some}}]",
    "model: [{conv: {kernel_size: [3, 3, 3]}}]",
    "model: [{residual: [{conv: {filter: 8}}]}]",
    "model: [{parallel: [[conv], [cnov]]}]",
    "model: [{name: body, one_of: {a: [cnov], b: []}}]",
    "model: [{one_of: {a: [dense], b: []}}]",
    "model: [{dense: {units: {min: 8}}}]",
    "model: [{dense: {units: {min: 8, max: 16, stp: 2}}}]",
    "model: [{dense: {units: {min: 8, max: 16.5}}}]",
    "model: [{dense: {units: {min: 0, max: 16}}}]",
    "model: [{dense: {units: {values: []}}}]",
    "model: [{dense: {units: {values: [8, 8]}}}]",
    "model: [{dense: {units: {values: [8], log: true}}}]",
    "model: [{dense: {units: {values: [8, many]}}}]",
    "model: [{dense: {units: {each: []}}}]",
    "model: [{dense: {activation: {min: 1, max: 2}}}]",
    "model: [{dense: {name: {values: [a, b]}}}]",
    "model: [{dense: {repeat: {min: 1, max: 2, each: true}}}]",
    "model: [{Dropout: {rate: {min: 0, max: 0.5, stp: 0.1}}}]",
    MODEL + "training: {epochs: {values: [1, 2], each: true}}",
    MODEL + "training: {optimizer: adm}",
    MODEL + "training: {optimizer: {adam: {learning_rat: 1}}}",
    MODEL + "training: {optimizer: {adam: {}, sgd: {}}}",
    MODEL + "training: {optimizer: {one_of: {adam: {momentum: 0.9}}}}",
    MODEL + "training: {early_stopping: {patience: -1}}",
    MODEL + "search: {trials: {min: 1, max: 3}}",
    MODEL + "search: {objective: val_acuracy}",
    MODEL + "search: {algorithm: {values: [random, grid]}}",
    MODEL + "data: {name: x, source: {sklearn: {name: digits}}, input: image}",
    MODEL + "data: {name: x, source: sklearn, input: image, task: classification}",
    MODEL + "data: {name: x, source: {sklearn: {name: digits}}, input: image, task: classification, split: {val: 1}}",
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right_fits(schemas, text):
    assert is_valid(text)
    assert accepts(schemas["space"], text)


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_refused(schemas, text):
    assert not is_valid(text)
    assert not accepts(schemas["space"], text)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("{source: {sklearn: {name: digits}}, input: image, task: classification}", True),
        ("{source: {sklearn: {name: digits}}, input: {image: {scale: unit}}, task: classification, limit: null}", True),
        ("{source: {sklearn: {name: digits}}, input: image}", False),
        (
            "{source: {sklearn: {name: digits}}, input: {image: {scale: {values: [unit]}}}, task: classification}",
            False,
        ),
        ("{source: {sklearn: {name: digits}}, input: image, task: classification, licens: MIT}", False),
    ],
)
def test_a_data_document_may_leave_its_name_to_its_file(schemas, text, right):
    assert accepts(schemas["data"], text) is right
    assert is_valid(f"{MODEL}data: {text.replace('{source', '{name: x, source', 1)}") is right


# --- automl blocks NAME


def test_a_block_is_told_with_its_docstring_and_fields():
    about = json.loads(CliRunner().invoke(main, ["blocks", "parallel", "-o", "json"]).stdout)
    assert about["block"] == "parallel"
    assert about["description"].startswith("Several lists of blocks")
    assert about["input"] == "What every branch can read."
    assert about["output"].startswith("One kind; the channels of all branches")
    assert about["source"] == "Szegedy et al. 2014, https://arxiv.org/abs/1409.4842, figure 2."
    fields = {row["field"]: row for row in about["fields"]}
    assert fields["branches"]["type"] == "list of list of block"
    assert fields["branches"]["default"] == "required"
    page = CliRunner().invoke(main, ["blocks", "parallel"]).stdout
    assert all(word in page for word in ("Szegedy", "input", "output", "merge", "concat | add"))


def test_a_unit_is_told_where_there_is_one(monkeypatch):
    class Wait(blocks.Block):
        """Waits."""

        takes = yields = ("vector",)
        pause: float = Field(1.0, gt=0, description="How long.", json_schema_extra={"unit": "s"})

    monkeypatch.setattr(blocks.registry, "get", lambda name: Wait)
    rows = json.loads(CliRunner().invoke(main, ["blocks", "wait", "-o", "json"]).stdout)["fields"]
    assert [row["unit"] for row in rows] == ["", "", "", "s"]


def test_a_misspelt_block_is_answered_with_the_nearest():
    result = CliRunner().invoke(main, ["blocks", "cnov"])
    assert result.exit_code == 2
    assert "Did you mean 'conv'?" in result.stderr


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 8}, "integer from 1 to 8"),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, "number above 0 below 1"),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "number or null"),
        ({"enum": ["same", "valid"]}, "same | valid"),
        ({"type": "array", "items": {"type": "string"}}, "list of string"),
        ({"type": ["array", "null"]}, "array or null"),
        ({}, "any"),
    ],
)
def test_in_words(schema, said):
    assert in_words(schema) == said


def test_paragraphs_stand_on_one_line_each():
    docstring = """First.

    Input:
        One thing
        or two.

    Source: A,
    page 2.
    """
    assert paragraphs(docstring) == ["First.", "Input: One thing or two.", "Source: A, page 2."]
    assert paragraphs(None) == [""]
