"""Documents to experiments and trials: every mistake at once, with its place, before any data is read."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from automl import tasks
from automl.data.section import DataDocument
from automl.document import block_lists, catalog, overrides, yaml_text
from automl.document.problems import Problems
from automl.document.wording import in_words
from automl.document.yaml_text import Document
from automl.errors import Infeasible, did_you_mean
from automl.experiment import agreement
from automl.experiment.checks import Checker
from automl.experiment.search_section import Search, seconds
from automl.oracles import Brief
from automl.records.objective import Goals
from automl.registry import Member, UnknownName, declared
from automl.space import grammar
from automl.space.conditions import check_continuous
from automl.space.points import check_start
from automl.space.space import Space
from automl.space.tree import Values
from automl.training.evaluation import Evaluation
from automl.training.section import Training

SECTIONS = ("name", "description", "model", "training", "search", "evaluation", "data")

_MODELS: dict[str, type[Member]] = {
    "training": Training,
    "search": Search,
    "evaluation": Evaluation,
    "data": DataDocument,
}


@dataclass(frozen=True)
class Experiment:
    """A checked document.

    Args:
        name: The space's name: its file's, or its own `name:`.
        document: The whole document as plain data, options written into it, the data document in its place.
        space: Its domains.
        search: Its search section.
        evaluation: Its evaluation section.
        data: Its data section; None for a space that was read without data.
        goals: What scores trials.
    """

    name: str
    document: Document
    space: Space
    search: Search
    evaluation: Evaluation
    data: DataDocument | None
    goals: Goals

    def brief(self) -> Brief:
        """Returns what the search algorithm is told."""
        return Brief(self.space, self.goals, self.search.seed)

    def trial(
        self,
        values: Values,
        seed: int | None = None,
        digest: str | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Returns the document of one trial: the same experiment with literals only, which runs again as it is.

        Args:
            values: The trial's searched, active values.
            seed: Its seed; one that the document itself sets stays.
            digest: Digest of the prepared data.
            changes: Leaves of `training` that differ from what the values say.
        """
        resolved: dict[str, Any] = self.space.resolve(values)
        if isinstance(resolved.get("search"), dict):
            # They speak of parameters, which a single trial has none of.
            of_points = ("constraints", "start")
            resolved["search"] = {key: v for key, v in resolved["search"].items() if key not in of_points}
        training = resolved.get("training") or {}
        if seed is not None and training.get("seed") is None:
            resolved["training"] = {**training, "seed": seed}
        if changes:
            resolved["training"] = {**(resolved.get("training") or {}), **changes}
        if digest is not None and isinstance(resolved.get("data"), dict):
            resolved["data"] = {**resolved["data"], "digest": digest}
        return resolved


def load(
    space: str,
    data: str | None = None,
    options: Sequence[str] = (),
    flags: Mapping[str, object] | None = None,
    start: Sequence[Values] = (),
) -> Experiment:
    """Reads an experiment.

    Args:
        space: Name of a shipped space, or the path of a document.
        data: Name of a shipped data set or the path of a data document; None for the document's own.
        options: `path=value` settings in the order given, written into the document.
        flags: Values for keys of the search section, given as options of their own; they stand above `options`.
        start: Points to try after the document's own starting points, as those of a warm start.

    Raises:
        ConfigError: Everything that is wrong with the documents and the options.
    """
    path = catalog.find(catalog.SPACES, space)
    read = yaml_text.read(path)
    overrides.require_mapping(read, "a search space", SECTIONS)
    if isinstance(read.data.get("data"), dict):
        read = replace(read, data={**read.data, "data": _rooted(read.data["data"], path, catalog.SPACES)})
    read = block_lists.normalised(_with_data(read, data))
    for option in options:
        read = overrides.apply(read, option)
        # `--set data=digits` names a data document too.
        if isinstance(read.data.get("data"), str):
            read = _with_data(read, None)
    for key, value in (flags or {}).items():
        read = overrides.write(read, f"search.{key}", str(value), f"--{key} {value}")
    if start:
        points = json.dumps([*(_search(read).get("start") or []), *start])
        read = overrides.write(read, "search.start", points, "--warm-start")
    return check(read, path.stem)


def check(read: Document, name: str, *, layers: bool = True) -> Experiment:
    """Checks a document whose data section, if any, is in its place.

    Args:
        read: The document.
        name: The space's name, unless the document has its own.
        layers: Check Keras layers by class name too, which imports Keras; a journal's document was checked before.

    Raises:
        ConfigError: Everything that is wrong with it.
    """
    read = block_lists.normalised(read)
    problems = Problems(read)
    space = grammar.read(read, problems)
    checker = Checker(space, problems, layers=layers)
    for key in read.data:
        if key not in SECTIONS:
            hint = did_you_mean(key, SECTIONS)
            problems.add((key,), f"unknown key {key!r}", f"one of {', '.join(SECTIONS)}", hint=hint)
    if "model" in space.tree:
        checker.blocks(space.tree["model"], ("model",))
    else:
        problems.add((), "model is missing", hint="Add `model`, a list of blocks")
    for key, model in _MODELS.items():
        if key in space.tree and not (key == "data" and space.tree[key] is None):
            checker.member(model, {} if space.tree[key] is None else space.tree[key], (key,))
    for key in ("name", "description"):
        checker.value(str | None, read.data.get(key), (key,))
    _check_times(read, problems)
    agreement.check_augmentation(read, space, problems)
    agreement.check_loss(read, space, problems)
    goals = _goals(read, problems)
    problems.stop()
    search = _build(Search, read.data.get("search"), problems, ("search",))
    measured = _build(Evaluation, read.data.get("evaluation"), problems, ("evaluation",))
    data = _build(DataDocument, read.data["data"], problems, ("data",)) if read.data.get("data") else None
    # The default trial is built once: checks between fields stand in the members themselves.
    _build(Training, space.resolve(space.defaults()).get("training"), problems, ("training",))
    problems.stop()
    check_continuous(space.params, checker.floats, problems)
    problems.stop()
    space = space.as_floats(checker.floats)
    check_start(space, problems)
    problems.stop()
    return Experiment(read.data.get("name") or name, read, space, search, measured, data, goals)


def training(resolved: Mapping[str, Any]) -> Training:
    """Builds the training section of a resolved trial document.

    Raises:
        Infeasible: Each of its values is legal, but not all of them together.
    """
    try:
        return Training.model_validate(resolved.get("training") or {})
    except ValidationError as error:
        first = error.errors()[0]
        if first["loc"]:  # a single wrong leaf, which no checked document has
            raise
        raise Infeasible(f"training: {in_words(first)}") from error


def evaluation(resolved: Mapping[str, Any]) -> Evaluation:
    """Builds the evaluation section of a document."""
    return Evaluation.model_validate(resolved.get("evaluation") or {})


def epochs(resolved: Mapping[str, Any]) -> int:
    """Returns the epochs that a resolved trial document trains for, whether or not the rest of it can be built."""
    section = resolved.get("training") or {}
    if section.get("phases"):
        return sum(phase["epochs"] for phase in section["phases"])
    return section.get("epochs") or Training.model_fields["epochs"].get_default()


def _rooted(content: dict[str, Any], path: Path, kind: str) -> dict[str, Any]:
    """Notes where a user's own document lies: it speaks of files beside it, also once it is part of a trial's."""
    if path.parent == catalog.folder(kind) or "root" in content:
        return content
    return {**content, "root": str(path.absolute().parent)}


def load_data(data: str) -> DataDocument:
    """Reads a data document by itself.

    Args:
        data: Name of a shipped data set or the path of a data document.

    Raises:
        ConfigError: Everything that is wrong with it.
    """
    read = _with_data(Document({}, data), data)
    problems = Problems(read)
    found = _build(DataDocument, read.data["data"], problems, ("data",))
    problems.stop()
    assert isinstance(found, DataDocument)
    return found


def _with_data(read: Document, data: str | None) -> Document:
    """Puts the data document a name or path stands for into the place of `data:`."""
    named = read.data.get("data") if data is None else data
    if not isinstance(named, str):
        return read
    path = catalog.find(catalog.DATASETS, named, read.where(("data",)) if data is None else "--data")
    inner = yaml_text.read(path)
    overrides.require_mapping(inner, "a data document", tuple(DataDocument.model_fields))
    content = {"name": path.stem, **inner.data}
    content = _rooted(content, path, catalog.DATASETS)
    marks = {**read.marks, **{("data", *at): mark for at, mark in inner.marks.items()}}
    return Document({**read.data, "data": content}, read.name, marks)


def _check_times(read: Document, problems: Problems) -> None:
    for key in ("time", "trial_time", "silence"):
        time = _search(read).get(key)
        if isinstance(time, str | int) and not isinstance(time, bool):
            try:
                seconds(time)
            except ValueError as error:
                problems.add(("search", key), str(error))


def _build(model: type[Member], value: Any, problems: Problems, path: tuple[str, ...]) -> Any:
    try:
        return model.model_validate(value or {})
    except ValidationError as error:
        for entry in error.errors():
            problems.add((*path, *entry["loc"]), in_words(entry))
    except (ValueError, TypeError) as error:
        problems.add(path, str(error).rstrip("."))
    return None


def _search(read: Document) -> dict[str, Any]:
    search = read.data.get("search")
    return search if isinstance(search, dict) else {}


def _goals(read: Document, problems: Problems) -> Goals:
    """Returns the objective with its direction, from the task's table; before anything is known to be right."""
    # Without data any task may come: every metric of every task is legal until then.
    known = [tasks.registry.get(name) for name in tasks.registry]
    data = read.data.get("data")
    if isinstance(data, dict) and "task" in data:
        with contextlib.suppress(ValueError, UnknownName):  # told by the check of the data section
            known = [tasks.registry.get(declared(data["task"])[0])]
    metrics = {f"val_{metric}": direction for task in known for metric, direction in task.metrics.items()}
    objective = _search(read).get("objective")
    if objective is None or not isinstance(objective, str):
        objective = known[0].default_objective
    if objective not in metrics:
        hint = did_you_mean(objective, metrics)
        problems.add(
            ("search", "objective"), f"unknown metric {objective!r}", f"one of {', '.join(metrics)}", hint=hint
        )
    return Goals.single(objective, metrics.get(objective, "max"))
