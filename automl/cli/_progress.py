"""What a person sees while a search runs: a live display in a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import contextlib
import errno
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from automl.cli import _output
from automl.cli._output import cell
from automl.cli._pace import Pace
from automl.driver.progress import Watcher
from automl.errors import printable
from automl.records.alive import Alive
from automl.records.trials import NO_PLACE, Report, TrialResult

QUIET_S = 30.0
"""After so long without a line, one tells of a trial that runs."""

_SHOWN = ("loss", "val_loss")
"""What is shown of an epoch beside the objective."""


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


@dataclass
class _Running:
    """A trial that runs: how many epochs it has at most, its last whole one, what it is at."""

    epochs: int
    report: Report | None = None
    alive: Alive | None = None

    def place(self) -> str:
        """Returns where it stands."""
        alive, report = self.alive, self.report
        if alive is not None and (report is None or alive.epoch > report.epoch):
            of = "" if alive.total is None else f"/{alive.total}"
            if alive.work == "features":
                return f"features of the backbone, batch {alive.done}{of}"
            kind = "validation, " if alive.work == "validate" else ""
            return f"epoch {alive.epoch}/{self.epochs}, {kind}batch {alive.done + 1}{of}"
        return "starting" if report is None else f"epoch {report.epoch}/{self.epochs}"

    def facts(self, objective: str) -> str:
        """Returns what its last whole epoch measured."""
        metrics = self.report.metrics if self.report else {}
        return "  ".join(f"{key} {cell(value)}" for key, value in metrics.items() if key in (*_SHOWN, objective))

    def share(self) -> float:
        """Returns how much of it is done, from 0 to 1; it may end long before."""
        done = float(self.report.epoch if self.report else 0)
        if (alive := self.alive) is not None and alive.epoch > done:
            share = alive.done / alive.total if alive.total else 0.0
            done = alive.epoch - 1 + {"features": 0.0, "train": share, "validate": 1.0}[alive.work]
        return min(1.0, done / max(1, self.epochs))


class Lines(Watcher):
    """One line per event that matters, and one of a trial that takes long; for logs, pipes and CI."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.objective = "val_accuracy"
        self.best: TrialResult | None = None
        self.running: dict[int, _Running] = {}
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def say(self, text: str) -> None:
        """Prints one line."""
        self._said = time.monotonic()
        with _unread():
            _output.say(text, err=True)

    def search_started(self, search_id: str, trials: int | None, done: int, objective: str = "val_accuracy") -> None:
        """Names the search."""
        self.pace, self.objective = Pace(trials, done), objective
        again = f", {done} done before" if done else ""
        self.say(f"search {search_id}: {trials if trials is not None else 'as many as time allows'} trials{again}")

    def trial_started(self, number: int, values: dict[str, Any], epochs: int) -> None:
        """A trial begins."""
        del values
        self.running[number] = _Running(epochs)

    def epoch(self, report: Report) -> None:
        """A trial finished an epoch."""
        trial = self.running.setdefault(report.trial, _Running(report.epoch))
        trial.report = report
        self._goes_on(report.trial)

    def alive(self, alive: Alive) -> None:
        """A trial is at work."""
        if (trial := self.running.get(alive.trial)) is not None:
            trial.alive = alive
            self._goes_on(alive.trial)

    def _goes_on(self, number: int) -> None:
        """Takes up how far a trial is; says so where nothing was said for long."""
        trial = self.running[number]
        self.pace.note(number, trial.share())
        if time.monotonic() - self._said >= QUIET_S:
            self._long(number, trial)

    def _long(self, number: int, trial: _Running) -> None:
        parts = (f"t{number:03d}", trial.place(), trial.facts(self.objective), self._left())
        self.say("  ".join(filter(None, parts)))

    def trial_ended(self, result: TrialResult, best: TrialResult | None) -> None:
        """A trial ended."""
        self.running.pop(result.trial, None)
        self.pace.end(result.trial, result.outcome != NO_PLACE)
        self.best = best
        self.say(self._ended(result))

    def _ended(self, result: TrialResult) -> str:
        of = f"/{self.pace.total}" if self.pace.total is not None else ""
        head = f"t{result.trial:03d}{of}  {result.outcome}"
        if result.score is None:
            return f"{head}: {result.message or ''}"
        mark = "  best so far" if self.best is not None and self.best.trial == result.trial else ""
        epochs = f"epoch {result.best_epoch}/{result.epochs}"
        return f"{head}  score {cell(result.score)}  {epochs}  {result.seconds:.1f} s{mark}"

    def _left(self) -> str:
        """Says how long the rest may take, from the pace so far."""
        seconds = self.pace.left_s()
        if seconds is None:
            return ""
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
        self._said = time.monotonic()
        with _unread():
            self.console.print(printable(text), markup=False, emoji=False, soft_wrap=True)

    def _long(self, number: int, trial: _Running) -> None:
        """Says nothing: it is seen all the time."""

    def _render(self) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        total = self.pace.total
        of = f" of {total}" if total is not None else ""
        best = f"best {cell(self.best.score)} (t{self.best.trial:03d})" if self.best else "no score yet"
        head = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=total or None, completed=self.pace.done, width=30, pulse=total is None)
        done = Text(f"{self.pace.done}{of} trials")
        head.add_row(bar, done, Text(best, style="bold green"), Text(self._left(), style="dim"))
        rows = [head]
        for number, trial in sorted(self.running.items()):
            row = Table.grid(padding=(0, 2))
            row.add_row(Text(f"  t{number:03d}"), Text(trial.place()), Text(trial.facts(self.objective), style="dim"))
            rows.append(row)
        return Group(*rows)
