"""Reads one `.ts` file: header lines `@key value`, then a series a line, channels parted by `:`, the target last."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from automl.errors import DataError, did_you_mean, shorten
from automl.sources import _layout
from automl.sources._arrays import not_text
from automl.sources._places import fault

_MISSING = ("?", "NaN", "nan")
_KEYS = {
    "problemname", "timestamps", "missing", "univariate", "dimension", "dimensions", "equallength", "serieslength",
    "classlabel", "targetlabel", "data",
}  # fmt: skip


@dataclass(frozen=True)
class TsFile:
    """The contents of one file.

    Args:
        series: One array `(steps, channels)` float32 per example, each with its own number of steps.
        targets: Labels as text, or numbers under `@targetLabel true`.
    """

    series: list[np.ndarray]
    targets: np.ndarray

    @property
    def steps(self) -> int:
        """The number of steps of the longest series."""
        return max(len(series) for series in self.series)

    @property
    def channels(self) -> int:
        """The number of channels, the same in every series."""
        return int(self.series[0].shape[1])


@dataclass
class _Header:
    classes: list[str] = field(default_factory=list)
    numeric_target: bool = False
    channels: int | None = None
    steps: int | None = None
    equal_length: bool = False
    labelled: bool = False


def read_ts(path: Path, *, labelled: bool = True) -> TsFile:
    """Reads the file at `path`.

    Args:
        path: It.
        labelled: Whether its series need targets; where they have some all the same, these are read.

    Raises:
        DataError: A line is malformed (the message has its number), or the file is empty or not UTF-8.
    """
    try:
        # utf-8-sig: files edited on Windows begin with a byte order mark.
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise not_text(path, error) from error
    except OSError as error:
        raise fault(path, "cannot be read", hint=str(error.strerror)) from error
    header, start = _header(path, lines, labelled=labelled)
    series: list[np.ndarray] = []
    targets: list[str] = []
    for number, line in enumerate(lines[start:], start + 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        where = f"{path}:{number}"
        channels = text.split(":")
        target = channels.pop() if header.labelled else None
        series.append(_series(where, channels, header))
        targets += [] if target is None else [_target(where, target.strip(), header)]
    if not series:
        raise fault(path, "holds no series", expected="one series a line after @data")
    if header.numeric_target:
        return TsFile(series, np.array(targets, dtype=np.float32))
    return TsFile(series, np.array(targets, dtype=str))


def _header(path: Path, lines: list[str], *, labelled: bool) -> tuple[_Header, int]:
    header = _Header()
    for number, line in enumerate(lines, 1):
        text, where = line.strip(), f"{path}:{number}"
        if not text or text.startswith("#"):
            continue
        if not text.startswith("@"):
            raise fault(where, "data before @data", expected="a header line `@key value`", received=shorten(text))
        key, *values = text[1:].split()
        key = key.lower()
        if key not in _KEYS:
            raise fault(where, "unknown header", received=f"@{key}", hint=did_you_mean(key, _KEYS))
        if key == "data":
            if labelled and not header.labelled:
                raise fault(
                    where, "the series have no targets", expected="@classLabel true NAMES, or @targetLabel true"
                )
            return header, number
        if key == "problemname":
            continue
        if not values:
            raise fault(where, f"@{key} has no value")
        if key in ("dimension", "dimensions"):
            header.channels = _count(where, key, values[0])
        elif key == "serieslength":
            header.steps = _count(where, key, values[0])
        else:
            header.labelled = _flag(where, key, values, header) or header.labelled
    raise fault(path, "has no @data line", expected="a .ts file: header lines, @data, series", hint="Copy it again")


def _flag(where: str, key: str, values: list[str], header: _Header) -> bool:
    """Reads a header of yes or no into `header`; returns whether it says that the series have targets."""
    if values[0].lower() not in ("true", "false"):
        raise fault(where, f"@{key} is neither yes nor no", expected="true or false", received=shorten(values[0]))
    on = values[0].lower() == "true"
    if key == "timestamps" and on:
        raise fault(where, "series with time stamps are not supported", expected="@timeStamps false")
    if key == "univariate" and on:
        header.channels = 1
    elif key == "equallength":
        header.equal_length = on
    elif key == "classlabel":
        header.classes = values[1:]
        if on and not header.classes:
            raise fault(where, "no class is named", expected="@classLabel true NAME NAME ...")
        return on
    elif key == "targetlabel":
        header.numeric_target = on
        return on
    return False


def _count(where: str, key: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise fault(where, f"@{key} is not a count", expected="an integer from 1", received=shorten(value))
    return int(value)


def _series(where: str, texts: list[str], header: _Header) -> np.ndarray:
    if header.channels is None:
        # Without @univariate and @dimensions the first series tells.
        header.channels = max(1, len(texts))
    if len(texts) != header.channels:
        raise fault(
            where,
            "wrong number of channels",
            expected=f"{header.channels} and the target, parted by ':'",
            received=f"{len(texts)}",
        )
    channels = [_numbers(where, text) for text in texts]
    steps = len(channels[0])
    uneven = next((len(c) for c in channels if len(c) != steps), None)
    if uneven is not None:
        raise fault(where, "channels differ in length", expected=f"{steps} values each", received=f"{uneven}")
    if header.equal_length:
        header.steps = header.steps or steps
        if steps != header.steps:
            raise fault(
                where, "wrong length under @equalLength true", expected=f"{header.steps} values", received=f"{steps}"
            )
    values = np.array(channels).T
    _layout.check(values[np.newaxis], where)
    return values.astype(np.float32)


def _numbers(where: str, text: str) -> list[float]:
    return [float("nan") if token in _MISSING else _number(where, token) for token in map(str.strip, text.split(","))]


def _number(where: str, token: str) -> float:
    try:
        value = float(token)
    except ValueError:
        raise _not_a_number(where, token) from None
    # float() also reads `inf`; and what overflows float32 would become infinite with a warning.
    if not abs(value) <= float(np.finfo(np.float32).max):
        raise _not_a_number(where, token)
    return value


def _not_a_number(where: str, token: str) -> DataError:
    return fault(
        where, "a value is not a number", expected="a finite number, or ? where missing", received=shorten(token)
    )


def _target(where: str, target: str, header: _Header) -> str:
    if header.numeric_target:
        _number(where, target)
    elif target not in header.classes:
        raise fault(
            where,
            "unknown class label",
            expected=f"one of @classLabel: {', '.join(header.classes)}",
            received=shorten(target),
            hint=did_you_mean(target, header.classes),
        )
    return target
