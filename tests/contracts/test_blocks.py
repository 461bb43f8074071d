"""Every block does what it says, on every backend that is installed."""

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from automl import blocks
from automl.blocks import KINDS, OnlyWith
from automl.blocks._layer import KerasLayer
from automl.flow import Flow

# Keras hands its tensors to NumPy the old way; nothing of ours can change that.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RANKS = {"feature_map": (3, 4), "sequence": (3,), "vector": (2,), "table": (2,)}
CATEGORIES = (4, 3)
"""Of a table: how many values its last two columns may have."""
SHAPES = {2: (5,), 3: (6, 4), 4: (6, 5, 4)}
# What reads less: the shapes it does read, and fields that need no download.
PICKY = {"backbone": ({4: (32, 32, 3)}, {"weights": None, "alpha": 0.35})}


VARIANTS = {
    "attention": [{"kind": "additive"}, {"causal": True, "dropout": 0.1}],
    "conv_lstm": [{"return_sequences": False}],
    "dense_block": [{"layers": 1, "transition": "avg"}],
    "positional": [{"kind": "learned"}],
    "residual_unit": [{"pre_activation": True}],
}
"""Fields with which a block is another one altogether."""


def make(block, /, **fields):
    """Builds a block; what it requires is taken from its fields' examples."""
    model = blocks.registry.get(block)
    required = {key: info.examples[0] for key, info in model.model_fields.items() if info.is_required()}
    _, own = PICKY.get(block, (None, {}))
    return model.model_validate({**required, **own, **fields})


def cases():
    """Yields what to build: with padded steps where there are steps, and without. One of each is quick enough."""
    for name in blocks.registry.names():
        for fields in ({}, *VARIANTS.get(name, ())):
            told = 0
            for kind, rank, wanted in ways(name, make(name, **fields)):
                for padded in (True, False) if rank == 3 else (False,):
                    said = "-".join(
                        ["padded" if padded else "full", name, *map(str, fields.values()), kind, str(rank), wanted]
                    )
                    slow = [pytest.mark.slow] if told or name in PICKY else []
                    told += 1
                    yield pytest.param(name, fields, kind, rank, wanted, padded, id=said, marks=slow)


def given(entrance, kind, steps=None):
    """Returns a flow that a block may be given, with a tap of each name that its examples may ask for."""
    flow = Flow(entrance, kind, steps, categories=CATEGORIES if kind == "table" else ())
    return replace(flow, taps={"down": flow})


def ways(name, block):
    """Yields what a block can be given, of which rank, and what can be asked of it."""
    for kind in block.accepts():
        for rank in sorted(set(RANKS[kind]) & PICKY.get(name, (SHAPES,))[0].keys()):
            for wanted in (kind,) if block.hands_on() else block.gives():
                yield kind, rank, wanted


@pytest.mark.parametrize("name", blocks.registry.names())
def test_declares_itself(name):
    block = blocks.registry.get(name)
    assert block.__name__.lower() == name.replace("_", "")
    assert set(block.takes) <= {*KINDS, "table"}
    assert set(block.yields) <= set(KINDS)
    assert block.model_json_schema()["properties"]
    assert all(info.description for info in block.model_fields.values())
    for part in ("Input:", "Output:"):
        assert part in (block.__doc__ or "")
    make(name)  # every field has a default, so that the bare name is a block; or an example


def marks():
    for name in blocks.registry.names():
        for field, info in blocks.registry.get(name).model_fields.items():
            for mark in info.metadata:
                if isinstance(mark, OnlyWith):
                    yield pytest.param(name, mark, id=f"{name}-{field}")


@pytest.mark.parametrize(("name", "mark"), list(marks()))
def test_a_field_that_depends_on_another_names_one_with_such_values(name, mark):
    other = blocks.registry.get(name).model_fields[mark.field]
    assert mark.values
    for value in mark.values:
        TypeAdapter(other.annotation).validate_python(value, strict=True)


@pytest.mark.parametrize(("name", "fields", "kind", "rank", "wanted", "padded"), list(cases()))
def test_gives_what_it_says(name, fields, kind, rank, wanted, padded, tmp_path):
    import keras

    sides = PICKY.get(name, (SHAPES,))[0][rank]
    entrance = keras.Input(sides)
    steps = keras.Input((6, 1))
    out = make(name, **fields, name="mine")(given(entrance, kind, steps if padded else None), wanted)
    assert out.kind == wanted
    assert len(out.x.shape) in RANKS[out.kind]
    assert None not in out.x.shape[1:]
    if out.valid is not None:
        assert out.valid.shape == (None, out.x.shape[1], 1)

    # A head of its own gives every model something to train, also behind a block without weights.
    model = keras.Model([entrance, steps] if padded else entrance, keras.layers.Dense(2)(out.x))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, *sides)).astype("float32")
    if kind == "table":
        x[:, -2:] = rng.integers(0, CATEGORIES, size=(4, 2))
    valid = (np.arange(6) < np.array([6, 4, 2, 1])[:, None]).astype("float32")[..., None]
    batch = [x, valid] if padded else x
    model.compile("sgd", "mse")
    loss = model.train_on_batch(batch, np.zeros((4, *model.output_shape[1:]), "float32"))
    assert np.isfinite(loss)
    # Called, not predicted: to compile two more models would take longer than all the rest.
    before = keras.ops.convert_to_numpy(model(batch, training=False))
    assert np.isfinite(before).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(loaded(batch, training=False)), before, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "fields"),
    [(name, fields) for name in blocks.registry.names() for fields in ({}, *VARIANTS.get(name, ()))],
    ids=str,
)
def test_reads_nothing_of_what_stands_in_padded_steps(name, fields):
    import keras

    block = make(name, **fields)
    if 3 not in PICKY.get(name, (SHAPES,))[0] or not {"sequence", "feature_map"} & {*block.accepts()}:
        pytest.skip("has no steps")
    kind = "sequence" if "sequence" in block.accepts() else "feature_map"
    entrance, steps = keras.Input((6, 4)), keras.Input((6, 1))
    flow = block(given(entrance, kind, steps), block.gives()[-1])
    x = flow.x if flow.valid is None else keras.ops.multiply(flow.x, flow.valid)
    model = keras.Model([entrance, steps], x)
    valid = (np.arange(6) < np.array([6, 4, 1])[:, None]).astype("float32")[..., None]
    here = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")
    there = np.where(valid > 0, here, 777.0).astype("float32")
    np.testing.assert_allclose(model.predict_on_batch([here, valid]), model.predict_on_batch([there, valid]), atol=1e-6)


def test_keras_layer_is_a_block_too(tmp_path):
    import keras

    entrance = keras.Input((6, 4))
    flow = KerasLayer(layer="SpatialDropout1D", arguments={"rate": 0.2})(Flow(entrance, "sequence"), "sequence")
    assert (flow.kind, flow.x.shape) == ("sequence", (None, 6, 4))
    assert all(info.description for info in KerasLayer.model_fields.values())


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_contracts_hold_on_backend(backend):
    """Runs the contracts of blocks, inputs, tasks and exports in a process of its own, the fast ones of them."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    if os.environ.get("KERAS_BACKEND", "tensorflow") == backend:
        pytest.skip(f"{backend} is what this very process runs on")
    folder = Path(__file__).parent
    files = [str(folder / f"test_{room}.py") for room in ("blocks", "inputs", "tasks", "exports")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", *files],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        timeout=500,
        cwd=folder.parent.parent,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
