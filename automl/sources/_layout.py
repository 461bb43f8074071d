"""How arrays lie in their files, and how they are meant: channels first or last, zeros for padding, large offsets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from automl.errors import DataError
from automl.records import float32
from automl.sources import Source
from automl.sources._places import fault

End = Literal["start", "end"]

SAMPLE = 10_000
"""Neighbouring numbers of a channel that are looked at to see whether float32 tells them apart."""

CELLS = 1_000_000
"""Numbers of a table that are looked at in all, and so of fewer rows where it is wide."""

FEWEST = 20
"""Rows of a wide array that are looked at all the same: of two numbers chance alone may make one."""

MARKED = (
    "Zeros at this end of a series are padding; they are marked as such (NaN, at the end), and so must be what the "
    "model is given"
)
"""What the field `zero_padding` of the sources of series says."""


class Arrays(Source):
    """What the sources of arrays have in common."""

    channels_first: bool = Field(
        False,
        description="Examples lie as (channels, steps) or (channels, height, width); what is prepared, and what the "
        "model is given, has the channels last",
    )
    zero_padding: End | None = Field(None, description=MARKED)

    def laid(self, x: np.ndarray, where: Path | str) -> np.ndarray:
        """Returns examples with their channels last and their padding marked.

        Raises:
            DataError: There is no axis of channels.
        """
        if self.channels_first:
            if x.ndim < 3:
                expected = "examples of two or three axes under `channels_first: true`"
                raise fault(where, "examples have no axis of channels", expected=expected, received=f"shape {x.shape}")
            x = np.moveaxis(x, 1, -1)
        return x if self.zero_padding is None else marked(x, self.zero_padding, where)


def zero_runs(x: np.ndarray, end: End) -> np.ndarray:
    """Returns how many steps at an end of each series are 0 in all channels, `(examples,)`."""
    other = (x != 0).reshape(len(x), x.shape[1], -1).any(axis=-1)
    other = other if end == "start" else other[:, ::-1]
    return np.where(other.any(axis=1), other.argmax(axis=1), x.shape[1])


def marked(x: np.ndarray, end: End, where: Path | str) -> np.ndarray:
    """Returns series whose zeros at an end are padding: NaN behind the last step. One of zeros alone keeps a step.

    Raises:
        DataError: They are no series of numbers.
    """
    if x.ndim not in (2, 3) or x.dtype.kind not in "biuf":
        expected = "(examples, steps) or (examples, steps, channels) under `zero_padding`"
        raise fault(where, "examples are no series", expected=expected, received=f"shape {x.shape}, dtype {x.dtype}")
    filled = np.full(x.shape, np.nan, np.float32 if x.dtype.itemsize < 4 or x.dtype == np.float32 else np.float64)
    for row, series, run in zip(filled, x, np.minimum(zero_runs(x, end), x.shape[1] - 1), strict=True):
        there = series[run:] if end == "start" else series[: len(series) - run]
        row[: len(there)] = there
    return filled


class Blurred(DataError):  # noqa: N818 - a property of the data
    """Numbers that differ are one number in float32.

    Args:
        message: The whole message.
        offsets: What to take off the numbers of each channel, so that they stay apart; 0 for those that do anyway.
    """

    def __init__(self, message: str, offsets: Sequence[float]) -> None:
        super().__init__(message)
        self.offsets = list(offsets)


def check(x: np.ndarray, where: Path | str, names: Sequence[str] | None = None) -> None:
    """Checks that numbers stay apart in float32, as which they are stored and read by the model.

    Seconds since 1970 do not: float32 holds every 128th of them.

    Args:
        x: Numbers, `(examples, columns)` with `names`; else `(examples, steps)` or `(examples, ..., channels)`.
        where: What messages call the file.
        names: Names of the columns.

    Raises:
        Blurred: They do not.
    """
    if x.dtype.kind not in "iuf" or x.dtype.itemsize < 4 or x.dtype == np.float32:
        return
    table = x.ndim == 2
    channels = x.shape[-1] if table or x.ndim > 2 else 1
    pairs = _pairs(x, channels)
    # Steps of series rather than columns: what is taken off is one number for all of them.
    if table and names is None and _alike(x) and (of_all := _pairs(x, 1)):
        channels, pairs = 1, of_all
    if not pairs:
        return
    place, pair = next(iter(pairs.items()))
    kind = "column" if table else "channel"
    of = f" of column {names[place]!r}" if names is not None else f" of {kind} {place + 1}" if channels > 1 else ""
    # The least of those that become one, not the least of all, which may be a zero for what is missing.
    offsets = [float(np.floor(pairs[at][0])) if at in pairs else 0.0 for at in range(channels)]
    problem = fault(
        where,
        f"numbers{of} that differ are one number in float32",
        expected="numbers that it tells apart",
        received=f"{pair[0]!r} and {pair[1]!r}",
        hint=f"Take {offsets[place]:.0f} off them with the field `offset`, and off what the model is given; or leave "
        "them out",
    )
    raise Blurred(str(problem), offsets)


def _pairs(x: np.ndarray, channels: int) -> dict[int, tuple[float, float]]:
    """Returns two numbers that become one, by their channel."""
    steps = x[0].size // channels if len(x) else 1
    rows = max(FEWEST, min(SAMPLE // max(1, steps), CELLS // max(1, steps * channels)))
    values = x[:rows].reshape(-1, channels)[:SAMPLE].astype(np.float64)
    return float32.blurred(values)


def _alike(x: np.ndarray) -> bool:
    """Returns whether all columns hold numbers of one size, but for those of zeros alone: the steps of series do."""
    values = x[: max(FEWEST, SAMPLE // max(1, x.shape[1]))].astype(np.float64)
    sizes = np.where(np.isfinite(values), np.abs(values), 0.0).max(axis=0, initial=0.0)
    sizes = sizes[sizes > 0]
    return len(sizes) == 0 or bool(sizes.max() <= 2 * sizes.min())
