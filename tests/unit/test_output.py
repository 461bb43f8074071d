import csv
import io
import json
from pathlib import Path

import pytest

from automl.cli import _output
from automl.document.yaml_text import parse

ROWS = [
    {"rank": 1, "trial": 2, "score": 0.98765, "params": {"conv.filters": 32, "training.clipnorm": None}, "ok": True},
    {
        "rank": None,
        "trial": 1,
        "score": None,
        "params": {"conv.filters": 8, "dense.sizes": [1, 2]},
        "message": 'a, "b"\nc',
    },
]


def printed(capsys, rows, output, title=None):
    _output.emit(rows, output, title)
    told = capsys.readouterr()
    assert told.err == ""
    return told.out


def test_json_and_yaml_give_the_rows_back(capsys):
    assert json.loads(printed(capsys, ROWS, "json")) == ROWS
    assert parse(printed(capsys, ROWS, "yaml"), "stdout").data == ROWS
    assert json.loads(printed(capsys, [], "json")) == []
    assert parse(printed(capsys, [], "yaml"), "stdout").data == []


def test_json_keeps_every_language(capsys):
    out = printed(capsys, [{"class": "größe"}], "json")
    assert "größe" in out


def test_csv_has_a_column_per_parameter(capsys):
    found = list(csv.DictReader(io.StringIO(printed(capsys, ROWS, "csv"))))
    assert list(found[0]) == [
        "rank",
        "trial",
        "score",
        "conv.filters",
        "training.clipnorm",
        "ok",
        "dense.sizes",
        "message",
    ]
    assert found[0]["ok"] == "true"
    assert found[0]["score"] == "0.98765"  # in full: programs read it
    assert found[1]["dense.sizes"] == "[1, 2]"
    assert found[1]["rank"] == found[1]["ok"] == ""
    assert found[1]["message"] == 'a, "b"\nc'


def test_csv_of_nothing_is_an_empty_header(capsys):
    assert printed(capsys, [], "csv") == "\n"


def test_a_table_is_not_folded_where_there_is_no_terminal(capsys):
    out = printed(capsys, [{"name": "x" * 200, "best_epoch": 3}], "table", title="Leaderboard")
    lines = [line.rstrip() for line in out.splitlines() if line.strip()]
    assert lines[0].strip() == "Leaderboard"
    assert lines[1].split() == ["name", "best", "epoch"]
    assert lines[-1].split() == ["x" * 200, "3"]


@pytest.mark.parametrize("text", ["[bold]", "shape [/a]", "[red]x[/red]", ":smile:", "[node model/conv]"])
def test_a_table_prints_text_as_it_is(capsys, text):
    assert text in printed(capsys, [{"message": text}], "table", title=None)
    assert text in printed(capsys, [{text: 1}], "table")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (3, "3"),
        (0.0, "0"),
        (0.5, "0.5"),
        (0.98765, "0.9877"),
        (1.0, "1"),
        (0.00012345, "0.0001234"),
        (1e-7, "1e-07"),
        (-0.00012345, "-0.0001234"),
        (12345.678, "1.235e+04"),
        (100.0, "100"),
        ("text", "text"),
        ([1, 0.25, None], "1, 0.25, null"),
        ({"a": 1, "b": 0.5}, "a=1  b=0.5"),
        ({"a": None, "b": [True]}, "a=null  b=yes"),
        ({}, ""),
    ],
)
def test_values_as_people_read_them(value, text):
    assert _output.cell(value) == text


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_one_object(capsys, output):
    value = {"search": "x", "test": {"accuracy": 0.5}, "epochs": [{"epoch": 1}], "note": None}
    _output.emit_object(value, output)
    out = capsys.readouterr().out
    assert (json.loads(out) if output == "json" else parse(out, "stdout").data) == value


FACTS = {
    "best_epoch": 2,
    "message": None,
    "test": {},
    "ended": {"completed": 3, "failed": 1},
    "document": {"model": ["flatten"], "training": {"epochs": 1}},
    "epochs": [{"epoch": 1}, {"epoch": 2}],
}


def test_facts_as_people_read_them(capsys):
    _output.emit_facts(FACTS, "table", "epochs")
    told = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert told[:8] == [
        "best epoch: 2",
        "ended:",
        "  completed: 3",
        "  failed: 1",
        "document:",
        "  model: [flatten]",
        "  training: {epochs: 1}",
        "",
    ]
    assert [line.split() for line in told[8:] if line.strip()][-2:] == [["1"], ["2"]]


def test_facts_in_the_forms_for_programs(capsys):
    for output, read in (("json", json.loads), ("yaml", lambda text: parse(text, "stdout").data)):
        _output.emit_facts(FACTS, output, "epochs")
        assert read(capsys.readouterr().out) == FACTS
    _output.emit_facts(FACTS, "csv", "epochs")
    assert capsys.readouterr().out == "epoch\n1\n2\n"


def test_facts_without_rows(capsys):
    _output.emit_facts({"state": "interrupted", "running": ["t002", "t003"], "seconds": 0.0}, "table")
    assert capsys.readouterr().out == "state: interrupted\nrunning: t002, t003\nseconds: 0\n"


HOSTILE = "a\x1b[31mred\x1b]0;title\x07\x9b5m\x7f\r\u202etxt\ud800b"


@pytest.mark.parametrize("output", ["table", "json", "yaml", "csv"])
def test_no_text_moves_a_terminal(capsys, output):
    rows = [{"message": HOSTILE, HOSTILE: 1, "params": {HOSTILE: HOSTILE}, "list": [HOSTILE]}]
    out = printed(capsys, rows, output)
    assert not set("\x1b\x07\x9b\x7f\r\u202e\ud800") & set(out)
    assert "red" in out
    if output == "json":
        assert json.loads(out) == rows


def test_lines_are_shown_as_they_are_but_for_what_moves_a_terminal(capsys):
    _output.say("größe\tand\nlines \x1b[2J", err=True)
    assert capsys.readouterr().err == "größe\tand\nlines \\x1b[2J\n"


def test_the_command_line_prints_through_one_place():
    folder = Path(_output.__file__).parent
    assert not [
        file.name for file in folder.glob("*.py") if "click.echo(" in file.read_text() and file.stem != "_output"
    ]
