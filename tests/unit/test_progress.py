from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from automl.cli import _progress
from automl.cli._progress import Lines, Live
from automl.records import Report, TrialResult


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(_progress, "time", found)
    return found


def ended(number: int, score: float | None = 0.5, **given: Any) -> TrialResult:
    outcome: Any = "completed" if score is not None else "error"
    return TrialResult(number, 1, outcome, score, 2, {}, 3, 1.5, **given)


def play(lines: Lines) -> None:
    lines.search_started("s-1", 4, 0)
    lines.trial_started(1, {"conv.filters": 8}, 3)
    lines.epoch(Report(1, 1, 1, {"loss": 1.0, "val_loss": 2.0, "val_accuracy": 0.25, "val_f1": 0.1}))


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


def test_the_display_shows_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    live = Live()
    play(live)
    live.trial_started(2, {}, 3)
    console = Console(file=io.StringIO(), width=120)
    console.print(live._render())
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "0 of 4 trials" in shown
    assert "no score yet" in shown
    assert "t001  epoch 1/3  loss 1" in shown
    assert "val_f1" not in shown
    assert "t002  starting" in shown
    live.trial_ended(ended(1), ended(1))
    console.print(live._render())
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "1 of 4 trials" in shown
    assert "best 0.5 (t001)" in shown
