import json
from dataclasses import replace

import pytest

from automl.authoring import plan
from automl.authoring.plan import Sample, Timing
from automl.document.yaml_text import parse
from automl.experiment import experiment
from automl.model import build
from automl.model.summary import Layer, Summary
from automl.oracles import Ask, Brief, Proposer
from automl.records.objective import Goals
from automl.results import prediction
from automl.results.prediction import Prediction

TEXT = """
model:
  - conv: {filters: {values: [2, 4]}, kernel_size: {values: [3, 21]}, pool: max}
  - dense: {repeat: {min: 0, max: 1}, units: {min: 2, max: 9}}
training: {epochs: 9, batch_size: {values: [8, 16]}}
search: {algorithm: ALGORITHM, seed: 3, constraints: [conv.filters * conv.kernel_size < 50]}
"""
DATA = replace(build.data_of((6, 6, 1), 2), sizes={"train": 100})


def read(algorithm="random"):
    return experiment.check(parse(TEXT.replace("ALGORITHM", algorithm), "f.yaml"), "f")


@pytest.mark.parametrize("algorithm", ["random", "grid"])
def test_the_trials_are_those_of_the_search(algorithm):
    known = plan.asks(read(algorithm), 6)
    space = read(algorithm).space
    proposer = Proposer(read(algorithm).search.algorithm, Brief(space, Goals.single("score", "max"), 3))
    for ask, epochs in known:
        real = proposer.ask()
        assert epochs == 9
        proposer.tell(real.number, 0.0)
        assert (real.number, real.values) == (ask.number, ask.values)


def test_the_first_trials_of_a_model_based_search_are_those_of_the_search():
    proposer = Proposer(read("bayesian").search.algorithm, Brief(read().space, Goals.single("score", "max"), 3))
    for ask, _ in plan.asks(read("bayesian"), 8):
        real = proposer.ask()
        assert isinstance(real, Ask)
        proposer.tell(real.number, 0.5)
        assert real.values == ask.values


def test_trials_that_a_scheduler_would_stop_are_counted_short():
    epochs = [epochs for _, epochs in plan.asks(read("hyperband"), 40)]
    assert {1, 3, 9} == set(epochs)
    assert epochs.count(9) < 20


def test_a_small_space_ends():
    small = experiment.check(parse("model: [dense: {units: {values: [1, 2]}}]\nsearch: {algorithm: grid}", "f"), "f")
    assert len(plan.asks(small, 9)) == 2


def test_draws_are_legal_and_counted():
    found = read()
    values, share = plan.draws(found, 200)
    assert len(values) == 200
    assert all(found.space.legal(point) for point in values)
    assert 0.65 < share < 0.85  # one of four combinations is ruled out


def test_what_cannot_be_built_says_why():
    fits = plan.built(
        read(), {"conv.filters": 2, "conv.kernel_size": 3, "dense.repeat": 0, "training.batch_size": 8}, DATA
    )
    assert fits.summary is not None
    assert fits.summary.macs == 36 * 18 + 4
    assert (fits.epochs, fits.batch_size) == (9, 8)
    large = plan.built(
        read(), {"conv.filters": 2, "conv.kernel_size": 21, "dense.repeat": 0, "training.batch_size": 8}, DATA
    )
    assert large.summary is None
    assert "kernel_size 21x21 is larger than its input 6x6" in large.problem


def sample(macs, epochs=10, batch_size=10, steps=0):
    layers = (Layer("l", "Dense", (1,), 1, macs, steps),)
    return Sample({}, epochs, batch_size, Summary(layers, 1, 1))


def test_measured_trials_are_added_up():
    samples = [sample(100), sample(200), Sample({}, 10, 10, None, "no")]
    found = plan.predicted(samples, {0: Timing(1.0, 0.5), 1: Timing(2.0, 1.0)}, 100, workers=1)
    assert found.seconds == pytest.approx(1.0 + 5.0 + 2.0 + 10.0)
    assert found.high_s / found.low_s <= 3.0
    assert found.low_s < found.seconds < found.high_s
    assert plan.predicted(samples, {0: Timing(1.0, 0.5), 1: Timing(2.0, 1.0)}, 100, 2).seconds == found.seconds / 2


def test_the_others_are_extrapolated_from_what_they_compute():
    samples = [sample(macs * 1000, batch_size=batch) for macs in range(1, 8) for batch in (10, 20)]
    # A nanosecond a multiply-accumulate, a millisecond a batch.
    true = [1e-9 * s.summary.macs * 1000 + 1e-3 * 1000 / s.batch_size for s in samples]
    timings = {index: Timing(0.5, true[index]) for index in (0, 5, 9, 13)}
    found = plan.predicted(samples, timings, 1000, workers=1)
    assert found.seconds == pytest.approx(14 * 0.5 + 10 * sum(true), rel=1e-6)


def test_the_measured_ones_are_spread_over_their_costs():
    samples = [sample(macs) for macs in (5, 1, 9, 3, 7, 2, 8, 4, 6)] + [Sample({}, 1, 1, None)]
    places = plan.chosen(samples)
    assert len(places) == plan.MEASURED
    costs = sorted(samples[place].summary.macs for place in places)
    assert (costs[0], costs[-1]) == (1, 9)
    assert plan.chosen(samples[-1:]) == []


def test_a_plan_is_found_again_by_its_search_alone(tmp_path):
    document = {"name": "x", "model": [1], "search": {"trials": 3}}
    name = prediction.key(document, "digest", 1, "jax")
    assert prediction.key({**document, "name": "y"}, "digest", 1, "jax") == name
    assert prediction.key({**document, "model": [2]}, "digest", 1, "jax") != name
    assert prediction.key(document, "digest", 2, "jax") != name
    assert prediction.recall(tmp_path, name) is None
    prediction.remember(tmp_path, name, Prediction(2.0, 1.0, 3.0))
    assert prediction.recall(tmp_path, name) == Prediction(2.0, 1.0, 3.0)
    assert json.loads((tmp_path / "plans" / f"{name}.json").read_text())["high_s"] == 3.0
