"""Every input learns plain data and builds a stem of stock layers that gives finite numbers."""

import json

import numpy as np
import pytest
import specs

from automl import inputs
from automl.errors import DataError
from automl.flow import Shape
from automl.records.data import EXAMPLES

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.mark.parametrize("name", inputs.registry.names())
def test_declares_itself(name):
    member = inputs.registry.get(name)
    assert member.model_json_schema()["properties"]
    assert all(info.description for info in member.model_fields.values())
    for part in ("Input:", "Output:"):
        assert part in (member.__doc__ or "")


@pytest.mark.parametrize("scale", ["standardize", "unit", "none"])
@pytest.mark.parametrize("name", inputs.registry.names())
def test_stem_gives_what_it_says(name, scale, tmp_path):
    import keras

    toy = specs.toy(reader={name: {"scale": scale}})
    (spec,), x = toy.data.inputs, toy.x
    assert json.loads(json.dumps(spec.state)) == spec.state
    assert (x.shape, x.dtype) == ((len(toy.targets), *spec.shape), np.float32)
    assert not any(np.shares_memory(x, column) for column in toy.columns.values())
    # A worker knows the input by its name: the fields must have gone into the state.
    entrance, flow = inputs.registry.read(name).stem(spec)
    assert (entrance.name, entrance.shape) == (spec.name, (None, *spec.shape))
    assert inputs.registry.read(name).flow(spec) == Shape(flow.kind, flow.x.shape[1:])
    model = keras.Model(entrance, flow.x if flow.valid is None else [flow.x, flow.valid])
    model.save(tmp_path / "stem.keras")
    model = keras.saving.load_model(tmp_path / "stem.keras", safe_mode=True)
    found = model.predict(x, verbose=0)
    found = found if flow.valid is None else found[0]
    assert np.isfinite(found).all()
    assert found.dtype == np.float32
    assert found.shape == (len(x), *flow.x.shape[1:])
    found = found[..., : x.shape[-1]]  # behind the columns of a table stands what is missing
    there = found[~np.isnan(x)]
    if scale == "standardize":
        assert there.mean() == pytest.approx(0.0, abs=1e-3)
        assert there.std() == pytest.approx(1.0, abs=1e-3)
    elif scale == "unit":
        assert (there.min(), there.max()) == pytest.approx((0.0, 1.0), abs=1e-5)
    else:
        np.testing.assert_allclose(there, x[~np.isnan(x)], atol=1e-4)


@pytest.mark.parametrize("name", inputs.registry.names())
def test_gives_features_that_a_linear_model_reads(name):
    toy = specs.toy("classification", name)
    (given,) = toy.data.inputs
    reader = inputs.of(given)
    found = reader.plain(reader.encode(toy.columns, given), given)
    assert found.ndim == 2
    assert len(found) == len(toy.targets)
    assert found.shape[1] < 2000
    assert not np.isinf(found).any()
    assert np.nanstd(found, axis=0).max() > 0


@pytest.mark.parametrize("name", inputs.registry.names())
@pytest.mark.parametrize("x", [np.zeros(3), np.zeros((0, 4, 4)), np.full((2, 4, 4), "a"), np.full((2, 4, 4), np.inf)])
def test_refuses_what_it_cannot_read(name, x):
    if (name, x.ndim) == ("table", 1):
        pytest.skip("it is a column of numbers")
    reader, raw = inputs.registry.read(name), {EXAMPLES: x}
    with pytest.raises(DataError, match=f"^{name}: "):
        reader.check(raw, reader.scan(iter([raw])))
