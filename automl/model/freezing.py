"""Which layers of a model learn in a stage of its training. Imports Keras: for workers only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras

from automl.errors import Infeasible
from automl.model import pretrained
from automl.training.section import Stage


def backbones(network: keras.Model) -> list[keras.Model]:
    """Returns the networks inside of a network: what its backbones were built as."""
    return [layer for layer in network.layers if isinstance(layer, keras.Model)]


def freeze(network: keras.Model, stage: Stage, document: Mapping[str, Any]) -> None:
    """Sets which layers of the backbones learn; must come before the model is compiled for the stage.

    Frozen batch normalisation is in inference mode: Keras's rule for `trainable`. To call the backbone with
    `training=False`, as Keras's guide does, is not enough: in Keras 3.15 `fit` puts its own `training=True` above it.

    Args:
        network: The whole model. All layers outside of its backbones learn.
        stage: What is unfrozen: nothing, all, or a share of the layers with weights, counted from the head.
        document: The resolved document of the trial, which says whether batch normalisation learns at all.

    Raises:
        Infeasible: There is nothing to freeze.
    """
    found = backbones(network)
    if not found and stage.unfreeze != "all":
        raise Infeasible("training.phases: unfreeze needs a backbone among the blocks, and there is none")
    block = pretrained.backbone(document)
    never = () if block is None or block.trains_batch_norm else (keras.layers.BatchNormalization,)
    for backbone in found:
        layers = [layer for layer in backbone.layers if layer.weights]
        learning = _count(stage.unfreeze, len(layers))
        backbone.trainable = learning > 0
        for place, layer in enumerate(layers):
            layer.trainable = place >= len(layers) - learning and not isinstance(layer, never)


def is_frozen(network: keras.Model) -> bool:
    """Tells whether nothing in the backbones learns, and there is one."""
    found = backbones(network)
    return bool(found) and not any(backbone.trainable_variables for backbone in found)


def _count(unfreeze: str | float, layers: int) -> int:
    if isinstance(unfreeze, str):
        return {"none": 0, "all": layers}[unfreeze]
    return math.ceil(unfreeze * layers)


def behind(network: keras.Model, layer: str) -> Any:
    """Returns the part of a network that reads the output of a layer, as a model that shares all its weights."""
    return keras.Model(network.get_layer(layer).output, network.output, name="head")
