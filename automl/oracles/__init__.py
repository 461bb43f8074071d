"""Search algorithms: one file per algorithm, an ask/tell face over Keras Tuner's oracles.

`Proposer` is what the loop talks to. It is owned by one thread, writes no file, and a proposal depends only on the
search's seed, the ask's number and the history: so a fresh proposer that is told a journal's history goes on exactly
as the one that wrote it would have.

```
ask() -> Ask(number, values, ...) | WAIT | Done(reason)
tell(number, score | None)
restore(history)
```

Importing this package, or an algorithm's file, imports no Keras: Keras Tuner is met when a proposer is made.
"""

from __future__ import annotations

import enum
import math
import threading
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from automl.errors import SearchError
from automl.records.objective import Goals
from automl.registry import Member, Registry
from automl.space.space import Space


@dataclass(frozen=True)
class Ask:
    """One proposal.

    Args:
        number: Number of the trial, from 1, without gaps.
        values: The searched, active values, plain.
    """

    number: int
    values: dict[str, Any]


class Wait(enum.Enum):
    """The type of `WAIT`."""

    WAIT = "wait"


WAIT: Final = Wait.WAIT
"""Nothing to propose before a running trial ends."""


@dataclass(frozen=True)
class Done:
    """Nothing is left to propose.

    Args:
        reason: Why, as a clause for a message.
    """

    reason: str


@dataclass(frozen=True)
class PastTrial:
    """One trial of a journal, as `Proposer.restore` wants it.

    Args:
        number: Its number.
        values: As asked.
        ended: Whether it ended; a trial that still runs is told later.
        score: What it reached; None when it ended without a score.
    """

    number: int
    values: Mapping[str, Any]
    ended: bool = True
    score: float | None = None


@dataclass(frozen=True)
class Brief:
    """What an algorithm is told about a search.

    Args:
        space: Where to search, what rules points out, and which points come first.
        goals: What scores are of.
        seed: Seed of the search, 0 or above; 0 is a seed like any other.
    """

    space: Space
    goals: Goals
    seed: int


class Algorithm(Member):
    """A declared search algorithm; its fields are its settings.

    `is_random` tells whether proposals depend on the seed; `scheduler` names the scheduler that the algorithm brings
    with it, unless the document declares another.
    """

    is_random: ClassVar[bool] = True
    scheduler: ClassVar[str] = "none"

    def require(self) -> None:
        """Checks that what the algorithm needs beside the core is installed; most need nothing.

        Raises:
            MissingExtra: It is not.
        """

    @abstractmethod
    def oracle(self, brief: Brief) -> Any:
        """Builds the Keras Tuner oracle: a class of `keras_tuner` with `automl.oracles._seeded.Seeded` before it."""


registry: Registry[Algorithm] = Registry("automl.oracles", Algorithm, "algorithm")


class Proposer:
    """Asks an algorithm for trials and tells it what became of them.

    Args:
        algorithm: The declared algorithm.
        brief: The search it serves.

    Raises:
        SearchError: The algorithm cannot serve this search.
        MissingExtra: It needs what is not installed.
    """

    def __init__(self, algorithm: Algorithm, brief: Brief) -> None:
        algorithm.require()
        self.algorithm = algorithm
        self._space = brief.space
        self._owner = threading.get_ident()
        self._oracle: Any = None
        self._oracle = self._call(algorithm.oracle, brief)
        self._oracle.verbose = 0

    def ask(self) -> Ask | Done | Literal[Wait.WAIT]:
        """Returns the next proposal, `WAIT` while it depends on running trials, or `Done`.

        Raises:
            SearchError: The algorithm failed.
        """
        number = len(self._oracle.trials) + 1
        # One tuner id per ask: Keras Tuner hands the same trial to the same id twice.
        trial = self._call(self._oracle.create_trial, _name(number))
        if trial.status == "IDLE":
            return WAIT
        if trial.status == "STOPPED":
            return Done(self._oracle.reason)
        return Ask(number, self._space.decode(trial.hyperparameters.values))

    def tell(self, number: int, score: float | None) -> None:
        """Ends a trial.

        Args:
            number: The ask's number.
            score: What it reached. None, or a number that is not finite: the trial has no score.

        Raises:
            SearchError: No such trial is running, or the algorithm failed.
        """
        trial = self._oracle.trials.get(_id(number))
        if trial is None or trial.status != "RUNNING":
            running = [int(key) + 1 for key, value in self._oracle.trials.items() if value.status == "RUNNING"]
            raise SearchError(f"{_name(number)}: the trial cannot end. Expected one that is running, {running}.")
        if score is None or not math.isfinite(score):
            # An infinite loss would enter Keras Tuner's Gaussian process as 0, the best point of all.
            trial.status = "FAILED"
        else:
            self._call(self._oracle.update_trial, trial.trial_id, {"score": float(score)})
            trial.status = "COMPLETED"
        self._call(self._oracle.end_trial, trial)

    def restore(self, history: Iterable[PastTrial]) -> None:
        """Tells a fresh proposer the history of a journal.

        Args:
            history: Every trial that was asked, by number, from 1 without gaps.

        Raises:
            SearchError: The history has a gap, or does not fit the space.
        """
        for past in history:
            number = len(self._oracle.trials) + 1
            if past.number != number:
                raise SearchError(f"the history has a gap. Expected trial {number}; received trial {past.number}.")
            self._call(self._oracle.remember, _name(number), _id(number), self._coded(past))
            if past.ended:
                self.tell(number, past.score)

    def _coded(self, past: PastTrial) -> dict[str, Any]:
        try:
            return self._space.encode(past.values)
        except (KeyError, StopIteration, TypeError, ValueError) as error:
            raise SearchError(
                f"{_name(past.number)}: the values in the journal do not fit the space. Expected values of "
                f"{', '.join(self._space.by_name) or 'no parameter'}; received {dict(past.values)}."
            ) from error

    def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        """The border to Keras Tuner: every call of it passes here, and whatever it raises ends as a `SearchError`."""
        if threading.get_ident() != self._owner:
            raise RuntimeError("a proposer belongs to the thread that made it")
        try:
            with warnings.catch_warnings():
                # Keras Tuner 1.4.8 calls threading.currentThread().getName(), deprecated since Python 3.10.
                warnings.simplefilter("ignore", DeprecationWarning)
                return function(*args)
        except SearchError:
            raise
        except Exception as error:
            name = registry.name_of(self.algorithm)
            raise SearchError(f"the search algorithm {name!r} failed: {type(error).__name__}: {error}") from error
        finally:
            self._unlock()

    def _unlock(self) -> None:
        """Drops Keras Tuner's lock, which an exception leaves held, and which keeps its oracle alive for ever."""
        from keras_tuner.src.engine import oracle as engine

        engine.LOCKS.pop(self._oracle, None)
        engine.THREADS.pop(self._oracle, None)


def _name(number: int) -> str:
    return f"t{number:03d}"


def _id(number: int) -> str:
    """Returns the id Keras Tuner gives its trials: counted from 0, four digits when it knows no `max_trials`."""
    return f"{number - 1:04d}"


__all__ = ["WAIT", "Algorithm", "Ask", "Brief", "Done", "PastTrial", "Proposer", "Wait", "registry"]
