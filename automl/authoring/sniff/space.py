"""Writes a search space in proportion to a set: its examples bound the width, its pixels or steps the depth."""

from __future__ import annotations

import math
from collections.abc import Iterator
from string import Template

from automl import tasks
from automl.authoring.sniff import notes
from automl.authoring.sniff.found import Found

RECURRENT_STEPS = 60
"""Steps up to which recurrent layers are as quick as convolutions on a CPU, and remember the beginning."""

_IMAGE = """
model:
  - conv:
      name: stem
      filters: {min: $low, max: $high}  # $why_size
      kernel_size: $kernels  # how much of its neighbourhood a pixel sees
      norm: {values: [batch, none]}  # batch lets larger learning rates through
      norm_momentum: 0.9  # its averages, which validation reads, are there after some 30 steps
$stem_pool
  - conv:
      name: body
      repeat: {min: 1, max: 2}  # depth
      filters: {min: $wide, max: $wider, each: true}  # each repeat has its own
      kernel_size: $kernel  # small: depth and pooling widen the view
      norm: batch  # as above
      norm_momentum: 0.9
      dropout: {min: 0.0, max: 0.3, step: 0.1, default: 0.1}  # against learning by heart
$reduce
  - $join
  - dense:
      repeat: {min: 0, max: 1}  # with or without a layer before the classes
      units: {values: [$wider, $widest]}  # its outputs
      dropout: {min: 0.0, max: 0.5, step: 0.25, default: 0.25}  # there most weights are
"""

_CONV = """
model:
  - conv:
      name: stem
      filters: {min: $low, max: $high, log: true}  # $why_size
      kernel_size: {values: [5, 7, 9]}  # steps that are seen at once
      norm: batch  # scales of layers stay alike: larger learning rates
      norm_momentum: 0.9  # its averages, which validation reads, are there after some 30 steps
$stem_pool
  - conv:
      name: body
      repeat: {min: 1, max: 3}  # depth
      filters: {min: $wide, max: $wider, log: true, each: true}  # each repeat has its own
      kernel_size: {values: [3, 5]}  # poolings before it make it see far
      norm: batch  # as above
      norm_momentum: 0.9
      dropout: {min: 0.0, max: 0.3, step: 0.1, default: 0.1}  # against learning by heart
$reduce
  - global_pool: {kind: {values: [avg, max]}}  # one number per filter, padding left out
  - dense:
      repeat: {min: 0, max: 1}  # with or without a layer before the classes
      units: {values: [$wider, $widest]}  # its outputs
"""

_RNN = """
model:
  - recurrent:
      repeat: {min: 1, max: 2}  # depth
      cell: {values: [lstm, gru, simple_rnn]}  # what remembers far back, and what is quick
      units: {min: $wide, max: $wider, log: true, each: true}  # $why_size
      bidirectional: {values: [true, false]}  # reading backwards as well often helps with whole series
      dropout: {min: 0.0, max: 0.4, step: 0.1, default: 0.2}  # on the inputs: recurrent_dropout leaves the cuDNN path
  - dense:
      repeat: {min: 0, max: 1}  # with or without a layer before the classes
      units: {values: [$wider, $widest]}  # its outputs
"""

_TABLE = """
model:
$embed
  - dense:
      repeat: {min: 1, max: 3}  # depth
      units: {min: $wide, max: $widest, log: true, each: true}  # $why_size
      norm: {values: [none, batch]}  # batch lets larger learning rates through
      norm_momentum: 0.9  # its averages, which validation reads, are there after some 30 steps
      dropout: {min: 0.0, max: 0.5, step: 0.1, default: 0.1}  # against learning by heart
"""

_EMBED = """  - entity_embedding:
      size: {min: 2, max: 16}  # numbers for each category, at most half as many as there are categories"""

_PRETRAINED = """
model:
  - backbone:
      family: MobileNetV2  # the smallest of keras.applications; EfficientNetB0 is slower and better
      alpha: 0.35  # its width; 1.0 is slower and better
      size: {values: [160, 128, 192]}  # pixels that it is shown
      pooling: avg  # one number per feature
      dropout: {min: 0.0, max: 0.6, step: 0.1, default: 0.3}  # against learning by heart
training:
  phases:
    - {epochs: $head, unfreeze: none}  # a new head first, on features that are computed once
    - {epochs: $deep, factor: {values: [0.1, 0.03, 0.3]}, unfreeze: {values: [0.6, 0.3]}}  # then its last layers too
  batch_size: $batch  # $steps
  optimizer:
    adam: {learning_rate: {min: 3e-4, max: 3e-3, log: true, default: 1e-3}}  # matters most
"""

_TRAINING = """
training:
  epochs: $epochs  # at most: early stopping ends most trials before
  batch_size: {values: [$batch, $batches]}  # $why_batch
  optimizer:
    adam: {learning_rate: {min: 3e-4, max: $rate, log: true, default: 1e-3}}  # matters most
$clip
  early_stopping: {patience: $patience}  # epochs without a better $objective
"""

_SEARCH = """
search:
  objective: $objective  # $why_objective
  algorithm: auto  # learns from trials; or random, grid, hyperband
  trials: $trials  # in all; or time: 30m
  seed: 0  # the same seed, the same proposals
$evaluation
"""

_EVALUATION = """evaluation:
  folds: $folds  # $examples validation examples make a poor score; null: none
$strategy"""

_STEM_POOL = "      pool: {values: [max, avg]}  # halves it at once: full size is what costs"

_REDUCE = """  - conv:
      name: reduce
      repeat: $repeat  # each halves it again: 1/$factor of the input at the end
      filters: $wider  # the most of any layer: its map is the smallest
      kernel_size: $kernel
      norm: batch  # as above
      norm_momentum: 0.9
      pool: max  # the strongest of each neighbourhood"""


def write(found: Found, command: str) -> str:
    """Returns the text of the space; its first line is the command to run.

    Args:
        found: What was seen of the set.
        command: The command line that searches the space on the set.
    """
    template, name, because = _family(found)
    objective, reason = _objective(found)
    training, trials = ("", 6) if template is _PRETRAINED else (_TRAINING, 20)
    text = Template(template + training + _SEARCH).substitute(
        _sizes(found),
        rate="3e-3" if found.input == "image" else "1e-2",
        clip="  clipnorm: {values: [1.0, null]}  # recurrent gradients explode" if template is _RNN else "",
        trials=trials,
        objective=objective,
        why_objective=reason,
        evaluation=_evaluation(found),
    )
    lines = [f"name: {name}  # models are registered as {name}-{found.name}", *text.splitlines()]
    return "\n".join([f"# {command}", "#", *notes.wrapped(because), *_noted(lines)]) + "\n"


def _objective(found: Found) -> tuple[str, str]:
    """Returns what the search is for, and why."""
    if found.task == "classification":
        if found.uneven:
            return "val_f1", f"{found.uneven}: accuracy would overlook the rare"
        return "val_accuracy", "no class is rare"
    reasons = {"regression": "the share of the variance that is explained; or val_mae, val_rmse, in its own units"}
    reason = reasons.get(found.task, "rare labels count as much as the others")
    return tasks.registry.get(found.task).default_objective, reason


def _evaluation(found: Found) -> str:
    """Returns the section that asks for folds; nothing where none are needed."""
    if found.folds is None:
        return ""
    ordered = "  strategy: walk_forward  # by time: each fold trains on those before it"
    strategy = ordered if found.strategy == "walk_forward" else ""
    return Template(_EVALUATION).substitute(folds=found.folds, examples=found.sizes["val"], strategy=strategy)


def _family(found: Found) -> tuple[str, str, str]:
    """Chooses the family of models; returns its template, its name and the reason."""
    if found.photographs:
        reason = "a new head on a network that was trained on ImageNet, for photographs by the hundred"
        more = "Keras downloads its weights once; without a network search the space `cnn` instead"
        return _PRETRAINED, "pretrained_image", f"As the shipped `pretrained_image`: {reason}. {more}."
    if found.input == "image":
        return _IMAGE, "cnn", "A convolutional network, as the shipped `cnn`: convolutions, poolings, dense layers."
    if found.input == "table":
        return _TABLE, "table", "Dense layers behind what a table holds: its numbers, and a vector for each category."
    steps = found.shape[0]
    if steps <= RECURRENT_STEPS:
        reason = f"{steps} steps are few enough to be read one after the other"
        return _RNN, "rnn", f"Recurrent layers, as the shipped `rnn`: {reason}."
    reason = f"over {steps} steps they are many times quicker than recurrent layers, which forget the first ones"
    return _CONV, "cnn", f"Convolutions along the steps, then their mean or maximum: {reason}."


def _sizes(found: Found) -> dict[str, object]:
    """Returns the numbers of a template."""
    examples, side = found.sizes["train"], min(found.shape[:-1], default=1)
    tier = sum(examples >= bound for bound in (500, 5_000))
    low, high = (8, 12, 16)[tier], ((16, 32, 48) if found.input == "image" else (32, 48, 64))[tier]
    batch = 8 if examples < 300 else 16 if examples < 2_000 else 32 if examples < 20_000 else 64
    # Some 3,000 steps of the optimizer, whatever the size of the set; early stopping waits a fifth of them.
    epochs = min(200, max(15, math.ceil(3_000 * batch / examples)))
    # Down to some 4 pixels, or some 32 steps.
    halvings = min(5, max(0, int(math.log2(side)) - (2 if found.input == "image" else 5)))
    flat = 2 * high * math.prod(max(1, length >> halvings) for length in found.shape[:-1])
    kernel, wider = min(3, side), 2 * high
    more = Template(_REDUCE).substitute(repeat=halvings - 1, factor=2**halvings, wider=wider, kernel=kernel)
    return {
        "low": low,
        "high": high,
        "wide": 2 * low,
        "wider": wider,
        "widest": 2 * wider,
        "embed": _EMBED if found.categories else "",
        "why_size": f"for {examples:,} training examples",
        "kernel": kernel,
        "kernels": "{values: [3, 5]}" if side >= 5 else kernel,
        "stem_pool": _STEM_POOL if halvings else "",
        "reduce": more if halvings > 1 else "",
        "join": "flatten  # keeps where things are"
        if flat <= 8_192
        else "global_pool  # flattened it would be too wide",
        "epochs": epochs,
        "patience": max(4, epochs // 5),
        # Some 650 steps for the head, and fewer for the network, whose steps cost.
        "head": min(60, max(8, math.ceil(650 * batch / examples))),
        "deep": min(30, max(6, math.ceil(480 * batch / examples))),
        "batch": batch,
        "batches": 2 * batch,
        "why_batch": f"{math.ceil(examples / batch):,} or {math.ceil(examples / batch / 2):,} steps an epoch",
        "steps": f"{math.ceil(examples / batch):,} steps an epoch",
    }


def _noted(lines: list[str]) -> Iterator[str]:
    for line in filter(None, lines):
        text, _, why = line.partition("  # ")
        yield from notes.noted([text], why)
