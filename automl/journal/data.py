"""What a journal's header keeps of the data that its search is made on."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from automl.errors import SearchError
from automl.journal.events import Header
from automl.records import typed
from automl.records.data import DataSpec

# Where the data lies, how its files are read and what preprocessing learned from it: with the model, `deploy.kept`.
_PASSING = ("folder", "folds", "fold", "source")


def described(data: DataSpec) -> dict[str, Any]:
    """Returns what a journal's header keeps of the data, in its settings, for `data_of`."""
    spare = replace(data, inputs=tuple(replace(each, state={}, reads=()) for each in data.inputs))
    return {key: value for key, value in asdict(spare).items() if key not in _PASSING}


def data_of(header: Header) -> DataSpec:
    """Returns the description of a search's data, which may be gone itself.

    Raises:
        SearchError: The journal does not have it.
    """
    kept = header.settings.get("data")
    if kept is None:
        raise SearchError(f"{header.search}: the journal is of a version that kept no description of the data.")
    return typed.built(DataSpec, {**kept, "folder": ""}, f"{header.search}: settings: data")
