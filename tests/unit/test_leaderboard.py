import csv
import io
import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from automl.cli import main
from automl.document.yaml_text import parse
from automl.errors import ConfigError
from automl.journal import Asked, Ended, Finished, Header, Journal, Lock, Lost, Reported, Started
from automl.results import leaderboard

DOCUMENT = {
    "model": [{"dense": {"units": {"min": 8, "max": 64}}}],
    "training": {"epochs": 2},
    "data": {"name": "d", "source": {"sklearn": {"name": "digits"}}, "input": "image", "task": "classification"},
}
HEADER = Header(
    search="20261101-101500-abcd",
    created=1_000,
    document=DOCUMENT,
    data_digest="a" * 64,
    keys=("dense.units",),
    seed=0,
    threads=2,
    backend="jax",
    versions={},
    host="here",
    settings={"space": "mine"},
)


def ask(number, units):
    return Asked(number, {"dense.units": units}, seed=number, time=1)


def end(number, outcome="completed", score=None, **rest):
    return Ended(number, 1, outcome, 2, score=score, epochs=2, seconds=1.26, parameters=10, **rest)


EVENTS = [
    ask(1, 8),
    ask(2, 16),
    ask(3, 24),
    ask(4, 32),
    ask(5, 40),
    ask(6, 48),
    Started(1, 1, 1),
    Reported(1, 1, 1, {"loss": 0.5, "val_accuracy": 0.5}, 1),
    Reported(1, 1, 2, {"loss": 0.25, "val_accuracy": 0.75}, 1),
    end(1, score=0.75, best_epoch=2, metrics={"val_accuracy": 0.75, "loss": 0.25}),
    end(2, "error", message="it broke", traceback="Traceback ..."),
    end(3, "stopped", score=0.9, best_epoch=1, metrics={"val_accuracy": 0.9}),
    end(4, score=0.9, best_epoch=2, metrics={"val_accuracy": 0.9}),
    Started(5, 1, 1),
    Lost(5, 1, 1, "killed"),
    Started(5, 2, 1),
    Reported(5, 2, 1, {"loss": 0.5}, 1, {"val_loss": "nan"}),
    Started(6, 1, 1),
    end(6, "diverged", score=None, message="loss is nan"),
]


def write(home, events=EVENTS, header=HEADER):
    with Journal.create(home / "searches" / header.search, header) as journal:
        for event in events:
            journal.append(event)
    return header.search


def refusal(call, *args):
    with pytest.raises(ConfigError) as caught:
        call(*args)
    return str(caught.value)


# --- rows


def test_the_best_stands_first_ties_by_number_the_rest_by_number(home):
    rows = leaderboard.rows(home, write(home))
    assert [(row["rank"], row["trial"], row["outcome"]) for row in rows] == [
        (1, 3, "stopped"),
        (2, 4, "completed"),
        (3, 1, "completed"),
        (None, 2, "error"),
        (None, 5, "cancelled"),  # nobody drives the search
        (None, 6, "diverged"),
    ]
    assert rows[0] == {
        "rank": 1,
        "trial": 3,
        "outcome": "stopped",
        "val_accuracy": 0.9,
        "best_epoch": 1,
        "epochs": 2,
        "weights": 10,
        "seconds": 1.3,
        "params": {"dense.units": 24},
        "message": None,
    }
    assert rows[4]["epochs"] == 1
    assert rows[4]["seconds"] is None
    assert rows[5]["message"] == "loss is nan"


def test_the_loss_tells_equal_trials_apart(home):
    losses = {1: 0.3, 2: 0.01, 3: None}
    events = [ask(number, 8) for number in losses]
    events += [end(number, score=1.0, best_epoch=1, loss=loss) for number, loss in losses.items()]
    name = write(home, events)
    assert [row["trial"] for row in leaderboard.rows(home, name)] == [2, 1, 3]
    assert leaderboard.best_trial(home, name) == 2
    assert leaderboard.status(home, name)["best"] == "t002"


def test_a_trial_runs_while_somebody_drives_its_search(home):
    name = write(home)
    with Lock(home / "searches" / name):
        assert leaderboard.rows(home, name)[4]["outcome"] == "running"
        assert leaderboard.details(home, name, 5)["outcome"] == "running"


def test_less_is_better_where_the_task_says_so(home):
    header = replace(HEADER, document={**DOCUMENT, "search": {"objective": "val_loss"}})
    rows = leaderboard.rows(home, write(home, header=header))
    assert [row["trial"] for row in rows][:3] == [1, 3, 4]
    assert rows[0]["val_loss"] == 0.75


def test_a_score_of_an_outcome_that_has_none_does_not_count(home):
    rows = leaderboard.rows(home, write(home, [ask(1, 8), end(1, "error", score=1.0)]))
    assert rows[0]["rank"] is None
    assert rows[0]["val_accuracy"] is None


def test_a_score_of_0_is_a_score(home):
    name = write(home, [ask(1, 8), ask(2, 9), end(1, "error"), end(2, score=0.0)])
    assert [row["rank"] for row in leaderboard.rows(home, name)] == [1, None]
    assert leaderboard.best_trial(home, name) == 2


def test_messages_stand_where_there_are_any(home):
    assert "message" not in leaderboard.rows(home, write(home, [ask(1, 8), end(1, score=1.0)]))[0]


def test_the_best_trial(home):
    assert leaderboard.best_trial(home, write(home)) == 3
    unscored = write(home, [ask(1, 8), end(1, "error")], replace(HEADER, search="20261102-000000-0000"))
    assert leaderboard.best_trial(home, unscored) is None
    empty = write(home, [], replace(HEADER, search="20261103-000000-0000"))
    assert leaderboard.best_trial(home, empty) is None
    assert leaderboard.rows(home, empty) == []


# --- one trial


def test_details_tell_all(home):
    name = write(home, [*EVENTS, Finished("completed", "trials", 9, best=1, test={"test_accuracy": 0.7})])
    facts = leaderboard.details(home, name, 1)
    assert facts["score"] == 0.75
    assert facts["objective"] == "val_accuracy"
    assert facts["test"] == {"test_accuracy": 0.7}
    assert facts["params"] == {"dense.units": 8}
    assert facts["epochs"] == [
        {"epoch": 1, "loss": 0.5, "val_accuracy": 0.5},
        {"epoch": 2, "loss": 0.25, "val_accuracy": 0.75},
    ]
    document = facts["document"]
    assert document["model"] == [{"dense": {"units": 8}}]
    assert document["training"] == {"epochs": 2, "seed": 1}
    assert document["data"]["digest"] == "a" * 64
    assert leaderboard.details(home, name, 3)["test"] == {}


def test_details_tell_how_healthy_a_trial_was_last(home):
    health = [{"gradient_norm": 2.0, "update_ratio": 0.1}, {"update_ratio": 0.2}, {}]
    told = [Reported(1, 1, epoch, {"loss": 1.0}, 1, health=each) for epoch, each in enumerate(health, start=1)]
    name = write(home, [ask(1, 8), *told, end(1, score=0.5, gradient="vanished", message="it vanished")])
    facts = leaderboard.details(home, name, 1)
    assert (facts["gradient"], facts["message"]) == ("vanished", "it vanished")
    assert facts["health"] == {"gradient_norm": 2.0, "update_ratio": 0.2}
    assert "health" not in leaderboard.rows(home, name)[0]


def test_details_of_trials_that_failed_or_run(home):
    name = write(home)
    failed, running = (leaderboard.details(home, name, number) for number in (2, 5))
    assert (failed["outcome"], failed["message"], failed["traceback"]) == ("error", "it broke", "Traceback ...")
    assert (running["outcome"], running["attempts"], running["seconds"]) == ("cancelled", 2, None)
    assert running["epochs"] == [{"epoch": 1, "loss": 0.5, "val_loss": "nan"}]


def test_a_trial_that_is_not_there(home):
    assert refusal(leaderboard.details, home, write(home), 7) == (
        f"{HEADER.search}: no trial 7. Expected 1 to 6; received 7."
    )
    empty = write(home, [], replace(HEADER, search="20261103-000000-0000"))
    assert refusal(leaderboard.details, home, empty, 1).endswith("no trial 1. Expected none yet; received 1.")


# --- which search


def test_searches_are_found_by_the_beginning_of_their_ids(home):
    ids = ["20261101-101500-abcd", "20261101-101501-0000", "20261102-000000-0000"]
    for name in reversed(ids):
        write(home, header=replace(HEADER, search=name))
    (home / "searches" / "20261103-000000-0000").mkdir()  # begun, but without a journal
    assert leaderboard.searches(home) == ids
    assert leaderboard.find_search(home, None) == ids[-1]
    assert leaderboard.find_search(home, ids[0]) == ids[0]
    assert leaderboard.find_search(home, "20261102") == ids[2]
    assert leaderboard.find_search(home, "abcd") == ids[0]
    assert leaderboard.find_search(home, "101501-") == ids[1]
    assert refusal(leaderboard.find_search, home, "0000") == (
        f"0000: 2 searches hold this. Expected one of {ids[1]}, {ids[2]}."
    )
    assert refusal(leaderboard.find_search, home, "20261101") == (
        f"20261101: 2 searches begin like that. Expected one of {ids[0]}, {ids[1]}."
    )
    assert refusal(leaderboard.find_search, home, "2025") == (
        f"2025: no search is called so. Expected one of {', '.join(ids)}."
    )


def test_without_a_search_the_way_to_one_is_told(home):
    assert refusal(leaderboard.find_search, home, None) == (
        f"{home}/searches: no search was made here yet. Start one with: automl search cnn --data digits."
    )


# --- on the command line


def run(*args):
    return CliRunner().invoke(main, args, prog_name="automl")


def test_trials_in_every_form(home):
    name = write(home)
    rows = leaderboard.rows(home, name)
    assert json.loads(run("trials", "-o", "json").stdout) == rows
    assert parse(run("trials", name[:8], "-o", "yaml").stdout, "stdout").data == rows
    table = list(csv.DictReader(io.StringIO(run("trials", "-o", "csv").stdout)))
    assert [row["trial"] for row in table] == ["3", "4", "1", "2", "5", "6"]
    assert [row["dense.units"] for row in table] == ["24", "32", "8", "16", "40", "48"]
    text = run("trials").stdout
    assert "dense.units=24" in text
    assert "it broke" in text


def test_show_and_best_in_every_form(home):
    name = write(home)
    facts = leaderboard.details(home, name, 1)
    assert json.loads(run("show", "1", "-o", "json").stdout) == facts
    assert parse(run("show", "1", name, "-o", "yaml").stdout, "stdout").data == facts
    epochs = list(csv.DictReader(io.StringIO(run("show", "1", "-o", "csv").stdout)))
    assert [row["val_accuracy"] for row in epochs] == ["0.5", "0.75"]
    text = run("show", "1").stdout
    assert "outcome: completed" in text
    assert "  model:\n" in text
    assert json.loads(run("best", "-o", "json").stdout)["trial"] == 3


def test_the_document_of_a_trial_is_a_space_of_one_trial(home):
    name = write(home)
    alone = parse(run("show", "1", "--document").stdout, "stdout").data
    facts = leaderboard.details(home, name, 1)
    assert alone == {**facts["document"], "search": {"objective": "val_accuracy", "trials": 1, "baselines": False}}


def test_best_of_a_search_without_a_score_is_exit_code_3(home):
    name = write(home, [ask(1, 8)])
    result = run("best")
    assert result.exit_code == 3
    assert result.stderr == f"Error: search {name} has no scored trial yet.\n"


def test_a_trial_that_is_not_there_is_exit_code_2(home):
    name = write(home)
    result = run("show", "7")
    assert result.exit_code == 2
    assert result.stderr == f"Error: {name}: no trial 7. Expected 1 to 6; received 7.\n"


def test_a_broken_journal_is_exit_code_1_and_names_its_line(home):
    path = home / "searches" / write(home) / "journal.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:2], "{broken}\n", *lines[3:]]))
    result = run("trials")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {path}:3: ")
    assert len(result.stderr.splitlines()) == 1
