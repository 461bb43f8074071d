"""Checks what of a document must agree with its data: augmentations with the input, losses with the task."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from automl import inputs, tasks
from automl.document.problems import Problems
from automl.document.yaml_text import Document, Path_
from automl.registry import UnknownName, declared
from automl.space.domains import Choice
from automl.space.space import Space
from automl.space.tree import Leaf, Variant
from automl.training.augmentation import Augmentation, fitting, is_off
from automl.training.losses import LOSSES


def check_augmentation(read: Document, space: Space, problems: Problems) -> None:
    """Refuses what does not fit the data's input: a series cannot be flipped. Without data anything may come."""
    data, section = read.data.get("data"), space.tree.get("training")
    fields = section.get("augmentation") if isinstance(section, dict) else None
    if not isinstance(data, dict) or not isinstance(fields, dict):
        return
    with contextlib.suppress(KeyError, ValueError, AttributeError, UnknownName):  # told by the check of that section
        given = data["inputs"].values() if data.get("inputs") else [data["input"]]
        kinds = [declared(each)[0] for each in given]
        legal = fitting([inputs.registry.get(kind).augmentations for kind in kinds])
        for field, value in fields.items():
            if field in Augmentation.model_fields and field not in legal and not is_off(value):
                what = f"{field} does not fit data of input {' and '.join(kinds)}"
                expected = f"one of {', '.join(legal)}" if legal else "none"
                problems.add(("training", "augmentation", field), what, expected)


def check_loss(read: Document, space: Space, problems: Problems) -> None:
    """Refuses a loss that does not fit the data's task, also as one of several that are searched."""
    data, section = read.data.get("data"), space.tree.get("training")
    if not isinstance(data, dict) or not isinstance(section, dict):
        return
    with contextlib.suppress(KeyError, ValueError, UnknownName):  # told by the check of the data section
        task = declared(data["task"])[0]
        legal = tasks.registry.get(task).losses
        for name, path in _losses(section.get("loss"), space, ("training", "loss")):
            if name in LOSSES and name not in legal:
                problems.add(path, f"{name} does not fit the task {task}", f"one of {', '.join(legal)}")


def _losses(node: Any, space: Space, path: Path_) -> Iterator[tuple[str, Path_]]:
    """Yields the names of the losses that a trial may have, with their places."""
    if isinstance(node, Variant):
        yield from ((name, (*path, "one_of", name)) for name in node.branches)
    elif isinstance(node, Leaf):
        domain = space.by_name[node.param].domain
        for index, value in enumerate(domain.values) if isinstance(domain, Choice) else ():
            yield from _losses(value, space, (*path, "values", index))
    elif node is not None:
        with contextlib.suppress(ValueError):
            name = declared(node)[0]
            yield name, path if isinstance(node, str) else (*path, name)
