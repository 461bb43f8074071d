"""What a searched leaf may be: a numeric range or a list of values, and their codes for Keras Tuner."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any, overload

from automl.errors import shorten

if TYPE_CHECKING:
    from keras_tuner.engine.hyperparameters import HyperParameter
    from keras_tuner.src.engine.conditions import Condition

GRID_POINTS = 10
"""How many points a grid search takes from a range without a step, as Keras Tuner does."""


MAX_STEPS = 2**53
"""Values of a range with a step, or of whole numbers: each has a number of its own as a float, too."""


def same(a: Any, b: Any) -> bool:
    """Tells whether two plain values are equal and of one kind: 1, 1.0 and true are three different values."""
    return bool(identity(a) == identity(b))


def identity(value: Any) -> Any:
    """Returns what is equal for two plain values that are the same, and only for them, and can be looked up."""
    if isinstance(value, list):
        return list, tuple(map(identity, value))
    if isinstance(value, dict):
        return dict, tuple((key, identity(item)) for key, item in sorted(value.items()))
    return type(value), value


@dataclass(frozen=True)
class Choice:
    """One of a list of values: anything YAML can say.

    Args:
        values: The values, none twice.
        default: One of them.
    """

    values: tuple[Any, ...]
    default: Any

    @property
    def size(self) -> int:
        """Number of values."""
        return len(self.values)

    def holds(self, value: Any) -> bool:
        """Tells whether `value` is one of them."""
        return identity(value) in self._codes

    def grid(self) -> Sequence[Any]:
        """Returns every value."""
        return self.values

    def points(self) -> Sequence[Any]:
        """Returns every value."""
        return self.values

    def draw(self, generator: Random) -> Any:
        """Returns one of the values at random."""
        return generator.choice(self.values)

    def described(self) -> str:
        """Says in a few words what it may be."""
        return f"one of {shorten(list(self.values))}"

    def encode(self, value: Any) -> int:
        """Returns the position of `value`."""
        return self._codes[identity(value)]

    def decode(self, code: int) -> Any:
        """Returns the value at position `code`."""
        return self.values[int(code)]

    def declare(self, name: str, conditions: Sequence[Condition]) -> HyperParameter:
        """Returns the parameter for Keras Tuner, coded by index."""
        from keras_tuner.engine import hyperparameters as hp_types

        return hp_types.Choice(
            name, list(range(len(self.values))), ordered=False, default=self.encode(self.default), conditions=conditions
        )

    @cached_property
    def _codes(self) -> dict[Any, int]:
        return {identity(value): code for code, value in enumerate(self.values)}


@dataclass(frozen=True)
class Range:
    """A numeric range, both ends included.

    Args:
        min: Lower end.
        max: Upper end; above or equal to `min`.
        step: Distance between values, counted from `min`; None for every integer, or any float.
        log: Draw evenly on a logarithmic scale. Not together with `step`.
        default: A value of the range.
        whole: Integers only.
    """

    min: float
    max: float
    step: float | None
    log: bool
    default: float
    whole: bool

    @property
    def size(self) -> int | None:
        """Number of distinct values; None for a continuous range."""
        if self.min == self.max:
            return 1
        if self.step is not None:
            steps = (self.max - self.min) / self.step
            # The small numbers keep 0.0 .. 0.5 by 0.1 at six values in floating point, and by 1e-9 at all of them.
            return math.floor(steps + 1e-9 + 1e-15 * steps) + 1
        return int(self.max - self.min) + 1 if self.whole else None

    def holds(self, value: Any) -> bool:
        """Tells whether `value` lies in the range and on its grid."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.whole and not isinstance(value, int):
            return False
        if not self.min <= value <= self.max:
            return False
        return self.step is None or math.isclose(value, self.at_step(self.encode(value)), abs_tol=1e-12)

    def grid(self) -> Sequence[Any]:
        """Returns what a grid search tries: every step, else up to ten points, evenly on the range's own scale."""
        if self.step is not None:
            return self.points()
        if self.size is not None and self.size <= GRID_POINTS:
            return [int(self.min) + i if self.whole else self.min for i in range(self.size)]
        fractions = [i / (GRID_POINTS - 1) for i in range(GRID_POINTS)]
        points = [self.at(fraction) for fraction in fractions]
        return list(dict.fromkeys(round(p) for p in points)) if self.whole else points

    def points(self) -> Sequence[Any]:
        """Returns every value of a finite range, none of them made before it is asked for; of a continuous one none."""
        if self.whole:
            return range(int(self.min), int(self.max) + 1, int(self.step or 1))
        if self.step is not None:
            return _Steps(self)
        return [self.min] if self.min == self.max else []

    def draw(self, generator: Random) -> int | float:
        """Returns a value at random, evenly on the range's own scale."""
        if self.size is not None and not self.log:
            return self.points()[generator.randrange(self.size)]
        # Each whole number owns the stretch up to the next.
        top = self.max + 1 if self.whole else self.max
        point = math.exp(generator.uniform(math.log(self.min), math.log(top))) if self.log else 0.0
        if self.whole:
            return min(max(int(point), int(self.min)), int(self.max))
        return min(max(point if self.log else generator.uniform(self.min, self.max), self.min), self.max)

    def described(self) -> str:
        """Says in a few words what it may be."""
        return f"{self.min} to {self.max}" + (f" in steps of {self.step}" if self.step is not None else "")

    def encode(self, value: Any) -> int | float:
        """Returns the value itself, or its position on the step grid."""
        if self.step is not None:
            return round((value - self.min) / self.step)
        return int(value) if self.whole else float(value)

    def decode(self, code: float) -> int | float:
        """Returns the value of `code`; the other way of `encode`."""
        if self.step is not None:
            return self.at_step(int(code))
        return int(code) if self.whole else float(code)

    def declare(self, name: str, conditions: Sequence[Condition]) -> HyperParameter:
        """Returns the parameter for Keras Tuner: step grids by index, the rest as they are."""
        from keras_tuner.engine import hyperparameters as hp_types

        if self.step is not None:
            last = (self.size or 1) - 1
            return hp_types.Int(name, 0, last, default=self.encode(self.default), conditions=conditions)
        kind = hp_types.Int if self.whole else hp_types.Float
        sampling = "log" if self.log else "linear"
        return kind(name, self.min, self.max, sampling=sampling, default=self.default, conditions=conditions)

    def as_float(self) -> Range:
        """Returns the range with floats in place of integers."""
        if not self.whole:
            return self
        # A step of whole numbers stays: only the type of what comes out changes.
        return replace(
            self, min=float(self.min), max=float(self.max), default=float(self.default), whole=False, step=self.step
        )

    def at_step(self, index: float) -> int | float:
        """Returns the value at a position on the step grid."""
        assert self.step is not None
        # Not past the end: the last step may lie below `max`.
        point = self.min + min(max(int(index), 0), (self.size or 1) - 1) * self.step
        if self.whole:
            return int(point)
        # 0.1 * 3 is 0.30000000000000004 and 3 * 0.1 - 0.3 is 5.6e-17: a step grid is written by people, in decimals.
        digits = max(11 - _exponent(max(abs(self.min), abs(self.max), self.step)), 3 - _exponent(self.step))
        return min(max(round(point, digits) + 0.0, float(self.min)), float(self.max))

    def at(self, fraction: float) -> float:
        """Returns the value at a fraction of the way from its lower to its upper end, on the range's own scale."""
        if fraction in (0.0, 1.0):
            return (self.min, self.max)[int(fraction)]  # exact at both ends
        if self.log:
            point = self.min * (self.max / self.min) ** fraction
        else:
            point = self.min + fraction * (self.max - self.min)
        # 0.1, not 0.09999999999999999; a range narrower than twelve digits stays what it is.
        return min(max(float(f"{point:.12g}"), self.min), self.max)


class _Steps(Sequence[Any]):
    """The values of a range with a step, each made when it is asked for: a fine step has billions."""

    def __init__(self, domain: Range) -> None:
        self.domain = domain

    def __len__(self) -> int:
        return self.domain.size or 0

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        place = range(len(self))[index]
        return self.domain.at_step(place) if isinstance(place, int) else [self.domain.at_step(each) for each in place]


def _exponent(number: float) -> int:
    return math.floor(math.log10(number))


Domain = Choice | Range
