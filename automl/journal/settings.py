"""How a search was started, as the header of its journal keeps it beside the document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypedDict

from automl.errors import SearchError
from automl.machine.cluster import Share
from automl.records.objective import Champion


class Named(TypedDict):
    """How a search's documents were named; see `changed_document.source`."""

    space: str
    data: str | None
    options: Sequence[str]
    flags: Mapping[str, Any]


class Source(Named, total=False):
    """The same, with the points of a warm start, which the first version did not have."""

    start: Sequence[Mapping[str, Any]]


class Weights(TypedDict):
    """Where pretrained weights came from; see `pretrained.require`."""

    family: str
    alpha: float | None
    weights: str
    source: str
    digest: str


class Settings(TypedDict, total=False):
    """What a resume, an export and the mirror need to know; an older version wrote less."""

    space: str
    workers: int
    gpus: Sequence[str] | None
    workers_per_gpu: int | None
    cluster: Share | None
    experiment: str
    name: str
    champion: Champion
    report: bool
    tracking_uri: str
    home: str
    data_root: str | None
    source: Source | None
    data: Mapping[str, Any] | None
    pretrained: Sequence[Weights] | None
    commit: str | None


class Told(TypedDict, total=False):
    """What the mirror takes of a search's result; see `finish.Summary`."""

    wall_s: float
    tracking_uri: str
    predicted_s: tuple[float, float] | None
    trials_s: tuple[float, float] | None
    baselines: dict[str, dict[str, float]] | None
    beaten_by: str | None


class Kept(dict[str, Any]):
    """Settings read back, which say what they lack.

    Args:
        settings: What was read.
        where: Stands for the journal in messages.
    """

    def __init__(self, settings: Mapping[str, Any], where: str) -> None:
        super().__init__(settings)
        self._where = where

    def __missing__(self, key: str) -> NoReturn:
        raise SearchError(f"{self._where}: the header event: settings: it lacks {key}.")
