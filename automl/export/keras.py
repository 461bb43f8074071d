"""Keras's own format: one `.keras` file, read by every backend."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from automl.export import Exporter

if TYPE_CHECKING:
    import numpy as np


class Keras(Exporter):
    """Writes `model.keras`: layers and weights, without optimizer, loss and metrics.

    The model is made of stock layers, so it loads in `safe_mode` and in a process that does not have this package.
    """

    tolerance: ClassVar[float] = 1e-6

    def write(self, model: Any, folder: Path) -> Path:
        """Writes the file; a reader never sees half of one."""
        path, part = folder / "model.keras", folder / "part.keras"
        _bare(model).save(part)
        part.replace(path)
        return path

    def run(self, path: Path, x: np.ndarray) -> np.ndarray:
        """Loads the file as a stranger would, and predicts."""
        import keras

        return keras.saving.load_model(path, compile=False, safe_mode=True).predict(x, verbose=0)


def _bare(model: Any) -> Any:
    """Returns the model without what it was compiled with: its optimizer's copies of the weights, metrics of ours."""
    # One whose head alone was trained was never compiled; to build a large network again takes seconds.
    if not model.compiled:
        return model
    bare = type(model).from_config(model.get_config())
    bare.set_weights(model.get_weights())
    return bare
