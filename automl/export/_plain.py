"""A Keras model made plain for other runtimes: float32, no cuDNN kernels, loops written out. Imports Keras."""

from __future__ import annotations

from typing import Any

import keras

RECURRENT = ("SimpleRNN", "LSTM", "GRU")

MOST_STEPS = 2_000
"""Steps of all recurrent layers together that are written out: of more, converters take minutes and gigabytes."""


def plain(model: keras.Model, *, unroll: bool) -> keras.Model:
    """Returns a copy that computes the same, in float32 whatever it was trained in.

    Args:
        model: It.
        unroll: Write the steps of recurrent layers out one by one, for runtimes that know no loops.
    """
    config = model.get_config()
    _change(config, {"unroll": unroll})
    copy = type(model).from_config(config)
    copy.set_weights(model.get_weights())
    for layer in copy._flatten_layers():  # noqa: SLF001 - `layers` leaves inner ones out
        # No field of its configuration says it.
        if hasattr(layer, "use_cudnn"):
            layer.use_cudnn = False
        if unroll and isinstance(layer, keras.layers.Bidirectional):
            # Keras 3.15 lays the mask over the steps in the wrong order where it unrolls them backwards. Without it the
            # padded steps, which come first there, are the zeros that the state begins with: what the mask is for.
            layer.backward_layer.zero_output_for_mask = False
    return copy


def _change(config: Any, recurrent: dict[str, Any]) -> None:
    """Changes the configuration of all layers, those inside others too."""
    if isinstance(config, dict):
        inner = config.get("config")
        if isinstance(inner, dict):
            if "class_name" in config and "dtype" in inner and config["class_name"] != "InputLayer":
                inner["dtype"] = "float32"
            if config.get("class_name") in RECURRENT:
                inner.update(recurrent)
        for value in config.values():
            _change(value, recurrent)
    elif isinstance(config, list | tuple):
        for value in config:
            _change(value, recurrent)


def steps(model: keras.Model) -> int | None:
    """Returns how many steps all recurrent layers have together, both directions counted; None for any number."""
    layers = [each for each in model._flatten_layers() if isinstance(each, keras.layers.RNN)]  # noqa: SLF001 - as above
    counts = [next(iter(each._build_shapes_dict.values()))[1] for each in layers]  # noqa: SLF001 - no public word
    return None if None in counts else sum(counts)


def unwritable(model: keras.Model) -> str | None:
    """Says why the steps of a model cannot be written out; None where they can."""
    count = steps(model)
    if count is None:
        return "its recurrent layers read series of any length, and their steps have to be written out one by one"
    if count > MOST_STEPS:
        return (
            f"its recurrent layers have {count:,} steps to be written out one by one. Expected {MOST_STEPS:,} at most"
        )
    return None
