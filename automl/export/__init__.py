"""Export formats: one file per format."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from automl.registry import Member, Registry

if TYPE_CHECKING:
    import numpy as np


class Exporter(Member):
    """A format a model can be written in, and run from, so that every export can be checked against the original.

    `extra` is the optional dependency it needs (None: none), `tolerance` the largest absolute difference of its outputs
    from Keras's that counts as equal.
    """

    extra: ClassVar[str | None] = None
    tolerance: ClassVar[float] = 1e-5

    @abstractmethod
    def write(self, model: Any, folder: Path) -> Path:
        """Writes the Keras model into `folder`; returns the file or folder written."""

    @abstractmethod
    def run(self, path: Path, x: np.ndarray) -> np.ndarray:
        """Loads what `write` wrote and runs it on raw inputs `x`."""


registry: Registry[Exporter] = Registry("automl.export", Exporter, "export format")
