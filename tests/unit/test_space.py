import itertools
import json
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.document.problems import Problems
from automl.document.yaml_text import dump, parse
from automl.space.grammar import read
from automl.space.space import grid, points

RICH = """
name: rich
model:
  - conv:
      repeat: {min: 0, max: 3}
      filters: {min: 8, max: 64, log: true, each: true}
      kernel: 3
      activation: {values: [relu, null, true, [1, 2], 1, 1.0]}
      norm: {one_of: {batch: {momentum: {min: 0.5, max: 0.99}}, none: {}}}
      drop: {min: 0.0, max: 0.5, step: 0.1, when: {conv.norm: batch}}
  - conv: {repeat: 2, kernel: {min: 3, max: 9, step: 2, each: true}}
  - flatten
  - recurrent:
      cell: {values: [rnn, lstm, gru], default: lstm}
      drop: {min: 0.0, max: 0.3, when: {recurrent.cell: [lstm, gru], conv.repeat: [0, 3]}}
training:
  optimizer:
    one_of:
      adam: {rate: {min: 1e-4, max: 1e-2, log: true, default: 1e-3}}
      sgd:
        rate: {min: 1e-3, max: 1e-1, log: true}
        nesterov: true
        schedule: {one_of: {flat: {}, cosine: {alpha: {values: [0, 0.1]}}}}
  batch_size: {values: [16, 32], default: 32}
  sizes: [1, {min: 1, max: 2}]
search: {trials: 3}
"""


def space_of(text):
    document = parse(text, "f.yaml")
    problems = Problems(document)
    space = read(document, problems)
    problems.stop()
    return space


@pytest.fixture(scope="module")
def rich():
    return space_of(RICH)


def drawn(space, generator):
    """Draws values by our own conditions alone."""

    def pick(param):
        domain = param.domain
        if domain.size is not None and domain.size < 1_000:
            return generator.choice(list(domain.points()))
        return generator.uniform(domain.min, domain.max)

    return space.fill(pick)


# --- resolve


def test_the_default_trial(rich):
    values = rich.defaults()
    assert values == {
        "conv.repeat": 0,
        "conv_2.kernel.1": 3,
        "conv_2.kernel.2": 3,
        "recurrent.cell": "lstm",
        "recurrent.drop": 0.0,
        "training.optimizer": "adam",
        "training.optimizer.adam.rate": 1e-3,
        "training.batch_size": 32,
        "training.sizes.1": 1,
    }
    assert rich.resolve(values) == {
        "name": "rich",
        "model": [
            {"conv": {"repeat": 0, "kernel": 3}},
            {"conv": {"repeat": 2, "kernel": {"each": [3, 3]}}},
            "flatten",
            {"recurrent": {"cell": "lstm", "drop": 0.0}},
        ],
        "training": {"optimizer": {"adam": {"rate": 1e-3}}, "batch_size": 32, "sizes": [1, 1]},
        "search": {"trials": 3},
    }


def test_given_values_stand_in_place_of_defaults(rich):
    values = rich.defaults({"conv.repeat": 2, "conv.norm": "batch", "training.optimizer": "sgd", "conv.filters.2": 9})
    assert rich.resolve(values)["model"][0] == {
        "conv": {
            "repeat": 2,
            "filters": {"each": [8, 9]},
            "kernel": 3,
            "activation": "relu",
            "norm": {"batch": {"momentum": 0.5}},
            "drop": 0.0,
        }
    }
    assert "recurrent.drop" not in values
    sgd = {"rate": 1e-3, "nesterov": True, "schedule": {"flat": {}}}
    assert rich.resolve(values)["training"]["optimizer"] == {"sgd": sgd}


def test_a_resolved_trial_is_a_space_with_nothing_left_to_search(rich):
    generator = random.Random(0)
    for _ in range(100):
        trial = rich.resolve(drawn(rich, generator))
        again = space_of(dump(trial))
        assert again.params == ()
        assert json.dumps(again.resolve({})) == json.dumps(trial)


def test_resolving_twice_shares_nothing_with_the_space(rich):
    first = rich.resolve(rich.defaults())
    first["model"][0]["conv"]["kernel"] = 99
    assert rich.resolve(rich.defaults())["model"][0]["conv"]["kernel"] == 3


# --- keys and codes


def test_keys_tell_values_apart_as_yaml_does(rich):
    keys = {rich.key({"a": value}) for value in [1, 1.0, True, "1", None, [1], [1.0]]}
    assert len(keys) == 7
    assert rich.key({"a": 1, "b": 2}) == rich.key({"b": 2, "a": 1})


def test_codes_lead_back(rich):
    generator = random.Random(1)
    for _ in range(200):
        values = drawn(rich, generator)
        coded = rich.encode(values)
        assert all(type(code) in (int, float) for code in coded.values())
        assert json.dumps(rich.decode({**coded, "tuner/epochs": 3})) == json.dumps(values)
        journalled = json.loads(json.dumps(values))
        assert rich.encode(journalled) == coded


# --- declaring to Keras Tuner


@pytest.mark.parametrize("text", [RICH, "training: {a: {values: [1]}}", "model: [flatten]"])
def test_what_is_active_is_what_keras_tuner_says(text):
    space = space_of(text)
    declared = space.declare()
    assert [parameter.name for parameter in declared.space] == [param.name for param in space.params]
    generator = random.Random(2)
    for _ in range(2_000):
        declared.values = coded = {}
        for parameter in declared.space:
            if declared.is_active(parameter):
                coded[parameter.name] = parameter.prob_to_value(generator.random())
        assert list(space.decode(coded)) == list(coded)


def test_the_declared_space_is_static_and_survives_keras_tuners_own_copy(rich):
    declared = rich.declare()
    copied = declared.copy()
    assert copied.get_config() == declared.get_config()
    assert rich.decode(declared.values) == rich.defaults()


def test_the_room_imports_keras_only_to_declare():
    code = "import sys, automl.space.grammar; print([n for n in ('keras', 'keras_tuner', 'numpy') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# --- size, grid, points

FINITE = [
    "model: [flatten]",
    "training: {a: {values: [1, 2]}, b: {min: 1, max: 3}}",
    "training: {a: {values: [1, 2]}, b: {min: 1, max: 3, when: {training.a: 1}}}",
    "model: [{conv: {repeat: {min: 0, max: 3}, a: {values: [1, 2], each: true}, b: {values: [1, 2, 3]}}}]",
    "model: [{conv: {repeat: {min: 1, max: 12}, a: {values: [1, 2], each: true}}}]",
    "training: {o: {one_of: {a: {p: {one_of: {x: {q: {min: 1, max: 2}}, y: {}}}}, b: {r: {min: 0, max: 1}}}}}",
    "training: {a: {min: 1, max: 30}, b: {values: [1, 2], when: {training.a: [3, 29]}}}",
    "training: {c: {min: 1, max: 2, when: {training.a: 1, training.b: 1}}, a: {min: 1, max: 2}, b: {values: [1, 1.0]}}",
    "training: {c: {values: [1], when: {training.b: 2}}, b: {values: [2], when: {training.a: 1}}, a: {min: 1, max: 2}}",
    "training: {a: {min: 1.0, max: 1.0}}",
]


def brute_force(space):
    """Every distinct set of active values, from all combinations of everything."""
    found = set()
    for combination in itertools.product(*(param.domain.points() for param in space.params)):
        chosen = dict(zip(space.by_name, combination, strict=True))
        found.add(space.key(space.fill(lambda param, chosen=chosen: chosen[param.name])))
    return found


@pytest.mark.parametrize("text", FINITE)
def test_the_size_is_what_counting_gives(text):
    space = space_of(text)
    listed = [space.key(values) for values in points(space)]
    assert len(listed) == len(set(listed)) == space.size()
    if len(space.params) < 10:
        assert set(listed) == brute_force(space)
    for values in itertools.islice(points(space), 50):
        assert list(space.fill(lambda param, values=values: values[param.name])) == list(values)


def test_a_grid_takes_ten_points_of_a_range():
    space = space_of(
        "training: {a: {min: 1, max: 30}, b: {values: [1, 2], when: {training.a: [30]}}, c: {min: 0.0, max: 1.0}}"
    )
    assert space.size() is None
    listed = list(grid(space))
    assert len(listed) == (9 + 2) * 10
    assert listed[0] == {"training.a": 1, "training.c": 0.0}
    assert listed[-1] == {"training.a": 30, "training.b": 2, "training.c": 1.0}


def test_a_grid_yields_values_of_its_own():
    first, second = itertools.islice(grid(space_of(FINITE[1])), 2)
    first["training.a"] = "changed"
    assert second == {"training.a": 1, "training.b": 2}


def test_large_spaces_are_counted_and_walked_at_once():
    blocks = ", ".join(
        "{conv: {repeat: {min: 0, max: 5}, f: {min: 1, max: 1000, each: true}, k: {values: [1, 2]}}}" for _ in range(20)
    )
    space = space_of(f"model: [{blocks}]")
    assert space.size() == (1 + 2 * sum(1000**n for n in range(1, 6))) ** 20
    assert len(next(grid(space))) == 20
    deep = space_of("model: [{conv: {repeat: 1000, f: {min: 1, max: 2, each: true}}}]")
    assert deep.size() == 2**1000
    assert len(list(itertools.islice(grid(deep), 3))) == 3


def test_integers_may_be_drawn_as_floats(rich):
    floats = rich.as_floats(["training.sizes.1", "training.batch_size"])
    assert type(floats.defaults()["training.sizes.1"]) is float
    assert floats.defaults()["training.batch_size"] == 32  # a choice stays what was written
    assert rich.defaults()["training.sizes.1"] == 1


def test_conditions_on_numbers_hold_however_they_are_written():
    space = space_of("training: {a: {min: 0.0, max: 2.0, step: 1.0}, b: {values: [1, 2], when: {training.a: 1}}}")
    assert space.defaults({"training.a": 1.0}) == {"training.a": 1.0, "training.b": 1}
    assert space.size() == 2 + 2
    floats = space_of("training: {a: {min: 0, max: 4, step: 2}, b: {values: [1, 2], when: {training.a: [2]}}}")
    floats = floats.as_floats(["training.a"])
    assert floats.defaults({"training.a": 2.0}) == {"training.a": 2.0, "training.b": 1}
    assert floats.size() == len(list(points(floats))) == 2 + 2


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(1, 3), min_size=1, max_size=3, unique=True)), max_size=6)
)
def test_conditions_of_any_shape_are_counted_right(shape):
    """Each parameter hangs on an earlier one, or on none."""
    lines = []
    for index, (parent, wanted) in enumerate(shape):
        when = f", when: {{training.p{parent}: {wanted}}}" if parent < index else ""
        lines.append(f"p{index}: {{values: [1, 2, 3]{when}}}")
    document = parse("training: {" + ", ".join(lines) + "}", "f.yaml")
    problems = Problems(document)
    space = read(document, problems)
    if not problems.found:
        assert space.size() == len(list(points(space))) == len(brute_force(space))
