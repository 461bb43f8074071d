"""Searches on a machine that seems to have two GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import faults
import pytest
from searches import Search, make
from spaces import QUICK

from automl.driver import launch
from automl.driver.options import Options
from automl.driver.progress import Watcher
from automl.errors import ConfigError
from automl.machine import gpus, keras_backend
from automl.machine.gpus import Card

pytestmark = pytest.mark.slow


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(gpus, "present", lambda: (Card("0", "GPU-a", "0"), Card("1", "GPU-b", "1")))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    keras_backend.visible_at_start.cache_clear()
    yield
    keras_backend.visible_at_start.cache_clear()


def seen(search: Search, first: int, last: int) -> set[str | None]:
    """Returns the GPUs that trials saw."""
    trials = search.history.trials
    return {trials[number].ended.message for number in range(first, last + 1)}  # type: ignore[union-attr]


def test_workers_have_a_gpu_each_also_after_a_resume(
    new_home: Path, two_gpus: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = make(new_home, "quick", QUICK, faults.show_device, gpus="1,0")
    assert seen(search, 1, 2) == {"0", "1"}
    assert search.history.header.settings["gpus"] == ["1", "0"]
    assert (search.parent.data.params["workers"], search.parent.data.params["gpus"]) == ("2", "1,0")
    again = Options(new_home)
    launch.resume(search.summary.search_id, again, Watcher(), trials=4, run=faults.show_device)
    assert seen(search, 3, 4) == {"0", "1"}
    monkeypatch.setattr(gpus, "present", lambda: (Card("0", "GPU-a", "0"),))
    with pytest.raises(ConfigError, match="the search runs on GPU 1, which is not here"):
        launch.resume(search.summary.search_id, again, Watcher(), trials=5, run=faults.show_device)
