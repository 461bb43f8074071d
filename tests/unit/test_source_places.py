from __future__ import annotations

import pytest

from automl.errors import DataError
from automl.sources import _places


@pytest.fixture
def places(tmp_path, monkeypatch):
    for name in ("root", "variable", "home"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("AUTOML_DATA", str(tmp_path / "variable"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def test_the_path_given_comes_first_then_the_variable_then_the_cache(places):
    cache = places / "home/.cache/automl"
    for parent in (cache, places / "variable", places / "root"):
        (parent / "set").mkdir(parents=True)
        assert _places.find("set", places / "root", "files") == parent / "set"


def test_a_missing_set_names_every_place_and_what_to_put_there(places):
    with pytest.raises(DataError) as caught:
        _places.find("ucr/Gun", places / "root", "the files Gun_TRAIN.ts and Gun_TEST.ts")
    message = str(caught.value)
    for parent in ("root", "variable", "home/.cache/automl"):
        assert str(places / parent / "ucr/Gun") in message
    assert f"Put the files Gun_TRAIN.ts and Gun_TEST.ts at {places / 'root/ucr/Gun'}" in message
    assert "\n" not in message


def test_an_unset_variable_is_said(places, monkeypatch):
    monkeypatch.delenv("AUTOML_DATA")
    with pytest.raises(DataError, match=r"\$AUTOML_DATA \(not set\)"):
        _places.find("set", None, "files")


def test_an_absolute_path_is_taken_as_it_is(places):
    path = places / "variable/set"
    with pytest.raises(DataError, match="no such file or folder"):
        _places.find(str(path), places / "root", "files")
    path.mkdir()
    assert _places.find(str(path), None, "files") == path
