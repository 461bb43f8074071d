import pytest

from automl.document import block_lists, yaml_text
from automl.document.problems import Problems
from automl.document.yaml_text import parse
from automl.space.grammar import read
from automl.space.tree import Fork


def space_of(text):
    found = block_lists.normalised(parse(text, "f.yaml"))
    problems = Problems(found)
    space = read(found, problems)
    problems.stop()
    return space


def told(text):
    found = block_lists.normalised(parse(text, "f.yaml"))
    problems = Problems(found)
    read(found, problems)
    return [str(problem) for problem in problems.found]


NESTED = """
model:
  - residual:
      - conv: {filters: {min: 8, max: 16}}
      - parallel:
          - [conv: {filters: {values: [1, 2]}}]
          - [flatten, {conv: {filters: {values: [3]}}}]
  - stack:
      name: stage
      repeat: {min: 0, max: 3}
      blocks:
        - conv: {filters: {min: 8, max: 16, each: true}, stride: {each: [2, 1]}}
        - dense: {repeat: {min: 1, max: 2}, units: {min: 1, max: 9, each: true}}
  - name: tail
    default: deep
    one_of:
      none: []
      deep: [dense: {units: {min: 1, max: 2}}]
      deeper: [dense: {units: {min: 1, max: 3}}, flatten]
"""


def test_the_short_form_is_written_out_and_keeps_its_places():
    found = block_lists.normalised(parse(NESTED, "f.yaml"))
    residual = found.data["model"][0]["residual"]
    assert list(residual) == ["blocks"]
    assert list(residual["blocks"][1]["parallel"]) == ["branches"]
    conv = ("model", 0, "residual", "blocks", 0, "conv", "filters")
    assert found.where(conv) == "f.yaml:4:16"
    inner = ("model", 0, "residual", "blocks", 1, "parallel", "branches", 0, 0, "conv", "filters")
    assert found.where(inner) == "f.yaml:6:21"
    assert block_lists.normalised(found) is found


def test_a_list_that_is_none_of_blocks_stays():
    for fields in ("[3]", "[[1, 2], 3]", "[{a: 1, b: 2}]"):
        found = parse(f"model: [dense: {fields}]", "f.yaml")
        assert block_lists.normalised(found) is found


def test_names_tell_of_the_blocks_around():
    space = space_of(NESTED)
    assert list(space.by_name) == [
        "residual.conv.filters",
        "residual.parallel.1.conv.filters",
        "residual.parallel.2.conv.filters",
        "stage.repeat",
        "stage.conv.filters.1",
        "stage.conv.filters.2",
        "stage.conv.filters.3",
        "stage.dense.repeat",
        "stage.dense.units.1",
        "stage.dense.units.2",
        "tail",
        "tail.deep.dense.units",
        "tail.deeper.dense.units",
    ]


def test_a_leaf_depends_on_all_that_is_around_it():
    space = space_of(NESTED)
    conditions = {c.name: c.values for c in space.by_name["stage.dense.units.2"].conditions}
    assert conditions == {"stage.repeat": (1, 2, 3), "stage.dense.repeat": (2,)}
    assert [(c.name, c.values) for c in space.by_name["tail.deep.dense.units"].conditions] == [("tail", ("deep",))]
    none = space.defaults({"stage.repeat": 0, "tail": "none"})
    assert not [name for name in none if name.startswith(("stage.", "tail."))] or list(none)[-2:] == [
        "stage.repeat",
        "tail",
    ]


def test_a_trial_holds_the_chosen_list_and_no_other():
    space = space_of(NESTED)
    model = space.resolve(space.defaults({"stage.repeat": 3, "tail": "deeper"}))["model"]
    assert model[1]["stack"]["blocks"][0]["conv"] == {"filters": {"each": [8, 8, 8]}, "stride": {"each": [2, 1, 1]}}
    assert model[2] == {"stack": {"name": "tail", "blocks": [{"dense": {"units": 1}}, "flatten"]}}
    assert space.resolve(space.defaults({"tail": "none"}))["model"][2] == {"stack": {"name": "tail", "blocks": []}}


def test_a_trial_is_a_document_again():
    space = space_of(NESTED)
    resolved = space.resolve(space.defaults({"stage.repeat": 2}))
    again = space_of(yaml_text.dump(resolved))
    assert again.params == ()
    assert again.resolve({}) == resolved


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("[{one_of: {a: [], b: [flatten]}}]", "f.yaml:1:9: a one_of between blocks needs a name. Add `name`"),
        ("[{name: x, one_of: [a, b]}]", "f.yaml:1:19: a one_of between blocks has a list of blocks for each branch."),
        ("[{name: x, one_of: {a: []}, repeat: 2}]", "f.yaml:1:36: unknown key 'repeat' in a domain."),
        ("[{name: x, one_of: {a: []}, default: b}]", "f.yaml:1:36: the default is none of the values."),
        ("[{stack: {repeat: {min: 1, max: 2, each: true}, blocks: [flatten]}}]", "a repeat cannot have an each."),
        ("[{stack: {repeat: {each: [1]}, blocks: [flatten]}}]", "a repeat cannot have an each."),
        ("[{stack: [conv: {f: {values: [1, 1]}}]}]", "f.yaml:1:41: the value 1 stands twice"),
        ("[{stack: [conv, {conv: {name: conv}}]}]", "f.yaml:1:24: two blocks are named 'conv'."),
    ],
)
def test_mistakes_are_told_where_they_stand(model, expected):
    found = told(f"model: {model}")
    assert len(found) == 1, found
    assert expected in found[0]


def test_a_block_inside_may_be_named_like_a_section():
    assert space_of("model: [{stack: [{dense: {name: training, units: {min: 1, max: 2}}}]}]").by_name.keys() == {
        "stack.training.units"
    }


def test_an_unread_choice_stands_as_it_was_written():
    found = parse("model: [{one_of: {a: [flatten], b: []}, name: x}]", "f.yaml")
    assert isinstance(read(found, Problems(found)).tree["model"][0], Fork)


def test_repeats_are_written_out_with_their_own_values():
    model = [
        {
            "stack": {
                "repeat": 3,
                "name": "s",
                "blocks": [
                    {"conv": {"filters": {"each": [1, 2, 3]}, "stride": {"each": [2, 1]}}},
                    {"dense": {"repeat": 2, "units": {"each": [7, 8]}}},
                    {"stack": {"blocks": [{"conv": {"filters": {"each": [4]}}}]}},
                    "flatten",
                ],
            }
        }
    ]
    entries = block_lists.written_out(model)
    assert [entry.name for entry in entries] == ["s-1", "s-2", "s-3"]
    assert entries[0].place == "[0] stack"
    last = entries[2].fields["blocks"]
    assert last[0] == {"conv": {"filters": 3, "stride": 1}}
    assert last[1] == {"dense": {"repeat": 2, "units": {"each": [7, 8]}}}
    assert last[2] == {"stack": {"blocks": [{"conv": {"filters": 4}}]}}
    assert [entry.fields["units"] for entry in block_lists.written_out([last[1]])] == [7, 8]


@pytest.mark.parametrize("item", [3, {"a": 1, "b": 2}, {"conv": 3}, {"dense": {"units": {"each": []}}}])
def test_what_is_no_block_cannot_be_written_out(item):
    with pytest.raises(ValueError, match=r"\[0\]|each"):
        block_lists.written_out([item])


@pytest.mark.parametrize(
    ("name", "path", "rest"),
    [
        ("stage", (1,), []),
        ("stage.repeat", (1,), ["repeat"]),
        ("stage.conv.filters", (1, "stack", "blocks", 0), ["filters"]),
        ("residual.parallel.2.conv.filters", (0, "residual", "blocks", 1, "parallel", "branches", 1, 1), ["filters"]),
        ("tail", (2,), []),
        ("tail.deep.dense.units", (2, "one_of", "deep", 0), ["units"]),
        ("stage.cnov.filters", (1,), ["cnov", "filters"]),
    ],
)
def test_a_name_leads_to_its_block(name, path, rest):
    model = block_lists.normalised(parse(NESTED, "f.yaml")).data["model"]
    assert block_lists.locate(model, name.split(".")) == (path, rest)


def test_a_name_that_leads_nowhere():
    assert block_lists.locate(["flatten", 3], ["block"]) is None
    assert block_lists.locate(["flatten"], ["conv"]) is None
    assert block_lists.locate("no list", ["conv"]) is None
