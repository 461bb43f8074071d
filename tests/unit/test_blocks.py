"""Blocks: shapes, refusals, masks, and Keras layers by class name."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

from automl.blocks._layer import KerasLayer, check, is_layer_name
from automl.blocks.conv import Conv
from automl.blocks.dense import Dense
from automl.blocks.global_pool import GlobalPool
from automl.blocks.recurrent import Recurrent
from automl.errors import Infeasible
from automl.flow import Flow

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def image(height=8, width=6, channels=2):
    import keras

    return Flow(keras.Input((height, width, channels)), "feature_map")


def steps(count=8, channels=2, kind="feature_map", padded=True):
    import keras

    return Flow(keras.Input((count, channels)), kind, keras.Input((count, 1)) if padded else None)


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ({}, (8, 6, 32)),
        ({"filters": 5, "padding": "valid"}, (6, 4, 5)),
        ({"stride": 2}, (4, 3, 32)),
        ({"stride": [2, 1], "kernel_size": [1, 3]}, (4, 6, 32)),
        ({"pool": "max"}, (4, 3, 32)),
        ({"pool": "avg", "pool_size": [1, 3], "dropout": 0.1}, (8, 2, 32)),
        ({"dilation": 2, "padding": "valid"}, (4, 2, 32)),
        ({"kernel_size": 6}, (8, 6, 32)),
    ],
)
def test_conv_shapes(fields, shape):
    assert Conv(**fields)(image(), "feature_map").x.shape[1:] == shape


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kernel_size": 7}, "kernel_size 7x7 is larger than its input 8x6"),
        ({"kernel_size": 7, "padding": "valid"}, "kernel_size 7x7 is larger than its input 8x6"),
        ({"dilation": 3, "padding": "valid"}, "kernel_size with its dilation 7x7 is larger"),
        ({"pool": "max", "pool_size": 7}, "pool_size 7x7 is larger than its input 8x6"),
        ({"stride": 2, "dilation": 2}, "stride 2 with dilation 2"),
        ({"kernel_size": [3]}, "Expected one number, or 2"),
    ],
)
def test_conv_that_does_not_fit_is_infeasible(fields, message):
    with pytest.raises(Infeasible, match=message):
        Conv(**fields)(image(), "feature_map")


@pytest.mark.parametrize("fields", [{}, {"stride": 3}, {"padding": "valid", "stride": 2}, {"pool": "max"}])
def test_conv_marks_an_output_step_valid_where_its_first_input_was(fields):
    import keras

    flow = steps()
    out = Conv(filters=2, **fields)(flow, "feature_map")
    given = (np.arange(8) < np.array([1, 4, 5, 8])[:, None]).astype("float32")
    found = np.asarray(keras.Model(flow.valid, out.valid).predict_on_batch(given[..., None]))[..., 0]
    stride = {"pool": 2}.get(*fields) if "pool" in fields else fields.get("stride", 1)
    assert found.tolist() == given[:, ::stride][:, : found.shape[1]].tolist()


def moving_mean_after_a_step(channels):
    """Trains a convolution that doubles its input, on ones with five padded steps of eight, for one step."""
    import keras

    flow = steps(channels=channels)
    fields = {"filters": channels, "kernel_size": 1, "norm": "batch", "activation": "linear", "name": "c"}
    out = Conv(**fields)(flow, "feature_map")
    model = keras.Model([flow.x, flow.valid], out.x)
    x = np.ones((2, 8, channels), "float32")
    valid = (np.arange(8) < 3).astype("float32")[None, :, None].repeat(2, axis=0)
    model.get_layer("c").set_weights([2.0 * np.eye(channels)[None]])
    model.compile("sgd", "mse")
    model.train_on_batch([x, valid], np.zeros((2, 8, channels), "float32"))
    return model.get_layer("c-norm").get_weights()[2]


def test_batch_norm_counts_valid_steps_only():
    # Ones times 2 have a mean of 2 whatever the padding; one update moves the moving mean 1 % of the way.
    assert moving_mean_after_a_step(2) == pytest.approx([0.02, 0.02], abs=1e-4)


def test_batch_norm_of_one_channel_counts_padding_too():
    # Keras fails with a mask here; when it no longer does, `batch_norm_mask` can go.
    assert moving_mean_after_a_step(1) == pytest.approx([0.02 * 3 / 8], abs=1e-4)


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_gives_sequence_or_last_state(cell, bidirectional):
    block = Recurrent(cell=cell, units=3, bidirectional=bidirectional)
    width = 6 if bidirectional else 3
    flow = steps(kind="sequence", padded=False)
    assert block(flow, "sequence").x.shape == (None, 8, width)
    last = block(flow, "vector")
    assert (last.x.shape, last.kind) == ((None, width), "vector")


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_recurrent_stays_on_cudnn_by_default(cell):
    layer = Recurrent(cell=cell)._layer(whole=True)
    config = layer.get_config()
    # READ in keras 3.15, layers/rnn/{lstm,gru}.py and backend/*/rnn.py: any other value leaves the fused kernel.
    wanted = {"activation": "tanh", "recurrent_activation": "sigmoid", "recurrent_dropout": 0.0}
    wanted |= {"unroll": False, "use_bias": True, "go_backwards": False}
    wanted |= {"reset_after": True} if cell == "gru" else {}
    assert {key: config[key] for key in wanted} == wanted
    assert layer.use_cudnn == "auto"


@pytest.mark.parametrize(("kind", "expected"), [("avg", [2.0, 1.0]), ("max", [3.0, 1.0])])
def test_global_pool_skips_padding(kind, expected):
    import keras

    flow = steps(count=3, channels=1)
    out = GlobalPool(kind=kind)(flow, "vector")
    x = np.array([[[1.0], [2.0], [3.0]], [[1.0], [9.0], [9.0]]], "float32")
    valid = np.array([[[1.0], [1.0], [1.0]], [[1.0], [0.0], [0.0]]], "float32")
    found = keras.Model([flow.x, flow.valid], out.x).predict_on_batch([x, valid])
    assert np.ravel(found).tolist() == expected


def test_layers_bear_the_blocks_name():
    import keras

    flow = Flow(keras.Input((4,)), "vector")
    model = keras.Model(flow.x, Dense(name="wide", norm="batch", dropout=0.1)(flow, "vector").x)
    assert [layer.name for layer in model.layers[1:]] == ["wide", "wide-norm", "wide-activation", "wide-dropout"]


@pytest.mark.parametrize("name", ["SpatialDropout1D", "ReLU", "GRU"])
def test_layer_names(name):
    assert is_layer_name(name)
    assert not is_layer_name(name.lower())
    assert not is_layer_name("os.System")


@pytest.mark.parametrize(
    ("name", "arguments", "argument", "message"),
    [
        ("Lambda", {"function": "f"}, None, "runs code"),
        ("TFSMLayer", {"filepath": "x"}, None, "runs code"),
        ("TorchModuleWrapper", {}, None, "runs code"),
        ("Layer", {}, None, "part of other layers"),
        ("Bidirectional", {}, None, "needs a layer"),
        ("Add", {}, None, "several inputs"),
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 2}, None, "several inputs"),
        ("Input", {"shape": [3]}, None, "Keras has no layer 'Input'"),
        ("Dropuot", {"rate": 0.1}, None, "Did you mean 'Dropout'"),
        ("Dropout", {"rat": 0.1}, "rat", "Did you mean 'rate'"),
        ("Dropout", {}, None, "needs rate"),
        ("Dropout", {"rate": 2.0}, None, "Invalid value received for argument `rate`"),
        ("Dense", {"units": 3, "kernel_initializer": {"class_name": "Zeros"}}, "kernel_initializer", "plain literal"),
        ("Dense", {"units": 3, "name": "x"}, "name", "has no argument 'name'"),
    ],
)
def test_layer_is_refused(name, arguments, argument, message):
    ((found, text), *_) = check(name, arguments)
    assert found == argument
    assert message in text


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Dropout", {"rate": 0.1}),
        ("Dropout", {"rate": object()}),  # a domain: only the argument's name can be checked
        ("Dropout", {"rate": {"each": [0.1, 0.2]}}),
        ("LeakyReLU", {"negative_slope": 0.2, "trainable": False}),
        ("MaxPooling1D", {"pool_size": 2}),
        ("Conv2D", {"filters": 3, "kernel_size": [3, 3], "activation": "relu"}),
    ],
)
def test_layer_is_accepted(name, arguments):
    assert check(name, arguments) == []


def test_every_stock_layer_is_refused_with_a_reason_or_can_be_checked():
    import keras

    for name in dir(keras.layers):
        layer = getattr(keras.layers, name)
        if inspect.isclass(layer) and issubclass(layer, keras.layers.Layer):
            problems = check(name, {})
            assert not problems or all(message for _, message in problems)


@pytest.mark.parametrize(
    ("layer", "arguments", "kinds"),
    [
        ("SpatialDropout1D", {"rate": 0.1}, ("feature_map", "sequence")),
        ("Conv2D", {"filters": 1, "kernel_size": 1}, ("feature_map",)),
        ("GRU", {"units": 2}, ("sequence",)),
        ("Dropout", {"rate": 0.1}, ("feature_map", "sequence", "vector")),
    ],
)
def test_layer_takes_the_rank_it_reads(layer, arguments, kinds):
    assert KerasLayer(layer=layer, arguments=arguments).accepts() == kinds


@pytest.mark.parametrize(
    ("layer", "arguments", "count", "kept"),
    [
        ("SpatialDropout1D", {"rate": 0.1}, 8, True),
        ("BatchNormalization", {}, 8, True),
        ("GRU", {"units": 2, "return_sequences": True}, 8, True),
        ("MaxPooling1D", {"pool_size": 3, "strides": 2}, 3, True),
        ("Cropping1D", {"cropping": [1, 1]}, 6, False),
        ("UpSampling1D", {"size": 2}, 16, False),
    ],
)
def test_layer_carries_padding_where_it_can(layer, arguments, count, kept):
    flow = KerasLayer(layer=layer, arguments=arguments)(steps(kind="sequence"), "sequence")
    assert (flow.kind, flow.x.shape[1]) == ("sequence", count)
    assert (flow.valid is not None) == kept
    if kept:
        assert flow.valid.shape[1] == count


def test_declaring_imports_no_keras():
    code = (
        "import sys; from automl import blocks, inputs, tasks, export, model;"
        "need = lambda m: {k: f.examples[0] for k, f in m.model_fields.items() if f.is_required()};"
        "[r.get(n)(**need(r.get(n))) for r in (blocks.registry, inputs.registry, tasks.registry, export.registry) for n in r];"
        "print([m for m in ('keras', 'tensorflow', 'jax', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
