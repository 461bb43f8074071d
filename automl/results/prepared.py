"""The data of a search, prepared again as it was."""

from __future__ import annotations

from pathlib import Path

from automl.data import prepare
from automl.experiment.experiment import Experiment
from automl.journal import Header
from automl.records.data import DataSpec


def again(
    header: Header, read: Experiment, folder: Path, root: Path | None = None, limit: float | None = None
) -> DataSpec:
    """Prepares the data of a search in a folder, in the parts that the search has.

    Args:
        header: The search's journal's.
        read: What is searched.
        folder: Where to.
        root: The parent folder of data sets; None for the one that the search was begun with.
        limit: See `prepare.prepare`.

    Raises:
        DataError: It is gone, or is another than it was.
    """
    assert read.data is not None
    document = read.data.model_copy(update={"digest": header.data_digest or None})
    return prepare.prepare(document, folder, root_of(header, root), read.evaluation, version_of(header), limit)


def root_of(header: Header, root: Path | None = None) -> Path | None:
    """Returns the parent folder of data sets: the one given, else that of the search; None for the usual places."""
    known = header.settings.get("data_root")
    return root or (Path(known) if known else None)


def version_of(header: Header) -> int:
    """Returns in which way the search cut its parts; see `prepare.VERSION`. Early journals do not say."""
    return int((header.settings.get("data") or {}).get("version", 1))
