"""A trial's whole state between two epochs, on disk: it goes on from there as if it had never stopped.

No format of Keras's holds all of it: `.keras` and `.weights.h5` leave the random states of dropout layers out, and what
callbacks count. Imports Keras: for workers only.
"""

from __future__ import annotations

import json
import os
import time
import zipfile
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from automl.worker.recorder import Recorder

MOST_SHARE = 0.05
"""Share of a training's time that checkpoints take at most. Epochs behind the last one are trained again, alike."""

# What Keras's callbacks count, by their names there.
_COUNTED = ("wait", "best", "best_epoch", "stopped_epoch", "cooldown_counter")


@dataclass(frozen=True)
class Place:
    """Where in its training a trial stands.

    Args:
        stage: Which of the document's phases, from 0; 0 where it has none.
        began: Epochs before that phase.
    """

    stage: int = 0
    began: int = 0


class Checkpoint(keras.callbacks.Callback):
    """Writes checkpoints as epochs begin, when all others are done with the one before. Must stand last in `fit`.

    Read it once, with `place`; then, for each phase of the training, `begin` and `restore`.

    Args:
        path: The file; appears whole or not at all.
        recorder: What it has seen is part of the state, and the weights of its network are.
    """

    def __init__(self, path: Path, recorder: Recorder) -> None:
        super().__init__()
        self.path = path
        self.recorder = recorder
        self._place = Place()
        self._others: Sequence[keras.callbacks.Callback] = ()
        self._counted: list[dict[str, Any]] = []
        self._cost_s = 0.0
        self._written = time.monotonic()
        self._read = self._load()

    @property
    def place(self) -> Place:
        """Where the training goes on: at the state on disk, or at its beginning."""
        return Place(*self._read[0]["place"]) if self._read else Place()

    def begin(self, place: Place, others: Sequence[keras.callbacks.Callback]) -> None:
        """Begins a phase.

        Args:
            place: Which.
            others: Callbacks that count: early stopping, reduction of the rate.
        """
        self._place, self._others, self._counted = place, others, []
        self._cost_s = 0.0  # a phase begins with a checkpoint

    def restore(self, fitted: keras.Model) -> int:
        """Takes up the state on disk, if it is of this phase; returns the epochs that are behind it.

        Args:
            fitted: The compiled model, its optimizer built.
        """
        if self._read is None or self.place != self._place:
            return self._place.began
        (told, state, best), self._read = self._read, None
        for variable, value in zip(self._variables(fitted), state, strict=True):
            variable.assign(value)
        self.recorder.restore(told["recorder"], best or None)
        self._counted = told["others"]
        return int(told["epoch"])

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras's name
        """Gives the others back what they had counted; their own beginning has just forgotten it."""
        for callback, counted in zip(self._others, self._counted, strict=False):
            vars(callback).update(counted)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras's name
        """Writes the state after `epoch` epochs, if enough time has gone by."""
        began = time.monotonic()
        if epoch and (began - self._written) * MOST_SHARE >= self._cost_s:
            self._write(epoch)
            self._written = time.monotonic()
            self._cost_s = self._written - began

    def _load(self) -> tuple[dict[str, Any], list[Any], list[Any]] | None:
        """Reads what is on disk: what is told, the state, the best weights; None where there is none of this part."""
        try:
            with np.load(self.path, allow_pickle=False) as file:
                told = json.loads(str(file["told"]))
                if told["part"] != self.recorder.part:
                    return None  # of the training before this one
                state = [file[f"state{number}"] for number in range(told["state"])]
                return told, state, [file[f"best{number}"] for number in range(told["best"])]
        except (FileNotFoundError, EOFError, zipfile.BadZipFile, KeyError, ValueError):
            return None  # none was written, or a power cut tore it

    def _write(self, epoch: int) -> None:
        seen, best = self.recorder.state()
        state = [np.asarray(keras.ops.convert_to_numpy(each)) for each in self._variables(self.model)]
        counted = [{k: _plain(v) for k, v in vars(each).items() if k in _COUNTED} for each in self._others]
        told = {"epoch": epoch, "part": self.recorder.part, "place": astuple(self._place)}
        told |= {"recorder": seen, "others": counted, "state": len(state), "best": len(best or ())}
        arrays: dict[str, Any] = {f"state{number}": value for number, value in enumerate(state)}
        arrays |= {f"best{number}": value for number, value in enumerate(best or ())}
        partial = self.path.with_suffix(".part")
        with partial.open("wb") as file:
            np.savez(file, told=np.array(json.dumps(told)), **arrays)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path)

    def _variables(self, fitted: keras.Model) -> list[Any]:
        """Returns weights, random states, and what the optimizer keeps, its rate and its step among it."""
        return [*self.recorder.network.variables, *fitted.optimizer.variables]


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else float(value)
