"""Classification: one of several classes for every example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from automl.errors import DataError, shorten
from automl.flow import Flow, Kind
from automl.records.data import TaskSpec, Tree
from automl.records.objective import Direction
from automl.tasks import STEPS, Task, in_order, one

if TYPE_CHECKING:
    import numpy as np


class Classification(Task):
    """One class per example; the head gives a probability to every class, two classes included.

    Metrics: `accuracy`; `f1`, the mean over classes of the harmonic mean of precision and recall; `auc`, the mean over
    the classes that occur of the area under the ROC curve of one against the rest; `loss`, what `training.loss`
    declares for `loss` and `val_loss`, but always plain cross-entropy in nats for `test_loss`, which compares trials.
    Penalties (`l1`, `l2`) are in `loss` alone, which training makes small.

    Input:
        `(batch, features) float32`.

    Output:
        `(batch, classes) float32`, rows sum to 1.
    """

    takes: ClassVar[Kind] = "vector"
    metrics: ClassVar[Mapping[str, Direction]] = {"accuracy": "max", "f1": "max", "auc": "max", "loss": "min"}
    default_objective: ClassVar[str] = "val_accuracy"
    losses: ClassVar[tuple[str, ...]] = ("crossentropy", "focal")

    class_weights: Literal["none", "balanced"] = Field(
        "none", description="Weight of an example in the training loss: 1, or inverse to its class's frequency."
    )

    def scan(self, targets: Tree) -> dict[str, Any]:
        """Returns the class names of all parts: numbers in numerical order, words in alphabetical order."""
        found = in_order(set(_names(one(targets, "classification"))))
        if len(found) < 2:
            raise DataError(
                f"classification: every example is of class {found[0]!r}. Expected two classes or more"
                if found
                else "classification: there are no targets"
            )
        return {"classes": found}

    def store(self, targets: Tree, scanned: Mapping[str, Any]) -> np.ndarray:
        """Turns labels into places among the classes, `(examples,) int32`."""
        import numpy as np

        classes = scanned["classes"]
        place = {name: number for number, name in enumerate(classes)}
        names = _names(one(targets, "classification"))
        unknown = sorted(set(names) - set(place))
        if unknown:
            raise DataError(f"classification: unknown classes {shorten(unknown)}. Expected one of {shorten(classes)}")
        return np.array([place[name] for name in names], dtype=np.int32)

    def fit(self, stored: np.ndarray, scanned: Mapping[str, Any]) -> dict[str, Any]:
        """Learns `examples / (classes that occur * examples of the class)`; 1 for a class that does not occur."""
        import numpy as np

        if self.class_weights == "none":
            return dict(scanned)
        counts = np.bincount(stored, minlength=len(scanned["classes"])).astype(np.float64)
        there = counts > 0
        balanced = counts.sum() / (there.sum() * np.maximum(counts, 1.0))
        return {**scanned, "weights": np.where(there, balanced, 1.0).astype(np.float32).tolist()}

    def strata(self, targets: Tree) -> np.ndarray | None:
        """Returns the labels: every class stands in every part."""
        import numpy as np

        return np.array(_names(one(targets, "classification")))

    def encode(self, stored: np.ndarray, state: Mapping[str, Any]) -> np.ndarray:
        """Turns a batch of places into `(batch, classes) float32`, one-hot: soft targets fit the same loss."""
        import numpy as np

        encoded = np.zeros((len(stored), len(state["classes"])), dtype=np.float32)
        encoded[np.arange(len(stored)), stored] = 1.0
        return encoded

    def baselines(
        self, x: np.ndarray, stored: np.ndarray, others: np.ndarray, spec: TaskSpec
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yields the shares of the classes, and a logistic regression."""
        import numpy as np
        from sklearn.linear_model import LogisticRegression

        count, weights = len(spec.state["classes"]), self.weights(stored, spec.state)
        shares = np.bincount(stored, weights, minlength=count)
        yield "majority", np.tile(shares / shares.sum(), (len(others), 1)).astype(np.float32)
        there = np.unique(stored)
        if len(there) > 1:
            found = LogisticRegression(max_iter=STEPS).fit(x, stored, weights)
            answers = np.zeros((len(others), count), np.float32)
            answers[:, there] = found.predict_proba(others)
            yield "linear", answers

    def weights(self, stored: np.ndarray, state: Mapping[str, Any]) -> np.ndarray | None:
        """Returns the weight of each example's class, where the document asks for balanced ones."""
        import numpy as np

        known = state.get("weights")
        return None if known is None else np.asarray(known, np.float32)[stored]

    def head(self, flow: Flow, spec: TaskSpec) -> Any:
        """Builds the softmax layer."""
        import keras

        # float32 whatever the precision of the layers before: a softmax in half precision loses small probabilities.
        classes = len(spec.state["classes"])
        return keras.layers.Dense(classes, "softmax", dtype="float32", name="probabilities")(flow.x)

    def keras_metrics(self, spec: TaskSpec) -> list[Any]:
        """Returns accuracy, F1 and AUC."""
        import keras

        from automl.tasks._auc import macro_auc

        return [
            keras.metrics.CategoricalAccuracy(name="accuracy"),
            keras.metrics.F1Score(average="macro", name="f1"),
            macro_auc(len(spec.state["classes"])),
        ]

    @staticmethod
    def answers(outputs: np.ndarray, told: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the name of the likeliest class of each example and its probability; and that of every class."""
        import numpy as np

        likeliest = np.asarray(told["classes"])[outputs.argmax(axis=-1)]
        found = {"prediction": likeliest, "probability": outputs.max(axis=-1)}
        return found, dict(zip(told["classes"], outputs.T, strict=True))

    def details(self, outputs: np.ndarray, stored: np.ndarray, spec: TaskSpec) -> list[dict[str, Any]]:
        """Returns precision, recall, F1 and the number of examples of each class."""
        from automl.tasks._each import of_classes

        classes = spec.state["classes"]
        return of_classes(stored.astype(int), outputs.argmax(axis=-1), classes, labels=range(len(classes)))

    def tells(self, spec: TaskSpec) -> str:
        """Says how many classes there are."""
        return f"{len(spec.state['classes'])} classes"

    def metadata(self, spec: TaskSpec) -> dict[str, Any]:
        """Returns the names of the classes."""
        return {"classes": list(spec.state["classes"])}

    def toy(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Makes 120 examples of three classes, which a small model tells apart within a few epochs."""
        import numpy as np

        place = rng.permutation(np.arange(120) % 3)
        return place / 2.0, np.array(["low", "middle", "high"])[place]


def _names(y: np.ndarray) -> list[str]:
    """Returns a class name per example.

    Raises:
        DataError: A label is missing, is no whole number and no word, or there is more than one per example.
    """
    import numpy as np

    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise DataError(
            f"classification: the targets have shape {y.shape}. Expected one label per example, (examples,)"
        )
    if y.dtype.kind == "f":
        if np.isnan(y).any():
            raise DataError(f"classification: label {int(np.argmax(np.isnan(y)))} is missing (NaN)")
        if not (np.isfinite(y) & (y == np.round(y))).all():
            odd = y[~(np.isfinite(y) & (y == np.round(y)))][0]
            raise DataError(f"classification: label {odd} is no class. Expected whole numbers or words")
        # From here on neighbours are one float, and beyond 2**63 numbers are no integers of NumPy's.
        most = 2 ** (np.finfo(y.dtype).nmant + 1)
        if (np.abs(y) > most).any():
            raise DataError(
                f"classification: label {y[np.abs(y) > most][0]} is too large to be told from its neighbours as "
                f"{y.dtype}. Expected {most} at most, integers, or text"
            )
        y = y.astype(np.int64)
    return [_name(label) for label in y.tolist()]


def _name(label: Any) -> str:
    if isinstance(label, bytes):
        return label.decode()
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    if isinstance(label, (str, int)):
        return str(label)
    # Object arrays, as pandas makes them, hold None, NaN and anything else.
    raise DataError(f"classification: label {label!r} is no class. Expected whole numbers or words, none missing")
