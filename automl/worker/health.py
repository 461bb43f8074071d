"""How healthy a training is: its gradient, its dead units, its updates, its gates; and what to try where it is not.

Imports Keras: for workers only.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, ClassVar

import keras
import numpy as np

from automl.records.objective import LOSS
from automl.records.trials import Gradient
from automl.worker.gradients import Probe, Seen

log = logging.getLogger("automl.worker")

MOST_SHARE = 0.015
"""Share of a training's time that its figures may cost, by what they cost before: where that is short they are few."""
CARRIED_S = 0.25
"""What a trial may leave of that to the next one of its worker, in seconds: where each takes three seconds, a look at a
recurrent layer is more than one of them has.
"""
COMPILED_S = 1.0
"""What the first look at a model costs on JAX, in seconds, which compiles it."""
BEGUN_S, LAYER_S, STEP_S = 0.06, 0.0017, 0.002
"""What it costs elsewhere, where it is run as it stands: the first time in a process, for each layer, and for each step
of a series in each direction of each recurrent layer.
"""
LARGEST = 50_000_000
"""Weights that are copied to be looked at; a model that has more is not measured: a copy would take gigabytes."""

EXPLODED = 1e3
"""Norm of a gradient that has exploded. Inputs and targets are scaled and losses are means, so that the norm is of the
order of 1 to 10 when a training begins, and falls: a thousand is two orders beyond, and named only beside a loss that
is no number, or grew tenfold.
"""
VANISHED = 1e-4
"""What the first kernel's gradient is of the last one's, at most, where it has vanished. In a network that learns the
two lie within two orders of each other; ten sigmoid layers put six between them.
"""
NOTHING = 1e-7
"""Norm of a gradient that moves no weight: less than float32 can add to a weight of 1."""
STILL, FITTED = 0.05, 1e-3
"""Share by which the validation loss must fall behind the second epoch for a training not to stand still: in the first,
the last bias learns how common each answer is. And the loss at which there is nothing more to learn.
"""
MANY_DEAD = 0.5
"""Share of dead units at which they, and not the depth, are why nothing is learned."""
LEAST_EPOCHS = 3
"""Epochs behind which a training can be said to stand still."""


@dataclass(frozen=True)
class Finding:
    """What is wrong with a training's gradient.

    Args:
        gradient: How it went.
        message: A clause that says so, with its figures and what to try.
    """

    gradient: Gradient
    message: str


class Health(keras.callbacks.Callback):
    """Measures a training over single epochs, as many as its share of the time allows: the longer it takes, the more.

    Must stand first in `fit`: what stands behind it may put other weights in the model's place. A loss that is no
    number, and a training that stands still or gets worse, are looked into whatever that costs: once in a trial, and by
    its weights and losses alone, so that the same training is always told the same.

    Args:
        seen: Returns the metrics of each epoch so far, those that are numbers.
    """

    has_looked: ClassVar[bool] = False
    """Whether a model was looked at in this process."""
    left_s: ClassVar[float] = 0.0
    """What the trials of this process have left of their share of the time, in seconds."""

    def __init__(self, seen: Callable[[], Sequence[Mapping[str, float]]]) -> None:
        super().__init__()
        self.figures: dict[str, float] = {}
        self.finding: Finding | None = None
        self._seen = seen
        self._batch: Callable[[], Sequence[Any]]
        self._probe: Probe | None = None
        self._first: list[np.ndarray] | None = None
        self._before: list[np.ndarray] | None = None
        self._largest: tuple[float, int] = (0.0, 0)
        self._began = self._epoch_began = time.monotonic()
        self._spent_s = self._epoch_s = 0.0
        # On JAX the first look alone is more than that.
        most_s = max(CARRIED_S, COMPILED_S) if keras.config.backend() == "jax" else CARRIED_S
        self._carried_s = min(most_s, Health.left_s)
        self._last_s: float | None = None
        self._is_broken = False

    def begin(self, batch: Callable[[], Sequence[Any]]) -> None:
        """Begins a phase of the training.

        Args:
            batch: Returns the batch that is looked at, from its first examples on; always the same one.
        """
        self._batch, self._probe, self._last_s = batch, None, None

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras's name
        """Keeps the weights that the phase begins with."""
        self._first = self._weights()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras's name
        """Keeps the weights that an epoch begins with, if there is time to look at it."""
        self._epoch_began = began = time.monotonic()
        self._before = self._weights() if self._is_due() else None
        self._spent_s += time.monotonic() - began

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Measures what there is time for; of a loss that is no number, whether the gradient exploded."""
        began = time.monotonic()
        self._epoch_s, self.figures = began - self._epoch_began, {}
        if not math.isfinite(float((logs or {}).get("loss", 0.0))):
            self._diverged(epoch + 1)
        elif self._before is not None:
            now = self._weights()
            assert now is not None
            self._told("update_ratio", _moved(self._before, now))
            if (found := self._looked(now)) is not None:
                self._told("gradient_norm", found.norm)
                self._told("dead_units", found.dead)
                self._told("gate_saturation", found.saturated)
                self._largest = max(self._largest, (found.norm, epoch + 1))
        self._before = None
        self._last_s = time.monotonic() - began if self.figures else self._last_s
        self._spent_s += time.monotonic() - began
        Health.left_s = max(0.0, self._allowed_s() - self._spent_s)

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras's name
        """Looks into a training that stood still, or got worse."""
        losses = [metrics[LOSS] for metrics in self._seen() if LOSS in metrics]
        if self.finding is not None or len(losses) < LEAST_EPOCHS:
            return
        second, last = losses[1], losses[-1]
        if last > 10 * abs(losses[0]):
            found = self._looked(self._weights())
            if found is not None and not found.norm < EXPLODED:
                self.finding = self._exploded(f"{_norm(found.norm)}, and the loss grew to {last:.2g}")
        elif second - min(losses[1:]) < STILL * abs(second):
            found = self._looked(self._weights())
            self.finding = None if found is None else self._vanished(found)

    def _diverged(self, epoch: int) -> None:
        """Tells an explosion from a loss that was no number for another reason, as with data that are none."""
        after = self._looked(self._weights())
        if after is None or after.norm < EXPLODED:
            return
        norm, at = self._largest
        figures = f"{_norm(norm)} in epoch {at}, " if norm >= EXPLODED else ""
        # What was no number before a step was taken did not grow: not the loss of an epoch, nor the first gradient.
        if not any("loss" in metrics for metrics in self._seen()):
            first = self._looked(self._first)
            if first is None or not math.isfinite(first.norm):
                return
            figures = f"{_norm(first.norm)} at the beginning, "
        self.finding = self._exploded(f"{figures}{_norm(after.norm)} after epoch {epoch}")

    def _exploded(self, figures: str) -> Finding:
        advice = [] if self._is_clipped() else ["training.clipnorm"]
        advice += ["a smaller learning rate"]
        advice += ["gru or lstm in place of simple_rnn, a shorter window"] if self._has(keras.layers.SimpleRNN) else []
        return Finding("exploded", f"the gradient exploded ({figures}); try {', '.join(advice)}")

    def _vanished(self, found: Seen) -> Finding | None:
        if found.loss < FITTED or not (found.norm <= NOTHING or _is_unreached(found)):
            return None
        figures, advice = _norm(found.norm), "a smaller learning rate, training.clipnorm"
        if found.dead is not None and found.dead >= MANY_DEAD:
            figures += f", {found.dead:.0%} of the units behind relu are dead"
            advice = "a smaller learning rate, leaky_relu or elu, norm"
        elif found.norm > NOTHING and found.first is not None and found.last:
            figures = f"that of the first layer is {found.first / found.last:.2g} of the last one's"
            advice = "another activation (relu, elu), norm, residual blocks, fewer layers"
            if self._has(keras.layers.RNN, keras.layers.Bidirectional):
                advice = "gru in place of simple_rnn, norm, fewer layers, a shorter window"
        return Finding("vanished", f"the gradient vanished ({figures}), and the loss did not move; try {advice}")

    def _is_due(self) -> bool:
        if self._is_broken or self._first is None:
            return False
        expected_s = self._first_s() if self._last_s is None else self._last_s
        return self._spent_s + expected_s <= self._allowed_s()

    def _allowed_s(self) -> float:
        return self._carried_s + MOST_SHARE * (time.monotonic() - self._began)

    def _first_s(self) -> float:
        """Returns what the first look at this model may cost."""
        if keras.config.backend() == "jax":
            return COMPILED_S
        layers = self.model.layers
        own = LAYER_S * len(layers) + STEP_S * sum(map(_steps, layers))
        return own + self._epoch_s / ((self.params or {}).get("steps") or 1) + BEGUN_S * (not Health.has_looked)

    def _looked(self, values: Sequence[np.ndarray] | None) -> Seen | None:
        """Returns what is found with these weights; None where the model cannot be looked at, or has too many."""
        if values is None or self._is_broken:
            return None
        Health.has_looked = True
        try:
            if self._probe is None:
                self._probe = Probe(self.model, self._batch())
            with np.errstate(all="ignore"):  # what overflows is what is looked for
                return self._probe.look(values)
        except Exception:  # a figure is worth no trial: of memory, of a layer that is called in a way of its own
            log.warning("the training is not measured", exc_info=True)
            self._is_broken = True
            return None

    def _weights(self) -> list[np.ndarray] | None:
        """Returns copies of the weights that learn; None where they are too many."""
        variables = self.model.trainable_variables
        if sum(math.prod(each.shape) for each in variables) > LARGEST:
            return None
        return [np.array(keras.ops.convert_to_numpy(each)) for each in variables]

    def _told(self, name: str, value: float | None) -> None:
        if value is not None and math.isfinite(value):
            self.figures[name] = float(f"{value:.3g}")

    def _is_clipped(self) -> bool:
        found = (getattr(self.model.optimizer, name, None) for name in ("clipnorm", "clipvalue", "global_clipnorm"))
        return any(each is not None for each in found)

    def _has(self, *kinds: type) -> bool:
        inner = [getattr(layer, "forward_layer", layer) for layer in self.model.layers]
        return any(isinstance(layer, kinds) for layer in [*self.model.layers, *inner])


def _moved(before: Sequence[np.ndarray], now: Sequence[np.ndarray]) -> float | None:
    """Returns how far the kernels moved in an epoch, of how large they were: the median of them."""
    with np.errstate(all="ignore"):
        found = [
            float(np.linalg.norm(new - old) / size)
            for old, new in zip(before, now, strict=True)
            if old.ndim > 1 and (size := np.linalg.norm(old)) > 0
        ]
    return median(found) if found else None


def _steps(layer: Any) -> int:
    """Returns how many steps a recurrent layer takes one after the other."""
    recurrent = keras.layers.RNN | keras.layers.Bidirectional
    if not isinstance(layer, recurrent) or len(layer._inbound_nodes) != 1:  # noqa: SLF001 - see `Probe`
        return 0
    series = keras.tree.flatten(layer.input)[0]
    return (series.shape[1] or 100) * (1 + isinstance(layer, keras.layers.Bidirectional))


def _is_unreached(found: Seen) -> bool:
    """Tells whether next to nothing of the last layer's gradient reaches the first."""
    return found.first is not None and found.last is not None and found.first <= VANISHED * found.last


def _norm(value: float) -> str:
    return f"norm {value:.2g}" if math.isfinite(value) else "no finite norm"
