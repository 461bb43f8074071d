"""Kills the drivers and workers of a search, and compares what comes out with a search that was left alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
from searches import begun, client_of, command, environment, scores, trial_runs
from spaces import DIGITS

from automl.driver.retries import MOST_LOSSES
from automl.journal import replay

Drive = Callable[[Path], "subprocess.Popen[bytes]"]
"""Begins the search of a home, or goes on with it."""

WORKERS = 2
# Random, and nobody judged: with two workers, all else hangs on which trial ends first.
TRAINED = f"""model:
  - conv: {{filters: {{min: 2, max: 9}}, kernel_size: 3, pool: max, dropout: 0.1}}
training:
  epochs: 8
  batch_size: 32
  optimizer: {{adam: {{learning_rate: {{min: 1e-3, max: 3e-2, log: true}}}}}}
search: {{objective: val_accuracy, seed: 3, trials: TRIALS, algorithm: random}}
{DIGITS}"""
LINES = 11
"""What such a trial adds to the journal: that it was asked, its start, its epochs, its end."""


def trained(space: Path, trials: int, backend: str) -> Drive:
    """Returns how to drive a search whose trials train with Keras, by the command line."""
    space.write_text(TRAINED.replace("TRIALS", str(trials)))

    def drive(home: Path) -> subprocess.Popen[bytes]:
        line = ["resume"] if list(home.glob("searches/*/journal.jsonl")) else ["search", space, "--workers", WORKERS]
        variables = {**environment(home), "KERAS_BACKEND": backend}
        return started(command(*map(str, line)), variables)

    return drive


def started(line: list[str], variables: dict[str, str]) -> subprocess.Popen[bytes]:
    """Starts a driver with a process group of its own."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(line, env=variables, start_new_session=True, **quiet)  # type: ignore[call-overload]


def finish(drive: Drive, home: Path) -> None:
    """Drives a search to its end."""
    driver = drive(home)
    _, err = driver.communicate(timeout=600)
    assert driver.returncode == 0, err.decode()


def kill_at_random(drive: Drive, home: Path, seed: int, kills: int, lines: int) -> Counter[str]:
    """Kills a driver or a worker, again and again; returns how many of each.

    Args:
        drive: Begins the search, or goes on with it.
        home: Its home.
        seed: Chooses the moments and the victims.
        kills: How many.
        lines: How many the journal of the whole search has. It grows by some of them between two kills, or by none, and
            the last kill comes before its end.
    """
    generator, most = random.Random(seed), 2 * lines // (3 * kills)
    killed, driver = Counter[str](), drive(home)
    for _ in range(kills):
        wanted = journalled(home) + generator.randint(0, most)
        while driver.poll() is None and (journalled(home) < wanted or not workers(driver)):
            time.sleep(0.05)
        time.sleep(generator.uniform(0.0, 0.3))  # an epoch, a proposal, a checkpoint: wherever it is by then
        victims = workers(driver) if driver.poll() is None else []
        if driver.poll() is not None:
            break
        # A trial may cost so many workers and is lost with the next, which is no fault; a driver's death costs nothing.
        if generator.random() < 0.4 or not victims or worn(home):
            os.kill(driver.pid, signal.SIGKILL)
            driver.communicate()
            killed["driver"] += 1
            driver = drive(home)
        else:
            generator.choice(victims).kill()
            killed["worker"] += 1
    _, err = driver.communicate(timeout=600)
    assert driver.returncode == 0, err.decode()
    return killed


def journalled(home: Path) -> int:
    """Returns how many lines the journal has."""
    return sum(path.read_bytes().count(b"\n") for path in home.glob("searches/*/journal.jsonl"))


def workers(driver: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Returns the workers of a driver."""
    try:
        children = psutil.Process(driver.pid).children()
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    except psutil.NoSuchProcess:  # one of them ended meanwhile
        return []


def worn(home: Path) -> bool:
    """Tells whether another death would be the last that a running trial may cost."""
    running = [trial for trial in replay(begun(home)).trials.values() if trial.ended is None]
    return any(len(trial.lost) >= MOST_LOSSES - 1 for trial in running)


def compare(killed: Path, alone: Path) -> list[str]:
    """Returns what differs between two searches, in the journal and in MLflow; nothing, if all is well."""
    left, right = replay(begun(alone)), replay(begun(killed))
    found = [] if right.finished else ["the search did not finish"]
    whole, after = scores(left), scores(right)
    found += [f"trial {number} is lost" for number in whole.keys() - after.keys()]
    found += [f"trial {number} was not asked before" for number in after.keys() - whole.keys()]
    for number in sorted(whole.keys() & after.keys()):
        pairs = [(one, two) for one, two in zip(whole[number], after[number], strict=True) if one != two]
        found += [f"trial {number} differs: {one}, left alone; {two}, killed" for one, two in pairs]
    client = client_of(killed)
    runs = trial_runs(client, begun(killed).name)  # which refuses a trial with two runs
    if runs.keys() != right.trials.keys():
        found.append(f"MLflow has the trials {sorted(runs)}")
    for number, run in runs.items():
        points = [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "val_accuracy")]
        if points != [(report.epoch, report.metrics["val_accuracy"]) for report in right.trials[number].reports]:
            found.append(f"the curve of trial {number} differs in MLflow")
    ranks = [
        [number for number, _ in sorted(each.trials.items(), key=lambda t: -t[1].ended.score)]  # type: ignore[union-attr,operator]
        for each in (left, right)
    ]
    return found if ranks[0] == ranks[1] else [*found, "the leaderboard differs"]
