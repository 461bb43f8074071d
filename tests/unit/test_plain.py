"""What a script gives is written down as it means it, or refused with its place."""

import enum
from pathlib import Path

import numpy as np
import pytest

from automl.api import command, searching
from automl.api.plain import plain
from automl.errors import ConfigError


class Word(str, enum.Enum):  # noqa: UP042 - whose text is not its value
    RELU = "relu"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.float64(1e-4), 1e-4),
        (np.True_, True),
        (np.str_("relu"), "relu"),
        (np.array([8, 16]), [8, 16]),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        (np.array(3), 3),
        (np.logspace(-3, -1, 3), [0.001, 0.01, 0.1]),
        (range(8, 33, 8), [8, 16, 24, 32]),
        ((1, (2, None)), [1, [2, None]]),
        (Path("a") / "b.csv", str(Path("a") / "b.csv")),
        ({"values": range(3), np.str_("k"): np.int8(1)}, {"values": [0, 1, 2], "k": 1}),
        (True, True),
        (Word.RELU, "relu"),
    ],
    ids=repr,
)
def test_is_written_down(value, expected):
    found = plain(value, "it")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("value", [{1, 2}, object(), lambda: 1, 1j, b"x", iter([1]), {"a": [{"b": {3}}]}])
def test_what_yaml_cannot_say_is_refused(value):
    with pytest.raises(ConfigError, match=r"it[a-z0-9.]*: the value cannot be written down\. Expected text"):
        plain(value, "it")


def test_what_holds_itself_is_refused():
    own: list = []
    own.append(own)
    with pytest.raises(ConfigError, match="the value nests too deep"):
        plain(own, "it")


def test_settings_and_documents_take_what_numpy_gives():
    space = {
        "model": [{"dense": {"units": {"values": np.array([8, 16])}, "dropout": np.float32(0.5)}}],
        "training": {"epochs": np.int64(3), "batch_size": {"values": range(16, 49, 16)}},
    }
    read = searching.load_space(
        space, settings={"training.epochs": np.int32(5), "dense.units": {"values": (4, 8)}}
    ).read
    assert read.document.data["training"]["epochs"] == 5
    assert read.space.by_name["training.batch_size"].domain.values == (16, 32, 48)
    assert read.space.by_name["dense.units"].domain.values == (4, 8)
    with pytest.raises(ConfigError, match=r"settings\.training\.epochs: the value cannot be written down"):
        searching.load_space(space, settings={"training.epochs": {1}})
    with pytest.raises(ConfigError, match=r"space\.yaml\.model\.0\.dense\.units: the value cannot be written down"):
        searching.load_space({"model": [{"dense": {"units": object()}}]})


def test_options_take_what_numpy_gives():
    line = command._flags("search", {"trials": np.int64(3), "inline": np.True_, "seed": None, "time": "1h"})
    assert line == ["--trials", "3", "--inline", "--time", "1h"]
    assert command._flags("search", {"inline": np.False_}) == []
