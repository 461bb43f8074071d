"""A trial function that makes some trials go wrong, each in its own way. Imported by the workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from automl.records import Report, TrialRequest, TrialResult
from automl.trial import run_trial

Tell = Callable[[Report], None]


def faulty(request: TrialRequest, tell: Tell) -> TrialResult:
    """Trial 3 raises, 5 returns NaN, 6 loses its worker at every attempt, 7 has a kernel larger than its input."""
    model: list[Any] = list(request.document["model"])
    match request.trial:
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


def refuse(report: Report) -> None:
    raise RuntimeError("no room on the device\nand more lines")


def killed_by(tell: Tell) -> Tell:
    """Dies as the kernel kills when memory is short: after an epoch, in the middle of the training."""

    def told(report: Report) -> None:
        tell(report)
        os.kill(os.getpid(), signal.SIGKILL)

    return told


def lost_once(request: TrialRequest, tell: Tell) -> TrialResult:
    """Loses the worker of trial 2 at the first attempt."""
    return run_trial(request, killed_by(tell) if (request.trial, request.attempt) == (2, 1) else tell)


def never(request: TrialRequest, tell: Tell) -> TrialResult:
    """Fails always."""
    return run_trial(request, refuse)
