"""Documents to experiments and trials: every mistake at once, with its place, before any data is read.

Over the size limit because all checks of a document write into one list of problems before any of it is built.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from automl import blocks, document, environment, grammar, oracles, overrides, shelf, tasks
from automl.blocks import _layer
from automl.dataset import DataDocument
from automl.document import Document
from automl.errors import did_you_mean, shorten
from automl.grammar import Problems
from automl.optimizers import OPTIMIZERS, Optimizer
from automl.oracles import Algorithm
from automl.records import Direction
from automl.registry import Family, Member, UnknownName, declared
from automl.schema import Checker, defaults
from automl.space import Space, Values

DEFAULT_TRIALS = 20
SECTIONS = ("name", "description", "model", "training", "search", "data")


class EarlyStopping(Member):
    """Ends a trial's training when its objective no longer improves."""

    patience: int = Field(5, ge=0, description="Epochs without improvement before training ends")
    min_delta: float = Field(0.0, ge=0, description="Smallest change that counts as improvement")


class Training(Member):
    """How a model is trained. Every leaf may be searched."""

    epochs: int = Field(20, ge=1, description="Epochs at most")
    batch_size: int = Field(32, ge=1, description="Examples per step")
    optimizer: Annotated[Optimizer, Family(OPTIMIZERS)] = Field(
        default_factory=lambda: OPTIMIZERS.read("adam"), description="Optimizer and its arguments"
    )
    clipnorm: float | None = Field(None, gt=0, description="Clip each gradient to this norm")
    clipvalue: float | None = Field(None, gt=0, description="Clip each gradient element to this absolute value")
    early_stopping: EarlyStopping | None = Field(None, description="When to end early; null: never")
    seed: int | None = Field(None, ge=0, lt=2**32, description="Seed of the trial; null: from the search's seed")

    @model_validator(mode="after")
    def _clips_once(self) -> Training:
        if self.clipnorm is not None and self.clipvalue is not None:
            raise ValueError("clipnorm and clipvalue exclude each other: Keras takes one of them")
        return self


class Search(Member):
    """How the space is searched. Nothing here is searched itself."""

    objective: str | None = Field(None, description="Metric to optimise, as val_accuracy; null: the task's")
    algorithm: Annotated[Algorithm, Family(oracles.registry)] = Field(
        default_factory=lambda: oracles.registry.read("bayesian"), description="Search algorithm and its settings"
    )
    trials: int | None = Field(None, ge=1, description="Trials in all, resumes too; 20 when no time is given")
    time: str | int | None = Field(None, description="Start no trial after this time: 90s, 30m, 1h30m")
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of the whole search")

    @property
    def most_trials(self) -> int | None:
        """The trial budget, or None when only time limits the search."""
        return DEFAULT_TRIALS if self.trials is None and self.time is None else self.trials

    @property
    def timeout_s(self) -> float | None:
        """The time budget in seconds."""
        return None if self.time is None else seconds(self.time)


_TIME = re.compile(r"(?=\d)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


def seconds(text: str | int) -> float:
    """Reads a duration: `90s`, `30m`, `1h30m`, or a number of seconds.

    Raises:
        ValueError: It is no duration above 0.
    """
    match = _TIME.fullmatch(str(text).replace(" ", ""))
    total = sum(int(n or 0) * unit for n, unit in zip(match.groups(), (3600, 60, 1), strict=True)) if match else 0
    if total <= 0:
        raise ValueError(f"{text!r} is no duration. Expected 90s, 30m or 1h30m")
    return float(total)


@dataclass(frozen=True)
class Experiment:
    """A checked document.

    Args:
        name: The space's name: its file's, or its own `name:`.
        document: The whole document as plain data, options written into it, the data document in its place.
        space: Its domains.
        search: Its search section.
        data: Its data section; None for a space that was read without data.
        objective: The metric that scores trials.
        direction: Whether more of it is better.
        data_folder: Where the user's own data document lies: its files may lie beside it.
    """

    name: str
    document: Document
    space: Space
    search: Search
    data: DataDocument | None
    objective: str
    direction: Direction
    data_folder: Path | None = None

    def trial(self, values: Values, seed: int | None = None, digest: str | None = None) -> dict[str, Any]:
        """Returns the document of one trial: the same experiment with literals only, which runs again as it is."""
        resolved: dict[str, Any] = self.space.resolve(values)
        if seed is not None:
            resolved["training"] = {**resolved.get("training", {}), "seed": seed}
        if digest is not None and isinstance(resolved.get("data"), dict):
            resolved["data"] = {**resolved["data"], "digest": digest}
        return resolved


def load(
    space: str, data: str | None = None, options: Sequence[str] = (), flags: Mapping[str, object] | None = None
) -> Experiment:
    """Reads an experiment.

    Args:
        space: Name of a shipped space, or the path of a document.
        data: Name of a shipped data set or the path of a data document; None for the document's own.
        options: `path=value` settings in the order given, written into the document.
        flags: Values for keys of the search section, given as options of their own; they stand above `options`.

    Raises:
        ConfigError: Everything that is wrong with the documents and the options.
    """
    path = shelf.find(shelf.SPACES, space)
    read = document.read(path)
    overrides.require_mapping(read, "a search space", SECTIONS)
    named = data or read.data.get("data")
    read = _with_data(read, data)
    for option in options:
        read = overrides.apply(read, option)
        # `--set data=digits` names a data document too.
        if isinstance(read.data.get("data"), str):
            named, read = read.data["data"], _with_data(read, None)
    for key, value in (flags or {}).items():
        read = overrides.write(read, f"search.{key}", str(value), f"--{key} {value}")
    return replace(check(read, path.stem), data_folder=_own_folder(named))


def check(read: Document, name: str) -> Experiment:
    """Checks a document whose data section, if any, is in its place.

    Raises:
        ConfigError: Everything that is wrong with it.
    """
    problems = Problems(read)
    space = grammar.read(read, problems)
    checker = Checker(space, problems)
    for key in read.data:
        if key not in SECTIONS:
            hint = did_you_mean(key, SECTIONS)
            problems.add((key,), f"unknown key {key!r}", f"one of {', '.join(SECTIONS)}", hint=hint)
    if "model" in space.tree:
        _check_model(checker, space.tree["model"])
    else:
        problems.add((), "model is missing", hint="Add `model`, a list of blocks")
    for key, model in (("training", Training), ("search", Search), ("data", DataDocument)):
        if key in space.tree and not (key == "data" and space.tree[key] is None):
            checker.member(model, {} if space.tree[key] is None else space.tree[key], (key,))
    for key in ("name", "description"):
        checker.value(str | None, read.data.get(key), (key,))
    _check_time(read, problems)
    objective, direction = _objective(read, problems)
    problems.stop()
    search = _build(Search, read.data.get("search"), problems, ("search",))
    data = _build(DataDocument, read.data["data"], problems, ("data",)) if read.data.get("data") else None
    # The default trial is built once: checks between fields stand in the members themselves.
    _build(Training, space.resolve(space.defaults()).get("training"), problems, ("training",))
    problems.stop()
    space = space.as_floats(checker.floats)
    return Experiment(read.data.get("name") or name, read, space, search, data, objective, direction)


def training(resolved: Mapping[str, Any]) -> Training:
    """Builds the training section of a resolved trial document."""
    return Training.model_validate(resolved.get("training") or {})


def _own_folder(data: Any) -> Path | None:
    """Returns the folder of a data document that the user named by its path."""
    is_path = isinstance(data, str) and data not in shelf.names(shelf.DATASETS)
    return Path(data).expanduser().absolute().parent if is_path else None


def _with_data(read: Document, data: str | None) -> Document:
    """Puts the data document a name or path stands for into the place of `data:`."""
    named = read.data.get("data") if data is None else data
    if not isinstance(named, str):
        return read
    path = shelf.find(shelf.DATASETS, named, read.where(("data",)) if data is None else "--data")
    inner = document.read(path)
    overrides.require_mapping(inner, "a data document", tuple(DataDocument.model_fields))
    content = {"name": path.stem, **inner.data}
    marks = {**read.marks, **{("data", *at): mark for at, mark in inner.marks.items()}}
    return Document({**read.data, "data": content}, read.name, marks)


def _check_model(checker: Checker, model: Any) -> None:
    problems = checker.problems
    if not isinstance(model, list) or not model:
        problems.add(
            ("model",), "model must be a list of blocks, one at least", "- block: {field: value}", shorten(model)
        )
        return
    for index, item in enumerate(model):
        path: tuple[str | int, ...] = ("model", index)
        fields: Any
        if isinstance(item, str):
            kind, fields = item, {}
        elif isinstance(item, dict) and len(item) == 1:
            ((kind, given),) = item.items()
            fields = {} if given is None else given
            path = (*path, kind)
        else:
            dedented = isinstance(item, dict) and next(iter(item.values()), 0) is None
            hint = f"Indent the fields of {next(iter(item))} further" if dedented else None
            problems.add(path, "this is not one block", "{block: {field: value}}", shorten(item), hint)
            continue
        if _layer.is_layer_name(kind):
            _check_layer(checker, kind, fields, path)
        elif kind not in blocks.registry:
            known = ", ".join(blocks.registry.names())
            hint = did_you_mean(kind, blocks.registry.names())
            problems.add(path, f"unknown block {kind!r}", f"one of {known}, or a Keras layer's class name", hint=hint)
        else:
            checker.member(blocks.registry.get(kind), fields, path)


def _check_layer(checker: Checker, kind: str, fields: Any, path: tuple[Any, ...]) -> None:
    """Checks a Keras layer by class name; the only check that imports Keras."""
    if not isinstance(fields, dict):
        checker.problems.add(path, f"{kind} must be a mapping", "the layer's arguments", shorten(fields))
        return
    own = {key: value for key, value in fields.items() if key in blocks.Block.model_fields}
    checker.member(blocks.Block, own, path)
    arguments = {key: value for key, value in fields.items() if key not in own}
    problems = checker.problems
    if any(checker.told((*path, argument)) for argument in arguments):
        return  # a domain that is wrong stands for no value
    fixed = {key: defaults(value, checker.space) for key, value in arguments.items()}
    environment.import_keras()
    found = _layer.check(kind, fixed)
    # What a misspelt argument leaves missing is the same mistake.
    for argument, message in [each for each in found if each[0]] or found:
        problems.add(path if argument is None else (*path, argument), message.rstrip("."))
    for argument, node in arguments.items() if not found else ():
        for value, at in checker.candidates(node, (*path, argument)):
            for _, message in _layer.check(kind, {**fixed, argument: value}):
                problems.add(at, message.rstrip("."))


def _check_time(read: Document, problems: Problems) -> None:
    time = _search(read).get("time")
    if isinstance(time, str | int) and not isinstance(time, bool):
        try:
            seconds(time)
        except ValueError as error:
            problems.add(("search", "time"), str(error))


def _build(model: type[Member], value: Any, problems: Problems, path: tuple[str, ...]) -> Any:
    try:
        return model.model_validate(value or {})
    except ValidationError as error:
        for entry in error.errors():
            message = entry["msg"].removeprefix("Value error, ").rstrip(".")
            problems.add((*path, *entry["loc"]), message)
    except (ValueError, TypeError) as error:
        problems.add(path, str(error).rstrip("."))
    return None


def _search(read: Document) -> dict[str, Any]:
    search = read.data.get("search")
    return search if isinstance(search, dict) else {}


def _objective(read: Document, problems: Problems) -> tuple[str, Direction]:
    """Returns the objective and its direction, from the task's table; before anything is known to be right."""
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
    return objective, metrics.get(objective, "max")
