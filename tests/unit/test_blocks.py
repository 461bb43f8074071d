"""Blocks: shapes, refusals, masks, and Keras layers by class name."""

import inspect
import subprocess
import sys
from typing import get_args

import numpy as np
import pytest

from automl.blocks import Activation, _layer, _stock
from automl.blocks._chain import Chain
from automl.blocks._layer import KerasLayer, check, is_layer_name
from automl.blocks._weights import Weighted
from automl.blocks.attention import Attention
from automl.blocks.conv import Conv
from automl.blocks.conv_lstm import ConvLstm
from automl.blocks.dense import Dense
from automl.blocks.dense_block import DenseBlock
from automl.blocks.embedding import Embedding
from automl.blocks.global_pool import GlobalPool
from automl.blocks.inception import Inception
from automl.blocks.normalize import Normalize
from automl.blocks.pool import Pool
from automl.blocks.positional import Positional
from automl.blocks.recurrent import Recurrent
from automl.blocks.residual import Residual
from automl.blocks.residual_unit import ResidualUnit
from automl.blocks.separable import Separable
from automl.blocks.squeeze_excite import SqueezeExcite
from automl.blocks.temporal import Temporal
from automl.errors import Infeasible
from automl.flow import Flow
from automl.model import build

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
        ({"kernel_size": 13}, (8, 6, 32)),
    ],
)
def test_conv_shapes(fields, shape):
    assert Conv(**fields)(image(), "feature_map").x.shape[1:] == shape


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kernel_size": 14}, "kernel_size 14x14 is larger than its input 8x6"),
        ({"kernel_size": 7, "padding": "valid"}, "kernel_size 7x7 is larger than its input 8x6"),
        ({"dilation": 3, "padding": "valid"}, "kernel_size with its dilation 7x7 is larger"),
        ({"pool": "max", "pool_size": 7}, "pool_size 7x7 is larger than its input 8x6"),
        ({"stride": 2, "dilation": 2}, "stride 2 with dilation 2"),
        ({"kernel_size": [3]}, "Expected one number, or 2"),
        ({"filters": 12, "norm": "group"}, "norm_groups 8 does not divide the 12 channels"),
        ({"padding": "causal"}, "padding: causal is for the steps of a series"),
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


NORMS = [{"norm": "batch"}, {"norm": "layer"}, {"norm": "group", "norm_groups": 2}, {"norm": "group", "norm_groups": 4}]


@pytest.mark.parametrize("fields", [{"norm": "none"}, *NORMS])
@pytest.mark.parametrize("training", [False, True])
def test_conv_of_padded_steps_is_that_of_the_steps_alone(fields, training):
    import keras

    block = Conv(filters=4, activation="tanh", **fields)
    long, short = steps(), steps(count=5, padded=False)
    padded = keras.Model([long.x, long.valid], block(long, "feature_map").x)
    alone = keras.Model(short.x, block(short, "feature_map").x)
    rng = np.random.default_rng(0)
    drawn = [rng.uniform(0.5, 1.5, weight.shape) for weight in padded.get_weights()]
    padded.set_weights(drawn)
    alone.set_weights([value.reshape(weight.shape) for value, weight in zip(drawn, alone.get_weights(), strict=True)])
    x = rng.normal(size=(3, 8, 2)).astype("float32")
    valid = (np.arange(8) < 5).astype("float32")[None, :, None].repeat(3, axis=0)
    found = np.asarray(keras.ops.convert_to_numpy(padded([x, valid], training=training)))
    wanted = keras.ops.convert_to_numpy(alone(x[:, :5], training=training))
    np.testing.assert_allclose(found[:, :5], wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ({}, (4, 3, 2)),
        ({"kind": "avg", "size": 3}, (2, 2, 2)),
        ({"size": 3, "padding": "same"}, (3, 2, 2)),
        ({"size": 3, "stride": 2, "padding": "same"}, (4, 3, 2)),
        ({"size": [3, 2], "stride": [1, 2]}, (6, 3, 2)),
    ],
)
def test_pool_shapes(fields, shape):
    assert Pool(**fields)(image(), "feature_map").x.shape[1:] == shape


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 7}, "size 7x7 is larger than its input 8x6"),
        ({"size": [2]}, r"size \[2\] does not fit. Expected one number, or 2"),
        ({"stride": [1]}, r"stride \[1\] does not fit"),
    ],
)
def test_pool_that_does_not_fit_is_infeasible(fields, message):
    with pytest.raises(Infeasible, match=message):
        Pool(**fields)(image(), "feature_map")


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize(
    ("fields", "windows"),
    [
        ({"size": 2}, [(0, 2), (2, 4), (4, 6), (6, 8)]),
        ({"size": 3, "stride": 2}, [(0, 3), (2, 5), (4, 7)]),
        ({"size": 3, "stride": 1, "padding": "same"}, [(max(i - 1, 0), i + 2) for i in range(8)]),
    ],
)
def test_pool_reads_valid_steps_only(kind, fields, windows):
    import keras

    flow = steps(channels=3)
    out = Pool(kind=kind, **fields)(flow, "feature_map")
    # Below zero, so that a zero from the padding would be the maximum.
    x = -np.random.default_rng(0).uniform(1, 2, (4, 8, 3)).astype("float32")
    lengths = [1, 4, 5, 8]
    valid = (np.arange(8) < np.array(lengths)[:, None]).astype("float32")[..., None]
    found, kept = keras.Model([flow.x, flow.valid], [out.x, out.valid]).predict_on_batch([x, valid])
    stride = fields.get("stride", fields["size"])
    for example, length in enumerate(lengths):
        for index, (start, stop) in enumerate(windows):
            alive = index * stride < length
            data = x[example, start : min(stop, length)]
            wanted = getattr(data, {"max": "max", "avg": "mean"}[kind])(axis=0) if alive else np.zeros(3)
            np.testing.assert_allclose(found[example, index], wanted, rtol=1e-5)
            assert kept[example, index, 0] == alive


def test_conv_pools_as_the_pool_block_does():
    import keras

    flow = steps()
    both = Conv(filters=2, name="c", pool="avg", pool_size=3)(flow, "feature_map")
    conv = keras.Model([flow.x, flow.valid], both.x).get_layer("c-activation").output
    pooled = Pool(kind="avg", size=3)(Flow(conv, "feature_map", flow.valid), "feature_map")
    x = np.random.default_rng(0).normal(size=(2, 8, 2)).astype("float32")
    valid = (np.arange(8) < np.array([4, 8])[:, None]).astype("float32")[..., None]
    given, wanted = keras.Model([flow.x, flow.valid], [both.x, pooled.x]).predict_on_batch([x, valid])
    np.testing.assert_allclose(given, wanted)


@pytest.mark.parametrize(
    ("block", "flow", "kernels"),
    [
        (Conv, image, 1),
        (Dense, lambda: Flow(image().x[:, 0, 0], "vector"), 1),
        (Recurrent, lambda: steps(kind="sequence"), 1),
        (ResidualUnit, image, 3),
    ],
)
def test_kernels_are_drawn_and_penalised_as_declared(block, flow, kernels):
    import keras

    start = flow()
    declared = block(kernel_initializer="he_normal", l1=0.01, l2=0.1)
    assert isinstance(declared, Weighted)
    inputs = [start.x] if start.valid is None else [start.x, start.valid]
    network = keras.Model(inputs, declared(start, start.kind).x)
    found = [keras.ops.convert_to_numpy(w) for w in network.trainable_weights if w.name == "kernel"]
    assert len(found) == kernels
    wanted = sum(0.01 * np.abs(kernel).sum() + 0.1 * np.square(kernel).sum() for kernel in found)
    assert float(sum(network.losses)) == pytest.approx(float(wanted), rel=1e-4)
    drawn = [layer.kernel_initializer for layer in network.layers if hasattr(layer, "kernel_initializer")]
    assert [type(initializer).__name__ for initializer in drawn] == ["HeNormal"] * kernels
    plain = keras.Model(inputs, block()(start, start.kind).x)
    assert plain.losses == []


def test_names_are_those_of_keras():
    import keras

    for name in get_args(Weighted.model_fields["kernel_initializer"].annotation):
        assert keras.initializers.get(name)((2, 2)).shape == (2, 2)
    x = keras.ops.convert_to_tensor([[-1.0, 0.5], [2.0, 0.0]])
    for name in get_args(Activation):
        # Element-wise: what stands beside an element does not change it.
        activation = keras.activations.get(name)
        whole, half = (keras.ops.convert_to_numpy(activation(part)) for part in (x, x[:, :1]))
        np.testing.assert_allclose(whole[:, :1], half, rtol=1e-6)


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ({"filters": 2}, (8, 6, 2)),
        ({"filters": 8, "stride": 2}, (4, 3, 8)),
        ({"filters": 8, "stride": [2, 1], "kernel_size": [3, 5]}, (4, 6, 8)),
        ({"filters": 4, "kind": "bottleneck"}, (8, 6, 16)),
        ({"filters": 4, "kind": "bottleneck", "expansion": 2, "stride": 2, "dropout": 0.1}, (4, 3, 8)),
        ({"filters": 8, "norm": "group", "norm_groups": 4, "stride": 2}, (4, 3, 8)),
    ],
)
def test_residual_unit_shapes(fields, shape):
    assert ResidualUnit(**fields)(image(), "feature_map").x.shape[1:] == shape


def layers_of(block, flow):
    import keras

    return {layer.name: layer for layer in keras.Model(flow.x, block(flow, flow.kind).x).layers}


def test_residual_unit_has_a_projection_only_where_it_needs_one():
    assert "u-shortcut" not in layers_of(ResidualUnit(name="u", filters=2), image())
    # Five pixels every fourth are two, as they are every third: the shortcut has to read those that the unit reads.
    found = layers_of(ResidualUnit(name="u", filters=2, stride=4, kind="bottleneck"), image(height=5, width=5))
    strides = {name: layer.strides for name, layer in found.items() if hasattr(layer, "strides")}
    assert strides == {"u-conv1": (1, 1), "u-conv2": (4, 4), "u-conv3": (1, 1), "u-shortcut": (4, 4)}
    assert not any(layer.use_bias for layer in found.values() if hasattr(layer, "use_bias"))


def test_residual_unit_drops_before_its_last_convolution_and_ends_with_the_sum():
    found = list(layers_of(ResidualUnit(name="u", filters=2, dropout=0.5), image()))
    assert found.index("u-conv1-activation") < found.index("u-conv1-dropout") < found.index("u-conv2")
    assert found[-3:] == ["u-conv2-norm", "u-sum", "u-activation"]


def test_shortcut_of_a_vector_has_no_groups():
    import keras

    flow = Flow(keras.Input((4,)), "vector")
    found = layers_of(Residual(name="r", norm="group", blocks=[{"dense": {"units": 5}}]), flow)
    assert "r-shortcut" in found
    assert "r-shortcut-norm" not in found


def resnet(kind, repeats):
    stem = {"filters": 64, "kernel_size": 7, "stride": 2, "norm": "batch"}
    stages = [{"repeat": repeats[0], "filters": 64}]
    stages += [{"repeat": n, "filters": 64 * 2**i, "stride": {"each": [2, 1]}} for i, n in enumerate(repeats) if i]
    stages = [{"residual_unit": {"name": f"stage{i}", "kind": kind, **stage}} for i, stage in enumerate(stages, 1)]
    return [{"conv": stem}, {"pool": {"size": 3, "stride": 2, "padding": "same"}}, *stages, "global_pool"]


@pytest.mark.parametrize(
    ("kind", "repeats", "weights"),
    [
        pytest.param("basic", (2, 2, 2, 2), 11_689_512, id="18"),
        pytest.param("bottleneck", (3, 4, 6, 3), 25_557_032, id="50", marks=pytest.mark.slow),
    ],
)
def test_resnet_has_the_weights_of_the_paper(kind, repeats, weights):
    # The counts of torchvision's resnet18 and resnet50, which follow the paper's table 1.
    network = build.build({"model": resnet(kind, repeats)}, build.data_of((224, 224, 3), 1000))
    assert sum(int(np.prod(weight.shape)) for weight in network.trainable_weights) == weights
    sizes = [network.get_layer(f"stage{i}-{n}-activation").output.shape[1:3] for i, n in enumerate(repeats, 1)]
    assert sizes == [(56, 56), (28, 28), (14, 14), (7, 7)]


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


def test_the_table_of_stock_layers_is_what_keras_says():
    table = _stock.table()
    if table is None:
        pytest.skip("the table is about another version of Keras, which is then asked itself")
    layers = _layer._layers()
    assert {*table} == {*layers}
    for name, stock in table.items():
        assert (stock.arguments, stock.required) == _stock.arguments_of(layers[name])


@pytest.mark.parametrize(
    ("name", "arguments", "is_known"),
    [
        ("Dropout", {"rate": 0.3}, True),
        ("Dropout", {"rate": 1.5}, False),
        ("Dropout", {"rate": "0.3"}, False),
        ("Dropout", {"rate": None}, False),
        ("Conv1D", {"filters": 24, "kernel_size": 3, "strides": 2, "activation": "relu"}, True),
        ("Conv1D", {"filters": 24, "kernel_size": 3, "strides": 2, "dilation_rate": 2}, False),
        ("Conv1D", {"filters": 3, "kernel_size": 3, "groups": 2}, False),
        ("Conv2D", {"filters": 3, "kernel_size": [3, 5], "padding": "same"}, True),
        ("Conv2D", {"filters": 3, "kernel_size": [3, 5, 7]}, False),
        ("Dense", {"units": 64, "kernel_initializer": "he_normal", "use_bias": False}, True),
        ("Dense", {"units": -1}, False),
        ("Dense", {"units": 3, "activation": "reul"}, False),
    ],
)
def test_what_the_table_says_fits_does(name, arguments, is_known):
    table = _stock.table()
    if table is None:
        pytest.skip("the table is about another version of Keras, which is then asked itself")
    assert table[name].takes(arguments) is is_known
    if is_known:
        _layer._layers()[name](**arguments)


def test_another_version_of_keras_is_asked_itself(monkeypatch):
    _stock.table.cache_clear()
    monkeypatch.setattr("importlib.metadata.version", lambda _: "99.0")
    try:
        assert _stock.table() is None
        assert check("Dropout", {"rate": 0.1}) == []
        ((argument, text),) = check("Dropout", {"rat": 0.1, "rate": 0.2})
        assert (argument, "Did you mean 'rate'" in text) == ("rat", True)
    finally:
        _stock.table.cache_clear()


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
        "import sys; from automl import blocks, inputs, tasks, export; from automl.model import build;"
        "need = lambda m: {k: f.examples[0] for k, f in m.model_fields.items() if f.is_required()};"
        "rooms = (blocks.registry, inputs.registry, tasks.registry, export.registry);"
        "[room.get(name)(**need(room.get(name))) for room in rooms for name in room];"
        "print([m for m in ('keras', 'tensorflow', 'jax', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


# --- blocks that are made of others, and what is special about them


def outputs(network, given, training=False):
    import keras

    return np.asarray(keras.ops.convert_to_numpy(network(given, training=training)))


def test_pre_activated_unit_adds_what_came_in():
    flow = image()
    found = layers_of(ResidualUnit(name="u", filters=2, dropout=0.5, pre_activation=True), flow)
    parts = ["norm", "activation", None]
    order = [f"u-conv{n}" + (f"-{part}" if part else "") for n in (1, 2) for part in parts]
    order.insert(-1, "u-dropout")
    assert [name for name in found if name.startswith("u")] == [*order, "u-sum"]
    assert found["u-sum"].input[0] is flow.x
    assert not any(layer.use_bias for layer in found.values() if hasattr(layer, "use_bias"))


@pytest.mark.parametrize(
    ("kind", "repeat", "weights"),
    [
        pytest.param("basic", 3, 272_282, id="20"),
        pytest.param("bottleneck", 18, 1_703_258, id="164", marks=pytest.mark.slow),
    ],
)
def test_pre_activated_resnet_has_the_weights_of_the_paper(kind, repeat, weights):
    # He et al. 2016, table 4 (1.7 million); the counts of pytorchcv's preresnet20_cifar10 and preresnet164bn_cifar10.
    unit = {"kind": kind, "repeat": repeat, "pre_activation": True}
    stages = [{"residual_unit": {**unit, "name": "stage1", "filters": 16}}]
    for number, filters in ((2, 32), (3, 64)):
        stage = {**unit, "name": f"stage{number}", "filters": filters, "stride": {"each": [2, 1]}}
        stages.append({"residual_unit": stage})
    stem = {"conv": {"filters": 16, "use_bias": False, "activation": "linear"}}
    document = {"model": [stem, *stages, "normalize", "global_pool"]}
    network = build.build(document, build.data_of((32, 32, 3), 10))
    assert sum(int(np.prod(weight.shape)) for weight in network.trainable_weights) == weights


@pytest.mark.parametrize("kind", ["basic", "bottleneck"])
def test_pre_activated_unit_projects_what_is_activated_already(kind):
    found = layers_of(ResidualUnit(name="u", kind=kind, filters=4, stride=2, pre_activation=True), image())
    assert found["u-shortcut"].input is found["u-conv1"].input is found["u-conv1-activation"].output
    assert "u-shortcut-norm" not in found
    assert list(found)[-1] == "u-sum"


@pytest.mark.parametrize("start", [image, lambda: steps(padded=False)], ids=["image", "series"])
def test_plain_separable_is_the_layer_of_keras(start):
    import keras

    flow = start()
    plain = {"kind": "plain", "filters": 5, "stride": 2, "depth_multiplier": 3, "norm": "none", "activation": "linear"}
    ours = keras.Model(flow.x, Separable(**plain)(flow, "feature_map").x)
    layer = keras.layers.SeparableConv2D if len(flow.x.shape) == 4 else keras.layers.SeparableConv1D
    theirs = keras.Model(flow.x, layer(5, 3, strides=2, padding="same", depth_multiplier=3)(flow.x))
    theirs.set_weights(ours.get_weights())
    x = np.random.default_rng(0).normal(size=(2, *flow.x.shape[1:])).astype("float32")
    np.testing.assert_allclose(outputs(ours, x), outputs(theirs, x), atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "between"), [("mobilenet", ["s-depthwise-norm", "s-depthwise-activation"]), ("plain", [])]
)
def test_separable_normalises_where_its_paper_does(kind, between):
    found = layers_of(Separable(name="s", kind=kind), image())
    ended = ["s-pointwise", "s-pointwise-norm", "s-pointwise-activation"]
    assert list(found)[1:] == ["s-depthwise", *between, *ended]
    assert not found["s-depthwise"].use_bias


def test_inception_reads_one_bottleneck_and_pools_what_came_in():
    flow = steps(count=40, channels=128, padded=False)
    found = layers_of(Inception(name="i", kernel_sizes=[10, 20, 40]), flow)
    sources = {name: layer.input for name, layer in found.items()}
    assert all(sources[f"i-conv{n}"] is found["i-bottleneck"].output for n in (1, 2, 3))
    assert sources["i-pool"] is sources["i-bottleneck"] is flow.x
    assert sources["i-pooled"] is found["i-pool"].output
    assert found["i-norm"].output.shape[1:] == (40, 128)
    # Fawaz et al. 2019: 128 x 32, 32 x 32 x (10 + 20 + 40), 128 x 32, and two for each channel.
    assert sum(layer.count_params() for layer in found.values()) == 4096 + 71_680 + 4096 + 4 * 128
    assert "i-bottleneck" not in layers_of(Inception(name="i"), steps(channels=1, padded=False))


def test_dense_block_keeps_what_came_in():
    import keras

    flow = image()
    block = DenseBlock(name="d", layers=2, growth_rate=3)
    network = keras.Model(flow.x, block(flow, "feature_map").x)
    x = np.random.default_rng(0).normal(size=(2, 8, 6, 2)).astype("float32")
    found = outputs(network, x)
    assert found.shape == (2, 8, 6, 8)
    np.testing.assert_array_equal(found[..., :2], x)
    names = [layer.name for layer in network.layers]
    assert names[1:5] == ["d-bottleneck1-norm", "d-bottleneck1-activation", "d-bottleneck1", "d-conv1-norm"]
    assert network.get_layer("d-bottleneck2").filters == 12
    assert network.get_layer("d-bottleneck2-norm").input.shape[-1] == 5


def test_dense_block_ends_with_a_transition():
    flow = image()
    assert DenseBlock(layers=2, growth_rate=3, transition="avg")(flow, "feature_map").x.shape[1:] == (4, 3, 4)
    found = layers_of(DenseBlock(name="d", layers=1, growth_rate=3, transition="max", compression=0.2), flow)
    assert found["d-transition"].filters == 1
    assert list(found)[-1] == "d-transition-pool"


def test_squeeze_excite_scales_channels_by_their_mean():
    import keras

    flow = image(channels=6)
    network = keras.Model(flow.x, SqueezeExcite(name="s", ratio=3)(flow, "feature_map").x)
    x = np.random.default_rng(0).normal(size=(2, 8, 6, 6)).astype("float32")
    first, first_bias, second, second_bias = network.get_weights()
    assert first.shape == (6, 2)
    gate = np.maximum(x.mean(axis=(1, 2)) @ first + first_bias, 0) @ second + second_bias
    wanted = x / (1 + np.exp(-gate))[:, None, None]
    np.testing.assert_allclose(outputs(network, x), wanted, atol=1e-5)


CAUSAL = [
    [{"temporal": {"repeat": 3, "filters": 3, "dilation": {"each": [1, 2, 4]}, "activation": "tanh"}}],
    [{"temporal": {"filters": 3, "kernel_size": 7, "dilation": 8, "norm": "layer", "activation": "tanh"}}],
    [{"attention": {"causal": True, "num_heads": 2}}],
    [{"conv": {"padding": "causal", "kernel_size": 4, "activation": "tanh"}}],
]


@pytest.mark.parametrize("items", CAUSAL, ids=["pyramid", "temporal", "attention", "conv"])
@pytest.mark.parametrize("padded", [False, True])
def test_no_step_sees_a_later_one(items, padded):
    import keras

    flow = steps(channels=4, kind="sequence", padded=padded)
    end = Chain.read(items).connect(flow, ("sequence",), "the input", "end")
    network = keras.Model([flow.x, flow.valid] if padded else flow.x, end.x)
    x = np.random.default_rng(0).normal(size=(8, 8, 4)).astype("float32")
    changed = x.copy()
    changed[np.arange(8), np.arange(8)] += 1.0  # in example i, step i
    valid = np.ones((8, 8, 1), "float32")
    before, after = (outputs(network, [given, valid] if padded else given) for given in (x, changed))
    differs = np.abs(after - before).max(axis=-1) > 1e-6
    assert not np.tril(differs, -1).any()
    assert np.diag(differs).all()


def test_attention_sees_both_ways_unless_causal():
    import keras

    flow = steps(channels=4, kind="sequence", padded=False)
    network = keras.Model(flow.x, Attention()(flow, "sequence").x)
    x = np.random.default_rng(0).normal(size=(1, 8, 4)).astype("float32")
    changed = x.copy()
    changed[0, 4] += 1.0
    assert (np.abs(outputs(network, x) - outputs(network, changed)).max(axis=-1) > 1e-7).all()


def test_additive_attention_is_a_mean_by_learned_weights():
    import keras

    flow = steps(channels=3, kind="sequence", padded=False)
    network = keras.Model(flow.x, Attention(kind="additive", units=5)(flow, "vector").x)
    x = np.random.default_rng(0).normal(size=(2, 8, 3)).astype("float32")
    kernel, bias, score = network.get_weights()
    energy = np.exp(np.tanh(x @ kernel + bias) @ score)
    wanted = (x * energy / energy.sum(axis=1, keepdims=True)).sum(axis=1)
    np.testing.assert_allclose(outputs(network, x), wanted, atol=1e-5)


def test_embedding_looks_whole_numbers_up():
    import keras

    flow = Flow(keras.Input((5, 1)), "sequence")
    network = keras.Model(flow.x, Embedding(input_dim=4, output_dim=3)(flow, "sequence").x)
    (table,) = network.get_weights()
    x = np.array([[0, 1.9999, 3.0001, 4, -1]], "float32")[..., None]
    np.testing.assert_array_equal(outputs(network, x)[0], table[[0, 2, 3, 3, 0]])


def test_positions_are_the_waves_of_the_paper():
    import keras

    flow = Flow(keras.Input((50, 6)), "sequence")
    network = keras.Model(flow.x, Positional()(flow, "sequence").x)
    assert network.get_weights() == []
    angle = np.arange(50)[:, None] / 10_000 ** (np.array([0, 2, 4]) / 6)
    wanted = np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(50, 6)
    np.testing.assert_allclose(outputs(network, np.zeros((1, 50, 6), "float32"))[0], wanted, atol=1e-5)


def test_learned_positions_are_one_vector_a_step():
    import keras

    flow = Flow(keras.Input((5, 2)), "sequence")
    network = keras.Model(flow.x, Positional(kind="learned")(flow, "sequence").x)
    (table,) = network.get_weights()
    np.testing.assert_allclose(outputs(network, np.ones((2, 5, 2), "float32"))[1], 1 + table, atol=1e-6)


def test_conv_lstm_reads_an_image_row_by_row():
    import keras

    flow = image()
    whole = ConvLstm(filters=3, name="c")(flow, "feature_map").x
    last = ConvLstm(filters=3, return_sequences=False)(flow, "feature_map").x
    assert (whole.shape[1:], last.shape[1:]) == ((8, 6, 3), (6, 3))
    both = [keras.Model(flow.x, end) for end in (whole, last)]
    both[1].set_weights(both[0].get_weights())
    x = np.random.default_rng(0).normal(size=(2, 8, 6, 2)).astype("float32")
    changed = x.copy()
    changed[:, 5] += 1.0
    before, after = outputs(both[0], x), outputs(both[0], changed)
    np.testing.assert_array_equal(before[:, :5], after[:, :5])
    assert np.abs(before[:, 5] - after[:, 5]).max() > 1e-3
    np.testing.assert_allclose(outputs(both[1], x), before[:, -1], atol=1e-6)


def test_conv_lstm_folds_a_series_into_windows():
    import keras

    flow = steps(count=7, padded=False)
    network = keras.Model(flow.x, ConvLstm(filters=3, window=3)(flow, "feature_map").x)
    rows = keras.Input((3, 3, 2))
    folded = keras.Model(rows, keras.layers.ConvLSTM1D(3, 3, padding="same", return_sequences=True)(rows))
    folded.set_weights(network.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 7, 2)).astype("float32")
    filled = np.concatenate([x, np.zeros((2, 2, 2), "float32")], axis=1).reshape(2, 3, 3, 2)
    np.testing.assert_allclose(outputs(network, x), outputs(folded, filled).reshape(2, 9, 3)[:, :7], atol=1e-6)
    with pytest.raises(Infeasible, match="window 9 is larger than its input 7"):
        ConvLstm(window=9)(flow, "feature_map")


ALONE = [
    (Normalize, {"norm": "batch"}),
    (Normalize, {"norm": "group", "norm_groups": 2}),
    (ResidualUnit, {"filters": 4, "pre_activation": True}),
    (ResidualUnit, {"filters": 6, "pre_activation": True}),
    (Separable, {"filters": 4}),
    (Separable, {"filters": 4, "norm": "layer", "kind": "plain"}),
    (Inception, {"filters": 2, "bottleneck": 3}),
    (DenseBlock, {"layers": 2, "growth_rate": 2}),
    (SqueezeExcite, {"ratio": 2}),
    (Temporal, {"filters": 3, "dilation": 2, "norm": "batch"}),
    (Attention, {"num_heads": 2}),
    (Attention, {"causal": True}),
    (Positional, {}),
    (Embedding, {"output_dim": 2, "input_dim": 3}),
    (ConvLstm, {"filters": 2, "window": 2}),
]
"""Blocks that give steps."""
READ = [
    (Temporal, {"filters": 3}),
    (Attention, {"kind": "additive"}),
    (ConvLstm, {"filters": 2, "window": 2, "return_sequences": False}),
]
"""Blocks that read the steps into something without any."""


@pytest.mark.parametrize(("block", "fields"), [*ALONE, *READ], ids=lambda value: getattr(value, "__name__", None))
@pytest.mark.parametrize("training", [False, True])
def test_padded_steps_change_nothing(block, fields, training):
    import keras

    made = block(**fields)
    kind = "sequence" if "sequence" in block.takes else "feature_map"
    long, short = steps(channels=4, kind=kind), steps(count=5, channels=4, kind=kind, padded=False)
    ends = [made(flow, made.gives()[-1]) for flow in (long, short)]
    padded, alone = keras.Model([long.x, long.valid], ends[0].x), keras.Model(short.x, ends[1].x)
    rng = np.random.default_rng(0)
    drawn = [rng.uniform(-0.5, 0.5, weight.shape) for weight in alone.get_weights()]
    drawn = [
        value + 1.0 if "variance" in weight.name else value for value, weight in zip(drawn, alone.weights, strict=True)
    ]
    alone.set_weights(drawn)
    padded.set_weights([value.reshape(weight.shape) for value, weight in zip(drawn, padded.get_weights(), strict=True)])
    x = rng.normal(size=(3, 8, 4)).astype("float32")
    valid = (np.arange(8) < 5).astype("float32")[None, :, None].repeat(3, axis=0)
    found, wanted = outputs(padded, [x, valid], training), outputs(alone, x[:, :5], training)
    np.testing.assert_allclose(found[:, : wanted.shape[1]] if (block, fields) in ALONE else found, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("block", "start", "kernels"),
    [
        (Conv, image, 1),
        (Dense, lambda: Flow(image().x[:, 0, 0], "vector"), 1),
        (Recurrent, lambda: steps(kind="sequence", padded=False), 1),
        (Separable, image, 2),
        (Separable, lambda: steps(padded=False), 2),
        (Inception, image, 5),
        (lambda **fields: DenseBlock(layers=1, growth_rate=2, transition="avg", **fields), image, 3),
        (SqueezeExcite, image, 2),
        (Temporal, lambda: steps(kind="sequence", padded=False), 3),
        (Attention, lambda: steps(channels=4, kind="sequence", padded=False), 4),
        (lambda **fields: Attention(kind="additive", **fields), lambda: steps(kind="sequence", padded=False), 2),
        (ConvLstm, image, 1),
    ],
)
def test_every_kernel_is_penalised_and_held_to_its_norm(block, start, kernels):
    import keras

    flow = start()
    wanted = "vector" if flow.kind == "vector" else "sequence" if flow.kind == "sequence" else "feature_map"
    network = keras.Model(flow.x, block(l2=0.1, kernel_constraint="max_norm", max_norm=0.25)(flow, wanted).x)
    found = [weight for weight in network.trainable_weights if weight.name == "kernel"]
    assert len(found) == kernels
    penalty = sum(0.1 * np.square(keras.ops.convert_to_numpy(kernel)).sum() for kernel in found)
    assert float(sum(network.losses)) == pytest.approx(float(penalty), rel=1e-4)
    for kernel in found:
        values = np.asarray(keras.ops.convert_to_numpy(kernel.constraint(10.0 * kernel)))
        # The norm of what leads to one output: all axes but the last, of a depthwise kernel the spatial ones alone.
        depthwise = "depthwise" in kernel.path
        axes = (0,) if "multi_head" in kernel.path else tuple(range(values.ndim - (2 if depthwise else 1)))
        assert np.sqrt(np.square(values).sum(axis=axes)).max() == pytest.approx(0.25, rel=1e-3)


@pytest.mark.parametrize(
    ("constraint", "holds"),
    [
        ("max_norm", lambda norms, kernel: norms.max() <= 0.5001),
        ("unit_norm", lambda norms, kernel: np.allclose(norms, 1.0, atol=1e-3)),
        ("non_neg", lambda norms, kernel: kernel.min() == 0.0),
    ],
)
def test_a_constraint_holds_behind_a_step_and_is_saved(constraint, holds, tmp_path):
    import keras

    flow = image()
    block = Conv(filters=3, kernel_constraint=constraint, max_norm=0.5, name="c", activation="linear")
    network = keras.Model(flow.x, block(flow, "feature_map").x)
    network.compile(keras.optimizers.SGD(0.5), "mse")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 8, 6, 2)), rng.normal(size=(4, 8, 6, 3))
    network.save(tmp_path / "model.keras")
    for model_ in (network, keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)):
        model_.train_on_batch(x.astype("float32"), y.astype("float32"))
        kernel = model_.get_layer("c").get_weights()[0]
        assert holds(np.sqrt(np.square(kernel).sum(axis=(0, 1, 2))), kernel)
    assert Conv().kernel_arguments(3)["kernel_constraint"] is None
