"""The report, its plots, and comparing: from journals written here, of searches that never ran."""

from __future__ import annotations

import inspect
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import automl as automl_api
from automl.api import command
from automl.api.found import Search
from automl.cli import main
from automl.document.yaml_text import Document
from automl.experiment import experiment
from automl.journal import Asked, Baseline, Ended, Finished, Header, Journal, Reported, Started
from automl.registry import UnknownName
from automl.results import comparison, leaderboard, plots, report, study
from automl.results.plots import Searched
from automl.results.plots.calibration import expected_error

RATE = "training.optimizer.adam.learning_rate"
DOCUMENT = {
    "model": [
        {"conv": {"filters": {"min": 8, "max": 64}, "kernel_size": {"values": [3, 5]}, "repeat": {"min": 1, "max": 2}}},
        {"dense": {"units": {"values": [32, 64]}, "dropout": {"min": 0.0, "max": 0.5, "step": 0.25}}},
    ],
    "training": {"epochs": 6, "optimizer": {"adam": {"learning_rate": {"min": 1e-4, "max": 1e-1, "log": True}}}},
    "search": {"trials": 60, "objective": "val_accuracy"},
    "data": {"name": "d", "source": {"sklearn": {"name": "digits"}}, "input": "image", "task": "classification"},
}
READ = experiment.check(Document(DOCUMENT, "mine"), "mine")
SPITEFUL = "</table><script>alert(1)</script> & so on"


def events(trials: int, fail: bool = True) -> list[Any]:
    """Returns a search in which the learning rate decides, and high ones diverge."""
    draw, space = Random(3), READ.space
    found: list[Any] = [Baseline("linear", {"val_accuracy": 0.8}, 0.5, 100, 1), Baseline("none", {}, 0.1, 100, 1)]
    clock = [0, 0]
    best: tuple[float, int | None] = (0.0, None)
    for number in range(1, trials + 1):
        values, start = space.draw(draw), clock[number % 2]
        far = abs(math.log10(values[RATE]) + 2.5)
        score, epochs, outcome = 0.95 - 0.1 * far, 6, "completed"
        if fail and far > 1.2:
            outcome, epochs = ("diverged", 1) if number % 2 else ("infeasible", 0)
        elif score < 0.9:
            outcome, epochs = "stopped", 2
        found += [Asked(number, values, number, start), Started(number, 1, start)]
        for epoch in range(1, epochs + 1):
            metrics = {"loss": 1 / epoch, "val_loss": 1.1 / epoch, "val_accuracy": score * epoch / (epoch + 1)}
            health = {"gradient_norm": 10.0 / epoch} if number % 3 else {}
            found.append(Reported(number, 1, epoch, metrics, start + epoch, health=health))
        clock[number % 2] = end = start + 1000 * (epochs + 1)
        reached = score if outcome in ("completed", "stopped") else None
        if reached is not None and reached > best[0]:
            best = reached, number
        facts: dict[str, Any] = {"score": reached, "epochs": epochs, "seconds": 1.5, "parameters": 1234}
        facts |= {"best_epoch": epochs} if reached is not None else {"message": SPITEFUL}
        facts |= {"gradient": "exploded"} if outcome == "diverged" else {}
        found.append(Ended(number, 1, outcome, end, **facts))  # type: ignore[arg-type]
    score, number = best
    if number is not None:
        told: Any = {"best": {"trial": number, "score": score, "params": {RATE: 0.01}, "test": {"test_accuracy": 0.9}}}
        told |= {"reason": "all are done", "beaten_by": None}
        found.append(Finished("completed", "all are done", max(clock), number, {"test_accuracy": 0.9}, told))
    return found


def made(home: Path, trials: int, name: str = "20261101-101500-abcd", **given: Any) -> str:
    keys = tuple(READ.space.by_name)
    settings = {"space": "mine", "name": "mine-d"}
    header = Header(name, 0, DOCUMENT, "a" * 64, keys, 0, 2, "jax", {"keras": "3"}, "here", settings)
    with Journal.create(home / "searches" / name, header) as journal:
        for event in events(trials, **given):
            journal.append(event)
    return name


def searched(home: Path, trials: int, **given: Any) -> Searched:
    return Searched(*leaderboard.read(home, made(home, trials, **given)))


def automl(home: Path, *args: str) -> Result:
    return CliRunner().invoke(main, args, env={"AUTOML_HOME": str(home)})


class Page(HTMLParser):
    """Notes what a page would load, and whether what was opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href") and not (value or "").startswith(("#", "data:")):
                self.loads.append(value or "")


# --- the report


def test_a_search_of_sixty_trials_is_one_small_page_that_loads_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    made(tmp_path, 60)
    monkeypatch.chdir(tmp_path)
    done = automl(tmp_path, "report", "--no-winner")
    assert done.exit_code == 0, done.output
    assert done.output == "mine-d.html\n"
    text = (tmp_path / "mine-d.html").read_text()
    assert len(text) < 5_000_000
    page = Page(text)
    assert page.loads == []
    assert "script" not in page.tags
    of_search = [plot for plot in plots.ordered() if not isinstance(plot, plots.WinnerPlot)]
    assert page.tags.count("svg") == len(of_search), "a plot is missing"
    assert "&lt;script&gt;alert(1)" not in text, "a message of a trial that is not among the first"
    for plot in of_search:
        assert f"<h2>{plot.title}</h2>" in text


def test_what_documents_and_messages_say_is_text(tmp_path: Path) -> None:
    told = searched(tmp_path, 6)
    text = report.written(told, leaderboard.board(tmp_path, told.told.header.search), None)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; so on" in text


def test_the_same_search_gives_the_same_page(tmp_path: Path) -> None:
    told = searched(tmp_path, 12)
    board = leaderboard.board(tmp_path, told.told.header.search)
    assert report.written(told, board, None) == report.written(told, board, None)


def test_a_file_that_is_there_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    made(tmp_path, 6)
    target = tmp_path / "r.html"
    target.write_text("mine")
    refused = automl(tmp_path, "report", "--to", str(target))
    assert refused.exit_code == 2
    assert target.read_text() == "mine"
    assert automl(tmp_path, "report", "--to", str(target), "--force", "--no-winner").exit_code == 0
    assert target.read_text().startswith("<!doctype html>")
    gone = automl(tmp_path, "report", "--to", str(tmp_path / "no" / "r.html"))
    assert gone.exit_code == 2
    assert "no such folder" in gone.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.html", "searches"]


@pytest.mark.parametrize("trials", [0, 1, 2])
def test_a_search_that_has_hardly_begun_has_a_page(tmp_path: Path, trials: int) -> None:
    told = searched(tmp_path, trials)
    text = report.written(told, leaderboard.board(tmp_path, told.told.header.search), None)
    assert "<h2>Leaderboard</h2>" in text
    assert "No trial has a score yet" in text


# --- its plots


@pytest.mark.parametrize("name", plots.registry.names())
def test_every_plot_draws_a_search_and_has_nothing_to_say_of_an_empty_one(tmp_path: Path, name: str) -> None:
    plot = plots.registry.read(name)
    assert plot.title
    assert plot.reads.endswith(".")
    svg = report.image(plot, searched(tmp_path / "a", 40))
    if isinstance(plot, plots.WinnerPlot):  # flow/test_report.py draws those
        assert svg is None
        return
    assert svg is not None
    assert svg.startswith("<svg")
    assert re.search(r"<(path|use|text)", svg)
    assert report.image(plot, searched(tmp_path / "b", 0)) is None


def test_plots_stand_in_one_order() -> None:
    places = [plot.place for plot in plots.ordered()]
    assert places == sorted(set(places))


def test_where_no_trial_failed_no_plot_says_where(tmp_path: Path) -> None:
    titles = [section.title for section in report.drawn(searched(tmp_path, 12, fail=False))]
    assert "Timeline" in titles
    assert "How trials ended, by parameter" not in titles


def test_trials_whose_gradient_went_wrong_are_marked(tmp_path: Path) -> None:
    told = searched(tmp_path, 40)
    numbers = [f"t{number:03d}" for number, trial in told.told.trials.items() if trial.ended and trial.ended.gradient]
    svg = report.image(plots.registry.read("health"), told)
    assert svg is not None
    assert numbers
    assert sorted(re.findall(r">(t\d{3})<", svg)) == numbers
    assert "exploded" in svg
    assert "vanished" not in svg


def test_a_model_that_is_as_sure_as_it_is_right_has_no_calibration_error() -> None:
    sure, right = np.repeat([0.25, 0.75], 100), np.tile([True, False, False, False], 50)
    right[100:] = np.tile([True, True, True, False], 25)
    error, points = expected_error(sure, right)
    assert error == pytest.approx(0)
    assert points == [pytest.approx((0.25, 0.25)), pytest.approx((0.75, 0.75))]
    assert expected_error(np.ones(10), np.zeros(10, bool))[0] == 1


# --- which parameters matter


def test_the_parameter_that_decides_is_the_most_important(tmp_path: Path) -> None:
    found = searched(tmp_path, 60).importances
    assert next(iter(found)) == RATE
    assert found[RATE] > 0.4
    assert sum(found.values()) == pytest.approx(1)


def test_a_study_holds_the_scored_trials_with_all_their_values(tmp_path: Path) -> None:
    told = searched(tmp_path, 20)
    trials = told.study.trials
    assert [trial.user_attrs["trial"] for trial in trials] == sorted(each.asked.number for each in told.scored)
    assert all(trial.params == dict(told.told.trials[trial.user_attrs["trial"]].asked.values) for trial in trials)


def test_few_trials_say_nothing_of_importance(tmp_path: Path) -> None:
    made(tmp_path, 3)
    done = automl(tmp_path, "importance")
    assert done.exit_code == 3
    assert f"{study.LEAST} are needed" in done.output


def test_importance_is_a_table_of_the_parameters_and_their_best_values(tmp_path: Path) -> None:
    made(tmp_path, 60)
    rows = json.loads(automl(tmp_path, "importance", "-o", "json").stdout)
    assert rows[0]["parameter"] == RATE
    assert rows[0]["best"] == pytest.approx(10**-2.5, rel=0.3)


# --- comparing


def test_trials_are_compared_by_what_differs(tmp_path: Path) -> None:
    search = made(tmp_path, 20)
    rows = json.loads(automl(tmp_path, "compare", "1", "t002", "-o", "json").stdout)
    told = leaderboard.history(tmp_path, search).trials
    table = {row.pop("what"): row for row in rows}
    assert table["val_accuracy"] == {f"t{n:03d}": told[n].ended.score if told[n].ended else None for n in (1, 2)}
    one, two = (told[number].asked.values for number in (1, 2))
    differ = {name for name in {**one, **two} if one.get(name) != two.get(name)}
    assert {name for name in table if "." in name} == differ


def test_searches_are_compared_by_what_they_found_and_what_differs(tmp_path: Path) -> None:
    ids = [made(tmp_path, 6), made(tmp_path, 12, "20261101-101501-bcde")]
    rows = json.loads(automl(tmp_path, "compare", "abcd", "bcde", "-o", "json").stdout)
    table = {row.pop("what"): row for row in rows}
    assert table["trials"] == dict(zip(ids, [6, 12], strict=True))
    assert table["data"] == dict.fromkeys(ids, "d")
    listed = json.loads(automl(tmp_path, "searches", "-o", "json").stdout)
    assert [row["search"] for row in listed] == ids
    assert table["score"] == {row["search"]: row["score"] for row in listed}
    # Of the winners the parameters in which they differ.
    told = {each: leaderboard.history(tmp_path, each).trials[table["best"][each]].asked.values for each in ids}
    one, two = (told[each] for each in ids)
    differ = {name for name in {**one, **two} if one.get(name) != two.get(name)}
    assert {name.removeprefix("best: ") for name in table if name.startswith("best: ")} == differ
    # Their documents are the same.
    assert not [name for name in table if name.startswith(("model.", "training.", "search."))]


def test_what_differs_between_the_documents_of_searches_is_told() -> None:
    assert comparison._leaves({"a": [1, {"b": 2}], "c": {"d": None}}) == {"a.1": 1, "a.2.b": 2, "c.d": None}


def test_where_no_search_was_made_that_is_said(tmp_path: Path) -> None:
    assert "No search was made here yet" in automl(tmp_path, "searches").stdout
    assert json.loads(automl(tmp_path, "searches", "-o", "json").stdout) == []


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["1"], "there is nothing to compare it with"),
        (["1", "99"], "no trial 99"),
        (["1", "x", "-s", "abcd"], "not a trial"),
        (["abcd", "zzzz"], "no search is called so"),
    ],
)
def test_what_cannot_be_compared_is_said(tmp_path: Path, args: list[str], told: str) -> None:
    made(tmp_path, 6)
    done = automl(tmp_path, "compare", *args)
    assert done.exit_code == 2
    assert told in done.output


# --- from Python


def test_a_search_shows_itself_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Search(tmp_path, made(tmp_path, 20))
    monkeypatch.chdir(tmp_path)
    assert found.report(winner=False) == Path("mine-d.html")
    assert found.report(tmp_path / "r.html", winner=False).read_text() == Path("mine-d.html").read_text()
    assert found.importance().index[0] == RATE
    assert list(found.compare(1, 2).columns) == ["t001", "t002"]
    figure = found.plot("learning_curves")
    assert figure is not None
    assert len(figure.axes) == 2
    assert found.plot("confusion") is None
    with pytest.raises(UnknownName, match=r"Did you mean 'slices'"):
        found.plot("slice")


def test_its_options_are_those_of_the_command_line() -> None:
    of_python = inspect.signature(automl_api.search).parameters
    of_program = main.get_command(None, "search").params  # type: ignore[arg-type, attr-defined]
    own = {"space", "data", "settings", "home", "others"}
    assert of_python.keys() - own == {option.name for option in of_program} - command.OWN
