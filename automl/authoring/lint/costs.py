"""Checks of what makes trials slow, or their scores worth little."""

from __future__ import annotations

from collections.abc import Iterator

from automl import schedulers
from automl.authoring.lint._case import Case, Finding
from automl.blocks import registry
from automl.errors import shorten
from automl.experiment.experiment import epochs as epochs_of
from automl.schedulers.asha import Asha
from automl.schedulers.median import Median
from automl.schedulers.none import NoScheduler

CUDNN_CELLS = ("lstm", "gru")


def off_cudnn(case: Case) -> Iterator[Finding]:
    """An LSTM or GRU that leaves the cuDNN path."""
    for place in case.blocks:
        if place.model is not registry.get("recurrent"):
            continue
        for field, kept, hint in (
            ("recurrent_dropout", 0, "Use dropout, or none"),
            ("activation", "tanh", "Keep tanh"),
        ):
            gone = [value for value in case.values(place, field) if value != kept]
            cells = [cell for cell in CUDNN_CELLS if cell in case.beside(place, field, "cell")]
            if gone and cells:
                told = f"{field} may be {shorten(gone[-1])}, which takes {' and '.join(cells)} off the cuDNN path"
                yield case.finding((*place.path, field), told, "On a GPU such a layer is several times slower", hint)


def batch_of_one(case: Case) -> Iterator[Finding]:
    """Batch normalisation over batches of a single example."""
    section = case.training[0]
    if min(case.values(section, "batch_size")) > 1:
        return
    for place in case.blocks:
        # Beside a list of blocks, `norm` is about a shortcut, which need not have weights.
        own = "norm" in place.model.model_fields and "blocks" not in place.model.model_fields
        if place.kind == "BatchNormalization" or (own and "batch" in case.values(place, "norm")):
            what = "batch_size may be 1 beside batch normalisation"
            why = "The mean and the variance of a single example say nothing of the others"
            hint = "Start batch_size at 2 or more, or use norm: layer"
            yield case.finding((*section.path, "batch_size"), what, why, hint)
            return


def losses_that_differ(case: Case) -> Iterator[Finding]:
    """Scores by `val_loss` while what is in the loss is searched."""
    if case.read.goals.primary.metric != "val_loss":
        return
    for param in case.params:
        # Penalties are no part of it: see `build.measure_plainly`.
        if param.path[:2] == ("training", "loss") and param.domain.size != 1:
            what = f"{param.name} is searched while the objective is val_loss"
            why = "It is part of that loss, so the scores of two trials do not compare"
            others = [] if case.read.data is None else case.read.data.task.metrics
            other = next((name for name in others if name != "loss"), "accuracy")
            hint = f"Fix it, or score by another metric, as val_{other}"
            yield case.finding(param.path, what, why, hint)


def rungs_too_short(case: Case) -> Iterator[Finding]:
    """A scheduler that never judges a trial, for want of epochs or of trials."""
    search, space = case.read.search, case.read.space
    judge, epochs = search.judge, epochs_of(space.resolve(space.defaults()))
    if isinstance(judge, NoScheduler):
        return
    declared = ("search", "scheduler" if search.scheduler else "algorithm")
    name = schedulers.registry.name_of(judge)
    if not judge.rungs(epochs, []):
        what = f"{name} finds no rung within {epochs} epochs"
        why = "It judges a trial before its last epoch, so no trial is ever stopped"
        hint = "Train more epochs, or use scheduler: none"
        yield case.finding(declared, what, why, hint)
        return
    fewest = judge.factor + 1 if isinstance(judge, Asha) else judge.trials + 1 if isinstance(judge, Median) else 1
    if search.most_trials is not None and search.most_trials < fewest:
        what = f"{name} has {search.most_trials} trials, fewer than the {fewest} that it needs to tell good from bad"
        why = "A trial is measured by those that came before it"
        hint = f"Give it {fewest} trials or more, a time in place of trials, or use scheduler: none"
        yield case.finding(("search", "trials"), what, why, hint)
