"""How MLflow's pyfunc reads what a registered model is given: numbers of any type, in arrays or in lists.

A copy of this file lies beside every registered model, and is imported from there where this package is not installed.
"""

from __future__ import annotations

from typing import Any


class Predictor:
    """A Keras model that takes what can be read as numbers of its shape.

    Args:
        wrapped: MLflow's own wrapper of the model.
    """

    def __init__(self, wrapped: Any) -> None:
        self.wrapped = wrapped

    def get_raw_model(self) -> Any:
        """Returns the Keras model."""
        return self.wrapped.get_raw_model()

    def predict(self, data: Any, **_: Any) -> Any:
        """Returns the predictions for a batch.

        Args:
            data: An array, nested lists, or a table: with a column for each number, or one column of examples. For a
                model of several inputs a mapping, or a table, with all examples of each under its name.

        Raises:
            MlflowException: It is not numbers, or not of the model's shape.
        """
        import numpy as np
        from mlflow.exceptions import MlflowException

        model = self.get_raw_model()
        if len(model.inputs) > 1:
            names = [each.name for each in model.inputs]
            known = list(getattr(data, "keys", list)())
            if set(known) != set(names):
                expected, found = ", ".join(names), ", ".join(map(str, known)) or type(data).__name__
                raise MlflowException.invalid_parameter_value(
                    f"The input is not of the model's kind. Expected {expected}, by name; received {found}."
                )
            read = {each.name: _array(list(data[each.name]), each.shape, f"{each.name}: ") for each in model.inputs}
            size = len(next(iter(read.values())))
        else:
            if hasattr(data, "columns"):
                data = list(data.iloc[:, 0]) if len(data.columns) == 1 else data.to_numpy()
            read = _array(data, model.input_shape)
            size = len(read)
        if not size:  # Keras wants a batch to begin with
            return np.zeros((0, *model.output_shape[1:]), np.float32)
        return model.predict(read, verbose=0) if isinstance(read, dict) else self.wrapped.predict(read)


def _array(data: Any, shape: Any, of: str = "") -> Any:
    """Returns data as float32 of a shape; `of` says in messages which input it is.

    Raises:
        MlflowException: It is not of the shape, or not of finite numbers.
    """
    import numpy as np
    from mlflow.exceptions import MlflowException

    try:
        with np.errstate(over="ignore"):  # told below
            array = np.asarray(_real(data), dtype=np.float32)
    except (TypeError, ValueError) as error:
        hint = "Numbers are wanted, and examples of one length: pad shorter series on the right with NaN"
        raise MlflowException.invalid_parameter_value(f"{of}The input cannot be read: {error}. {hint}.") from error
    fits = len(array.shape) == len(shape) and all(
        size in (None, found) for size, found in zip(shape, array.shape, strict=True)
    )
    if not fits:
        expected = ", ".join("any" if size is None else str(size) for size in shape)
        found = ", ".join(map(str, array.shape))
        raise MlflowException.invalid_parameter_value(
            f"{of}The input has another shape than the model's. Expected ({expected}); received ({found})."
        )
    if np.isinf(array).any():
        raise MlflowException.invalid_parameter_value(
            f"{of}The input holds a number that is infinite, or beyond float32."
        )
    return array


def _real(data: Any) -> Any:
    """Returns the data as it is, unless its numbers are complex, of which NumPy drops the half.

    Raises:
        TypeError: They are.
    """
    import numpy as np

    if np.iscomplexobj(data):
        raise TypeError("its numbers are complex")
    return data


def _load_pyfunc(path: str) -> Predictor:
    """Loads the model; MLflow calls it by this name."""
    from mlflow import keras as flavor

    return Predictor(flavor.load._load_pyfunc(path))  # noqa: SLF001 - the flavour's own, which MLflow calls too
