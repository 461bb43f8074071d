from textwrap import dedent

import pytest

from automl.document.yaml_text import parse
from automl.errors import ConfigError
from automl.experiment import experiment
from automl.experiment.experiment import Experiment


def check(text: str) -> Experiment:
    return experiment.check(parse(dedent(text), "f.yaml"), "f")


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        check(text)
    return [str(problem) for problem in caught.value.problems]


def training(optimizer: str) -> str:
    return f"model: [dense]\ntraining: {{optimizer: {optimizer}}}\n"


# --- what a domain may become


@pytest.mark.parametrize(
    ("field", "domain", "values"),
    [
        ("learning_rate", "{min: 1, max: 5, step: 2}", [1.0, 3.0, 5.0]),
        ("learning_rate", "{min: 1, max: 5, step: 2, default: 3}", [1.0, 3.0, 5.0]),
        ("momentum", "{min: 0, max: 1, step: 0.25}", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("momentum", "{min: 0, max: 1, step: 1}", [0.0, 1.0]),
        ("momentum", "{min: 1, max: 1}", [1.0]),
    ],
)
def test_a_range_of_a_number_field_yields_decimals(field, domain, values):
    space = check(training(f"{{sgd: {{{field}: {domain}}}}}")).space
    found = space.by_name[f"training.optimizer.sgd.{field}"].domain
    assert list(found.points()) == values
    assert {type(value) for value in found.points()} == {float}
    assert type(found.default) is float
    resolved = space.resolve(space.defaults())["training"]["optimizer"]["sgd"][field]
    assert (resolved, type(resolved)) == (found.default, float)


def test_a_whole_range_of_a_number_field_is_continuous():
    space = check(training("{sgd: {learning_rate: {min: 1, max: 100, log: true}}}")).space
    domain = space.by_name["training.optimizer.sgd.learning_rate"].domain
    assert domain.size is None
    assert domain.holds(2.5)
    assert domain.log


def test_each_value_of_a_number_field_is_cast():
    space = check("model: [{dense: {repeat: 2, dropout: {min: 0, max: 0, each: true}}}]").space
    assert {name: type(value) for name, value in space.defaults().items()} == {
        "dense.dropout.1": float,
        "dense.dropout.2": float,
    }


def test_a_range_of_a_whole_field_stays_whole():
    space = check("model: [{dense: {units: {min: 8, max: 32, log: true}}}]").space
    assert space.by_name["dense.units"].domain.whole
    assert type(space.defaults()["dense.units"]) is int


@pytest.mark.parametrize(
    ("domain", "said"),
    [
        ("{min: 8, max: 16.5}", ["f.yaml:1:34: units does not fit. Expected a whole number; received 16.5."]),
        ("{min: 8, max: 16, step: 0.5}", ["f.yaml:1:43: units does not fit. Expected a whole number; received 0.5."]),
        (
            "{min: 8, max: 16, default: 8.0}",
            ["f.yaml:1:43: units does not fit. Expected a whole number; received 8.0."],
        ),
        (
            "{min: 0.5, max: 2.5}",
            [
                "f.yaml:1:26: units does not fit. Expected a whole number; received 0.5.",
                "f.yaml:1:36: units does not fit. Expected a whole number; received 2.5.",
            ],
        ),
    ],
)
def test_only_the_number_with_decimals_is_at_fault(domain, said):
    assert problems(f"model: [{{dense: {{units: {domain}}}}}]") == said


# --- bounds, at both ends


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("units: {min: 1, max: 65536}", []),
        ("units: {min: 0, max: 8}", ["f.yaml:1:26: units does not fit. Expected at least 1; received 0."]),
        ("units: {min: 1, max: 65537}", ["f.yaml:1:34: units does not fit. Expected at most 65536; received 65537."]),
        ("units: {values: [8, 0]}", ["f.yaml:1:38: units does not fit. Expected at least 1; received 0."]),
        ("dropout: {min: 0, max: 0.99}", []),
        ("dropout: {min: 0, max: 1}", ["f.yaml:1:36: dropout does not fit. Expected below 1; received 1."]),
        ("dropout: {min: -0.5, max: 0.5}", ["f.yaml:1:28: dropout does not fit. Expected at least 0; received -0.5."]),
        # `max` itself is no value of this grid, but whoever writes it means it.
        ("dropout: {min: 0, max: 1, step: 0.4}", ["f.yaml:1:36: dropout does not fit. Expected below 1; received 1."]),
        ("activation: {values: [relu, rleu]}", ["f.yaml:1:46: activation does not fit."]),
        ("repeat: {min: -1, max: 1}", ["f.yaml:1:27: repeat does not fit. Expected at least 0; received -1."]),
    ],
)
def test_every_end_of_a_domain_must_fit(fields, said):
    text = f"model: [{{dense: {{{fields}}}}}]"
    if not said:
        assert check(text).space.params
        return
    found = problems(text)
    assert len(found) == len(said)
    assert all(message.startswith(start) for message, start in zip(found, said, strict=True))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("bidirectional: {values: [true, false]}", None),
        ("bidirectional: {values: [true, 0]}", "bidirectional does not fit. Expected true or false; received 0."),
        ("bidirectional: {min: 0, max: 1}", "bidirectional does not fit. Expected true or false; received 0."),
        ("cell: {values: [lstm, null]}", "cell does not fit."),
        ("units: true", "units does not fit. Expected a whole number; received true."),
        ("units: '3'", "units does not fit. Expected a whole number; received '3'."),
        ("units: [3]", "units does not fit. Expected a whole number; received [3]."),
        ("units: {a: 3}", "units does not fit. Expected a whole number; received {a: 3}."),
    ],
)
def test_nothing_is_coerced(fields, said):
    text = f"model: [{{recurrent: {{{fields}}}}}]"
    if said is None:
        assert check(text).space.size() == 2
    else:
        assert said in problems(text)[0]


def test_null_is_a_value_where_a_field_may_be_null():
    space = check("model: [dense]\ntraining: {clipnorm: {values: [null, 1.0]}, early_stopping: null}").space
    assert space.by_name["training.clipnorm"].domain.values == (None, 1.0)


def test_lists_are_literals_and_may_hold_domains():
    assert check("model: [{conv: {kernel_size: [3, 5]}}]").space.size() == 1
    space = check("model: [{conv: {kernel_size: [3, {values: [3, 5]}]}}]").space
    assert space.resolve({"conv.kernel_size.1": 5})["model"][0]["conv"]["kernel_size"] == [3, 5]
    assert "kernel_size does not fit" in problems("model: [{conv: {kernel_size: [3, {values: [x]}]}}]")[0]


# --- each


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("repeat: 2, units: {each: [8, 16]}", None),
        ("units: {each: [8]}", None),
        ("repeat: 2, units: {each: [8, x]}", "f.yaml:1:47: units does not fit. Expected a whole number; received 'x'."),
        ("repeat: 2, units: {each: [8, 0]}", "f.yaml:1:47: units does not fit. Expected at least 1; received 0."),
        (
            "repeat: 1, units: {each: [8, 16]}",
            "f.yaml:1:37: each must hold values for the repeats. Expected 1 value; received 2.",
        ),
        ("units: {each: 8}", "f.yaml:1:18: units does not fit. Expected a whole number; received {each: 8}."),
    ],
)
def test_literal_each_values_are_checked_one_by_one(fields, said):
    text = f"model: [{{dense: {{{fields}}}}}]"
    if said is None:
        assert check(text).space.params == ()
    else:
        assert problems(text) == [said]


def test_each_values_outside_of_a_block_have_no_repeat():
    # The misplaced `each` is told, and that an epoch count is no mapping follows from it.
    assert problems("model: [dense]\ntraining: {epochs: {each: [1, 2]}}")[0] == (
        "f.yaml:2:21: each has no repeat to follow. Use it inside a block."
    )


# --- declarations and variants


def test_a_one_of_checks_every_branch():
    text = """\
        model: [dense]
        training:
          optimizer:
            one_of:
              adam: {learning_rate: {min: 0.1, max: 1.0}, beta_1: 1.5}
              sgd: {momentum: {min: 0, max: 2}, nesterov: 1}
    """
    assert problems(text) == [
        "f.yaml:5:51: beta_1 does not fit. Expected below 1; received 1.5.",
        "f.yaml:6:32: momentum does not fit. Expected at most 1; received 2.",
        "f.yaml:6:41: nesterov does not fit. Expected true or false; received 1.",
    ]


def test_a_choice_of_names_is_checked_as_declarations():
    space = check(training("{values: [adam, sgd], default: sgd}")).space
    assert space.resolve(space.defaults())["training"]["optimizer"] == "sgd"
    assert "unknown optimizer 'sdg'" in problems(training("{values: [adam, sdg]}"))[0]


@pytest.mark.parametrize("value", ["3", "[adam]", "{adam: 3}", "null", "{}"])
def test_what_is_no_declaration_is_told_once(value):
    (said,) = problems(training(value))
    assert said.startswith("f.yaml:2:12: optimizer must be one name, or one name with its fields. Expected one of ada")


def test_a_wrong_domain_is_told_once():
    assert problems("model: [{dense: {units: {min: 9, max: 3}}}]") == [
        "f.yaml:1:26: min is above max. Expected at most 3; received 9."
    ]


@pytest.mark.parametrize("loss", ["null", "{values: [null, focal]}", "focal", "{crossentropy: {label_smoothing: 0.1}}"])
def test_a_declaration_may_be_null_where_null_may_stand(loss):
    from automl.experiment import experiment

    read = experiment.check(parse(f"model: [flatten]\ntraining: {{loss: {loss}}}", "f.yaml"), "f")
    assert read.space.tree["training"]["loss"] != "wrong"


def test_a_declaration_may_not_be_null_elsewhere():
    from automl.experiment import experiment

    with pytest.raises(ConfigError, match="optimizer must be one name"):
        experiment.check(parse("model: [flatten]\ntraining: {optimizer: null}", "f.yaml"), "f")
