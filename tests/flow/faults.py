"""A trial function that makes some trials go wrong, each in its own way. Imported by the workers."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import Any

from automl.executors import Message, Tell
from automl.records.trials import Report, TrialRequest, TrialResult
from automl.worker.trial import run_trial


def faulty(request: TrialRequest, tell: Tell) -> TrialResult:
    """Trial 3 raises, 5 returns NaN, 7 has a kernel larger than its input; 6 always loses its worker, 2 once."""
    model: list[Any] = list(request.document["model"])
    match request.trial:
        case 2 if request.attempt == 1:
            return run_trial(request, killed_by(tell))
        case 3:
            return run_trial(request, refuse)
        case 5:
            # Beyond what float32 holds: infinite activations, a loss that is no number.
            model.insert(0, {"Rescaling": {"scale": 1e38}})
        case 6:
            return run_trial(request, killed_by(tell))
        case 7:
            model[0] = {"conv": {**model[0]["conv"], "kernel_size": 99}}
    return run_trial(replace(request, document={**request.document, "model": model}), tell)


def refuse(message: Message) -> bool:
    raise RuntimeError("no room on the device\nand more lines")


def killed_by(tell: Tell) -> Tell:
    """Dies as the kernel kills when memory is short: after an epoch, in the middle of the training."""

    def told(message: Message) -> bool:
        goes_on = tell(message)
        if isinstance(message, Report):
            os.kill(os.getpid(), signal.SIGKILL)
        return goes_on

    return told


def show_device(request: TrialRequest, tell: Tell) -> TrialResult:
    """Trains nothing; fails with the name of the GPU that its worker sees."""
    return TrialResult(request.trial, request.attempt, "error", message=os.environ.get("CUDA_VISIBLE_DEVICES"))
