"""How MLflow's pyfunc reads what a registered model is given, raw rows or numbers of any type, and what it answers.

A copy of this file lies beside every registered model, and is imported from there where this package is not installed.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any


class Predictor:
    """A Keras model that takes raw examples, and gives answers in words.

    Args:
        wrapped: MLflow's own wrapper of the model.
        reading: The module `automl_reading` beside the model, and what it reads; None of a model that an earlier
            version of automl registered: outputs are all it gives.
    """

    def __init__(self, wrapped: Any, reading: tuple[Any, dict[str, Any]] | None = None) -> None:
        self.wrapped = wrapped
        self._reading = reading

    def get_raw_model(self) -> Any:
        """Returns the Keras model."""
        return self.wrapped.get_raw_model()

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Returns the predictions for a batch.

        Args:
            data: An array, nested lists, or a table: with the columns of the data set, a column for each number, or one
                column of examples; records, or columns by name, are such a table. For a model of several inputs a
                mapping, or a table, with all examples of each under its name.
            params: `give` says what: `answers`, a table of what is predicted and how probable that is; `probabilities`,
                a table with a column for each class; `outputs`, the numbers that the network gives.

        Raises:
            MlflowException: The data cannot be read so, or there is no such thing to give.
        """
        from mlflow.exceptions import MlflowException

        give = (params or {}).get("give", "answers")
        outputs = self._outputs(self._tabled(data), coded=give == "outputs")
        if self._reading is None or give == "outputs":
            return outputs
        module, told = self._reading
        found, likely = module.answers(outputs, told["task"])
        tables = {"answers": found, "probabilities": likely}
        if not tables.get(give):
            known = ", ".join([*(name for name, columns in tables.items() if columns), "outputs"])
            raise MlflowException.invalid_parameter_value(f"give: expected one of {known}; received {give}.")
        import pandas as pd

        return pd.DataFrame(tables[give])

    def _tabled(self, data: Any) -> Any:
        """Returns records, or columns by name, as a table, as they come through a server; anything else as it is."""
        import pandas as pd

        is_records = isinstance(data, list) and bool(data) and all(isinstance(row, dict) for row in data)
        names = {each.name for each in self.get_raw_model().inputs}
        return pd.DataFrame(data) if is_records or (isinstance(data, dict) and set(data) != names) else data

    def _outputs(self, data: Any, *, coded: bool) -> Any:
        """Returns what the network gives.

        Args:
            data: Its input.
            coded: Whether that may hold numbers in the place of words, as the network takes them.
        """
        import numpy as np

        model = self.get_raw_model()
        read: Any = self._encoded(data)
        if read is None and len(model.inputs) > 1:
            _require_names(data, names := [each.name for each in model.inputs])
            shapes = {each.name: each.shape for each in model.inputs}
            read = {name: _array(list(data[name]), shapes[name], f"{name}: ") for name in names}
        elif read is None:
            if not coded:
                self._require_words()
            if hasattr(data, "columns"):
                data = list(data.iloc[:, 0]) if len(data.columns) == 1 else data.to_numpy()
            read = _array(data, model.input_shape)
        size = len(next(iter(read.values()))) if isinstance(read, dict) else len(read)
        if not size:  # Keras wants a batch to begin with
            return np.zeros((0, *model.output_shape[1:]), np.float32)
        return model.predict(read, verbose=0) if isinstance(read, dict) else self.wrapped.predict(read)

    def _require_words(self) -> None:
        """Refuses what has no columns for a model that reads words: numbers in their place would be taken for codes.

        Raises:
            MlflowException: The model is such.
        """
        from mlflow.exceptions import MlflowException

        told = self._reading[1] if self._reading else {"inputs": []}
        if any(each["state"]["words"] for each in told["inputs"]):
            names = ", ".join(name for each in told["inputs"] for name in each["columns"])
            raise MlflowException.invalid_parameter_value(f"Rows by the names of their columns are wanted: {names}.")

    def _encoded(self, data: Any) -> Any:
        """Returns rows of the data set's own columns as the model takes them; None where the data is none such."""
        import numpy as np
        from mlflow.exceptions import MlflowException

        if self._reading is None or not hasattr(data, "columns"):
            return None
        module, told = self._reading
        tables = [
            each for each in told["inputs"] if each["state"]["words"] or set(each["columns"]) <= set(data.columns)
        ]
        if not tables:
            return None
        read = {}
        for each in told["inputs"]:
            if missing := [name for name in each["columns"] if name not in data.columns]:
                expected, received = ", ".join(each["columns"]), ", ".join(map(str, data.columns))
                text = f"{each['name']}: there is no column {missing[0]!r}. Expected {expected}; received {received}."
                raise MlflowException.invalid_parameter_value(text)
            words = each["state"]["words"]
            columns = {name: _column(data[name], is_word=name in words) for name in each["columns"]}
            with np.errstate(over="ignore"):  # told below
                found = module.READERS[each["kind"]](columns, each)
            _require_finite(found, f"{each['name']}: ")
            read[each["name"]] = found
        return read if len(read) > 1 else next(iter(read.values()))


def _column(values: Any, *, is_word: bool) -> Any:
    """Returns a column of a table as it stands in the set: numbers, or words without what stands around them.

    Raises:
        MlflowException: It holds no numbers where it should.
    """
    import unicodedata

    import pandas as pd
    from mlflow.exceptions import MlflowException

    if is_word:
        given = values.where(values.notna(), "").tolist()
        return [unicodedata.normalize("NFC", each).strip() if isinstance(each, str) else float(each) for each in given]
    if values.map(lambda each: isinstance(each, list)).any():
        return values.tolist()
    try:
        return pd.to_numeric(values).to_numpy(dtype="float64")
    except (TypeError, ValueError) as error:
        raise MlflowException.invalid_parameter_value(f"{values.name}: holds no numbers: {error}.") from error


def _require_names(data: Any, names: list[str]) -> None:
    """Refuses what does not bring the inputs by their names.

    Raises:
        MlflowException: It does not.
    """
    from mlflow.exceptions import MlflowException

    known = list(getattr(data, "keys", list)())
    if set(known) != set(names):
        expected, found = ", ".join(names), ", ".join(map(str, known)) or type(data).__name__
        raise MlflowException.invalid_parameter_value(
            f"The input is not of the model's kind. Expected {expected}, by name; received {found}."
        )


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
    _require_finite(array, of)
    return array


def _require_finite(array: Any, of: str) -> None:
    """Refuses numbers without an end; NaN is what is missing.

    Raises:
        MlflowException: There are such.
    """
    import numpy as np
    from mlflow.exceptions import MlflowException

    if np.isinf(array).any():
        raise MlflowException.invalid_parameter_value(
            f"{of}The input holds a number that is infinite, or beyond float32."
        )


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
    """Loads the model; MLflow calls it by this name.

    Args:
        path: Its folder, or that of its data, as MLflow's versions differ.
    """
    from mlflow import keras as flavor

    wrapped = flavor.load._load_pyfunc(path)  # noqa: SLF001 - the flavour's own, which MLflow calls too
    own = (folder / "code" / "automl_reading.py" for folder in (Path(path), Path(path).parent))
    return Predictor(wrapped, next((read for file in own if (read := _read_by(file)) is not None), None))


def _read_by(file: Path) -> tuple[Any, dict[str, Any]] | None:
    """Returns the module beside a model, and what it reads; by its path, as every model has its own."""
    if not file.exists():
        return None
    spec = importlib.util.spec_from_file_location(f"automl_reading_{abs(hash(str(file)))}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
