"""The data document, and the preparation it declares: load, check, split, limit, learn the preprocessing, store.

No heavy library is imported until data is read, so documents can be checked in a moment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, FieldSerializationInfo, field_serializer, model_validator

from automl import inputs, sources, tasks
from automl.errors import DataError, Problem
from automl.inputs import Input
from automl.records.data import DataSpec, Part, Splits, Timeline
from automl.registry import Family, Member, Registry
from automl.sources import Source
from automl.tasks import Task
from automl.training.evaluation import Evaluation

if TYPE_CHECKING:
    import numpy as np


VERSION = 2
"""Of the way that sets are cut: 1 counted groups, not their examples, drew the test part of a time line at random, and
overlooked `limit.val` with folds."""

_OR_READ = ", or this version of automl reads it otherwise (labels, transparency, pictures of more than 8 bits)"
_GO_ON = "go on with the version of automl that began the search, or begin a new one"


class Split(Member):
    """How parts that the set does not bring are cut from its training part, stratified where there are classes.

    Both fractions are of what the source gives as training part: a set without any split becomes 60/20/20, and one with
    a test part of its own gives a fifth of its training part to `val`. They are of examples: groups, which are never
    split, are shared out so that each part holds about its fraction. Along a time line, test is its end.
    """

    val: float = Field(0.2, gt=0, lt=1, description="Fraction that becomes the validation part")
    test: float = Field(0.2, gt=0, lt=1, description="Fraction that becomes the test part")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Seed of the choice, of `limit` too")

    @model_validator(mode="after")
    def _leaves_training(self) -> Split:
        if self.val + self.test >= 1:
            raise ValueError("val and test leave nothing to train on: their sum must be below 1")
        return self


class Limit(Member):
    """At most so many examples of each part, chosen after the split so that classes keep their shares."""

    train: int | None = Field(None, ge=1, description="Most examples of the training part; of all folds together")
    val: int | None = Field(None, ge=1, description="Most examples of the validation part; of each fold")
    test: int | None = Field(None, ge=1, description="Most examples of the test part")


_REGISTRIES: Mapping[str, Registry[Any]] = {
    "source": sources.registry,
    "input": inputs.registry,
    "task": tasks.registry,
}


class DataDocument(Member):
    """A data set as its YAML file declares it: where it comes from, how it is read, what is learned."""

    name: str = Field(description="Name of the set", min_length=1)
    description: str | None = Field(None, description="What it is, in a line")
    source: Annotated[Source, Family(sources.registry)] = Field(description="Where it comes from")
    input: Annotated[Input, Family(inputs.registry)] = Field(description="How examples are read")
    task: Annotated[Task, Family(tasks.registry)] = Field(description="What is learned")
    root: str | None = Field(None, description="Folder that relative paths of the source start from")
    split: Split = Field(default_factory=Split, description="How missing parts are cut")
    limit: Limit | None = Field(None, description="Most examples of each part")
    licence: str | None = Field(None, description="Licence of the data")
    citation: str | None = Field(None, description="Paper to cite")
    url: str | None = Field(None, description="Home of the data")
    digest: str | None = Field(
        None, description="SHA-256 the prepared data must have", pattern="^[0-9a-f]{64}$", examples=["9f86d0..."]
    )

    @field_serializer("source", "input", "task")
    def _declare(self, member: Member, info: FieldSerializationInfo) -> dict[str, Any]:
        # As it was declared, {name: fields}: a dumped document is a document again.
        return {_REGISTRIES[info.field_name].name_of(member): _fields(member)}


def prepare(
    document: DataDocument,
    folder: Path,
    root: Path | None = None,
    evaluation: Evaluation | None = None,
    version: int = VERSION,
) -> DataSpec:
    """Reads the set a document declares and stores it, ready for memory maps.

    The result depends on the document and the data alone. Preprocessing is learned from the training part only.

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
    from automl.data import folds, store

    name = document.name
    own = None if document.root is None else Path(document.root)
    is_earlier = version < VERSION
    found = (_read_as_begun if is_earlier else _read)(document, root or own, evaluation or Evaluation(), version)
    parts = found.parts
    if document.digest not in (None, found.digest):
        raise _bad(
            name,
            "the data is not what it was" + (_OR_READ if is_earlier else ""),
            expected=f"SHA-256 {document.digest}",
            received=found.digest,
            hint=f"Restore the files, {_GO_ON if is_earlier else 'or remove `digest` to accept the data as it is now'}",
        )
    spec = DataSpec(
        folder=str(folder),
        name=name,
        digest=found.digest,
        input=inputs.registry.name_of(document.input),
        task=tasks.registry.name_of(document.task),
        shape=parts["train"].x.shape[1:],
        sizes={part: len(content.x) for part, content in parts.items()},
        classes=found.classes,
        stem=document.input.fit(parts["train"].x),
        input_fields=_fields(document.input),
        task_fields=_fields(document.task),
        version=version,
        notes=(*found.notes, *_constant(parts["train"].x, name, found.notes)),
    )
    if found.folds is not None and evaluation is not None:
        trains = (folds.training(found.folds, fold, evaluation.strategy) for fold in range(evaluation.folds or 0))
        stems = tuple(document.input.fit(parts["train"].x[rows]) for rows in trains)
        spec = replace(spec, stems=stems, strategy=evaluation.strategy)
    return store.write(spec, parts, document.model_dump(mode="json", exclude_none=True), found.folds)


def load_spec(folder: Path) -> DataSpec:
    """Reads the description of data prepared in `folder`.

    Raises:
        DataError: The folder holds no prepared data, or only some of its files.
    """
    from automl.data import store

    return store.read(folder)


@dataclass(frozen=True)
class _Read:
    """A set as it was read and cut: its parts, its classes, the folds where there are such, and what is said of it."""

    parts: dict[str, Part]
    classes: tuple[str, ...]
    folds: np.ndarray | None
    notes: tuple[str, ...]

    @cached_property
    def digest(self) -> str:
        from automl.data import store

        return store.digest(self.parts, self.classes, self.folds)


def _read(document: DataDocument, root: Path | None, evaluation: Evaluation, version: int) -> _Read:
    import numpy as np

    task, name = document.task, document.name
    loaded = document.source.load(root)
    checked: dict[str, Any] = {
        part: _checked(content, document.input, f"{name}, part {part}")
        for part, content in (("train", loaded.train), ("val", loaded.val), ("test", loaded.test))
        if content is not None
    }
    splits = replace(loaded, **checked)
    given = [part for part in (splits.train, splits.val, splits.test) if part is not None]
    shapes = sorted({part.x.shape[1:] for part in given})
    if len(shapes) > 1:
        raise _bad(name, "examples differ in shape between the parts", received=" and ".join(map(str, shapes)))
    classes = task.classes(np.concatenate([part.y for part in given]))
    parts, folds, notes = _cut(document, splits, evaluation, version)
    parts = {part: Part(content.x, _targets(task, content.y, classes)) for part, content in parts.items()}
    return _Read(parts, classes, folds, (*splits.notes, *notes))


def _read_as_begun(document: DataDocument, root: Path | None, evaluation: Evaluation, version: int) -> _Read:
    """Reads a set as an earlier version did, in the way that gives its digest; as it is declared, where none does."""
    from automl.data import earlier

    for source in earlier.otherwise(document.source):
        with contextlib.suppress(DataError):
            found = _read(document.model_copy(update={"source": source}), root, evaluation, version)
            if found.digest == document.digest:
                return found
    return _read(document, root, evaluation, version)


def _cut(
    document: DataDocument, splits: Splits, evaluation: Evaluation, version: int
) -> tuple[dict[str, Part], np.ndarray | None, Sequence[str]]:
    """Returns the parts, limited, which fold each training example validates, where there are folds, and notes."""
    from automl.data import earlier, folds, split

    asked, strata, name = document.split, document.task.strata, document.name
    many, strategy = evaluation.folds, evaluation.strategy
    limits = document.limit.model_dump() if document.limit else {}
    if version < VERSION:
        parts, found = earlier.cut(splits, evaluation, limits, asked.val, asked.test, asked.seed, strata, name)
        return parts, found, earlier.notes(splits, evaluation, limits)
    val, walks = asked.val if many is None else None, strategy == "walk_forward"
    parts = split.cut(splits, val=val, test=asked.test, seed=asked.seed, strata=strata, name=name, walks=walks)
    parts = split.limited(parts, limits, asked.seed, strata)
    split.check_classes(parts, strata, name)
    if many is None:
        return parts, None, ()
    if isinstance(splits, Timeline) and not walks:
        what = f"strategy {strategy} trains on what comes after the examples it validates"
        hint = "The set says when its examples were; if that does not matter, leave `order` out of the source"
        raise _bad(name, what, expected="strategy: walk_forward", hint=hint)
    train = parts["train"]
    found = folds.assigned(train, many, strategy, asked.seed, strata, name)
    return parts, folds.limited(found, limits.get("val"), asked.seed, strata(train.y)), ()


def _fields(member: Member) -> dict[str, Any]:
    return member.model_dump(mode="json", exclude_unset=True)


def _checked(part: Part, reader: Input, where: str) -> Part:
    from automl.sources import _arrays

    x = reader.check(part.x)
    return _arrays.paired(_arrays.as_stored(x, where), _arrays.plain_targets(part.y, where), where, part.groups)


def _constant(x: np.ndarray, name: str, notes: Sequence[str]) -> list[str]:
    """Returns what is said of channels, of images and of series, that carry a single value in the training part.

    Raises:
        DataError: All of them do: there is nothing to learn from.
    """
    from automl.sources import _arrays

    constant = _arrays.constant_channels(x)
    if _arrays.all_alike(x, constant):
        received = ", ".join(f"{value:g}" for value in x.reshape(-1, len(constant))[0][:5])
        hint = ". ".join(["There is nothing to learn from: look at how the source reads the files", *notes])
        raise _bad(name, _arrays.said_of(constant, x), received=received, hint=hint)
    return [f"{name}: {_arrays.said_of(constant, x)}"] if constant else []


def _targets(task: Task, y: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    import numpy as np

    stored = task.index(y, classes)
    return stored.astype(np.float32) if stored.dtype.kind == "f" else stored


def _bad(where: str, what: str, **facts: str | None) -> DataError:
    return DataError(str(Problem(where, what, **facts)))
