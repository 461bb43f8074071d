"""Runs one trial, or one test of a finished model, on plain data: load, build, fit, evaluate, save.

Handed to an executor by the loop. Knows no oracle, no journal, no MLflow.
"""

from __future__ import annotations

import gc
import math
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from automl import experiment as experiments
from automl import export, model, tasks
from automl.errors import Infeasible
from automl.records import SCORED, DataSpec, Report, TestRequest, TestResult, TrialRequest, TrialResult
from automl.sections import Training
from automl.tasks import Task

CHECKPOINT = "checkpoint.npz"


def run_trial(request: TrialRequest, report: Callable[[Report], bool]) -> TrialResult:
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
            "outcome": "oom" if _is_out_of_memory(error) else "error",
            "message": f"{type(error).__name__}: {error}".splitlines()[0],
            "traceback": traceback.format_exc(),
        }
    return TrialResult(**facts, seconds=time.monotonic() - started)


def run_test(request: TestRequest, report: Callable[[Report], bool]) -> TestResult:
    """Evaluates a saved model on the test part, with every metric of its task.

    `test_loss` is the task's own, plain loss, whatever the trial was trained with: it compares trials, as `val_loss`,
    the trial's own, may not.
    """
    del report
    try:
        task = _task(request.document)
        batch_size = experiments.training(request.document).batch_size
        metrics = _evaluate(request, task, batch_size)
    except Exception as error:  # noqa: BLE001 - the same border: the winner stays, even when it cannot be tested
        message = f"{type(error).__name__}: {error}".splitlines()[0]
        return TestResult(request.trial, request.attempt, message=message, traceback=traceback.format_exc())
    return TestResult(request.trial, request.attempt, metrics)


def _is_out_of_memory(error: Exception) -> bool:
    """Knows what TensorFlow, JAX, PyTorch and NumPy raise, without importing any of them."""
    told = f"{type(error).__name__}: {error}".lower().replace("_", "").replace(" ", "")
    return isinstance(error, MemoryError) or any(word in told for word in ("resourceexhausted", "outofmemory"))


def _train(request: TrialRequest, report: Callable[[Report], bool]) -> dict[str, Any]:
    import keras

    from automl.checkpoint import Checkpoint
    from automl.feed import Feed
    from automl.recorder import Recorder

    # One worker serves many trials: what the last one left in Keras's global state must not reach this one.
    keras.utils.clear_session(free_memory=False)
    gc.collect()
    keras.utils.set_random_seed(request.seed)

    training, task, data = experiments.training(request.document), _task(request.document), request.data
    keras.config.set_dtype_policy(training.precision)  # of the layers made from now on
    network = model.build(request.document, data)
    model.compile_model(network, training, task, data)
    recorder = Recorder(request, report)
    course, stopping = _course(training, request), _stopping(training, request)
    checkpoint = Checkpoint(Path(request.folder) / CHECKPOINT, recorder, [*course, *stopping])
    train = Feed(data, "train", task, training.batch_size, seed=request.seed, weights=_class_weights(task, data))
    network.fit(
        train,
        validation_data=Feed(data, "val", task, training.batch_size),
        initial_epoch=checkpoint.restore(network),
        epochs=request.epochs,
        # The recorder reads what those before it log, and takes the weights they leave.
        callbacks=[train.clock(), *course, recorder, *stopping, checkpoint],
        shuffle=False,
        verbose=0,
    )
    facts = recorder.facts() | {"parameters": network.count_params()}
    if facts["outcome"] in SCORED:
        network.set_weights(recorder.best_weights)
        facts["model"] = str(export.registry.read("keras").write(network, Path(request.folder)))
    return facts


def _course(training: Training, request: TrialRequest) -> list[Any]:
    """Returns what sets the learning rate, and what puts the weights' running mean in their place to be measured."""
    import keras

    course = training.schedule.callbacks(
        training.optimizer.learning_rate, training.epochs, request.objective, request.direction
    )
    if training.optimizer.use_ema:
        course.append(keras.callbacks.SwapEMAWeights(swap_on_epoch=True))
    return course


def _stopping(training: Training, request: TrialRequest) -> list[Any]:
    import keras

    if training.early_stopping is None:
        return []
    stopping = training.early_stopping
    return [
        keras.callbacks.EarlyStopping(
            monitor=request.objective,
            mode=request.direction,
            patience=stopping.patience,
            min_delta=stopping.min_delta,
        )
    ]


def _class_weights(task: Task, data: DataSpec) -> Any:
    import numpy as np

    return task.weights(np.load(Path(data.folder) / "train_y.npy"), data.classes)


def _task(document: Mapping[str, Any]) -> Task:
    return tasks.registry.read(document["data"]["task"])


def _evaluate(request: TestRequest, task: Task, batch_size: int) -> dict[str, float]:
    import keras

    from automl.feed import Feed

    network = keras.saving.load_model(request.model, compile=False, safe_mode=True)
    network.compile(loss=task.loss(), metrics=task.keras_metrics(request.data))
    logs = network.evaluate(Feed(request.data, "test", task, batch_size), verbose=0, return_dict=True)
    return {f"test_{name}": float(value) for name, value in logs.items() if math.isfinite(value)}
