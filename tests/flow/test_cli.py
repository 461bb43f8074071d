"""The command line beside searching: help, listings in every form, and a folder where nothing was done yet."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

import automl
from automl import blocks, export, oracles, schedulers
from automl.cli import main
from automl.document import catalog
from automl.document.yaml_text import parse
from automl.machine import keras_backend

VERBS = main.list_commands(click.Context(main))
BACKENDS = ("keras", "tensorflow", "jax", "torch")
REPO = Path(automl.__file__).parents[1]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUTOML_DATA", raising=False)
    return tmp_path


def run(*args: str) -> Result:
    return CliRunner().invoke(main, args, prog_name="automl")


def imported_by(*lines: str) -> tuple[list[str], int]:
    """Runs command lines in a process of their own; returns every module they imported, and the worst exit code."""
    code = (
        "import json, sys\n"
        "from automl.cli import main\n"
        "code = 0\n"
        f"for line in {[shlex.split(line) for line in lines]!r}:\n"
        "    try:\n"
        "        main(line, prog_name='automl')\n"
        "    except SystemExit as end:\n"
        "        code = max(code, end.code or 0)\n"
        "print('\\n' + json.dumps([sorted(sys.modules), code]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(REPO)},
    )
    modules, exit_code = json.loads(done.stdout.splitlines()[-1])
    return modules, exit_code


# --- help


def test_there_are_the_verbs_of_the_readme():
    assert set(VERBS) >= {
        *("search", "resume", "trials", "show", "best", "export", "ui", "validate", "spaces", "datasets", "blocks"),
        "doctor",
    }


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb, option):
    result = run(verb, option)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: automl {verb} ")
    assert "--help" in result.stdout
    assert "\\b" not in result.stdout  # examples stand on lines of their own
    assert result.stderr == ""
    command = main.get_command(click.Context(main), verb)
    assert command is not None
    for param in command.params:
        assert isinstance(param, click.Argument) or param.help, f"{param.name} is not explained"


@pytest.mark.parametrize(
    ("verb", "registry"),
    [
        *(("search", each) for each in (oracles.registry, schedulers.registry)),
        *(("plan", each) for each in (oracles.registry, schedulers.registry)),
        ("export", export.registry),
    ],
)
def test_help_names_the_members_of_a_registry(verb, registry):
    assert f": {', '.join(registry)}." in " ".join(run(verb, "--help").stdout.split())


def test_help_names_the_backends():
    assert f": {', '.join(keras_backend.BACKENDS)};" in " ".join(run("search", "--help").stdout.split())


def test_help_imports_nothing_heavy():
    modules, exit_code = imported_by("--help", "search --help", "trials --help", "ui -h", "--version")
    assert exit_code == 0
    heavy = {*BACKENDS, "mlflow", "keras_tuner", "pydantic", "numpy", "pandas", "sklearn", "ruamel.yaml", "rich"}
    assert not heavy & set(modules)


def test_help_is_as_quick_as_click_itself():
    def seconds(*command: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, capture_output=True, cwd=REPO)
        return time.perf_counter() - started

    pairs = [(seconds("-m", "automl", "--help"), seconds("-c", "import click")) for _ in range(5)]
    ours, clicks = (statistics.median(times) for times in zip(*pairs, strict=True))
    assert ours < 3 * clicks, f"{ours:.3f} s against {clicks:.3f} s"


def test_the_version():
    assert run("--version").stdout == f"automl {automl.__version__}\n"


def test_it_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "automl", "--version"], capture_output=True, text=True, check=True, cwd=REPO
    )
    assert done.stdout == f"automl {automl.__version__}\n"


@pytest.mark.parametrize(("verb", "meant"), [("serach", "search"), ("validat", "validate"), ("trails", "trials")])
def test_a_misspelt_verb_is_answered_with_the_nearest(verb, meant):
    result = run(verb)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"Error: No such command {verb!r}. Did you mean {meant!r}? See automl --help."
    ]


# --- validate


def test_validate_imports_no_backend():
    modules, exit_code = imported_by(*(f"validate {name} --data digits" for name in catalog.names(catalog.SPACES)))
    assert exit_code == 0
    assert not {*BACKENDS, "keras_tuner", "mlflow"} & set(modules)


@pytest.mark.parametrize("name", catalog.names(catalog.SPACES))
def test_shipped_spaces_are_valid_by_name_and_by_path(name):
    path = catalog.find(catalog.SPACES, name)
    facts = json.loads(run("validate", name, "-o", "json").stdout)
    assert facts["space"] == name
    assert facts["file"] == str(path)
    assert facts["parameters"] > 0
    assert facts["objective"] in ("val_accuracy (max)", "val_loss (min)")
    assert facts["data"] is None
    assert json.loads(run("validate", str(path), "-o", "json").stdout) == facts


@pytest.mark.parametrize("data", catalog.names(catalog.DATASETS))
def test_shipped_data_documents_are_valid(data):
    result = run("validate", "cnn", "--data", data, "-o", "yaml")
    assert result.exit_code == 0, result.stderr
    assert parse(result.stdout, "stdout").data["data"] == data


def test_a_valid_document_is_told_to_people():
    result = run("validate", "cnn", "--data", "digits", "--set", "training.epochs=3")
    assert result.exit_code == 0
    first, second = result.stdout.splitlines()
    assert first.startswith("space: cnn  file: ")
    assert first.endswith("  data: digits")
    assert second == "The document is valid."


# --- listings


def rows(text: str, output: str) -> list[dict[str, Any]]:
    if output == "csv":
        return list(csv.DictReader(io.StringIO(text)))
    found = json.loads(text) if output == "json" else parse(text, "stdout").data
    return found["fields"] if isinstance(found, dict) else found  # a block is told with its fields


LISTINGS = {
    "spaces": ("space", catalog.names(catalog.SPACES)),
    "datasets": ("data", catalog.names(catalog.DATASETS)),
    "blocks": ("block", blocks.registry.names()),
    "blocks conv": ("field", list(blocks.registry.get("conv").model_fields)),
}


@pytest.mark.parametrize("output", ["json", "yaml", "csv"])
@pytest.mark.parametrize("line", LISTINGS)
def test_listings_parse_back(line, output):
    result = run(*line.split(), "-o", output)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    key, names = LISTINGS[line]
    found = rows(result.stdout, output)
    assert [row[key] for row in found] == names
    assert all(row.keys() == found[0].keys() for row in found)
    as_json = rows(run(*line.split(), "-o", "json").stdout, "json")
    if output != "csv":
        assert found == as_json
    else:
        assert list(found[0]) == list(as_json[0])


@pytest.mark.parametrize("line", LISTINGS)
def test_listings_are_tables_for_people(line):
    result = run(*line.split())
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert all(any(name in text for text in lines) for name in LISTINGS[line][1])
    assert all(text == text.rstrip() or len(text) <= 400 for text in lines)


def test_a_block_tells_its_fields():
    found = {row["field"]: row for row in rows(run("blocks", "conv", "-o", "json").stdout, "json")}
    assert found["filters"]["type"] == "integer from 1 to 8192"
    assert found["filters"]["default"] == 32
    assert found["padding"]["type"] == "same | valid | causal"
    assert found["dropout"]["type"] == "number from 0 below 1"
    assert all(row["description"] for row in found.values())


@pytest.mark.parametrize("output", ["json", "yaml", "csv"])
def test_the_doctor_parses_back(output, monkeypatch):
    # Which devices there are is asked of each backend in a process of its own, which takes long and is tested apart.
    monkeypatch.setattr("automl.machine.doctor._devices", list)
    result = run("doctor", "-o", output)
    assert result.exit_code == 0, result.output
    found = {row["check"]: row for row in rows(result.stdout, output)}
    assert {"python", "automl", "keras", "backend", "cores", "AUTOML_DATA", "home"} <= found.keys()
    assert found["automl"]["found"] == automl.__version__
    assert all(row.keys() == {"check", "ok", "found", "advice"} for row in found.values())


def test_a_failed_check_is_exit_code_1(monkeypatch):
    monkeypatch.setattr("automl.machine.doctor._devices", list)
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    result = run("doctor", "-o", "json")
    assert result.exit_code == 1
    (failed,) = [row for row in json.loads(result.stdout) if row["ok"] is False]
    assert failed["check"] == "backend"
    assert "received 'theano'" in failed["advice"]


# --- a folder where nothing was done yet


@pytest.mark.parametrize("line", ["trials", "best", "show 1", "resume", "export", "trials 2026 -o json"])
def test_without_a_search_one_line_says_how_to_start_one(line, home):
    result = run(*line.split())
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        f"Error: {home}/searches: no search was made here yet. Start one with: automl search cnn --data digits.\n"
    )
    assert not home.exists()


def test_looking_imports_no_backend():
    modules, _ = imported_by("trials", "best", "show 1", "validate cnn")
    assert not {*BACKENDS, "keras_tuner", "mlflow"} & set(modules)
