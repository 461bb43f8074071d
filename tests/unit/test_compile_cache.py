from __future__ import annotations

import math
import os
import sys
from pathlib import Path

import pytest

from automl.executors import Event
from automl.executors.processes import Processes
from automl.machine import compile_cache
from automl.machine.workers import Machine
from automl.records.trials import TrialResult

# Workers import what they run by its name; `spawn` hands them this path.
sys.path.insert(0, str(Path(__file__).parent))
import jobs


def test_jax_alone_keeps_programs_and_where_the_user_says(home, monkeypatch):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    machine = Machine("jax", 2, 1)
    assert {each["JAX_COMPILATION_CACHE_DIR"] for each in machine.worker_environments(home)} == {f"{home}/cache/jax"}
    assert compile_cache.variables("tensorflow", home) == {}
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/elsewhere")
    assert compile_cache.variables("jax", home) == {}


def test_what_was_longest_not_used_makes_room(home):
    kept = compile_cache.folder(home)
    compile_cache.prune(kept)  # nothing is there yet
    kept.mkdir(parents=True)
    for age, name in enumerate(("used-today", "used-yesterday", "torn", "old")):
        (kept / name).write_bytes(bytes(400_000))
        os.utime(kept / name, (1e9 - age, 1e9 - age))
    os.utime(kept / "old", (2e9, 1e9 - 9))  # read again just now
    compile_cache.prune(kept, limit_mb=1.7)
    assert len(list(kept.iterdir())) == 4
    compile_cache.prune(kept, limit_mb=1.0)
    assert sorted(path.name for path in kept.iterdir()) == ["old", "used-today"]


@pytest.mark.slow
def test_an_architecture_that_comes_again_is_not_compiled_again(home):
    """In another process, and to the same numbers."""
    pytest.importorskip("jax")
    told = [told_by_a_fresh_worker(home, filters) for filters in (4, 4, 5)]
    (cold_hits, cold_misses, cold_loss), (warm_hits, warm_misses, warm_loss), (_, other_misses, _) = told
    assert cold_misses > 10, "nothing was compiled"
    assert warm_misses == 0
    assert warm_hits >= cold_misses + cold_hits
    assert warm_loss == cold_loss
    assert other_misses > 0, "another architecture was taken for the same"


def told_by_a_fresh_worker(home: Path, filters: int) -> list[float]:
    """Returns programs found, programs compiled and the loss of a small CNN."""
    machine = Machine("jax", workers=1, threads=1)
    executor = Processes([{**each, "JAX_PLATFORMS": "cpu"} for each in machine.worker_environments(home)])
    events: list[Event] = []

    def follow(event: Event) -> bool:
        events.append(event)
        return True

    try:
        executor.submit(jobs.train, jobs.request(1, filters=filters))
        while not events:
            executor.wait(10.0, follow, math.inf)
    finally:
        executor.close()
    (result,) = events
    assert isinstance(result, TrialResult)
    return [result.metrics[name] for name in ("hits", "misses", "loss")]
