"""PyTorch's exported program: a `.pt2` file that PyTorch runs without Keras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from automl.export import Arrays, Exporter

if TYPE_CHECKING:
    import numpy as np


class Torch(Exporter):
    """Writes `model.pt2`, of one example at a time: `torch.export` holds the batch that Keras's layers are traced with.

    Source: https://docs.pytorch.org/docs/stable/export.html.
    """

    suffix: ClassVar[str] = ".pt2"
    extra: ClassVar[str | None] = "torch"
    packages: ClassVar[tuple[str, ...]] = ("torch",)
    runtime: ClassVar[tuple[str, ...]] = ("torch",)
    backend: ClassVar[str | None] = "torch"

    def write(self, model: Any, folder: Path, examples: Arrays | None = None) -> Path:
        """Writes the file."""
        import torch

        from automl.export._plain import plain

        del examples
        path = folder / "model.pt2"
        copy = plain(model, unroll=False).cpu().eval()
        single = {each.name: torch.zeros((1, *(side or 1 for side in each.shape[1:]))) for each in model.inputs}
        given = single if len(single) > 1 else next(iter(single.values()))
        with torch.no_grad():
            torch.export.save(torch.export.export(copy, (given,), strict=False), path)
        return path

    @staticmethod
    def load(path: str) -> Callable[[Arrays], np.ndarray]:
        """Loads the file; what it answers to single examples is put together."""
        import numpy as np
        import torch

        model = torch.export.load(path).module()

        def predict(x: Arrays) -> np.ndarray:
            count = len(next(iter(x.values())))
            singles = ({name: torch.from_numpy(each[i : i + 1]) for name, each in x.items()} for i in range(count))
            with torch.no_grad():
                found = [model(one if len(one) > 1 else next(iter(one.values()))).numpy() for one in singles]
            return np.concatenate(found)

        return predict
