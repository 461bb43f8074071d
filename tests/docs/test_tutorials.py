"""The tutorials, run as their readers run them: in an empty folder, from top to bottom."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import DOCS, run

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

PAGES = sorted(path.stem for path in (DOCS / "tutorials").glob("*.md"))
ROW = re.compile(r"^ *\d+ +\d+ +completed ", re.MULTILINE)
"""A trial on a board: its rank, its number, how it ended."""


@pytest.fixture
def folder(home_with_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to follow a page in, but for an empty store: making one takes seconds."""
    monkeypatch.delenv("AUTOML_DATA", raising=False)
    return home_with_store.parent


@pytest.fixture
def data(automl_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sets that a page tells its reader to fetch."""
    monkeypatch.setenv("AUTOML_DATA", str(automl_data))


@pytest.fixture
def weights(automl_data: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras's cache, with the weights that it would download."""
    cache = tmp_path_factory.mktemp("keras")
    (cache / "models").mkdir()
    for known in (automl_data / "pretrained").glob("mobilenet_v2*.h5"):
        (cache / "models" / known.name).symlink_to(known)
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(cache))


def said_of(said: dict[str, str], start: str) -> str:
    (found,) = [text for command, text in said.items() if command.startswith(start)]
    return found


def trials(said: dict[str, str]) -> int:
    """Returns how many trials stand on the board that a page asks for."""
    return len(ROW.findall(said["automl trials"]))


def test_every_page_is_run() -> None:
    assert {f"test_{page}" for page in PAGES} <= globals().keys()


def test_images(folder: Path) -> None:
    said = run(DOCS / "tutorials" / "images.md", folder)
    assert all(
        (folder / name).is_file() for name in ("pictures.data.yaml", "pictures.space.yaml", "small-pictures.html")
    )
    assert "The document is valid." in said_of(said, "automl validate")
    assert trials(said) == 2
    assert {"linear", "majority"} <= set(said["automl trials"].split())
    assert "test: test_accuracy 0.9" in said_of(said, "automl search")
    assert "conv.filters: " in said["automl show 1"]
    named = dict(re.findall(r"^(\w+) +(\d+)$", said_of(said, "print("), re.MULTILINE))
    assert int(named["nine"]) > 0.8 * len([*(folder / "pictures" / "nine").iterdir()])


def test_tables(folder: Path) -> None:
    said = run(DOCS / "tutorials" / "tables.md", folder)
    assert "2.00% of their values missing; a number to predict" in said_of(said, "automl init")
    assert trials(said) == 2
    assert {"linear", "mean"} <= set(said["automl trials"].split())
    assert "'test_mae': " in said_of(said, "print(")


def test_several_inputs(folder: Path) -> None:
    said = run(DOCS / "tutorials" / "several_inputs.md", folder)
    assert trials(said) == 2
    score = re.search(r"test_accuracy ([\d.]+)", said_of(said, "automl search"))
    assert score is not None
    assert float(score[1]) > 0.8  # one input alone: a half
    assert "('facts', (None, 1)), ('photo', (None, 8, 8, 1))" in said_of(said, "print(")


def test_series(folder: Path, data: None) -> None:
    said = run(DOCS / "tutorials" / "series.md", folder)
    assert len(re.findall(r"japanese_vowels .* completed ", said["automl searches"])) == 2
    assert said_of(said, "print(found.model()") == "(2, 9)\n"
    for space in ("recurrent", "convolutions"):
        assert "2 completed in" in said_of(said, f"automl search {space}.yaml")


def test_transfer(folder: Path, data: None, weights: None) -> None:
    said = run(DOCS / "tutorials" / "transfer.md", folder)
    assert "the features of the frozen backbone are computed once" in said_of(said, "automl search")
    assert trials(said) == 2
    assert "'test_accuracy': " in said_of(said, "print(found.summary")
