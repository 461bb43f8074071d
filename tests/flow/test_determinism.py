"""The same seed, one worker, the same threads: the same search, to the sixth decimal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from searches import Search, make, scores
from spaces import DOCUMENTS

from automl.sources.image_folder import ImageFolder

pytestmark = pytest.mark.slow

Finished = Callable[[str], Search]


def test_a_cnn_with_dropout(new_home: Path, finished: Finished) -> None:
    """Fewer trials the second time: a proposal depends on its number and what came before, not on the budget."""
    first = scores(finished("random").history)
    second = scores(make(new_home, "random", DOCUMENTS["random"].replace("trials: 8", "trials: 4")).history)
    assert second == {number: first[number] for number in (1, 2, 3, 4)}
    assert len({str(values) for values in second.values()}) == 4


def test_an_rnn_with_dropout(
    new_home: Path, automl_data: Path, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (automl_data / "ucr_uea" / "JapaneseVowels").is_dir():
        pytest.skip(f"no Japanese vowels in {automl_data}")
    monkeypatch.setenv("AUTOML_DATA", str(automl_data))
    assert scores(make(new_home, "rnn", DOCUMENTS["rnn"], inline=True).history) == scores(finished("rnn").history)


def test_images_that_are_not_stored_are_the_same_search(new_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its workers decode them, batch by batch."""
    folder = new_home.parent / "pictures"
    folder.mkdir()
    ImageFolder.toy(folder)
    space, _, _ = DOCUMENTS["random"].partition("data:")
    data = (
        f"data:\n  name: toy\n  source: {{image_folder: {{folder: {folder}}}}}\n  input: image\n  task: classification"
    )
    document = space.replace("trials: 8", "trials: 2").replace("pool: max", "pool: none") + data
    whole = make(new_home, "whole", document)
    monkeypatch.setenv("AUTOML_STORED_GB", "0")
    left = make(new_home, "left", document)
    assert scores(left.history) == scores(whole.history)
    assert left.winner["test"] == whole.winner["test"]
