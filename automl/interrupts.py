"""Ctrl-C in the driver of a search."""

from __future__ import annotations

import signal
import threading
from typing import Any, Self


class Interrupts:
    """Ctrl-C, kept until it can do no harm.

    Raised wherever the program happens to be, it would leave a transaction open and MLflow's database locked, or vanish
    in a library's callback, and the search would go on. So they are noted: before the search runs, `check` raises;
    while it runs, the first asks it to let its trials end and the second to stop; a third one is raised at once.

    Args:
        at_once: Leave Ctrl-C as it is: for trials that run in this very process.
    """

    def __init__(self, *, at_once: bool = False) -> None:
        self.seen = 0
        self._at_once = at_once
        self._before: Any = None

    def __enter__(self) -> Self:
        # Python lets the main thread alone set a handler; elsewhere Ctrl-C never arrives.
        if not self._at_once and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def check(self) -> None:
        """Does nothing until Ctrl-C was pressed.

        Raises:
            KeyboardInterrupt: It was.
        """
        if self.seen:
            raise KeyboardInterrupt

    def _note(self, *_: object) -> None:
        self.seen += 1
        if self.seen > 2:
            raise KeyboardInterrupt
