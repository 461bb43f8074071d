"""Plain data held against records: what fits is built, records in records too, and what does not is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pytest

from automl.errors import SearchError
from automl.journal import Header
from automl.journal.data import data_of, described
from automl.journal.events import encode
from automl.records import typed
from automl.records.data import DataSpec, FoldState, InputSpec, TaskSpec


@dataclass(frozen=True)
class Leaf:
    sides: tuple[int, ...]
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tree:
    name: str
    leaf: Leaf
    leaves: tuple[Leaf, ...] = ()
    pair: tuple[str, Leaf] | None = None
    spare: Leaf | None = None
    rows: tuple[tuple[int, ...], ...] = ()


def through_json(record: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(asdict(record)))
    return found


@pytest.mark.parametrize(
    "tree",
    [
        Tree("bare", Leaf((1, 2))),
        Tree("state", Leaf((), {"mean": [0.1, None], "deep": {"a": [1]}})),
        Tree("several", Leaf(()), leaves=(Leaf((1,)), Leaf((2, 3), {"low": 0.5}))),
        Tree("one of two", Leaf(()), spare=Leaf((4,))),
        Tree("a pair", Leaf(()), pair=("left", Leaf((5,)))),
        Tree("nested", Leaf(()), rows=((1,), (), (2, 3))),
    ],
    ids=lambda tree: tree.name,
)
def test_records_in_records_come_back_as_they_were(tree):
    assert typed.built(Tree, through_json(tree), "f") == tree


def test_lists_stand_for_tuples_and_plain_data_stays_plain():
    found = typed.built(Tree, {"name": "n", "leaf": {"sides": [1], "state": {"mean": [1.0]}}}, "f")
    assert found.leaf == Leaf((1,), {"mean": [1.0]})
    assert type(found.leaf.sides) is tuple
    assert type(found.leaf.state["mean"]) is list


def test_what_a_later_version_wrote_is_left_out_at_any_depth():
    found = typed.built(Tree, {"name": "n", "later": 1, "leaf": {"sides": [1], "later": {"a": 1}}}, "f")
    assert found == Tree("n", Leaf((1,)))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"leaf": {}}, r"^f: leaf: it lacks sides\.$"),
        (
            {"leaf": {"sides": [1.5]}},
            r"^f: leaf: sides is not what it should be\. Expected a list, each entry a who",
        ),
        ({"leaf": None}, r"^f: leaf is not what it should be\. Expected a mapping; received null\.$"),
        ({"leaf": [1]}, r"^f: leaf is not what it should be\. Expected a mapping; received \[1\]\.$"),
        ({"leaves": {}}, r"^f: leaves is not what it should be\. Expected a list, each entry a mapping; received \{\}"),
        ({"leaves": [{"sides": []}, {}]}, r"^f: leaves is not what it should be\. Expected a list, each entry a map"),
        ({"spare": {"sides": "x"}}, r"^f: spare: sides is not what it should be"),
        ({"pair": ["left"]}, r"^f: pair is not what it should be\. Expected a list of 2 or null; received \['left'\]"),
        ({"rows": [[1], [True]]}, r"^f: rows is not what it should be"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(changed, message):
    with pytest.raises(SearchError, match=message):
        typed.built(Tree, {"name": "n", "leaf": {"sides": []}, **changed}, "f")


def spec() -> DataSpec:
    reader = InputSpec("scans", {"image": {"scale": "unit"}}, ("x",), (8, 8, 1), {"low": 0.1, "mean": [0.25]})
    task = TaskSpec({"classification": {}}, ("y",), {"classes": ["a", "b"], "weights": [0.5, 1.5]})
    folds = tuple(FoldState(({"low": low, "mean": [0.5]},), {"classes": ["a", "b"]}) for low in (0.0, 0.2))
    return DataSpec("/there", "toy", "d" * 64, (reader,), task, {"train": 9}, folds, "group", version=2, notes=("n",))


def test_a_description_of_data_is_built_whole():
    assert typed.built(DataSpec, through_json(spec()), "spec.json") == spec()


def test_a_journal_keeps_of_the_data_what_is_of_use_when_it_is_gone():
    header = Header("s", 1, {}, "d" * 64, (), 0, 2, "jax", {}, "here", {"data": described(spec())})
    read = replace(header, settings=json.loads(encode(header))["settings"])
    nothing_learned = (replace(spec().inputs[0], state={}),)
    assert data_of(read) == replace(spec(), folder="", folds=(), inputs=nothing_learned)
