"""What a space takes from pretrained networks: found and checked before any trial, and told in the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from automl.blocks._applications import IMAGENET, WIDE, Unreachable, load
from automl.blocks._chain import Chain
from automl.blocks.backbone import Backbone
from automl.document import block_lists
from automl.errors import ConfigError, Infeasible, Problem
from automl.experiment.experiment import Experiment
from automl.flow import Kind, Shape, Unknown
from automl.machine import keras_backend
from automl.space.space import Space, grid
from automl.training import augmentation

MOST = 1000
"""Backbones of a space that are looked at: a choice among all families at ten sizes is 400."""

Origin = Mapping[str, Any]
"""Where weights came from, as plain data: the backbone's own fields that name them, `source` and `digest`."""

BACKBONE = "backbone"
"""What the block is called in a document."""

_NAMED = ("family", "alpha", "weights")


def backbone(document: Mapping[str, Any]) -> Backbone | None:
    """Returns the backbone that the model of a resolved document begins with."""
    first = next(iter(block_lists.written_out(document["model"])), None)
    # Read only where it is one: this is asked of every trial.
    if first is None or first.kind != BACKBONE:
        return None
    (block, *_) = Chain.read(list(document["model"]), "model").blocks
    assert isinstance(block, Backbone)
    return block


def require(read: Experiment, shape: Shape, say: Callable[[str], None] = lambda _: None) -> list[Origin]:
    """Sees to it that every backbone of a space can be built: its weights are there, and the images large enough.

    Weights that Keras has to download are asked for until that fails once: offline it fails for all of them, each time
    after a wait.

    Args:
        read: The experiment.
        shape: Of what comes out of the stem.
        say: Takes a line for the user.

    Returns:
        Where the weights came from, one entry for each.

    Raises:
        ConfigError: One cannot, in a line for each that cannot.
    """
    origins: dict[str, Origin] = {}
    problems: dict[str, Problem] = {}
    seen: set[str] = set()
    offline: Unreachable | None = None
    untried: list[str] = []
    for block in _backbones(read.space):
        named = block.model_dump(include=set(_NAMED))
        try:
            _require_shape(block, shape)
            if str(named) in seen or block.weights is None:
                continue
            seen.add(str(named))
            if block.weights == IMAGENET and offline is not None:
                untried.append(_name(named))
                continue
            if block.weights == IMAGENET:
                say(f"reading the ImageNet weights of {_name(named)}; Keras downloads them once")
            with keras_backend.quietly():  # the backend, whose first word it is
                weights = load(block.family, block.weights, block.width)
            origins[str(named)] = {**named, "source": weights.source, "digest": weights.digest}
        except Infeasible as error:
            problems.setdefault(str(error), Problem(read.document.name, str(error).rstrip(".")))
        except Unreachable as error:
            offline = error
        except ConfigError as error:
            problems.update({str(problem): problem for problem in error.problems})
    if offline is not None:
        (problem,) = offline.problems
        others = f"; not looked for after that: {', '.join(untried)}" if untried else ""
        problems[""] = replace(problem, what=f"{problem.what}{others}")
    if problems:
        raise ConfigError(list(problems.values()))
    return list(origins.values())


def origin(document: Mapping[str, Any], known: Sequence[Origin]) -> Origin | None:
    """Returns where the weights of a trial's backbone came from, of those that `require` returned."""
    block = backbone(document)
    named = block.model_dump(include=set(_NAMED)) if block else None
    return next((each for each in known if {key: each[key] for key in _NAMED} == named), None)


def told(each: Origin) -> str:
    """Returns an origin in a line, for tags."""
    return f"{_name(each)} {each['source']} sha256:{each['digest']}"


def _name(named: Mapping[str, Any]) -> str:
    width = f" {named['alpha']}" if named["alpha"] is not None and named["family"] in WIDE else ""
    return f"{named['family']}{width}"


def changing(document: Mapping[str, Any]) -> str | None:
    """Returns why the features of a frozen backbone differ from epoch to epoch; None where they stay the same."""
    block = backbone(document)
    if block is None:
        return "the model does not begin with a backbone"
    if block.trains_batch_norm:
        return "batch_norm: training lets its dropout act"
    if augmentation.of(document).active:
        return "training.augmentation changes the images"
    return None


def frozen(read: Experiment) -> str | None:
    """Says for the user what becomes of the features of a frozen backbone; None where none is ever frozen."""
    document = read.space.resolve(read.space.defaults())
    phases = (document.get("training") or {}).get("phases") or ()
    if backbone(document) is None or not any(phase.get("unfreeze") == "none" for phase in phases):
        return None
    why = changing(document)
    if why is None:
        return "the features of the frozen backbone are computed once and kept for all trials"
    return f"the features of the frozen backbone are computed anew in every epoch: {why}"


def _backbones(space: Space) -> Iterator[Backbone]:
    """Yields the backbones that the first block of a space can be."""
    if not any(block_lists.split(item)[0] == BACKBONE for item in space.tree["model"]):
        return  # most spaces, whose points need not be walked through
    own = {param.name for param in space.params if param.path[:2] == ("model", 0)}
    needed = own | {condition.name for p in space.params if p.name in own for condition in p.conditions}
    few = replace(space, params=tuple(param for param in space.params if param.name in needed))
    seen: set[str] = set()
    for values in islice(grid(few), MOST):
        block = backbone(space.resolve(space.defaults(values)))
        if block is not None and (said := block.model_dump_json()) not in seen:
            seen.add(said)
            yield block


def _require_shape(block: Backbone, shape: Shape) -> None:
    wanted: Kind = block.gives()[0]
    try:
        block.shape(shape, wanted)
    except Unknown:
        return  # it fits; what it gives is known when it is built
