"""What `test_cluster` runs on nodes that do not see the driver's files. A file of its own, which they import."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import jobs

from automl.executors import Tell
from automl.records.trials import TestRequest, TestResult, TrialRequest, TrialResult


def checkpoint_and_die(asked: TrialRequest, tell: Tell) -> TrialResult:
    """Leaves a checkpoint behind its first epoch, and dies in the second."""
    Path(asked.folder, "checkpoint.npz").write_bytes(b"after epoch 1")
    Path(asked.folder, "half.part").write_bytes(b"not whole")
    tell(jobs.report(asked, 1))
    time.sleep(1.0)
    os.kill(os.getpid(), signal.SIGKILL)
    return jobs.result(asked)


def go_on(asked: TrialRequest, tell: Tell) -> TrialResult:
    """Tells what it found, and leaves a model."""
    assert os.environ["TMPDIR"] in asked.folder
    checkpoint = Path(asked.folder, "checkpoint.npz").read_text()
    size = Path(asked.data.folder, "train_x.npy").stat().st_size
    model = Path(asked.folder, "model.keras")
    model.write_bytes(b"the model")
    return replace(jobs.result(asked, f"checkpoint {checkpoint}, data of {size} bytes"), model=str(model))


def read_model(asked: TestRequest, tell: Tell) -> TestResult:
    return TestResult(asked.trial, asked.attempt, {"test_size": float(Path(asked.model).stat().st_size)})
