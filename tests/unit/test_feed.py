from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from automl.data import tf_pipeline
from automl.data.feed import Feed, order
from automl.records.data import DataSpec, InputSpec, TaskSpec
from automl.tasks.classification import Classification

ROOT = Path(__file__).parents[2]
SIZE, BATCH, SEED = 50, 8, 3


@pytest.fixture(autouse=True)
def plain_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task hands the stored targets on."""
    monkeypatch.setattr(Classification, "encode", lambda self, stored, state: stored.astype("int32"))


def spec(folder: Path, size: int = SIZE, dtype: Any = np.uint8) -> DataSpec:
    for part in ("train", "val"):
        np.save(folder / f"{part}_x.npy", np.arange(size, dtype=dtype).reshape(size, 1))
        np.save(folder / f"{part}_y.npy", (np.arange(size) % 3).astype(np.int32))
    sizes = {"train": size, "val": size, "test": 0}
    task = TaskSpec({"classification": {}}, ("y",), {"classes": ["a", "b", "c"], "weights": [1.0, 2.0, 4.0]})
    return DataSpec(str(folder), "toy", "0" * 64, (InputSpec("image", {"image": {}}, ("x",), (1,)),), task, sizes)


def feed(folder: Path, part: str = "train", **fields: Any) -> Feed:
    return Feed(spec(folder), part, BATCH, **fields)


def rows(source: Feed) -> list[int]:
    return [int(value) for index in range(len(source)) for value in source[index][0].ravel()]


# --- what a batch holds -------------------------------------------------------------------------------------------


def test_batches_are_float32_with_encoded_targets(tmp_path):
    x, y = feed(tmp_path)[0]
    assert type(x) is np.ndarray
    assert x.shape == (BATCH, 1)
    assert x.dtype == np.float32
    assert y.dtype == np.int32
    assert y.tolist() == [int(value) % 3 for value in x.ravel()]


def test_the_last_short_batch_is_kept(tmp_path):
    source = feed(tmp_path)
    assert len(source) == 7
    assert [len(source[i][0]) for i in range(7)] == [8] * 6 + [2]
    with pytest.raises(IndexError):
        source[7]
    assert source.size == SIZE


def test_without_a_seed_the_stored_order_is_kept(tmp_path):
    source = feed(tmp_path, "val")
    source.set_epoch(4)
    assert rows(source) == list(range(SIZE))


def test_a_batch_is_a_copy_of_its_own(tmp_path):
    for seed in (None, SEED):
        source = feed(tmp_path, seed=seed)
        source[0][0][:] = -1
        source[0][1][:] = -1
        assert sorted(rows(source)) == list(range(SIZE))


def test_class_weights_follow_the_stored_targets(tmp_path):
    x, y, w = feed(tmp_path, seed=SEED, weighted=True)[1]
    assert w.dtype == np.float32
    assert w.tolist() == [[1, 2, 4][i] for i in y]
    assert len(x) == len(w)


def test_several_inputs_come_by_name_each_encoded_from_its_own_columns(tmp_path):
    given = spec(tmp_path)
    np.save(tmp_path / "train_wide.wide.npy", np.arange(3 * SIZE, dtype=np.int16).reshape(SIZE, 3))
    other = InputSpec("wide", {"image": {}}, ("wide",), (3,))
    both = dataclasses.replace(given, inputs=(*given.inputs, other))
    source = Feed(both, "train", BATCH, seed=SEED)
    x, y = source[1]
    chosen = order(SIZE, SEED, 0)[BATCH : 2 * BATCH]
    assert {name: each.dtype for name, each in x.items()} == {"image": np.float32, "wide": np.float32}
    assert x["image"].ravel().tolist() == chosen.tolist()
    assert x["wide"].tolist() == [[3 * row, 3 * row + 1, 3 * row + 2] for row in chosen]
    assert y.tolist() == (chosen % 3).tolist()
    assert source.held(4e-6 * SIZE * 4) is not None
    assert source.held(3.9e-6 * SIZE * 4) is None


# --- order --------------------------------------------------------------------------------------------------------


def test_the_order_is_a_function_of_seed_and_epoch(tmp_path):
    seen = {}
    for seed in (0, 1):
        for epoch in (0, 1, 2):
            source = feed(tmp_path, seed=seed)
            source.set_epoch(epoch)
            seen[seed, epoch] = rows(source)
            assert seen[seed, epoch] == order(SIZE, seed, epoch).tolist()
            assert sorted(seen[seed, epoch]) == list(range(SIZE))
    assert len({tuple(row) for row in seen.values()}) == 6


def test_the_order_stays_the_same_over_releases():
    # A resumed trial may run under another NumPy: were this to change, it would see another order.
    assert order(8, 3, 2).tolist() == [1, 7, 4, 0, 2, 6, 3, 5]


def test_what_is_mixed_is_a_function_of_seed_epoch_and_place(tmp_path):
    drawn: dict[tuple[int, int], list[float]] = {}

    def mix(batch, rng):
        found.append(rng.random())
        return tuple(part[::-1] for part in batch)

    for seed in (0, 1):
        for epoch in (0, 2, 0):
            found: list[float] = []
            source = feed(tmp_path, seed=seed, weighted=True, mix=mix)
            source.set_epoch(epoch)
            seen = [source[index] for index in (3, 0)]  # in any order, as a resume or a look ahead reads them
            plain = feed(tmp_path, seed=seed, weighted=True)
            plain.set_epoch(epoch)
            for mixed, index in zip(seen, (3, 0), strict=True):
                for one, other in zip(mixed, plain[index], strict=True):
                    np.testing.assert_array_equal(one, other[::-1])
            assert drawn.setdefault((seed, epoch), found) == found
    assert len({number for found in drawn.values() for number in found}) == 8
    # The first batch draws no number that the order of its epoch was drawn with.
    assert drawn[0, 0][1] != np.random.default_rng([0, 0]).random()


def test_what_is_measured_is_not_mixed(tmp_path):
    def mix(batch, rng):
        raise AssertionError

    assert rows(feed(tmp_path, "val", mix=mix)) == list(range(SIZE))


class Witness(keras.layers.Layer):
    """Records the rows that reach the model in training, in graph mode, and hands them on."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[int] = []

    def call(self, x, training=False):
        if not training:
            return x
        import tensorflow as tf

        def note(values):
            self.rows.extend(int(v) for v in values.ravel())
            return values

        seen = tf.numpy_function(note, [x], tf.float32)
        seen.set_shape(x.shape)
        return seen


def trained(source: Feed, first: int, last: int, val: Feed | None = None, **compile_options: Any) -> list[list[int]]:
    """Returns the rows a model saw in each epoch of a real `fit`."""
    witness = Witness()
    # The rows are read back from x, so the layer stands first; the target is of no interest.
    network = keras.Sequential([keras.Input((1,)), witness, keras.layers.Dense(3)])
    network.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), **compile_options)
    network.fit(
        source,
        shuffle=False,
        initial_epoch=first,
        epochs=last,
        validation_data=val,
        callbacks=[source.clock()],
        verbose=0,
    )
    size = source.size
    return [witness.rows[i : i + size] for i in range(0, len(witness.rows), size)]


needs_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the witness is TensorFlow code")


@needs_tensorflow
@pytest.mark.parametrize("options", [{}, {"run_eagerly": True}, {"steps_per_execution": 3}])
def test_fit_sees_the_order_of_each_epoch(tmp_path, options):
    source = feed(tmp_path, seed=SEED)
    seen = trained(source, 0, 3, val=feed(tmp_path, "val"), **options)
    assert seen == [order(SIZE, SEED, epoch).tolist() for epoch in range(3)]


@needs_tensorflow
def test_a_resumed_fit_sees_the_order_of_its_first_epoch(tmp_path):
    assert trained(feed(tmp_path, seed=SEED), 2, 4) == [order(SIZE, SEED, epoch).tolist() for epoch in (2, 3)]


@needs_tensorflow
def test_one_feed_serves_several_fits(tmp_path):
    source = feed(tmp_path, seed=SEED)
    assert trained(source, 0, 2) == trained(source, 0, 2)


@needs_tensorflow
def test_a_set_smaller_than_a_batch(tmp_path):
    source = Feed(spec(tmp_path, 5), "train", BATCH, seed=SEED)
    assert trained(source, 0, 3) == [order(5, SEED, epoch).tolist() for epoch in range(3)]


@needs_tensorflow
def test_fit_without_the_clock_is_refused(tmp_path):
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(3)])
    network.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(RuntimeError, match=r"needs feed\.clock\(\)"):
        network.fit(feed(tmp_path, seed=SEED), epochs=2, shuffle=False, verbose=0)
    network.fit(feed(tmp_path), epochs=2, shuffle=False, verbose=0)


def test_the_protocol_of_jax_and_torch_is_followed(tmp_path):
    # They begin an epoch to build the model before any callback is called, and end it twice.
    source = feed(tmp_path, seed=SEED)
    clock = source.clock()
    source.on_epoch_begin()
    source[0]
    source.on_epoch_end()
    for epoch in (2, 3):
        clock.on_epoch_begin(epoch)
        source.on_epoch_begin()
        assert rows(source) == order(SIZE, SEED, epoch).tolist()
        source.on_epoch_end()
    clock.on_train_end()
    source.on_epoch_begin()


# --- memory -------------------------------------------------------------------------------------------------------

MEMORY = """
import json, sys, threading
from pathlib import Path
import keras
import numpy as np
from automl.data.feed import Feed
from automl.records.data import DataSpec, InputSpec, TaskSpec
from automl.tasks.classification import Classification

Classification.encode = lambda self, stored, state: stored

def own_mib():
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")) / 1024

def spec(folder, size):
    sizes = {"train": size, "val": size, "test": size}
    task = TaskSpec({"classification": {}}, ("y",), {"classes": ["a", "b"]})
    return DataSpec(str(folder), "big", "0" * 64, (InputSpec("image", {"image": {}}, ("x",), (64, 64)),), task, sizes)

def write(folder, size):
    folder.mkdir()
    x = np.lib.format.open_memmap(folder / "train_x.npy", "w+", np.float32, (size, 64, 64))
    for start in range(0, size, 1000):
        x[start : start + 1000] = np.random.default_rng(start).random(x[start : start + 1000].shape, np.float32)
    x.flush()
    np.save(folder / "train_y.npy", np.zeros(size, np.int32))
    return x.nbytes / 2**20

class Peak(keras.callbacks.Callback):
    mib = 0
    def on_train_batch_end(self, batch, logs=None):
        self.mib = max(self.mib, own_mib())

root = Path(sys.argv[1])
write(root / "small", 640)
data_mib = write(root / "big", 16_000)
network = keras.Sequential([keras.Input((64, 64)), keras.layers.Flatten(), keras.layers.Dense(2)])
network.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))

def fit(name, size, epochs):
    peak = Peak()
    feed = Feed(spec(root / name, size), "train", 64, seed=0)
    network.fit(feed, shuffle=False, epochs=epochs, callbacks=[feed.clock(), peak], verbose=0)
    return peak.mib

# What TensorFlow itself takes is measured on a small set first.
before = fit("small", 640, 3)
after = fit("big", 16_000, 2)
print(json.dumps({"data": data_mib, "grown": after - before}))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="own memory is read from /proc")
def test_own_memory_does_not_grow_with_the_data(tmp_path):
    import json

    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    code = textwrap.dedent(MEMORY)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    measured = json.loads(done.stdout.splitlines()[-1])
    assert measured["data"] > 200
    assert measured["grown"] < 0.2 * measured["data"], measured


# --- TensorFlow's own pipeline -------------------------------------------------------------------------------------


def as_batches(read: Any) -> list[list[np.ndarray]]:
    return [[np.asarray(each) for each in batch] for batch in read]


tensorflow_only = pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="of TensorFlow alone")


def doubled(batch: Any, generator: np.random.Generator) -> Any:
    """Mixes a batch: another factor for each."""
    return (batch[0] * generator.integers(2, 9), *batch[1:])


@tensorflow_only
@pytest.mark.parametrize("limit_mb", [64, 0])
@pytest.mark.parametrize(
    "fields", [{}, {"seed": SEED}, {"seed": SEED, "mix": doubled}], ids=["stored", "shuffled", "mixed"]
)
def test_a_pipeline_gives_the_batches_of_the_feed_in_each_epoch(tmp_path, monkeypatch, limit_mb, fields):
    monkeypatch.setattr(tf_pipeline, "LIMIT_MB", limit_mb)
    source = feed(tmp_path, weighted=True, **fields)
    read = tf_pipeline.of(source)
    assert len(read) == len(source)
    for epoch in (0, 1, 7):
        source.set_epoch(epoch)
        expected = [source[index] for index in range(len(source))]
        for ours, its in zip(as_batches(read), as_batches(expected), strict=True):
            for column, wanted in zip(ours, its, strict=True):
                assert column.dtype == wanted.dtype
                np.testing.assert_array_equal(column, wanted)


@tensorflow_only
@pytest.mark.parametrize("limit_mb", [64, 0])
def test_a_pipeline_gives_several_inputs_by_name(tmp_path, monkeypatch, limit_mb):
    monkeypatch.setattr(tf_pipeline, "LIMIT_MB", limit_mb)
    given = spec(tmp_path)
    both = dataclasses.replace(given, inputs=(dataclasses.replace(given.inputs[0], name="again"), *given.inputs))
    shutil.copy(tmp_path / "train_x.npy", tmp_path / "train_again.x.npy")
    source = Feed(both, "train", BATCH, seed=SEED, weighted=True)
    for (x, y, w), index in zip(tf_pipeline.of(source), range(len(source)), strict=True):
        expected, targets, weights = source[index]
        assert x.keys() == expected.keys() == {"again", "image"}
        for name, values in expected.items():
            np.testing.assert_array_equal(x[name], values)
        np.testing.assert_array_equal(y, targets)
        np.testing.assert_array_equal(w, weights)


@tensorflow_only
def test_no_pipeline_waits_for_its_tuner_when_it_ends(tmp_path):
    """A sleep of the tuner's is as long as the epoch so far, and one end in four waited for it."""
    assert tf_pipeline.of(feed(tmp_path)).options().autotune.enabled is False
    assert tf_pipeline.of(feed(tmp_path, seed=SEED)).options().autotune.enabled is False


@tensorflow_only
@pytest.mark.parametrize("limit_mb", [64, 0])
def test_a_pipeline_refuses_a_second_epoch_that_it_is_not_told_of(tmp_path, monkeypatch, limit_mb):
    monkeypatch.setattr(tf_pipeline, "LIMIT_MB", limit_mb)
    read = tf_pipeline.of(feed(tmp_path, seed=SEED))
    as_batches(read)
    with pytest.raises(Exception, match=r"feed\.clock"):
        as_batches(read)


@pytest.mark.skipif(keras.config.backend() == "tensorflow", reason="of the others")
def test_the_other_backends_read_the_feed_itself(tmp_path):
    source = feed(tmp_path, seed=SEED)
    assert tf_pipeline.of(source) is source


def test_what_is_mixed_or_too_large_is_not_held(tmp_path):
    assert feed(tmp_path, seed=SEED, mix=doubled).held(64) is None
    large = feed(tmp_path, seed=SEED)
    assert large.held(4e-6 * SIZE) is not None
    assert large.held(3.9e-6 * SIZE) is None


def test_of_a_fold_its_own_rows_are_held(tmp_path):
    np.save(tmp_path / "folds.npy", (np.arange(SIZE) % 5).astype(np.int16))
    of_fold = dataclasses.replace(spec(tmp_path), fold=2)
    for part in ("train", "val"):
        source = Feed(of_fold, part, BATCH)
        assert source.held(1)[0].ravel().tolist() == rows(source)
