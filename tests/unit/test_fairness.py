"""The figures of groups, against such as were counted by hand; and their figure in the report."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from automl.records.data import DataSpec, TaskSpec
from automl.results import fairness
from automl.results.plots.groups import LEAST, MOST, Groups, parted
from automl.results.winner import Winner

A = {"truth": np.array([1, 1, 1, 1, 0, 0]), "told": np.array([1, 1, 1, 0, 1, 0])}
B = {"truth": np.array([1, 1, 0, 0, 0, 0]), "told": np.array([1, 0, 0, 0, 0, 1])}


def test_rates_are_shares_of_all_of_those_that_are_and_of_those_that_are_not() -> None:
    a, b = fairness.rates(**A, label=1), fairness.rates(**B, label=1)
    assert [each.value for each in (a.told, a.right, a.wrong)] == pytest.approx([4 / 6, 3 / 4, 1 / 2])
    assert [each.value for each in (b.told, b.right, b.wrong)] == pytest.approx([2 / 6, 1 / 2, 1 / 4])


def test_differences_are_those_of_the_highest_and_the_lowest_group() -> None:
    found = fairness.differences(fairness.rates(**each, label=1) for each in (A, B))
    assert (found.parity, found.opportunity, found.odds) == pytest.approx((1 / 3, 1 / 4, 1 / 4))
    other = fairness.differences(fairness.rates(**each, label=0) for each in (A, B))
    assert (other.parity, other.odds) == pytest.approx((found.parity, found.odds)), "of two classes either will do"


def test_a_group_without_examples_of_a_class_has_no_rate_of_it() -> None:
    none = fairness.rates(np.zeros(4, int), np.array([0, 0, 0, 1]), 1)
    assert math.isnan(none.right.value)
    found = fairness.differences([none, fairness.rates(**A, label=1)])
    assert math.isnan(found.opportunity)
    assert found.odds == pytest.approx(1 / 2 - 1 / 4)
    assert math.isnan(fairness.differences([none]).parity)


def test_the_interval_of_a_share_is_wilsons() -> None:
    found = fairness.share(np.array([True] * 20))
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(20 / (20 + 1.959964**2), abs=1e-5)


def test_small_groups_are_put_together() -> None:
    groups = np.array(["a"] * 30 + ["b"] * LEAST + ["c"] * (LEAST - 1) + ["d"] + [""] * 40)
    named, others = parted(groups)
    assert {name: int(mine.sum()) for name, mine in named.items()} == {"a": 30, "b": LEAST}
    assert {name: int(mine.sum()) for name, mine in others.items()} == {"2 others": LEAST + 40}
    named, others = parted(np.repeat([f"g{n:02d}" for n in range(MOST + 3)], 2 * LEAST))
    assert (len(named), [*others]) == (MOST, ["3 others"])
    assert parted(np.repeat(["a", ""], LEAST))[1].keys() == {"no group"}


# --- the figure


def winner(
    monkeypatch: pytest.MonkeyPatch, task: TaskSpec, outputs: np.ndarray, stored: np.ndarray, groups: Any
) -> Winner:
    monkeypatch.setattr("automl.data.store.groups", lambda _: groups)
    data = DataSpec("", "toy", "", (), task, {}, figures_by="site")
    return Winner(1, None, data, SimpleNamespace(), outputs, stored)  # type: ignore[arg-type]


def shown(figure: Figure | None) -> dict[str, list[str]]:
    """Returns what stands beside the rows of each column, by its title, behind the names of the rows."""
    assert figure is not None
    figure.draw_without_rendering()
    columns = {axes.get_title(): [text.get_text() for text in axes.texts] for axes in figure.axes}
    return {"rows": [text.get_text() for text in figure.axes[0].get_yticklabels()], **columns}


def of_classes(classes: int) -> TaskSpec:
    return TaskSpec({"classification": {}}, ("y",), {"classes": ["no", "yes", "perhaps"][:classes]})


def test_each_group_has_its_metrics_its_rates_and_how_far_it_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, told = (np.concatenate([np.tile(A[each], 10), np.tile(B[each], 5)]) for each in ("truth", "told"))
    groups = np.array(["north"] * 60 + ["south"] * 30)
    seen = winner(monkeypatch, of_classes(2), np.eye(2)[told], truth, groups)
    figure = Groups().show(seen, None)  # type: ignore[arg-type]
    found = shown(figure)
    assert found["rows"] == ["all (90)", "north (60)", "south (30)"]
    assert found["accuracy"] == ["0.667", "0.667 (+0)", "0.667 (+0)"]
    assert found["told yes"] == ["0.556", "0.667 (+0.11)", "0.333 (-0.22)"]
    assert found["yes: true positive rate"] == ["0.7", "0.75 (+0.05)", "0.5 (-0.2)"]
    assert found["yes: false positive rate"] == ["0.375", "0.5 (+0.12)", "0.25 (-0.12)"]
    assert figure is not None
    assert figure.get_supxlabel() == (
        "yes by site: demographic parity difference 0.333, equal opportunity difference 0.25, "
        "equalized odds difference 0.25"
    )


def test_of_several_classes_the_one_in_which_groups_differ_most_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = np.tile([0, 1, 2], 20)
    told = truth.copy()
    told[30:][truth[30:] == 2] = 0  # in the second group what is perhaps is told to be no
    seen = winner(monkeypatch, of_classes(3), np.eye(3)[told], truth, np.repeat(["a", "b"], 30))
    found = shown(Groups().show(seen, None))  # type: ignore[arg-type]
    assert found["perhaps: true positive rate"] == ["0.5", "1 (+0.5)", "0 (-0.5)"]


def test_means_over_classes_are_left_out_of_a_group_that_lacks_one(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = np.repeat([0, 1, 0], 25)
    seen = winner(monkeypatch, of_classes(2), np.eye(2)[truth], truth, np.array(["a"] * 50 + ["b"] * 25))
    found = shown(Groups().show(seen, None))  # type: ignore[arg-type]
    assert found["f1"] == ["1", "1 (+0)", "–"]
    assert found["auc"] == ["1", "1 (+0)", "–"]


def test_of_numbers_it_says_whether_they_are_told_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = np.arange(50.0, dtype=np.float32)[:, None]
    off = np.repeat(np.float32([1, -3]), 25)[:, None]
    task = TaskSpec({"regression": {}}, ("y",), {"targets": ["y"], "mean": [25.0], "deviation": [14.0]})
    seen = winner(monkeypatch, task, stored + off, stored, np.repeat(["a", "b"], 25))
    found = shown(Groups().show(seen, None))  # type: ignore[arg-type]
    assert [*found] == ["rows", "told minus true", "mae", "rmse", "r2"]
    assert found["told minus true"] == ["-1", "1 (+2)", "-3 (-2)"]
    assert found["mae"] == ["2", "1 (-1)", "3 (+1)"]


def test_labels_have_the_metrics_of_their_task(monkeypatch: pytest.MonkeyPatch) -> None:
    task = TaskSpec({"multi_label": {}}, ("y",), {"classes": ["x", "y"]})
    stored = np.tile(np.array([[1, 0], [0, 1]], np.uint8), (25, 1))
    seen = winner(monkeypatch, task, stored.astype(np.float32), stored, np.repeat(["a", "b"], 25))
    found = shown(Groups().show(seen, None))  # type: ignore[arg-type]
    assert found["subset_accuracy"] == ["1", "1 (+0)", "1 (+0)"]


@pytest.mark.parametrize("groups", [None, np.repeat("a", 50), np.array([f"p{n}" for n in range(50)])])
def test_without_groups_that_can_be_compared_there_is_no_figure(monkeypatch: pytest.MonkeyPatch, groups: Any) -> None:
    truth = np.tile([0, 1], 25)
    assert Groups().show(winner(monkeypatch, of_classes(2), np.eye(2)[truth], truth, groups), None) is None  # type: ignore[arg-type]
