"""Losses of numbers and of labels, by hand."""

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.metrics import log_loss, mean_pinball_loss

from automl.training.losses import LOSSES

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ERRORS = np.array([[0.5, -3.0], [0.0, 0.25], [-0.5, 2.0]])
NUMBERS = np.array([[1.0, 2.0], [3.0, 4.0], [-1.0, 0.5]], "float32")
GIVEN = (NUMBERS - ERRORS).astype("float32")

LABELS = np.array([[1, 0], [0, 0], [1, 1]], "float32")
CHANCES = np.array([[0.9, 0.2], [0.4, 0.1], [0.6, 0.8]], "float32")


def value(declared, targets=NUMBERS, given=GIVEN):
    return float(LOSSES.read(declared).build()(targets, given))


def test_errors_are_squared_or_taken_as_they_are():
    assert value("mse") == pytest.approx(np.square(ERRORS).mean(), rel=1e-6)
    assert value("mae") == pytest.approx(np.abs(ERRORS).mean(), rel=1e-6)
    assert value("log_cosh") == pytest.approx(np.log(np.cosh(ERRORS)).mean(), rel=1e-6)


@pytest.mark.parametrize("delta", [0.3, 1.0, 5.0])
def test_huber_is_a_square_up_to_delta_and_a_line_from_there(delta):
    size = np.abs(ERRORS)
    by_hand = np.where(size <= delta, size**2 / 2, delta * size - delta**2 / 2).mean()
    assert value({"huber": {"delta": delta}}) == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_the_pinball_loss_is_that_of_scikit_learn(quantile):
    assert value({"quantile": {"quantile": quantile}}) == pytest.approx(
        mean_pinball_loss(NUMBERS, GIVEN, alpha=quantile), rel=1e-6
    )


def test_the_median_makes_half_of_what_the_absolute_error_makes():
    assert value("quantile") == pytest.approx(value("mae") / 2, rel=1e-6)


@pytest.mark.parametrize("quantile", [0.25, 0.8])
def test_the_pinball_loss_is_least_at_the_quantile(quantile):
    targets = np.arange(101, dtype="float32")[:, None]
    losses = [value({"quantile": {"quantile": quantile}}, targets, np.full_like(targets, at)) for at in range(101)]
    assert np.argmin(losses) == 100 * quantile


@pytest.mark.parametrize("quantile", [0.0, 1.0, -0.5])
def test_a_quantile_lies_between_0_and_1(quantile):
    with pytest.raises(ValidationError):
        LOSSES.read({"quantile": {"quantile": quantile}})


def test_labels_are_judged_one_by_one():
    by_hand = np.mean([log_loss(LABELS[:, column], CHANCES[:, column], labels=[0, 1]) for column in range(2)])
    assert value("binary_crossentropy", LABELS, CHANCES) == pytest.approx(by_hand, rel=1e-5)
    smoothed = LABELS * 0.8 + 0.1
    by_hand = -(smoothed * np.log(CHANCES) + (1 - smoothed) * np.log(1 - CHANCES)).mean()
    assert value({"binary_crossentropy": {"label_smoothing": 0.2}}, LABELS, CHANCES) == pytest.approx(by_hand, rel=1e-5)


def test_binary_focal_weighs_sure_labels_down():
    right = np.where(LABELS > 0, CHANCES, 1 - CHANCES)
    by_hand = ((1 - right) ** 3 * -np.log(right)).mean()
    assert value({"binary_focal": {"gamma": 3.0}}, LABELS, CHANCES) == pytest.approx(by_hand, rel=1e-5)
    weight = np.where(LABELS > 0, 0.7, 0.3)
    balanced = {"binary_focal": {"gamma": 3.0, "apply_class_balancing": True, "alpha": 0.7}}
    by_hand = (weight * (1 - right) ** 3 * -np.log(right)).mean()
    assert value(balanced, LABELS, CHANCES) == pytest.approx(by_hand, rel=1e-5)
