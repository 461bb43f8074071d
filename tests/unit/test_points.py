"""Constraints and starting points."""

import random

import pytest

from automl.document.problems import Problems
from automl.document.yaml_text import parse
from automl.space.constraints import Constraint, NotARule
from automl.space.constraints import parse as parse_rule
from automl.space.grammar import read

MODEL = """
model:
  - conv: {repeat: {min: 0, max: 3}, filters: {min: 1, max: 8, each: true}, kernel_size: 3}
  - dense: {units: {values: [1, 2, null]}, activation: {values: [relu, tanh]}, dropout: {min: 0.0, max: 0.5}}
training:
  batch_size: 32
  optimizer: {one_of: {adam: {}, sgd: {momentum: {min: 0.0, max: 1.0}}}}
search:
"""


def problems_of(search):
    document = parse(f"{MODEL}  {search}\n", "f.yaml")
    problems = Problems(document)
    return read(document, problems), [str(problem) for problem in problems.found]


def space_of(search):
    space, found = problems_of(search)
    assert not found
    return space


def rule(text, lists=(), literals=()):
    tree, names = parse_rule(text)
    return Constraint(text, tree, names, dict(lists), dict(literals))


@pytest.mark.parametrize(
    ("text", "values", "holds"),
    [
        ("a <= 3", {"a": 3}, True),
        ("a <= 3", {"a": 4}, False),
        ("1 < a < 3", {"a": 3}, False),
        ("a.b_2.c == 'x'", {"a.b_2.c": "x"}, True),
        ("p.1.conv.f * 2 == q", {"p.1.conv.f": 2, "q": 4}, True),
        ("a == 'b.c or d'", {"a": "b.c or d"}, True),
        ("not (a and b) or c", {"a": True, "b": True, "c": False}, False),
        ("a == null", {"a": None}, True),
        ("a == true", {"a": True}, True),
        ("a in [1, 2e1]", {"a": 20}, True),
        ("a not in ['x', 'y']", {"a": "x"}, False),
        ("a / b > 1e-3", {"a": 1, "b": 2}, True),
        ("max(a, b) - abs(-3) == 0", {"a": 3, "b": 2}, True),
        ("sum > 3", {"sum": 4}, True),
        # What cannot be computed rules nothing out.
        ("a < 3", {}, True),
        ("a < 3", {"a": None}, True),
        ("a / b > 1", {"a": 1, "b": 0}, True),
    ],
)
def test_a_rule_holds(text, values, holds):
    assert rule(text).holds(values) is holds


def test_a_name_with_each_is_the_list_of_its_values():
    lists = {"c.f": ("c.f.1", "c.f.2", "c.f.3")}
    text = rule("sum(c.f) <= 10 and len(c.f) == 2", lists)
    assert text.holds({"c.f.1": 4, "c.f.2": 6})
    assert not text.holds({"c.f.1": 5, "c.f.2": 6})
    assert rule("sum(c.f) <= 10", lists).holds({})
    assert rule("max(c.f) > 10", lists).holds({})
    assert text.searched() == ["c.f.1", "c.f.2", "c.f.3"] * 1


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('x') == 1",
        "a.__class__ == (lambda: 1)",
        "[a for a in b] == 1",
        "a[0] == 1",
        "a ** 9 == 1",
        "f'{a}' == 'x'",
        "open(a) == 1",
        "(a := 3) == 1",
        "sum(a, key=b) == 1",
        "sum() == 1",
        "b'x' == a",
        "a +",
        "",
        "a + 1",
        "sum(a)",
        "a == 1" + " or a == 1" * 200,
        "(" * 900,
    ],
)
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(NotARule):
        parse_rule(text)


def test_long_texts_cannot_be_made():
    assert rule("a * 1000 == 'x'").holds({"a": "y"})


def test_points_are_legal_or_not():
    space = space_of("constraints: ['sum(conv.filters) <= 10', 'conv.kernel_size * dense.units < 6']")
    assert space.legal(space.defaults())
    assert not space.legal({"conv.repeat": 2, "conv.filters.1": 8, "conv.filters.2": 3})
    assert not space.legal({"dense.units": 2})
    generator = random.Random(0)
    draws = [space.draw(generator) for _ in range(400)]
    share = sum(map(space.legal, draws)) / len(draws)
    assert 0.2 < share < 0.8
    for values in draws:
        assert all(space.by_name[name].domain.holds(value) for name, value in values.items())


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("constraints: [conv.filter < 3]", "the constraint names 'conv.filter', which is no parameter. Did you mean"),
        ("constraints: ['dense.units < 3 +']", "f.yaml:9:17: the constraint is no expression."),
        ("constraints: [dense.units + 3]", "the constraint compares nothing."),
        ("constraints: [dense.activation < 3]", "the constraint cannot be computed: '<' not supported"),
        ("constraints: [conv.filters < 3]", "the constraint cannot be computed: '<' not supported"),
        ("constraints: ['1 < 2']", "the constraint names no parameter"),
        ("constraints: ['1 / 0 > 2']", "names no parameter"),
        ("constraints: ['dense.units / 0 > 1']", "the constraint cannot be computed: division by zero"),
        ("constraints: ['1 / (dense.dropout - dense.dropout) > 1']", "the constraint cannot be computed: "),
        ("constraints: ['training.batch_size / 0 > 1']", "the constraint cannot be computed: division by zero"),
        ("constraints: ['len(training.batch_size) > 1']", "the constraint cannot be computed: object of type 'int'"),
        ("constraints: [training.batch_size < 3]", "the constraint never holds: nothing in it is searched."),
        ("start: [{dense.unit: 3}]", "f.yaml:9:12: start names 'dense.unit', which is no searched parameter. Did you"),
        ("start: [{dense.units: 3}]", "f.yaml:9:12: dense.units is never 3. Expected one of [1, 2, null]; received 3"),
        ("start: [{dense.dropout: 0.7}]", "dense.dropout is never 0.7. Expected 0.0 to 0.5; received 0.7"),
        ("start: [{training.optimizer.sgd.momentum: 0.7}]", "does not exist beside the other values of this point"),
        (
            "{start: [{dense.units: 2}], constraints: [dense.units < 2]}",
            "f.yaml:9:12: the starting point breaks the constraint 'dense.units < 2'.",
        ),
    ],
)
def test_mistakes_are_told_where_they_stand(search, expected):
    _, found = problems_of(search)
    assert len(found) == 1, found
    assert expected in found[0]


def test_a_constraint_that_can_be_computed_somewhere_is_one():
    # At the defaults it divides by zero, and with either parameter at its other end.
    assert len(space_of("constraints: ['1 / conv.repeat / (dense.units - 1) > 0']").rules) == 1


def test_what_is_too_large_to_compute_rules_nothing_out():
    assert rule("a / 3 > 1").holds({"a": 10**400})


def test_a_starting_point_is_filled_with_defaults():
    space = space_of("start: [{}, {conv.repeat: 2, conv.filters: [3, 4]}, {conv.repeat: 2, conv.filters: 5}]")
    assert space.start[0] == space.defaults()
    assert [space.start[1][f"conv.filters.{i}"] for i in (1, 2)] == [3, 4]
    assert "conv.filters.3" not in space.start[1]
    assert space.start[2]["conv.filters.2"] == 5
