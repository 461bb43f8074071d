"""Several trained models as one, whose answer is their mean. Imports Keras."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras

from automl import export
from automl.model import saved


def join(files: Sequence[Path], folder: Path) -> tuple[Path, int]:
    """Writes a model of stock layers that gives the mean of what several give for the same examples.

    Of probabilities that is a mixture of their distributions, of numbers their mean.

    Args:
        files: Keras files of models with the same inputs and outputs.
        folder: Where to write `model.keras`.

    Returns:
        The file, and the number of its weights.

    Source: Lakshminarayanan et al. 2017, https://arxiv.org/abs/1612.01474, equation above section 2.5 (the mixture of
    networks that differ by their seeds).
    """
    members = [saved.load(file) for file in files]
    for number, member in enumerate(members, 1):
        member.name = f"member_{number}"
    (first, *_) = members
    begins = {each.name: keras.Input(each.shape[1:], dtype="float32", name=each.name) for each in first.inputs}
    given = begins if len(begins) > 1 else next(iter(begins.values()))
    outputs = [member(given) for member in members]
    output = keras.layers.Average(name="mean")(outputs) if len(outputs) > 1 else outputs[0]
    whole = keras.Model(given, output, name="model")
    return export.registry.read("keras").write(whole, folder), whole.count_params()
