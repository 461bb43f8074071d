"""What a trial is called where many stand in one list: `t012 gru 2x64 lr 1e-3`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from automl.errors import printable

LONGEST = 60
"""Characters of a name: more, and a table shows only its beginning."""

_SHORT = {"learning_rate": "lr", "batch_size": "batch", "kernel_size": "kernel"}
"""Words that are known by others."""
_TELLING = {"cell", "optimizer", "backbone", "schedule", "activation", "pool"}
"""Fields whose values say by themselves what they are of."""
_WIDTHS = {"filters", "units"}


def name(number: int, values: Mapping[str, Any], varies: Iterable[str]) -> str:
    """Returns a trial's name: its number, and of what tells it from others as much as fits, the most telling first.

    Args:
        number: The trial, from 1.
        values: Its active parameters, in the order of the document.
        varies: The parameters that may differ between trials.
    """
    wanted = set(varies)
    words = _words({key: value for key, value in values.items() if key in wanted})
    room, kept = LONGEST - len(f"t{number:03d}"), set()
    for place in sorted(range(len(words)), key=lambda place: words[place][0]):
        room -= 1 + len(words[place][1])
        if room < 0:
            break
        kept.add(place)
    return " ".join([f"t{number:03d}", *(words[place][1] for place in sorted(kept))])


def shown(value: Any) -> str:
    """Returns a value in few characters: numbers with two digits, as 1e-3 and 0.25."""
    if isinstance(value, bool) or not isinstance(value, float):
        text = "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        return " ".join(printable(text).split())
    text = f"{value:.2g}" if 0.01 <= abs(value) < 1000 or not value else f"{value:.1e}"
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}" if exponent else mantissa


def _words(values: Mapping[str, Any]) -> list[tuple[int, str]]:
    """Returns what can be said of a trial, in the document's order, each with how early it is wanted: 0 first."""
    parted = [(_path(key), value) for key, value in values.items()]
    found: list[tuple[int, str]] = []
    named: dict[int, str] = {}
    for block, group in groupby(parted, key=lambda each: each[0][:-1]):
        members = [(path[-1], value) for path, value in group]
        words = [_word(field, value) for field, value in members if field != "repeat" and field not in _WIDTHS]
        if sizes := _sizes(members):  # gru 2x64: the two are one word
            head = [text for rank, text in words if rank == 0 and text]
            words = [word for word in words if word[0] > 0]
            named[len(found)] = block[-1] if block else ""
            found.append((0 if head else 1, " ".join([*head, sizes])))
        found += words
    if len(named) > 1:  # which of them is meant
        found = [(rank, f"{named.get(place, '')} {text}".strip()) for place, (rank, text) in enumerate(found)]
    return [(rank, text) for rank, text in found if text]


def _path(key: str) -> tuple[str, ...]:
    """Returns a parameter's path without the numbers of repeats."""
    return tuple(part for part in key.split(".") if not part.isdigit())


def _sizes(members: Iterable[tuple[str, Any]]) -> str:
    """Returns the depth and the width of a block, as `2x64` or `2x64-32`, of those of them that vary."""
    known = list(members)
    repeat = next((value for field, value in known if field == "repeat"), None)
    widths = [shown(value) for field, value in known if field in _WIDTHS]
    if repeat == 0:
        return ""
    width = widths[0] if len(set(widths)) == 1 else "-".join(widths)
    return width if repeat is None else f"{repeat}x{width}"


def _word(field: str, value: Any) -> tuple[int, str]:
    if field == "learning_rate":
        return 0, f"lr {shown(value)}"
    if field == "bidirectional":
        return 0, "bi" if value is True else ""
    if isinstance(value, str) and (field in _TELLING or value == "none"):
        return (0 if field in ("cell", "backbone") else 2), "" if value == "none" else shown(value)
    return 3, f"{_SHORT.get(field, field)} {shown(value)}"
