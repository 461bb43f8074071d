"""How much of a sweep runs: `make test-all` runs the whole of it, which takes hours; `make test` a part."""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")

IS_WHOLE = bool(os.environ.get("AUTOML_TEST_ALL"))


def part(usual: T, whole: T) -> T:
    """Returns what `make test` runs, or what `make test-all` does."""
    return whole if IS_WHOLE else usual
