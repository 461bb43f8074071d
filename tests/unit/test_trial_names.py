"""What a trial is called: short, in the field's words, and of what tells it from the others."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from automl.document import catalog
from automl.experiment import experiment
from automl.results import trial_names

RATE = "training.optimizer.adam.learning_rate"


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"recurrent.cell": "gru", "recurrent.repeat": 2, "recurrent.units": 64, RATE: 1e-3}, "t012 gru 2x64 lr 1e-3"),
        ({"recurrent.cell": "lstm", "recurrent.bidirectional": True, "recurrent.units": 32}, "t012 lstm bi 32"),
        ({"recurrent.bidirectional": False, "recurrent.units": 32}, "t012 32"),
        ({"conv.repeat": 2, "conv.filters.1": 16, "conv.filters.2": 32}, "t012 2x16-32"),
        ({"conv.repeat": 2, "conv.filters.1": 16, "conv.filters.2": 16}, "t012 2x16"),
        # Several blocks with sizes are told apart by their names; one that is left out says nothing.
        ({"stem.filters": 16, "body.repeat": 2, "body.filters": 32}, "t012 stem 16 body 2x32"),
        ({"stem.filters": 16, "dense.repeat": 0}, "t012 16"),
        ({"dense.dropout": 0.25, "training.batch_size": 32}, "t012 dropout 0.25 batch 32"),
        ({"norm": "none", "training.clipnorm": None, "training.shuffle": True}, "t012 clipnorm none shuffle true"),
        ({"training.optimizer": "sgd", "training.optimizer.sgd.learning_rate": 0.0123}, "t012 sgd lr 0.012"),
        ({"model.note": "two\nlines \x1b[2J"}, r"t012 note two lines \x1b[2J"),
        ({}, "t012"),
    ],
)  # fmt: skip
def test_it_says_what_the_field_says(values: dict[str, Any], name: str) -> None:
    assert trial_names.name(12, values, list(values)) == name


def test_what_is_the_same_for_all_is_left_out() -> None:
    assert trial_names.name(1, {"conv.filters": 8, "conv.kernel_size": 3}, ["conv.kernel_size"]) == "t001 kernel 3"


def test_the_most_telling_fit_first() -> None:
    values = {f"block{place}.filters": 128 for place in range(9)} | {RATE: 1.5e-4}
    name = trial_names.name(7, values, list(values))
    assert len(name) <= trial_names.LONGEST
    assert name.startswith("t007 block0 128 block1 128 ")
    assert name.endswith(" lr 1.5e-4")


@pytest.mark.parametrize("space", sorted(catalog.names("search_spaces")))
def test_every_shipped_space_gives_names_of_one_line(space: str) -> None:
    read, generator = experiment.load(space, None, (), {}), Random(1)
    for number in range(1, 6):
        name = trial_names.name(number, read.space.draw(generator), [param.name for param in read.space.params])
        assert len(name) <= trial_names.LONGEST
        assert len(name.split()) > 1, "it says nothing of the trial"
        assert name == " ".join(name.split())


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1e-3, "1e-3"),
        (0.00123, "1.2e-3"),
        (0.5, "0.5"),
        (0.0, "0"),
        (1.0, "1"),
        (12345.0, "1.2e4"),
        (64, "64"),
        (True, "true"),
        (None, "none"),
        ([3, 5], "[3, 5]"),
    ],
)
def test_numbers_are_short(value: Any, shown: str) -> None:
    assert trial_names.shown(value) == shown
