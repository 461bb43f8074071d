"""Blocks: shapes, refusals, masks, and Keras layers by class name."""

import inspect
import subprocess
import sys
from typing import get_args

import numpy as np
import pytest

from automl import model
from automl.blocks import Activation
from automl.blocks._layer import KerasLayer, check, is_layer_name
from automl.blocks._weights import Weighted
from automl.blocks.conv import Conv
from automl.blocks.dense import Dense
from automl.blocks.global_pool import GlobalPool
from automl.blocks.pool import Pool
from automl.blocks.recurrent import Recurrent
from automl.blocks.residual import Residual
from automl.blocks.residual_unit import ResidualUnit
from automl.errors import Infeasible
from automl.flow import Flow
from automl.records import DataSpec

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
        ({"filters": 12, "norm": "group"}, "norm_groups 8 does not divide the filters 12"),
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
    classes = tuple(map(str, range(1000)))
    data = DataSpec("", "toy", "", "image", "classification", (224, 224, 3), {}, classes, {"scale": "none"})
    network = model.build({"model": resnet(kind, repeats)}, data)
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
        "rooms = (blocks.registry, inputs.registry, tasks.registry, export.registry);"
        "[room.get(name)(**need(room.get(name))) for room in rooms for name in room];"
        "print([m for m in ('keras', 'tensorflow', 'jax', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
