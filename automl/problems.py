"""What is wrong with a document, collected so that all of it is told at once, in the order of the file."""

from __future__ import annotations

import re

from automl.document import Document, Path_
from automl.errors import ConfigError, Problem

_PLACE = re.compile(r"(.*):(\d+):(\d+)")


class Problems:
    """Collects what is wrong with a document, so that all of it is told at once.

    `unread` holds the places whose domains were left as they are because something above them is wrong, and told.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.found: list[Problem] = []
        self.unread: list[Path_] = []

    def add(
        self,
        path: Path_,
        what: str,
        expected: str | None = None,
        received: str | None = None,
        hint: str | None = None,
    ) -> None:
        """Notes one problem with the value at `path`."""
        problem = Problem(self.document.where(path), what, expected, received, hint)
        if problem not in self.found:
            self.found.append(problem)

    def stop(self) -> None:
        """Raises a `ConfigError` with all that was found, if anything was."""
        if self.found:
            raise ConfigError(sorted(self.found, key=_position))


def _position(problem: Problem) -> tuple[str, int, int]:
    """Orders problems as a reader of the file meets them; what stands in no file comes first."""
    match = _PLACE.fullmatch(problem.where)
    return (match[1], int(match[2]), int(match[3])) if match else ("", 0, 0)
