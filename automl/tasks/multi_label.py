"""Labels: any number of them for every example, none included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from automl.errors import DataError, Problem, shorten
from automl.flow import Flow, Kind
from automl.records.data import TaskSpec, Tree
from automl.records.objective import Direction
from automl.tasks import STEPS, Task, in_order

if TYPE_CHECKING:
    import numpy as np


class MultiLabel(Task):
    """Any number of labels per example; the head gives a probability to each, whatever those of the others.

    Targets are 0 and 1 for each label, in an array `(examples, labels)` or in a column for each; or words in one
    column of text, `rain|wind`, where nothing at all stands for an example without labels.

    Metrics: `accuracy`, the share of labels that are right; `subset_accuracy`, the share of examples of which all
    labels are; `f1`, the mean over labels of the harmonic mean of precision and recall, 0 for one that is not in the
    part; `auc`, the mean over the labels that are there and missing in the part of the area under the ROC curve;
    `loss`, what `training.loss` declares for `loss` and `val_loss`, but always plain cross-entropy in nats for
    `test_loss`, which compares trials. Penalties (`l1`, `l2`) are in `loss` alone, which training makes small.

    The objective is `val_f1` unless another is named: where most labels are missing, `accuracy` is high for a model
    that never gives one, and `subset_accuracy` says nothing of an example whose last label is wrong.

    Input:
        `(batch, features) float32`.

    Output:
        `(batch, labels) float32`, each from 0 to 1.
    """

    takes: ClassVar[Kind] = "vector"
    metrics: ClassVar[Mapping[str, Direction]] = {
        "accuracy": "max", "subset_accuracy": "max", "f1": "max", "auc": "max", "loss": "min",
    }  # fmt: skip
    default_objective: ClassVar[str] = "val_f1"
    losses: ClassVar[tuple[str, ...]] = ("binary_crossentropy", "binary_focal")
    may_be_empty: ClassVar[bool] = True

    separator: str = Field("|", min_length=1, description="What stands between the labels of a column of text")
    threshold: float = Field(0.5, gt=0, lt=1, description="Probability above which a label counts as given")

    def scan(self, targets: Tree) -> dict[str, Any]:
        """Returns the labels: words, in the order of classes; columns; of an array, its columns' numbers, from 0."""
        import numpy as np

        if not all(values.size for values in targets.values()):
            raise _bad("there are no targets")
        if _is_words(targets):
            cells, _ = self._cells(targets)
            names = in_order(set().union(*cells))
            if not names:
                raise _bad("no example has a label", f"words with {self.separator!r} between them")
        else:
            names = [name for column, values in targets.items() for name in _names(column, values)]
        counts = self.store(targets, {"classes": names}).sum(axis=0, dtype=np.int64)
        self._check(names, counts, len(next(iter(targets.values()))), "examples")
        return {"classes": names}

    def store(self, targets: Tree, scanned: Mapping[str, Any]) -> np.ndarray:
        """Turns targets into `(examples, labels) uint8`, 1 where the label is there."""
        import numpy as np

        if not _is_words(targets):
            return np.concatenate([_zeros_and_ones(column, values) for column, values in targets.items()], axis=1)
        cells, places = self._cells(targets)
        place = {name: number for number, name in enumerate(scanned["classes"])}
        unknown = in_order(set().union(*cells) - set(place))
        if unknown:
            raise _bad(f"unknown labels {shorten(unknown)}", f"some of {shorten(scanned['classes'])}")
        rows = np.zeros((len(cells), len(place)), np.uint8)
        for row, words in zip(rows, cells, strict=True):
            row[[place[word] for word in words]] = 1
        return rows[places]

    def fit(self, stored: np.ndarray, scanned: Mapping[str, Any]) -> dict[str, Any]:
        """Checks that each label can be learned of the examples that train; there is nothing to learn but that."""
        import numpy as np

        self._check(scanned["classes"], stored.sum(axis=0, dtype=np.int64), len(stored), "examples that train")
        return dict(scanned)

    def encode(self, stored: np.ndarray, state: Mapping[str, Any]) -> np.ndarray:
        """Returns a batch as `(batch, labels) float32`."""
        import numpy as np

        del state
        return stored.astype(np.float32)

    def baselines(
        self, x: np.ndarray, stored: np.ndarray, others: np.ndarray, spec: TaskSpec
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yields the share of each label, and a logistic regression for each."""
        import numpy as np
        from sklearn.linear_model import LogisticRegression

        del spec
        shares = stored.mean(axis=0)
        yield "majority", np.tile(shares, (len(others), 1)).astype(np.float32)
        answers = np.empty((len(others), len(shares)), np.float32)
        for place, share in enumerate(shares):
            if 0 < share < 1:
                found = LogisticRegression(max_iter=STEPS).fit(x, stored[:, place])
                answers[:, place] = found.predict_proba(others)[:, 1]
            else:
                answers[:, place] = share
        yield "linear", answers

    def head(self, flow: Flow, spec: TaskSpec) -> Any:
        """Builds a sigmoid for each label."""
        import keras

        # float32 whatever the precision of the layers before: half precision loses small probabilities.
        labels = len(spec.state["classes"])
        return keras.layers.Dense(labels, "sigmoid", dtype="float32", name="probabilities")(flow.x)

    def keras_metrics(self, spec: TaskSpec) -> list[Any]:
        """Returns both accuracies, F1 and AUC."""
        import keras
        from keras import ops

        from automl.tasks._auc import macro_auc

        def right(y_true: Any, y_pred: Any) -> Any:
            # A mixed example counts for its larger side.
            return ops.equal(ops.greater(y_pred, self.threshold), ops.greater(y_true, 0.5))

        return [
            keras.metrics.MeanMetricWrapper(lambda *given: ops.cast(right(*given), "float32"), "accuracy"),
            keras.metrics.MeanMetricWrapper(
                lambda *given: ops.cast(ops.all(right(*given), axis=-1), "float32"), "subset_accuracy"
            ),
            keras.metrics.F1Score(average="macro", threshold=self.threshold, name="f1"),
            macro_auc(len(spec.state["classes"])),
        ]

    @staticmethod
    def answers(outputs: np.ndarray, told: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the labels of each example whose probability is above the threshold, `rain|wind`; and that of all."""
        import numpy as np

        names = np.asarray(told["classes"])
        found = [told["separator"].join(names[given]) for given in outputs > told["threshold"]]
        return {"prediction": np.asarray(found, dtype=str)}, dict(zip(told["classes"], outputs.T, strict=True))

    def details(self, outputs: np.ndarray, stored: np.ndarray, spec: TaskSpec) -> list[dict[str, Any]]:
        """Returns precision, recall, F1 and the number of examples of each label."""
        from automl.tasks._each import of_classes

        return of_classes(stored, outputs > self.threshold, spec.state["classes"])

    def tells(self, spec: TaskSpec) -> str:
        """Says how many labels there are."""
        count = len(spec.state["classes"])
        return "1 label" if count == 1 else f"{count} labels"

    def metadata(self, spec: TaskSpec) -> dict[str, Any]:
        """Returns the names of the labels, above which probability one counts as given, and what stands between two."""
        return {"classes": list(spec.state["classes"]), "threshold": self.threshold, "separator": self.separator}

    def toy(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Makes 120 examples with one or two of three labels, `low|middle`."""
        import numpy as np

        latent = rng.uniform(size=120)
        there = {"low": latent < 0.4, "middle": (latent > 0.3) & (latent < 0.7), "high": latent > 0.6}
        rows = zip(*there.values(), strict=True)
        return latent, np.array([self.separator.join(np.array(list(there))[list(row)]) for row in rows])

    def _cells(self, targets: Tree) -> tuple[list[frozenset[str]], np.ndarray]:
        """Returns the labels of each different cell, and which of them stands in each row."""
        import numpy as np

        ((column, values),) = targets.items()
        if values.ndim != 1:
            raise _bad(f"the target {column!r} is no list of words", "(examples,)", f"shape {values.shape}")
        found, places = np.unique(values, return_inverse=True)
        cells = [cell.decode() if isinstance(cell, bytes) else cell for cell in found.tolist()]
        return [frozenset(filter(None, map(str.strip, cell.split(self.separator)))) for cell in cells], places

    def _check(self, names: list[str], counts: np.ndarray, size: int, which: str) -> None:
        for name, count in zip(names, counts.tolist(), strict=True):
            if count in (0, size):
                there = "in none" if count == 0 else "in every one"
                hint = "Leave it out, or bring other examples" + ("; or change `split`" if "train" in which else "")
                raise _bad(
                    f"the label {name!r} is {there} of {size} {which}", "some with it and some without", hint=hint
                )


def _is_words(targets: Tree) -> bool:
    """Tells whether targets are words, which of several columns they never are: as text each holds 0 and 1."""
    return len(targets) == 1 and next(iter(targets.values())).dtype.kind in "US"


def _names(column: str, values: np.ndarray) -> list[str]:
    wide = values.ndim == 2 and values.shape[1] > 1
    return [str(number) for number in range(values.shape[1])] if wide else [column]


def _zeros_and_ones(column: str, values: np.ndarray) -> np.ndarray:
    """Returns a column of labels as `(examples, labels) uint8`.

    Raises:
        DataError: It holds something else than 0 and 1.
    """
    import numpy as np

    if values.ndim not in (1, 2):
        raise _bad("a target is no list of labels", "(examples,) or (examples, labels)", f"shape {values.shape}")
    if values.dtype.kind not in "biufUS":
        raise _bad(f"the target {column!r} is neither number nor text", "0 and 1", f"dtype {values.dtype}")
    rows = values.reshape(len(values), -1)
    known = {value: _number(value) for value in np.unique(rows).tolist()}
    strange = next((value for value, number in known.items() if number not in (0.0, 1.0)), None)
    if strange is not None:
        at = np.argwhere(rows == strange) if strange == strange else np.argwhere(np.isnan(rows))  # noqa: PLR0124 - NaN
        hint = None
        if rows.shape[1] == 1 and values.dtype.kind != "U":
            hint = "Where each example is of one class, the task is classification"
        name = _names(column, values)[at[0][1]]
        raise _bad(
            f"the label {name!r} of row {at[0][0] + 1} is neither there nor missing", "0 or 1", shorten(strange), hint
        )
    ones = [value for value, number in known.items() if number == 1.0]
    return np.isin(rows, ones).astype(np.uint8)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _bad(what: str, expected: str | None = None, received: str | None = None, hint: str | None = None) -> DataError:
    return DataError(str(Problem("multi_label", what, expected, received, hint)))
