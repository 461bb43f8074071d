"""Every export format gives the numbers of the model it was written from, wherever it is read."""

import subprocess
import sys

import numpy as np
import pytest
import specs

from automl import export
from automl.export._plain import plain, unwritable
from automl.model import build

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")]

CNN = [{"conv": {"filters": 4, "norm": "batch", "pool": "max"}}, "flatten", {"dense": {"units": 4, "dropout": 0.1}}]
RNN = [
    {"conv": {"filters": 4, "norm": "batch", "stride": 2}},
    {"recurrent": {"cell": "gru", "units": 4, "bidirectional": True}},
    {"SpatialDropout1D": {"rate": 0.1}},
    {"recurrent": {"cell": "lstm", "units": 4}},
]


def built(reader, document, **training):
    import keras

    keras.utils.set_random_seed(1)
    toy = specs.toy(reader=reader)
    (x,) = toy.columns.values()  # images as bytes: a model takes what the data set holds
    return build.build({"model": document, "training": training}, toy.data), x.astype(np.float32)


def exporter(name, **fields):
    kind = export.registry.get(name)
    for package in kind.packages:
        pytest.importorskip(package)
    return kind(**fields)


def written(name, network, x, folder, **fields):
    """Returns what a format answers to examples."""
    writer, given = exporter(name, **fields), {network.inputs[0].name: x}
    assert writer.refusal(network) is None
    path = writer.write(network, folder, given)
    assert path.parent == folder
    assert path.suffix == writer.suffix
    run = writer.load(str(path))
    one = run({network.inputs[0].name: x[:1]})  # of a batch of any size
    found = np.asarray(run(given))
    np.testing.assert_allclose(one, found[:1], atol=1e-5 if writer.rounding is None else 0.1)
    return found


@pytest.mark.parametrize("name", export.registry.names())
def test_declares_itself(name):
    kind = export.registry.get(name)
    assert all(info.description for info in kind.model_fields.values())
    assert (kind.extra is None) == (not kind.packages)
    assert kind.runtime
    assert kind().rounding is None


@pytest.mark.parametrize(("reader", "document"), [("image", CNN), ("series", RNN)], ids=["cnn", "rnn"])
@pytest.mark.parametrize("name", export.registry.names())
def test_gives_the_same_numbers(name, reader, document, tmp_path):
    network, x = built(reader, document)
    found = written(name, network, x, tmp_path)
    np.testing.assert_allclose(found, network.predict(x, verbose=0), atol=min(1e-5, exporter(name).tolerance))


@pytest.mark.parametrize(("name", "bits"), [("onnx", "int8"), ("litert", "float16"), ("litert", "int8")])
def test_rounds_the_weights(name, bits, tmp_path):
    network, x = built("image", CNN)
    found = written(name, network, x, tmp_path, quantize=bits)
    off = np.abs(found - network.predict(x, verbose=0)).max()
    assert 0 < off < 0.1
    assert exporter(name, quantize=bits).rounding is not None


def test_a_model_of_half_precision_is_written_whole(tmp_path):
    network, x = built("image", CNN, precision="mixed_bfloat16")
    whole = plain(network, unroll=False)
    assert {layer.compute_dtype for layer in whole.layers} == {"float32"}
    np.testing.assert_allclose(written("onnx", network, x, tmp_path), whole.predict(x, verbose=0), atol=1e-5)


def test_written_out_steps_give_the_same_numbers_behind_padding():
    network, x = built("series", RNN)
    assert np.isnan(x[:, -1]).any()
    unrolled = plain(network, unroll=True)
    np.testing.assert_allclose(unrolled.predict(x, verbose=0), network.predict(x, verbose=0), atol=1e-6)


def test_series_of_any_length_are_refused_where_steps_are_written_out():
    import keras

    begin = keras.Input((None, 2))
    network = keras.Model(begin, keras.layers.GRU(3)(begin))
    assert "of any length" in unwritable(network)
    begin = keras.Input((3000, 2))
    long = keras.Model(begin, keras.layers.GRU(3)(begin))
    assert unwritable(long).endswith("have 3,000 steps to be written out one by one. Expected 2,000 at most")
    assert unwritable(built("image", CNN)[0]) is None


READ = """
import sys, json
import numpy as np, keras
path, given, expected = sys.argv[1:]
model = keras.saving.load_model(path, safe_mode=True)
np.testing.assert_allclose(model.predict(np.load(given), verbose=0), np.load(expected), atol=1e-6)
assert not model.compiled
assert not any(name.split(".")[0] == "automl" for name in sys.modules)
"""


def test_keras_file_is_read_by_a_stranger(tmp_path):
    network, x = built("series", RNN)
    network.compile("adam", "mse")
    path = export.registry.read("keras").write(network, tmp_path)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", network.predict(x, verbose=0))
    command = [sys.executable, "-I", "-c", READ, str(path), str(tmp_path / "x.npy"), str(tmp_path / "y.npy")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
