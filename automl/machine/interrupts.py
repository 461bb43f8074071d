"""Ctrl-C in the driver of a search, and what means the same: its end is asked for, or its terminal is closed."""

from __future__ import annotations

import signal
import threading
from typing import Any, Self

ENDINGS = tuple(signal.Signals[name] for name in ("SIGTERM", "SIGHUP") if name in signal.Signals.__members__)
"""What other programs send: `kill`, `timeout`, a scheduler, a machine that is shut down, a terminal that is closed."""


class Interrupts:
    """Ctrl-C, kept until it can do no harm.

    Raised wherever the program happens to be, it would leave a transaction open and MLflow's database locked, or vanish
    in a library's callback, and the search would go on. So they are noted: before the search runs, `check` raises;
    while it runs, the first asks it to let its trials end and the second to stop; a third one is raised at once.

    Args:
        at_once: Leave Ctrl-C as it is, and raise what means the same at once: for trials that run in this very process,
            and while nothing is kept yet.
    """

    def __init__(self, *, at_once: bool = False) -> None:
        self.seen = 0
        self._at_once = at_once
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        # Python lets the main thread alone set a handler; elsewhere Ctrl-C never arrives.
        if threading.current_thread() is not threading.main_thread():
            return self
        # `nohup`, and a shell that means the program to outlive it, say so by having it ignored.
        wanted = [each for each in ENDINGS if signal.getsignal(each) is not signal.SIG_IGN]
        handler: Any = signal.default_int_handler if self._at_once else self._note
        for each in wanted if self._at_once else [signal.SIGINT, *wanted]:
            self._before[each] = signal.signal(each, handler)
        return self

    def __exit__(self, *_: object) -> None:
        for each, before in self._before.items():
            signal.signal(each, before)
        self._before.clear()

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
