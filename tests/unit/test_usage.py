"""What a process takes of its machine: read now and then, of the card that it sees, and never a reason to fail."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from automl.machine import usage
from automl.machine.usage import Usage

OWN = {
    "cpu_utilization_percentage",
    "process_cpu_percentage",
    "system_memory_usage_megabytes",
    "process_memory_megabytes",
}


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A driver with one card; returns what it was asked for."""
    asked: list[Any] = []

    def handle(name: Any) -> Any:
        asked.append(name)
        return name

    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlShutdown", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", handle)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", handle)
    memory = SimpleNamespace(used=2 * usage.MIB, total=8 * usage.MIB)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", lambda _: memory)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUtilizationRates", lambda _: SimpleNamespace(gpu=40))
    return asked


def test_it_is_read_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Usage("")
    first = reader.read()
    assert set(first) == OWN
    assert 1 < first["process_memory_megabytes"] < first["system_memory_usage_megabytes"]
    assert reader.read() == {}
    monkeypatch.setattr(usage.time, "monotonic", lambda: 1e12)
    assert set(reader.read()) == OWN


@pytest.mark.parametrize(("mask", "asked"), [("3", 3), ("GPU-ab,GPU-cd", "GPU-ab")])
def test_of_a_card_it_says_what_is_taken(card: list[Any], mask: str, asked: Any) -> None:
    told = Usage(mask).read()
    assert card == [asked]
    assert told["gpu_0_utilization_percentage"] == 40
    assert told["gpu_0_memory_usage_megabytes"] == 2
    assert told["gpu_0_memory_usage_percentage"] == 25


def test_a_card_that_does_not_tell_is_not_asked_again(card: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(_: Any) -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)  # as a slice of a card does

    monkeypatch.setattr(pynvml, "nvmlDeviceGetUtilizationRates", refuses)
    monkeypatch.setattr(usage, "EVERY_S", 0.0)
    reader = Usage("MIG-1")
    assert set(reader.read()) == set(reader.read()) == OWN
    assert card == ["MIG-1"]
