"""How well a model does on labelled data: every metric of its task, and those of each class."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from automl import sources, tasks
from automl.data import prepare
from automl.data.later import Later
from automl.data.section import DataDocument
from automl.deploy.finished import Finished
from automl.deploy.predict import answered, loaded
from automl.errors import ConfigError, DataError, Problem
from automl.records.data import DataSpec, Splits, Tree
from automl.training.evaluation import Evaluation

Part = Literal["all", "train", "val", "test"]


@dataclass(frozen=True)
class Evaluated:
    """What came of it, as `evaluate -o json` prints it.

    Args:
        data: The data set.
        part: Which part of it.
        examples: How many.
        metrics: By their names.
        classes: Precision, recall, F1 and the number of examples of each class; of each target, its errors.
    """

    data: str
    part: str
    examples: int
    metrics: dict[str, float]
    classes: list[dict[str, Any]] = field(default_factory=list)


def evaluate(
    finished: Finished,
    document: DataDocument,
    part: Part,
    root: Path | None = None,
    evaluation: Evaluation | None = None,
) -> Evaluated:
    """Measures a model on a data set, which is read as the one that it learned from.

    Args:
        finished: The model.
        document: The data set: its source, its task and its split are looked at; what an input is, the model says.
        part: Of it; the parts that it does not bring are cut as a search would.
        root: The parent folder of data sets.
        evaluation: How the search of the model measured, for its own data.

    Raises:
        ConfigError: The set is for another task, or has no such part.
        DataError: It cannot be read, lacks what the model reads, or has classes that the model does not know.
        SearchError: The model's file is gone or damaged.
    """
    data, task = finished.kept.data, tasks.of(finished.kept.data.task)
    if document.task.name() != data.task.kind:
        raise ConfigError(
            Problem(document.name, "is for another task than the model", data.task.kind, document.task.name())
        )
    opened, raw = _opened(document, data, root)
    later = Later(data, opened, document.name)
    rows = _rows(document, opened, raw, part, evaluation)
    stored = _stored(document.name, raw, data)
    model = loaded(finished)
    from automl.model.scores import Scores  # behind the import of Keras, which is a quiet one

    scores = Scores(data.task)
    outputs = []
    for some, given in answered(model, data.shapes, later, rows):
        scores.add(given, stored[some])
        outputs.append(given)
    told = task.details(np.concatenate(outputs), stored[rows], data.task)
    return Evaluated(document.name, part, scores.examples, scores.result(), told)


def _opened(document: DataDocument, data: DataSpec, root: Path | None) -> tuple[Splits, Tree]:
    """Opens a set as the model's was, and reads its targets."""
    task = document.task
    root = root or (None if document.root is None else Path(document.root))
    source = document.source.learning(task.target, may_be_empty=task.may_be_empty)
    # What other files taught tells something of files of the same form alone.
    same = sources.registry.name_of(source) in data.source["declared"]
    opened = source.open_like(root, data.source["learned"] if same else {})
    return opened, prepare.targets(opened, task, document.name)


def _rows(document: DataDocument, opened: Splits, raw: Tree, part: Part, evaluation: Evaluation | None) -> np.ndarray:
    if part == "all":
        return np.sort(np.concatenate(list(opened.rows.values())))
    measured = evaluation or Evaluation()
    parts, _, _ = prepare.parted(document, opened, dict(raw), measured, prepare.VERSION)
    if part not in parts or not len(parts[part]):
        known = ", ".join(name for name, rows in parts.items() if len(rows))
        raise ConfigError(Problem(f"--part {part}", "the data has no such part", known))
    return np.sort(parts[part])


def _stored(name: str, raw: Tree, data: DataSpec) -> np.ndarray:
    """Returns the targets as the model's task stores them.

    Raises:
        DataError: There are classes or targets that it does not know.
    """
    task, state = tasks.of(data.task), data.task.state
    given = task.scan(raw)
    for key, word in (("classes", "classes"), ("targets", "targets")):
        known, found = state.get(key), given.get(key)
        strangers = [each for each in found or () if each not in (known or ())]
        if known is not None and (strangers if key == "classes" else list(known) != list(found or ())):
            expected, received = ", ".join(map(str, known)), ", ".join(map(str, strangers or found or ()))
            raise DataError(f"{name}: it has other {word} than the model. Expected {expected}; received {received}.")
    stored = task.store(raw, state)
    return stored.astype(np.float32) if stored.dtype.kind == "f" else stored
