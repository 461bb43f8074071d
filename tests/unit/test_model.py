"""Models from documents: expansion, joints, refusals, and independence of padding."""

from dataclasses import replace

import numpy as np
import pytest
import specs

from automl import inputs, tasks
from automl.blocks import registry
from automl.errors import ConfigError, Infeasible
from automl.model import build
from automl.training.section import Training

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CLASSES = ("a", "b", "c")


def spec(shape, kind=None, padded=False):
    kind = kind or ("image" if len(shape) == 3 else "series")
    x = np.random.default_rng(0).normal(size=(4, *shape)).astype("float32")
    if padded:
        x[0, -1] = np.nan
    return specs.classified(specs.learned(inputs.registry.read(kind), x), CLASSES)


def built(blocks, shape=(8, 2), padded=False):
    return build.build({"model": blocks}, spec(shape, padded=padded))


def names(network):
    return [layer.name for layer in network.layers]


def test_blocks_of_writes_out_repeats():
    found = build.blocks_of(
        [
            {"conv": {"repeat": 2, "filters": {"each": [32, 64]}, "kernel_size": 5}},
            {"flatten": {}},
            "flatten",
            {"flatten": None},
            {"SpatialDropout1D": {"rate": {"each": [0.1, 0.2]}, "repeat": 2}},
            {"dense": {"repeat": 0}},
            {"dense": {"name": "last"}},
        ]
    )
    assert [block.name for block in found] == [
        *("conv-1", "conv-2", "flatten", "flatten_2", "flatten_3"),
        *("SpatialDropout1D-1", "SpatialDropout1D-2", "last"),
    ]
    assert [(block.filters, block.kernel_size) for block in found[:2]] == [(32, 5), (64, 5)]
    assert [block.arguments for block in found[5:7]] == [{"rate": 0.1}, {"rate": 0.2}]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"cnov": {}}, r"model\[0\] cnov: unknown block 'cnov'.*Did you mean 'conv'"),
        ({"conv": {"filters": 0}}, r"model\[0\] conv: filters: Input should be greater"),
        ({"conv": {"repeat": 2, "filters": {"each": []}}}, "each holds no values"),
        ({"conv": {}, "dense": {}}, "expected a name"),
    ],
)
def test_blocks_of_refuses(entry, message):
    with pytest.raises(ConfigError, match=message):
        build.blocks_of([entry])


def test_input_and_task_are_built_as_they_were_declared(monkeypatch):
    """Not with the defaults of their fields."""
    seen = []

    def spy(kind, method):
        own = getattr(kind, method)
        monkeypatch.setattr(kind, method, lambda self, *given: (seen.append(self), own(self, *given))[1])

    spy(inputs.registry.get("image"), "stem")
    spy(tasks.registry.get("classification"), "head")
    data = spec((2, 2, 1))
    declared = {"image": {"scale": "unit"}}, {"classification": {"class_weights": "balanced"}}
    reader, task = replace(data.inputs[0], declared=declared[0]), replace(data.task, declared=declared[1])
    build.build({"model": ["flatten"]}, replace(data, inputs=(reader,), task=task))
    assert [member.model_dump(exclude_unset=True) for member in seen] == [{"scale": "unit"}, *declared[1].values()]


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_layers_compute_with_the_declared_precision_and_the_process_keeps_its_own(precision):
    import keras

    before = keras.config.dtype_policy()
    network = build.build({"model": ["dense"], "training": {"precision": precision}}, spec((8, 2)))
    assert network.get_layer("dense").dtype_policy.name == precision
    assert network.layers[-1].compute_dtype == "float32"
    assert keras.config.dtype_policy() == before
    with pytest.raises(Infeasible):
        build.build({"model": [{"pool": {"size": 9}}], "training": {"precision": precision}}, spec((8, 2)))
    assert keras.config.dtype_policy() == before


def test_a_model_of_every_joint():
    # sequence -> feature map -> sequence -> feature map -> vector
    network = built(["conv", {"recurrent": {"units": 3}}, "conv", "dense"])
    assert network.output_shape == (None, 3)
    assert network.get_layer("recurrent").output.shape == (None, 8, 3)
    # image -> rows as steps; the recurrent block before a dense one gives its last state
    network = built(["conv", {"recurrent": {"units": 3}}, "dense"], (6, 5, 1))
    assert network.get_layer("recurrent").input.shape == (None, 6, 5 * 32)
    assert network.get_layer("recurrent").output.shape == (None, 3)
    # no block at all: an image is pooled, a series is flattened
    assert built([], (6, 5, 2)).layers[-1].input.shape == (None, 2)
    assert built([]).layers[-1].input.shape == (None, 16)


def test_a_layer_of_any_rank_hands_on_what_the_next_block_wants():
    network = built([{"recurrent": {"units": 3}}, {"Dropout": {"rate": 0.1}}, "dense"])
    assert network.get_layer("recurrent").output.shape == (None, 3)
    network = built([{"recurrent": {"units": 3}}, {"SpatialDropout1D": {"rate": 0.1}}, "dense"])
    assert network.get_layer("recurrent").output.shape == (None, 8, 3)
    network = built([{"recurrent": {"units": 3}}, {"Dropout": {"rate": 0.1}}, {"recurrent": {"units": 2}}])
    assert network.get_layer("recurrent").output.shape == (None, 8, 3)
    network = built([{"recurrent": {"units": 3}}, "flatten"])
    assert network.get_layer("flatten").output.shape == (None, 24)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        (
            ["dense", "conv"],
            r"model\[1\] conv: takes a feature map, but model\[0\] dense gives a vector. Put it before",
        ),
        (["flatten", "recurrent"], r"model\[1\] recurrent: takes a sequence, but model\[0\] flatten gives a vector"),
        ([{"conv": {"kernel_size": 19}}], r"model\[0\] conv: kernel_size 19 is larger than its input 8"),
        ([{"conv": {"pool": "max", "repeat": 9}}], r"model\[0\] conv: (kernel|pool)_size . is larger than its input"),
        ([{"Conv2D": {"filters": 2, "kernel_size": 3}}], r"model\[0\] Conv2D: .*expected min_ndim=4"),
        ([{"MaxPooling1D": {"pool_size": 9}}], r"model\[0\] MaxPooling1D: "),
        ([{"Lambda": {"function": "f"}}], r"model\[0\] Lambda: Lambda cannot be a block"),
        (["dense", {"dense": {"name": "dense"}}], "model: .*unique"),
    ],
)
def test_what_does_not_fit_is_infeasible_and_says_where(blocks, message):
    with pytest.raises(Infeasible, match=message) as caught:
        built(blocks)
    assert "\n" not in str(caught.value)


def test_compile_model():
    data = spec((8, 2))
    network = build.build({"model": ["dense"]}, data)
    task = tasks.registry.read("classification")
    training = Training.model_validate({"optimizer": {"sgd": {"momentum": 0.5}}, "clipvalue": 0.5})
    build.compile_model(network, training, task, data)
    assert network.optimizer.momentum == 0.5
    assert network.optimizer.clipvalue == 0.5
    logs = network.fit(np.zeros((4, 8, 2)), np.eye(3)[[0, 1, 2, 0]], verbose=0).history
    assert set(logs) == {"loss", "accuracy", "f1", "auc"}


CELLS = [
    {"recurrent": {"cell": cell, "units": 3, "bidirectional": both}}
    for cell in ("simple_rnn", "lstm", "gru")
    for both in (False, True)
]
STACKS = [
    *([cell] for cell in CELLS),
    *([{"conv": {"filters": 3, "norm": norm}}, CELLS[-1]] for norm in ("none", "batch", "layer")),
    [CELLS[3], {"conv": {"filters": 3}}, CELLS[4]],
    [{"conv": {"filters": 3, "repeat": 2}}, {"global_pool": {"kind": "max"}}],
    [{"conv": {"filters": 3}}, "dense"],
    [{"conv": {"filters": 3}}, {"SpatialDropout1D": {"rate": 0.1}}, {"GRU": {"units": 3}}],
]


@pytest.mark.parametrize("stack", STACKS, ids=str)
def test_padding_that_follows_an_example_changes_nothing(stack):
    import keras

    data = spec((6, 2), padded=True)
    # Both stems know the statistics of the same training part; the weights carry everything else.
    longer = replace(data, inputs=(replace(data.inputs[0], shape=(11, 2)),))
    short, long = (build.build({"model": stack}, each) for each in (data, longer))
    long.set_weights(short.get_weights())
    x = np.random.default_rng(1).normal(size=(3, 6, 2)).astype("float32")
    x[1, 4:], x[2, 1:] = np.nan, np.nan
    more = np.concatenate([x, np.full((3, 5, 2), np.nan, "float32")], axis=1)
    found, expected = (keras.ops.convert_to_numpy(net(given)) for net, given in ((long, more), (short, x)))
    np.testing.assert_allclose(found, expected, atol=1e-6)


NAMED = [
    (["dense", "flatten"], (8, 2)),
    (["recurrent", {"dense": {"name": "reshape"}}], (6, 5, 1)),
    (["conv", {"dense": {"name": "global_average_pooling2d"}}], (6, 5, 1)),
    ([{"conv": {"name": "image"}}, {"dense": {"name": "scale"}}], (6, 5, 1)),
    ([{"conv": {"name": "series"}}, {"dense": {"name": "probabilities"}}], (8, 2)),
    ([{"residual": {"blocks": [{"conv": {"name": "sum"}}, {"conv": {"name": "shortcut", "filters": 3}}]}}], (8, 2)),
    ([{"residual": {"blocks": [{"conv": {"name": "activation"}}]}}], (8, 2)),
]


@pytest.mark.parametrize(("blocks", "shape"), NAMED, ids=str)
def test_a_block_may_be_named_as_what_the_model_adds(blocks, shape):
    import keras

    keras.utils.clear_session(free_memory=False)
    network = built(blocks, shape)
    for block in build.blocks_of(blocks):
        assert any(name.split("-")[0] == block.name for name in names(network))


# A backbone reads images alone; of tables, taps and several inputs there is none here.
ELSEWHERE = {"backbone", "entity_embedding", "merge", "inputs"}


@pytest.mark.parametrize("name", [name for name in registry.names() if name not in ELSEWHERE])
@pytest.mark.parametrize(("shape", "padded"), [((8, 4), True), ((6, 5, 4), False)], ids=str)
def test_what_stands_beside_a_block_never_keeps_a_name_from_another(name, shape, padded):
    import keras

    fields = {key: info.examples[0] for key, info in registry.get(name).model_fields.items() if info.is_required()}
    block = {name: {**fields, "name": "mine"}}
    keras.utils.clear_session(free_memory=False)
    first = built([block], shape, padded)
    ours = [each for each in first.operations if isinstance(each, keras.Layer)][1:-1]
    assert all(each.name.startswith(("mine", "scale")) or "--" in each.name for each in ours)
    others = [each.name for each in first.operations if "-" not in each.name and each.name != "mine"]
    keras.utils.clear_session(free_memory=False)
    network = built([block, *({"dense": {"name": other, "units": 2}} for other in others)], shape, padded)
    assert all(network.get_layer(other).units == 2 for other in others)
