"""How messages quote what they received."""

import pytest

from automl.errors import cut, shorten


@pytest.mark.parametrize("limit", [10, 60])
def test_what_is_too_long_ends_with_dots_within_the_limit(limit: int) -> None:
    assert cut("x" * limit, limit) == "x" * limit
    assert cut("x" * (limit + 1), limit) == "x" * (limit - 3) + "..."


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "'a'"), (None, "null"), (True, "true"), ([1, "b"], "[1, 'b']"), ({"a": None}, "{a: null}"), (1e-3, "0.001")],
)
def test_a_value_is_quoted_as_yaml_writes_it(value: object, text: str) -> None:
    assert shorten(value) == text


def test_a_long_value_is_cut() -> None:
    assert shorten("y" * 100, 12) == "'yyyyyyyy..."
