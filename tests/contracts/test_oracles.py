"""What every search algorithm promises, over all that are registered."""

import json
import os
import random
import sys
import threading
import zlib
from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest

from automl.document.problems import Problems
from automl.document.yaml_text import parse
from automl.errors import MissingExtra, SearchError
from automl.journal import Asked, Header, Journal, replay
from automl.oracles import WAIT, Ask, Brief, Done, PastTrial, Proposer, registry
from automl.records.objective import Goals
from automl.space.grammar import read


def installed(name):
    try:
        registry.get(name)().require()
    except MissingExtra:
        return False
    return True


NAMES = [name for name in registry.names() if installed(name)]
# A Gaussian process takes a tenth of a second and more for every proposal.
SLOW = {"auto", "bayesian", "gp"}
QUICK_FIRST = [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in NAMES]

NESTED = """
model:
  - conv:
      repeat: {min: 0, max: 3}
      filters: {min: 8, max: 128, log: true, each: true}
      activation: {values: [relu, null, true, [1, 2], 1, 1.0, 'true']}
      norm: {one_of: {batch: {momentum: {min: 0.5, max: 0.99}}, layer: {}, none: {}}}
      dropout: {min: 0.0, max: 0.5, step: 0.1, when: {conv.norm: [batch, none]}}
  - conv: {repeat: {min: 1, max: 2}, kernel: {min: 3, max: 9, step: 2, each: true}}
  - recurrent:
      cell: {values: [simple_rnn, lstm, gru], default: lstm}
      recurrent_dropout: {min: 0.0, max: 0.3, when: {recurrent.cell: [lstm, gru], conv_2.repeat: 2}}
training:
  epochs: 9
  optimizer:
    one_of:
      adam: {learning_rate: {min: 1e-4, max: 1e-2, log: true}}
      sgd:
        learning_rate: {min: 1e-3, max: 1e-1, log: true}
        momentum: {min: 0, max: 1}
        schedule: {one_of: {constant: {}, cosine: {alpha: {values: [0.0, 0.1]}}}}
  batch_size: {values: [16, 32, 64], default: 32}
"""

# With the dense block 3 * 2 * (1 + 2) = 18 points, without it 2 + 2.
FINITE = """
model:
  - dense: {repeat: {min: 0, max: 1}, units: {min: 1, max: 3}, bias: {values: [true, false]}}
training:
  optimizer: {one_of: {adam: {}, sgd: {nesterov: {values: [true, false]}}}}
  clip: {values: [null, 1], when: {dense.repeat: 0, training.optimizer: adam}}
"""


def space_of(text):
    document = parse(text, "space.yaml")
    problems = Problems(document)
    space = read(document, problems)
    problems.stop()
    return space


@pytest.fixture(scope="module")
def nested():
    return space_of(NESTED)


@pytest.fixture(scope="module")
def finite():
    return space_of(FINITE)


def make(name, space, seed=0, direction="max", **more):
    return Proposer(registry.get(name)(), Brief(space, Goals.single("score", direction), seed, **more))


def score_of(ask):
    """Depends on the values; every seventh fails, others are not finite."""
    if ask.number % 7 == 0:
        return None
    if ask.number % 11 == 0:
        return [float("nan"), float("inf"), -float("inf")][ask.number % 3]
    # JSON, not hash(): the same in every process.
    return zlib.crc32(json.dumps(ask.values, sort_keys=True).encode()) / 2**32


class Search:
    """A loop with a journal: asks, keeps some trials running, tells the oldest first."""

    def __init__(self, proposer, score=score_of):
        self.proposer = proposer
        self.score = score
        self.asks = []
        self.running = []
        self.ended = {}

    def ask(self):
        ask = self.proposer.ask()
        if isinstance(ask, Ask):
            self.asks.append(ask)
            self.running.append(ask)
        return ask

    def tell(self):
        ask = self.running.pop(0)
        self.ended[ask.number] = self.score(ask)
        self.proposer.tell(ask.number, self.ended[ask.number])

    def go(self, asks, at_once=1, before=lambda _: None):
        """Asks that many times; `before` every ask as many run as an executor would keep running."""
        while len(self.asks) < asks:
            while len(self.running) >= at_once:
                self.tell()
            before(self)
            got = self.ask()
            if isinstance(got, Done):
                return got
            if got is WAIT:
                assert self.running, "waits for nothing"
                self.tell()
        return None

    def journal(self):
        """What is on disk: plain JSON."""
        past = [
            {
                "number": ask.number,
                "values": ask.values,
                "ended": ask.number in self.ended,
                # A journal writes no score for numbers that are not finite.
                "score": self.ended.get(ask.number) if np.isfinite(self.ended.get(ask.number) or 0.0) else None,
            }
            for ask in self.asks
        ]
        running = [asdict(ask) for ask in self.running]
        return json.dumps({"past": past, "running": running}, allow_nan=False)

    @classmethod
    def resume(cls, proposer, text):
        disk = json.loads(text)
        proposer.restore([PastTrial(**fields) for fields in disk["past"]])
        search = cls(proposer)
        search.running = [Ask(**fields) for fields in disk["running"]]
        return search


def check(space, ask):
    """The values are exactly the active ones, each of its domain, and plain."""
    values = ask.values
    assert json.dumps(json.loads(json.dumps(values, allow_nan=False))) == json.dumps(values)
    assert list(values) == [
        param.name for param in space.params if all(condition.holds(values) for condition in param.conditions)
    ]
    for name, value in values.items():
        assert space.by_name[name].domain.holds(value), (name, value)
        assert type(value) in (int, float, str, bool, list, type(None))
    # The way through Keras Tuner's codes is the identity, in kind as well.
    assert json.dumps(space.decode(space.encode(values))) == json.dumps(values)


@pytest.mark.parametrize("name", QUICK_FIRST)
def test_every_proposal_is_valid_and_new(name, nested):
    search = Search(make(name, nested))
    search.go(40, at_once=3)
    assert [ask.number for ask in search.asks] == list(range(1, 41))
    for ask in search.asks:
        check(nested, ask)
        assert nested.resolve(ask.values)["training"]["batch_size"] in (16, 32, 64)
    fresh = [nested.key(ask.values) for ask in search.asks]
    assert len(set(fresh)) == len(fresh)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_proposals(name, nested):
    first, second = Search(make(name, nested, seed=0)), Search(make(name, nested, seed=0))
    first.go(16)
    # Whatever others do with the global generators.
    random.seed(99)
    np.random.seed(99)  # noqa: NPY002 - the global one is meant
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    second.go(16)
    assert first.asks == second.asks
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002


@pytest.mark.parametrize("name", [name for name in NAMES if registry.get(name).is_random])
def test_different_seeds_share_no_proposal(name, nested):
    # Seeds 1 and 3 of a space with two parameters give Keras Tuner's random search the same trials, shifted.
    proposals = {}
    for seed in (0, 1, 3, 2**40):
        search = Search(make(name, nested, seed=seed))
        search.go(12)
        proposals[seed] = {json.dumps(ask.values) for ask in search.asks}
    for a, b in pairwise([*proposals, 0]):
        # The discrete part of the space may coincide, a continuous learning rate cannot.
        assert not proposals[a] & proposals[b]


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_search_goes_on_as_the_uninterrupted_one(name, at_once, nested):
    total, moments = 36, {}

    def note(search):
        if len(search.asks) in (0, 1, 30, total - 1):
            moments.setdefault(len(search.asks), search.journal())

    whole = Search(make(name, nested, seed=0))
    whole.go(total + 4, at_once, note)
    assert list(moments) == [0, 1, 30, total - 1]
    for told, text in moments.items():
        resumed = Search.resume(make(name, nested, seed=0), text)
        resumed.go(5, at_once)
        assert resumed.asks == whole.asks[told : told + 5]


@pytest.mark.parametrize("at_once", [1, 3])
@pytest.mark.parametrize("name", QUICK_FIRST)
def test_a_finite_space_is_used_up_exactly(name, at_once, finite):
    assert finite.size() == 22
    search = Search(make(name, finite, seed=1))
    done = search.go(1_000, at_once)
    assert isinstance(done, Done)
    points = [finite.key(ask.values) for ask in search.asks]
    assert len(points) == len(set(points)) == 22
    assert "22 points" in done.reason
    for ask in search.asks:
        check(finite, ask)
    while search.running:
        search.tell()
    assert isinstance(search.ask(), Done)


@pytest.mark.parametrize("name", NAMES)
def test_a_space_without_parameters_has_one_trial(name):
    search = Search(make(name, space_of("model: [flatten]\ntraining: {epochs: 9}")), score=lambda _: None)
    done = search.go(10)
    assert [ask.values for ask in search.asks] == [{}]
    assert isinstance(done, Done)


@pytest.mark.parametrize("name", QUICK_FIRST)
@pytest.mark.parametrize("score", [None, float("nan"), float("inf"), -float("inf"), 0.5, 1e308, -1e308])
def test_whatever_the_scores_the_search_goes_on(name, score, nested):
    search = Search(make(name, nested, direction="min"), score=lambda _: score)
    search.go(16)
    assert len(search.asks) == 16


@pytest.mark.parametrize("name", NAMES)
def test_illegal_points_are_never_proposed(name):
    search = Search(make(name, space_of(FINITE + "search: {constraints: [dense.units != 2]}")))
    done = search.go(1_000)
    assert isinstance(done, Done)
    assert "ruled out" in done.reason
    fresh = [ask.values.get("dense.units") for ask in search.asks]
    assert 2 not in fresh
    assert len(fresh) == 16


WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
written: list[str] | None = None


def _watch(event, args):
    if written is None:
        return
    if (event == "open" and isinstance(args[2], int) and args[2] & WRITES) or event in ("os.mkdir", "os.rename"):
        written.append(f"{event} {args}")


sys.addaudithook(_watch)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_written_or_printed(name, nested, capfd):
    Search(make(name, nested)).go(12)  # imports what it needs, which may write bytecode
    capfd.readouterr()
    global written  # noqa: PLW0603 - an audit hook cannot be taken away, only silenced
    written = []
    try:
        search = Search(make(name, nested))
        search.go(14, at_once=2)
        Search.resume(make(name, nested), search.journal()).go(2)
        assert written == []
    finally:
        written = None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", NAMES)
def test_an_exception_inside_becomes_a_search_error_and_leaves_no_lock(name, nested, monkeypatch):
    from keras_tuner.src.engine import oracle as engine

    proposer = make(name, nested)
    with monkeypatch.context() as patch:
        patch.setattr(proposer._oracle, "populate_space", lambda _: 1 / 0)
        with pytest.raises(SearchError, match=f"'{name}' failed: ZeroDivisionError"):
            proposer.ask()
    assert proposer._oracle not in engine.LOCKS
    assert proposer._oracle not in engine.THREADS
    assert isinstance(proposer.ask(), Ask)


@pytest.mark.parametrize("name", NAMES)
def test_only_running_trials_end_and_only_whole_histories_are_restored(name, nested):
    proposer = make(name, nested)
    ask = proposer.ask()
    proposer.tell(ask.number, 0.5)
    for number in (0, 1, 2):
        with pytest.raises(SearchError, match="Expected one that is running"):
            proposer.tell(number, 0.5)
    with pytest.raises(SearchError, match=r"has a gap. Expected trial 1; received trial 2"):
        make(name, nested).restore([PastTrial(2, ask.values)])
    with pytest.raises(SearchError, match="do not fit the space"):
        make(name, nested).restore([PastTrial(1, {"no.such": 1})])
    with pytest.raises(SearchError, match="do not fit the space"):
        make(name, nested).restore([PastTrial(1, {**ask.values, "training.batch_size": 17})])


@pytest.mark.parametrize("name", NAMES)
def test_a_proposer_belongs_to_its_thread(name, nested):
    proposer = make(name, nested)
    caught = []

    def other():
        try:
            proposer.ask()
        except RuntimeError as error:
            caught.append(str(error))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert caught == ["a proposer belongs to the thread that made it"]


# Nested repeats, a choice between lists, values of their own for every repeat, conditions, constraints.
RULED = """
model:
  - stack:
      name: stage
      repeat: {min: 1, max: 3}
      blocks:
        - conv: {repeat: {min: 0, max: 2}, filters: {min: 4, max: 64, log: true, each: true}, norm: {values: [a, b]}}
  - name: tail
    one_of:
      none: []
      deep: [dense: {repeat: {min: 1, max: 3}, units: {min: 8, max: 128, each: true}}]
training:
  epochs: 9
  batch_size: {values: [16, 32, 64]}
  optimizer: {one_of: {adam: {}, sgd: {momentum: {min: 0.0, max: 0.99}, nesterov: {values: [true, false]}}}}
  clipnorm: {values: [null, 1.0], when: {training.optimizer: sgd, stage.repeat: [2, 3]}}
search:
  constraints:
    - sum(stage.conv.filters) <= 90
    - max(tail.deep.dense.units) >= 2 * min(tail.deep.dense.units) or len(tail.deep.dense.units) == 1
    - training.optimizer != 'sgd' or training.batch_size < 64
  start: [{tail: deep, tail.deep.dense.repeat: 2, tail.deep.dense.units: [64, 8]}, {stage.repeat: 3}]
"""


# What asks a model takes a tenth of a second and more an ask here.
FEWER_ASKS = {"auto": 70, "bayesian": 60, "tpe": 80, "gp": 40}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_rules_and_conditions_hold_in_every_proposal(name, tmp_path):
    space = space_of(RULED)
    search = Search(make(name, space))
    assert search.go(FEWER_ASKS.get(name, 500), at_once=2) is None
    header = Header("s", 0, {}, None, tuple(space.by_name), 0, 1, "tensorflow", {}, "here")
    with Journal.create(tmp_path / "s", header) as journal:
        for ask in search.asks:
            journal.append(Asked(ask.number, ask.values, 0, 0))
    trials = replay(tmp_path / "s").trials
    assert len(trials) == len(search.asks)
    for number, trial in trials.items():
        values = trial.asked.values
        check(space, search.asks[number - 1])
        # The rules again, in Python's own words.
        filters = [v for k, v in values.items() if k.startswith("stage.conv.filters.")]
        units = [v for k, v in values.items() if k.startswith("tail.deep.dense.units.")]
        assert sum(filters) <= 90
        assert len(filters) == values["stage.conv.repeat"]
        assert len(units) == values.get("tail.deep.dense.repeat", 0)
        assert len(units) < 2 or max(units) >= 2 * min(units)
        assert values["training.optimizer"] != "sgd" or values["training.batch_size"] < 64
        assert ("training.clipnorm" in values) == (values["training.optimizer"] == "sgd" and values["stage.repeat"] > 1)
    assert [search.asks[i].values for i in (0, 1)] == list(space.start)


@pytest.mark.parametrize("name", NAMES)
def test_a_space_without_a_legal_point_is_done(name):
    text = "model: [dense: {units: {min: 1, max: 4}}]\nsearch: {constraints: [dense.units > 4]}"
    done = make(name, space_of(text)).ask()
    assert isinstance(done, Done)
    assert "ruled out" in done.reason
