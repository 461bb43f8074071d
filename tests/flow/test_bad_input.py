"""Bad input, as a user types it: one line for each mistake, its place, exit code 2, and nothing created."""

from __future__ import annotations

import gzip
import json
import os
import shlex
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from automl import blocks, oracles, sources, tasks
from automl.blocks.conv import Conv
from automl.blocks.dense import Dense
from automl.cli import main
from automl.data.section import DataDocument
from automl.document import catalog
from automl.document.yaml_text import MAX_BYTES, MAX_DEPTH, MAX_NODES
from automl.experiment import experiment
from automl.experiment.search_section import Search
from automl.sources.csv import Csv
from automl.training import section
from automl.training.optimizers import OPTIMIZERS, SGD, Adam

OK = "model:\n  - dense: {units: 8}\n"
DATA = "source: {csv: {file: table.csv, target: y}}\ninput: series\ntask: classification\n"

# What messages list stands here by name, so that a new member of a registry breaks no test.
LISTS = {
    "SECTIONS": experiment.SECTIONS,
    "TRAINING": section.Training.model_fields,
    "SEARCH": Search.model_fields,
    "STOPPING": section.EarlyStopping.model_fields,
    "DATA": DataDocument.model_fields,
    "DATA_KEYS": [name for name in DataDocument.model_fields if name != "name"],
    "CONV": Conv.model_fields,
    "DENSE": Dense.model_fields,
    "ADAM": Adam.model_fields,
    "SGD": SGD.model_fields,
    "CSV": Csv.model_fields,
    "BLOCKS": blocks.registry.names(),
    "ALGORITHMS": oracles.registry.names(),
    "OPTIMIZERS": OPTIMIZERS.names(),
    "SOURCES": sources.registry.names(),
    "SPACES": catalog.names(catalog.SPACES),
    "DATASETS": catalog.names(catalog.DATASETS),
    "TASKS": tasks.registry.names(),
    "ANY_METRICS": dict.fromkeys(f"val_{name}" for task in tasks.registry for name in tasks.registry.get(task).metrics),
}
METRICS = "val_accuracy, val_f1, val_auc, val_loss"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, theirs alone, with nothing in it and no data anywhere."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    # The driver writes its own environment; what is set here is put back after the test.
    for name in ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS", "KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    monkeypatch.delenv("AUTOML_DATA", raising=False)
    return work


def refused(*args: str) -> list[str]:
    """Runs a command line, checks what holds for every refusal, and returns what was said."""
    before = sorted(Path.cwd().rglob("*"))
    result = CliRunner().invoke(main, args, prog_name="automl")
    assert result.exit_code == 2, (result.exit_code, result.output)
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines
    assert all(line.startswith("Error: ") for line in lines), lines
    assert "Traceback" not in result.stderr
    assert sorted(Path.cwd().rglob("*")) == before
    assert not Path(os.environ["AUTOML_HOME"]).exists()
    return [line.removeprefix("Error: ") for line in lines]


def told(expected: str) -> str:
    """Fills the registries' lists into an expected message."""
    for name, members in LISTS.items():
        expected = expected.replace(f"<{name}>", ", ".join(members))
    return expected.replace("<METRICS>", METRICS)


def write(text: str | bytes, name: str = "s.yaml") -> None:
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())


# --- documents

DOCUMENTS = {
    # Keys that are not there.
    "section": (
        f"{OK}modle: 3\n",
        "s.yaml:3:1: unknown key 'modle'. Expected one of <SECTIONS>. Did you mean 'model'?",
    ),
    "training": (
        f"{OK}training: {{epoch: 3}}\n",
        "s.yaml:3:12: unknown key 'epoch'. Expected one of <TRAINING>. Did you mean 'epochs'?",
    ),
    "search": (
        f"{OK}search:\n  seed: 1\n  trails: 3\n",
        "s.yaml:5:3: unknown key 'trails'. Expected one of <SEARCH>. Did you mean 'trials'?",
    ),
    "nested": (
        f"{OK}training: {{early_stopping: {{patients: 3}}}}\n",
        "s.yaml:3:29: unknown key 'patients'. Expected one of <STOPPING>. Did you mean 'patience'?",
    ),
    "optimizer field": (
        f"{OK}training: {{optimizer: {{adam: {{lr: 0.1}}}}}}\n",
        "s.yaml:3:31: unknown key 'lr'. Expected one of <ADAM>.",
    ),
    "algorithm field": (
        f"{OK}search: {{algorithm: {{random: {{luck: 3}}}}}}\n",
        "s.yaml:3:31: unknown key 'luck'. Expected no fields.",
    ),
    "block": (
        "model:\n  - dense\n  - conf: {filters: 3}\n",
        (
            "s.yaml:3:5: unknown block 'conf'. Expected one of <BLOCKS>, or a Keras layer's class name. "
            "Did you mean 'conv'?"
        ),
    ),
    "block by name alone": (
        "model: [flaten]\n",
        ("s.yaml:1:9: unknown block 'flaten'. Expected one of <BLOCKS>, or a Keras layer's class name. "
        "Did you mean 'flatten'?"),
    ),
    "field": (
        "model:\n  - conv: {filter: 3}\n",
        "s.yaml:2:12: unknown key 'filter'. Expected one of <CONV>. Did you mean 'filters'?",
    ),
    "domain key": (
        "model:\n  - dense: {units: {min: 1, max: 3, stpe: 1}}\n",
        ("s.yaml:2:37: unknown key 'stpe' in a domain. Expected min, max, step, log, default, each, when. "
        "Did you mean 'step'?"),
    ),
    "domain of two kinds": (
        "model:\n  - dense: {units: {values: [1], min: 3}}\n",
        "s.yaml:2:34: unknown key 'min' in a domain. Expected values, default, each, when.",
    ),
    # Types.
    "text for a number": (
        "model:\n  - dense: {units: '8'}\n",
        "s.yaml:2:13: units does not fit. Expected a whole number; received '8'.",
    ),
    "decimals for a whole number": (
        "model:\n  - dense: {units: 8.5}\n",
        "s.yaml:2:13: units does not fit. Expected a whole number; received 8.5.",
    ),
    "number for a switch": (
        "model:\n  - recurrent: {bidirectional: 1}\n",
        "s.yaml:2:17: bidirectional does not fit. Expected true or false; received 1.",
    ),
    "switch for a number": (
        f"{OK}training: {{epochs: true}}\n",
        "s.yaml:3:12: epochs does not fit. Expected a whole number; received true.",
    ),
    "misspelt word": (
        "model:\n  - recurrent: {cell: lstn}\n",
        ("s.yaml:2:17: cell does not fit. Expected 'simple_rnn', 'lstm' or 'gru'; received 'lstn'. "
        "Did you mean 'lstm'?"),
    ),
    "list for a mapping": (
        f"{OK}training: [1, 2]\n",
        "s.yaml:3:1: training must be a mapping. Expected the fields <TRAINING>; received [1, 2].",
    ),
    "text for a mapping": (
        f"{OK}training: fast\n",
        "s.yaml:3:1: training must be a mapping. Expected the fields <TRAINING>; received 'fast'.",
    ),
    "null": (
        "model:\n  - dense: {units: null}\n",
        "s.yaml:2:13: units does not fit. Expected a whole number; received null.",
    ),
    "null for a declaration": (
        f"{OK}training:\n  optimizer:\n",
        ("s.yaml:4:3: optimizer must be one name, or one name with its fields. Expected one of <OPTIMIZERS>; "
        "received null."),
    ),
    "two declarations": (
        f"{OK}training: {{optimizer: {{adam: {{}}, sgd: {{}}}}}}\n",
        ("s.yaml:3:12: optimizer must be one name, or one name with its fields. Expected one of <OPTIMIZERS>; "
        "received {adam: {}, sgd: {}}."),
    ),
    "too small": (
        f"{OK}training: {{epochs: 0}}\n",
        "s.yaml:3:12: epochs does not fit. Expected at least 1; received 0.",
    ),
    "seed below 0": (
        f"{OK}search: {{seed: -1}}\n",
        "s.yaml:3:10: seed does not fit. Expected at least 0; received -1.",
    ),
    "seed beyond 32 bits": (
        f"{OK}search: {{seed: 4294967296}}\n",
        "s.yaml:3:10: seed does not fit. Expected below 4294967296; received 4294967296.",
    ),
    "no duration": (
        f"{OK}search: {{time: soon}}\n",
        "s.yaml:3:10: 'soon' is no duration. Expected 90s, 30m or 1h30m.",
    ),
    "both clips": (
        f"{OK}training: {{clipnorm: 1.0, clipvalue: 1.0}}\n",
        "s.yaml:3:1: clipnorm and clipvalue exclude each other: Keras takes one of them.",
    ),
    # Names from registries and tables.
    "metric": (
        f"{OK}search: {{objective: val_acuracy}}\n",
        "s.yaml:3:10: unknown metric 'val_acuracy'. Expected one of <ANY_METRICS>. Did you mean 'val_accuracy'?",
    ),
    "algorithm": (
        f"{OK}search: {{algorithm: bayesain}}\n",
        "s.yaml:3:10: unknown algorithm 'bayesain'. Expected one of <ALGORITHMS>. Did you mean 'bayesian'?",
    ),
    "optimizer": (
        f"{OK}training: {{optimizer: adamm}}\n",
        "s.yaml:3:12: unknown optimizer 'adamm'. Expected one of <OPTIMIZERS>. Did you mean 'adam'?",
    ),
    "optimizer in one_of": (
        f"{OK}training:\n  optimizer:\n    one_of:\n      adam: {{}}\n      sgdd: {{momentum: 0.3}}\n",
        "s.yaml:7:7: unknown optimizer 'sgdd'. Expected one of <OPTIMIZERS>. Did you mean 'sgd'?",
    ),
    "field in one_of": (
        f"{OK}training:\n  optimizer:\n    one_of:\n      adam: {{}}\n      sgd: {{momentun: 0.3}}\n",
        "s.yaml:7:13: unknown key 'momentun'. Expected one of <SGD>. Did you mean 'momentum'?",
    ),
    "optimizer among values": (
        f"{OK}training: {{optimizer: {{values: [adam, sdg]}}}}\n",
        "s.yaml:3:39: unknown optimizer 'sdg'. Expected one of <OPTIMIZERS>. Did you mean 'sgd'?",
    ),
    "data set": (
        f"{OK}data: digit\n",
        ("s.yaml:3:1: no data set is called 'digit'. Expected one of <DATASETS>, or the path of a YAML file. "
        "Did you mean 'digits'?"),
    ),
    "data file": (f"{OK}data: ./nothing.yaml\n", "s.yaml:3:1: no such file: './nothing.yaml'."),
    # Domains.
    "min above max": (
        "model:\n  - dense: {units: {min: 9, max: 3}}\n",
        "s.yaml:2:21: min is above max. Expected at most 3; received 9.",
    ),
    "max alone": (
        "model:\n  - dense: {units: {max: 3}}\n",
        "s.yaml:2:13: a range needs both min and max; min is missing. Add `min`.",
    ),
    "text as an end": (
        "model:\n  - dense: {units: {min: one, max: 3}}\n",
        "s.yaml:2:21: min is no number. Expected a finite number; received 'one'.",
    ),
    "log from 0": (
        "model:\n  - dense: {units: {min: 0, max: 3, log: true}}\n",
        "s.yaml:2:21: a log range must start above 0. Expected a number above 0; received 0.",
    ),
    "negative step": (
        "model:\n  - dense: {units: {min: 1, max: 3, step: -1}}\n",
        "s.yaml:2:37: the step must be above 0. Expected a number above 0; received -1.",
    ),
    "step and log": (
        "model:\n  - dense: {units: {min: 1, max: 3, step: 1, log: true}}\n",
        "s.yaml:2:37: step and log exclude each other. Use values for a list of powers.",
    ),
    "default outside": (
        "model:\n  - dense: {units: {min: 1, max: 3, default: 7}}\n",
        "s.yaml:2:37: the default is outside of its range. Expected 1 to 3; received 7.",
    ),
    "default between steps": (
        "model:\n  - dense: {units: {min: 1, max: 5, step: 2, default: 2}}\n",
        "s.yaml:2:46: the default is outside of its range. Expected 1 to 5 in steps of 2; received 2.",
    ),
    "default none of the values": (
        "model:\n  - dense: {units: {values: [1, 2], default: 7}}\n",
        "s.yaml:2:37: the default is none of the values. Expected [1, 2]; received 7.",
    ),
    "value twice": (
        "model:\n  - dense: {units: {values: [8, 16, 8]}}\n",
        "s.yaml:2:37: the value 8 stands twice.",
    ),
    "no values": (
        "model:\n  - dense: {units: {values: []}}\n",
        "s.yaml:2:21: values must be a list with at least one value. Expected a list; received [].",
    ),
    "value of another type": (
        "model:\n  - dense: {units: {values: [8, x]}}\n",
        "s.yaml:2:33: units does not fit. Expected a whole number; received 'x'.",
    ),
    "range below the field's": (
        "model:\n  - dense: {units: {min: -8, max: 8}}\n",
        "s.yaml:2:21: units does not fit. Expected at least 1; received -8.",
    ),
    "range beyond the field's on both sides": (
        "model:\n  - dense: {dropout: {min: -1, max: 1}}\n",
        "s.yaml:2:23: dropout does not fit. Expected at least 0; received -1.",
        "s.yaml:2:32: dropout does not fit. Expected below 1; received 1.",
    ),
    "range with decimals": (
        "model:\n  - dense: {units: {min: 8, max: 16.5}}\n",
        "s.yaml:2:29: units does not fit. Expected a whole number; received 16.5.",
    ),
    "searched seed": (
        f"{OK}search: {{seed: {{values: [1, 2]}}}}\n",
        "s.yaml:3:10: seed cannot be searched. Expected a literal; received {values: [1, 2]}.",
    ),
    "searched algorithm": (
        f"{OK}search: {{algorithm: {{one_of: {{random: {{}}, grid: {{}}}}}}}}\n",
        "s.yaml:3:10: algorithm cannot be searched. Expected a literal; received {one_of: {random: {}, grid: {}}}.",
    ),
    "searched name": (
        "model:\n  - dense: {name: {values: [a, b]}}\n",
        "s.yaml:2:13: name cannot be searched. Expected a literal; received {values: ['a', 'b']}.",
    ),
    "one_of for a number": (
        f"{OK}training: {{epochs: {{one_of: {{a: {{}}, b: {{}}}}}}}}\n",
        "s.yaml:3:12: one_of does not fit here. Expected a value, or a domain with values.",
    ),
    # each and when.
    "each outside of a block": (
        f"{OK}training: {{epochs: {{min: 1, max: 3, each: true}}}}\n",
        "s.yaml:3:37: each has no repeat to follow. Use it inside a block.",
    ),
    "too many each values": (
        "model:\n  - dense: {repeat: 2, units: {each: [1, 2, 3]}}\n",
        "s.yaml:2:32: each must hold values for the repeats. Expected 1 to 2 values; received 3.",
    ),
    "too many each values for a searched repeat": (
        "model:\n  - dense: {repeat: {min: 1, max: 2}, units: {each: [1, 2, 3]}}\n",
        "s.yaml:2:47: each must hold values for the repeats. Expected 1 to 2 values; received 3.",
    ),
    "wrong repeat, told once": (
        ("model:\n  - dense: {repeat: {min: 2, max: 1}, units: {min: 1, max: 4, each: true}}\n"
        "training: {epochs: {values: [1, 2], when: {dense.repeat: [1]}}}\n"),
        "s.yaml:2:22: min is above max. Expected at most 1; received 2.",
    ),
    "when on an unknown parameter": (
        "model:\n  - dense: {repeat: {min: 1, max: 2}, units: {values: [1, 2], when: {dense.repaet: [1]}}}\n",
        "s.yaml:2:70: when names 'dense.repaet', which is no searched parameter. Did you mean 'dense.repeat'?",
    ),
    "when on a dead value": (
        "model:\n  - dense: {repeat: {min: 1, max: 2}, units: {values: [1, 2], when: {dense.repeat: [7]}}}\n",
        "s.yaml:2:70: dense.repeat is never 7. Expected one of [1, 2]; received 7.",
    ),
    "when on itself": (
        "model:\n  - dense: {units: {values: [1, 2], when: {dense.units: [2]}}}\n",
        "s.yaml:2:37: dense.units depends on itself through when.",
    ),
    "when on a continuous range": (
        ("model:\n  - dense: {units: {values: [1, 2], when: {training.clipnorm: [2]}}}\n"
        "training: {clipnorm: {min: 0.5, max: 1.0}}\n"),
        "s.yaml:2:44: when cannot test training.clipnorm, a continuous range. Expected values or whole numbers.",
    ),
    # The model.
    "two blocks of one name": (
        "model:\n  - dense: {name: a}\n  - dense: {name: a}\n",
        "s.yaml:3:5: two blocks are named 'a'. Give one a `name` of its own.",
    ),
    "block named as a section": (
        "model:\n  - dense: {name: training}\n",
        "s.yaml:2:5: a block cannot be named 'training', as a section of the document is. Give it another `name`.",
    ),
    "name of two words": (
        "model:\n  - dense: {name: 'a b'}\n",
        "s.yaml:2:13: name does not fit. Expected a word of letters, digits and _, a letter first; received 'a b'.",
    ),
    "empty model": (
        "model: []\n",
        "s.yaml:1:1: model must be a list of blocks, one at least. Expected - block: {field: value}; received [].",
    ),
    "model as a mapping": (
        "model: {dense: {units: 3}}\n",
        ("s.yaml:1:1: model must be a list of blocks, one at least. Expected - block: {field: value}; "
        "received {dense: {units: 3}}."),
    ),
    "no model": ("training: {epochs: 3}\n", "s.yaml:1:1: model is missing. Add `model`, a list of blocks."),
    "two blocks in one item": (
        "model:\n  - dense: {units: 3}\n    conv: {}\n",
        "s.yaml:2:5: this is not one block. Expected {block: {field: value}}; received {dense: {units: 3}, conv: {}}.",
    ),
    "fields not indented": (
        "model:\n  - dense:\n    units: 3\n",
        ("s.yaml:2:5: this is not one block. Expected {block: {field: value}}; received {dense: null, units: 3}. "
        "Indent the fields of dense further."),
    ),
    "block as a list": (
        "model:\n  - dense: [3]\n",
        "s.yaml:2:5: dense must be a mapping. Expected the fields <DENSE>; received [3].",
    ),
    # YAML.
    "key twice": (
        "model:\n  - dense: {units: 8, units: 9}\n",
        's.yaml:2:23: the key stands twice in one mapping: "units". Keep one of them.',
    ),
    "section twice": (
        f"training: {{}}\n{OK}training: {{}}\n",
        's.yaml:4:1: the key stands twice in one mapping: "training". Keep one of them.',
    ),
    "list": (
        "- model\n- training\n",
        "s.yaml:1:1: a search space is a mapping. Expected keys <SECTIONS>; received a list.",
    ),
    "text": ("hello\n", "s.yaml: a search space is a mapping. Expected keys <SECTIONS>; received text."),
    "number": ("3\n", "s.yaml: a search space is a mapping. Expected keys <SECTIONS>; received a number."),
    "empty": ("", "s.yaml: a search space is a mapping. Expected keys <SECTIONS>; received an empty document."),
    "comment": (
        "# model:\n",
        "s.yaml: a search space is a mapping. Expected keys <SECTIONS>; received an empty document.",
    ),
    "tab": (
        "model:\n\t- dense: {units: 8}\n",
        "s.yaml:2:1: not valid YAML: a tab where only spaces may stand. Indent with spaces.",
    ),
    "not UTF-8": (
        b"model:\n  - dense: {units: 8} # \xc3\xa9t\xe9\n",
        "s.yaml:2:27: the file is not UTF-8. Expected UTF-8 text; received byte 0xe9.",
    ),
    "UTF-16": (
        "model: [dense]\n".encode("utf-16-le").join([b"\xff\xfe", b""]),
        "s.yaml:1:1: the file is not UTF-8. Expected UTF-8 text; received byte 0xff.",
    ),
    "binary": (b"model: [\0]\n", "s.yaml:1:9: not valid YAML: the character 0x00 cannot stand there."),
    "bracket left open": (
        "model: [dense\ntraining: {}\n",
        "s.yaml:2:9: not valid YAML: expected ',' or ']', but got ':', while parsing a flow sequence from 1:8.",
    ),
    "quote left open": (
        "model: [dense]\nname: 'a\n",
        "s.yaml:3:1: not valid YAML: found unexpected end of stream, while scanning a quoted scalar from 2:7.",
    ),
    "tag that runs code": (
        f"{OK}name: !!python/object/apply:os.system ['touch ran']\n",
        ("s.yaml:3:1: tags are not allowed. Expected plain YAML; received !!python/object/apply:os.system. "
        "Remove the tag."),
    ),
    "tag of the user's": (
        f"{OK}name: !mine a\n",
        "s.yaml:3:1: tags are not allowed. Expected plain YAML; received !mine. Remove the tag.",
    ),
    "alias bomb": (
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        "s.yaml:5:20: the document is too deep or too large once aliases are resolved.",
    ),
    "alias of nothing": ("model: *a\n", "s.yaml:1:8: not valid YAML: found undefined alias 'a'."),
    "two documents": (
        f"{OK}---\n{OK}",
        "s.yaml:3:1: not valid YAML: another document begins, and a file holds one.",
    ),
    "YAML 1.1": (
        f"%YAML 1.1\n---\n{OK}",
        "s.yaml:1:1: directives are not allowed. Expected YAML 1.2; received %YAML 1.1.",
    ),
    "date": (
        f"{OK}name: 2020-01-01\n",
        "s.yaml:3:1: the value is no plain YAML value. Expected text or a number; received 2020-01-01. Quote it.",
    ),
    "number as a key": (
        f"{OK}3: 4\n",
        "s.yaml:3:1: a key is not a string. Expected a name; received 3. Quote the key.",
    ),
    "no number": (
        f"{OK}training: {{clipnorm: .nan}}\n",
        "s.yaml:3:12: the number is not finite. Expected a finite number; received nan.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_wrong_document_is_refused_in_one_line(case):
    text, *expected = DOCUMENTS[case]
    write(text)
    assert refused("validate", "s.yaml") == [told(line) for line in expected]


def test_every_mistake_of_a_document_is_told_at_once_in_its_order():
    write(
        "search: {objective: val_acuracy, time: soon, algorithm: bayesain}\n"
        "model:\n"
        "  - conf: {filters: 3}\n"
        "  - dense: {units: {min: 9, max: 3}, dropuot: 0.1}\n"
        "training: {epochs: '3', batch_size: {values: [8, 8]}}\n"
        "modle: 3\n"
    )
    assert [line.partition(". ")[0] for line in refused("search", "s.yaml", "--data", "digits")] == [
        "s.yaml:1:10: unknown metric 'val_acuracy'",
        "s.yaml:1:34: 'soon' is no duration",
        "s.yaml:1:46: unknown algorithm 'bayesain'",
        "s.yaml:3:5: unknown block 'conf'",
        "s.yaml:4:21: min is above max",
        "s.yaml:4:38: unknown key 'dropuot'",
        "s.yaml:5:12: epochs does not fit",
        "s.yaml:5:50: the value 8 stands twice.",
        "s.yaml:6:1: unknown key 'modle'",
    ]


@pytest.mark.parametrize("many", ["[" * 900_000, "{a: " * 200_000, "- " * 500_000])
def test_a_deep_file_is_refused_soon(many):
    write(many)
    started = time.process_time()
    (line,) = refused("validate", "s.yaml")
    assert time.process_time() - started < 2
    assert line.endswith(f": the document nests too deep. Expected at most {MAX_DEPTH} levels.")
    assert line.startswith("s.yaml:1:")


@pytest.mark.parametrize("many", ["a: [" + "1," * 400_000 + "]\n", "".join(f"k{i}: 1\n" for i in range(80_000))])
def test_a_wide_file_is_refused_before_it_is_built(many):
    write(many)
    started = time.process_time()
    (line,) = refused("validate", "s.yaml")
    assert time.process_time() - started < 10  # building either took a minute
    assert line.endswith(f": the document is too large. Expected at most {MAX_NODES} keys and values.")


def test_a_large_file_is_refused_unread():
    write("[" * 10_000_000)
    started = time.process_time()
    expected = f"s.yaml: the file is too large. Expected at most {MAX_BYTES} bytes; received 10000000 bytes."
    assert refused("validate", "s.yaml") == [expected]
    assert time.process_time() - started < 2


# --- Keras layers by class name


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("Lambda: {function: x}", "s.yaml:2:5: Lambda cannot be a block: it runs code from outside of the document."),
        ("Densee: {units: 3}", "s.yaml:2:5: Keras has no layer 'Densee'. Did you mean 'Dense'?"),
        ("Dense: {unit: 3}", "s.yaml:2:13: Dense has no argument 'unit'. Did you mean 'units'?"),
        ("Dense: {}", "s.yaml:2:5: Dense needs units."),
        ("Dense: [3]", "s.yaml:2:5: Dense must be a mapping. Expected the layer's arguments; received [3]."),
        ("Dense: {units: {min: 3, max: 1}}", "s.yaml:2:21: min is above max. Expected at most 1; received 3."),
        ("Dense: {units: 3, repeat: -2}", "s.yaml:2:23: repeat does not fit. Expected at least 0; received -2."),
        (
            "SpatialDropout1D: {rate: {values: [0.1, 7]}}",
            (
                "s.yaml:2:45: Invalid value received for argument `rate`. Expected a float value between 0 and 1. "
                "Received: rate=7."
            ),
        ),
        (
            "Dense: {units: 3, kernel_initializer: {class_name: x}}",
            "s.yaml:2:23: kernel_initializer must be a plain literal; received {class_name: 'x'}.",
        ),
    ],
)
def test_a_wrong_keras_layer_is_refused(model, expected):
    write(f"model:\n  - {model}\n")
    assert refused("validate", "s.yaml") == [expected]


# --- files and options


def test_an_unknown_option_is_refused():
    write(OK)
    (line,) = refused("validate", "s.yaml", "--dta", "digits")
    # click's own words, which differ between its versions.
    assert line.startswith("No such option")
    assert "--dta" in line
    assert "Did you mean" in line
    assert line.endswith("See automl validate --help.")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("validate nothing.yaml", "nothing.yaml: no such file."),
        ("validate ./t.yaml", "./t.yaml: no such file. Did you mean 's.yaml'?"),
        ("validate ./", "./: this is a folder. Expected a YAML file."),
        (
            "validate cnnn",
            (
                "SPACE: no search space is called 'cnnn'. Expected one of <SPACES>, or the path of a YAML file. "
                "Did you mean 'cnn'?"
            ),
        ),
        (
            "validate s.yaml --data digit",
            (
                "--data: no data set is called 'digit'. Expected one of <DATASETS>, or the path of a YAML file. "
                "Did you mean 'digits'?"
            ),
        ),
        ("search s.yaml --data nowhere.yaml", "--data: no such file: 'nowhere.yaml'."),
        ("search s.yaml --data ./", "--data: this is a folder: './'. Expected a YAML file."),
        ("search s.yaml", "s.yaml: no data to search on. Name a data set with --data."),
        ("search s.yaml --data digits --time soon", "--time soon: 'soon' is no duration. Expected 90s, 30m or 1h30m."),
        ("search s.yaml --data digits --time -5m", "--time -5m: '-5m' is no duration. Expected 90s, 30m or 1h30m."),
        (
            "search s.yaml --data digits --algorithm bayes",
            "--algorithm bayes: unknown algorithm 'bayes'. Expected one of <ALGORITHMS>. Did you mean 'bayesian'?",
        ),
        (
            "search s.yaml --data digits --seed -1",
            "--seed -1: seed does not fit. Expected at least 0; received -1.",
        ),
        (
            "search s.yaml --data digits --backend torhc",
            "--backend: no such Keras backend. Expected one of tensorflow, jax, torch; received 'torhc'.",
        ),
        (
            "search s.yaml --data digits --workers 0",
            "Invalid value for '--workers': 0 is not in the range 1<=x<=256. See automl search --help.",
        ),
        (
            "search s.yaml --data digits --trials many",
            "Invalid value for '--trials': 'many' is not a valid integer range. See automl search --help.",
        ),
        ("validate", "Missing argument 'SPACE'. See automl validate --help."),
        ("blocks cnov", "unknown block 'cnov'. Expected one of <BLOCKS>. Did you mean 'conv'?"),
    ],
)
def test_a_wrong_option_is_refused(line, expected):
    write(OK)
    assert refused(*shlex.split(line)) == [told(expected)]


def test_a_wrong_backend_variable_is_named(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    write(OK)
    assert refused("search", "s.yaml", "--data", "digits") == [
        "KERAS_BACKEND: no such Keras backend. Expected one of tensorflow, jax, torch; received 'theano'."
    ]


def test_a_home_that_is_a_file_is_refused(tmp_path, monkeypatch):
    home = tmp_path / "file"
    home.write_text("mine")
    monkeypatch.setenv("AUTOML_HOME", str(home / "below"))
    write(OK)
    assert refused("search", "s.yaml", "--data", "digits") == [
        (
            f"{home}/below: searches cannot be kept here: {home} is a file. Expected a folder. "
            "Set AUTOML_HOME to another place."
        )
    ]


SETTINGS = {
    "training.epochs": "not a setting. Expected path=value, as in training.epochs=3.",
    "=3": "not a setting. Expected path=value, as in training.epochs=3.",
    "training..epochs=3": "not a setting. Expected path=value, as in training.epochs=3.",
    "trainin.epochs=3": "nothing is called 'trainin'. Expected one of dense, training, search, evaluation, data. "
    "Did you mean 'training'?",
    "dens.units=3": "nothing is called 'dens'. Expected one of dense, training, search, evaluation, data. "
    "Did you mean 'dense'?",
    "training.epoch=3": "unknown key 'epoch'. Expected one of <TRAINING>. Did you mean 'epochs'?",
    "seed=3": "unknown key 'seed'. Expected one of <SECTIONS>.",
    "training.epochs=many": "epochs does not fit. Expected a whole number; received 'many'.",
    "training.epochs=": "epochs does not fit. Expected a whole number; received null.",
    "search.seed.deep=3": "search.seed has no fields. Expected a mapping; received 1.",
    "training.batch_size.deep=3": "batch_size does not fit. Expected a whole number; received {deep: 3}.",
    "model.0.units=3": "model has no fields. Expected a mapping; received [{dense: {units: 8}}].",
    "dense=3": "dense must be a mapping. Expected the fields <DENSE>; received 3.",
    "dense.units={min: 9, max: 3}": "min is above max. Expected at most 3; received 9.",
    "training.optimizer.sdg.momentum=0.5": "unknown optimizer 'sdg'. Expected one of <OPTIMIZERS>. Did you mean 'sgd'?",
    "data.slpit.val=0.2": "unknown key 'slpit'. Expected one of <DATA>. Did you mean 'split'?",
    "data.split.val=2": "val does not fit. Expected below 1; received 2.",
    "data=digit": "no data set is called 'digit'. Expected one of <DATASETS>, or the path of a YAML file. "
    "Did you mean 'digits'?",
    "training.epochs=[1": "not valid YAML: expected ',' or ']', but got '<stream end>', "
    "while parsing a flow sequence from 1:1.",
}


@pytest.mark.parametrize("option", SETTINGS)
def test_a_wrong_setting_names_itself(option):
    write(f"{OK}search: {{seed: 1}}\n")
    lines = refused("validate", "s.yaml", "--data", "digits", "--set", option)
    assert lines == [f"--set {option}: {told(SETTINGS[option])}"]


# --- data documents

DATA_DOCUMENTS = {
    "no task": (DATA.replace("task: classification\n", ""), "d.yaml:1:1: task is missing. Add task: What is learned."),
    "source": (
        DATA.replace("csv", "cvs"),
        "d.yaml:1:10: unknown data source 'cvs'. Expected one of <SOURCES>. Did you mean 'csv'?",
    ),
    "source's field": (
        DATA.replace("target", "taget"),
        "d.yaml:1:33: unknown key 'taget'. Expected one of <CSV>. Did you mean 'target'?",
    ),
    "source's type": (
        DATA.replace("target: y", "target: 3"),
        "d.yaml:1:33: target does not fit. Expected text or a list; received 3.",
    ),
    "task": (
        DATA.replace("classification", "clasification"),
        "d.yaml:3:1: unknown task 'clasification'. Expected one of <TASKS>. Did you mean 'classification'?",
    ),
    "fractions": (
        f"{DATA}split: {{val: 0.6, test: 0.5}}\n",
        "d.yaml:4:1: val and test leave nothing to train on: their sum must be below 1.",
    ),
    "fraction": (f"{DATA}split: {{val: 1}}\n", "d.yaml:4:9: val does not fit. Expected below 1; received 1."),
    "searched": (
        f"{DATA}split: {{val: {{min: 0.1, max: 0.2}}}}\n",
        "d.yaml:4:9: val cannot be searched. Expected a literal; received {min: 0.1, max: 0.2}.",
    ),
    "key": (
        f"{DATA}lisence: MIT\n",
        "d.yaml:4:1: unknown key 'lisence'. Expected one of <DATA>. Did you mean 'licence'?",
    ),
    "list": ("- a\n", "d.yaml:1:1: a data document is a mapping. Expected keys <DATA>; received a list."),
    "empty": ("", "d.yaml: a data document is a mapping. Expected keys <DATA>; received an empty document."),
    "objective": (DATA, "s.yaml:3:10: unknown metric 'val_rmse'. Expected one of <METRICS>. Did you mean 'val_loss'?"),
}


@pytest.mark.parametrize("case", DATA_DOCUMENTS)
def test_a_wrong_data_document_is_refused(case):
    text, *expected = DATA_DOCUMENTS[case]
    write(OK + ("search: {objective: val_rmse}\n" if case == "objective" else ""))
    write(text, "d.yaml")
    assert refused("search", "s.yaml", "--data", "d.yaml") == [told(line) for line in expected]


def test_mistakes_of_both_files_are_told_together():
    write(f"{OK}modle: 3\n")
    write(f"{DATA}lisence: MIT\n", "d.yaml")
    places = [line.split(" ")[0] for line in refused("validate", "s.yaml", "--data", "d.yaml")]
    assert places == ["d.yaml:4:1:", "s.yaml:3:1:"]


# --- data


def search(source: str, input_: str = "series") -> list[str]:
    write(OK)
    write(f"source: {source}\ninput: {input_}\ntask: classification\n", "d.yaml")
    return refused("search", "s.yaml", "--data", "d.yaml", "--trials", "1", "--inline")


CSV = "{csv: {file: table.csv, target: y}}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a,b,label\n1,2,x\n", "table.csv: has no target column 'y'. Expected one of ['a', 'b', 'label']."),
        (b"a,b,y\n1,2\n", "table.csv:2: wrong number of values. Expected 3; received 2."),
        (b"", "table.csv: is empty. Expected a header line and a row per example."),
        (
            b"a,b,y\n1,2,\xe9\n",
            (
                "table.csv: is not UTF-8 text. Expected UTF-8; received byte 0xe9 at offset 10. "
                "Convert it from what it is, as with iconv -f latin1 -t utf-8."
            ),
        ),
    ],
)
def test_a_wrong_table_is_refused(text, expected, folder):
    write(text, "table.csv")
    assert search(CSV) == [f"{folder}/{expected}"]


def test_a_set_too_small_to_split_is_refused():
    write("a,y\n1,no\n2,yes\n3,yes\n", "table.csv")
    assert search(CSV) == [
        (
            "d: class 'no' is too rare to be split. Expected at least 3 examples, one for each part; received 1. "
            "Add examples, or leave the class out of the set."
        )
    ]


def test_a_missing_set_says_what_to_put_where(tmp_path):
    write(OK)
    cache = tmp_path / "nobody" / ".cache" / "automl" / "ucr_uea" / "ItalyPowerDemand"
    assert refused("search", "s.yaml", "--data", "italy_power_demand") == [
        (
            f"ucr_uea/ItalyPowerDemand: data set not found; looked for {cache} (the cache), $AUTOML_DATA (not set). "
            f"Put the files ItalyPowerDemand_TRAIN.ts and ItalyPowerDemand_TEST.ts at {cache}, "
            "or name the parent folder of your data sets in $AUTOML_DATA."
        )
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 10, 4, 4) + np.random.default_rng(0).bytes(160))[:60],
            (
                "cannot be read to its end. It is damaged, copy it again "
                "(Compressed file ended before the end-of-stream marker was reached)."
            ),
        ),
        (
            gzip.compress(b"hello world"),
            "is not an idx file of this kind. Expected the magic number 0x00000803; received 0x68656c6c.",
        ),
        (b"hello", "cannot be read to its end. It is damaged, copy it again (Not a gzipped file (b'he'))."),
    ],
    ids=["cut short", "another format", "not compressed"],
)
def test_a_damaged_idx_file_is_refused(content, expected, folder):
    Path("idx").mkdir()
    write(content, "idx/train-images-idx3-ubyte.gz")
    labels = struct.pack(">HBBI", 0, 8, 1, 10) + bytes(i % 2 for i in range(10))
    write(gzip.compress(labels), "idx/train-labels-idx1-ubyte.gz")
    assert search("{idx: {folder: idx}}", "image") == [f"{folder}/idx/train-images-idx3-ubyte.gz: {expected}"]


def test_pickles_in_an_archive_are_refused(folder):
    np.savez("a.npz", x=np.array([{}], dtype=object), y=np.array([1]))
    assert search("{npz: {file: a.npz}}", "image") == [
        (
            f"{folder}/a.npz[x]: cannot be read. It may hold pickled objects, which are never loaded because they "
            "can run code; save plain arrays."
        )
    ]


def test_a_broken_archive_is_refused(folder):
    write(b"PK\x03\x04 hello", "a.npz")
    assert search("{npz: {file: a.npz}}", "image") == [
        f"{folder}/a.npz: cannot be read as an .npz archive. It is damaged or of another format (BadZipFile)."
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1,2,x3:a", "a value is not a number. Expected a finite number, or ? where missing; received 'x3'."),
        ("1,2,3:c", "unknown class label. Expected one of @classLabel: a, b; received 'c'."),
    ],
)
def test_a_malformed_ts_file_is_refused(line, expected, folder):
    Path("ts").mkdir()
    write(f"@problemName ts\n@univariate true\n@classLabel true a b\n@data\n{line}\n", "ts/ts.ts")
    assert search("{ts: {folder: ts}}") == [f"{folder}/ts/ts.ts:5: {expected}"]


# --- in a process of its own


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("validate s.yaml", "Error: s.yaml:2:21: min is above max. Expected at most 3; received 9."),
        ("search s.yaml --data digits", "Error: s.yaml:2:21: min is above max. Expected at most 3; received 9."),
        ("serach s.yaml", "Error: No such command 'serach'. Did you mean 'search'? See automl --help."),
    ],
)
def test_a_program_says_one_line_and_imports_nothing_heavy(line, expected, tmp_path, home):
    write("model:\n  - dense: {units: {min: 9, max: 3}}\n")
    code = (
        "import atexit, json, sys\n"
        "heavy = ('keras', 'tensorflow', 'mlflow', 'jax', 'torch', 'keras_tuner')\n"
        f"file = open({str(tmp_path / 'found')!r}, 'w')\n"
        "atexit.register(lambda: file.write(json.dumps([m for m in heavy if m in sys.modules])))\n"
        "sys.argv[0] = 'automl'\n"
        "import automl.cli\n"
        "automl.cli.main()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(catalog.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code, *shlex.split(line)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [expected]
    assert json.loads((tmp_path / "found").read_text()) == []
    assert not home.exists()
    assert [path.name for path in Path.cwd().iterdir()] == ["s.yaml"]
