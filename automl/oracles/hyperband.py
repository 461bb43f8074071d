"""Hyperband: random search whose trials are judged early."""

from __future__ import annotations

from typing import ClassVar

from automl.oracles.random import Random


class HyperbandSearch(Random):
    """Random search with `scheduler: hyperband`, under the name it is known by.

    Source: Li et al. 2016, https://jmlr.org/papers/v18/16-558.html, algorithm 1
    """

    scheduler: ClassVar[str] = "hyperband"
