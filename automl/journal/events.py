"""What a journal can tell: one frozen record per event, one line of JSON each."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar

from automl.errors import SearchError, did_you_mean, shorten
from automl.journal.settings import Kept, Settings, Told
from automl.journal.upgrades import FORMAT, STEPS, is_known, upgraded
from automl.records import typed
from automl.records.trials import Gradient, Outcome

Plain = Mapping[str, Any]
"""Plain JSON data."""


@dataclass(frozen=True)
class Header:
    """First line: what the search is, all that a resume needs.

    Args:
        search: Id of the search.
        created: When it began.
        document: The whole experiment document, domains and all.
        data_digest: Digest of the prepared data; None when it was not prepared yet.
        keys: Names of the searched parameters.
        seed: Seed of the search.
        threads: Threads of each worker.
        backend: Keras backend.
        versions: Versions of Python and the libraries.
        host: Name of the machine.
        settings: How the search was started: space, workers, GPUs, names, tracking address, data folder.
        format: Version of the journal's format.
    """

    event: ClassVar[str] = "header"

    search: str
    created: int
    document: Plain
    data_digest: str | None
    keys: tuple[str, ...]
    seed: int
    threads: int | None
    backend: str
    versions: Mapping[str, str]
    host: str
    settings: Annotated[Plain, Settings] = field(default_factory=dict)
    format: int = FORMAT


@dataclass(frozen=True)
class Baseline:
    """What is simpler than a network was measured, before any trial.

    Args:
        name: Which.
        metrics: Of the validation part, by their names: `val_accuracy`.
        seconds: How long it took.
        examples: How many examples it learned from.
        time: When, since 1970.
    """

    event: ClassVar[str] = "baseline"

    name: str
    metrics: Mapping[str, float]
    seconds: float
    examples: int
    time: int


@dataclass(frozen=True)
class Asked:
    """The oracle proposed a trial. `seed` is the trial's own; at the epochs in `rungs` it is judged."""

    event: ClassVar[str] = "ask"

    number: int
    values: Plain
    seed: int
    time: int
    rungs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Started:
    """A worker took a trial up."""

    event: ClassVar[str] = "start"

    number: int
    attempt: int
    time: int


@dataclass(frozen=True)
class Reported:
    """An epoch of a running trial ended; epochs count from 1, through all trainings of the trial.

    `usage` is what its worker took of its machine, and `health` how its training was, now and then. `phase` is that of
    the training, from 1; 0 where an earlier version did not tell.
    """

    event: ClassVar[str] = "report"

    number: int
    attempt: int
    epoch: int
    metrics: Mapping[str, float]
    time: int
    nonfinite: Mapping[str, str] = field(default_factory=dict)
    part: int = 1
    usage: Mapping[str, float] = field(default_factory=dict)
    health: Mapping[str, float] = field(default_factory=dict)
    phase: int = 0


@dataclass(frozen=True)
class Measured:
    """One training of a trial ended that has several; the fields are those of `records.trials.Measured`."""

    event: ClassVar[str] = "measured"

    number: int
    attempt: int
    part: int
    score: float
    best_epoch: int
    epochs: int
    time: int
    parameters: int | None = None
    seconds: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    loss: float | None = None
    gradient: Gradient | None = None
    message: str | None = None


@dataclass(frozen=True)
class Ended:
    """A trial ended for good; the fields are those of `records.trials.TrialResult`."""

    event: ClassVar[str] = "end"

    number: int
    attempt: int
    outcome: Outcome
    time: int
    score: float | None = None
    best_epoch: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    epochs: int = 0
    seconds: float = 0.0
    parameters: int | None = None
    message: str | None = None
    traceback: str | None = None
    scores: tuple[float, ...] = ()
    loss: float | None = None
    gradient: Gradient | None = None


@dataclass(frozen=True)
class Lost:
    """A worker died with a trial; the trial is tried again, or a final `end` follows."""

    event: ClassVar[str] = "lost"

    number: int
    attempt: int
    time: int
    message: str | None = None


@dataclass(frozen=True)
class Retried:
    """A trial is tried again with some leaves of `training` changed, because it failed without them."""

    event: ClassVar[str] = "retry"

    number: int
    attempt: int
    time: int
    changes: Plain
    message: str | None = None


@dataclass(frozen=True)
class Resumed:
    """A driver went on with the search.

    Args:
        time: When.
        trials: A new total of trials; None for the one it had.
        format: Version of the format of the lines from here on.
    """

    event: ClassVar[str] = "resumed"

    time: int
    trials: int | None = None
    format: int = FORMAT


@dataclass(frozen=True)
class Changed:
    """The search goes on with another document, in which its trials are legal too."""

    event: ClassVar[str] = "change"

    time: int
    document: Plain
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Finished:
    """The search ended. `best` is the winner, `test` its metrics on the test part, `result` what was printed."""

    event: ClassVar[str] = "finish"

    status: str
    reason: str
    time: int
    best: int | None = None
    test: Mapping[str, float] = field(default_factory=dict)
    result: Annotated[Plain, Told] = field(default_factory=dict)


Event = (
    Header | Baseline | Asked | Started | Reported | Measured | Ended | Lost | Retried | Resumed | Changed | Finished
)

EVENTS: dict[str, type[Event]] = {
    kind.event: kind
    for kind in (Header, Baseline, Asked, Started, Reported, Measured, Ended, Lost, Retried, Resumed, Changed, Finished)
}


def encode(event: Event) -> bytes:
    """Returns the event's line.

    Raises:
        ValueError: A number is not finite.
        TypeError: A value is not plain.
    """
    line = json.dumps({"event": event.event, **vars(event)}, allow_nan=False, separators=(",", ":"))
    return line.encode() + b"\n"


def decode(line: bytes, where: str, written: int = FORMAT) -> tuple[Event, int]:
    """Reads one line. Fields that are unknown here are a later version's.

    Args:
        line: The line.
        where: Stands for it in messages.
        written: The format of the lines before it.

    Returns:
        The event, and the format of the lines that follow.

    Raises:
        SearchError: The line is no event of this format.
    """
    try:
        data = json.loads(line, parse_constant=_refused, parse_float=_finite)
        name = data["event"]
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        received = shorten(line.decode(errors="replace"))
        raise SearchError(f"{where}: the line is broken. Expected one event as JSON; received {received}.") from error
    written = data.get("format", written)
    if not is_known(written):
        known = ", ".join(map(str, (*STEPS, FORMAT)))
        raise SearchError(f"{where}: a journal of another format. Expected {known}; received {shorten(written)}.")
    kind = EVENTS.get(str(name))
    if kind is None:
        raise SearchError(f"{where}: unknown event {name!r}. {did_you_mean(str(name), EVENTS) or ''}".rstrip())
    try:
        data = dict(upgraded(data, written))
    except (KeyError, TypeError, AttributeError) as error:
        raise SearchError(f"{where}: the {name} event lacks what format {written} has ({error}).") from error
    del data["event"]
    event = typed.built(kind, data, f"{where}: the {name} event")
    return (replace(event, settings=Kept(event.settings, where)) if isinstance(event, Header) else event), written


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no number of a journal")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refused(text)
