"""Every export format gives the numbers of the model it was written from, wherever it is read."""

import subprocess
import sys

import numpy as np
import pytest
import specs

from automl import export
from automl.model import build

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

CNN = [{"conv": {"filters": 4, "norm": "batch", "pool": "max"}}, "flatten", {"dense": {"units": 4, "dropout": 0.1}}]
RNN = [
    {"conv": {"filters": 4, "norm": "batch", "stride": 2}},
    {"recurrent": {"cell": "gru", "units": 4, "bidirectional": True}},
    {"SpatialDropout1D": {"rate": 0.1}},
    {"recurrent": {"cell": "lstm", "units": 4}},
]


def built(reader, document, **training):
    toy = specs.toy(reader=reader)
    (x,) = toy.columns.values()  # images as bytes: a model takes what the data set holds
    return build.build({"model": document, "training": training}, toy.data), x


@pytest.mark.parametrize(("reader", "document"), [("image", CNN), ("series", RNN)], ids=["cnn", "rnn"])
@pytest.mark.parametrize("name", export.registry.names())
def test_gives_the_same_numbers(name, reader, document, tmp_path):
    exporter = export.registry.read(name)
    network, x = built(reader, document)
    path = exporter.write(network, tmp_path)
    assert path.parent == tmp_path
    assert list(tmp_path.iterdir()) == [path]
    np.testing.assert_allclose(exporter.run(path, x), network.predict(x, verbose=0), atol=exporter.tolerance)


@pytest.mark.parametrize("name", export.registry.names())
def test_gives_the_same_numbers_in_half_precision(name, tmp_path):
    exporter = export.registry.read(name)
    network, x = built("image", CNN, precision="mixed_bfloat16")
    path = exporter.write(network, tmp_path)
    np.testing.assert_allclose(exporter.run(path, x), network.predict(x, verbose=0), atol=exporter.tolerance)


READ = """
import sys
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
