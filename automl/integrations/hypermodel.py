"""A search space as a Keras Tuner `HyperModel`: for people who keep their own tuner. Imports Keras."""

from __future__ import annotations

import logging
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import keras_tuner

from automl.data import mixing, prepare, tf_pipeline
from automl.errors import ConfigError, Infeasible, Problem
from automl.experiment.experiment import Experiment
from automl.model import build, pretrained
from automl.worker.fitting import Fitting

log = logging.getLogger("automl.integrations")


class SpaceModel(keras_tuner.HyperModel):
    """Builds and fits what a document declares, at the values that a tuner gives.

        space = automl.load_space("cnn", "digits")
        tuner = keras_tuner.Hyperband(space.hypermodel(), objective="val_accuracy", max_epochs=20)
        tuner.search()

    `tuner.search()` trains on the space's data, prepared once, with folds on the last of them, through its phases and
    with its callbacks, for its epochs; `tuner.search(x, y, validation_data=(x_val, y_val))` on arrays of the same shape
    and the same classes, counted from 0. Parameters have the names that they have elsewhere; those that are no plain
    ranges are codes, which `values` reads: Keras Tuner's choices know no null, no list and no mixture. A point that
    breaks a constraint, or whose layers do not fit each other, is a failed trial.

    Args:
        read: The space with its data.

    Raises:
        ConfigError: It has no data, or pretrained weights are missing or do not fit.
        DataError: The data is missing or does not fit its document.
    """

    def __init__(self, read: Experiment) -> None:
        super().__init__(name=read.name)
        if read.data is None:
            hint = "Name a data set: load_space(space, data)"
            raise ConfigError(Problem(read.name, "a model needs data, for its shapes and classes", hint=hint))
        self.read = read
        folder = Path(tempfile.mkdtemp(prefix="automl-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        data = prepare.prepare(read.data, folder / "data", None, read.evaluation)
        # Keras Tuner measures a trial once: with folds by the last one, which trains on as many examples as any other.
        self.data = data.at(read.evaluation.fold(read.evaluation.parts))
        for note in self.data.notes:
            log.warning(note)
        pretrained.require(read, build.entrance(self.data))
        self._declared = read.space.declare()

    def values(self, hp: Any) -> dict[str, Any]:
        """Returns the plain values of the parameters that are active.

        Args:
            hp: Keras Tuner's parameters, as `tuner.get_best_hyperparameters()` returns them.
        """
        return self.read.space.decode(hp.values)

    def document(self, hp: Any) -> dict[str, Any]:
        """Returns the document of a trial, literals only: saved as YAML, `automl search` takes it."""
        return self.read.trial(self.values(hp))

    def build(self, hp: Any) -> keras.Model:
        """Returns the compiled model of the first phase; asks `hp` for the whole space, which is static."""
        hp.merge(self._declared, overwrite=False)
        if not self.read.space.legal(self.values(hp)):
            raise keras_tuner.errors.FailedTrialError("it breaks a constraint of the space")
        fitting = self._fitting(hp)
        try:
            network: keras.Model = build.build(fitting.document, self.data)
            fitting.freeze(network, fitting.training.stages()[0])
            fitting.compile(network)
        except Infeasible as error:
            raise keras_tuner.errors.FailedTrialError(str(error)) from error
        return network

    def fit(self, hp: Any, network: keras.Model, *args: Any, **given: Any) -> keras.callbacks.History:
        """Fits a model through all phases; see the class for the data.

        Args:
            hp: The trial's parameters.
            network: What `build` returned.
            args: What `tuner.search` was given, as `keras.Model.fit` takes it.
            given: The same; `epochs` and `batch_size` stand above the document's. More epochs go to the last phase.

        Returns:
            The epochs of all phases.
        """
        fitting = self._fitting(hp)
        callbacks = given.pop("callbacks", None) or []
        began, most = given.pop("initial_epoch", 0), given.pop("epochs", None)
        histories, end, stages = [], 0, fitting.training.stages()
        for number, stage in enumerate(stages, start=1):
            start, end = end, end + stage.epochs
            if most is not None:
                end = most if number == len(stages) else min(end, most)
            if began >= end:
                continue
            if number > 1:
                fitting.freeze(network, stage)
                fitting.compile(network)
            feed = self._given(fitting, args, given) if args or "x" in given else self._own(fitting)
            course = [*fitting.averaging(), *feed.pop("callbacks", []), *fitting.schedule(stage, start)]
            own = [*course, *fitting.stopping()]
            how = {**given, **feed, "initial_epoch": began, "epochs": end, "callbacks": [*own, *callbacks]}
            histories.append(network.fit(*args, **how))
            began = began + len(histories[-1].epoch)
            end = began
        return _joined(histories)

    def _fitting(self, hp: Any) -> Fitting:
        return Fitting(self.document(hp), self.data, self.read.search.seed, self.read.goals.primary)

    def _own(self, fitting: Fitting) -> dict[str, Any]:
        train = fitting.feed("train")
        val = tf_pipeline.of(fitting.feed("val"))
        callbacks = [train.clock(), *fitting.measuring(val)]
        return {"x": tf_pipeline.of(train), "validation_data": val, "shuffle": False, "callbacks": callbacks}

    def _given(self, fitting: Fitting, args: Sequence[Any], given: dict[str, Any]) -> dict[str, Any]:
        if mixing.of(fitting.training.augmentation) is not None:
            what = "mixup and cutmix mix the space's own data only. Call tuner.search() without arrays"
            raise keras_tuner.errors.FatalValueError(f"training.augmentation: {what}")
        if self.read.goals.primary.metric.removeprefix("val_") in fitting.task.measures:
            what = "it is measured on the space's own data only. Call tuner.search() without arrays, or name another"
            raise keras_tuner.errors.FatalValueError(f"{self.read.goals.primary.metric}: {what}")
        # A data set of Keras's or TensorFlow's has batches of its own.
        batched = not hasattr(args[0] if args else given["x"], "__array__")
        return {} if batched or "batch_size" in given else {"batch_size": fitting.training.batch_size}


def _joined(histories: Sequence[keras.callbacks.History]) -> keras.callbacks.History:
    """Returns one history of several."""
    first, *rest = histories
    for history in rest:
        first.epoch += history.epoch
        for name, values in history.history.items():
            first.history.setdefault(name, []).extend(values)
    return first
