"""What the workers of `test_executors` run in the place of trials: quick, and without Keras.

A file of its own because a worker process imports it by its name.
"""

from __future__ import annotations

import math
import mmap
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from automl.executors import Event, Tell
from automl.executors.processes import Processes
from automl.records.alive import Alive
from automl.records.objective import Goals
from automl.records.trials import Report, TrialRequest, TrialResult


def request(trial: int, attempt: int = 1, **document: Any) -> TrialRequest:
    """Returns a request that carries `document` to one of the functions below."""
    nothing: Any = None
    return TrialRequest(trial, attempt, document, 0, nothing, "", Goals.single("val_accuracy", "max"), 1)


def report(asked: TrialRequest, epoch: int) -> Report:
    return Report(asked.trial, asked.attempt, epoch, {"loss": 1.0 / epoch})


def result(asked: TrialRequest, message: str | None = None) -> TrialResult:
    return TrialResult(asked.trial, asked.attempt, "completed", score=1.0, message=message)


def succeed(asked: TrialRequest, tell: Tell) -> TrialResult:
    return result(asked, str(os.getpid()))


def warm_up() -> None:
    os.environ["WARMED"] = "yes"


def warm_up_in_vain() -> None:
    raise ImportError("there is no backend")


def tell_warmth(asked: TrialRequest, tell: Tell) -> TrialResult:
    return result(asked, os.environ.get("WARMED"))


def count(asked: TrialRequest, tell: Tell) -> TrialResult:
    """Reports three epochs, `pause` seconds apart."""
    for epoch in (1, 2, 3):
        tell(report(asked, epoch))
        time.sleep(asked.document["pause"])
    return result(asked)


def obey(asked: TrialRequest, tell: Tell) -> TrialResult:
    """Asks after each of three epochs whether it goes on."""
    for epoch in (1, 2, 3):
        if not tell(replace(report(asked, epoch), waits=True)):
            break
    return result(asked)


def beat(asked: TrialRequest, tell: Tell) -> TrialResult:
    """Is at work for ten seconds, or until it is told to end; says so every 0.05 s."""
    for batch in range(200):
        if not tell(Alive(asked.trial, asked.attempt, "train", 1, batch, 200)):
            return result(asked, "cut")
        time.sleep(0.05)
    return result(asked, "whole")


def wait_and_die(asked: TrialRequest, tell: Tell) -> TrialResult:
    """Is killed while it waits for a verdict."""
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
    time.sleep(0.4)
    tell(replace(report(asked, 1), waits=True))
    time.sleep(5)
    return result(asked)


def meet(asked: TrialRequest, tell: Tell) -> TrialResult:
    """Ends once the file that another trial makes is there."""
    Path(asked.document["mine"]).touch()
    deadline = time.monotonic() + 20
    while not Path(asked.document["other"]).exists():
        if time.monotonic() > deadline:
            return result(asked, "alone")
        time.sleep(0.01)
    return result(asked, "met")


def die(asked: TrialRequest, tell: Tell) -> TrialResult:
    """Reports twice and is killed, as the kernel does when memory is short."""
    tell(report(asked, 1))
    tell(report(asked, 2))
    os.kill(os.getpid(), signal.SIGKILL)
    return result(asked)


def leave(asked: TrialRequest, tell: Tell) -> TrialResult:
    os._exit(7)


def succeed_and_die(asked: TrialRequest, tell: Tell) -> TrialResult:
    """Dies a moment after its result is out."""
    import threading

    threading.Timer(0.2, os._exit, (9,)).start()
    return result(asked)


def raise_error(asked: TrialRequest, tell: Tell) -> TrialResult:
    tell(report(asked, 1))
    raise RuntimeError("nobody caught this")


def return_unpicklable(asked: TrialRequest, tell: Tell) -> Any:
    return lambda: None


def write(asked: TrialRequest, tell: Tell) -> TrialResult:
    """Writes to stdout and stderr, from Python and below it."""
    for stream, text in ((sys.stdout, "python stdout\n"), (sys.stderr, "python stderr\n")):
        stream.write(text)
        stream.flush()
    os.write(1, b"descriptor 1\n")
    os.write(2, b"descriptor 2\n")
    return result(asked)


def look(asked: TrialRequest, tell: Tell) -> TrialResult:
    """Tells the environment: now, and as it was when this file was imported."""
    return result(asked, f"{SEEN} {os.environ.get('JOBS_SET')} {os.environ.get('JOBS_TAKEN')}")


def leak(asked: TrialRequest, tell: Tell) -> TrialResult:
    """Keeps `mib` of memory for ever, and fills it: untouched pages are not resident."""
    LEAKED.append(b"x" * (asked.document["mib"] * 2**20))
    return result(asked, str(os.getpid()))


def read_file(asked: TrialRequest, tell: Tell) -> TrialResult:
    """Reads a mapped file whole, and keeps it mapped: its pages are resident, and shared."""
    with Path(asked.document["file"]).open("rb") as file:
        LEAKED.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    LEAKED[-1][:: mmap.PAGESIZE]
    return result(asked, str(os.getpid()))


def device(asked: TrialRequest, tell: Tell) -> TrialResult:
    """Tells which GPU it sees, once all the others run too."""
    folder = Path(asked.document["folder"])
    (folder / f"{asked.trial}-{asked.attempt}").touch()
    deadline = time.monotonic() + 20
    while len(list(folder.iterdir())) < asked.document["wait_for"] and time.monotonic() < deadline:
        time.sleep(0.01)
    if asked.document.get("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    return result(asked, os.environ.get("CUDA_VISIBLE_DEVICES"))


def train(asked: TrialRequest, tell: Tell) -> TrialResult:
    """Trains a small CNN on JAX, and counts the programs that were found and those that were compiled."""
    import jax.monitoring
    import keras
    import numpy as np

    seen: list[str] = []
    jax.monitoring.register_event_listener(lambda event, **_: seen.append(event))
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(asked.document["filters"], 3), keras.layers.Flatten(), keras.layers.Dense(3)]
    network = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    network.compile("adam", "mse")
    x = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 8, 8, 1)
    history = network.fit(x, x[:, 0, :3, 0], epochs=2, verbose=0)
    metrics = {
        "hits": float(seen.count("/jax/compilation_cache/cache_hits")),
        "misses": float(seen.count("/jax/compilation_cache/cache_misses")),
        "loss": history.history["loss"][-1],
    }
    return replace(result(asked), metrics=metrics)


def interrupt(asked: TrialRequest, tell: Tell) -> TrialResult:
    os.kill(os.getpid(), asked.document["what"])
    time.sleep(0.1)
    return result(asked, "still here")


def stay(asked: TrialRequest, tell: Tell) -> TrialResult:
    """Reports its process, then is busy for a minute: half in Python, as a training loop, half asleep."""
    tell(Report(asked.trial, asked.attempt, 1, {"pid": float(os.getpid())}))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        sum(range(100_000))
        time.sleep(0.01)
    return result(asked)


LEAKED: list[Any] = []
SEEN = f"{os.environ.get('JOBS_SET')} {os.environ.get('JOBS_TAKEN')}"


def drive(workers: int) -> None:
    """A driver that prints the processes of its workers when each is in mid-trial, and waits to be killed."""
    executor = Processes([{}] * workers)
    for number in range(1, workers + 1):
        executor.submit(stay, request(number))
    told = 0

    def tell(event: Event) -> bool:
        nonlocal told
        assert isinstance(event, Report)
        os.write(1, f"{int(event.metrics['pid'])}\n".encode())
        told += 1
        return True

    while told < workers:
        executor.wait(1.0, tell, math.inf)
    while True:
        executor.wait(1.0, tell, math.inf)


if __name__ == "__main__":
    drive(int(sys.argv[1]))
