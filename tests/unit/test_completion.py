"""What a shell offers, asked as a shell asks; and the verbs in their groups."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from automl import cli


def offered(*words: str, incomplete: str = "") -> list[tuple[str, str]]:
    shell = ShellComplete(cli.main, {}, "automl", "_AUTOML_COMPLETE")
    return [(each.type, each.value) for each in shell.get_completions(list(words), incomplete)]


def test_shipped_names_are_offered_and_files_where_none_begins_so() -> None:
    assert offered("search", incomplete="resnet") == [("plain", "resnet"), ("plain", "resnet1d")]
    assert offered("plan", incomplete="my/spa") == [("file", "my/spa")]
    assert ("plain", "digits") in offered("search", "cnn", "--data", incomplete="d")


def test_searches_are_offered_by_any_part_of_their_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("20261101-101500-abcd", "20261102-101500-bcde", "half-made"):
        (tmp_path / "searches" / name).mkdir(parents=True)
    for name in ("20261101-101500-abcd", "20261102-101500-bcde"):
        (tmp_path / "searches" / name / "journal.jsonl").touch()
    monkeypatch.setenv("AUTOML_HOME", str(tmp_path))
    assert [value for _, value in offered("trials")] == ["20261102-101500-bcde", "20261101-101500-abcd"]
    assert [value for _, value in offered("show", "3", incomplete="abc")] == ["20261101-101500-abcd"]


def test_where_nothing_can_be_read_nothing_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_HOME", str(tmp_path / "none"))
    assert offered("trials") == []


def test_every_verb_stands_in_its_group_in_a_line_of_its_own() -> None:
    text = CliRunner().invoke(cli.main, ["--help"]).output
    verbs = re.findall(r"^  ([a-z]+)  +\S", text, re.MULTILINE)
    assert sorted(verbs) == cli.main.list_commands(None)  # type: ignore[arg-type]
    assert [group for group in cli.GROUPS if f"\n{group}:\n" in text] == list(cli.GROUPS)
    assert "..." not in text.split(f"{cli.GROUPS[0]}:")[1], "a description is cut"
