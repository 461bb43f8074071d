"""What all our oracles share: seeded draws, points seen, and silence on disk."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from automl.oracles import Brief
from automl.space.counting import told
from automl.space.space import points

if TYPE_CHECKING:
    import numpy as np
    from keras_tuner import Oracle as _Base
else:
    # The real base, a class of Keras Tuner's, is mixed in when an oracle is made: it imports Keras.
    _Base = object

MAX_DRAWS = 1_000
"""Draws in a row that may bring nothing new before a space counts as used up."""

MAX_ENUMERATED = 10_000
"""Finite spaces up to this many points are enumerated when draws bring nothing new."""

ASK_STREAM = 1
"""First word of the spawn key of an ask's random numbers; a trial's own seed comes from another stream."""

# A parameter's unit interval is open at its end: at 1 a logarithmic integer would be its maximum + 1.
_BELOW_ONE = 1 - 1e-12


class Seeded(_Base):
    """Stands before a Keras Tuner oracle class: `class Oracle(Seeded, keras_tuner.Oracle)`.

    Args:
        brief: The search.
        settings: The algorithm's own arguments for Keras Tuner's class.
    """

    def __init__(self, brief: Brief, **settings: Any) -> None:
        import keras_tuner

        super().__init__(
            # With an explicit direction: Keras Tuner guesses it from the metric's name otherwise.
            objective=keras_tuner.Objective("score", brief.goals.primary.direction),
            hyperparameters=brief.space.declare(),
            allow_new_entries=False,
            # Keras Tuner takes seed 0 for none and asks the global generator. None of its own draws is used here.
            seed=1,
            max_retries_per_trial=0,
            **settings,
        )
        # The loop counts trials; some of Keras Tuner's oracles stop at 10 by themselves.
        self.max_trials = None
        self.brief = brief
        self.space = brief.space
        self.reason = ""
        self.seen: set[str] = set()

    def generator(self) -> np.random.Generator:
        """Returns the random numbers of the ask in progress: a function of (seed, number) and nothing else."""
        import numpy as np

        key = (ASK_STREAM, len(self.trials) + 1)
        return np.random.default_rng(np.random.SeedSequence(self.brief.seed, spawn_key=key))

    def is_new(self, coded: dict[str, Any]) -> bool:
        """Tells whether a point may be proposed: not seen, and legal. The one place where points are ruled out."""
        values = self.space.decode(coded)
        return self.space.key(values) not in self.seen and self.space.legal(values)

    def sample(self, positions: Iterable[float]) -> dict[str, Any]:
        """Makes a point from one position in [0, 1] per parameter; those of inactive parameters are passed over."""
        coded: dict[str, Any] = {}
        for parameter, position in zip(self.hyperparameters.space, positions, strict=True):
            if all(condition.is_active(coded) for condition in parameter.conditions):
                coded[parameter.name] = at(parameter, float(position))
        return coded

    def started(self) -> dict[str, Any] | None:
        """Returns the next of the document's starting points; None when all of them were tried."""
        return next((coded for coded in map(self.space.encode, self.space.start) if self.is_new(coded)), None)

    def draw(self, generator: np.random.Generator) -> dict[str, Any] | None:
        """Takes a starting point or draws a new one; None when there is none, with the reason in `reason`."""
        started = self.started()
        if started is not None:
            return started
        for _ in range(MAX_DRAWS):
            coded = self.sample(generator.random(len(self.space.params)))
            if self.is_new(coded):
                return coded
        if self.size is None or self.size > MAX_ENUMERATED:
            size = told(self.size)
            of = "" if self.size is None else f" of {size:,}" if isinstance(size, int) else f" of {size}"
            self.reason = f"{MAX_DRAWS:,} draws in a row gave nothing new; {len(self.seen):,}{of} points were tried"
            return None
        left = [coded for coded in map(self.space.encode, points(self.space)) if self.is_new(coded)]
        if left:
            return left[int(generator.integers(len(left)))]
        self.reason = self.used_up(self.size)
        return None

    def used_up(self, size: int) -> str:
        """Returns the reason for the end of a finite space."""
        count = "the only point" if size == 1 else f"all {size:,} points"
        verb = "was" if size == 1 else "were"
        ruled_out = "" if len(self.seen) >= size else " or ruled out"
        return f"{count} of the space {verb} tried{ruled_out}"

    @cached_property
    def size(self) -> int | None:
        """Number of points of the space; None when endless."""
        return self.space.size()

    def remember(self, tuner_id: str, trial_id: str, coded: dict[str, Any]) -> None:
        """Takes over a trial of a journal as if it had just been proposed."""
        import keras_tuner
        from keras_tuner.engine.trial import Trial

        hyperparameters = keras_tuner.HyperParameters()
        hyperparameters.values = coded
        trial = Trial(hyperparameters, trial_id=trial_id)
        self.trials[trial_id] = trial
        self.ongoing_trials[tuner_id] = trial
        self.start_order.append(trial_id)
        self._record_values(trial)

    # What follows replaces parts of Keras Tuner's Oracle.

    def _record_values(self, trial: Any) -> None:
        import keras_tuner

        # Only the values: Keras Tuner keeps a copy of the whole space with every trial, which fills the memory.
        values, trial.hyperparameters = trial.hyperparameters.values, keras_tuner.HyperParameters()
        trial.hyperparameters.values = values
        # Keras Tuner hashes coded values and fills missing ones at random; ours are complete.
        self.seen.add(self.space.key(self.space.decode(trial.hyperparameters.values)))

    def _check_consecutive_failures(self) -> None:
        """Walks through no history: the loop has its own rule for failing searches."""

    def _save_trial(self, trial: Any) -> None:
        """Writes nothing: the journal is the truth."""

    def save(self) -> None:
        """Writes nothing: the journal is the truth."""

    def reload(self) -> None:
        """Reads nothing: a journal's history is told to a fresh oracle."""


def proposal(coded: dict[str, Any] | None) -> dict[str, Any]:
    """Returns what Keras Tuner's `populate_space` returns: this point, or the end of the search."""
    return {"status": "STOPPED", "values": None} if coded is None else {"status": "RUNNING", "values": coded}


def at(parameter: Any, position: float) -> Any:
    """Returns the value of a Keras Tuner parameter at a position in [0, 1]."""
    value = parameter.prob_to_value(min(max(position, 0.0), _BELOW_ONE))
    if hasattr(parameter, "min_value"):
        # In floating point, 0.1 + p * (0.3 - 0.1) may come out just above 0.3.
        return min(max(value, parameter.min_value), parameter.max_value)
    return value
