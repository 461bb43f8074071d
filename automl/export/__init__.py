"""Export formats: one file per format."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from automl.registry import Member, Registry

if TYPE_CHECKING:
    import numpy as np

Arrays = Mapping[str, "np.ndarray"]
"""Raw examples as the model takes them, float32, by the names of its inputs."""


class Exporter(Member):
    """A format a model can be written in, and run from, so that every export can be checked against the original.

    `suffix` ends the name of the file that is written (none: a folder). `extra` is the optional dependency it needs
    (None: none) and `packages` what must be importable to write it; `runtime` is what pip installs to run it, beside
    NumPy. `backend` is the Keras backend of the process that writes it (None: any). `tolerance` is the largest absolute
    difference of its outputs from Keras's that counts as equal.
    """

    suffix: ClassVar[str] = ""
    extra: ClassVar[str | None] = None
    packages: ClassVar[tuple[str, ...]] = ()
    runtime: ClassVar[tuple[str, ...]]
    backend: ClassVar[str | None] = "tensorflow"
    tolerance: ClassVar[float] = 1e-4

    @property
    def is_rounded(self) -> bool:
        """Whether it holds the weights less exactly than Keras does: it is then judged by its score."""
        return False

    @property
    def label(self) -> str:
        """Its name, as a folder and a metric are called."""
        return registry.name_of(self)

    def refusal(self, model: Any) -> str | None:
        """Says why a Keras model cannot be written so, before any work; None where nothing speaks against it."""
        del model
        return None

    @abstractmethod
    def write(self, model: Any, folder: Path, examples: Arrays | None = None) -> Path:
        """Writes the Keras model into `folder`; returns the file or folder written.

        Args:
            model: It.
            folder: Where to.
            examples: Real ones, from which rounding learns the ranges of numbers.
        """

    @staticmethod
    @abstractmethod
    def load(path: str) -> Callable[[Arrays], np.ndarray]:
        """Loads what `write` wrote; returns what predicts a batch.

        Its source is copied into programs that do not have this package: it imports what it needs itself.
        """


registry: Registry[Exporter] = Registry("automl.export", Exporter, "export format")
