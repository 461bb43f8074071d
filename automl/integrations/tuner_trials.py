"""What Keras Tuner's trials, and the arguments of its `search`, tell of themselves, as plain data."""

from __future__ import annotations

import contextlib
import hashlib
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automl.document import yaml_text
from automl.records.objective import Goals
from automl.tracking import DatasetInput

if TYPE_CHECKING:
    from automl.integrations.hypermodel import SpaceModel

_DATA = ("x", "y", "validation_data", "validation_split", "sample_weight", "class_weight")
"""What of the arguments of `fit` decides what a score means."""


def space_of(tuner: Any) -> SpaceModel | None:
    """Returns the space that a tuner searches; None where its model is the user's own."""
    known = sys.modules.get("automl.integrations.hypermodel")  # whoever has such a model has imported it
    return tuner.hypermodel if known and isinstance(tuner.hypermodel, known.SpaceModel) else None


def values(space: SpaceModel | None, trial: Any) -> tuple[dict[str, Any], str]:
    """Returns a trial's values, and its document as YAML.

    Of a space the plain values, not the codes that Keras Tuner has in their place; with them what the tuner adds, as
    Hyperband does.
    """
    given = dict(trial.hyperparameters.values)
    if space is None:
        return given, yaml_text.dump(given)
    added = {name: value for name, value in given.items() if name not in space.read.space.by_name}
    try:
        plain, resolved = space.values(trial.hyperparameters), space.document(trial.hyperparameters)
    except KeyError:  # a parameter that the tuner was not told of before the model is built
        return added, yaml_text.dump(added)
    return {**plain, **added}, yaml_text.dump(resolved)


def numbers(logs: Mapping[str, Any]) -> dict[str, float]:
    """Returns the metrics of an epoch that are numbers: a metric may have one for every class."""
    found = {}
    for name, value in logs.items():
        with contextlib.suppress(TypeError, ValueError):
            found[name] = float(value)
    return found


def parameters(model: Any) -> int | None:
    """Returns the number of weights of a model; None where it has none yet, or a loop of the user's own gave none."""
    return model.count_params() if getattr(model, "built", False) and hasattr(model, "count_params") else None


def is_scored(trial: Any) -> bool:
    """Tells whether the oracle has a score of a trial."""
    return trial.status == "COMPLETED" and trial.score is not None and math.isfinite(trial.score)


def score(results: Any, objective: Any) -> float | None:
    """Returns the objective of what `run_trial` returned: a number, metrics, a history, or a list of them."""
    from keras_tuner.src.engine import tuner_utils

    try:
        return float(objective.get_value(tuner_utils.convert_to_metrics_dict(results, objective)))
    except (TypeError, KeyError, ValueError, AttributeError):  # of another kind; a search would refuse it
        return None


def goals(objective: Any) -> Goals:
    """Returns Keras Tuner's objective as ours; its `MultiObjective` is one too, the sum of several."""
    return Goals.single(objective.name, objective.direction)


def best_epoch(epochs: Sequence[Mapping[str, float]], wanted: Goals) -> int | None:
    """Returns the epoch that comes nearest to the goals, from 1; None where they are no metrics of the epochs."""
    costs = [wanted.costs(epoch) for epoch in epochs]
    known = [each for each in costs if each is not None]
    return known.index(min(known)) + 1 if known and len(known) == len(costs) else None


def dataset(space: SpaceModel | None, name: str, args: Sequence[Any], given: Mapping[str, Any]) -> DatasetInput | None:
    """Returns the data of a search: the space's own, or the arrays given; None where they are read as they come.

    Args:
        space: What is searched, if it has data.
        name: What the data is called that has no name.
        args: The arguments of `search`.
        given: Those with a name.
    """
    data = {**dict(zip(("x", "y"), args, strict=False)), **{key: given[key] for key in _DATA if key in given}}
    if "x" not in data:
        if space is None:
            return None
        known, source = space.data, space.read.document.data["data"]["source"]
        return DatasetInput(known.name, known.digest, yaml_text.dump(source).strip(), known.profile)
    digest = hashlib.sha256()
    for piece in _pieces(data):
        if piece is None:
            return None
        digest.update(piece)
    return DatasetInput(name, digest.hexdigest(), "arrays", {key: list(each.shape) for key, each in _arrays(data)})


def _arrays(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((key, each) for key, each in data.items() if hasattr(each, "shape"))


def _pieces(data: Any) -> Iterator[bytes | memoryview[Any] | None]:
    """Yields the bytes of arrays and what says how to read them; None for what holds no arrays."""
    import numpy as np

    if isinstance(data, Mapping):
        for key in sorted(data, key=str):
            yield str(key).encode()
            yield from _pieces(data[key])
    elif isinstance(data, list | tuple):
        for each in data:
            yield from _pieces(each)
    elif data is None or isinstance(data, int | float):
        yield repr(data).encode()
    elif isinstance(data, np.ndarray) and data.dtype != object:
        yield f"{data.dtype}{data.shape}".encode()
        yield np.ascontiguousarray(data).data
    else:
        yield None
