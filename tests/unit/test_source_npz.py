from __future__ import annotations

import contextlib
import pickle

import numpy as np
import pytest

from automl.errors import DataError
from automl.sources._tables import held
from automl.sources.npz import Npz

X = np.arange(24, dtype=np.float32).reshape(6, 2, 2)
Y = np.array([0, 1, 2, 0, 1, 2])


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code was run')",))


def failure(source: Npz, root) -> str:
    with pytest.raises(DataError) as caught:
        source.open(root)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_every_part_is_read(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=X, y_train=Y, x_val=X[:2], y_val=Y[:2], x_test=X[:3], y_test=Y[:3])
    parts = held(Npz(file="a.npz").open(tmp_path))
    assert [len(part.x) for part in (parts["train"], parts["val"], parts["test"])] == [6, 2, 3]
    np.testing.assert_array_equal(parts["train"].x, X)
    np.testing.assert_array_equal(parts["train"].y, Y)


def test_without_parts_all_is_training(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", images=X, labels=Y.astype(str))
    parts = held(Npz(file="a.npz", x="images", y="labels").open(tmp_path))
    assert "test" not in parts
    assert parts["train"].y.tolist() == list("012012")


def test_bytes_become_text_and_a_column_becomes_flat(tmp_path):
    np.savez(tmp_path / "a.npz", x=X, y=np.array(["ä", "b"] * 3).reshape(6, 1))
    assert held(Npz(file="a.npz").open(tmp_path))["train"].y.tolist() == ["ä", "b"] * 3
    np.savez(tmp_path / "a.npz", x=X, y=np.array([name.encode() for name in ["ä", "b"] * 3]))
    assert held(Npz(file="a.npz").open(tmp_path))["train"].y.tolist() == ["ä", "b"] * 3


def test_names_are_told_apart_by_what_they_look_like(tmp_path):
    np.savez(tmp_path / "a.npz", x=X, y=np.array([" e\u0301", "\u00e9", "01", "1", "1 ", "1.0"]))
    assert held(Npz(file="a.npz").open(tmp_path))["train"].y.tolist() == ["\u00e9", "\u00e9", "01", "1", "1", "1.0"]
    np.savez(tmp_path / "a.npz", x=X, y=np.array(["a", "b", " ", "a", "b", "c"]))
    assert "the target of example 3 is empty" in failure(Npz(file="a.npz"), tmp_path)


def test_a_pickle_is_refused_and_never_run(tmp_path):
    np.savez(tmp_path / "a.npz", x=X, y=np.array([Bomb()] * 6, dtype=object), allow_pickle=True)
    assert "pickled objects" in failure(Npz(file="a.npz"), tmp_path)
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Bomb()))
    assert "cannot be read as an .npz archive" in failure(Npz(file="b.npz"), tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not an archive", b"text"])
def test_what_is_no_archive_is_said_in_a_line(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    assert "cannot be read as an .npz archive" in failure(Npz(file="a.npz"), tmp_path)


@pytest.mark.parametrize("compressed", [True, False])
def test_damage_anywhere_is_said_in_a_line(tmp_path, compressed):
    path = tmp_path / "a.npz"
    (np.savez_compressed if compressed else np.savez)(path, x=X, y=Y)
    whole = path.read_bytes()
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        failure(Npz(file="a.npz"), tmp_path)
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        # A flipped byte may stand where nothing reads it; any error there is must be ours.
        with contextlib.suppress(DataError):
            Npz(file="a.npz").open(tmp_path)


def test_a_single_array_is_no_archive(tmp_path):
    np.save(tmp_path / "a.npy", X)
    assert "is one array" in failure(Npz(file="a.npy"), tmp_path)


def test_missing_keys_are_named_with_the_nearest(tmp_path):
    np.savez(tmp_path / "a.npz", x_trian=X, y_train=Y)
    message = failure(Npz(file="a.npz"), tmp_path)
    assert "received x_trian, y_train" in message
    assert "Did you mean 'x_trian'?" in message
    np.savez(tmp_path / "a.npz", x_train=X, y=Y)
    assert "the targets of 'x_train' are missing" in failure(Npz(file="a.npz"), tmp_path)


def test_lengths_must_agree(tmp_path):
    np.savez(tmp_path / "a.npz", x=X, y=Y[:5])
    assert "Expected 6 targets; received 5" in failure(Npz(file="a.npz"), tmp_path)
    np.savez(tmp_path / "a.npz", x=X[:0], y=Y[:0])
    assert "holds no examples" in failure(Npz(file="a.npz"), tmp_path)
    np.savez(tmp_path / "a.npz", x=3.0, y=Y)
    assert "single number" in failure(Npz(file="a.npz"), tmp_path)


def test_targets_that_are_not_finite_are_found(tmp_path):
    np.savez(tmp_path / "a.npz", x=X, y=np.array([1, 2, np.nan, 4, 5, 6]))
    assert "target of example 3 is not a finite number" in failure(Npz(file="a.npz"), tmp_path)


def test_parts_are_known_by_all_their_names(tmp_path):
    names = [("x_train", "x_valid", "x_test"), ("train_x", "dev_x", "testing_x"), ("trainX", "validationX", "testX")]
    for keys in names:
        sizes = dict(zip(keys, (6, 2, 3), strict=True))
        arrays = {key: X[:size] for key, size in sizes.items()}
        arrays |= {key.replace("x", "y").replace("X", "Y"): Y[:size] for key, size in sizes.items()}
        np.savez(tmp_path / "a.npz", **arrays)
        parts = held(Npz(file="a.npz").open(tmp_path))
        assert [len(part.x) for part in (parts["train"], parts["val"], parts["test"])] == [6, 2, 3]
    np.savez(tmp_path / "a.npz", x_train=X, y_train=Y, x_val=X[:2], y_val=Y[:2], x_valid=X[:2], y_valid=Y[:2])
    message = failure(Npz(file="a.npz"), tmp_path)
    assert "which array holds 'x' of the part val cannot be told. Expected one; received x_val, x_valid" in message


def test_a_name_that_ends_like_a_part_is_a_name(tmp_path):
    np.savez(tmp_path / "a.npz", latest=X, contest=Y)
    assert len(held(Npz(file="a.npz", x="latest", y="contest").open(tmp_path))["train"].x) == 6


def test_channels_first(tmp_path):
    x = np.arange(6 * 2 * 5).reshape(6, 2, 5)
    np.savez(tmp_path / "a.npz", x=x, y=Y)
    found = held(Npz(file="a.npz", channels_first=True).open(tmp_path))["train"].x
    np.testing.assert_array_equal(found, x.transpose(0, 2, 1))
    images = np.arange(6 * 3 * 4 * 5, dtype=np.uint16).reshape(6, 3, 4, 5)
    np.savez(tmp_path / "a.npz", x=images, y=Y)
    found = held(Npz(file="a.npz", channels_first=True).open(tmp_path))["train"].x
    np.testing.assert_array_equal(found, images.transpose(0, 2, 3, 1))
    np.savez(tmp_path / "a.npz", x=X[:, 0], y=Y)
    assert "examples have no axis of channels" in failure(Npz(file="a.npz", channels_first=True), tmp_path)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int64"])
def test_zeros_at_an_end_are_padding_where_that_is_said(tmp_path, dtype):
    nan = np.nan
    rows = np.array([[1, 0, 2, 0, 0], [3, 4, 5, 6, 7], [0, 0, 0, 0, 0]], dtype)
    np.savez(tmp_path / "a.npz", x=rows, y=Y[:3])
    found = held(Npz(file="a.npz", zero_padding="end").open(tmp_path))["train"].x
    np.testing.assert_array_equal(found, [[1, 0, 2, nan, nan], [3, 4, 5, 6, 7], [0, nan, nan, nan, nan]])
    np.savez(tmp_path / "a.npz", x=rows[:, ::-1], y=Y[:3])
    found = held(Npz(file="a.npz", zero_padding="start").open(tmp_path))["train"].x
    np.testing.assert_array_equal(found, [[2, 0, 1, nan, nan], [7, 6, 5, 4, 3], [0, nan, nan, nan, nan]])
    # A step is padding where all channels are zero.
    np.savez(tmp_path / "a.npz", x=np.array([[[1, 1], [0, 1], [0, 0]]], dtype), y=Y[:1])
    found = held(Npz(file="a.npz", zero_padding="end").open(tmp_path))["train"].x
    np.testing.assert_array_equal(found, [[[1, 1], [0, 1], [nan, nan]]])
    np.savez(tmp_path / "a.npz", x=np.ones((3, 4, 4, 1), dtype), y=Y[:3])
    assert "examples are no series" in failure(Npz(file="a.npz", zero_padding="end"), tmp_path)


@pytest.mark.parametrize("dtype", ["float64", "int64"])
def test_numbers_that_float32_does_not_tell_apart_are_refused_or_taken_off(tmp_path, dtype):
    seconds = (1_700_000_000 + np.arange(60)).reshape(6, 10).astype(dtype)
    np.savez(tmp_path / "a.npz", x=seconds, y=Y)
    message = failure(Npz(file="a.npz"), tmp_path)
    assert "numbers that differ are one number in float32" in message
    assert "Take 1700000000 off them with the field `offset`, and off what the model is given" in message
    found = held(Npz(file="a.npz", offset=1.7e9).open(tmp_path))["train"].x
    np.testing.assert_array_equal(found.astype(np.float32), np.arange(60).reshape(6, 10))
    np.savez(tmp_path / "a.npz", x=np.where(np.arange(10) < 7, seconds, 0), y=Y)
    assert "Take 1700000000 off them" in failure(Npz(file="a.npz"), tmp_path)
    np.savez(tmp_path / "a.npz", x=-seconds / 3, y=Y)
    assert "numbers that differ are one number in float32" in failure(Npz(file="a.npz"), tmp_path)
    both = np.stack([seconds, seconds % 7], axis=-1)
    np.savez(tmp_path / "a.npz", x=both, y=Y)
    assert "numbers of channel 1 that differ" in failure(Npz(file="a.npz"), tmp_path)
    found = held(Npz(file="a.npz", offset=(1.7e9, 0)).open(tmp_path))["train"].x
    np.testing.assert_array_equal(found, np.stack([np.arange(60).reshape(6, 10), seconds % 7], axis=-1))
    assert "Expected one number, or 2; received 3 numbers" in failure(Npz(file="a.npz", offset=(1, 2, 3)), tmp_path)


def test_a_column_that_float32_does_not_tell_apart_is_refused_or_taken_off(tmp_path):
    other = np.random.default_rng(0).normal(size=6)
    x = np.column_stack([1.7e9 + np.arange(6), other])
    np.savez(tmp_path / "a.npz", x=x, y=Y)
    message = failure(Npz(file="a.npz"), tmp_path)
    assert "numbers of column 1 that differ are one number in float32" in message
    assert "Take 1700000000 off them with the field `offset`" in message
    found = held(Npz(file="a.npz", offset=(1.7e9, 0)).open(tmp_path))["train"].x
    np.testing.assert_array_equal(found, np.column_stack([np.arange(6), other]))
    assert "Expected one number, or 2; received 3 numbers" in failure(Npz(file="a.npz", offset=(1, 2, 3)), tmp_path)


@pytest.mark.parametrize(
    "seconds",
    [
        1_700_000_000.37 + 10 * np.arange(9_000),
        -1_700_000_000.37 - 10 * np.arange(9_000),
        1.7e9 + np.cumsum(np.random.default_rng(0).exponential(10, 9_000)),
        1.7e9 + 60 * np.arange(9_000) + 0.25,
    ],
)
def test_seconds_over_a_long_time_are_not_told_apart_either(tmp_path, seconds):
    np.savez(tmp_path / "a.npz", x=seconds.reshape(6, -1, 1), y=Y)
    assert "numbers that differ are one number in float32" in failure(Npz(file="a.npz"), tmp_path)


@pytest.mark.parametrize(
    "x",
    [
        np.random.default_rng(0).normal(size=(6, 5000)),
        np.random.default_rng(0).normal(1e4, 1, size=(6, 2000)),
        np.random.default_rng(0).normal(size=(6, 50)) * 10.0 ** np.arange(50),
        np.random.default_rng(0).normal(1e4, 1, size=(6, 500)),
        np.full((6, 50), 0.1) + np.random.default_rng(0).choice([0, 2e-17, 3e-17], (6, 50)),
        np.full((6, 50), 1e30),
        np.where(np.arange(300).reshape(6, 50) % 7, np.nan, 5.0),
        np.arange(300).reshape(6, 50),
        np.random.default_rng(0).normal(size=(6, 50, 3)) * [1, 1e3, 1e12],
        (1.5e9 + 86400.0 * np.arange(300)).reshape(6, 50),
    ],
)
def test_other_numbers_are_left_as_they_are(tmp_path, x):
    np.savez(tmp_path / "a.npz", x=x, y=Y)
    np.testing.assert_array_equal(held(Npz(file="a.npz").open(tmp_path))["train"].x, x)


def test_too_little_memory_is_no_damage(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", x=X, y=Y)

    def read(self, key):
        raise MemoryError

    monkeypatch.setattr(np.lib.npyio.NpzFile, "__getitem__", read)
    told = failure(Npz(file="a.npz"), tmp_path)
    assert "It needs more memory than there is" in told
    assert "damaged or of another format" not in told
