"""What another terminal may ask of a running search: a word in its folder, which the driver looks for."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from automl.machine import files

FILE = "control"

Wish = Literal["drain", "now"]
"""Let the running trials end and begin no other, or end at once."""

WISHES: tuple[Wish, ...] = ("drain", "now")


def ask(folder: Path, wish: Wish) -> None:
    """Asks the driver of the search in `folder` to stop."""
    files.write_whole(folder / FILE, wish)


def asked(folder: Path) -> Wish | None:
    """Returns what was asked for, if anything was."""
    if files.special(folder / FILE):
        return None
    try:
        text = (folder / FILE).read_text()
    except FileNotFoundError:
        return None
    return next((wish for wish in WISHES if wish == text.strip()), None)


def clear(folder: Path) -> None:
    """Forgets what was asked of an earlier driver."""
    (folder / FILE).unlink(missing_ok=True)
