"""A Keras model as a graph of TensorFlow's that holds its weights: what converters read. Imports TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

OUTPUT = "output"


def frozen(model: Any) -> Any:
    """Returns the model's answer to examples, as one function without variables, its arguments in `names`' order."""

    def call(*x: Any) -> Any:
        given = dict(zip(names(model), x, strict=True))
        return tf.identity(model(given if len(x) > 1 else x[0], training=False), name=OUTPUT)

    by_name = {each.name: each for each in model.inputs}
    wanted = [tf.TensorSpec(by_name[name].shape, tf.float32, name=name) for name in names(model)]
    function = tf.function(call).get_concrete_function(*wanted)
    # Loops stay loops: what is lowered to jumps no converter knows.
    return convert_variables_to_constants_v2(function, lower_control_flow=False)


def names(model: Any) -> list[str]:
    """Returns the names of a model's inputs, sorted, as TensorFlow orders what goes by name."""
    return sorted(each.name for each in model.inputs)


def save(model: Any, folder: Path) -> None:
    """Writes the frozen model as a SavedModel with one signature, its inputs and `output` by name."""
    function = frozen(model)
    by_name = {each.name: tf.TensorSpec(each.shape, tf.float32, name=each.name) for each in model.inputs}
    kept = tf.Module()
    kept.serve = tf.function(
        lambda x: {OUTPUT: function(*(x[name] for name in names(model)))[0]}, input_signature=[by_name]
    )
    tf.saved_model.save(kept, str(folder), signatures=kept.serve)
