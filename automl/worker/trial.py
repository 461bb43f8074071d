"""Runs one trial, or one test of a finished model, on plain data: load, build, fit, evaluate, save.

Handed to an executor by the loop. Knows no oracle, no journal, no MLflow.
"""

from __future__ import annotations

import gc
import math
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from automl import export, tasks
from automl.errors import Infeasible, is_out_of_memory
from automl.executors import Tell
from automl.experiment import experiment as experiments
from automl.machine import keras_backend
from automl.machine.folders import MODEL
from automl.model import build, saved
from automl.records.data import DataSpec
from automl.records.trials import Measured, Outcome, TestRequest, TestResult, TrialRequest, TrialResult
from automl.worker.pulse import Cut, Pulse

if TYPE_CHECKING:
    from automl.worker.checkpoint import Checkpoint
    from automl.worker.recorder import Recorder

CHECKPOINT = "checkpoint.npz"


def run_trial(request: TrialRequest, report: Tell) -> TrialResult:
    """Trains the model a document declares; goes on from the checkpoint in its folder, if there is one.

    Args:
        request: What to train, on what, and where to save it.
        report: Called after every epoch; tells whether the trial goes on.

    Returns:
        How it ended; whatever goes wrong inside the trial is an outcome, never an exception.
    """
    started = time.monotonic()
    facts: dict[str, Any] = {"trial": request.trial, "attempt": request.attempt}
    try:
        facts |= _train(request, report)
    except Infeasible as error:
        facts |= {"outcome": "infeasible", "message": str(error)}
    except Exception as error:  # noqa: BLE001 - the border round a trial: any failure costs this trial alone
        facts |= {
            "outcome": "oom" if is_out_of_memory(error) else "error",
            **_told(error),
        }
    return TrialResult(**facts, seconds=time.monotonic() - started)


def run_refit(request: TrialRequest, report: Tell) -> TrialResult:
    """Trains a model on all of the training part, its folds together, at given rates; nothing is measured."""
    facts: dict[str, Any] = {"trial": request.trial, "attempt": request.attempt}
    try:
        epochs = sum(map(len, request.rates))
        return TrialResult(**facts, outcome="completed", epochs=epochs, model=_refitted(request, report))
    except Exception as error:  # noqa: BLE001 - the same border: the model of the best fold stays
        return TrialResult(**facts, outcome="error", **_told(error))


def run_test(request: TestRequest, report: Tell) -> TestResult:
    """Evaluates a saved model on the test part, with every metric of its task.

    `test_loss` is the task's own, plain loss, whatever the trial was trained with, without the model's penalties: it
    compares trials, as `val_loss`, the trial's own, may not.
    """
    try:
        metrics = _evaluate(request, report)
    except Exception as error:  # noqa: BLE001 - the same border: the winner stays, even when it cannot be tested
        return TestResult(request.trial, request.attempt, **_told(error))
    return TestResult(request.trial, request.attempt, metrics)


def _told(error: Exception) -> dict[str, Any]:
    return {"message": f"{type(error).__name__}: {error}".splitlines()[0], "traceback": traceback.format_exc()}


def _train(request: TrialRequest, report: Tell) -> dict[str, Any]:
    """Trains a trial as often as its document says; returns the fields of its `TrialResult`."""
    evaluation, done = experiments.evaluation(request.document), list(request.measured)
    if evaluation.parts == 1:
        return _trained(request, report, ())[0]
    while True:
        if done and not report(done[-1]):
            return _mean(request, done, "stopped")
        if len(done) == evaluation.parts:
            return _mean(request, done, "completed")
        facts, seconds = _trained(request, report, done)
        if "score" not in facts and not (facts["outcome"] == "timeout" and done):
            return facts | {"epochs": facts["epochs"] + sum(each.epochs for each in done)}
        if "score" in facts:
            names = ("score", "best_epoch", "epochs", "parameters", "metrics", "loss", "gradient", "message")
            known = {name: facts[name] for name in names if name in facts}
            done.append(Measured(request.trial, request.attempt, len(done) + 1, seconds=seconds, **known))
        if facts["outcome"] != "completed":
            return _mean(request, done, facts["outcome"])


def _mean(request: TrialRequest, done: Sequence[Measured], outcome: Outcome) -> dict[str, Any]:
    """Returns what several trainings come to; the model is that of the best one."""
    everywhere = set.intersection(*(set(each.metrics) for each in done))
    losses = [each.loss for each in done if each.loss is not None]
    faulty = next((each for each in done if each.gradient), None)
    told = {} if faulty is None else {"gradient": faulty.gradient, "message": faulty.message}
    return {
        "outcome": outcome,
        "score": fmean(each.score for each in done),
        "scores": tuple(each.score for each in done),
        "best_epoch": round(fmean(each.best_epoch for each in done)),
        "epochs": sum(each.epochs for each in done),
        "parameters": done[-1].parameters,
        "model": str(Path(request.folder) / MODEL),
        "metrics": {name: fmean(each.metrics[name] for each in done) for name in sorted(everywhere)},
        "loss": fmean(losses) if len(losses) == len(done) else None,
        **told,
    }


def _trained(request: TrialRequest, report: Tell, before: Sequence[Measured]) -> tuple[dict[str, Any], float]:
    """Trains once, from the checkpoint if there is one; returns the fields of a `TrialResult`, and the seconds."""
    from automl.worker.checkpoint import Checkpoint
    from automl.worker.recorder import Recorder

    evaluation = experiments.evaluation(request.document)
    part = len(before) + 1
    seed = evaluation.seed(request.seed, part)
    request = replace(request, data=request.data.at(evaluation.fold(part)))
    network = _network(request.document, request.data, seed)
    recorder = Recorder(request, report, network, before)
    checkpoint = Checkpoint(Path(request.folder) / CHECKPOINT, recorder)
    try:
        _fit(request, network, seed, recorder, checkpoint)
    except Cut as cut:
        recorder.cut(str(cut))
    facts = recorder.facts() | {"parameters": network.count_params()}
    if "score" in facts:
        path = Path(request.folder) / MODEL
        merit = request.goals.primary.merit
        own = merit(facts["score"], facts["loss"])
        if all(own < merit(each.score, each.loss) for each in before):
            network.set_weights(recorder.best_weights)
            path = export.registry.read("keras").write(network, Path(request.folder))
        facts["model"] = str(path)
    return facts, recorder.seconds()


def _fit(request: TrialRequest, network: Any, seed: int, recorder: Recorder, checkpoint: Checkpoint) -> None:
    """Fits a network through the phases of its training, from where the checkpoint stands."""
    from automl.data import tf_pipeline
    from automl.worker import feature_cache
    from automl.worker.checkpoint import Place
    from automl.worker.fitting import Fitting

    fitting = Fitting(request.document, request.data, seed, request.goals.primary)
    place = checkpoint.place
    for number, stage in enumerate(fitting.training.stages()):
        if number < place.stage:
            continue
        fitting.freeze(network, stage)
        began = time.monotonic()
        with feature_cache.cached(network, request.document, request.data, recorder.computing) as cached:
            recorder.share(time.monotonic() - began)
            recorder.phase = number + 1
            fitted, folder = (network, None) if cached is None else (cached.head, cached.folder)
            fitting.compile(fitted)
            averaging, schedule = fitting.averaging(), fitting.schedule(stage, place.began)
            stopping = fitting.stopping()
            checkpoint.begin(place, [*schedule, *averaging, *stopping])
            train, val = fitting.feed("train", folder), tf_pipeline.of(fitting.feed("val", folder))
            measuring = fitting.measuring(val, recorder.on_test_batch_begin)
            recorder.health.begin(partial(fitting.sample, folder))
            # The recorder reads what those before it log, and takes the weights they leave.
            callbacks = [recorder.health, *averaging, *measuring, *schedule, recorder, *stopping, checkpoint]
            end = min(place.began + stage.epochs, request.epochs)
            fitting.fit(fitted, train, checkpoint.restore(fitted), end, callbacks, val)
        if recorder.is_over or recorder.epochs >= request.epochs:
            return
        place = Place(number + 1, recorder.epochs)


def _network(document: Mapping[str, Any], data: DataSpec, seed: int) -> Any:
    """Builds the model of a document, from a clean slate."""
    import keras

    # One worker serves many trials: what the last one left in Keras's global state must not reach this one.
    keras.utils.clear_session(free_memory=False)
    gc.collect()
    keras_backend.spare_imports()
    keras.utils.set_random_seed(seed)
    return build.build(document, data)


def _refitted(request: TrialRequest, report: Tell) -> str:
    import keras

    from automl.worker.fitting import Fitting
    from automl.worker.keeping import Keeping

    fitting = Fitting(request.document, request.data, request.seed, request.goals.primary)
    network = _network(request.document, request.data, request.seed)
    pulse = Pulse(request.trial, request.attempt, report)
    beats = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: pulse.beat("train", 0, batch),  # noqa: ARG005 - Keras's name
    )
    flat = list(chain(*request.rates))
    rate = keras.callbacks.LearningRateScheduler(lambda epoch, _: flat[epoch])
    keeping = Keeping(network, len(flat), averaged=bool(fitting.averaging()))
    began = 0
    for stage, rates in zip(fitting.training.stages(), request.rates, strict=False):
        if not rates:
            continue  # hardly a fold was in this phase before its best epoch
        fitting.freeze(network, stage)
        fitting.compile(network)
        callbacks = [*fitting.averaging(), rate, keeping, beats]
        fitting.fit(network, fitting.feed("train"), began, began + len(rates), callbacks)
        began += len(rates)
    network.set_weights(keeping.weights)
    return str(export.registry.read("keras").write(network, Path(request.folder)))


def _evaluate(request: TestRequest, report: Tell) -> dict[str, float]:
    import keras

    from automl.data import tf_pipeline
    from automl.data.feed import Feed
    from automl.worker.measuring import measured

    task = tasks.of(request.data.task)
    network = saved.load(Path(request.model))
    build.let_jit(network)
    build.measure_plainly(network)
    network.compile(loss=task.loss(None, request.data.task), metrics=task.keras_metrics(request.data.task))
    batches = tf_pipeline.of(Feed(request.data, "test", experiments.training(request.document).batch_size))
    pulse = Pulse(request.trial, request.attempt, report)

    def beat(batch: int, logs: Any = None) -> None:  # noqa: ARG001 - Keras's name
        pulse.beat("validate", 0, batch)

    beats = keras.callbacks.LambdaCallback(on_test_batch_begin=beat)
    logs = network.evaluate(batches, verbose=0, return_dict=True, callbacks=[beats])
    logs |= measured(network, batches, request.data, "test", beat)
    return {f"test_{name}": float(value) for name, value in logs.items() if math.isfinite(value)}
