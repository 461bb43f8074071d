from __future__ import annotations

import contextlib
import pickle

import numpy as np
import pytest

from automl.data.npz import Npz
from automl.errors import DataError

X = np.arange(24, dtype=np.float32).reshape(6, 2, 2)
Y = np.array([0, 1, 2, 0, 1, 2])


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code was run')",))


def failure(source: Npz, root) -> str:
    with pytest.raises(DataError) as caught:
        source.load(root)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_every_part_is_read(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=X, y_train=Y, x_val=X[:2], y_val=Y[:2], x_test=X[:3], y_test=Y[:3])
    splits = Npz(file="a.npz").load(tmp_path)
    assert [len(part.x) for part in (splits.train, splits.val, splits.test)] == [6, 2, 3]
    np.testing.assert_array_equal(splits.train.x, X)
    np.testing.assert_array_equal(splits.train.y, Y)


def test_without_parts_all_is_training(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", images=X, labels=Y.astype(str))
    splits = Npz(file="a.npz", x="images", y="labels").load(tmp_path)
    assert splits.test is None
    assert splits.train.y.tolist() == list("012012")


def test_bytes_become_text_and_a_column_becomes_flat(tmp_path):
    np.savez(tmp_path / "a.npz", x=X, y=np.array(["ä", "b"] * 3).reshape(6, 1))
    assert Npz(file="a.npz").load(tmp_path).train.y.tolist() == ["ä", "b"] * 3
    np.savez(tmp_path / "a.npz", x=X, y=np.array([name.encode() for name in ["ä", "b"] * 3]))
    assert Npz(file="a.npz").load(tmp_path).train.y.tolist() == ["ä", "b"] * 3


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
            Npz(file="a.npz").load(tmp_path)


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
