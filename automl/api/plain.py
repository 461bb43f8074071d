"""Values of Python's as YAML can say them: NumPy's numbers and arrays, ranges, tuples, paths."""

from __future__ import annotations

import numbers
import os
from collections.abc import Mapping
from typing import Any

from automl.document.bounds import MAX_DEPTH
from automl.errors import ConfigError, Problem


def plain(value: Any, where: str, depth: int = 0) -> Any:
    """Returns a value as mappings, lists, text, numbers, booleans and null.

    Args:
        value: What a script gives.
        where: What messages call it.
        depth: How deep it stands in what was given.

    Raises:
        ConfigError: It is, or holds, something that YAML cannot say, or holds itself.
    """
    if depth > MAX_DEPTH:
        raise ConfigError(Problem(where, "the value nests too deep", f"at most {MAX_DEPTH} levels"))
    if value is None or type(value) in (bool, int, float, str):
        return value
    if hasattr(value, "tolist"):  # NumPy's numbers and arrays, and all that are made like them
        return plain(value.tolist(), where, depth + 1)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, Mapping):
        found = {}
        for key, item in value.items():
            name = plain(key, where, depth + 1)
            found[name] = plain(item, f"{where}.{name}", depth + 1)
        return found
    if isinstance(value, list | tuple | range):
        return [plain(item, f"{where}.{index}", depth + 1) for index, item in enumerate(value)]
    expected = "text, a number, true or false, None, a list or a mapping of such"
    raise ConfigError(Problem(where, "the value cannot be written down", expected, f"a {type(value).__name__}"))
