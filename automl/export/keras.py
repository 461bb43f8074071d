"""Keras's own format: one `.keras` file, read by every backend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from automl.export import Arrays, Exporter

if TYPE_CHECKING:
    import numpy as np


class Keras(Exporter):
    """Writes `model.keras`: layers and weights, without optimizer, loss and metrics.

    The model is made of stock layers, so it loads in `safe_mode` and in a process that does not have this package.

    Source: https://keras.io/guides/serialization_and_saving
    """

    suffix: ClassVar[str] = ".keras"
    runtime: ClassVar[tuple[str, ...]] = ("keras", "tensorflow")
    backend: ClassVar[str | None] = None
    tolerance: ClassVar[float] = 1e-6

    def write(self, model: Any, folder: Path, examples: Arrays | None = None) -> Path:
        """Writes the file; a reader never sees half of one."""
        del examples
        path, part = folder / "model.keras", folder / "part.keras"
        _bare(model).save(part)
        part.replace(path)
        return path

    @staticmethod
    def load(path: str) -> Callable[[Arrays], np.ndarray]:
        """Loads the file as a stranger would."""
        import keras

        model = keras.saving.load_model(path, compile=False, safe_mode=True)

        def predict(x: Arrays) -> np.ndarray:
            return model.predict_on_batch(x if len(x) > 1 else next(iter(x.values())))

        return predict


def _bare(model: Any) -> Any:
    """Returns the model without what it was compiled with: its optimizer's copies of the weights, metrics of ours."""
    # One whose head alone was trained was never compiled; to build a large network again takes seconds.
    if not model.compiled:
        return model
    bare = type(model).from_config(model.get_config())
    bare.set_weights(model.get_weights())
    return bare
