"""`plan`: what a search would try, build and take, before it runs."""

from __future__ import annotations

import contextlib
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from automl.cli import _options, _output

if TYPE_CHECKING:
    from automl.authoring.plan import Survey
    from automl.experiment.experiment import Experiment
    from automl.records.data import DataSpec

GROUP = "Before a search"


@click.command(short_help="What a search would take: sizes, failures, time.")
@_options.space
@_options.data
@_options.trials
@_options.of_a_search
@click.option(
    "--samples", type=click.IntRange(1, 10_000), default=60, show_default=True, help="Models to draw and build."
)
@click.option("--defaults", is_flag=True, help="Take apart the one model at the defaults instead.")
@click.option("--input", "shape", metavar="HxWxC", help="With --defaults: shape of an example, as 227x227x3 or 150x1.")
@click.option("--classes", type=click.IntRange(min=2), default=10, show_default=True, help="With --input: classes.")
@_options.backend
@_options.root
@_output.object_option
def plan(space: str, data: str | None, options: tuple[str, ...], output: str, **given: Any) -> None:
    """Say what searching SPACE would take: sizes of its models, share that cannot be built, wall time.

    \b
    automl plan cnn --data digits --trials 8
    automl plan alexnet --defaults --input 227x227x3 --classes 1000
    """  # noqa: D301 - click itself reads the \b
    from automl.errors import ConfigError, Problem
    from automl.experiment import experiment
    from automl.machine import keras_backend
    from automl.machine.workers import this_machine

    read = experiment.load(space, data, options, _options.take_section(given))
    if read.data is None and not (given["defaults"] and given["shape"]):
        hint = "Name a data set with --data, or give --defaults with --input"
        raise ConfigError(Problem(read.document.name, "no data to plan for", hint=hint))
    machine = this_machine(*(given[key] for key in ("workers", "backend", "gpus", "workers_per_gpu")))
    # As a worker has it, so that what is measured here is what a trial takes there.
    for name, value in machine.worker_environment().items():
        os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)
    keras_backend.import_keras()
    with tempfile.TemporaryDirectory() as folder:
        prepared = _data(read, Path(folder) / "data", **given)
        plan_of = partial(_survey, workers=machine.workers, samples=given["samples"], backend=machine.backend)
        told = (_defaults if given["defaults"] else plan_of)(read, prepared)
    if output == "table":
        _show(told)
    else:
        _output.emit_object(told, output)


def _data(read: Experiment, folder: Path, **given: Any) -> DataSpec:
    """Prepares the data, or makes up a description of some that has the shape asked for."""
    from automl import flow
    from automl.data import prepare
    from automl.model import build

    if not given["shape"]:
        assert read.data is not None
        prepared = prepare.prepare(read.data, folder, given["data_root"], read.evaluation)
        for note in prepared.notes:
            _output.say(note, err=True)
        return prepared
    return build.data_of(flow.read(given["shape"]).sides, given["classes"])


def _defaults(read: Experiment, data: DataSpec) -> dict[str, Any]:
    """Describes the model at the defaults."""
    from dataclasses import asdict

    from automl.authoring import plan as plans
    from automl.errors import ConfigError, Problem

    sample = plans.built(read, read.space.defaults(), data)
    if sample.summary is None:
        shape = " and ".join("x".join(map(str, shape)) for shape in data.shapes.values())
        raise ConfigError(Problem(read.document.name, f"the defaults do not fit an input of {shape}: {sample.problem}"))
    found = sample.summary
    return {
        "space": read.name,
        "input": data.profile.get("shape") or data.profile["shapes"],
        "parameters": found.parameters,
        "trainable_parameters": found.trainable_parameters,
        "macs": found.macs,
        "layers": [{**asdict(layer), "output": list(layer.output)} for layer in found.layers],
    }


def _survey(read: Experiment, data: DataSpec, workers: int, samples: int, backend: str) -> dict[str, Any]:
    """Describes the search, and remembers what was predicted for it."""
    from automl.authoring import plan as plans
    from automl.errors import ConfigError
    from automl.machine import folders
    from automl.results import prediction

    survey = plans.survey(read, data, samples, workers, lambda text: _output.say(text, err=True))
    if survey.prediction is not None:
        key = prediction.key(read.document.data, data.digest, workers, backend)
        with contextlib.suppress(ConfigError, OSError):  # the plan itself can do without
            prediction.remember(folders.writable_home(), key, survey.prediction)
    return _told(read, data, survey)


def _told(read: Experiment, data: DataSpec, survey: Survey) -> dict[str, Any]:
    from automl import oracles
    from automl.space import counting

    able = [sample for sample in survey.samples if sample.summary]
    sizes = [sample.summary.trainable_parameters for sample in able if sample.summary]
    memory = [sample.summary.memory_mb(sample.batch_size) for sample in able if sample.summary]
    macs = [sample.summary.macs for sample in able if sample.summary]
    prediction = survey.prediction
    return {
        "space": read.name,
        "data": data.name,
        "parameters_searched": len(read.space.params),
        "configurations": survey.configurations and counting.told(survey.configurations),
        "legal_share": round(survey.legal, 4),
        "samples": len(survey.samples),
        "infeasible_share": round(survey.infeasible, 4),
        "infeasible_reasons": [{"reason": reason, "count": count} for reason, count in survey.problems[:5]],
        "weights": _quantiles(sizes),
        "macs": _quantiles(macs),
        "memory_mb": _quantiles([round(each, 2) for each in memory]),
        "algorithm": oracles.registry.name_of(read.search.algorithm),
        "trials": len(survey.trials),
        "measured": [
            {"trial": place + 1, "setup_s": round(timing.setup_s, 2), "epoch_s": round(timing.epoch_s, 3)}
            for place, timing in sorted(survey.timings.items())
        ],
        "predicted_s": None if prediction is None else round(prediction.seconds, 1),
        "predicted_range_s": None if prediction is None else [round(prediction.low_s, 1), round(prediction.high_s, 1)],
    }


def _quantiles(values: list[Any]) -> dict[str, Any] | None:
    if not values:
        return None
    ordered = sorted(values)
    return {"least": ordered[0], "median": ordered[len(ordered) // 2], "most": ordered[-1]}


def _show(told: dict[str, Any]) -> None:
    """Prints a plan for people."""
    if "layers" in told:
        rows = [{**layer, "output": "x".join(map(str, layer["output"]))} for layer in told["layers"]]
        _output.emit([{k: v for k, v in row.items() if k not in ("steps", "width")} for row in rows], "table")
        _output.say(
            f"{told['space']} at its defaults: {told['parameters']:,} weights, "
            f"{told['trainable_parameters']:,} trained, {told['macs']:,} multiply-accumulates an example"
        )
        return
    count = "endless" if told["configurations"] is None else told["configurations"]
    count = f"{count:,}" if isinstance(count, int) else count
    _output.say(f"{told['space']} on {told['data']}: {told['parameters_searched']} parameters, {count} configurations")
    _output.say(f"constraints let {told['legal_share']:.0%} of them pass")
    _output.say(f"{told['infeasible_share']:.0%} of {told['samples']} drawn models cannot be built")
    for entry in told["infeasible_reasons"]:
        _output.say(f"  {entry['count']} times: {entry['reason']}")
    sizes = {"weights": "weights", "multiply-accumulates an example": "macs", "MB at least, in training": "memory_mb"}
    for words, name in sizes.items():
        if told[name]:
            found = told[name]
            _output.say(f"{words}: {found['least']:,} to {found['most']:,}, half of them up to {found['median']:,}")
    if told["predicted_s"] is None:
        _output.say("no prediction of the wall time: the search has no number of trials, or none can be built")
        return
    low, high = told["predicted_range_s"]
    _output.say(
        f"{told['trials']} trials of {told['algorithm']}: about {_duration(told['predicted_s'])}, "
        f"{_duration(low)} to {_duration(high)}; early stopping makes it shorter"
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
