"""How plain values are written where MLflow takes only text, within its limits."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

KEY_LIMIT = 250
PARAM_LIMIT = 6000
TAG_LIMIT = 8000
PARAMS_PER_CALL = 100
METRICS_PER_CALL = 800
"""MLflow takes 1,000 entries of all kinds in one call, at most 100 of them parameters and 100 tags."""

T = TypeVar("T")


def value_text(value: Any) -> str:
    """Returns a value as a reader of the runs table should see it.

    Text stays as it is; anything else is written as in YAML and JSON, so that `null`, `true`, `1` and `1.0` can be told
    apart, numbers sort as numbers, and a list reads `[64, 32]`.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def cut(text: str, limit: int) -> str:
    """Returns `text`, cut to `limit` characters with a mark that says so."""
    if len(text) <= limit:
        return text
    mark = f" ... (cut, {len(text)} characters)"
    return text[: limit - len(mark)] + mark


def key_text(key: str) -> str:
    """Returns a key that MLflow takes: the key itself where it is legal, else a legal one that no other key becomes."""
    legal = re.sub(r"[^\w.\-/ ]", "_", key)
    if posixpath.normpath(legal) != legal or legal.startswith((".", "/")):
        # A metric's key is a path for MLflow's artifact stores: no `..`, no `//`, no leading `/`.
        legal = legal.replace("/", "_").lstrip(".") or "_"
    if legal == key and len(key) <= KEY_LIMIT:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:8]
    return f"{legal[: KEY_LIMIT - 9]}-{digest}"


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yields `items` in pieces of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
