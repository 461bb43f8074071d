"""Regression: targets, their state, the head in the user's units, the loss in deviations, metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import (
    mean_absolute_error,
    mean_pinball_loss,
    mean_squared_error,
    median_absolute_error,
    r2_score,
    root_mean_squared_error,
)

from automl.errors import DataError, Infeasible
from automl.flow import Flow
from automl.records.data import TaskSpec
from automl.tasks._r2 import macro_r2
from automl.tasks.regression import Regression
from automl.training.losses import LOSSES

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TASK = Regression()
ONE = {"y": np.array([1.0, 3.0, 8.0])}
TWO = {"a": np.array([1, 2, 4]), "b": np.array([100.5, -3.0, 0.0])}


def spec(targets: dict[str, np.ndarray]) -> TaskSpec:
    scanned = TASK.scan(targets)
    return TaskSpec({"regression": {}}, ("y",), TASK.fit(TASK.store(targets, scanned), scanned))


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        (ONE, ["y"]),
        ({"y": np.array([[1], [2]])}, ["y"]),
        ({"y": np.array([[1, 2], [3, 4]])}, ["0", "1"]),
        (TWO, ["a", "b"]),
        ({"a": np.array([[1, 2], [3, 4]]), "b": np.array([1, 2])}, ["a.0", "a.1", "b"]),
        ({"y": np.array([True, False])}, ["y"]),
    ],
)
def test_targets_are_named(targets: dict[str, np.ndarray], names: list[str]) -> None:
    assert TASK.scan(targets) == {"targets": names}
    stored = TASK.store(targets, {})
    assert stored.dtype == np.float32
    assert stored.shape == (len(next(iter(targets.values()))), len(names))


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"y": np.array([])}, r"^regression: there are no targets\.$"),
        ({"y": np.zeros((0, 2))}, r"^regression: there are no targets\.$"),
        ({"pm25": np.array(["1", "2"])}, "^regression: the target 'pm25' is no number. Expected numbers; received '1'"),
        ({"y": np.array([1.0, None], dtype=object)}, "'y' is no number. Expected numbers; received dtype object"),
        ({"y": np.zeros((3, 2, 2))}, r"received shape \(3, 2, 2\)"),
        ({"a": np.array([1.0, 2.0, np.nan])}, "the target 'a' of row 3 is no finite number. Received nan"),
        ({"y": np.array([[1, 2], [3, np.inf]])}, "the target '1' of row 2 is no finite number. Received inf"),
        ({"a": np.array([1, 2]), "b": np.array([5, 5])}, "the target 'b' is 5 in every row. Expected numbers that"),
        ({"y": np.array([1e-20, 2e-20])}, "too small for float32. Expected a standard deviation of 1e-12 to 1e.15"),
        ({"y": np.array([-1e308, 1e308])}, "too large for float32.*Give it in another unit"),
        (
            {"when": 1_700_000_000 + np.arange(50)},
            "'when' that differ are one number in float32.*received 1700000000.0 and 1700000001.0. Take 1700000000 off",
        ),
    ],
)
def test_what_cannot_be_learned_is_refused(targets: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        TASK.scan(targets)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("far", [0.0, 1e4, -1e6])
def test_numbers_far_from_zero_are_learned_as_long_as_float32_tells_them_apart(far: float) -> None:
    rng = np.random.default_rng(0)
    targets = {"y": far + rng.normal(0, 50, 500)}
    learned = spec(targets).state
    assert learned["mean"] == pytest.approx([targets["y"].mean()], rel=1e-6)
    assert learned["deviation"] == pytest.approx([targets["y"].std()], rel=1e-3)


def test_the_state_is_of_the_rows_that_train() -> None:
    stored = np.array([[1, 7], [3, 7]], np.float32)
    learned = TASK.fit(stored, {"targets": ["a", "b"]})
    # A target of a single value is left as it is, but for its mean.
    assert learned == {"targets": ["a", "b"], "mean": [2.0, 7.0], "deviation": [1.0, 1.0]}
    assert TASK.strata(ONE) is None
    assert TASK.weights(stored, learned) is None


def test_a_batch_is_in_the_targets_own_units_and_a_copy() -> None:
    stored = TASK.store(TWO, {})
    batch = TASK.encode(stored, spec(TWO).state)
    np.testing.assert_array_equal(batch, stored)
    assert not np.shares_memory(batch, stored)


def head(targets: dict[str, np.ndarray]) -> Any:
    import keras

    entrance = keras.Input((4,))
    return keras.Model(entrance, TASK.head(Flow(entrance, "vector"), spec(targets)))


def test_the_head_gives_the_targets_own_units(tmp_path: Any) -> None:
    import keras

    network, learned = head(TWO), spec(TWO).state
    network.save(tmp_path / "m.keras")
    read = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    plain = x @ network.get_layer("deviations").get_weights()[0]
    expected = plain * learned["deviation"] + learned["mean"]
    # Whoever reads the file needs no package but Keras.
    assert {type(layer).__module__.partition(".")[0] for layer in read.layers} == {"keras"}
    for each in (network, read):
        np.testing.assert_allclose(each.predict(x, verbose=0), expected, rtol=1e-5)


def test_what_the_model_gives_is_the_answer() -> None:
    outputs = np.array([[1.5], [2.5]], np.float32)
    found, likely = TASK.answers(outputs, TASK.metadata(spec(ONE)))
    assert found["prediction"].tolist() == [1.5, 2.5]
    assert likely == {}
    both = np.array([[1, 2], [3, 4]], np.float32)
    named, _ = TASK.answers(both, TASK.metadata(spec(TWO)))
    assert {name: column.tolist() for name, column in named.items()} == {"a": [1, 3], "b": [2, 4]}
    assert TASK.details(outputs, outputs, spec(ONE)) == []
    assert TASK.details(both, both - 1, spec(TWO))[1] == {"target": "b", "mae": 1.0, "rmse": 1.0}
    assert TASK.metadata(spec(TWO)) == {"targets": ["a", "b"]}
    assert TASK.tells(spec(ONE)) == "1 target"
    assert TASK.tells(spec(TWO)) == "2 targets (a, b)"


@pytest.mark.parametrize("name", Regression.losses)
def test_a_loss_is_of_deviations(name: str) -> None:
    rng = np.random.default_rng(0)
    targets = {"a": rng.normal(500, 20, 64), "b": rng.normal(-3, 0.1, 64)}
    known, y = spec(targets), TASK.store(targets, {})
    given = y + rng.normal(0, 1, y.shape).astype("float32") * [15, 0.05]
    declared = LOSSES.read(name)
    mean, deviation = np.array(known.state["mean"]), np.array(known.state["deviation"])
    expected = declared.build()((y - mean) / deviation, (given - mean) / deviation)
    assert float(TASK.loss(declared, known)(y, given)) == pytest.approx(float(expected), rel=1e-3)


def test_the_own_loss_is_the_mean_squared_error() -> None:
    known, y = spec(ONE), TASK.store(ONE, {})
    own = float(TASK.loss(None, known)(y, y + np.float32(known.state["deviation"][0])))
    assert own == pytest.approx(1.0)
    quantile = TASK.loss(LOSSES.read({"quantile": {"quantile": 0.9}}), known)
    shifted = (y - known.state["mean"]) / known.state["deviation"]
    assert float(quantile(y, np.full_like(y, known.state["mean"]))) == pytest.approx(
        mean_pinball_loss(shifted, np.zeros_like(shifted), alpha=0.9), rel=1e-5
    )
    with pytest.raises(Infeasible, match=r"training.loss: focal does not fit regression. Expected one of mse, mae, "):
        TASK.loss(LOSSES.read("focal"), known)


@pytest.mark.parametrize("far", [0.0, 1e5])
@pytest.mark.parametrize("targets", [1, 3])
def test_metrics_are_those_of_scikit_learn(targets: int, far: float) -> None:
    rng = np.random.default_rng(1)
    units = np.array([1.0, 10.0, 300.0])[:targets]
    raw = {str(column): far + rng.normal(0, unit, 400) for column, unit in enumerate(units)}
    known, y = spec(raw), TASK.store(raw, {})
    given = y + (rng.normal(0, 0.5, y.shape) * units).astype("float32")
    found = {}
    for metric in TASK.keras_metrics(known):
        for part in (slice(0, 150), slice(150, 400)):
            metric.update_state(y[part], given[part])
        found[metric.name] = float(metric.result())
    found |= TASK.measure(given, y, known)
    assert set(found) | {"loss"} == set(TASK.metrics)
    y, given = y.astype(float), given.astype(float)
    assert found["mae"] == pytest.approx(mean_absolute_error(y, given), rel=1e-4)
    assert found["mse"] == pytest.approx(mean_squared_error(y, given), rel=1e-4)
    assert found["rmse"] == pytest.approx(root_mean_squared_error(y.ravel(), given.ravel()), rel=1e-4)
    assert found["medae"] == pytest.approx(median_absolute_error(y.ravel(), given.ravel()), rel=1e-4)
    assert found["r2"] == pytest.approx(r2_score(y, given), abs=1e-4)


def test_targets_of_a_tuner_of_the_users_own_may_have_no_second_axis() -> None:
    known = spec(ONE)
    given = ONE["y"][:, None] + np.float32(1.0)
    found = []
    for y in (ONE["y"], ONE["y"][:, None]):
        metric = macro_r2(known.state["mean"], known.state["deviation"])
        metric.update_state(y, given)
        found.append((float(metric.result()), float(TASK.loss(None, known)(y, given))))
    assert found[0] == pytest.approx(found[1])
    assert found[0][0] == pytest.approx(r2_score(ONE["y"], given[:, 0]))


def test_r2_leaves_out_a_target_of_a_single_value() -> None:
    y = np.array([[0.3, 1.0], [0.3, 2.0], [0.3, 3.0]], "float32")
    metric = macro_r2([0.0, 2.0], [1.0, 1.0])
    assert float(metric.result()) == 0.0
    metric.update_state(y, y)
    assert float(metric.result()) == 1.0
    metric.reset_state()
    metric.update_state(y, np.full_like(y, 2.0))
    assert float(metric.result()) == 0.0
    metric.reset_state()
    metric.update_state(y[:, :1].repeat(2, axis=1), y)
    assert float(metric.result()) == 0.0
    metric.reset_state()
    metric.update_state(y, np.full_like(y, np.nan))
    assert np.isnan(float(metric.result()))


@pytest.mark.slow
@pytest.mark.parametrize(("far", "scale"), [(0.0, 1.0), (20_000.0, 1.0), (0.0, 1e-9), (0.0, 1e9)])
def test_numbers_of_any_size_are_learned_alike(far: float, scale: float) -> None:
    """A network without scaled targets would need as many steps as there are units between 0 and them."""
    import keras

    rng = np.random.default_rng(0)
    x = rng.normal(size=(128, 4)).astype("float32")
    targets = {"y": scale * (far + x @ [3.0, -1.0, 0.5, 2.0])}
    known = spec(targets)
    keras.utils.set_random_seed(0)
    network = head(targets)
    network.compile("adam", TASK.loss(None, known), metrics=TASK.keras_metrics(known))
    network.optimizer.learning_rate = 0.05
    network.fit(x, TASK.encode(TASK.store(targets, {}), known.state), epochs=20, batch_size=32, verbose=0)
    logs = network.evaluate(x, TASK.store(targets, {}), verbose=0, return_dict=True)
    assert logs["r2"] > 0.99
    assert logs["rmse"] < 0.1 * targets["y"].std()
