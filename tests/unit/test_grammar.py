import pytest

from automl.document import block_lists
from automl.document.problems import Problems
from automl.document.yaml_text import parse
from automl.space.grammar import read


def space_of(text):
    document = parse(text, "f.yaml")
    problems = Problems(document)
    space = read(document, problems)
    problems.stop()
    return space


def told(text):
    document = parse(text, "f.yaml")
    problems = Problems(document)
    read(document, problems)
    return [str(problem) for problem in problems.found]


def names(text):
    return list(space_of(text).by_name)


def conditions(space, name):
    return [(c.name, list(c.values)) for c in space.by_name[name].conditions]


# --- names


def test_a_parameter_is_named_by_its_path():
    assert names(
        "training: {batch_size: {values: [1, 2]}, optimizer: {adam: {learning_rate: {min: 0.1, max: 0.2}}}}"
    ) == [
        "training.batch_size",
        "training.optimizer.adam.learning_rate",
    ]


def test_blocks_are_named_by_kind_number_or_own_name():
    text = """
model:
  - conv: {filters: {min: 1, max: 2}}
  - conv: {filters: {min: 1, max: 2}}
  - conv: {name: last, filters: {min: 1, max: 2}}
  - conv: {filters: {min: 1, max: 2}}
  - dense: {units: {min: 1, max: 2}}
  - flatten
"""
    assert names(text) == ["conv.filters", "conv_2.filters", "last.filters", "conv_4.filters", "dense.units"]
    assert block_lists.names(parse(text, "f").data["model"]) == ["conv", "conv_2", "last", "conv_4", "dense", "flatten"]
    assert block_lists.names("no list") == []


def test_each_repeat_has_a_name_of_its_own():
    assert names("model: [{recurrent: {repeat: {min: 1, max: 3}, units: {min: 1, max: 2, each: true}}}]") == [
        "recurrent.repeat",
        "recurrent.units.1",
        "recurrent.units.2",
        "recurrent.units.3",
    ]
    assert names("model: [{dense: {repeat: 2, units: {min: 1, max: 2, each: true}}}]") == [
        "dense.units.1",
        "dense.units.2",
    ]
    assert names("model: [{dense: {units: {min: 1, max: 2, each: true}}}]") == ["dense.units.1"]
    assert names("model: [{dense: {repeat: 2, units: {min: 1, max: 2, each: false}}}]") == ["dense.units"]


def test_a_variant_is_named_by_its_field_and_its_leaves_by_their_branch():
    text = "training: {optimizer: {one_of: {adam: {rate: {min: 1, max: 2}}, sgd: {rate: {min: 1, max: 2}}, plain: {}}}}"
    assert names(text) == ["training.optimizer", "training.optimizer.adam.rate", "training.optimizer.sgd.rate"]


def test_only_model_and_training_are_searched():
    assert names("search: {trials: {min: 1, max: 2}}\ndata: {values: [a]}\ntraining: {epochs: 3}") == []


def test_leaves_in_lists_are_named_by_position():
    assert names("training: {a: [1, {min: 1, max: 2}]}") == ["training.a.1"]


# --- domains


@pytest.mark.parametrize(
    ("text", "kind", "default"),
    [
        ("{min: 1, max: 8}", int, 1),
        ("{min: 1, max: 8, default: 4}", int, 4),
        ("{min: 1, max: 8.0}", float, 1.0),
        ("{min: 1, max: 8, default: 2.5}", float, 2.5),
        ("{min: 0, max: 1, step: 0.25}", float, 0.0),
        ("{min: 1e-4, max: 1, log: true, default: 1e-2}", float, 0.01),
        ("{min: 0.0, max: 0.5, step: 0.1, default: 0.3}", float, 0.3),
        ("{values: [null, 1, 1.0]}", type(None), None),
        ("{values: [null, 1, 1.0], default: 1.0}", float, 1.0),
        ("{values: [null, 1, 1.0], default: 1}", int, 1),
        ("{values: [[1, 2], 3]}", list, [1, 2]),
        ("{values: [off, 'on']}", str, "off"),
    ],
)
def test_domains_keep_the_kind_of_their_numbers(text, kind, default):
    values = space_of(f"training: {{a: {text}}}").defaults()
    assert (type(values["training.a"]), values["training.a"]) == (kind, default)


# --- conditions


def test_leaves_of_a_repeat_that_may_be_zero_exist_from_one():
    space = space_of(
        "model: [{conv: {repeat: {min: 0, max: 3}, a: {min: 1, max: 2}, b: {min: 1, max: 2, each: true}}}]"
    )
    assert conditions(space, "conv.repeat") == []
    assert conditions(space, "conv.a") == [("conv.repeat", [1, 2, 3])]
    assert conditions(space, "conv.b.1") == [("conv.repeat", [1, 2, 3])]
    assert conditions(space, "conv.b.3") == [("conv.repeat", [1, 2, 3]), ("conv.repeat", [3])]


def test_each_value_exists_from_its_own_repeat():
    space = space_of("model: [{conv: {repeat: {min: 2, max: 3}, a: {min: 1, max: 2, each: true}}}]")
    assert [conditions(space, f"conv.a.{i}") for i in (1, 2, 3)] == [[], [], [("conv.repeat", [3])]]
    space = space_of("model: [{conv: {repeat: {values: [4, 2]}, a: {min: 1, max: 2, each: true}}}]")
    assert [conditions(space, f"conv.a.{i}") for i in (2, 3)] == [[], [("conv.repeat", [4])]]


def test_every_parameter_carries_the_whole_chain_parents_first():
    space = space_of("""
model:
  - conv: {drop: {min: 0.0, max: 1.0, when: {training.o.b.deep: [1], training.c: x}}}
training:
  c: {values: [x, y], when: {training.d: true}}
  o: {one_of: {a: {}, b: {deep: {values: [0, 1]}}}}
  d: {values: [true, false]}
""")
    assert list(space.by_name) == ["training.o", "training.o.b.deep", "training.d", "training.c", "conv.drop"]
    assert conditions(space, "conv.drop") == [
        ("training.o", ["b"]),
        ("training.o.b.deep", [1]),
        ("training.d", [True]),
        ("training.c", ["x"]),
    ]


def test_variants_within_variants():
    space = space_of("training: {o: {one_of: {a: {p: {one_of: {x: {q: {min: 1, max: 2}}, y: {}}}}, b: {}}}}")
    assert conditions(space, "training.o.a.p.x.q") == [("training.o", ["a"]), ("training.o.a.p", ["x"])]


def test_branches_may_be_bare_names():
    space = space_of("training: {o: {one_of: [a, b], default: b}}")
    assert space.resolve(space.defaults()) == {"training": {"o": {"b": {}}}}


# --- mistakes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{min: 3, max: 1}", "f.yaml:1:16: min is above max. Expected at most 1; received 3"),
        ("{min: 1}", "f.yaml:1:12: a range needs both min and max; max is missing. Add `max`"),
        ("{max: 1}", "min is missing"),
        ("{min: '1', max: 2}", "f.yaml:1:16: min is no number"),
        ("{min: true, max: 2}", "min is no number"),
        ("{min: 1, max: null}", "f.yaml:1:24: max is no number"),
        ("{min: 1, max: [2]}", "max is no number"),
        ("{min: 0, max: 1, log: true}", "a log range must start above 0"),
        ("{min: -1, max: 1, log: true}", "a log range must start above 0"),
        ("{min: 1, max: 2, log: 1}", "log is a switch"),
        ("{min: 1, max: 8, log: true, step: 2}", "step and log exclude each other"),
        ("{min: 1, max: 2, step: 0}", "the step must be above 0"),
        ("{min: 1, max: 2, step: -1}", "the step must be above 0"),
        (
            "{min: 1, max: 2, default: 3}",
            "f.yaml:1:32: the default is outside of its range. Expected 1 to 2; received 3",
        ),
        ("{min: 1, max: 9, step: 2, default: 2}", "Expected 1 to 9 in steps of 2"),
        ("{min: 1, max: 2, stp: 1}", "Did you mean 'step'?"),
        ("{values: [1], defualt: 1}", "Did you mean 'default'?"),
        ("{values: [1], min: 1}", "unknown key 'min' in a domain"),
        ("{values: []}", "values must be a list with at least one value"),
        ("{values: relu}", "values must be a list"),
        ("{values: [1, 2, 1]}", "the value 1 stands twice"),
        ("{values: [{b: 1}]}", "Use one_of for variants"),
        ("{values: [1, 2], default: 1.0}", "the default is none of the values. Expected [1, 2]; received 1.0"),
        ("{values: [1], each: true}", "each has no repeat to follow"),
        ("{one_of: {}}", "one_of has no branches"),
        ("{one_of: 3}", "one_of has no branches"),
        ("{one_of: {a: {}, b: {}}, default: c}", "the default is none of the values"),
        ("{one_of: {a: {}}, defalt: a}", "Did you mean 'default'?"),
        ("{values: [1], when: [x]}", "when names parameters and their values"),
        ("{values: [1], when: {training.b: 3}}", "training.b is never 3. Expected one of [1, 2]; received 3"),
        ("{values: [1], when: {training.b: [1, 1.0]}}", "training.b is never 1.0"),
        ("{values: [1], when: {training.b: true}}", "training.b is never true"),
        ("{values: [1], when: {trainin.b: 1}}", "Did you mean 'training.b'?"),
        ("{values: [1], when: {training.f: 0.5}}", "when cannot test training.f, a continuous range"),
        ("{values: [1], when: {training.b: []}}", "training.a can never exist"),
        ("{values: [1], when: {training.b: 2, training.c: 1}}", "training.a can never exist"),
        ("{values: [1], when: {training.a: 1}}", "training.a depends on itself through when"),
        ("{values: [1], when: {training.d: 1}}", "depends on itself through when"),
    ],
)
def test_a_mistake_is_told_once_with_its_place(text, said):
    rest = "b: {values: [1, 2]}, f: {min: 0.0, max: 1.0}, c: {values: [1], when: {training.b: 1}}"
    if "training.d" in text:
        rest += ", d: {values: [1], when: {training.a: 1}}"
    problems = told(f"training: {{a: {text}, {rest}}}")
    assert len(problems) == 1, problems
    assert said in problems[0]
    assert problems[0].startswith("f.yaml:1:")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model: [{conv: {name: a}}, {dense: {name: a}}]", "f.yaml:1:28: two blocks are named 'a'"),
        ("training: {a.b: {values: [1]}, a: {b: {values: [1]}}}", "two parameters are named 'training.a.b'"),
        ("model: [{conv: {repeat: {min: 0, max: 1001}, f: {min: 1, max: 2, each: true}}}]", "too many repeats"),
        ("model: [{conv: {repeat: {min: 0, max: 0}, f: {min: 1, max: 2}}}]", "conv.f can never exist"),
        ("model: [{conv: {repeat: {min: 2, max: 1}, f: {min: 1, max: 2, each: true}}}]", "min is above max"),
        ("model: [{conv: {repeat: 2, f: {values: [1], each: 'yes'}}}]", "each is a switch"),
    ],
)
def test_mistakes_of_blocks(text, said):
    problems = told(text)
    assert len(problems) == 1, problems
    assert said in problems[0]


def test_what_hangs_on_a_dead_parameter_is_not_told_as_well():
    dead = "b: {values: [1, 2]}, a: {values: [1], when: {training.b: []}}"
    assert len(told(f"training: {{{dead}, c: {{values: [1], when: {{training.a: 1}}}}}}")) == 1


def test_all_mistakes_are_told_at_once():
    assert len(told("training: {a: {min: 3, max: 1}, b: {values: []}, c: {one_of: {}}}")) == 3
