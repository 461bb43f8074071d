"""What holds around a leaf of a document while its domains are read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from automl.document.yaml_text import Path_
from automl.space.tree import Condition


@dataclass(frozen=True)
class Scope:
    """What holds around a leaf: its name so far, and on what it depends.

    Args:
        name: Prefix of parameter names.
        path: Where we are in the document.
        conditions: What must hold for anything here to exist.
        repeat: (parameter name or None, least, most) of the block around; None outside of blocks.
    """

    name: str
    path: Path_
    conditions: tuple[Condition, ...] = ()
    repeat: tuple[str | None, int, int] | None = None

    def into(self, key: str | int, name: str | None = None) -> Scope:
        """Returns what holds one step further; `name` is what the step adds to names, where that is not its key."""
        own = str(key) if name is None else name
        return replace(self, name=f"{self.name}.{own}" if self.name else own, path=(*self.path, key))
