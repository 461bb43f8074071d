"""What the pages show is right: their documents are read, their commands and the names in their tables exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pages import DOCS, FENCE, REPO, blocks

from automl import blocks as rooms
from automl import cli
from automl.document import catalog
from automl.experiment import experiment

PAGES = [REPO / "README.md", *sorted(page for page in DOCS.rglob("*.md") if page.parent.name != "reference")]
OTHERS = ("changes.md", "benchmarks.md")
"""They tell of what was, and of methods that are called `automl`."""


def documents(page: Path) -> list[dict[str, Any]]:
    found = [yaml.safe_load(block.text) for block in blocks(page) if block.language == "yaml"]
    return [document for document in found if document]


WITH_DOCUMENTS = [page for page in PAGES if documents(page) and "extend" not in page.parts]


@pytest.mark.parametrize("page", WITH_DOCUMENTS, ids=lambda page: page.stem)
def test_every_document_is_read(page: Path, tmp_path: Path) -> None:
    shown = documents(page)
    spaces = [each for each in shown if "model" in each]
    sets = [each for each in shown if "source" in each]
    for each in sets:
        fitting = (
            next((space for space in spaces if isinstance(space["model"], dict)), None) if "inputs" in each else None
        )
        assert load(tmp_path, fitting or {"model": ["flatten"]}, each).data is not None
    for each in spaces:
        several = (
            next((known for known in sets if "inputs" in known), None) if isinstance(each["model"], dict) else None
        )
        assert load(tmp_path, each, several).space.params
    for each in (
        part for part in shown if part not in spaces + sets
    ):  # a section, of the page's first space if it has one
        assert load(tmp_path, {**(spaces[0] if spaces else {"model": ["flatten"]}), **each}, None)


def load(folder: Path, space: dict[str, Any], data: dict[str, Any] | None) -> Any:
    (folder / "space.yaml").write_text(yaml.safe_dump(space, sort_keys=False))
    (folder / "data.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    return experiment.load(str(folder / "space.yaml"), None if data is None else str(folder / "data.yaml"))


def commands(page: Path) -> Iterator[list[str]]:
    """Yields the command lines of a page, in its fenced blocks and in its sentences."""
    text = page.read_text("utf-8")
    lines = [line for _, title, block in FENCE.findall(text) if not title for line in block.splitlines()]
    lines += [" ".join(line.split()) for line in re.findall(r"`(automl [^`]+)`", FENCE.sub("", text))]
    for line in lines:
        line = line.removeprefix("$ ")
        if line.startswith("automl "):
            yield shlex.split(line, comments=True)[1:]


def test_every_command_exists_with_its_options() -> None:
    seen = 0
    for page in PAGES:
        for words in commands(page) if page.name not in OTHERS else ():
            verb = cli.main.get_command(None, words[0])  # type: ignore[arg-type]
            if words[0] in ("VERB", "--help"):
                continue
            assert verb is not None, f"{page.name}: automl {words[0]}"
            known = {name for param in verb.params for name in param.opts} | {"--help"}
            asked = {word for word in words[1:] if re.match(r"--?[a-z]", word)}
            assert asked <= known, f"{page.name}: automl {' '.join(words)}"
            seen += 1
    assert seen > 100


def under(page: Path, heading: str) -> set[str]:
    """Returns the names in the table under a heading."""
    section = page.read_text("utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return {name for row in section.splitlines() if row.startswith("|") for name in re.findall(r"`(\w+)`", row)}


def test_the_tables_of_spaces_and_blocks_leave_none_out() -> None:
    assert set(catalog.names(catalog.SPACES)) == under(DOCS / "spaces.md", "The shipped spaces")
    assert set(rooms.registry) - {"additive", "multi_head"} <= under(DOCS / "spaces.md", "The blocks")
