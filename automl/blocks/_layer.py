"""Any Keras layer as a block, by its class name: `SpatialDropout1D: {rate: 0.2}`.

A document cannot run code through it: stock layers only, none that calls a function or loads a program, and arguments
are plain literals (a mapping could name a class to build, so there is none).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, JsonValue

from automl.blocks import KINDS, Block, _stock
from automl.blocks._valid import batch_norm_mask, every_nth, keras_mask, zeroed
from automl.errors import Infeasible, did_you_mean, shorten
from automl.flow import Flow, Kind
from automl.machine import keras_backend

_CODE = "it runs code from outside of the document"
_PART = "it is a part of other layers"
_NEEDS_LAYER = "it needs a layer as its argument"
_SEVERAL = "it needs several inputs"
_LABELS = "it changes the targets as well"
_READS = "it reads no float features"
REFUSED = {
    **dict.fromkeys(("Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"), _CODE),
    **dict.fromkeys(("Layer", "Wrapper", "InputLayer", "SimpleRNNCell", "LSTMCell", "GRUCell"), _PART),
    **dict.fromkeys(
        ("RNN", "StackedRNNCells", "Bidirectional", "TimeDistributed", "SpectralNormalization"), _NEEDS_LAYER
    ),
    **dict.fromkeys(("Pipeline", "RandomApply", "RandomChoice"), _NEEDS_LAYER),
    **dict.fromkeys(("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"), _SEVERAL),
    **dict.fromkeys(("AdditiveAttention", "Attention", "GroupQueryAttention", "MultiHeadAttention"), _SEVERAL),
    **dict.fromkeys(("CutMix", "MixUp", "MaxNumBoundingBoxes"), _LABELS),
    **dict.fromkeys(("CategoryEncoding", "Discretization", "Embedding", "Hashing", "HashedCrossing"), _READS),
    **dict.fromkeys(("IntegerLookup", "ReversibleEmbedding", "StringLookup", "TextVectorization"), _READS),
    "Masking": "padded steps are known to the model already",
}
_CLASS_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")


class KerasLayer(Block):
    """A stock Keras layer.

    Input:
        The rank the layer reads; padded steps are zeros, and are skipped by layers that can.

    Output:
        Rank 2 is a vector, rank 3 a sequence where it was one, else a feature map, rank 4 a feature map.
    """

    takes: ClassVar[tuple[Kind, ...]] = KINDS
    yields: ClassVar[tuple[Kind, ...]] = KINDS

    layer: str = Field(description="Class name in keras.layers.")
    arguments: dict[str, JsonValue] = Field(default_factory=dict, description="The layer's arguments: plain literals.")

    def accepts(self) -> tuple[Kind, ...]:
        """Returns the kinds whose rank the layer reads."""
        import keras

        layer = self._build()
        spec = getattr(layer, "input_spec", None)
        rank = getattr(spec, "ndim", None)
        at_least = rank or getattr(spec, "min_ndim", None) or 0
        if isinstance(layer, keras.layers.RNN) and rank == 3:
            return ("sequence",)
        if rank == 2:
            return ("vector",)
        if at_least >= 4:
            return ("feature_map",)
        return ("feature_map", "sequence") if at_least == 3 else KINDS

    def hands_on(self) -> bool:
        """Tells whether the layer reads any rank."""
        return self.accepts() == KINDS

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:  # noqa: ARG002 - the layer alone says what it yields
        """Adds the layer to a flow whose rank it reads."""
        import keras

        layer = self._build(self.label())
        layers = keras.layers
        mask: dict[str, Any] = {}
        if isinstance(layer, (layers.RNN, layers.GlobalAveragePooling1D)):
            mask = keras_mask(flow.valid)
        elif isinstance(layer, layers.BatchNormalization):
            mask = batch_norm_mask(flow.x, flow.valid)
        try:
            x = layer(zeroed(flow.x, flow.valid), **mask)
        except TypeError as error:  # Keras's own way to say that a layer does not fit its input, here and there
            raise Infeasible(str(error)) from error
        rank = len(getattr(x, "shape", ()))
        if rank not in (2, 3, 4):
            raise Infeasible(f"the layer yields {rank or 'several'} axes. Expected 2, 3 or 4, the batch included")
        if rank == 2:
            return Flow(x, "vector")
        kind: Kind = "sequence" if rank == 3 and flow.kind == "sequence" else "feature_map"
        valid = self._valid(layer, x, flow) if rank == 3 else None
        return Flow(zeroed(x, valid), kind, valid)

    def _valid(self, layer: Any, x: Any, flow: Flow) -> Any:
        """Returns which steps are valid behind the layer; None where that cannot be told: padding is then data."""
        if flow.valid is None or x.shape[1] == flow.valid.shape[1]:
            return flow.valid
        strides = getattr(layer, "strides", None)
        stride = strides[0] if isinstance(strides, (tuple, list)) else strides
        # Only what walks over the steps shortens them this way: transposed layers, crops and zero paddings do not.
        if isinstance(stride, int) and x.shape[1] <= -(-flow.valid.shape[1] // stride):
            return every_nth(flow.valid, stride, x.shape[1])
        return None

    def _build(self, name: str | None = None) -> Any:
        problems = check(self.layer, self.arguments)
        if problems:
            raise Infeasible("; ".join(message for _, message in problems))
        import keras

        return getattr(keras.layers, self.layer)(**self.arguments, name=name)


def is_layer_name(name: str) -> bool:
    """Tells whether a block's name is meant as a Keras layer's class name; imports no Keras."""
    return _CLASS_NAME.fullmatch(name) is not None


def check(name: str, arguments: Mapping[str, Any]) -> list[tuple[str | None, str]]:
    """Checks a layer and its arguments; imports Keras only where the table of its layers does not know the answer.

    Args:
        name: Class name.
        arguments: Argument to literal. Objects that stand for a searched value (no JSON type, or `{each: [...]}`)
            are checked by their argument's name only.

    Returns:
        The problems found, each with the argument it concerns (None: the layer itself).
    """
    if name in REFUSED:
        return [(None, f"{name} cannot be a block: {REFUSED[name]}")]
    stock = _stock.table()
    if stock is None:
        layers = _layers()
        layer = layers.get(name)
        known, required = _stock.arguments_of(layer) if layer is not None else ([], [])
        names = [*layers]
    else:
        names = [*stock]
        known, required = (stock[name].arguments, stock[name].required) if name in stock else ([], [])
    if name not in names:
        return [(None, " ".join(filter(None, [f"Keras has no layer {name!r}.", did_you_mean(name, names)])))]
    problems: list[tuple[str | None, str]] = []
    for argument, value in arguments.items():
        if argument not in known:
            hint = did_you_mean(argument, known) or f"Expected one of {', '.join(known)}"
            problems.append((argument, f"{name} has no argument {argument!r}. {hint}"))
        elif isinstance(value, dict) and set(value) != {"each"}:
            problems.append((argument, f"{argument} must be a plain literal; received {shorten(value)}"))
    missing = [argument for argument in required if argument not in arguments]
    if missing:
        problems.append((None, f"{name} needs {', '.join(missing)}"))
    if problems or not all(_is_plain(value) for value in arguments.values()):
        return problems
    if stock is not None and stock[name].takes(arguments):
        return []
    try:
        _layers()[name](**arguments)
    except (ValueError, TypeError) as error:
        return [(None, " ".join(str(error).split()))]
    return []


def _layers() -> dict[str, Any]:
    """Returns Keras's own layers that can be blocks; imports Keras."""
    keras_backend.import_keras()
    import keras

    found = {name: getattr(keras.layers, name) for name in dir(keras.layers) if is_layer_name(name)}
    base = keras.layers.Layer
    return {k: v for k, v in found.items() if k not in REFUSED and inspect.isclass(v) and issubclass(v, base)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str))
