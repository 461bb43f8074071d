"""Earlier runs as starting points: what is taken, what is left out, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from automl.driver.warm_start import value_of, warm_start
from automl.errors import ConfigError
from automl.experiment import experiment
from automl.experiment.experiment import Experiment
from automl.space.domains import Choice, Range
from automl.tracking import EarlierRun, value_text

SPACE = """
model:
  - conv:
      repeat: {min: 1, max: 2}
      filters: {min: 8, max: 64, each: true}
      dropout: {min: 0, max: 0.5, step: 0.1}
training:
  epochs: 3
  optimizer:
    one_of:
      adam: {learning_rate: {min: 1e-4, max: 1e-1, log: true, default: 1e-3}}
      sgd: {momentum: {min: 0.0, max: 0.9}}
  clipnorm: {values: [null, 1, 5.0]}
search: {trials: 30, objective: val_accuracy, constraints: ["sum(conv.filters) <= 100"]}
"""


@pytest.fixture
def read(tmp_path: Path) -> Experiment:
    return load(tmp_path, SPACE)


def load(folder: Path, document: str, **options: Any) -> Experiment:
    (folder / "space.yaml").write_text(document)
    return experiment.load(str(folder / "space.yaml"), **options)


def run(name: str, score: float | None, failure: str | None = None, /, **params: Any) -> EarlierRun:
    texts = {key.replace("_DOT_", "."): value_text(value) for key, value in params.items()}
    metrics = {} if score is None else {"val_accuracy": 0.01, "best/val_accuracy": score}
    return EarlierRun(name * 8, name, texts, metrics, failure)


def filters(name: str, score: float | None, value: Any) -> EarlierRun:
    return run(name, score, **{"conv.filters.1": value})


@pytest.mark.parametrize(
    ("value", "domain"),
    [
        (3, Range(1, 9, None, log=False, default=1, whole=True)),
        (0.3, Range(0.0, 0.5, 0.1, log=False, default=0.0, whole=False)),
        (1.2345678901234567e-05, Range(1e-6, 1e-1, None, log=True, default=1e-3, whole=False)),
        *((value, Choice((1, 1.0, True, None, "none", "1", [64, 32], [64]), 1)) for value in (1, 1.0, True, None)),
        *((value, Choice((None, "none", [64, 32], [64]), None)) for value in ("none", [64, 32], [64])),
    ],
)
def test_what_the_tracker_writes_is_read_back(value: Any, domain: Any) -> None:
    found = value_of(value_text(value), domain)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "value"), [("True", True), ("None", None), ("32.0", 32), ("32", 32), ("0.5", 0.5), ("5e-1", 0.5)]
)
def test_what_other_programs_write_is_read_too(text: str, value: Any) -> None:
    found = value_of(text, Choice((True, None, 32, 0.5), None))
    assert found is value or (found == value and type(found) is type(value))
    if isinstance(value, int) and not isinstance(value, bool):
        assert value_of(text, Range(1, 64, None, log=False, default=1, whole=True)) == 32


@pytest.mark.parametrize("text", ["65", "0", "3.5", "NaN", "Infinity", "1e400", "true", "x", "", "[3]", "[" * 5000])
def test_what_lies_outside_a_domain_has_no_value(text: str) -> None:
    with pytest.raises(ValueError, match="lies outside the range"):
        value_of(text, Range(1, 64, None, log=False, default=1, whole=True))
    with pytest.raises(ValueError, match="is none of the values"):
        value_of(text, Choice((8, "y"), 8))


def test_a_step_grid_keeps_its_own_numbers() -> None:
    grid = Range(0.0, 0.5, 0.1, log=False, default=0.0, whole=False)
    assert value_of("0.30000000000000004", grid) == 0.3


def test_the_best_come_first_and_none_twice(read: Experiment) -> None:
    runs = [filters("a", 0.5, 10), filters("b", 0.9, 20), filters("c", 0.8, 20), filters("d", 0.7, 30)]
    found = warm_start(read, runs)
    assert [point["conv.filters.1"] for point in found.points] == [20, 30, 10]
    assert found.told == ("warm start: 3 points from 4 of 4 runs that fit; best val_accuracy 0.9, b (bbbbbbbb)",)


def test_the_loss_tells_equal_runs_apart(read: Experiment) -> None:
    runs = [
        EarlierRun(name, name, {"conv.filters.1": str(value)}, {"best/val_accuracy": 1.0, **losses})
        for name, value, losses in (
            ("a", 10, {}),
            ("b", 20, {"best/val_loss": 0.3, "val_loss": 0.001}),
            ("c", 30, {"best/val_loss": 0.1}),
        )
    ]
    assert [point["conv.filters.1"] for point in warm_start(read, runs).points] == [30, 20, 10]


def test_less_is_better_where_the_objective_says_so(tmp_path: Path) -> None:
    read = load(tmp_path, SPACE.replace("val_accuracy", "val_loss"))
    runs = [
        EarlierRun(name, name, {"conv.filters.1": str(value)}, {"val_loss": loss})
        for name, value, loss in (("a", 10, 0.5), ("b", 20, 0.9), ("c", 30, 0.1))
    ]
    assert [point["conv.filters.1"] for point in warm_start(read, runs, 2).points] == [30, 10]


@pytest.mark.parametrize(("trials", "most", "expected"), [(30, None, 5), (9, None, 3), (2, None, 1), (2, 7, 7)])
def test_how_many_points_are_taken(tmp_path: Path, trials: int, most: int | None, expected: int) -> None:
    read = load(tmp_path, SPACE.replace("trials: 30", f"trials: {trials}"))
    runs = [filters(str(value), 0.5, value) for value in range(10, 20)]
    assert len(warm_start(read, runs, most).points) == expected


def test_what_a_run_lacks_stands_at_its_default_and_what_is_not_searched_is_left_out(read: Experiment) -> None:
    given = {"conv.filters.1": 12, "training.optimizer.sgd.momentum": 0.5, "dense.units": 3}
    found = warm_start(read, [run("a", 0.9, **given)])
    assert found.points == ({**read.space.defaults(), "conv.filters.1": 12},)
    assert found.told[1] == ("warm start: left out, as not searched here: training.optimizer.sgd.momentum, dense.units")
    chosen = warm_start(read, [run("a", 0.9, **given, **{"training.optimizer": "sgd"})]).points[0]
    assert chosen["training.optimizer.sgd.momentum"] == 0.5
    assert "training.optimizer.adam.learning_rate" not in chosen


@pytest.mark.parametrize(
    ("earlier", "reason"),
    [
        (filters("a", 0.9, 65), "conv.filters.1 is never '65'. Expected 8 to 64"),
        (filters("a", None, 12), "it has no val_accuracy"),
        (filters("a", 1.7976931348623157e308, 12), "its val_accuracy is not finite"),
        (filters("a", float("nan"), 12), "its val_accuracy is not finite"),
        (run("a", 0.9, "it ended as diverged", **{"conv.filters.1": 12}), "it ended as diverged"),
        (run("a", 0.9, units=12), "none of its parameters is searched here"),
        (run("a", 0.9, **{"conv.repeat": 2, "conv.filters.1": 64, "conv.filters.2": 64}), "it breaks the constraint"),
    ],
)
def test_a_run_that_does_not_fit_is_left_out_with_the_reason(
    read: Experiment, earlier: EarlierRun, reason: str
) -> None:
    found = warm_start(read, [earlier, filters("b", 0.5, 20)])
    assert [point["conv.filters.1"] for point in found.points] == [20]
    assert found.told[-1].startswith(f"warm start: a (aaaaaaaa): {reason}")
    alone = warm_start(read, [earlier])
    assert alone.points == ()
    assert alone.told[0] == "warm start: none of 1 runs fits this search, which begins without"


def test_of_many_that_do_not_fit_a_handful_is_listed(read: Experiment) -> None:
    found = warm_start(read, [filters(str(number), None, 12) for number in range(12)])
    assert len(found.told) == 7
    assert found.told[-1] == "warm start: and 7 more runs that do not fit"
    assert warm_start(read, []).told == ("warm start: there are no runs there; the search begins without",)


def test_the_points_stand_in_the_document_behind_its_own(tmp_path: Path) -> None:
    own = SPACE.replace("trials: 30", "trials: 30, start: [{conv.filters.1: 20}]")
    read = load(tmp_path, own)
    found = warm_start(read, [filters("a", 0.9, 20), filters("b", 0.8, 30)])
    assert [point["conv.filters.1"] for point in found.points] == [30]
    warmed = load(tmp_path, own, start=found.points)
    assert [point["conv.filters.1"] for point in warmed.space.start] == [20, 30]
    assert warmed.document.data["search"]["start"] == [{"conv.filters.1": 20}, found.points[0]]
    # What a journal holds is enough: the document is read again without the store.
    assert experiment.check(warmed.document, "space").space.start == warmed.space.start


def test_a_fraction_is_taken_for_a_field_that_is_written_with_whole_ends(tmp_path: Path) -> None:
    document = "model: [dense: {units: {min: 1, max: 9}}]\ntraining: {clipnorm: {min: 1, max: 5}}\n"
    read = load(tmp_path, document)
    found = warm_start(read, [run("a", 0.9, **{"training.clipnorm": 1.25})])
    assert load(tmp_path, document, start=found.points).space.start[0]["training.clipnorm"] == 1.25
    with pytest.raises(ConfigError, match=r"dense.units is never 2.5. Expected a whole number, 1 to 9; received 2.5"):
        load(tmp_path, document, start=[{"dense.units": 2.5}])
