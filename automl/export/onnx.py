"""ONNX: one file that runs in ONNX Runtime, in the browser, on servers and phones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from automl.export import Arrays, Exporter, batches

if TYPE_CHECKING:
    import numpy as np

OPSET = 17


class Onnx(Exporter):
    """Writes `model.onnx`. Recurrent layers stay loops, so that series may have any length and the file stays small.

    Rounded to `int8`, weights and what flows between layers have 8 bits, in ranges learned from real examples.

    Source: https://onnx.ai; tf2onnx, https://github.com/onnx/tensorflow-onnx.
    """

    suffix: ClassVar[str] = ".onnx"
    extra: ClassVar[str | None] = "onnx"
    packages: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime", "tf2onnx")
    runtime: ClassVar[tuple[str, ...]] = ("onnxruntime",)

    quantize: Literal["int8"] | None = Field(None, description="Bits that weights are rounded to; null: not at all")

    def write(self, model: Any, folder: Path, examples: Arrays | None = None) -> Path:
        """Writes the file."""
        from automl.export._plain import plain

        path = folder / "model.onnx"
        if self.quantize is None:
            convert(plain(model, unroll=False), path)
            return path
        assert examples is not None
        convert(plain(model, unroll=False), folder / "whole.onnx")
        _round(folder / "whole.onnx", path, examples)
        (folder / "whole.onnx").unlink()
        return path

    @staticmethod
    def load(path: str) -> Callable[[Arrays], np.ndarray]:
        """Loads the file."""
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

        def predict(x: Arrays) -> np.ndarray:
            return session.run(None, dict(x))[0]

        return predict


def convert(model: Any, path: Path) -> None:
    """Writes a plain Keras model as ONNX; its inputs keep their names."""
    import tf2onnx

    from automl.export import _graph

    function = _graph.frozen(model)
    inputs, (output,) = [each.name for each in function.inputs], [each.name for each in function.outputs]
    called = {name: name.split(":")[0] for name in inputs} | {output: _graph.OUTPUT}
    tf2onnx.convert.from_graph_def(
        function.graph.as_graph_def(),
        input_names=inputs,
        output_names=[output],
        opset=OPSET,
        tensors_to_rename=called,
        output_path=str(path),
    )


def _round(whole: Path, path: Path, examples: Arrays) -> None:
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self._left = batches(examples, 16)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self._left, None)

    ready = whole.with_name("ready.onnx")
    quant_pre_process(str(whole), str(ready), skip_symbolic_shape=True)
    quantization.quantize_static(
        str(ready),
        str(path),
        Reader(),
        per_channel=True,
        # Sums and products of few numbers, as those that scale an example, lose much and save nothing.
        op_types_to_quantize=["Conv", "MatMul", "Gemm"],
    )
    ready.unlink()
