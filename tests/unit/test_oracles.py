"""What is special to one search algorithm; what all promise is in tests/contracts/test_oracles.py."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError

from automl.document import parse
from automl.errors import MissingExtra, SearchError
from automl.grammar import read
from automl.oracles import WAIT, Ask, Brief, Done, Proposer, _sampled, registry
from automl.oracles._modelled import tamed
from automl.oracles.bayesian import Bayesian
from automl.oracles.gp import Gp
from automl.oracles.grid import Grid
from automl.oracles.hyperband import Hyperband
from automl.oracles.random import Random
from automl.oracles.tpe import Tpe
from automl.problems import Problems


def space_of(training, search=""):
    document = parse(f"model: [flatten]\ntraining: {training}\nsearch: {{{search}}}\n", "space.yaml")
    problems = Problems(document)
    space = read(document, problems)
    problems.stop()
    return space


CONTINUOUS = space_of("{a: {min: 0.0, max: 1.0}, b: {min: 1e-4, max: 1.0, log: true}, c: {values: [x, y, z]}}")


def propose(algorithm, space=CONTINUOUS, direction="max", seed=0, epochs=None):
    return Proposer(algorithm, Brief(space, direction, seed, epochs))


# --- declaring


def test_an_algorithm_is_a_name_or_a_name_with_settings():
    assert registry.read("random") == Random()
    assert registry.read({"hyperband": {"factor": 4}}) == Hyperband(factor=4)
    assert registry.read({"bayesian": {"beta": 1, "initial_points": 4}}) == Bayesian(beta=1.0, initial_points=4)
    for wrong in ({"hyperband": {"factor": 1}}, {"bayesian": {"initial_points": 0}}, {"random": {"seed": 1}}):
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
@pytest.mark.parametrize(("algorithm", "share"), [(Bayesian(), 0.2), (Tpe(), 0.5)])
def test_a_model_finds_more_than_random(algorithm, share, direction):
    guided = [best_of(algorithm, direction, seed, 40) for seed in range(2)]
    blind = [best_of(Random(), direction, seed, 40) for seed in range(2)]
    assert np.mean(guided) < share * np.mean(blind)


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
    with pytest.raises(MissingExtra, match=r"search.algorithm: gp needs .* pip install 'automl\[torch\]'"):
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


# --- hyperband


def sweep(proposer, score, trials):
    """Runs trials one at a time; `score(ask)`, None fails. Returns the asks and who failed."""
    asks, failed = [], set()
    while len(asks) < trials:
        ask = proposer.ask()
        if isinstance(ask, Done):
            break
        assert ask is not WAIT
        asks.append(ask)
        if score(ask) is None:
            failed.add(ask.number)
        proposer.tell(ask.number, score(ask))
    return asks, failed


def rungs(asks):
    return Counter((ask.initial_epoch, ask.epochs) for ask in asks)


@pytest.mark.parametrize(
    ("epochs", "one_sweep"),
    [
        (1, {(0, 1): 1}),
        (2, {(0, 2): 2}),
        (3, {(0, 1): 3, (1, 3): 1, (0, 3): 2}),
        (9, {(0, 1): 9, (1, 3): 3, (3, 9): 3, (0, 3): 5, (0, 9): 3}),
        (30, None),
    ],
)
def test_hyperband_repeats_its_brackets_until_the_budget_ends(epochs, one_sweep):
    def score(ask):
        return ask.values["training.a"]

    asks, _ = sweep(propose(Hyperband(), epochs=epochs), score, 150)
    assert len(asks) == 150
    assert max(ask.epochs for ask in asks) == epochs
    if one_sweep:
        length = sum(one_sweep.values())
        for start in range(0, 150 - length, length):
            assert rungs(asks[start : start + length]) == one_sweep
    by_number = {ask.number: ask for ask in asks}
    for ask in asks:
        if ask.parent:
            assert ask.initial_epoch == by_number[ask.parent].epochs


def test_the_best_go_on():
    asks, _ = sweep(propose(Hyperband(), epochs=9), lambda ask: ask.values["training.a"], 13)
    first = sorted(asks[:9], key=lambda ask: -ask.values["training.a"])
    assert [ask.parent for ask in asks[9:12]] == [ask.number for ask in first[:3]]
    assert asks[12].parent == asks[9].number
    asks, _ = sweep(propose(Hyperband(), direction="min", epochs=9), lambda ask: ask.values["training.a"], 13)
    assert [ask.parent for ask in asks[9:12]] == [ask.number for ask in reversed(first[6:])]


@pytest.mark.parametrize("epochs", [1, 2, 3, 9, 30])
@pytest.mark.parametrize(
    "fails",
    [
        lambda _: True,
        lambda number: number % 2 == 0,
        lambda number: number % 10 < 7,
        lambda number: number > 5,
        lambda number: number < 30,
    ],
)
def test_failed_trials_starve_no_bracket(epochs, fails):
    def score(ask):
        return None if fails(ask.number) else ask.values["training.a"]

    proposer = propose(Hyperband(), epochs=epochs)
    asks, failed = sweep(proposer, score, 150)
    assert len(asks) == 150
    assert not failed & {ask.parent for ask in asks}
    # Brackets that are over are let go: at most the one in hand is kept.
    assert len(proposer._oracle.own_state()["brackets"]) <= 2


def test_a_failed_trial_is_replaced_on_its_rung():
    def score(ask):
        # The third of the first rung, and the first that goes on.
        return None if ask.number in (3, 11) else ask.values["training.a"]

    asks, _ = sweep(propose(Hyperband(), epochs=9), score, 24)
    assert rungs(asks[:10]) == {(0, 1): 10}
    # Four go on, for one fails again; none twice.
    assert rungs(asks[10:14]) == {(1, 3): 4}
    assert len({ask.parent for ask in asks[10:14]}) == 4
    assert (asks[14].initial_epoch, asks[14].epochs) == (3, 9)
    assert asks[14].parent in {12, 13, 14}


def test_a_rung_whose_trials_all_fail_ends_its_bracket():
    def score(ask):
        return None if ask.initial_epoch else ask.values["training.a"]

    asks, _ = sweep(propose(Hyperband(), epochs=9), score, 60)
    # All nine go on in vain, one after the other; then the next bracket begins.
    assert rungs(asks[:18]) == {(0, 1): 9, (1, 3): 9}
    assert (asks[18].initial_epoch, asks[18].epochs) == (0, 3)


def test_a_small_space_is_halved_all_the_same():
    space = space_of("{a: {min: 1, max: 5}}")
    asks, _ = sweep(propose(Hyperband(), space, epochs=9), lambda ask: float(ask.values["training.a"]), 100)
    # The first rung wants nine and gets five, of which three go on, of which one.
    assert rungs(asks) == {(0, 1): 5, (1, 3): 3, (3, 9): 1}
    assert [ask.values["training.a"] for ask in asks[5:]] == [5, 4, 3, 5]


def test_checkpoints_are_kept_while_they_may_be_needed():
    proposer = propose(Hyperband(), epochs=9)
    for _ in range(9):
        ask = proposer.ask()
        proposer.tell(ask.number, ask.values["training.a"])
    assert proposer.continuable() == set(range(1, 10))
    parent = proposer.ask().parent
    assert parent in proposer.continuable()  # its child may have to start again
    proposer.tell(10, 0.5)
    assert parent not in proposer.continuable()
    assert 10 in proposer.continuable()
    for _ in range(200):
        ask = proposer.ask()
        proposer.tell(ask.number, ask.values["training.a"])
        assert len(proposer.continuable()) <= 9 + 3
    assert propose(Random()).continuable() == frozenset()


def test_hyperband_with_trials_at_once_waits_or_goes_on_elsewhere():
    space = space_of("{a: {min: 1, max: 4}}")
    proposer = propose(Hyperband(), space, epochs=3)
    asks = [proposer.ask() for _ in range(4)]
    assert all(isinstance(ask, Ask) for ask in asks)
    assert proposer.ask() is WAIT
    for ask in asks:
        proposer.tell(ask.number, 0.5)
    assert proposer.ask().parent == 1
    assert proposer.ask() is WAIT
    proposer.tell(5, 0.7)
    assert isinstance(proposer.ask(), Done)


def test_the_factor_is_a_setting():
    asks, _ = sweep(propose(Hyperband(factor=2), epochs=4), lambda ask: ask.values["training.a"], 20)
    assert {ask.epochs for ask in asks} == {1, 2, 4}


@pytest.mark.parametrize("epochs", [None, 0])
def test_hyperband_needs_epochs(epochs):
    with pytest.raises(SearchError, match=r"search.algorithm: hyperband shares out training.epochs"):
        propose(Hyperband(), epochs=epochs)
