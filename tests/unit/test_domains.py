import json
import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from automl.space.domains import GRID_POINTS, Choice, Range, same

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from([0.0, 1.0, 0.5, -2.5])
    | st.sampled_from(["", "1", "true", "null", "relu"])
)
anything = scalars | st.lists(scalars, max_size=3) | st.lists(st.lists(scalars, max_size=2), max_size=2)


def test_one_value_is_not_another():
    values = [1, 1.0, True, "1", None, "null", False, 0, 0.0, [], [1], [1.0], [True], [[1]], [1, 1], ""]
    for i, a in enumerate(values):
        for j, b in enumerate(values):
            assert same(a, b) == (i == j), (a, b)


@settings(deadline=None)
@given(st.lists(anything, min_size=1, max_size=8))
def test_a_choice_gives_back_its_very_values(values):
    kept = [value for i, value in enumerate(values) if not any(same(value, other) for other in values[:i])]
    domain = Choice(tuple(kept), kept[-1])
    assert domain.size == len(kept)
    for index, value in enumerate(kept):
        assert domain.encode(value) == index
        assert same(domain.decode(domain.encode(value)), value)
        assert domain.holds(json.loads(json.dumps(value)))
    assert not domain.holds("none of them")
    assert list(domain.grid()) == list(domain.points()) == kept


@st.composite
def ranges(draw):
    whole = draw(st.booleans())
    bound = st.integers(-50, 50) if whole else st.floats(-1e3, 1e3, allow_nan=False)
    low, high = sorted([draw(bound), draw(bound)])
    kind = draw(st.sampled_from(["plain", "step", "log"]))
    step = None
    if kind == "step":
        step = draw(st.integers(1, 9) if whole else st.sampled_from([0.1, 0.25, 0.3, 1.0, 7.0]))
        assume((high - low) / step < 2_000)
    if kind == "log":
        low, high = sorted([abs(low) + (1 if whole else 1e-3), abs(high) + (1 if whole else 1e-3)])
    return Range(low, high, step, kind == "log", low, whole)


@settings(deadline=None)
@given(ranges(), st.data())
def test_what_a_range_holds_survives_its_code(domain, data):
    grid = domain.grid()
    assert len(grid) >= 1
    kind = int if domain.whole else float
    for value in grid:
        assert type(value) is kind
        assert domain.holds(value)
        back = domain.decode(domain.encode(value))
        assert (back, type(back)) == (value, kind)
        assert json.loads(json.dumps(value)) == value
    assert list(grid) == sorted(set(grid))
    if domain.step is None:
        assert len(grid) <= GRID_POINTS
        assert (grid[0], grid[-1]) == (domain.min, domain.max)
    if domain.size is not None:
        points = list(domain.points())
        assert len(points) == domain.size
        assert set(grid) <= set(points)
        value = data.draw(st.sampled_from(points))
        assert domain.holds(value)
        assert domain.decode(domain.encode(value)) == value


@pytest.mark.parametrize(
    ("domain", "inside", "outside"),
    [
        (Range(1, 8, None, False, 1, True), [1, 4, 8], [0, 9, 4.0, 4.5, True, "4", None]),
        (Range(0, 1, None, False, 0, False), [0, 1, 0.5, 0.1 + 0.2], [-0.1, 1.1, True, None, [0.5]]),
        (Range(0.0, 0.5, 0.1, False, 0.0, False), [0.0, 0.3, 0.1 * 3, 0.5], [0.05, 0.6]),
        (Range(1, 10, 3, False, 1, True), [1, 4, 7, 10], [2, 3, 9, 4.0]),
        (Range(1, 9, 3, False, 1, True), [1, 4, 7], [9, 10]),
        (Range(2, 2, None, False, 2, True), [2], [1, 3]),
    ],
)
def test_what_a_range_holds(domain, inside, outside):
    assert [value for value in inside if not domain.holds(value)] == []
    assert [value for value in outside if domain.holds(value)] == []


def test_steps_are_written_in_decimals():
    assert list(Range(0.0, 0.5, 0.1, False, 0.0, False).grid()) == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert list(Range(0.0, 1.0, 0.3, False, 0.0, False).grid()) == [0.0, 0.3, 0.6, 0.9]
    assert list(Range(-0.3, 0.3, 0.1, False, 0.0, False).grid()) == [-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3]
    assert list(Range(-1, 0, 0.25, False, 0, False).grid()) == [-1.0, -0.75, -0.5, -0.25, 0.0]
    assert list(Range(100.0, 1e5, 4e4, False, 100.0, False).grid()) == [100.0, 40100.0, 80100.0]
    assert Range(0.0, 0.9, None, False, 0.0, False).grid()[1] == 0.1
    assert Range(1e-4, 1e-1, None, True, 1e-4, False).grid()[3] == 1e-3


def test_a_fine_step_costs_nothing():
    domain = Range(0.0, 1.0, 1e-12, False, 0.0, False)
    assert domain.size == 10**12 + 1
    assert domain.holds(0.5)
    assert domain.decode(domain.encode(0.25)) == 0.25
    assert (domain.points()[0], domain.points()[-1], len(domain.grid())) == (0.0, 1.0, 10**12 + 1)
    assert Range(0.0, 0.5, 1e-9, False, 0.0, False).points()[-1] == 0.5
    assert list(Range(0, 10, 3, False, 0, True).points()) == [0, 3, 6, 9]
    assert len(Range(1, 10**12, None, False, 1, True).points()) == 10**12


def test_sizes():
    assert Range(0.0, 1.0, None, False, 0.0, False).size is None
    assert Range(1.0, 1.0, None, False, 1.0, False).size == 1
    assert Range(3, 7, None, False, 3, True).size == 5
    assert Range(0.0, 0.5, 0.1, False, 0.0, False).size == 6
    assert Range(1, 10**30, None, True, 1, True).size == 10**30
    assert list(Range(0.0, 1.0, None, False, 0.0, False).points()) == []
    assert list(Range(1.0, 1.0, None, False, 1.0, False).points()) == [1.0]


def test_a_range_may_be_drawn_as_floats():
    whole = Range(0, 4, 2, False, 2, True)
    floats = whole.as_float()
    assert [(value, type(value)) for value in floats.grid()] == [(0.0, float), (2.0, float), (4.0, float)]
    assert floats.as_float() is floats
    assert type(floats.default) is float


@pytest.mark.parametrize(
    "domain",
    [
        Choice((None, True, 1, 1.0, [1, 2], "x"), 1.0),
        Range(1, 8, None, False, 3, True),
        Range(1, 8, None, True, 3, True),
        Range(1, 9, 2, False, 3, True),
        Range(0.0, 1.0, None, False, 0.5, False),
        Range(1e-4, 1.0, None, True, 1e-2, False),
        Range(0.0, 0.5, 0.1, False, 0.3, False),
        Range(2, 2, None, True, 2, True),
        Range(2.0, 2.0, None, True, 2.0, False),
    ],
)
def test_keras_tuner_draws_codes_of_the_domain(domain):
    parameter = domain.declare("p", [])
    assert parameter.default == domain.encode(domain.default)
    seen = set()
    for index in range(200):
        code = parameter.prob_to_value(index / 200)
        value = domain.decode(code)
        assert domain.holds(value)
        seen.add(repr(value))
        # What the Gaussian process sees leads back to the value: the default's place among them.
        back = domain.decode(parameter.prob_to_value(parameter.value_to_prob(code)))
        assert math.isclose(back, value) if isinstance(back, float) else same(back, value)
    if domain.size is not None:
        assert len(seen) == domain.size
