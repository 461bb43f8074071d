"""TensorFlow's SavedModel: a folder for TensorFlow Serving, and for every program with TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from automl.export import Arrays, Exporter

if TYPE_CHECKING:
    import numpy as np


class SavedModel(Exporter):
    """Writes the folder `model` with one signature, `serve`: a batch of raw examples in, the model's answer out.

    Source: https://www.tensorflow.org/guide/saved_model; Keras's `model.export`.
    """

    runtime: ClassVar[tuple[str, ...]] = ("tensorflow",)

    def write(self, model: Any, folder: Path, examples: Arrays | None = None) -> Path:
        """Writes the folder."""
        from automl.export._plain import plain

        del examples
        path = folder / "model"
        plain(model, unroll=False).export(str(path), format="tf_saved_model", verbose=False)
        return path

    @staticmethod
    def load(path: str) -> Callable[[Arrays], np.ndarray]:
        """Loads the folder."""
        import tensorflow as tf

        model = tf.saved_model.load(path)

        def predict(x: Arrays) -> np.ndarray:
            return model.serve(x if len(x) > 1 else next(iter(x.values()))).numpy()

        return predict
