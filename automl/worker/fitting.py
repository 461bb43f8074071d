"""What fitting a network takes, phase by phase, as its document says: the same for a trial, a refit, another's tuner.

Imports Keras: for workers only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

from automl import tasks
from automl.data import mixing, tf_pipeline
from automl.data.feed import Feed, targets
from automl.data.mixing import Batch
from automl.experiment import experiment
from automl.model import build, freezing
from automl.records.data import DataSpec
from automl.records.objective import Objective
from automl.tasks import Task
from automl.training.section import Stage, Training
from automl.worker.measuring import Beat, Measuring


@dataclass(frozen=True)
class Fitting:
    """One training of one document.

    Args:
        document: The resolved document.
        data: What it trains on.
        seed: Seed of the order of the data.
        objective: What early stopping and a rate that is reduced on a plateau follow.
    """

    document: Mapping[str, Any]
    data: DataSpec
    seed: int
    objective: Objective

    @cached_property
    def training(self) -> Training:
        """The document's section."""
        return experiment.training(self.document)

    @cached_property
    def task(self) -> Task:
        """The task of its data."""
        return tasks.of(self.data.task)

    def freeze(self, network: Any, stage: Stage) -> None:
        """Sets which layers learn in a phase."""
        freezing.freeze(network, stage, self.document)

    def compile(self, network: Any) -> None:
        """Gives a network, or the part of it that learns, a fresh optimizer, built, the loss and the metrics."""
        build.compile_model(network, self.training, self.task, self.data)
        network.optimizer.build(network.trainable_variables)
        if keras.config.backend() == "tensorflow":
            # It traces a step again whose first trace made variables: most of a second, a fifth of a small trial. The
            # other backends build the metrics before they trace.
            self._build_metrics(network)

    def _build_metrics(self, network: Any) -> None:
        y = self.task.encode(targets(self.data, "train")[:1], self.data.task.state)
        network.compute_metrics(None, y, keras.tree.map_structure(_zeros, network.output))
        network.reset_metrics()

    def feed(self, part: str, examples: Path | None = None) -> Feed:
        """Returns the batches of a part; those to train on are shuffled, weighted and mixed.

        Args:
            part: `train` or `val`.
            examples: Folder of what became of the examples, read in their place.
        """
        size = self.training.batch_size
        if part != "train":
            return Feed(self.data, part, size, examples=examples)
        mix = mixing.of(self.training.augmentation)
        return Feed(self.data, part, size, seed=self.seed, weighted=True, mix=mix, examples=examples)

    def sample(self, examples: Path | None = None) -> Batch:
        """Returns a batch to train on that is the same each time, as no clock moves its feed behind the first epoch.

        Args:
            examples: As `feed` takes it.
        """
        return self.feed("train", examples)[0]

    def fit(
        self, network: Any, train: Feed, began: int, end: int, callbacks: Sequence[Any], validation: Any = None
    ) -> None:
        """Fits a network to the batches of a feed.

        Args:
            network: It, compiled.
            train: What it learns from.
            began: Epochs trained before.
            end: Epochs that it has then.
            callbacks: Called in their order, behind the feed's own clock.
            validation: What it is measured on, as `fit` takes it.
        """
        network.fit(
            tf_pipeline.of(train),
            validation_data=validation,
            initial_epoch=began,
            epochs=end,
            callbacks=[train.clock(), *callbacks],
            shuffle=False,
            verbose=0,
        )

    def averaging(self) -> list[Any]:
        """Returns what puts the weights' running mean in their place to be measured, if the document asks for it.

        Must stand before all that measures or keeps weights at the end of an epoch.
        """
        return [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if self.training.optimizer.use_ema else []

    def measuring(self, batches: Any, beat: Beat | None = None) -> list[Any]:
        """Returns what adds the metrics to the logs that need all of the validation part, if the task has such.

        Args:
            batches: The validation part; see `Measuring`.
            beat: See there.
        """
        return [Measuring(batches, self.data, beat)] if self.task.measures else []

    def schedule(self, stage: Stage, began: int) -> list[Any]:
        """Returns what sets the learning rate; one that is reduced on a plateau reads the logs.

        Args:
            stage: The phase.
            began: Epochs trained before it.
        """
        return list(self.training.schedule.callbacks(stage.rate, stage.epochs, self.objective, began))

    def stopping(self) -> list[Any]:
        """Returns what ends a phase early, if the document asks for it."""
        early = self.training.early_stopping
        if early is None:
            return []
        how = {"patience": early.patience, "min_delta": early.min_delta}
        return [keras.callbacks.EarlyStopping(self.objective.metric, mode=self.objective.direction, **how)]


def _zeros(output: keras.KerasTensor) -> np.ndarray:
    """Returns what a network might give for one example, its free axes of length 1."""
    return np.zeros((1, *(size or 1 for size in output.shape[1:])), np.float32)
