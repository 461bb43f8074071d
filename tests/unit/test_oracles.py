"""What is special to one search algorithm; what all promise is in tests/contracts/test_oracles.py."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError

from automl.document.problems import Problems
from automl.document.yaml_text import parse
from automl.errors import MissingExtra
from automl.oracles import Ask, Brief, Done, PastTrial, Proposer, _sampled, registry
from automl.oracles._modelled import tamed
from automl.oracles.auto import Auto
from automl.oracles.bayesian import Bayesian, best_length
from automl.oracles.gp import Gp
from automl.oracles.grid import Grid
from automl.oracles.random import Random
from automl.oracles.tpe import Tpe
from automl.records.objective import Goals
from automl.space.grammar import read


def space_of(training, search=""):
    document = parse(f"model: [flatten]\ntraining: {training}\nsearch: {{{search}}}\n", "space.yaml")
    problems = Problems(document)
    space = read(document, problems)
    problems.stop()
    return space


CONTINUOUS = space_of("{a: {min: 0.0, max: 1.0}, b: {min: 1e-4, max: 1.0, log: true}, c: {values: [x, y, z]}}")


def propose(algorithm, space=CONTINUOUS, direction="max", seed=0):
    return Proposer(algorithm, Brief(space, Goals.single("score", direction), seed))


# --- declaring


def test_an_algorithm_is_a_name_or_a_name_with_settings():
    assert registry.read("random") == Random()
    assert registry.read({"bayesian": {"beta": 1, "initial_points": 4}}) == Bayesian(beta=1.0, initial_points=4)
    for wrong in ({"hyperband": {"factor": 3}}, {"bayesian": {"initial_points": 0}}, {"random": {"seed": 1}}):
        with pytest.raises(ValidationError):
            registry.read(wrong)


def test_declaring_an_algorithm_imports_no_keras():
    code = (
        "import sys; from automl.oracles import registry; [registry.get(n) for n in registry.names()];"
        "print([n for n in ('keras', 'keras_tuner', 'sklearn', 'tensorflow') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# --- random


def test_random_draws_are_spread_evenly():
    proposer = propose(Random())
    values = [proposer.ask().values for _ in range(300)]
    assert 0.4 < np.mean([v["training.a"] for v in values]) < 0.6
    logs = [np.log10(v["training.b"]) for v in values]
    assert -2.3 < np.mean(logs) < -1.7
    assert min(Counter(v["training.c"] for v in values).values()) > 70


def test_random_gives_up_on_a_large_space_that_brings_nothing_new():
    space = space_of("{a: {min: 1, max: 20000}, b: {min: 0.0, max: 0.0}}", "constraints: [training.a + training.b < 1]")
    proposer = propose(Random(), space)
    assert proposer.ask() == Done("1,000 draws in a row gave nothing new; 0 of 20,000 points were tried")


def test_the_only_point():
    proposer = propose(Random(), space_of("{a: {values: [1]}}"))
    assert proposer.ask().values == {"training.a": 1}
    assert proposer.ask() == Done("the only point of the space was tried")


# --- grid


def test_grid_runs_the_last_parameter_fastest_and_ranges_at_ten_points():
    space = space_of("{a: {values: [x, y]}, b: {min: 0.0, max: 0.9}, c: {min: 1, max: 3}}")
    proposer = propose(Grid(), space)
    asks = []
    while isinstance(ask := proposer.ask(), Ask):
        asks.append(ask)
    points = [tuple(ask.values.values()) for ask in asks]
    assert points[:4] == [("x", 0.0, 1), ("x", 0.0, 2), ("x", 0.0, 3), ("x", 0.1, 1)]
    assert len(set(points)) == len(points) == 2 * 10 * 3
    assert "60 points were tried" in ask.reason


def test_a_huge_grid_starts_at_once():
    space = space_of("{" + ", ".join(f"p{i}: {{min: 1, max: 9}}" for i in range(60)) + "}")
    proposer = propose(Grid(), space)
    assert list(proposer.ask().values.values()) == [1] * 60
    assert list(proposer.ask().values.values()) == [1] * 59 + [2]


# --- bayesian


def bowl(values):
    """Best at a = 0.3, b = 0.01, c = y."""
    far = (values["training.a"] - 0.3) ** 2 + (np.log10(values["training.b"]) / 4 + 0.5) ** 2
    return -far - 0.3 * (values["training.c"] != "y")


def best_of(algorithm, direction, seed, trials=25):
    proposer, best = propose(algorithm, direction=direction, seed=seed), -np.inf
    for _ in range(trials):
        ask = proposer.ask()
        best = max(best, bowl(ask.values))
        proposer.tell(ask.number, bowl(ask.values) * (1 if direction == "max" else -1))
    return -best


@pytest.mark.parametrize("direction", ["max", "min"])
@pytest.mark.parametrize(("algorithm", "share"), [pytest.param(Bayesian(), 0.2, marks=pytest.mark.slow), (Tpe(), 0.5)])
def test_a_model_finds_more_than_random(algorithm, share, direction):
    guided = [best_of(algorithm, direction, seed, 40) for seed in range(2)]
    blind = [best_of(Random(), direction, seed, 40) for seed in range(2)]
    assert np.mean(guided) < share * np.mean(blind)


NESTED = space_of(
    "{a: {min: 1, max: 3}, b: {values: [x, y, z]}, c: {min: 1e-5, max: 1.0, log: true, when: {training.b: [x, z]}},"
    " o: {one_of: {adam: {r: {min: 0.0, max: 1.0}}, sgd: {m: {values: [1, 2, 4], when: {training.a: [2, 3]}}}}}}"
)


@pytest.mark.parametrize("space", [CONTINUOUS, NESTED])
def test_candidates_are_ranked_by_what_they_will_be(space):
    oracle = propose(Bayesian(), space)._oracle
    positions = np.random.default_rng(0).random((300, len(space.params)))
    exact = np.array([oracle.vector(oracle.sample(row)) for row in positions])
    found = oracle.vectors(positions)
    assert found.shape == exact.shape
    # But for the few that a level rounds to the other side of a border.
    assert np.mean(np.abs(found - exact) < 1e-3) > 0.99


@pytest.mark.filterwarnings("ignore:.*close to the specified")  # by the descents, at their bounds
@pytest.mark.parametrize("examples", [8, 30])
def test_the_length_scale_is_as_likely_as_what_many_descents_find(examples):
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import Matern

    def likelihood(y, **how):
        model = GaussianProcessRegressor(Matern(nu=2.5), alpha=1e-4, normalize_y=True, **how).fit(x, y)
        return model.log_marginal_likelihood_value_

    x = np.random.default_rng(0).random((examples, 4))
    smooth, rough = np.sin(3 * x[:, 0]) + x[:, 1] ** 2, np.sign(np.sin(40 * x[:, 0]))
    for y in (smooth, rough):
        descended = likelihood(y, n_restarts_optimizer=20, random_state=0)
        assert likelihood(y, optimizer=best_length) >= descended - 0.01


def test_auto_is_bayesian_while_trials_are_few_and_tpe_once_they_are_many():
    auto, few = propose(Auto(initial_points=3, many=6)), propose(Bayesian(initial_points=3))
    history = []
    for number in range(1, 10):
        ask = auto.ask()
        if number <= 6:
            assert ask.values == few.ask().values
            few.tell(number, bowl(ask.values))
        else:
            later = propose(Tpe(initial_points=3))
            later.restore(history)
            assert ask.values == later.ask().values
        auto.tell(number, bowl(ask.values))
        history.append(PastTrial(number, ask.values, score=bowl(ask.values)))


def test_what_optuna_is_told_passes_the_checks_it_is_spared():
    from optuna.samplers._tpe import _truncnorm
    from optuna.trial import FrozenTrial

    own = _truncnorm._log_ndtr
    proposer = propose(Tpe(initial_points=3))
    for number in range(1, 6):
        assert proposer.ask().number == number
        if number != 3:
            proposer.tell(number, 0.1 * number)
    scored = [trial for trial in proposer._oracle.trials.values() if trial.status == "COMPLETED"]
    told = proposer._oracle._frozen(scored)
    for trial in told:
        FrozenTrial._validate(trial)
    assert [trial.value for trial in told] == [pytest.approx(-0.1 * number) for number in (1, 2, 4, 5)] + [None]
    # What was lent to Optuna for an ask is taken back.
    assert _truncnorm._log_ndtr is own


@pytest.mark.parametrize("algorithm", [Bayesian(initial_points=3), Tpe(initial_points=3)])
def test_a_model_draws_at_random_until_enough_trials_have_a_score(algorithm):
    plain, guided = propose(Random()), propose(algorithm)
    for number in range(1, 9):
        assert plain.ask().values == guided.ask().values
        guided.tell(number, 0.1 * number if number in (2, 5) else None)
    first = guided.ask()
    assert plain.ask().values == first.values  # two scores
    guided.tell(first.number, 0.3)
    assert plain.ask().values != guided.ask().values  # three


@pytest.mark.parametrize("algorithm", [Bayesian(), Tpe()])
def test_the_initial_points_are_capped(algorithm):
    assert propose(algorithm)._oracle.initial_points == 9
    many = space_of("{" + ", ".join(f"p{i}: {{min: 1, max: 9}}" for i in range(12)) + "}")
    assert propose(algorithm, many)._oracle.initial_points == 10


def test_a_sampler_sees_the_best_quarter_and_the_newest_of_many_trials(monkeypatch):
    monkeypatch.setattr(_sampled, "MOST_SEEN", 8)
    proposer = propose(Tpe(), direction="max")
    for number in range(1, 21):
        proposer.tell(proposer.ask().number, 100.0 if number in (2, 5) else 0.01 * number)
    running = proposer.ask()
    scored = [trial for trial in proposer._oracle.trials.values() if trial.status == "COMPLETED"]
    seen = proposer._oracle._frozen(scored)
    costs = [trial.value for trial in seen if trial.state.is_finished()]
    assert costs[:2] == pytest.approx([-100.0, -100.0], rel=0.99)  # tamed: far above the rest
    assert costs[2:] == pytest.approx([-0.01 * number for number in range(15, 21)])
    assert seen[-1].params == proposer._oracle.space.encode(running.values)
    assert not seen[-1].state.is_finished()


def test_what_is_not_installed_is_said_before_a_search_begins(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"search.algorithm: gp needs .* pip install 'automl-keras\[torch\]'"):
        propose(Gp())


def test_running_trials_repel_the_next_proposals():
    proposer = propose(Bayesian(initial_points=9, beta=0.0))
    for _ in range(12):
        ask = proposer.ask()
        proposer.tell(ask.number, bowl(ask.values))
    # With beta 0 nothing but the running trials' pessimistic guesses moves the choice.
    asks = [proposer.ask().values for _ in range(4)]
    assert len({tuple(values.values()) for values in asks}) == 4


def test_running_trials_before_the_first_model_and_none_that_ended_well():
    proposer = propose(Bayesian(initial_points=1))
    asks = [proposer.ask() for _ in range(4)]  # Keras Tuner would ask an unfitted model about these
    proposer.tell(2, 0.5)
    proposer.tell(3, float("nan"))
    assert isinstance(proposer.ask(), Ask)
    assert len(asks) == 4


def test_costs_are_capped_only_far_away():
    ordinary = np.array([0.1, 0.2, 0.4, 0.8, 1.1])
    assert (tamed(ordinary) == ordinary).all()
    assert tamed(np.array([0.1, 0.2, 0.3, 1e9])).tolist() == pytest.approx([0.1, 0.2, 0.3, 0.25 + 1.5])
    assert np.isfinite(tamed(np.array([-1e308, 1e308, 0.0])) ** 2).all()
    assert tamed(np.array([0.5, 0.5, 0.7])).tolist() == [0.5, 0.5, 0.7]
