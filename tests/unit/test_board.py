"""What `automl trials` shows in terminals of every width."""

from __future__ import annotations

import pytest

from automl.cli import _board, _output, _tables


@pytest.fixture
def terminal(monkeypatch, capsys):
    """Returns what a call prints in a terminal of a width; None for a pipe."""

    def lines(width, call, *args, **kwargs):
        class Console:
            is_terminal = width is not None

            def __init__(self):
                self.width = width or 400

            def print(self, table):
                from rich.console import Console as Real

                Real(width=self.width, markup=False, highlight=False).print(table)

        monkeypatch.setattr(_tables, "console", Console)
        call(*args, **kwargs)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip()]

    return lines


def row(trial, score, **rest):
    params = {
        "stem.filters": 10 + trial,
        "stem.kernel_size": 5,
        "body.filters.1": 30 + trial,
        "body.filters.2": 40,
        "training.optimizer": "adam" if trial % 2 else "sgd",
        **({"training.optimizer.adam.learning_rate": 0.001 * trial} if trial % 2 else {}),
        "training.clipnorm": None,
    }
    facts = {"best_epoch": 2, "epochs": 12, "weights": 1_234_567, "seconds": 123.4, "params": params, **rest}
    return {"rank": trial, "trial": trial, "outcome": "completed", "val_accuracy": score, **facts}


ROWS = [row(1, 0.98765), row(2, 0.9), row(3, 0.8)]


def test_a_line_a_trial_at_any_width(terminal):
    for width in (40, 60, 80, 100, 160):
        lines = terminal(width, _board.emit, ROWS)
        *table, last = lines if lines[-1].startswith("Cut at") else [*lines, "-"]
        assert len(table) == 2 + len(ROWS), (width, lines)
        assert all(len(line) <= width for line in table)
        assert last == "-" or "automl trials -o yaml" in last


def test_what_differs_is_shown_and_nothing_else(terminal):
    head, _, first, second, _ = terminal(160, _board.emit, ROWS)
    assert head.split("  ")[-1] == "what differs"
    assert "kernel_size" not in first
    assert "clipnorm" not in first
    assert "filters.2" not in first
    assert "outcome" not in head  # all are completed
    for told in ("stem.filters=11", "filters.1=31", "optimizer=adam", "learning_rate=0.001"):
        assert told in first
    assert "stem.filters=12  body.filters.1=32  training.optimizer=sgd" in second
    assert "2/12" in first
    narrow = terminal(80, _board.emit, ROWS)
    assert "0.9877" in narrow[2]
    # What is a block's stands behind its whole name: behind another block's it would be read as that one's.
    assert "  stem.filters=11  body.filters" in narrow[2]


def test_a_pipe_is_shown_all_of_it_under_full_names(terminal):
    rows = [row(number, 0.5, message=None) for number in (1, 2, 3)]
    for each in rows:
        each["params"] |= {f"block{place}.name": each["trial"] for place in range(60)}
    text = "\n".join(terminal(None, _board.emit, rows))
    assert "training.optimizer.adam.learning_rate=0.003" in text
    assert "block59.name=3" in text
    assert "…" not in text
    assert "Cut at" not in text


def test_why_a_trial_has_no_score(terminal):
    broken = row(4, None, outcome="error", message="RuntimeError:\nno room \x1b[31m", best_epoch=None, epochs=0)
    lines = terminal(100, _board.emit, [*ROWS, broken])
    assert len([line for line in lines if "error" in line]) == 1
    assert r"RuntimeError: no room \x1b[31m" in lines[-2]
    assert "-/0" in lines[-2]


def test_what_is_odd_of_a_scored_trial_stands_behind_its_values(terminal):
    odd = row(4, 0.1, outcome="completed", message="the gradient vanished")
    lines = terminal(400, _board.emit, [*ROWS, odd])
    line = next(line for line in lines if "the gradient vanished" in line)
    assert line.index("stem.filters") < line.index("the gradient vanished")


def test_a_single_trial_shows_its_values(terminal):
    assert "clipnorm=null" in terminal(200, _board.emit, ROWS[:1])[-1]


def test_no_trial_is_a_heading(terminal):
    assert len(terminal(80, _board.emit, [])) <= 2


def test_the_leaderboard_of_a_search_fits(terminal):
    lines = terminal(80, _board.emit, [{**each, "outcome": "stopped"} for each in ROWS], "Leaderboard", values=False)
    assert lines[0] == "Leaderboard"
    assert "what differs" not in lines[1]
    assert all(len(line) <= 80 for line in lines)
    assert len(lines) == 3 + len(ROWS)


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_table_that_is_too_wide_goes_on_below(terminal, width):
    names = ("loss", "accuracy", "auc", "f1", "val_loss", "val_accuracy", "val_auc", "val_f1", "learning_rate")
    rows = [{"epoch": epoch, **dict.fromkeys(names, 0.1234 * epoch)} for epoch in (1, 2)]
    lines = terminal(width, _output.emit, rows, "table")
    assert all(len(line) <= width for line in lines)
    text = "\n".join(lines)
    for name in names:
        assert all(word in text for word in name.split("_"))
    assert text.count("0.1234") == len(names)  # no number is broken into two lines
    assert (sum("epoch" in line for line in lines) > 1) == (width < 100)


def test_words_and_names_are_not_broken(terminal):
    rows = [
        {"data": "fashion_mnist_of_the_shop", "description": "Clothes of a shop, " * 4, "task": "classification"},
        {"data": "x", "description": "`keras.applications` networks", "task": "tagging"},
    ]
    text = "\n".join(terminal(60, _output.emit, rows, "table"))
    for word in ("fashion_mnist_of_the_shop", "classification", "`keras.applications`"):
        assert word in text
