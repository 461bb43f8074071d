"""What a folder of members holds, told from the names of its files: nothing is imported for it."""

from __future__ import annotations

import importlib.util
import pkgutil


def names(package: str) -> list[str]:
    """Returns the names of the members in a folder, sorted: those of its files, but for what begins with `_`.

    Imports none of them, nor the folder itself: help that lists the algorithms is instant.

    Args:
        package: Dotted name of the folder, for example `automl.blocks`.
    """
    found = importlib.util.find_spec(package)
    assert found is not None
    folders = found.submodule_search_locations
    return sorted(each.name for each in pkgutil.iter_modules(folders) if not each.name.startswith("_"))
