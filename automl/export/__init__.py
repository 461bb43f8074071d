"""Export formats: one file per format."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, get_args

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

    @classmethod
    def roundings(cls) -> tuple[str, ...]:
        """Returns what weights can be rounded to: the words of the field `quantize`, of a format that has it."""
        field = cls.model_fields.get("quantize")
        return () if field is None else tuple(word for each in get_args(field.annotation) for word in get_args(each))

    @property
    def rounding(self) -> str | None:
        """What its weights are rounded to: it is then judged by its score; None where they are as exact as Keras's."""
        return getattr(self, "quantize", None)

    @property
    def label(self) -> str:
        """Its name and its rounding, as a folder and a metric are called."""
        return "-".join(filter(None, [registry.name_of(self), self.rounding]))

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


def batches(examples: Arrays, size: int) -> Iterator[dict[str, np.ndarray]]:
    """Yields examples in their order, so many at a time."""
    count = len(next(iter(examples.values())))
    return ({name: x[start : start + size] for name, x in examples.items()} for start in range(0, count, size))


registry: Registry[Exporter] = Registry("automl.export", Exporter, "export format")
