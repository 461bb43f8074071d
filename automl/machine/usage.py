"""What a process takes of its machine, under the names that MLflow gives to system metrics."""

from __future__ import annotations

import os
import time

import psutil

from automl.machine.gpus import VISIBLE

EVERY_S = 10.0
"""How often it is read: curves of minutes need no more, and a reading costs a millisecond."""
MIB = 2**20


class Usage:
    """Reads it now and then.

    Args:
        mask: What `CUDA_VISIBLE_DEVICES` is for the process; None for the variable itself.
    """

    def __init__(self, mask: str | None = None) -> None:
        self._process = psutil.Process()
        self._gpu = (os.environ.get(VISIBLE, "") if mask is None else mask).split(",")[0].strip()
        self._next = 0.0
        self._process.cpu_percent()  # what it says first is no measurement
        psutil.cpu_percent()

    def read(self) -> dict[str, float]:
        """Returns what is taken at present, in percent and in MiB; nothing where it was read a moment ago."""
        now = time.monotonic()
        if now < self._next:
            return {}
        self._next = now + EVERY_S
        found = {
            "cpu_utilization_percentage": psutil.cpu_percent(),
            "process_cpu_percentage": self._process.cpu_percent(),  # of one core
            "system_memory_usage_megabytes": psutil.virtual_memory().used / MIB,
            "process_memory_megabytes": self._process.memory_info().rss / MIB,
        }
        return {name: round(value, 1) for name, value in (found | self._of_gpu()).items()}

    def _of_gpu(self) -> dict[str, float]:
        """Returns what the first card is at that the process sees; nothing of a slice, whose driver does not tell."""
        if not self._gpu:
            return {}
        import pynvml

        try:
            pynvml.nvmlInit()
            try:
                by_number = self._gpu.isdigit()
                handle = (
                    pynvml.nvmlDeviceGetHandleByIndex(int(self._gpu))
                    if by_number
                    else pynvml.nvmlDeviceGetHandleByUUID(self._gpu)
                )
                memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
                return {
                    "gpu_0_utilization_percentage": float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu),
                    "gpu_0_memory_usage_megabytes": memory.used / MIB,
                    "gpu_0_memory_usage_percentage": 100 * memory.used / memory.total,
                }
            finally:
                pynvml.nvmlShutdown()
        except pynvml.NVMLError:
            self._gpu = ""  # nor will it tell later
            return {}
