"""What the sources of tables have in common: what their columns are for, and examples made of features side by side."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, PositiveInt, PrivateAttr, model_validator

from automl.errors import DataError, did_you_mean, shorten
from automl.records.data import Splits
from automl.sources import _in_time, _layout
from automl.sources._arrays import as_stored, tidy
from automl.sources._file_table import FileTable
from automl.sources._files import Files
from automl.sources._later import rows_later
from automl.sources._places import fault, find
from automl.sources._unlabelled import PREDICT


class Columns(_layout.Arrays):
    """A file of rows with named columns, and another one for the test part.

    `ending` says what its files are called.
    """

    ending: ClassVar[str]

    file: str = Field(description="The file, relative to the place of all data sets", min_length=1)
    target: str | tuple[str, ...] | None = Field(
        None, description="Column of the targets, or several: no feature; null where the task names it"
    )
    columns: tuple[str, ...] | None = Field(
        None, description="Feature columns in order; all that no other field names if left out"
    )
    group: str | None = Field(
        None, description="Column that says what belongs together (a speaker, a patient): never split between parts"
    )
    order: str | None = Field(
        None,
        description="Column that says when a row was (a date, a rising number): no feature; parts are cut by it, "
        "the latest rows are the test part, and a test file may hold none that is earlier than a training row",
    )
    ahead: PositiveInt | None = Field(
        None,
        description="The target is the one that stands so many rows later by `order`, to be told in advance; what it "
        "is now is a feature. Where steps in time are regular, a row with a gap before its target is left out",
    )
    missing_targets: Literal["refuse", "drop"] = Field(
        "refuse", description="What is done about rows whose target is missing; dropped, the search says how many"
    )
    test: str | None = Field(None, description="File of the test part, with the same columns")
    shape: tuple[PositiveInt, ...] | None = Field(None, description="Shape of one example, for images and series")
    offset: float | dict[str, float] = Field(
        0.0,
        description="Number taken off every feature, or off the columns named, before they become float32; so it must "
        "be off what the model is given",
    )

    _may_be_empty: bool = PrivateAttr(False)

    @model_validator(mode="after")
    def _agrees(self) -> Columns:
        if self.group is not None and self.order is not None:
            raise ValueError("group and order exclude each other: a cut by time would split groups")
        if self.ahead is not None and self.order is None:
            raise ValueError("ahead needs order: the column that says which rows are later")
        if self.offset and self.zero_padding is not None:
            raise ValueError(
                "offset and zero_padding exclude each other: what is 0 in the file would not be it any more"
            )
        return self

    def learning(self, target: str | tuple[str, ...] | None, *, may_be_empty: bool = False) -> Self:
        """Returns the source of a set whose targets are what the task names; see `Source.learning`."""
        named, own = _names(target), _names(self.target)
        if named and self.ahead is not None:
            raise ValueError("with `ahead` of the source, the source names the target: leave it out of the task")
        if named and own and named != own:
            raise ValueError(
                f"the source says that the target is {_told(own)}, and the task that it is {_told(named)}: name it in "
                "one of them"
            )
        found = self.model_copy(update={"target": tuple(named or own) or None})
        found._may_be_empty = may_be_empty  # noqa: SLF001 - its own class
        return found

    @abstractmethod
    def _files(self, learned: Mapping[str, Any] | None = None) -> Files:
        """Returns what reads the files, none of which it knows yet.

        Args:
            learned: What their columns hold, where other files told: `Splits.learned`.
        """

    def open(self, root: Path | None) -> Splits:
        """Looks at the file, and the test file where there is one; see `Source.open`."""
        files = self._files()
        files.add(find(self.file, root, f"the {self.ending} file"))
        features = self._features(files)
        if self.test is not None:
            files.add(find(self.test, root, f"the {self.ending} file of the test part"))
            self._features(files, features)
        rows, when = _in_time.rows(files, self.order)
        table = FileTable(files, self, features, _names(self.target), self._offsets(features, files.paths[0]))
        notes: list[str] = []
        if self.ahead is not None:
            places, notes = self._ahead(files, rows, when)
            table.look_ahead(self.ahead, places)
            rows = {part: each[places[each] >= 0] for part, each in rows.items()}
        if self.missing_targets == "drop":
            there = table.has_targets()
            lost = sum(int((~there[each]).sum()) for each in rows.values())
            rows = {part: each[there[each]] for part, each in rows.items()}
            notes += [f"{lost:,} rows are left out: their target is missing"] if lost else []
        return Splits(
            table,
            rows,
            examples=table.examples,
            features=tuple(features),
            targets=table.targets,
            groups=None if self.group is None else tidy([self.group])[0],
            is_timeline=self.order is not None,
            notes=tuple(notes),
            learned=lambda columns: _learned(files, features if table.examples in columns else columns),
        )

    def open_like(self, root: Path | None, learned: Mapping[str, Any]) -> Splits:
        """Opens the set, and reads as text what was text in the other; see `Source.open_like`."""
        opened = self.open(root)
        assert isinstance(opened.table, FileTable)
        opened.table.texts = frozenset(learned.get("texts", ()))
        return opened

    def unlabelled(self, paths: Sequence[Path], learned: Mapping[str, Any]) -> Splits:
        """Opens files that have the features; what these hold, the set has told."""
        files, features = self._files(learned), list(learned["features"])
        for path in paths:
            files.add(path)
            there = set(files.names[-1])
            if missing := next((name for name in features if name not in there), None):
                header = files.names[-1]
                hint, expected = did_you_mean(missing, header), f"the columns {shorten(features, 300)}"
                raise fault(path, f"has no column {missing!r}", expected=expected, hint=hint)
        table = FileTable(files, self, features, (), self._offsets(features, paths[0]), learned["texts"])
        rows = {PREDICT: np.arange(len(table))}
        return Splits(table, rows, examples=table.examples, features=tuple(features), targets=())

    def _ahead(
        self, files: Files, rows: Mapping[str, np.ndarray], when: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, list[str]]:
        """Returns the row whose target each row has, -1 for none, and what is said of it."""
        assert self.ahead is not None
        found, gaps = np.full(sum(files.sizes), -1), 0
        for (part, each), path in zip(rows.items(), files.paths, strict=True):
            later, count = rows_later(when[part], self.ahead, path, str(self.order))
            found[each] = np.where(later >= 0, each[later], -1)
            gaps += count
        told = f"the target of a row is {_told(_names(self.target))} of {self.ahead} row{'s' * (self.ahead > 1)} later"
        return found, [f"{told} by {self.order!r}", *([f"{gaps:,} rows are left out: a gap follows"] if gaps else [])]

    def _features(self, files: Files, wanted: Sequence[str] | None = None) -> list[str]:
        """Returns the feature columns after checking that they and the others are in the file that was added last."""
        path, header = files.paths[-1], files.names[-1]
        wanted = wanted or (tidy(self.columns) if self.columns else None)
        others = {name: what for what in ("order", "group", "target") for name in _names(getattr(self, what))}
        there = set(header)
        for column in (*others, *(wanted or ())):
            if column not in there:
                raise fault(
                    path,
                    f"has no {others.get(column, 'feature')} column {column!r}",
                    expected=f"one of {shorten(header, 300)}",
                    hint=did_you_mean(column, header),
                )
        # What a target is now may tell what it will be.
        own = "target" if self.ahead is not None else None
        features = list(wanted) if wanted else [name for name in header if others.get(name, own) == own]
        among = next((name for name in features if name in others and others[name] != own), None)
        if among is not None:
            what = others[among]
            raise fault(path, f"the {what} {among!r} is among the feature columns", hint="Leave it out of `columns`")
        if not features:
            raise fault(path, "has no feature column", expected=f"at least one beside {_told(list(others))}")
        if self.shape is not None and math.prod(self.shape) != len(features):
            raise fault(
                path,
                "rows do not fit `shape`",
                expected=f"{math.prod(self.shape)} feature columns for shape {list(self.shape)}",
                received=f"{len(features)}",
                hint="Choose them with `columns`",
            )
        return features

    def _offsets(self, features: list[str], path: Path) -> np.ndarray:
        """Returns what is taken off each feature."""
        if isinstance(self.offset, float):
            return np.full(len(features), self.offset)
        by_name = dict(zip(tidy(self.offset), self.offset.values(), strict=True))
        there = set(features)
        stray = next((name for name in by_name if name not in there), None)
        if stray is not None:
            hint = did_you_mean(stray, features)
            raise fault(path, f"`offset` names {stray!r}, which is no feature", expected=shorten(features), hint=hint)
        return np.array([by_name.get(name, 0.0) for name in features])

    def joined(self, x: np.ndarray, names: Sequence[str] | None, rows: np.ndarray, path: Path) -> np.ndarray:
        """Returns examples of features side by side.

        Args:
            x: The features, `(rows, features)`.
            names: Their names, for the first rows that are read of a file: these tell whether float32 can hold them.
            rows: Numbers of the rows in their file.
            path: The file.
        """
        if names is not None:
            _layout.check(x, path, names)
        if self.shape is not None:
            x = x.reshape(len(x), *self.shape)
        return _small(self.laid(x, path), rows, path)

    def stacked(self, columns: Sequence[np.ndarray], rows: np.ndarray, path: Path) -> np.ndarray:
        """Returns examples of features that hold several numbers each; of several features, as channels.

        Args:
            columns: The features.
            rows: Numbers of the rows in their file.
            path: The file.
        """
        shapes = sorted({column.shape[1:] for column in columns})
        if len(shapes) > 1:
            received = " and ".join(map(str, shapes))
            raise fault(path, "its features differ in shape", received=received, hint="Choose some with `columns`")
        x = columns[0] if len(columns) == 1 else np.stack(columns, axis=-1)
        _layout.check(x, path)
        return _small(self.laid(x, path), rows, path)

    def labelled(self, values: np.ndarray, column: str, rows: np.ndarray, path: Path) -> np.ndarray:
        """Returns targets of what stands in a column of them.

        Args:
            values: What stands there, as it is written.
            column: The column.
            rows: Numbers of the rows in their file.
            path: The file.

        Raises:
            DataError: One is missing.
        """
        empty = values == "" if values.dtype.kind == "U" else np.zeros(len(values), bool)
        if empty.any() and not self._may_be_empty:
            raise fault(path, f"row {int(rows[empty.argmax()]) + 1} has no target in column {column!r}")
        return values


def _learned(files: Files, features: Sequence[str]) -> dict[str, Any]:
    """Returns what columns of other files are to hold."""
    texts = [name for name in features if not files.is_array(name) and files.refusal(name) is not None]
    return {"features": list(features), "texts": texts, "percent": files.percent}


def _names(named: str | tuple[str, ...] | None) -> list[str]:
    return tidy(() if named is None else (named,) if isinstance(named, str) else named)


def _told(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def _small(x: np.ndarray, rows: np.ndarray, path: Path) -> np.ndarray:
    try:
        return as_stored(x, path)
    except DataError:
        # Told by the number of its row in the file.
        for row, example in zip(rows, x, strict=True):
            as_stored(example[np.newaxis], path, int(row))
        raise
