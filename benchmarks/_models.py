"""The networks and the data of a document for those who do not search with automl: the same, from the same code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.experiment import experiment
from automl.experiment.experiment import Experiment
from automl.records.data import DataSpec
from automl.space.domains import Choice, Range
from automl.space.space import Space, grid

CNN12 = Path(__file__).with_name("cnn12.yaml")


@dataclass(frozen=True)
class Arrays:
    """A data set in memory.

    Args:
        spec: What the models are built for.
        train: Examples and targets as `fit` takes them.
        val: The same of the validation part.
    """

    spec: DataSpec
    train: tuple[Any, Any]
    val: tuple[Any, Any]


def read(space: str = str(CNN12), data: str | None = None) -> Experiment:
    """Reads an experiment."""
    return experiment.load(space, data)


def arrays(read: Experiment, folder: Path) -> Arrays:
    """Prepares the data of an experiment as a search does, and reads it into memory."""
    import numpy as np

    from automl import inputs, tasks
    from automl.data import prepare, store

    assert read.data is not None
    spec = prepare.prepare(read.data, folder / "data", None)
    (given,), (target,) = spec.inputs, spec.task.columns
    reader, task = inputs.of(given), tasks.of(spec.task)

    def part(name: str) -> tuple[Any, Any]:
        y = np.array(store.columns(spec, name, [target])[0][target])
        return reader.encode(store.examples(spec, name, given), given), task.encode(y, spec.task.state)

    return Arrays(spec, part("train"), part("val"))


def documents(read: Experiment) -> list[dict[str, Any]]:
    """Returns the trials of a grid search, resolved, in its order."""
    return [read.trial(values) for values in grid(read.space)]


def compiled(document: Mapping[str, Any], spec: DataSpec) -> Any:
    """Builds and compiles the model of a resolved document."""
    from automl import tasks
    from automl.model import build

    network = build.build(document, spec)
    build.compile_model(network, experiment.training(document), tasks.of(spec.task), spec)
    return network


def declare(space: Space, hp: Any) -> dict[str, Any]:
    """Declares a space without conditions to Keras Tuner, as its users do; returns the values it proposes."""

    def choice(name: str, domain: Choice) -> Any:
        return hp.Choice(name, list(domain.values), default=domain.default)

    def between(name: str, domain: Range) -> Any:
        kind, sampling = hp.Int if domain.whole else hp.Float, "log" if domain.log else "linear"
        return kind(name, domain.min, domain.max, sampling=sampling, default=domain.default)

    return _values(space, choice, between)


def suggest(space: Space, trial: Any) -> dict[str, Any]:
    """Declares a space without conditions to Optuna, as its users do; returns the values it proposes."""

    def choice(name: str, domain: Choice) -> Any:
        return trial.suggest_categorical(name, list(domain.values))

    def between(name: str, domain: Range) -> Any:
        kind = trial.suggest_int if domain.whole else trial.suggest_float
        return kind(name, domain.min, domain.max, log=domain.log)

    return _values(space, choice, between)


def _values(space: Space, choice: Callable[[str, Choice], Any], between: Callable[[str, Range], Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for param in space.params:
        domain = param.domain
        if isinstance(domain, Choice):
            values[param.name] = choice(param.name, domain)
        else:
            assert isinstance(domain, Range)
            values[param.name] = between(param.name, domain)
    return values
