from __future__ import annotations

import errno
import io
import itertools
from typing import Any

import pytest
from rich.console import Console

from automl.cli import _pace, _progress
from automl.cli._progress import Lines, Live
from automl.records.alive import Alive
from automl.records.trials import Report, TrialResult


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(_progress, "time", found)
    monkeypatch.setattr(_pace, "time", found)
    return found


def ended(number: int, score: float | None = 0.5, **given: Any) -> TrialResult:
    outcome: Any = "completed" if score is not None else "error"
    return TrialResult(number, 1, outcome, score, 2, {}, 3, 1.5, **given)


def play(lines: Lines) -> None:
    lines.search_started("s-1", 4, 0)
    lines.trial_started(1, {"conv.filters": 8}, 3)
    lines.epoch(Report(1, 1, 1, {"loss": 1.0, "val_loss": 2.0, "val_accuracy": 0.25, "val_f1": 0.1}))


def drawn(live: Live) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(live._render())
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_lines_are_for_logs(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    play(lines)
    best = ended(1)
    lines.trial_ended(best, best)
    lines.trial_ended(ended(2, None, message="RuntimeError: no"), best)
    lines.trial_ended(ended(3, 0.25), best)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "search s-1: 4 trials",
        "t001/4  completed  score 0.5  epoch 2/3  1.5 s  best so far",
        "t002/4  error: RuntimeError: no",
        "t003/4  completed  score 0.25  epoch 2/3  1.5 s",
    ]


def test_a_search_without_a_number_of_trials(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines.search_started("s-1", None, 2)
    lines.trial_ended(ended(3), ended(3))
    assert lines._left() == ""
    assert capsys.readouterr().err.splitlines() == [
        "search s-1: as many as time allows trials, 2 done before",
        "t003  completed  score 0.5  epoch 2/3  1.5 s  best so far",
    ]


def test_the_time_left_follows_the_pace_of_this_driver(clock: Clock) -> None:
    lines = Lines()
    clock.now += 500  # imports and the like, before the first trial
    lines.search_started("s-1", 40, 30)
    assert lines._left() == ""
    clock.now += 20
    lines.trial_ended(ended(31), ended(31))
    assert lines._left() == "about 3 min left"  # 9 more of 20 s
    clock.now += 20
    for number in range(32, 40):
        lines.trial_ended(ended(number), ended(31))
    assert lines._left() == "about 4 s left"


def test_what_cannot_be_built_takes_no_place(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    live, lines = Live(), Lines()
    for shown in (live, lines):
        shown.search_started("s-1", 2, 0)
        for number in range(1, 4):
            shown.trial_ended(TrialResult(number, 1, "infeasible", message="too large"), None)
        shown.trial_ended(ended(4), ended(4))
        assert shown.pace.done == 1
    assert "1 of 2 trials" in drawn(live)
    assert "t001/2  infeasible: too large" in capsys.readouterr().err


def test_the_time_left_falls_while_the_first_trial_runs(clock: Clock) -> None:
    """It follows how much of the trial is done, and counts down between two words of it."""
    lines = Lines()
    lines.search_started("s-1", 4, 0)
    lines.trial_started(1, {}, 10)
    told = []
    for batch in range(100):
        clock.now += 1.0
        lines.alive(Alive(1, 1, "train", 1 + batch // 25, 1 + batch % 25, 25))
        told.append(lines.pace.left_s())
    assert told[:24] == [None] * 24  # that would be the start of the worker
    known = [left for left in told if left is not None]
    assert known[0] == pytest.approx(25 / 0.1 * 3.9)
    assert all(later < earlier for earlier, later in itertools.pairwise(known))
    clock.now += 60.0  # a batch that takes long
    assert lines.pace.left_s() == pytest.approx(known[-1] - 60.0)
    lines.trial_ended(ended(1), ended(1))
    assert lines.pace.left_s() == pytest.approx(160.0 * 3)


def test_a_pipe_is_told_of_a_trial_that_takes_long(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    lines = Lines()
    lines.search_started("s-1", 4, 0)
    lines.trial_started(1, {}, 3)
    lines.trial_started(2, {}, 3)
    for second in range(1, 125):
        clock.now += 1.0
        if second == 20:
            lines.epoch(Report(2, 1, 1, {"loss": 1.0, "val_loss": 2.0, "val_f1": 0.1}))
        work: Any = "features" if second < 100 else "validate"
        lines.alive(Alive(1, 1, work, 1, second, 200 if second < 100 else None))
    assert capsys.readouterr().err.splitlines() == [
        "search s-1: 4 trials",
        "t001  features of the backbone, batch 30/200  about 4 min left",
        "t001  features of the backbone, batch 60/200  about 3 min left",
        "t001  features of the backbone, batch 90/200  about 2 min left",
        "t001  epoch 1/3, validation, batch 121  about 8 min left",
    ]


def test_the_display_shows_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    live = Live()
    play(live)
    live.trial_started(2, {}, 3)
    shown = drawn(live)
    assert "0 of 4 trials" in shown
    assert "no score yet" in shown
    assert "t001  epoch 1/3  loss 1" in shown
    assert "val_f1" not in shown
    assert "t002  starting" in shown
    live.alive(Alive(1, 1, "train", 2, 11, 40))
    assert "t001  epoch 2/3, batch 12/40  loss 1" in drawn(live)
    live.trial_ended(ended(1), ended(1))
    shown = drawn(live)
    assert "1 of 4 trials" in shown
    assert "best 0.5 (t001)" in shown


@pytest.mark.parametrize("kind", [Lines, Live])
def test_a_search_goes_on_where_nothing_can_be_said(kind: type[Lines], monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        number = errno.EIO  # the terminal was closed

        def write(self, text: str) -> int:
            raise OSError(self.number, "x")

    screen = Screen()
    monkeypatch.setattr(_progress.sys, "stderr", screen)
    lines = kind()
    for number in (errno.EIO, errno.ENOSPC):
        Screen.number = number
        lines.say("a line")
    if kind is Lines:  # a terminal breaks no pipe
        Screen.number = errno.EPIPE  # who read along went away
        with pytest.raises(BrokenPipeError):
            lines.say("a line")


def test_no_message_moves_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for lines in (Lines(), Live()):
        lines.trial_ended(ended(1, None, message="no \x1b[2J\x9b1mroom"), None)
    told = capsys.readouterr().err
    assert told.count(r"no \x1b[2J\x9b1mroom") == 2
