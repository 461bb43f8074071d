"""A trial function of which 35 in 100 trials go wrong, each in one of seven ways. Imported by the workers: no Keras.

What becomes of a trial depends on its number alone; how it goes, on its model, its seed, its batch size and the epoch.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automl.errors import Infeasible
from automl.executors import Tell
from automl.records.trials import Report, TrialRequest, TrialResult

WEIGHTS = 65 * 10
"""Of the model that is put in every trial's place: digits to classes, in one dense layer."""

TRIALS = 60
EPOCHS = 9
LATE = 4
"""The epoch behind the last rung: what breaks there held a place on every one."""

KINDS = ("error", "nan", "inf", "hang", "kill", "oom", "oversized")
_numbers = random.Random(4).sample(range(1, TRIALS + 1), 3 * len(KINDS))
FAULTS = {number: (KINDS[place // 3], place % 3) for place, number in enumerate(_numbers)}
"""What is wrong with a trial, and which of the three of its kind it is: 5 % each."""

HALVED = [number for number, (kind, which) in FAULTS.items() if kind == "oom" and which < 2]
"""Trials that fit at half the batch size."""
OUTCOMES = {
    number: {"error": "error", "hang": "lost", "oversized": "infeasible", "kill": "lost", "oom": "oom"}.get(
        kind, "diverged"
    )
    for number, (kind, which) in FAULTS.items()
    if kind not in {"kill", "oom"} or which == 2
}
"""How the trials end that are beyond help."""


def cost(model: Any, seed: int, batch_size: int, epoch: int) -> float:
    """Returns what a sound trial reports after an epoch: a number in [0.5, 1.5)."""
    text = json.dumps([model, seed, batch_size, epoch], sort_keys=True)
    return 0.5 + int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32


def costs(document: Mapping[str, Any], **changed: int) -> list[float]:
    """Returns what a trial reports when nothing goes wrong."""
    size = {**document["training"], **changed}["batch_size"]
    return [cost(document["model"], document["training"]["seed"], size, epoch) for epoch in range(1, EPOCHS + 1)]


def run(request: TrialRequest, tell: Tell) -> TrialResult:
    """Trains for nine epochs, unless its number says otherwise; ends as `run_trial` would."""
    kind, which = FAULTS.get(request.trial, ("", 0))
    try:
        return walk(request, tell, kind, which)
    except Infeasible as error:
        return TrialResult(request.trial, request.attempt, "infeasible", message=str(error))
    except MemoryError as error:
        return TrialResult(request.trial, request.attempt, "oom", message=f"MemoryError: {error}")
    except RuntimeError as error:
        return TrialResult(request.trial, request.attempt, "error", message=f"RuntimeError: {error}")


def sound(request: TrialRequest, tell: Tell) -> TrialResult:
    """Trains for nine epochs, whatever the number."""
    return walk(request, tell, "", 0)


def walk(request: TrialRequest, tell: Tell, kind: str, which: int) -> TrialResult:
    """Reports an epoch after the other, and strikes where the fault lies."""
    values = costs(request.document)
    if OUTCOMES.get(request.trial) and kind not in {"", "inf"}:
        # So good that no scheduler stops it before it breaks, and that nobody beside it would go on if it counted.
        values = [0.0] * EPOCHS
    if kind == "inf":
        values = [math.inf] * EPOCHS
    strike(request, kind, which, 0)
    outcome, told = "completed", []
    for epoch, value in enumerate(values, start=1):
        time.sleep(0.002)
        told.append(value)
        broken = kind == "nan" and epoch == LATE
        metrics = {"loss": math.nan if broken else 1.0 / epoch, "val_loss": value}
        waits = epoch in request.rungs and not broken
        finite = {name: number for name, number in metrics.items() if math.isfinite(number)}
        others = {name: repr(number) for name, number in metrics.items() if name not in finite}
        goes_on = tell(Report(request.trial, request.attempt, epoch, finite, others, waits))
        strike(request, kind, which, epoch)
        if broken:
            return TrialResult(request.trial, request.attempt, "diverged", message="the loss became nan")
        if waits and not goes_on:
            outcome = "stopped"
            break
    if kind == "inf":
        return TrialResult(request.trial, request.attempt, "diverged", message="val_loss was never finite")
    # Any model will do; the driver tests and registers it.
    model = shutil.copy(Path(request.folder).parents[2] / "model.keras", request.folder)
    best = min(told)
    at = told.index(best) + 1
    return TrialResult(
        request.trial, request.attempt, outcome, best, at, {"val_loss": best}, len(told), 0.1, WEIGHTS, str(model)
    )  # fmt: skip


def strike(request: TrialRequest, kind: str, which: int, epoch: int) -> None:
    """Breaks the trial after an epoch, if this is where it breaks; of each kind, some break before their first."""
    if kind == "oversized" and epoch == 0:
        raise Infeasible("model: conv: the kernel_size 99x99 is larger than its input 8x8")
    if kind == "error" and epoch == (0, 1, LATE)[which]:
        raise RuntimeError("the device went away")
    if kind == "hang" and epoch == (0, 1, LATE)[which]:
        time.sleep(3600)
    # Once, twice, and as often as it is tried.
    if kind == "kill" and epoch == (0, 1, LATE)[which] and request.attempt <= (1, 2, 99)[which]:
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "oom" and epoch == (0, 1, LATE)[which] and (request.attempt == 1 or which == 2):
        raise MemoryError("the device is full")
