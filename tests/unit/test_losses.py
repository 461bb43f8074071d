"""Losses: fields are Keras's arguments with Keras's defaults; what they come to, by hand."""

import inspect

import numpy as np
import pytest

from automl.errors import ConfigError
from automl.experiment import experiment
from automl.training.losses import LOSSES

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TARGETS = np.array([[1, 0, 0], [0, 1, 0]], "float32")
CHANCES = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]], "float32")


def value(declared):
    return float(LOSSES.read(declared).build()(TARGETS, CHANCES))


@pytest.mark.parametrize("name", sorted(set(LOSSES.names()) - {"quantile"}))  # which Keras does not have
def test_fields_are_keras_arguments_with_keras_defaults(name):
    import keras

    member = LOSSES.get(name)
    arguments = inspect.signature(getattr(keras.losses, member.keras_class)).parameters
    assert {field: info.default for field, info in member.model_fields.items()} == {
        # The rest says how the head is built and how a batch is summed up, which is not the user's to set.
        field: arguments[field].default
        for field in arguments.keys() - {"from_logits", "axis", "reduction", "name", "dtype"}
    }
    assert all(info.description for info in member.model_fields.values())


def test_label_smoothing_is_cross_entropy_against_the_smoothed_targets():
    smoothed = TARGETS * 0.8 + 0.2 / 3
    by_hand = -(smoothed * np.log(CHANCES)).sum(axis=1).mean()
    assert value({"crossentropy": {"label_smoothing": 0.2}}) == pytest.approx(by_hand, abs=1e-6)
    assert value("crossentropy") == pytest.approx(-np.log([0.7, 0.6]).mean(), abs=1e-6)


def test_focal_weighs_sure_examples_down():
    chance = np.array([0.7, 0.6])
    by_hand = (0.5 * (1 - chance) ** 3 * -np.log(chance)).mean()
    assert value({"focal": {"gamma": 3.0, "alpha": 0.5}}) == pytest.approx(by_hand, abs=1e-6)
    assert value({"focal": {"gamma": 0.0, "alpha": 1.0}}) == pytest.approx(value("crossentropy"), abs=1e-6)


def test_losses_are_searched(tmp_path):
    space = tmp_path / "s.yaml"
    space.write_text(
        "model: [dense]\n"
        "training: {loss: {one_of: {crossentropy: {label_smoothing: {min: 0.0, max: 0.2}}, focal: {}}}}\n"
    )
    searched = experiment.load(str(space))
    assert set(searched.space.by_name) == {"training.loss", "training.loss.crossentropy.label_smoothing"}
    smoothed = {"training.loss": "crossentropy", "training.loss.crossentropy.label_smoothing": 0.1}
    losses = [experiment.training(searched.trial(values)).loss for values in (smoothed, {"training.loss": "focal"})]
    assert losses == [LOSSES.read({"crossentropy": {"label_smoothing": 0.1}}), LOSSES.read("focal")]
    assert experiment.training({}).loss is None
    assert experiment.training({"training": {"loss": None}}).loss is None


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("focl", f"unknown loss 'focl'. Expected one of {', '.join(LOSSES.names())}. Did you mean 'focal'?"),
        ("{crossentropy: {gamma: 1.0}}", "unknown key 'gamma'. Expected one of label_smoothing"),
        ("{crossentropy: {label_smoothing: 1.5}}", "at most 1; received 1.5"),
    ],
)
def test_mistakes_are_told(tmp_path, loss, message):
    (tmp_path / "s.yaml").write_text(f"model: [dense]\ntraining: {{loss: {loss}}}\n")
    with pytest.raises(ConfigError) as caught:
        experiment.load(str(tmp_path / "s.yaml"))
    assert message in str(caught.value)
