"""Reads a page of the documentation as its reader does: the blocks to run, the files to write."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from automl.cli import main

REPO = Path(__file__).parents[2]
DOCS = REPO / "docs"
FENCE = re.compile(r"^```(\w*)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file it is to be saved as, its text."""

    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*found) for found in FENCE.findall(page.read_text("utf-8"))]


def commands(text: str) -> Iterator[str]:
    """Yields the commands of a block of shell, each whole on one line, without what is remarked."""
    for line in text.replace("\\\n", " ").splitlines():
        if words := shlex.split(line, comments=True):
            yield shlex.join(words)


def run(page: Path, folder: Path) -> dict[str, str]:
    """Runs a page from top to bottom in a folder; returns what was said, by command or by the last line of Python.

    Trials train in this process, as a process of their own takes ten seconds to import what they need. Commands of the
    house itself (`python -m pytest`) are left to it, and so are files of the package.
    """
    said: dict[str, str] = {}
    names: dict[str, Any] = {}
    with contextlib.chdir(folder):
        for block in blocks(page):
            if block.title.startswith("automl/"):
                continue
            if block.title:
                Path(block.title).write_text(block.text)
            elif block.language == "python":
                out = io.StringIO()
                with contextlib.redirect_stdout(out):
                    exec(compile(block.text, page.name, "exec"), names)
                said[block.text.splitlines()[-1]] = out.getvalue()
            elif block.language == "sh":
                for command in commands(block.text):
                    if command.startswith("automl ") and "schema" not in command:
                        said[command] = _said_by(command)
    return said


def _said_by(command: str) -> str:
    words = shlex.split(command)
    inline = ["--inline"] if words[1] == "search" else []
    result = CliRunner().invoke(main, [*words[1:], *inline], prog_name="automl")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, f"{command}: {result.output}"
    return result.output
