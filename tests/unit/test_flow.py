"""Shapes told without Keras are those of the models that are built."""

import random
from dataclasses import replace

import numpy as np
import pytest
import specs
import sweeps

from automl import blocks, flow
from automl.blocks import KINDS, Block
from automl.blocks._chain import JOINTS, SHAPE_JOINTS, Chain
from automl.document import catalog
from automl.errors import ConfigError, Infeasible
from automl.experiment import experiment
from automl.flow import Flow, Shape, Unknown
from automl.model import build

SIDES = {"feature_map": [(6, 4), (6, 5, 4), (1, 3), (1, 2, 3)], "sequence": [(6, 4), (1, 3)], "vector": [(5,)]}
TABLE = Shape("table", (5,), categories=(4, 3))
TRIALS, TRIALS_IF_DEEP = sweeps.part((12, 4), (24, 8))
"""Of each shipped space; a network of many layers takes a second to build."""
PRETRAINED = ("finetune_image", "pretrained_image")
"""What a network of Keras's makes of a size is known to Keras alone."""
DEEP = ("densenet", "inception_time", "mobilenet", "resnet", "resnet1d", "tcn")


def required(kind):
    fields = blocks.registry.get(kind).model_fields
    return {key: info.examples[0] for key, info in fields.items() if info.is_required()}


def outcome(give):
    """What a chain gives: kind and sides, or why not."""
    try:
        found = give()
    except Infeasible as error:
        return str(error)
    return (found.kind, found.sides if isinstance(found, Shape) else tuple(found.x.shape[1:]))


def both(items, shape, ends):
    import keras

    def built():
        flow = Flow(keras.Input(shape.sides), shape.kind, categories=shape.categories)
        flow = replace(flow, taps=dict.fromkeys(shape.taps, flow))
        return Chain.read(items, "model").connect(flow, ends, "the input", "head")

    told = outcome(lambda: Chain.read(items, "model").shape(shape, ends, "the input", "head"))
    assert told == outcome(built)
    return told


# What a backbone makes of a size is known to Keras alone.
@pytest.mark.parametrize("name", [name for name in blocks.registry.names() if name != "backbone"])
def test_every_block_tells_the_shape_that_it_gives(name):
    assert blocks.registry.get(name).shape is not Block.shape
    found = [
        both([{name: required(name)}], replace(given, taps={"down": given}), (wanted,))
        for given in [*(Shape(kind, sides) for kind in KINDS for sides in SIDES[kind]), TABLE]
        for wanted in KINDS
    ]
    assert any(isinstance(each, tuple) for each in found)


CONVS = [
    {"kernel_size": 3, "padding": "valid"},
    {"kernel_size": 3, "padding": "valid", "stride": 2},
    {"kernel_size": 4, "stride": 3},
    {"kernel_size": [2, 5], "padding": "valid"},
    {"kernel_size": 12},
    {"dilation": 2, "padding": "valid"},
    {"dilation": 2, "stride": 2},
    {"pool": "max"},
    {"pool": "avg", "pool_size": 7},
    {"norm": "group", "filters": 12},
    {"norm": "group", "filters": 12, "norm_groups": 3, "stride": [1, 2]},
]
LISTS = [
    *([{"conv": fields}] for fields in CONVS),
    [{"pool": {"size": 3, "stride": 2}}, {"pool": {"size": 2, "padding": "same"}}],
    [{"pool": {"size": 3, "stride": 2, "padding": "same"}}, "recurrent"],
    [{"recurrent": {"repeat": 2, "units": 5, "bidirectional": True}}, "conv", {"global_pool": {"kind": "max"}}],
    ["dense", "conv"],
    [{"residual": {"blocks": [{"conv": {"filters": 8, "stride": 2}}, {"conv": {"filters": 8}}]}}],
    [{"residual": {"blocks": [{"conv": {"filters": 8, "padding": "valid", "stride": 2}}], "norm": "group"}}],
    [{"residual": {"blocks": [{"conv": {"filters": 6}}], "norm": "group"}}],
    [{"residual": {"blocks": ["dense"], "norm": "group"}}],
    [{"residual": {"blocks": [{"recurrent": {"units": 7}}]}}],
    [{"residual": {"blocks": []}}],
    [{"residual": {"blocks": [{"pool": {"size": 1}}], "projection": "always", "norm": "group"}}],
    [{"residual_unit": {"kind": "bottleneck", "filters": 8, "stride": 2, "norm": "group"}}],
    [{"residual_unit": {"repeat": 2, "filters": 8, "kernel_size": 5, "stride": {"each": [2, 1]}}}],
    [{"residual_unit": {"pre_activation": True, "filters": 8, "stride": 2, "norm": "group"}}],
    [{"residual_unit": {"pre_activation": True, "kind": "bottleneck", "filters": 8}}, {"normalize": {"norm": "layer"}}],
    [{"conv": {"padding": "causal", "dilation": 8}}],
    [{"conv": {"padding": "causal", "stride": 3}}],
    [{"normalize": {"norm": "group", "norm_groups": 2}}],
    [{"separable": {"kind": "plain", "stride": 2, "padding": "valid", "depth_multiplier": 2}}],
    [{"separable": {"norm": "group", "norm_groups": 3}}],
    [{"inception": {"kernel_sizes": [1, 9], "filters": 3, "bottleneck": 2}}],
    [{"inception": {"kernel_sizes": [[1, 3], [3, 1]], "bottleneck": None, "pool_size": 2, "norm": "group"}}],
    [{"dense_block": {"layers": 2, "growth_rate": 3, "transition": "max", "compression": 0.3}}],
    [{"dense_block": {"layers": 2, "growth_rate": 4, "bottleneck": None, "norm": "group", "norm_groups": 4}}],
    [{"temporal": {"repeat": 3, "dilation": {"each": [1, 2, 4]}}}],
    [{"temporal": {"filters": 3}}, "squeeze_excite"],
    [{"attention": {"kind": "additive"}}, "dense"],
    [{"attention": {"num_heads": 2}}, {"embedding": {"output_dim": 3}}],
    [{"conv_lstm": {"window": 3, "filters": 2}}, "normalize"],
    [{"conv_lstm": {"window": 2, "return_sequences": False}}],
    [{"stack": {"repeat": 2, "blocks": [{"conv": {"filters": 3}}, {"pool": {"size": 2}}]}}],
    [{"stack": {"blocks": []}}, "dense"],
    [{"parallel": {"branches": [[], [{"conv": {"stride": 2}}]]}}],
    [{"parallel": {"branches": [["global_pool"], ["flatten"]]}}],
    [{"parallel": {"branches": [[{"conv": {"filters": 4}}], [{"conv": {"filters": 5}}]], "merge": "add"}}],
    [{"parallel": {"branches": [["recurrent"], [{"conv": {"filters": 4}}]]}}, "conv"],
    [{"parallel": {"branches": [[{"conv": {"kernel_size": 9}}], ["conv"]]}}],
]


@pytest.mark.parametrize("items", LISTS, ids=str)
def test_a_list_of_blocks_ends_where_its_model_does(items):
    for kind in KINDS:
        for sides in SIDES[kind]:
            both(items, Shape(kind, sides), ("vector",))


def test_the_same_joints_are_there_for_shapes():
    assert set(SHAPE_JOINTS) == set(JOINTS)


@pytest.mark.parametrize(
    "items",
    [
        [{"SpatialDropout1D": {"rate": 0.2}}],
        ["conv", {"LayerNormalization": {}}, {"conv": {"kernel_size": 99}}],
        ["recurrent", {"stack": {"blocks": [{"residual": {"blocks": [{"LayerNormalization": {}}]}}]}}],
    ],
    ids=str,
)
def test_nothing_is_told_behind_a_keras_layer(items):
    with pytest.raises(Unknown):
        Chain.read(items).shape(Shape("feature_map", (6, 4)), ("vector",), "the input", "head")


def test_what_does_not_fit_before_a_keras_layer_is_told():
    items = [{"conv": {"kernel_size": 99}}, {"LayerNormalization": {}}]
    with pytest.raises(Infeasible, match="kernel_size 99 is larger than its input 6"):
        Chain.read(items).shape(Shape("feature_map", (6, 4)), ("vector",), "the input", "head")


def test_reads_a_written_shape():
    assert flow.read("28x14x3") == Shape("feature_map", (28, 14, 3))
    assert flow.read("150x2") == Shape("sequence", (150, 2))
    assert str(flow.read("28x14x3")) == "28x14x3"
    for text in ("28", "0x1", "28x28x1x1", "28 x 28", ""):
        with pytest.raises(ConfigError, match="not a shape"):
            flow.read(text)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in catalog.names(catalog.SPACES) if name not in (*PRETRAINED, "table")])
def test_trials_of_a_shipped_space_end_where_their_models_do(name):
    import keras

    def built():
        # The joints stand before the head, the model's last layer.
        return build.build(resolved, build.data_of(sides, 3)).layers[-1].input.shape[1:]

    def told():
        shape = flow.of_example(sides)
        before = "the image" if len(sides) == 3 else "the series"
        return Chain.read(resolved["model"], "model").shape(shape, ("vector",), before, "head").sides

    def tried(give):
        try:
            return tuple(give())
        except Infeasible as error:
            return str(error)

    read, generator = experiment.load(name), random.Random(0)
    found = []
    for _ in range(TRIALS_IF_DEEP if name in DEEP else TRIALS):
        resolved = read.space.resolve(read.space.draw(generator))
        side = generator.choice((1, 3, 7, 8, 12, 20, 28))
        sides = generator.choice(((side, side + 1, 3), (side, 2)))
        keras.utils.clear_session(free_memory=False)
        assert tried(told) == tried(built)
        found.append(tried(told))
    assert any(isinstance(each, tuple) for each in found)


@pytest.mark.slow
def test_trials_of_the_space_of_tables_end_where_their_models_do():
    read, generator = experiment.load("table"), random.Random(0)
    columns = {"x": np.random.default_rng(0).normal(size=(30, 4)), "a": np.array([*"xyz"] * 10), "b": np.arange(30)}
    given, _ = specs.read({"table": {"categories": ["b"]}}, columns)
    data = specs.classified(given, "pqr")
    for _ in range(TRIALS):
        resolved = read.space.resolve(read.space.draw(generator))
        told = (
            Chain.read(resolved["model"], "model").shape(build.entrance(data), ("vector",), "the table", "head").sides
        )
        assert tuple(told) == build.build(resolved, data).layers[-1].input.shape[1:]
