"""Pydantic's findings in the words of people who write YAML."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError

from automl.document.yaml_text import Path_
from automl.errors import did_you_mean

_WORDS = {
    "^Input should be (a valid )?": "",
    "^(String|List|Tuple) should have": "",
    "^String should match pattern .*A-Za-z0-9_.*": "a word of letters, digits and _, a letter first",
    "^String should match pattern": "text like",
    "^integer$": "a whole number",
    "^number$": "a number",
    "^boolean$": "true or false",
    "^string$": "text",
    "^(list|array|tuple)$": "a list",
    "less than or equal to": "at most",
    "greater than or equal to": "at least",
    "less than": "below",
    "greater than": "above",
}
"""Pydantic's words in those of people who write YAML."""


def explain(error: ValidationError, value: Any) -> tuple[str, str | None]:
    """Turns pydantic's errors into what was expected, and the nearest legal word for a misspelt one."""
    wanted: list[str] = []
    hint = None
    for entry in error.errors():
        message = entry["msg"].removeprefix("Value error, ")
        for theirs, ours in _WORDS.items():
            message = re.sub(theirs, ours, message)
        if message not in wanted:
            wanted.append(message)
        if entry["type"] == "literal_error" and isinstance(value, str):
            known = str(entry["ctx"]["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
            hint = did_you_mean(value, known) or hint
    return " or ".join(wanted), hint


def last(path: Path_) -> str:
    """Returns the name of the field a path leads to."""
    words = [str(part) for part in path if isinstance(part, str) and part not in ("values", "each", "one_of")]
    if len(words) > 1 and words[-1] in ("min", "max", "step", "default"):
        return words[-2]
    return words[-1] if words else "it"


def in_words(entry: Any) -> str:
    """Returns what pydantic says of an error, as a part of a sentence of ours."""
    return str(entry["msg"]).removeprefix("Value error, ").rstrip(".")
