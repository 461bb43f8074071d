"""What is wrong with a document, collected so that all of it is told at once, in the order of the file."""

from __future__ import annotations

import re

from automl.document.yaml_text import Document, Path_
from automl.errors import ConfigError, Problem

MOST = 50
"""Mistakes that are told of one document."""
_PLACE = re.compile(r"(.*):(\d+):(\d+)")


class Problems:
    """Collects what is wrong with a document, so that all of it is told at once.

    `unread` holds the places whose domains were left as they are because something above them is wrong, and told.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.found: list[Problem] = []
        self.unread: list[Path_] = []
        self._told: set[Path_] = set()
        self._told_of = 0

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
        if problem in self.found:
            return
        self.found.append(problem)
        if len(self.found) == MOST:
            self.found.append(Problem(self.document.name, f"there may be more: the check ended at {MOST} mistakes"))
            self.stop()

    def told(self, path: Path_) -> bool:
        """Tells whether a problem at or below `path` was noted already, or one above that kept it from being read."""
        if any(path[: len(above)] == above for above in self.unread):
            return True
        if not self.found:
            return False
        if self._told_of != len(self.found):
            self._told_of = len(self.found)
            wheres = {problem.where for problem in self.found}
            told = (at for at, mark in self.document.marks.items() if mark in wheres)
            self._told = {at[:end] for at in told for end in range(len(at) + 1)}
        return path in self._told

    def stop(self) -> None:
        """Raises a `ConfigError` with all that was found, if anything was."""
        if self.found:
            raise ConfigError(sorted(self.found, key=_position))


def _position(problem: Problem) -> tuple[str, int, int]:
    """Orders problems as a reader of the file meets them; what stands in no file comes first."""
    match = _PLACE.fullmatch(problem.where)
    return (match[1], int(match[2]), int(match[3])) if match else ("", 0, 0)
