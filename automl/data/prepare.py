"""The preparation that a data document declares: open, check, split, limit, learn the preprocessing, store."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from automl import inputs, sources, tasks
from automl.data import columns, earlier, folds, groups, reread, split, store
from automl.data.columns import Given
from automl.data.examples import Examples, Picked
from automl.data.reread import Reread
from automl.data.section import DataDocument, declared
from automl.data.store import Column, Draft
from automl.errors import DataError, Problem, did_you_mean, shorten
from automl.records.data import TARGETS, DataSpec, FoldState, InputSpec, Splits, TaskSpec, Tree, stored_as
from automl.sources import _arrays
from automl.sources._constant import Constant
from automl.sources._tables import gathered
from automl.tasks import Task
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
    limit: float | None = None,
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
        limit: Bytes of an input's examples to store at most, where they can be read anew as they are needed; None for
            `store.limit`. The digest does not depend on it.

    Returns:
        The description that `load_spec(folder)` reads.

    Raises:
        DataError: The set is missing, unreadable, does not fit its document, or is not the one `digest` names.
    """
    root = root or (None if document.root is None else Path(document.root))
    measured, is_earlier = evaluation or Evaluation(), version < VERSION
    limit = store.limit(folder) if limit is None else limit
    for other in earlier.otherwise(document) if is_earlier else ():
        with contextlib.suppress(DataError), store.Draft(folder) as draft:
            spec, cut = _drafted(other, draft, root, measured, version, limit)
            if spec.digest == document.digest:
                return draft.publish(spec, document.model_dump(mode="json", exclude_none=True), cut)
    with store.Draft(folder) as draft:
        spec, cut = _drafted(document, draft, root, measured, version, limit)
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
    document: DataDocument, draft: Draft, root: Path | None, evaluation: Evaluation, version: int, limit: float
) -> tuple[DataSpec, np.ndarray | None]:
    """Stores a set, and returns its description, and which fold each training example validates, if there are such."""
    name, task = document.name, document.task
    splits = document.source.learning(task.target, may_be_empty=task.may_be_empty).open(root)
    raw = targets(splits, task, name)
    scanned = task.scan(raw)
    parts, cut, notes = parted(document, splits, raw, evaluation, version)
    stored = task.store(raw, scanned)
    stored = stored.astype(np.float32) if stored.dtype.kind == "f" else stored
    for part, rows in parts.items():
        draft.put(part, TARGETS, stored[rows], np.arange(len(rows)), len(rows))
    by = _grouped(document, splits, parts["val"], draft)
    given = {
        each: columns.stored(each, reader, splits, parts, draft, name, limit)
        for each, reader in document.readers.items()
    }
    if unstored := {each: known.reader for each, known in given.items() if known.unstored}:
        for part, rows in parts.items():
            draft.put(part, reread.ROWS, rows, np.arange(len(rows)), len(rows))
        draft.describe(reread.description(splits, declared(sources.registry, document.source), unstored))
    notes = (*splits.notes, *splits.table.notes, *notes)
    read = _Learner(document, draft, given, scanned)
    kept = [*(file for each in given for file in read.files(each).values()), TARGETS]
    whole = read.state(None)
    columns_read = [column for each in given.values() for column in each.reader.columns]
    turns = range(evaluation.folds or 0) if cut is not None else ()
    return DataSpec(
        folder=str(draft.folder),
        name=name,
        digest=draft.digest(kept, scanned.get("classes", ()), cut),
        inputs=tuple(
            InputSpec(
                each,
                declared(inputs.registry, reader),
                given[each].columns,
                read.shape(each),
                state,
                given[each].unstored,
                given[each].reader.columns,
            )
            for (each, reader), state in zip(document.readers.items(), whole.inputs, strict=True)
        ),
        task=TaskSpec(declared(tasks.registry, task), (TARGETS,), whole.task),
        sizes={part: len(rows) for part, rows in parts.items()},
        folds=tuple(read.state(folds.training(cut, fold, evaluation.strategy)) for fold in turns if cut is not None),
        strategy=evaluation.strategy if cut is not None else "stratified",
        version=version,
        notes=(*notes, *_constant(document, read, notes)),
        source={"declared": declared(sources.registry, document.source), "learned": dict(splits.learned(columns_read))},
        figures_by=by,
    ), cut


def targets(splits: Splits, task: Task, name: str) -> dict[str, np.ndarray]:
    """Returns the raw targets of all rows, by column, once each is seen to be a number or a word."""
    for part, rows in splits.rows.items():
        if not len(rows):
            raise _bad(f"{name}, part {part}", "holds no examples", expected="at least one", received="none")
    plain = partial(_arrays.plain_targets, may_be_empty=task.may_be_empty)
    return {column: _whole(splits, column, name, plain, text=task.as_text) for column in task.reads(splits)}


def _grouped(document: DataDocument, splits: Splits, rows: np.ndarray, draft: Draft) -> str | None:
    """Stores what each example of the validation part belongs to; returns the column that says it, if one does.

    The digest does not know it: nothing is learned of it.
    """
    by, known = document.figures_by or splits.groups, splits.table.columns
    if by is None:
        return None
    if by not in known:
        what, expected = f"`figures_by` names {by!r}, which is no column", f"one of {shorten(known, 300)}"
        raise _bad(document.name, what, expected=expected, hint=did_you_mean(by, known))
    if not len(rows):  # folds take turns
        return None
    (values,) = gathered(splits.table, [by], rows, text=True).values()
    if values.ndim > 1:
        raise _bad(document.name, f"{by!r}, which `figures_by` names, has several values in each row")
    draft.put("val", store.GROUPS, groups.named(values), np.arange(len(rows)), len(rows))
    return by


def _whole(
    splits: Splits, column: str, name: str, tidied: Callable[[np.ndarray, str], np.ndarray], *, text: bool
) -> np.ndarray:
    """Returns a column of all rows, what each part brings of it brought into form by itself."""
    read = [
        tidied(gathered(splits.table, [column], rows, text=text)[column], f"{name}, part {part}")
        for part, rows in splits.rows.items()
    ]
    joined = np.concatenate(read)
    # Rows of no part are never looked at, and tell nothing new.
    found = np.broadcast_to(joined[:1], (len(splits.table), *joined.shape[1:])).copy()
    found[np.concatenate(list(splits.rows.values()))] = joined
    return found


def parted(
    document: DataDocument, splits: Splits, raw: Tree, evaluation: Evaluation, version: int
) -> tuple[dict[str, np.ndarray], np.ndarray | None, Sequence[str]]:
    """Returns the rows of each part, limited, which fold each training row validates, if there are folds, and notes."""
    asked, name = document.split, document.name
    many, strategy = evaluation.folds, evaluation.strategy
    limits = document.limit.model_dump() if document.limit else {}
    owners = None
    if splits.groups is not None:
        owners = _whole(splits, splits.groups, name, lambda ids, _: groups.named(ids), text=True)
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


@dataclass(frozen=True)
class _Learner:
    """Learns from the stored training part, or from some of its rows, what inputs and task need."""

    document: DataDocument
    draft: Draft
    given: Mapping[str, Given]
    scanned: Mapping[str, Any]

    def files(self, each: str) -> dict[str, str]:
        kind = self.document.readers[each].name()
        return {column: stored_as(each, kind, column) for column in self.given[each].columns}

    def columns(self, each: str) -> dict[str, Column | Reread]:
        return {column: self.draft.stored("train", file) for column, file in self.files(each).items()}

    def shape(self, each: str) -> tuple[int, ...]:
        return self.document.readers[each].shape(self.columns(each))

    def state(self, rows: np.ndarray | None) -> FoldState:
        states = []
        for each, reader in self.document.readers.items():
            columns: Mapping[str, Any] = self.columns(each)
            if rows is not None:
                columns = {column: Picked(values, rows) for column, values in columns.items()}
            states.append(reader.fit(columns, self.given[each].scanned))
        targets = self.draft.column("train", TARGETS)
        task = self.document.task.fit(targets if rows is None else targets[rows], self.scanned)
        return FoldState(tuple(states), task)


def _constant(document: DataDocument, read: _Learner, notes: Sequence[str]) -> list[str]:
    """Returns what is said of channels and columns that carry a single value in the training part.

    Raises:
        DataError: All of them do: there is nothing to learn from.
    """
    name, said = document.name, []
    for each in document.readers:
        seen = [Constant(store.pieces(column)) for column in read.columns(each).values()]
        if all(found.is_all for found in seen):
            received = ", ".join(f"{value:g}" for value in seen[0].values[:5])
            hint = ". ".join(["There is nothing to learn from: look at how the source reads the files", *notes])
            raise _bad(name, seen[0].told, received=received, hint=hint)
        said += [f"{name}: {seen[0].told}"] if seen[0].channels and not seen[0].is_all else []
    return said


def _bad(where: str, what: str, **facts: str | None) -> DataError:
    return DataError(str(Problem(where, what, **facts)))
