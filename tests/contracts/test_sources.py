"""What every data source owes: a toy that loads, the same arrays each time, fields that explain themselves."""

from __future__ import annotations

import numpy as np
import pytest

from automl import sources
from automl.errors import AutomlError
from automl.sources import Source
from automl.sources._tables import held

SOURCES = sources.registry.names()


@pytest.fixture(params=SOURCES)
def source(request, tmp_path) -> Source:
    return sources.registry.get(request.param).toy(tmp_path)


def test_every_source_is_registered():
    assert SOURCES == ["csv", "idx", "image_folder", "npz", "parquet", "sklearn", "ts"]


def test_the_toy_loads(source):
    for part in held(source.open(None)).values():
        assert len(part.x) == len(part.y) > 0
        assert part.x.ndim >= 2
        assert part.x.dtype in (np.uint8, np.float32)
        assert part.y.dtype.kind in "iufU"


def test_every_class_of_a_toy_is_in_the_training_part(source):
    parts = held(source.open(None))
    assert len(np.unique(parts["train"].y)) >= 2
    for part in parts.values():
        assert set(part.y) <= set(parts["train"].y)


def test_loading_twice_gives_equal_arrays(source):
    first, second = held(source.open(None)), held(source.open(None))
    assert list(first) == list(second)
    for name, one in first.items():
        np.testing.assert_array_equal(one.x, second[name].x)
        np.testing.assert_array_equal(one.y, second[name].y)


def test_a_source_is_declared_by_its_fields(source):
    name = type(source).__module__.rpartition(".")[2]
    assert sources.registry.read({name: source.model_dump(exclude_unset=True)}) == source


def test_every_field_says_what_it_is(source):
    assert type(source).__doc__
    for name, field in type(source).model_fields.items():
        assert field.description, name


def test_an_unknown_source_is_answered_with_the_nearest():
    with pytest.raises(AutomlError, match="Did you mean 'npz'"):
        sources.registry.get("npy")
