"""The preparation that a data document declares: open, check, split, limit, learn the preprocessing, store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from automl import inputs, tasks
from automl.data import earlier, folds, groups, split, store
from automl.data.examples import Examples, Picked
from automl.data.section import DataDocument, declared
from automl.data.store import Draft
from automl.errors import DataError, Problem
from automl.inputs import Input
from automl.records.data import TARGETS, DataSpec, FoldState, InputSpec, Splits, TaskSpec, Tree
from automl.sources import _arrays
from automl.training.evaluation import Evaluation

VERSION = 2
"""Of the way that sets are cut: 1 counted groups, not their examples, drew the test part of a time line at random, and
overlooked `limit.val` with folds."""

_OR_READ = ", or this version of automl reads it otherwise (labels, transparency, pictures of more than 8 bits)"
_GO_ON = "go on with the version of automl that began the search, or begin a new one"


def prepare(
    document: DataDocument,
    folder: Path,
    root: Path | None = None,
    evaluation: Evaluation | None = None,
    version: int = VERSION,
) -> DataSpec:
    """Reads the set a document declares and stores it, ready for memory maps.

    The result depends on the document and the data alone. Preprocessing is learned from the training part only. The
    set may be larger than memory: it is read, checked and stored some rows at a time.

    Args:
        document: What to prepare.
        folder: Where to store it; the same preparation there is left as it is, another is replaced.
        root: The parent folder of data sets given by the user; None for the document's own, and then the usual places.
        evaluation: How trials are measured; with folds there is no `val` to cut, and preprocessing is learned for each.
        version: Of the cuts; an earlier one for a search that began with it, which goes on with the parts it had. The
            set is then read in the way, of those that earlier versions had, that gives the digest of the document.

    Returns:
        The description that `load_spec(folder)` reads.

    Raises:
        DataError: The set is missing, unreadable, does not fit its document, or is not the one `digest` names.
    """
    root = root or (None if document.root is None else Path(document.root))
    measured, is_earlier = evaluation or Evaluation(), version < VERSION
    for other in earlier.otherwise(document) if is_earlier else ():
        with contextlib.suppress(DataError), store.Draft(folder) as draft:
            spec, cut = _drafted(other, draft, root, measured, version)
            if spec.digest == document.digest:
                return draft.publish(spec, document.model_dump(mode="json", exclude_none=True), cut)
    with store.Draft(folder) as draft:
        spec, cut = _drafted(document, draft, root, measured, version)
        if document.digest not in (None, spec.digest):
            go_on = f"{_GO_ON if is_earlier else 'or remove `digest` to accept the data as it is now'}"
            raise _bad(
                document.name,
                "the data is not what it was" + (_OR_READ if is_earlier else ""),
                expected=f"SHA-256 {document.digest}",
                received=spec.digest,
                hint=f"Restore the files, {go_on}",
            )
        return draft.publish(spec, document.model_dump(mode="json", exclude_none=True), cut)


def load_spec(folder: Path) -> DataSpec:
    """Reads the description of data prepared in `folder`.

    Raises:
        DataError: The folder holds no prepared data, or only some of its files.
    """
    return store.read(folder)


def _drafted(
    document: DataDocument, draft: Draft, root: Path | None, evaluation: Evaluation, version: int
) -> tuple[DataSpec, np.ndarray | None]:
    """Stores a set, and returns its description, and which fold each training example validates, if there are such."""
    name, task = document.name, document.task
    splits = document.source.open(root)
    raw = _targets(splits, task.reads(splits), name, text=task.as_text)
    scanned = task.scan(raw)
    parts, cut, notes = _cut(document, splits, raw, evaluation, version)
    stored = task.store(raw, scanned)
    for part, rows in parts.items():
        draft.put(part, TARGETS, stored[rows], np.arange(len(rows)), len(rows))
    given = {each: _stored(each, reader, splits, parts, draft, name) for each, reader in document.readers.items()}
    columns = [*dict.fromkeys(column for names, _ in given.values() for column in names), TARGETS]
    read = _Learner(document, draft, given, scanned)
    whole = read.state(None)
    turns = range(evaluation.folds or 0) if cut is not None else ()
    return DataSpec(
        folder=str(draft.folder),
        name=name,
        digest=draft.digest(columns, scanned.get("classes", ()), cut),
        inputs=tuple(
            InputSpec(each, declared(inputs.registry, reader), given[each][0], read.shape(each), state)
            for (each, reader), state in zip(document.readers.items(), whole.inputs, strict=True)
        ),
        task=TaskSpec(declared(tasks.registry, task), (TARGETS,), whole.task),
        sizes={part: len(rows) for part, rows in parts.items()},
        folds=tuple(read.state(folds.training(cut, fold, evaluation.strategy)) for fold in turns if cut is not None),
        strategy=evaluation.strategy if cut is not None else "stratified",
        version=version,
        notes=(*splits.notes, *notes, *_constant(document, draft, given, (*splits.notes, *notes))),
    ), cut


def _targets(splits: Splits, columns: Sequence[str], name: str, *, text: bool) -> dict[str, np.ndarray]:
    """Returns the raw targets of all rows, by column, once each is seen to be a number or a word."""
    read = gathered(splits, columns, text=text)
    order = np.concatenate(list(splits.rows.values()))
    found = {}
    for column, values in read.items():
        pieces = [_arrays.plain_targets(values[rows], f"{name}, part {part}") for part, rows in splits.rows.items()]
        joined = np.concatenate(pieces)
        found[column] = np.empty_like(joined)
        found[column][order] = joined
    return found


def gathered(splits: Splits, columns: Sequence[str], *, text: bool = False) -> dict[str, np.ndarray]:
    """Returns whole columns of a table, held in memory.

    Args:
        splits: What a source opened.
        columns: Names of the columns.
        text: See `Table.pieces`.
    """
    pieces = [piece for _, piece in splits.table.pieces(columns, text=text)]
    return {column: np.concatenate([piece[column] for piece in pieces]) for column in columns}


def _cut(
    document: DataDocument, splits: Splits, raw: Tree, evaluation: Evaluation, version: int
) -> tuple[dict[str, np.ndarray], np.ndarray | None, Sequence[str]]:
    """Returns the rows of each part, limited, which fold each training row validates, if there are folds, and notes."""
    asked, name = document.split, document.name
    many, strategy = evaluation.folds, evaluation.strategy
    limits = document.limit.model_dump() if document.limit else {}
    owners = (
        None if splits.groups is None else groups.named(gathered(splits, [splits.groups], text=True)[splits.groups])
    )
    examples = Examples(len(splits.table), document.task.strata(raw), owners)
    if version < VERSION:
        given = (asked.val, asked.test, asked.seed, name)
        parts, found = earlier.cut(splits.rows, examples, evaluation, limits, *given)
        return parts, found, earlier.notes(splits, evaluation, limits)
    val, walks = asked.val if many is None else None, strategy == "walk_forward"
    in_time = walks or splits.is_timeline
    parts = split.cut(splits.rows, examples, val=val, test=asked.test, seed=asked.seed, name=name, in_time=in_time)
    parts = split.limited(parts, limits, asked.seed, examples)
    split.check_classes(parts, examples, name)
    if many is None:
        return parts, None, ()
    if splits.is_timeline and not walks:
        what = f"strategy {strategy} trains on what comes after the examples it validates"
        hint = "The set says when its examples were; if that does not matter, leave `order` out of the source"
        raise _bad(name, what, expected="strategy: walk_forward", hint=hint)
    train = examples.at(parts["train"])
    found = folds.assigned(train, many, strategy, asked.seed, name)
    return parts, folds.limited(found, limits.get("val"), asked.seed, train.labels), ()


def _stored(
    each: str, reader: Input, splits: Splits, parts: Mapping[str, np.ndarray], draft: Draft, name: str
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Checks and stores what an input reads; returns the columns stored, and what the input saw before."""
    columns = reader.reads(splits)
    scanned = reader.scan(piece for _, piece in splits.table.pieces(columns))
    size = len(splits.table)
    owner, place, own = (np.full(size, -1) for _ in range(3))
    for number, rows in enumerate(parts.values()):
        owner[rows], place[rows] = number, np.arange(len(rows))
    for rows in splits.rows.values():
        own[rows] = np.arange(len(rows))
    used = None if (owner >= 0).all() else np.flatnonzero(owner >= 0)
    names: dict[str, None] = {}
    for rows, piece in splits.table.pieces(columns, used):
        checked = reader.check(piece, scanned, int(own[rows[0]]))
        for column, values in checked.items():
            stored = _arrays.as_stored(values, f"{name}, {each}") if reader.stores_numbers else values
            names[column] = None
            for number, (part, wanted) in enumerate(parts.items()):
                here = owner[rows] == number
                if here.any() or not len(wanted):
                    try:
                        draft.put(part, column, stored[here], place[rows[here]], len(wanted))
                    except ValueError as error:
                        raise _bad(name, "examples differ in shape", received=str(error)) from error
    _check_shapes(names, draft, name)
    return tuple(names), scanned


def _check_shapes(names: Iterable[str], draft: Draft, name: str) -> None:
    for column in names:
        shapes = sorted({draft.column(part, column).shape[1:] for part in ("train", "val", "test")})
        if len(shapes) > 1:
            raise _bad(name, "examples differ in shape between the parts", received=" and ".join(map(str, shapes)))


@dataclass(frozen=True)
class _Learner:
    """Learns from the stored training part, or from some of its rows, what inputs and task need."""

    document: DataDocument
    draft: Draft
    given: Mapping[str, tuple[tuple[str, ...], dict[str, Any]]]
    scanned: Mapping[str, Any]

    def columns(self, each: str) -> dict[str, np.ndarray]:
        return {column: self.draft.column("train", column) for column in self.given[each][0]}

    def shape(self, each: str) -> tuple[int, ...]:
        return self.document.readers[each].shape(self.columns(each))

    def state(self, rows: np.ndarray | None) -> FoldState:
        states = []
        for each, reader in self.document.readers.items():
            columns: Mapping[str, Any] = self.columns(each)
            if rows is not None:
                columns = {column: Picked(values, rows) for column, values in columns.items()}
            states.append(reader.fit(columns, self.given[each][1]))
        targets = self.draft.column("train", TARGETS)
        task = self.document.task.fit(np.asarray(targets if rows is None else targets[rows]), self.scanned)
        return FoldState(tuple(states), task)


def _constant(
    document: DataDocument,
    draft: Draft,
    given: Mapping[str, tuple[tuple[str, ...], dict[str, Any]]],
    notes: Sequence[str],
) -> list[str]:
    """Returns what is said of channels, of images and of series, that carry a single value in the training part.

    Raises:
        DataError: All of them do: there is nothing to learn from.
    """
    name, said = document.name, []
    for each, reader in document.readers.items():
        if not reader.stores_numbers:
            continue
        x = draft.column("train", given[each][0][0])
        constant = _arrays.constant_channels(x)
        if _arrays.all_alike(x, constant):
            received = ", ".join(f"{value:g}" for value in x.reshape(-1, len(constant))[0][:5])
            hint = ". ".join(["There is nothing to learn from: look at how the source reads the files", *notes])
            raise _bad(name, _arrays.said_of(constant, x), received=received, hint=hint)
        said += [f"{name}: {_arrays.said_of(constant, x)}"] if constant else []
    return said


def _bad(where: str, what: str, **facts: str | None) -> DataError:
    return DataError(str(Problem(where, what, **facts)))
