"""Regression: one or several numbers for every example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from automl.errors import DataError, Problem, shorten
from automl.flow import Flow, Kind
from automl.records import float32
from automl.records.data import TaskSpec, Tree
from automl.records.objective import Direction
from automl.tasks import Task
from automl.training.losses import Loss

if TYPE_CHECKING:
    import numpy as np

LEAST, MOST = 1e-12, 1e15
"""Standard deviations of a target whose squared errors float32 can hold: those a millionth as large, and their sum."""


class Regression(Task):
    """One or several numbers per example; the model gives them in the targets' own units.

    The head learns numbers of mean 0 and deviation 1, and its last layer brings them to the mean and the deviation of
    the training part. So the loss is of errors in standard deviations: `delta` of `huber` means the same on every set,
    and of several targets each counts the same, whatever its unit.

    Metrics, in the targets' own units: `mae`, `mse` and `rmse`, over the values of all targets; `medae`, the median of
    the absolute error, likewise; `r2`, the share of the variance that is explained, the mean over the targets that vary
    in the part; `loss`, what `training.loss` declares for `loss` and `val_loss`, but always the mean squared error for
    `test_loss`, which compares trials. Penalties (`l1`, `l2`) are in `loss` alone, which training makes small.

    The objective is `val_r2` unless another is named: of one target it puts models in the same order as `rmse`; of
    several, `rmse` would be the error of the one with the largest unit, and the others would not be searched for.

    Input:
        `(batch, features) float32`.

    Output:
        `(batch, targets) float32`.
    """

    takes: ClassVar[Kind] = "vector"
    metrics: ClassVar[Mapping[str, Direction]] = {
        "mae": "min", "mse": "min", "rmse": "min", "r2": "max", "medae": "min", "loss": "min",
    }  # fmt: skip
    measures: ClassVar[tuple[str, ...]] = ("medae",)
    default_objective: ClassVar[str] = "val_r2"
    losses: ClassVar[tuple[str, ...]] = ("mse", "mae", "huber", "log_cosh", "quantile")
    as_text: ClassVar[bool] = False

    def scan(self, targets: Tree) -> dict[str, Any]:
        """Returns the names of the targets: of the columns; of an array, its columns' numbers, from 0."""
        if not all(values.size for values in targets.values()):
            raise _bad("there are no targets")
        names, numbers = _matrix(targets)
        for name, values in zip(names, numbers.T, strict=True):
            _check(name, values)
        return {"targets": names}

    def store(self, targets: Tree, scanned: Mapping[str, Any]) -> np.ndarray:
        """Turns numbers into `(examples, targets) float32`."""
        import numpy as np

        del scanned
        return _matrix(targets)[1].astype(np.float32)

    def fit(self, stored: np.ndarray, scanned: Mapping[str, Any]) -> dict[str, Any]:
        """Learns mean and standard deviation of each target; 1 for one that has a single value here."""
        import numpy as np

        numbers = stored.astype(np.float64)
        varies = np.ptp(stored, axis=0) > 0
        deviation = np.where(varies, numbers.std(axis=0), 1.0)
        return {**scanned, "mean": numbers.mean(axis=0).tolist(), "deviation": deviation.tolist()}

    def encode(self, stored: np.ndarray, state: Mapping[str, Any]) -> np.ndarray:
        """Returns a batch of numbers in their own units, `(batch, targets) float32`."""
        del state
        return stored.copy()

    def baselines(
        self, x: np.ndarray, stored: np.ndarray, others: np.ndarray, spec: TaskSpec
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yields the mean, and a ridge regression."""
        import numpy as np
        from sklearn.linear_model import Ridge

        del spec
        yield "mean", np.tile(stored.mean(axis=0, dtype=np.float64), (len(others), 1)).astype(np.float32)
        found = Ridge().fit(x, stored.astype(np.float64)).predict(others)
        yield "linear", np.asarray(found, np.float32).reshape(len(others), -1)

    def head(self, flow: Flow, spec: TaskSpec) -> Any:
        """Builds a linear layer, and the one that brings its numbers to the targets' units."""
        import keras

        # float32 whatever the precision of the layers before: half precision tells no more than 2,048 numbers apart.
        mean, deviation = spec.state["mean"], spec.state["deviation"]
        x = keras.layers.Dense(len(mean), dtype="float32", name="deviations")(flow.x)
        return keras.layers.Rescaling(deviation, mean, dtype="float32", name="numbers")(x)

    def loss(self, declared: Loss | None, spec: TaskSpec) -> Any:
        """Returns a fresh Keras loss, of targets and predictions in standard deviations from the mean."""
        import numpy as np
        from keras import ops

        found = super().loss(declared, spec)
        mean, deviation = (np.asarray(spec.state[name], np.float32) for name in ("mean", "deviation"))
        plain = found.call

        def call(y_true: Any, y_pred: Any) -> Any:
            return plain(*(ops.divide(ops.subtract(each, mean), deviation) for each in (y_true, y_pred)))

        found.call = call
        return found

    def keras_metrics(self, spec: TaskSpec) -> list[Any]:
        """Returns the errors, and R squared."""
        import keras

        from automl.tasks._r2 import macro_r2

        return [
            keras.metrics.MeanAbsoluteError(name="mae"),
            keras.metrics.MeanSquaredError(name="mse"),
            keras.metrics.RootMeanSquaredError(name="rmse"),
            macro_r2(spec.state["mean"], spec.state["deviation"]),
        ]

    @staticmethod
    def answers(outputs: np.ndarray, told: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the numbers, of several targets by their names."""
        names = ["prediction"] if len(told["targets"]) == 1 else told["targets"]
        return dict(zip(names, outputs.T, strict=True)), {}

    def measure(self, outputs: np.ndarray, stored: np.ndarray, spec: TaskSpec) -> dict[str, float]:
        """Returns the median of the absolute error, of all values of all targets."""
        import numpy as np

        del spec
        return {"medae": float(np.median(np.abs(outputs - stored)))}

    def details(self, outputs: np.ndarray, stored: np.ndarray, spec: TaskSpec) -> list[dict[str, Any]]:
        """Returns the mean absolute and the root mean squared error of each target, where there are several."""
        import numpy as np

        off, names = outputs - stored, spec.state["targets"]
        mae, rmse = np.abs(off).mean(axis=0), np.sqrt(np.square(off).mean(axis=0))
        rows = zip(names, mae.tolist(), rmse.tolist(), strict=True)
        return [{"target": name, "mae": a, "rmse": b} for name, a, b in rows] if len(names) > 1 else []

    def tells(self, spec: TaskSpec) -> str:
        """Says how many targets there are, and which."""
        names = spec.state["targets"]
        return "1 target" if len(names) == 1 else f"{len(names)} targets ({', '.join(names)})"

    def metadata(self, spec: TaskSpec) -> dict[str, Any]:
        """Returns the names of the targets."""
        return {"targets": list(spec.state["targets"])}

    def toy(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Makes 120 examples of one target, from 20 to 60, with some noise."""
        latent = rng.uniform(size=120)
        return latent, 20 + 40 * latent + rng.normal(0, 1, size=120)


def _matrix(targets: Tree) -> tuple[list[str], np.ndarray]:
    """Returns the names of the targets, and their numbers, `(examples, targets) float64`.

    Raises:
        DataError: They are no numbers, or none per example.
    """
    import numpy as np

    names: list[str] = []
    columns = []
    for column, values in targets.items():
        if values.dtype.kind not in "biuf":
            received = shorten(values.flat[0].item()) if values.dtype.kind in "US" else f"dtype {values.dtype}"
            hint = "Words are classes: task: classification; or, in a table, `labels: number` reads them as numbers"
            raise _bad(f"the target {column!r} is no number", "numbers", received, hint)
        if values.ndim > 2 or not values.ndim:
            raise _bad("a target is no list of numbers", "(examples,) or (examples, targets)", f"shape {values.shape}")
        wide = values.ndim == 2 and values.shape[1] > 1
        inner = [str(number) for number in range(values.shape[1])] if wide else []
        names += [f"{column}.{each}" if len(targets) > 1 else each for each in inner] or [column]
        columns.append(values.reshape(len(values), -1).astype(np.float64))
    return names, np.concatenate(columns, axis=1)


def _check(name: str, values: np.ndarray) -> None:
    """Checks that a target can be learned, and is still itself as float32.

    Raises:
        DataError: It is not.
    """
    import numpy as np

    finite = np.isfinite(values)
    if not finite.all():
        row = int(np.argmin(finite))
        raise _bad(f"the target {name!r} of row {row + 1} is no finite number", received=str(values[row]))
    if (values == values[0]).all():
        raise _bad(f"the target {name!r} is {values[0]:g} in every row", "numbers that differ")
    # Of numbers up to 1, whose squares a double can hold.
    size = float(np.abs(values).max())
    spread = size * float(np.std(values / size))
    if not LEAST <= spread <= MOST:
        expected = f"a standard deviation of {LEAST:g} to {MOST:g}"
        raise _bad(f"the target {name!r} is too {'small' if spread < LEAST else 'large'} for float32", expected,
                   f"{spread:g}", "Give it in another unit")  # fmt: skip
    pair = float32.merged(values)
    if pair is not None:
        least = float(np.floor(values.min()))
        raise _bad(
            f"values of the target {name!r} that differ are one number in float32",
            "numbers that it tells apart",
            f"{pair[0]!r} and {pair[1]!r}",
            f"Take {least:.0f} off it, and add that to what the model gives",
        )


def _bad(what: str, expected: str | None = None, received: str | None = None, hint: str | None = None) -> DataError:
    return DataError(str(Problem("regression", what, expected, received, hint)))
