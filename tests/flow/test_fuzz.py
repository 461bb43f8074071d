"""Whatever stands in a document: it compiles, or every mistake is told with its place. Never a traceback."""

from __future__ import annotations

import json
import random
import re

import pytest
import sweeps
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl.document import catalog, yaml_text
from automl.errors import ConfigError
from automl.experiment import experiment

PLACE = re.compile(r"f\.yaml(:\d+:\d+)?")
SPICE = ["{", "}", "[", "]", ":", ",", "null", "true", "-1", "1e999", "''", "each", "repeat", "one_of", "values", "min"]
SPICE += [
    "when",
    "blocks",
    "branches",
    "default",
    "&a",
    "*a",
    "!x",
    "\t",
    "0x1F",
    "~",
    "name: model",
    "[[[]]]",
    "é",
    "2**9",
]


def outcome(text: str) -> str:
    """Checks a text as `automl validate` does; returns how it ended."""
    try:
        read = experiment.check(with_mapping(text), "f", layers=False)
    except ConfigError as error:
        problems = error.problems
    else:
        problems = []
    for problem in problems:
        assert PLACE.fullmatch(problem.where), str(problem)
        assert "\n" not in str(problem)
        assert problem.what
    if problems:
        return "refused"
    # What is right compiles: a point, its document, and that document again.
    values = read.space.draw(random.Random(0))
    resolved = read.trial(values)
    loaded = experiment.check(yaml_text.parse(yaml_text.dump(resolved), "f.yaml"), "f", layers=False)
    assert json.dumps(loaded.trial({})) == json.dumps(resolved)
    return "compiled"


def with_mapping(text: str) -> yaml_text.Document:
    from automl.document import overrides

    read = yaml_text.parse(text, "f.yaml")
    overrides.require_mapping(read, "a search space", experiment.SECTIONS)
    return read


def mutated(text: str, generator: random.Random) -> str:
    """Returns a document as a slip of the hand leaves it."""
    for _ in range(generator.randint(1, 3)):
        lines = text.split("\n")
        at = generator.randrange(len(lines))
        place = generator.randrange(len(text) + 1)
        kind = generator.randrange(12)
        if kind == 0:
            text = text[:place] + text[place + 1 :]
        elif kind == 1:
            text = text[:place] + generator.choice(SPICE) + text[place:]
        elif kind == 2:
            text = "\n".join(lines[:at] + lines[at + 1 :])
        elif kind == 3:
            text = "\n".join([*lines[:at], lines[at], *lines[at:]])
        elif kind == 4:
            text = "\n".join([*lines[:at], generator.choice([" ", "  ", "- "]) + lines[at], *lines[at + 1 :]])
        elif kind == 5:
            text = "\n".join([*lines[:at], lines[at].removeprefix("  "), *lines[at + 1 :]])
        else:
            # From 8 on, one number for another: mistakes of meaning more than of form.
            words = list(re.finditer(r"[\w.]+" if kind < 8 else r"\b\d[\d.e-]*", text))
            if not words:
                continue
            one, other = generator.choice(words), generator.choice(words)
            new = generator.choice(SPICE) if kind == 7 else other[0]
            text = text[: one.start()] + new + text[one.end() :]
    return text


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_two_thousand_slips(part):
    originals = [catalog.find(catalog.SPACES, name).read_text() for name in catalog.names(catalog.SPACES)]
    # Comments are no document: slips in them are none.
    originals = [re.sub(r" +#.*|^#.*\n", "", text, flags=re.MULTILINE) for text in originals]
    generator = random.Random(part)
    outcomes = [outcome(mutated(generator.choice(originals), generator)) for _ in range(500)]
    # Both ways are walked often, so neither half of the test is idle.
    assert min(outcomes.count("refused"), outcomes.count("compiled")) > 50


# --- documents that are made, not broken

numbers = st.one_of(st.integers(-3, 300), st.floats(-1, 2, allow_nan=False), st.just(None), st.booleans())
leaves = st.one_of(
    numbers,
    st.sampled_from(["relu", "lstm", "same", "batch", "max", "", "1e-3"]),
    st.builds(lambda values: {"values": values}, st.lists(numbers, max_size=3)),
    st.builds(lambda low, high: {"min": low, "max": high}, st.integers(0, 9), st.integers(1, 64)),
    st.builds(lambda low, high: {"min": low, "max": high, "each": True}, st.integers(1, 9), st.integers(9, 64)),
    st.builds(lambda values: {"each": values}, st.lists(st.integers(1, 9), max_size=3)),
    st.builds(lambda low: {"min": low, "max": 64, "log": True, "when": {"training.epochs": 3}}, st.integers(1, 3)),
)
FIELDS = {
    "conv": ["filters", "kernel_size", "stride", "padding", "norm", "repeat", "dropout"],
    "dense": ["units", "activation", "repeat", "name"],
    "recurrent": ["cell", "units", "bidirectional", "repeat"],
    "global_pool": ["kind"],
}
plain = st.sampled_from(sorted(FIELDS)).flatmap(
    lambda kind: st.dictionaries(st.sampled_from(FIELDS[kind]), leaves, max_size=3).map(lambda fields: {kind: fields})
)


def nests(inner):
    lists = st.lists(inner, max_size=2)
    return st.one_of(
        lists.map(lambda items: {"residual": items}),
        st.lists(lists, max_size=2).map(lambda branches: {"parallel": branches}),
        st.tuples(lists, leaves).map(lambda given: {"stack": {"blocks": given[0], "repeat": given[1]}}),
        st.tuples(lists, lists).map(lambda given: {"name": "fork", "one_of": {"a": given[0], "b": given[1]}}),
    )


blocks = st.recursive(st.one_of(plain, st.just("flatten")), nests, max_leaves=5)
rules = st.sampled_from(["conv.filters > 3", "sum(dense.units) < 99", "fork == 'a'", "1 <", "training.epochs >= 2"])
documents = st.fixed_dictionaries(
    {"model": st.lists(blocks, min_size=1, max_size=3)},
    optional={
        "training": st.fixed_dictionaries(
            {},
            optional={
                "epochs": leaves,
                "optimizer": st.sampled_from(["adam", "sgdd", {"one_of": {"adam": {}, "sgd": {"momentum": 0.9}}}]),
                "clipnorm": leaves,
            },
        ),
        "search": st.fixed_dictionaries(
            {}, optional={"constraints": st.lists(rules, max_size=2), "start": st.just([{"training.epochs": 3}])}
        ),
    },
)


@pytest.mark.slow
@settings(max_examples=sweeps.part(300, 5000), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents)
def test_a_made_document_compiles_or_is_told(made):
    outcome(json.dumps(made))
