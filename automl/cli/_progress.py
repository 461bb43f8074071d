"""What a person sees while a search runs: a live display in a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import contextlib
import errno
import sys
import time
from collections.abc import Iterator
from typing import Any, Self

from automl.cli import _output
from automl.cli._output import cell
from automl.errors import printable
from automl.records import Report, TrialResult
from automl.watcher import Watcher


@contextlib.contextmanager
def _unread() -> Iterator[None]:
    """Goes on where nothing can be said: a full disk, a closed terminal. A reader that went away ends the program."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise


def watcher() -> Lines:
    """Returns the display that fits where stderr goes."""
    return Live() if sys.stderr.isatty() else Lines()


class Lines(Watcher):
    """One line per event that matters; for logs, pipes and CI."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.trials: int | None = None
        self.done = self.before = 0
        self.best: TrialResult | None = None
        self.running: dict[int, tuple[Report | None, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def say(self, text: str) -> None:
        """Prints one line."""
        with _unread():
            _output.say(text, err=True)

    def search_started(self, search_id: str, trials: int | None, done: int) -> None:
        """Names the search."""
        self.trials, self.done, self.before, self.started = trials, done, done, time.monotonic()
        again = f", {done} done before" if done else ""
        self.say(f"search {search_id}: {trials if trials is not None else 'as many as time allows'} trials{again}")

    def trial_started(self, number: int, values: dict[str, Any], epochs: int) -> None:
        """A trial begins."""
        del values
        self.running[number] = (None, epochs)

    def epoch(self, report: Report) -> None:
        """A trial finished an epoch."""
        self.running[report.trial] = (report, self.running.get(report.trial, (None, 0))[1])

    def trial_ended(self, result: TrialResult, best: TrialResult | None) -> None:
        """A trial ended."""
        self.running.pop(result.trial, None)
        self.done += 1
        self.best = best
        self.say(self._ended(result))

    def _ended(self, result: TrialResult) -> str:
        of = f"/{self.trials}" if self.trials is not None else ""
        head = f"t{result.trial:03d}{of}  {result.outcome}"
        if result.score is None:
            return f"{head}: {result.message or ''}"
        mark = "  best so far" if self.best is not None and self.best.trial == result.trial else ""
        epochs = f"epoch {result.best_epoch}/{result.epochs}"
        return f"{head}  score {cell(result.score)}  {epochs}  {result.seconds:.1f} s{mark}"

    def _left(self) -> str:
        """Says how long the rest may take, from the pace so far."""
        here = self.done - self.before  # what an earlier driver did tells nothing of today's pace
        if self.trials is None or not here:
            return ""
        seconds = (time.monotonic() - self.started) / here * max(0, self.trials - self.done)
        return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"


class Live(Lines):
    """A display that redraws: a bar, the best so far, and a line for every running trial."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.live import Live as RichLive

        self.console = Console(stderr=True, highlight=False)
        self.live = RichLive(console=self.console, get_renderable=self._render, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        with _unread():
            self.live.stop()

    def say(self, text: str) -> None:
        """Prints one line above the display."""
        with _unread():
            self.console.print(printable(text), markup=False, emoji=False, soft_wrap=True)

    def _render(self) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        of = f" of {self.trials}" if self.trials is not None else ""
        best = f"best {cell(self.best.score)} (t{self.best.trial:03d})" if self.best else "no score yet"
        head = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=self.trials or None, completed=self.done, width=30, pulse=self.trials is None)
        done = Text(f"{self.done}{of} trials")
        head.add_row(bar, done, Text(best, style="bold green"), Text(self._left(), style="dim"))
        rows = [head]
        for number, (report, epochs) in sorted(self.running.items()):
            row = Table.grid(padding=(0, 2))
            if report is None:
                row.add_row(Text(f"  t{number:03d}"), Text("starting", style="dim"))
            else:
                shown = {k: v for k, v in report.metrics.items() if k in ("loss", "val_loss", "val_accuracy")}
                facts = Text("  ".join(f"{k} {cell(v)}" for k, v in shown.items()), style="dim")
                row.add_row(Text(f"  t{number:03d}"), Text(f"epoch {report.epoch}/{epochs}"), facts)
            rows.append(row)
        return Group(*rows)
