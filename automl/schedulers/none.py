"""Every trial trains to its end."""

from __future__ import annotations

from automl.schedulers import Scheduler


class NoScheduler(Scheduler):
    """Every trial trains to its end."""
