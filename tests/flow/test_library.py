"""Every shipped space: it is what its paper says, its trials are documents again, and it trains."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
import searches
import specs

from automl.authoring import lint
from automl.blocks._chain import Chain
from automl.blocks.backbone import Backbone
from automl.data import prepare
from automl.data.section import DataDocument
from automl.document import block_lists, catalog, yaml_text
from automl.document.yaml_text import Document
from automl.driver import launch
from automl.driver.options import Options
from automl.driver.progress import Watcher
from automl.errors import Infeasible
from automl.experiment import experiment
from automl.flow import Unknown
from automl.model import build
from automl.records.data import DataSpec
from automl.records.objective import Goals
from automl.records.trials import Report, TrialRequest
from automl.worker.trial import run_trial

NAMES = catalog.names(catalog.SPACES)
LARGE = ("alexnet", "densenet", "inception_time", "mobilenet", "resnet", "resnet1d", "vgg")
"""Two trainings of them take a minute and show what the others do."""
PRETRAINED = ("finetune_image", "pretrained_image")
"""Their weights are not there; `test_transfer.py` trains such models with weights of its own."""
TRAINED = [name for name in NAMES if name not in PRETRAINED]
REPEATED = ("cnn", "cnn_augmented", "crnn", "rnn_attention", "tcn")
"""Of each kind one: images, changed images, both in one, a recurrent network, a convolutional one over time."""
WORDS = np.array(["ab", "c"] * 12)
"""Categories of a table's rows."""
SIZES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 227)


@pytest.fixture(autouse=True)
def random_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backbone, "pretrained", lambda _: None)


def head(name: str) -> str:
    return next(line for line in catalog.find(catalog.SPACES, name).read_text().splitlines() if "automl search" in line)


def input_of(name: str) -> str:
    """What the space is for: the input of the data set that its first lines name."""
    data = re.search(r"--data (\w+)", head(name))[1]
    return (
        DataDocument.model_validate({"name": data, **yaml_text.read(catalog.find(catalog.DATASETS, data)).data})
        .model_dump()["input"]
        .popitem()[0]
    )


def spec(name: str, size: int, channels: int = 1, classes: int = 3) -> DataSpec:
    if input_of(name) == "table":
        given, _ = specs.read("table", {"x": np.random.default_rng(0).normal(size=(24, size)), "word": WORDS})
        return specs.classified(given, [str(number) for number in range(classes)])
    shape = (size, size, channels) if input_of(name) == "image" else (size, channels)
    return build.data_of(shape, classes)


def draws(read: experiment.Experiment, count: int) -> list[dict]:
    generator = random.Random(0)
    found = []
    while len(found) < count:
        values = read.space.draw(generator)
        if read.space.legal(values):
            found.append(values)
    return found


def again(resolved: dict) -> experiment.Experiment:
    """What a user gets who loads a trial.yaml."""
    return experiment.check(yaml_text.parse(yaml_text.dump(resolved), "trial.yaml"), "trial", layers=False)


def smallest(name: str, resolved: dict) -> DataSpec:
    """The smallest input that the trial can be built for."""
    chain = Chain.read(resolved["model"], "model")
    for size in SIZES:
        data = spec(name, size)
        try:
            chain.shape(build.entrance(data), ("vector",), "the input", "head")
        except Infeasible:
            continue
        except Unknown:
            pass  # all that can be told is that it fits
        return data
    raise AssertionError(f"{name} fits no input up to {SIZES[-1]}: {resolved}")


# --- papers


@pytest.mark.parametrize(
    ("name", "given", "size", "channels", "classes", "weights"),
    [
        # LeCun et al. 1998, table of section II.B, with full connections in C3: 156 + 2,416 + 48,120 + 10,164 + 850.
        ("lenet", {}, 28, 1, 10, 61_706),
        # Krizhevsky et al. 2012, without the split over two GPUs; as counted layer by layer in Keras and Caffe ports.
        ("alexnet", {}, 227, 3, 1000, 62_378_344),
        # Simonyan & Zisserman 2014, table 2 (133, 138 and 144 million); exact in keras.applications.VGG16 and VGG19.
        ("vgg", {}, 224, 3, 1000, 138_357_544),
        ("vgg", {"stage3.conv.repeat": 4, "stage4.conv.repeat": 4, "stage5.conv.repeat": 4}, 224, 3, 1000, 143_667_240),
        # torchvision's vgg11: 132,863,336.
        (
            "vgg",
            {**{f"stage{i}.conv.repeat": 1 for i in (1, 2)}, **{f"stage{i}.conv.repeat": 2 for i in (3, 4, 5)}},
            224,
            3,
            1000,
            132_863_336,
        ),
        # He et al. 2015; exact in torchvision.models.resnet18, 34, 50 and 101.
        ("resnet", {}, 224, 3, 1000, 11_689_512),
        (
            "resnet",
            {"units.basic.stage1.repeat": 3, "units.basic.stage2.repeat": 4, "units.basic.stage3.repeat": 6}
            | {"units.basic.stage4.repeat": 3},
            224,
            3,
            1000,
            21_797_672,
        ),
        ("resnet", {"units": "bottleneck"}, 224, 3, 1000, 25_557_032),
        ("resnet", {"units": "bottleneck", "units.bottleneck.stage3.repeat": 23}, 224, 3, 1000, 44_549_160),
        # Huang et al. 2016, table 1; exact in torchvision.models.densenet121 and keras.applications.DenseNet121.
        ("densenet", {}, 224, 3, 1000, 7_978_856),
        # Howard et al. 2017, table 4 (4.2 million); exact in keras.applications.MobileNet.
        ("mobilenet", {}, 224, 3, 1000, 4_231_976),
        # Bai et al. 2018, table 2 (70,000): github.com/locuslab/TCN has 66,910, of which 400 scale its weights.
        ("tcn", {}, 784, 1, 10, 66_510),
        # Fawaz et al. 2019: what github.com/hfawaz/InceptionTime builds, layer by layer.
        ("inception_time", {}, 150, 1, 2, 420_450),
    ],
)
@pytest.mark.slow
def test_a_classic_has_the_weights_of_its_paper(name, given, size, channels, classes, weights):
    import keras

    read = experiment.load(name)
    resolved = read.space.resolve(read.space.defaults(given))
    built = build.build(resolved, spec(name, size, channels, classes))
    trainable = sum(int(np.prod(weight.shape)) for weight in built.trainable_weights)
    assert trainable == weights
    keras.utils.clear_session(free_memory=False)


# --- trials are documents again


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_trial_is_the_same_document_again(name):
    read = experiment.load(name)
    points = draws(read, 100)
    assert len({read.space.key(values) for values in points}) > 20
    for values in points:
        resolved = read.trial(values, seed=7)
        loaded = again(resolved)
        assert loaded.space.params == ()
        assert json.dumps(loaded.trial({})) == json.dumps(resolved)


def light(read: experiment.Experiment, count: int) -> list[dict]:
    """Returns those of 40 draws with the smallest numbers: few layers, narrow ones, quick to build and to train."""

    def weight(values: dict) -> float:
        return sum(value for value in values.values() if isinstance(value, int | float))

    return sorted(draws(read, 40), key=weight)[:count]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_trial_builds_the_same_model_again(name):
    import keras

    def config(resolved: dict, data: DataSpec) -> str:
        # Keras numbers the layers it names itself; a worker begins each trial so.
        keras.utils.clear_session(free_memory=False)
        return json.dumps(build.build(resolved, data).get_config())

    read = experiment.load(name)
    for values in light(read, 2 if name in (*LARGE, *PRETRAINED) else 5):
        resolved = read.trial(values, seed=7)
        data = smallest(name, resolved)
        assert config(again(resolved).trial({}), data) == config(resolved, data)


def toy(name: str, size: int, folder: Path) -> DataDocument:
    """Noise with three classes, 24 examples in all, in a file."""
    rng = np.random.default_rng(0)
    shape = {"image": (size, size, 1), "series": (size, 1), "table": (size,)}[input_of(name)]
    y = np.arange(24) % 3
    x = rng.normal(size=(24, *shape)) + y.reshape(-1, *[1] * len(shape))
    np.savez(folder / "toy.npz", x=x, y=y, word=WORDS)
    return DataDocument.model_validate(
        {
            "name": "toy",
            "source": {"npz": {"file": str(folder / "toy.npz")}},
            "input": {"table": {"columns": ["x", "word"]}} if input_of(name) == "table" else input_of(name),
            "task": "classification",
        }
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("name", REPEATED)
@pytest.mark.usefixtures("eagerly")
def test_a_trial_trains_the_same_again(name, tmp_path):
    read = experiment.load(name, options=["training.epochs=1"])
    resolved = read.trial(light(read, 1)[0], seed=7)
    size = smallest(name, resolved).inputs[0].shape[0]
    data = prepare.prepare(toy(name, size, tmp_path), tmp_path / "data")
    resolved["data"] = {"task": "classification"}
    losses = []
    for text in (
        resolved,
        {**again({k: v for k, v in resolved.items() if k != "data"}).trial({}), "data": resolved["data"]},
    ):
        request = TrialRequest(1, 1, text, 7, data, str(tmp_path), Goals.single("val_loss", "min"), epochs=1)
        reports = []

        def tell(message, reports=reports):
            reports += [message] if isinstance(message, Report) else []
            return True

        result = run_trial(request, tell)
        assert result.outcome == "completed", result
        losses.append(reports[0].metrics["loss"])
    assert round(losses[0], 6) == round(losses[1], 6)


# --- every file runs


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.usefixtures("eagerly")
def test_two_trials_run(name, tmp_path, new_home):
    """The space at its lightest: two points that a CPU trains in a moment."""
    options = ["training.epochs=1", "search.trials=2", "search.algorithm=random"]
    points = light(experiment.load(name, options=options), 2)
    read = experiment.load(name, options=[*options, f"search.start={json.dumps(points)}"])
    size = max(smallest(name, read.space.resolve(values)).inputs[0].shape[0] for values in points)
    data = toy(name, size, tmp_path).model_dump(mode="json", exclude_none=True)
    written = Document({**read.document.data, "data": data}, read.document.name, read.document.marks)
    summary = launch.start(experiment.check(written, name), Options(home=new_home, inline=True), Watcher())
    assert {outcome: count for outcome, count in summary.trials.items() if count} | {"infeasible": 0} == {
        "completed": 2,
        "infeasible": 0,
    }
    assert summary.best is not None
    assert "test_accuracy" in summary.best["test"]
    history = searches.replay(new_home / "searches" / summary.search_id)
    assert all(read.space.legal(trial.asked.values) for trial in history.trials.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_file_tells_how_it_is_run_and_what_it_reached(name):
    text = catalog.find(catalog.SPACES, name).read_text()
    lines = text.splitlines()
    assert lines[0] == "# yaml-language-server: $schema=schema.json"
    assert re.match(rf"# automl search {name} --data \w+", lines[1])
    assert re.fullmatch(r"#     [1-9]\d* (s|min) on 2 cores, test (accuracy|r2) [01]\.\d{3}", lines[2]), (
        "see benchmarks/headers.py"
    )
    read = experiment.load(name)
    assert read.document.data["description"]
    assert block_lists.normalised(read.document) == read.document
    assert lint.findings(read) == []
