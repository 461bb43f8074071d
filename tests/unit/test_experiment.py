from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl import oracles
from automl.document import catalog, yaml_text
from automl.document.yaml_text import parse
from automl.errors import ConfigError
from automl.experiment import experiment
from automl.experiment.search_section import DEFAULT_TRIALS, seconds
from automl.records.objective import Goals
from automl.training.section import EarlyStopping

SPACE = """\
model:
  - conv:
      repeat: {min: 1, max: 2}
      filters: {min: 8, max: 64, log: true, each: true}
      kernel_size: {values: [3, 5], when: {conv.repeat: [2]}}
  - flatten
  - dense: {repeat: {min: 0, max: 1}, units: {values: [8, 16]}}
training:
  epochs: 5
  clipnorm: {values: [null, 1.0]}
  optimizer:
    one_of:
      adam: {learning_rate: {min: 1e-4, max: 1e-2, log: true}}
      sgd: {momentum: {min: 0, max: 1, step: 0.5}, nesterov: true}
search: {seed: 3, trials: 7}
"""
DATA = """\
source: {csv: {file: table.csv, target: y}}
input: series
task: classification
split: {val: 0.25}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SPACE)
    Path("sets").mkdir()
    Path("sets/mine.yaml").write_text(DATA)
    return tmp_path


def check(text):
    return experiment.check(parse(dedent(text), "f.yaml"), "f")


def problems(call, *args, **keywords):
    with pytest.raises(ConfigError) as caught:
        call(*args, **keywords)
    return [str(problem) for problem in caught.value.problems]


# --- what an experiment is


def test_a_document_without_data_is_an_experiment(folder):
    read = experiment.load("s.yaml")
    assert read.name == "s"
    assert read.data is None
    assert read.data is None or read.data.root is None
    assert read.goals == Goals.single("val_accuracy", "max")
    assert read.search.seed == 3
    assert [param.name for param in read.space.params if not param.conditions] == [
        "conv.repeat",
        "conv.filters.1",
        "dense.repeat",
        "training.clipnorm",
        "training.optimizer",
    ]


def test_defaults():
    read = check("model: [dense]")
    assert read.search.algorithm == oracles.registry.read("auto")
    assert read.search.seed == 0
    assert read.search.most_trials == DEFAULT_TRIALS
    assert read.search.timeout_s is None
    training = experiment.training(read.trial({}))
    assert training.epochs == 20
    assert training.early_stopping is None
    assert training.seed is None


@pytest.mark.parametrize("section", ["training", "search", "data"])
def test_an_empty_section_is_one_with_defaults(section):
    read = check(f"model: [dense]\n{section}:\n")
    assert read.space.params == ()
    assert read.search == check("model: [dense]").search
    assert read.data is None


def test_a_name_of_its_own():
    assert check("name: mine\nmodel: [dense]").name == "mine"
    assert check("name: null\nmodel: [dense]").name == "f"


# --- data


def test_the_data_document_stands_in_its_place(folder):
    read = experiment.load("s.yaml", "sets/mine.yaml")
    assert read.data.name == "mine"
    assert read.data.split.val == 0.25
    assert read.document.data["data"] == {"name": "mine", **parse(DATA, "d").data, "root": str(folder / "sets")}
    # Each part of the document knows its own file.
    assert read.document.where(("data", "split", "val")) == "sets/mine.yaml:4:9"
    assert read.document.where(("training", "epochs")) == "s.yaml:9:3"


def test_data_is_named_by_the_document_the_option_or_a_setting(folder):
    Path("s.yaml").write_text(f"{SPACE}data: digits\n")
    assert experiment.load("s.yaml").data.name == "digits"
    assert experiment.load("s.yaml").data.root is None
    assert experiment.load("s.yaml", "sets/mine.yaml").data.name == "mine"
    read = experiment.load("s.yaml", "digits", ["data=sets/mine.yaml", "data.split.val=0.5"])
    assert (read.data.name, read.data.split.val, read.data.root) == ("mine", 0.5, str(folder / "sets"))


def test_a_data_document_may_stand_in_the_document_itself(folder):
    inner = "".join(f"  {line}\n" for line in DATA.splitlines())
    Path("s.yaml").write_text(f"{SPACE}data:\n  name: inner\n{inner}")
    read = experiment.load("s.yaml")
    assert read.data.name == "inner"
    assert read.data.root == str(folder)
    assert experiment.load("s.yaml", "digits").data.name == "digits"


def test_a_data_document_must_have_a_name_or_a_file():
    text = "model: [dense]\ndata: {source: {sklearn: {name: digits}}, input: image, task: classification}"
    assert problems(check, text) == ["f.yaml:2:1: name is missing. Add name: Name of the set."]


# --- settings


def test_settings_reach_every_part(folder):
    read = experiment.load(
        "s.yaml",
        "digits",
        [
            "training.epochs=9",
            "training.optimizer.adam.learning_rate=0.5",
            "training.optimizer.default=sgd",
            "dense.repeat=1",
            "conv.filters.max=32",
            "data.limit.train=100",
            "search.trials=2",
        ],
        {"trials": 4, "seed": 8, "algorithm": "random", "time": "2m"},
    )
    assert read.document.data["training"]["epochs"] == 9
    assert read.data.limit.train == 100
    # Options of their own stand above `--set`.
    assert (read.search.trials, read.search.seed, read.search.timeout_s) == (4, 8, 120.0)
    assert read.search.algorithm == oracles.registry.read("random")
    names = read.space.by_name
    assert "dense.repeat" not in names
    assert "training.optimizer.adam.learning_rate" not in names
    assert names["training.optimizer"].domain.default == "sgd"
    assert names["conv.filters.2"].domain.max == 32


def test_a_wrong_option_is_named_as_it_was_given(folder):
    flags = {"time": "soon", "seed": -1, "algorithm": "bayes"}
    said = problems(experiment.load, "s.yaml", None, ["training.epochs=0"], flags)
    assert {line.split(": ")[0] for line in said} == {
        "--time soon",
        "--seed -1",
        "--algorithm bayes",
        "--set training.epochs=0",
    }


# --- trials


def resolved_again(trial: dict) -> experiment.Experiment:
    """Writes a trial as YAML and reads it as an experiment."""
    return experiment.check(parse(yaml_text.dump(trial), "trial.yaml"), "trial")


@settings(deadline=None, max_examples=25)
@given(st.data())
@pytest.mark.parametrize("name", ["own", "cnn", "rnn"])  # tests/flow/test_library.py draws from all of them
def test_a_trial_is_the_same_experiment_with_literals_only(name, data):
    read = check(SPACE) if name == "own" else experiment.load(name, "digits")

    def pick(param):
        return data.draw(st.sampled_from(list(param.domain.grid())), label=param.name)

    values = read.space.fill(pick)
    trial = read.trial(values, seed=5, digest="a" * 64)
    again = resolved_again(trial)
    assert again.space.params == ()
    assert again.trial({}) == trial
    assert again.goals == read.goals
    assert again.search == read.search.model_copy(update={"constraints": [], "start": []})
    assert experiment.training(trial).seed == 5
    if read.data is not None:
        assert again.data == read.data.model_copy(update={"digest": "a" * 64})


def test_a_trial_holds_what_was_chosen():
    read = check(SPACE)
    values = read.space.defaults({"conv.repeat": 2, "conv.filters.2": 16, "training.optimizer": "sgd"})
    trial = read.trial(values)
    assert trial["model"] == [
        {"conv": {"repeat": 2, "filters": {"each": [8, 16]}, "kernel_size": 3}},
        "flatten",
        {"dense": {"repeat": 0}},
    ]
    assert trial["training"] == {
        "epochs": 5,
        "clipnorm": None,
        "optimizer": {"sgd": {"momentum": 0.0, "nesterov": True}},
    }
    assert "seed" not in trial["training"]
    assert read.document.data == parse(SPACE, "f").data


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_a_trials_seed_is_written_into_it(seed):
    read = check("model: [dense]")
    assert read.trial({}, seed=seed)["training"] == {"seed": seed}
    assert read.trial({})["model"] == ["dense"]
    assert "training" not in read.trial({})


def test_the_digest_is_written_where_there_is_data(folder):
    digest = "0" * 64
    assert experiment.load("s.yaml", "digits").trial({}, digest=digest)["data"]["digest"] == digest
    assert "data" not in experiment.load("s.yaml").trial({}, digest=digest)


def test_when_on_whole_numbers_for_a_field_of_any_number_is_refused():
    text = """
model: [{dense: {units: {values: [1, 2], when: {training.clipnorm: 2}}}}]
training: {clipnorm: {min: 1, max: 3STEP}}
"""
    read = experiment.check(parse(text.replace("STEP", ", step: 1"), "s.yaml"), "s")
    assert read.space.size() == 4
    with pytest.raises(
        ConfigError, match=r"s\.yaml:2:49: when cannot test training\.clipnorm, which may be any number"
    ):
        experiment.check(parse(text.replace("STEP", ""), "s.yaml"), "s")


# --- search


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", 90),
        ("90", 90),
        (90, 90),
        ("30m", 1800),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1h 30m 5s", 5405),
        ("1h5", 3900),
        ("1h30", 5400),
        ("1h30s", 3630),
        ("2m30", 150),
        ("0h1s", 1),
    ],
)
def test_durations(text, expected):
    assert seconds(text) == expected
    assert type(seconds(text)) is float


@pytest.mark.parametrize(
    "text", ["", "soon", "0", 0, "0s", "-5", -5, "1d", "30m1h", "1.5h", "m", "1hh", "1e3", "٣x", "٣s", "9" * 5000 + "s"]
)
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match=r"is no duration\. Expected 90s, 30m or 1h30m"):
        seconds(text)


@pytest.mark.parametrize(
    ("search", "trials", "timeout"),
    [
        ("{}", DEFAULT_TRIALS, None),
        ("{trials: 3}", 3, None),
        ("{time: 1m}", None, 60),
        ("{time: 60}", None, 60),
        ("{time: 1m, trials: 3}", 3, 60),
    ],
)
def test_budgets(search, trials, timeout):
    read = check(f"model: [dense]\nsearch: {search}")
    assert (read.search.most_trials, read.search.timeout_s) == (trials, timeout)


@pytest.mark.parametrize(
    ("objective", "direction"),
    [("val_accuracy", "max"), ("val_f1", "max"), ("val_auc", "max"), ("val_loss", "min")],
)
def test_the_direction_comes_from_the_tasks_table(objective, direction):
    read = check(f"model: [dense]\nsearch: {{objective: {objective}}}")
    assert read.goals == Goals.single(objective, direction)


def test_the_objective_is_checked_with_the_rest():
    said = problems(check, "model: [dens]\nsearch: {objective: val_acc, time: now, seed: a}\ntraining: [1]\nmodle: 1\n")
    assert [line.split(": ")[0] for line in said] == [
        "f.yaml:1:9",
        "f.yaml:2:10",
        "f.yaml:2:30",
        "f.yaml:2:41",
        "f.yaml:3:1",
        "f.yaml:4:1",
    ]


@pytest.mark.parametrize("task", ["3", "[a]", "{a: {}, b: {}}", "clasification"])
def test_a_wrong_task_does_not_hide_the_rest(task):
    data = f"{{name: d, source: {{sklearn: {{name: digits}}}}, input: image, task: {task}}}"
    said = problems(check, f"model: [dense]\nsearch: {{objective: val_acc}}\ndata: {data}")
    assert len(said) == 2
    assert said[0].startswith("f.yaml:2:10: unknown metric 'val_acc'")
    assert said[1].startswith("f.yaml:3:")


# --- checks between fields


def test_what_fields_forbid_together_is_told_with_its_place():
    data = (
        "{name: d, source: {sklearn: {name: digits}}, input: image, task: classification, split: {val: 0.5, test: 0.5}}"
    )
    said = problems(check, f"model: [dense]\ntraining: {{clipnorm: 1.0, clipvalue: 1.0}}\ndata: {data}")
    assert said == [
        "f.yaml:2:1: clipnorm and clipvalue exclude each other: Keras takes one of them.",
        "f.yaml:3:88: val and test leave nothing to train on: their sum must be below 1.",
    ]


def test_early_stopping_is_built():
    trial = check("model: [dense]\ntraining: {early_stopping: {patience: {values: [2, 3]}}}").trial(
        {"training.early_stopping.patience": 3}
    )
    assert experiment.training(trial).early_stopping == EarlyStopping(patience=3)


@pytest.mark.slow
def test_shipped_spaces_are_experiments_on_any_shipped_set():
    for space in catalog.names(catalog.SPACES):
        for data in catalog.names(catalog.DATASETS):
            # What changes an image does not fit a series.
            changes_images = "augmentation:" in catalog.find(catalog.SPACES, space).read_text()
            if changes_images and "input: image" not in catalog.find(catalog.DATASETS, data).read_text():
                continue
            read = experiment.load(space, data)
            assert read.name == space
            assert read.data.name == data
            assert read.data is None or read.data.root is None


def test_a_search_section_of_another_shape_is_told_and_no_traceback():
    found = problems(check, "model: [dense]\ntraining: {epochs: {min: 2, max: 9}}\nsearch: [1]")
    assert [line.split(": ")[0] for line in found] == ["f.yaml:3:1"]


def test_an_algorithm_may_bring_a_scheduler_and_the_document_may_bring_another():
    def judge(search):
        return type(check(f"model: [dense]\nsearch: {search}").search.judge).__name__

    assert judge("{}") == "NoScheduler"
    assert judge("{algorithm: hyperband}") == "Hyperband"
    assert judge("{algorithm: hyperband, scheduler: none}") == "NoScheduler"
    assert judge("{algorithm: tpe, scheduler: {asha: {factor: 4}}}") == "Asha"


def test_an_empty_training_section_takes_a_seed():
    assert check("model: [dense]\ntraining:").trial({}, seed=3)["training"] == {"seed": 3}


def test_a_seed_of_the_documents_own_stays():
    assert check("model: [dense]\ntraining: {seed: 0}").trial({}, seed=3)["training"] == {"seed": 0}
