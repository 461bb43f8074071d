import pytest

from automl.document import overrides
from automl.document.yaml_text import parse
from automl.errors import ConfigError

TEXT = """\
model:
  - conv: {filters: {min: 8, max: 64}}
  - conv:
      name: reduce
      pool: max
  - conv
  - dense:
training:
  epochs: 30
  optimizer:
    one_of:
      adam: {learning_rate: 0.1}
      sgd:
search: {seed: 1, algorithm: grid}
"""


def applied(*options, text=TEXT):
    document = parse(text, "f.yaml")
    for option in options:
        document = overrides.apply(document, option)
    return document


def refusal(option, text=TEXT):
    with pytest.raises(ConfigError) as caught:
        applied(option, text=text)
    (problem,) = caught.value.problems
    assert problem.where == f"--set {option}"
    return str(problem).removeprefix(f"--set {option}: ")


@pytest.mark.parametrize(
    ("option", "path", "value"),
    [
        ("training.epochs=3", ("training", "epochs"), 3),
        (" training.epochs =3", ("training", "epochs"), 3),
        ("training.batch_size={values: [8, 16]}", ("training", "batch_size"), {"values": [8, 16]}),
        ("training.early_stopping.patience=3", ("training", "early_stopping", "patience"), 3),
        ("training.clipnorm=", ("training", "clipnorm"), None),
        ("training.clipnorm=1e-3", ("training", "clipnorm"), 1e-3),
        ("name=off", ("name",), "off"),
        ("name=a=b", ("name",), "a=b"),
        ("conv.filters=8", ("model", 0, "conv", "filters"), 8),
        ("model.conv.filters=8", ("model", 0, "conv", "filters"), 8),
        ("conv.filters.max=32", ("model", 0, "conv", "filters", "max"), 32),
        ("reduce.pool=avg", ("model", 1, "conv", "pool"), "avg"),
        ("conv_3.filters=8", ("model", 2, "conv", "filters"), 8),
        ("dense.units=8", ("model", 3, "dense", "units"), 8),
        ("dense=null", ("model", 3, "dense"), None),
        ("training.optimizer=adam", ("training", "optimizer"), "adam"),
        ("training.optimizer.adam.learning_rate=1", ("training", "optimizer", "one_of", "adam", "learning_rate"), 1),
        ("training.optimizer.sgd.momentum=0.5", ("training", "optimizer", "one_of", "sgd", "momentum"), 0.5),
        ("training.optimizer.nadam={}", ("training", "optimizer", "one_of", "nadam"), {}),
        ("training.optimizer.one_of.sgd.momentum=1", ("training", "optimizer", "one_of", "sgd", "momentum"), 1),
        ("training.optimizer.default=sgd", ("training", "optimizer", "default"), "sgd"),
        ("search.algorithm.grid.x=3", ("search", "algorithm", "grid", "x"), 3),
        ("data.limit.train=3", ("data", "limit", "train"), 3),
    ],
)
def test_a_value_is_written_where_its_name_says(option, path, value):
    document = applied(option)
    node = document.data
    for part in path:
        node = node[part]
    assert node == value
    assert document.where(path) == f"--set {option}"


def test_the_rest_of_the_document_and_the_one_read_stay_as_they_were():
    before = parse(TEXT, "f.yaml")
    after = overrides.apply(before, "training.epochs=3")
    assert before.data == parse(TEXT, "f.yaml").data
    assert after.data == {**before.data, "training": {**before.data["training"], "epochs": 3}}
    assert after.where(("training", "optimizer")) == before.where(("training", "optimizer")) == "f.yaml:10:3"
    assert after.where(("training",)) == "f.yaml:8:1"


def test_settings_stand_one_above_the_other():
    document = applied("training.epochs=3", "training={batch_size: 8}", "training.epochs=4")
    assert document.data["training"] == {"batch_size": 8, "epochs": 4}
    assert document.where(("training", "epochs")) == "--set training.epochs=4"
    assert document.where(("training", "batch_size")) == "--set training={batch_size: 8}"


def test_what_a_setting_made_on_its_way_bears_its_name():
    document = applied("data.split.val=0.5")
    for path in (("data",), ("data", "split"), ("data", "split", "val")):
        assert document.where(path) == "--set data.split.val=0.5"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("training.epochs", "not a setting. Expected path=value, as in training.epochs=3."),
        ("=3", "not a setting. Expected path=value, as in training.epochs=3."),
        (" =3", "not a setting. Expected path=value, as in training.epochs=3."),
        (".epochs=3", "not a setting. Expected path=value, as in training.epochs=3."),
        ("training. .x=3", "not a setting. Expected path=value, as in training.epochs=3."),
        ("training.epochs.x=3", "training.epochs has no fields. Expected a mapping; received 30."),
        ("training.epochs.x.y=3", "training.epochs has no fields. Expected a mapping; received 30."),
        ("search.algorithm.random.x=3", "search.algorithm has no fields. Expected a mapping; received 'grid'."),
        (
            "redcue.pool=max",
            (
                "nothing is called 'redcue'. Expected one of conv, reduce, conv_3, dense, training, search, "
                "evaluation, data. Did you mean 'reduce'?"
            ),
        ),
        ("training.epochs={a: 1, a: 2}", 'the key stands twice in one mapping: "a". Keep one of them.'),
    ],
)
def test_a_wrong_setting_is_refused(option, said):
    assert refusal(option) == said


@pytest.mark.parametrize("model", ["3", "{dense: 3}", "[3, {a: 1, b: 2}, null]", "null"])
def test_a_model_that_is_none_is_left_to_the_check_of_the_document(model):
    text = f"model: {model}\n"
    assert applied("training.epochs=3", text=text).data["model"] == parse(text, "f.yaml").data["model"]
    assert refusal("block.x=3", text=text).startswith("nothing is called 'block'")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "f.yaml: a list of wishes is a mapping. Expected keys a, b; received an empty document."),
        ("# none\n", "f.yaml: a list of wishes is a mapping. Expected keys a, b; received an empty document."),
        ("{}", "f.yaml:1:1: a list of wishes is a mapping. Expected keys a, b; received an empty document."),
        ("[]", "f.yaml:1:1: a list of wishes is a mapping. Expected keys a, b; received an empty document."),
        ("\n- a\n", "f.yaml:2:1: a list of wishes is a mapping. Expected keys a, b; received a list."),
        ("text", "f.yaml: a list of wishes is a mapping. Expected keys a, b; received text."),
        ("true", "f.yaml: a list of wishes is a mapping. Expected keys a, b; received true or false."),
        ("1.5", "f.yaml: a list of wishes is a mapping. Expected keys a, b; received a number."),
    ],
)
def test_a_document_must_be_a_mapping(text, said):
    with pytest.raises(ConfigError) as caught:
        overrides.require_mapping(parse(text, "f.yaml"), "a list of wishes", ("a", "b"))
    assert str(caught.value) == said


def test_a_mapping_is_a_document():
    overrides.require_mapping(parse(TEXT, "f.yaml"), "a search space", ("model",))
    assert parse(TEXT, "f.yaml").data["model"]
