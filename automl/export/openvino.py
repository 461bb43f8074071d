"""OpenVINO: Intel's runtime for its processors and graphics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar

from automl.export import Arrays, Exporter

if TYPE_CHECKING:
    import numpy as np


class Openvino(Exporter):
    """Writes `model.xml`, and `model.bin` with the weights beside it, which keep their 32 bits.

    It has no rule for TensorFlow's loops over lists, so the steps of recurrent layers are written out.

    Source: https://docs.openvino.ai.
    """

    suffix: ClassVar[str] = ".xml"
    extra: ClassVar[str | None] = "openvino"
    packages: ClassVar[tuple[str, ...]] = ("openvino",)
    runtime: ClassVar[tuple[str, ...]] = ("openvino",)
    tolerance: ClassVar[float] = 1e-2

    def refusal(self, model: Any) -> str | None:
        """Says where steps cannot be written out."""
        from automl.export._plain import unwritable

        return unwritable(model)

    def write(self, model: Any, folder: Path, examples: Arrays | None = None) -> Path:
        """Writes the two files."""
        import openvino

        from automl.export import _graph
        from automl.export._plain import plain

        del examples
        path = folder / "model.xml"
        with TemporaryDirectory() as room:
            _graph.save(plain(model, unroll=True), Path(room))
            openvino.save_model(openvino.convert_model(room), str(path), compress_to_fp16=False)
        return path

    @staticmethod
    def load(path: str) -> Callable[[Arrays], np.ndarray]:
        """Loads the files; it would compute with fewer bits where the processor has such units."""
        import openvino

        model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

        def predict(x: Arrays) -> np.ndarray:
            return model(dict(x))[0].copy()

        return predict
