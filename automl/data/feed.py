"""Batches for `fit` and `evaluate`, read from memory maps, in an order that a resumed trial finds again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from automl import inputs, tasks
from automl.data import store
from automl.data.mixing import Batch, Mix
from automl.data.reread import Reread
from automl.data.store import Column
from automl.records.data import DataSpec, InputSpec


def targets(spec: DataSpec, part: str) -> np.ndarray:
    """Returns the stored targets of a part, as one fold sees it where there are folds."""
    (column,) = spec.task.columns
    stored, chosen = store.columns(spec, part, [column])
    return np.array(stored[column] if chosen is None else stored[column][chosen])


def order(size: int, seed: int, epoch: int) -> np.ndarray:
    """Returns the order of `size` examples in an epoch, a function of its arguments alone.

    Args:
        size: Number of examples.
        seed: The trial's seed, from 0.
        epoch: The epoch as `fit` counts it, from 0.

    Output: (size,) int64, each of 0..size-1 once.
    """
    return np.random.default_rng([seed, epoch]).permutation(size)


class Feed(keras.utils.PyDataset):
    """The batches of one part of a prepared set.

    A memory map handed to `fit` itself is copied whole into the process; here each batch is, so a worker's own memory
    does not grow with the data and the pages are shared by all workers.

    Training: `model.fit(tf_pipeline.of(feed), shuffle=False, callbacks=[feed.clock(), ...])`. The clock tells the feed
    which epoch begins. Keras's own `on_epoch_begin` cannot: it is also called while the model is built (JAX, torch),
    its `on_epoch_end` also before the first epoch, and neither knows `initial_epoch`. Within an epoch a batch depends
    on its position alone, so batches that are peeked at for their shapes or prefetched and dropped change nothing.

    Args:
        spec: The prepared set.
        part: `train`, `val` or `test`.
        batch_size: Examples per batch; the last may be smaller.
        seed: Shuffles each epoch; None keeps the stored order, for `val` and `test`.
        weighted: Give each example the weight that its task has for it; batches are then (x, y, w).
        mix: Changes each batch, with a generator that is a function of (seed, epoch, the batch's place); not without a
            seed: what is measured stays what it is.
        examples: Folder whose `PART_x.npy` is read in place of the only input: what became of it, in its order.

    Output: x (batch, *shape) float32, by name where there are several inputs; y as `task.encode` returns it; w (batch,)
        float32.
    """

    def __init__(
        self,
        spec: DataSpec,
        part: str,
        batch_size: int,
        *,
        seed: int | None = None,
        weighted: bool = False,
        mix: Mix | None = None,
        examples: Path | None = None,
    ) -> None:
        # One reader in this process: Keras's queue of several workers hands what is left over to the next epoch.
        super().__init__(workers=1, use_multiprocessing=False)
        self._task, self._state = tasks.of(spec.task), spec.task.state
        (target,) = spec.task.columns
        stored, self._rows = store.columns(spec, part, [target])
        self._targets = stored[target]
        self._inputs: list[_Encoded | _Ready]
        if examples is None:
            self._inputs = [_Encoded(each, store.examples(spec, part, each)) for each in spec.inputs]
        else:
            self._targets, self._rows = targets(spec, part), None
            self._inputs = [_Ready(spec.inputs[0].name, store.mapped(examples / f"{part}_x.npy"))]
        self.batch_size = batch_size
        self._seed = seed
        self._weighted = weighted
        self._mix = mix
        self._epochs_untold = 0
        self.set_epoch(0)

    def __len__(self) -> int:
        return math.ceil(self.size / self.batch_size)

    @property
    def size(self) -> int:
        """The number of examples."""
        return len(self._targets) if self._rows is None else len(self._rows)

    @property
    def is_shuffled(self) -> bool:
        """Whether each epoch has an order of its own."""
        return self._seed is not None

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch whose order is read from now on, from 0. Called by `clock` in `fit`."""
        self._epochs_untold = 0
        self._epoch = epoch
        self._order = None if self._seed is None else order(self.size, self._seed, epoch)

    def clock(self) -> keras.callbacks.Callback:
        """Returns the callback that tells this feed which epoch `fit` begins, `initial_epoch` included."""
        return _Clock(self)

    def on_epoch_begin(self) -> None:
        """Refuses to go on when `fit` runs without the clock: every epoch would have the same order.

        Raises:
            RuntimeError: Two epochs began and `set_epoch` was not called.
        """
        # One is allowed: JAX and torch begin an epoch to build the model, before any callback is called.
        if self._seed is not None and self._epochs_untold > 0:
            raise RuntimeError(
                "a shuffled feed needs feed.clock() among the callbacks of fit: without it every epoch has one order. "
                "To evaluate, build the feed without a seed"
            )
        self._epochs_untold += 1

    def __getitem__(self, index: int) -> Batch:
        if not 0 <= index < len(self):
            raise IndexError(index)
        span = slice(index * self.batch_size, (index + 1) * self.batch_size)
        batch = self._read(span if self._order is None else self._order[span])
        if self._mix is None or self._seed is None:
            return batch
        # The 1 keeps the first batch apart from `order`: to NumPy, [seed, epoch] and [seed, epoch, 0] are the same.
        return self._mix(batch, np.random.default_rng([self._seed, self._epoch, index, 1]))

    def at(self, places: np.ndarray) -> np.ndarray | dict[str, np.ndarray]:
        """Returns some examples as the model takes them, by the names of inputs where there are several.

        Args:
            places: Which, in their stored order.
        """
        x: np.ndarray | dict[str, np.ndarray] = self._read(places)[0]
        return x

    def named(self, places: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the same by the names of the inputs in any case."""
        x = self.at(places)
        return x if isinstance(x, dict) else {self._inputs[0].name: x}

    def held(self, limit_mb: float) -> Batch | None:
        """Returns all examples as one batch, unmixed, in their stored order.

        Args:
            limit_mb: The largest size of them to read.

        Returns:
            None if they are larger, or if each batch is mixed anew.
        """
        is_larger = 4e-6 * self.size * sum(math.prod(each.shape) for each in self._inputs) > limit_mb
        return None if is_larger or self._mix is not None else self._read(slice(None))

    def begin_epoch(self) -> np.ndarray:
        """Returns the order of the epoch that begins, as places in what `held` returns; of a feed that is shuffled.

        Output: (size,) int64, each of 0..size-1 once.

        Raises:
            RuntimeError: See `on_epoch_begin`.
        """
        self.on_epoch_begin()
        assert self._order is not None
        return self._order

    def _read(self, chosen: slice | np.ndarray) -> Batch:
        places = chosen if self._rows is None else self._rows[chosen]
        read = {each.name: each.read(places) for each in self._inputs}
        x = read if len(read) > 1 else next(iter(read.values()))
        stored = np.array(self._targets[places])
        y = self._task.encode(stored, self._state)
        weights = self._task.weights(stored, self._state) if self._weighted else None
        return (x, y) if weights is None else (x, y, weights)


class _Encoded:
    """Examples as they are stored, encoded as the model takes them when they are read."""

    def __init__(self, spec: InputSpec, columns: Mapping[str, np.ndarray | Column | Reread]) -> None:
        self.name, self.shape = spec.name, spec.shape
        self._spec, self._columns, self._input = spec, columns, inputs.of(spec)

    def read(self, places: slice | np.ndarray) -> np.ndarray:
        # A copy in any case: a backend may keep the batch's memory as its own.
        return self._input.encode({name: column[places] for name, column in self._columns.items()}, self._spec)


class _Ready:
    """Examples as the model takes them."""

    def __init__(self, name: str, x: np.ndarray) -> None:
        self.name, self.shape, self._x = name, x.shape[1:], x

    def read(self, places: slice | np.ndarray) -> np.ndarray:
        return self._x[places].astype(np.float32)


class _Clock(keras.callbacks.Callback):
    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self._feed = feed

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002 (Keras's names)
        self._feed.set_epoch(epoch)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002 (Keras's names)
        # Another fit may build its model with the feed before its own first epoch is told.
        self._feed.set_epoch(0)
