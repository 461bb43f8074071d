"""The best model of a search, looked at on the validation part: what it gives, and what became of it. Imports Keras.

The test part is not touched: it was used once, for the winner's score.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl import tasks
from automl.data import store
from automl.errors import DataError, SearchError
from automl.experiment.experiment import Experiment
from automl.journal import History
from automl.machine import keras_backend
from automl.machine.folders import LOG, search_folder
from automl.model import saved
from automl.records.data import DataSpec
from automl.results import leaderboard, prepared

if TYPE_CHECKING:
    from automl.data.feed import Feed

BATCH = 256
MOST = 5_000
"""Examples that are looked at, the first of the part: enough for any figure here."""


@dataclass(frozen=True)
class Winner:
    """A model and examples that it did not learn from.

    Args:
        trial: The trial it comes from.
        model: The loaded Keras model, which takes raw examples.
        data: The prepared set.
        feed: The validation part.
        outputs: What the model gives for its first examples.
        stored: Their targets, as they are stored.
    """

    trial: int
    model: Any
    data: DataSpec
    feed: Feed
    outputs: np.ndarray
    stored: np.ndarray

    @property
    def task(self) -> str:
        """What was learned."""
        return self.data.task.kind

    @property
    def classes(self) -> list[str]:
        """The names of the classes; empty where there are none."""
        return [str(name) for name in self.data.task.state.get("classes", ())]

    @cached_property
    def truth(self) -> np.ndarray:
        """The places of the right classes."""
        return self.stored.astype(int)

    @cached_property
    def told(self) -> np.ndarray:
        """The places of the classes that the model tells."""
        found: np.ndarray = self.outputs.argmax(axis=-1)
        return found

    @cached_property
    def loss(self) -> np.ndarray:
        """How wrong each answer is: what the log loss adds for it, or the distance from the number."""
        if self.task == "classification":
            right = self.outputs[np.arange(len(self.truth)), self.truth]
            return -np.log(np.clip(right, 1e-12, None))
        off: np.ndarray = np.abs(self.outputs - self.stored.reshape(self.outputs.shape)).mean(axis=-1)
        return off

    @cached_property
    def groups(self) -> np.ndarray | None:
        """What each example belongs to, as text, empty for nothing; None where the data names no groups."""
        found = store.groups(self.data)
        return None if found is None else found[: len(self.stored)]

    def metrics(self, chosen: np.ndarray) -> dict[str, float]:
        """Returns the metrics of the task on some of the examples, by name.

        Args:
            chosen: Whether each is meant, `(examples,) bool`.
        """
        task, spec = tasks.of(self.data.task), self.data.task
        outputs, stored = self.outputs[chosen], self.stored[chosen]
        found = {}
        for metric in task.keras_metrics(spec):
            metric.update_state(task.encode(stored, spec.state), outputs)
            found[metric.name] = float(metric.result())
        return found | task.measure(outputs, stored, spec)

    def examples(self, places: np.ndarray) -> dict[str, np.ndarray]:
        """Returns some examples as the model takes them, by the names of the inputs."""
        return self.feed.named(places)

    def answers(self, x: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns what the model gives for examples."""
        found: np.ndarray = np.asarray(self.model.predict(saved.taken(x), batch_size=BATCH, verbose=0))
        return found


@contextmanager
def looked_at(home: Path, told: History, read: Experiment, say: Callable[[str], None]) -> Iterator[Winner | None]:
    """Yields the winner of a search while its data lies prepared; None, with a line that says why, where it cannot.

    Args:
        home: Where searches live.
        told: The search's journal.
        read: What was searched.
        say: Told why it is not looked at.

    Raises:
        ConfigError: The backend it was made with is not installed.
    """
    best = read.goals.best(leaderboard.results_of(told))
    if best is None or read.data is None:
        yield None
        return
    header = told.header
    folder, number = search_folder(home, header.search), best.trial
    keras_backend.become_driver(leaderboard.backend(header))
    with tempfile.TemporaryDirectory() as room:
        try:
            model = leaderboard.load_model(home, header.search, number, folder / LOG)
            data = prepared.again(header, read, Path(room) / "data")
        except (SearchError, DataError) as error:  # the model, or the data, is gone or is another
            say(f"the winner is left out of the report: {error}")
            yield None
            return
        if data.folds:
            say("the winner is left out of the report: each of its folds has a validation part of its own")
            yield None
            return
        yield _measured(number, model, data)


def _measured(trial: int, model: Any, data: DataSpec) -> Winner:
    from automl.data.feed import Feed, targets

    feed = Feed(data, "val", BATCH)
    count = min(feed.size, MOST)
    pieces = [
        np.asarray(model.predict_on_batch(feed.at(np.arange(start, min(start + BATCH, count)))))
        for start in range(0, count, BATCH)
    ]
    return Winner(trial, model, data, feed, np.concatenate(pieces), targets(data, "val")[:count])
