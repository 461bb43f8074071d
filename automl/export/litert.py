"""LiteRT, formerly TensorFlow Lite: phones, microcontrollers, small machines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from automl.export import Arrays, Exporter, batches

if TYPE_CHECKING:
    import numpy as np


class Litert(Exporter):
    """Writes `model.tflite`, of LiteRT's own operations alone.

    Loops over lists need TensorFlow's operations, which the runtime does not bring, so the steps of recurrent layers
    are written out. Rounded to `float16` weights take half the room; to `int8` a quarter, and the runtime computes with
    whole numbers, in ranges learned from real examples; what goes in and comes out stays float32.

    Source: https://ai.google.dev/edge/litert.
    """

    suffix: ClassVar[str] = ".tflite"
    extra: ClassVar[str | None] = "litert"
    packages: ClassVar[tuple[str, ...]] = ("ai_edge_litert",)
    runtime: ClassVar[tuple[str, ...]] = ("ai-edge-litert",)

    quantize: Literal["float16", "int8"] | None = Field(
        None, description="Bits that weights are rounded to; null: not at all"
    )

    def refusal(self, model: Any) -> str | None:
        """Says where steps cannot be written out."""
        from automl.export._plain import unwritable

        return unwritable(model)

    def write(self, model: Any, folder: Path, examples: Arrays | None = None) -> Path:
        """Writes the file."""
        import tensorflow as tf

        from automl.export import _graph
        from automl.export._plain import plain

        path = folder / "model.tflite"
        with TemporaryDirectory() as room:
            _graph.save(plain(model, unroll=True), Path(room))
            converter = tf.lite.TFLiteConverter.from_saved_model(room)
            if self.quantize is not None:
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if self.quantize == "float16":
                converter.target_spec.supported_types = [tf.float16]
            if self.quantize == "int8":
                assert examples is not None
                converter.representative_dataset = lambda: batches(examples, 1)
            path.write_bytes(converter.convert())
        return path

    @staticmethod
    def load(path: str) -> Callable[[Arrays], np.ndarray]:
        """Loads the file."""
        from ai_edge_litert.interpreter import Interpreter

        model = Interpreter(path)
        details = model.get_input_details()
        places = {each["name"].removeprefix("serving_default_").split(":")[0]: each["index"] for each in details}
        (output,) = model.get_output_details()

        def predict(x: Arrays) -> np.ndarray:
            for name, place in places.items():
                model.resize_tensor_input(place, x[name].shape)
            model.allocate_tensors()
            for name, place in places.items():
                model.set_tensor(place, x[name])
            model.invoke()
            return model.get_tensor(output["index"])

        return predict
