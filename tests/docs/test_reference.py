"""The reference pages say what the code says."""

from __future__ import annotations

import runpy

import pytest
from pages import DOCS

from automl import blocks, cli, inputs, sources, tasks

MADE = runpy.run_path(str(DOCS / "reference.py"))


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    found: dict[str, str] = MADE["pages"]()
    return found


@pytest.mark.parametrize("name", ["commands.md", "grammar.md"])
def test_a_page_is_what_the_code_makes_it(made: dict[str, str], name: str) -> None:
    written = (DOCS / "reference" / name).read_text("utf-8")
    assert written == made[name], "it drifted from the code: run `python docs/reference.py`"


def test_no_verb_is_left_out(made: dict[str, str]) -> None:
    verbs = cli.main.list_commands(None)  # type: ignore[arg-type]
    assert len(verbs) > 20
    for verb in verbs:
        assert f"\n## automl {verb}\n" in made["commands.md"]
    assert "| `--warm-start EXPERIMENT_OR_RUN` | Try the best of earlier MLflow runs first" in made["commands.md"]


def test_every_member_has_its_place(made: dict[str, str]) -> None:
    for family in (blocks.registry, inputs.registry, sources.registry, tasks.registry):
        for name in family:
            assert f"\n### {name} {{ #{family.noun.replace(' ', '-')}-{name} }}\n" in made["grammar.md"]


def test_a_field_has_type_default_and_description(made: dict[str, str]) -> None:
    assert "| `filters` | integer from 1 to 8192 | `32` | Output channels. |" in made["grammar.md"]
    assert "| `optimizer` | optimizer | `adam` | Optimizer and its arguments |" in made["grammar.md"]
    rows = [line for line in made["grammar.md"].splitlines() if line.startswith("| `")]
    assert len(rows) > 400
    assert not [row for row in rows if row.rpartition(" | ")[2] in ("|", " |")], "a field without a description"
