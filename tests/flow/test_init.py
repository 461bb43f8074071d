"""`automl init`: the pair of documents it writes is valid, prepares, is searched; a mistake writes nothing."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from automl import sources
from automl.cli import main
from automl.data import prepare
from automl.document import yaml_text
from automl.experiment import experiment

REPO = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, empty."""
    place = tmp_path / "user"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.delenv("AUTOML_DATA", raising=False)
    return place


def run(*args: str) -> Result:
    return CliRunner().invoke(main, args, prog_name="automl")


def program(*args: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    return subprocess.run([sys.executable, *args], capture_output=True, text=True, check=False, env=environment)


def sensors(path: Path) -> Path:
    lines = [f"{i},2020-01-01,{i % 3}.5,{i % 7 or ''},{['walk', 'run', 'sit'][i % 3]}" for i in range(60)]
    path.write_text("\n".join([",when,a,b,activity", *lines]) + "\n")
    return path


def homes(path: Path) -> Path:
    """Writes numbers, categories, and a target that follows from both."""
    rng = np.random.default_rng(0)
    rooms, side = rng.integers(1, 9, 120), rng.integers(3, size=120)
    price = 50 * rooms + 40 * side + rng.normal(0, 5, 120)
    lines = [
        f"{room},{['north', 'south', 'east'][where]},{value:.1f}"
        for room, where, value in zip(rooms, side, price, strict=True)
    ]
    path.write_text("\n".join(["rooms,side,target", *lines]) + "\n")
    return path


SETS = ["csv", "npz", "idx", "ts", "image_folder", "photographs", "sensors.csv", "long.npz", "homes.csv"]


def made(kind: str) -> str:
    """Makes a small set in the folder `sets`; returns its path."""
    folder = Path("sets")
    folder.mkdir()
    if kind == "sensors.csv":
        return str(sensors(folder / kind))
    if kind == "homes.csv":
        return str(homes(folder / kind))
    if kind == "long.npz":
        np.savez(folder / kind, x=np.random.default_rng(0).normal(size=(40, 150, 2)), y=np.arange(40) % 2)
        return str(folder / kind)
    if kind == "photographs":
        rng = np.random.default_rng(0)
        for place in range(40):
            colours = Image.fromarray(rng.integers(0, 256, (12, 12, 3)).astype(np.uint8))
            path = folder / "ab"[place % 2] / f"{place}.jpg"
            path.parent.mkdir(exist_ok=True)
            colours.resize((64, 64), Image.Resampling.BICUBIC).save(path)
        return str(folder)
    sources.registry.get(kind).toy(folder)
    return str(folder)


@pytest.mark.parametrize("kind", SETS)
def test_the_pair_is_valid_and_the_data_is_prepared_as_told(kind, tmp_path):
    facts = json.loads(run("init", made(kind), "-o", "json").stdout)
    data_file, space_file = facts["written"]
    assert Path(space_file).read_text().splitlines()[0] == f"# {facts['command']}"
    assert shlex.split(facts["command"]) == ["automl", "search", space_file, "--data", data_file]
    checked = run("validate", space_file, "--data", data_file, "--strict")
    assert checked.exit_code == 0, checked.stderr

    read = experiment.load(space_file, data_file)
    assert read.data is not None
    spec = prepare.prepare(read.data, tmp_path / "prepared")
    assert [(list(each.shape), each.kind) for each in spec.inputs] == [(facts["shape"], facts["input"])]
    assert dict(spec.sizes) == facts["sizes"]
    assert list(spec.classes) == list(facts["classes"])
    assert sum(facts["examples"].values()) == sum(facts["classes"].values()) or facts["task"] == "regression"
    # Each of these sets is small: folds are proposed, and can be cut.
    assert read.evaluation.folds == facts["folds"] == 5
    folded = prepare.prepare(read.data, tmp_path / "folded", None, read.evaluation)
    assert len(folded.folds) == 5


@pytest.mark.parametrize("kind", ["sensors.csv", "photographs"])
def test_every_choice_has_its_reason(kind):
    for name in json.loads(run("init", made(kind), "-o", "json").stdout)["written"]:
        lines = Path(name).read_text().splitlines()
        assert all(len(line) <= 120 for line in lines)
        bare = [
            line
            for before, line in pairwise(lines)
            # A mapping of more lines has its reasons there, and a block says what it is by its name.
            if "#" not in line and not line.endswith(":") and "name:" not in line and not before.strip().startswith("#")
        ]
        assert not bare


def test_people_are_told_what_was_found_and_what_to_do():
    result = run("init", str(sensors(Path("sensors.csv"))), "--to", "documents")
    assert result.exit_code == 0, result.stderr
    first, note, _, last = result.stdout.splitlines()
    assert note == "'a' determines 'activity': each of its 3 values comes with one class alone."
    assert "60 rows of a table with 2 columns of numbers, 7.50% of their values missing; " in first
    assert "3 classes: run (20), sit (20), walk (20)" in first
    command = "automl search documents/sensors.space.yaml --data documents/sensors.data.yaml"
    assert last.strip() == command
    assert yaml_text.read(Path("documents/sensors.data.yaml")).data["source"]["csv"]["columns"] == ["a", "b"]


def test_nothing_is_overwritten_without_force(folder):
    sensors(folder / "sensors.csv")
    (folder / "sensors.space.yaml").write_text("mine")
    result = run("init", "sensors.csv")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: sensors.space.yaml: the file exists already. Name another folder with --to, or give --force.\n"
    )
    assert (folder / "sensors.space.yaml").read_text() == "mine"
    assert not (folder / "sensors.data.yaml").exists()
    assert run("init", "sensors.csv", "--force").exit_code == 0
    assert {path.name for path in folder.iterdir()} == {"sensors.csv", "sensors.data.yaml", "sensors.space.yaml"}
    assert run("validate", "sensors.space.yaml", "--data", "sensors.data.yaml").exit_code == 0


def test_both_are_written_or_none(folder, monkeypatch):
    sensors(folder / "sensors.csv")
    (folder / "sensors.space.yaml").mkdir()
    assert run("init", "sensors.csv", "--force").exit_code == 2
    (folder / "sensors.space.yaml").rmdir()
    write = Path.write_text

    def full(path: Path, text: str, **kwargs: str) -> int:
        if "space" in path.name:
            raise OSError(28, "No space left on device", str(path))
        return write(path, text, **kwargs)

    monkeypatch.setattr(Path, "write_text", full)
    result = run("init", "sensors.csv")
    assert result.exit_code == 2
    assert "No space left on device" in result.stderr
    assert [path.name for path in folder.iterdir()] == ["sensors.csv"]


def in_the_alpha_channel(kind: int, rng: np.random.Generator) -> np.ndarray:
    """A disc or a square; its colours are black, as what is around it."""
    pixels = np.zeros((16, 16, 4), np.uint8)
    y, x = rng.integers(2, 6, 2)
    rows, columns = np.mgrid[:16, :16]
    disc = (rows - y - 4) ** 2 + (columns - x - 4) ** 2 < 16
    square = (abs(rows - y - 3.5) < 4) & (abs(columns - x - 3.5) < 4)
    pixels[..., 3] = 255 * (disc, square)[kind]
    return pixels


def of_twelve_bits(kind: int, rng: np.random.Generator) -> np.ndarray:
    """Noise in files of 16 bits; the classes differ by 60 of 4,096 grey levels."""
    return (rng.integers(600, 640, (16, 16)) + 60 * kind).astype(np.uint16)


@pytest.mark.parametrize(
    ("drawn", "told"),
    [
        (in_the_alpha_channel, "80 of 80 images are transparent in part, and lie on white (`background`)."),
        (of_twelve_bits, "80 images hold numbers of 10 bits, divided by 4 for the range of bytes."),
    ],
)
def test_pictures_are_read_so_that_their_classes_are_told_apart(drawn, told, tmp_path):
    rng = np.random.default_rng(0)
    for kind, name in enumerate(("one", "two")):
        Path("set", name).mkdir(parents=True)
        for number in range(40):
            Image.fromarray(drawn(kind, rng)).save(Path("set", name, f"{number}.png"))
    result = run("init", "set")
    assert result.exit_code == 0, result.stderr
    assert told in result.stdout.splitlines()
    read = experiment.load("set.space.yaml", "set.data.yaml")
    assert read.data is not None
    spec = prepare.prepare(read.data, tmp_path / "prepared")
    assert told.startswith(spec.notes[0])
    x, y = (np.load(tmp_path / "prepared" / f"train_{axis}.npy") for axis in "xy")
    means = [[example.mean() for example in x[y == label]] for label in (0, 1)]
    assert max(min(means, key=min)) < min(max(means, key=max))


MISTAKES = {
    "init none.csv": "no such file or folder",
    "init empty.csv": "is empty",
    "init one.csv": "every example is of class 'a'",
    "init text.csv": "There is no input for text yet",
    "init price.csv": "which column is the target cannot be told",
    "init odd.npz": "received foo, bar",
    "init pictures": "nothing tells the classes of its images",
    "init broken": "1.png: is no image",
    "init nothing": "holds no data set",
    "init sensors.csv --target kind": "has no column 'kind'",
    "init sensors.csv --input image": "no square image",
    "init sensors.csv --input sound": "'sound' is not one of",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_line_and_nothing_is_written(line, folder):
    sensors(folder / "sensors.csv")
    (folder / "empty.csv").touch()
    (folder / "one.csv").write_text("x,y\n" + "1,a\n" * 9)
    (folder / "text.csv").write_text("words,label\nhello,a\nbye,b\n")
    (folder / "price.csv").write_text("a,price\n1,2.5\n2,3.5\n")
    np.savez(folder / "odd.npz", foo=np.ones(3), bar=np.ones(3))
    for name in ("pictures", "broken/cat", "nothing"):
        (folder / name).mkdir(parents=True)
    for name in ("pictures", "broken/cat"):
        (folder / name / "1.png").touch()
    before = sorted(folder.rglob("*"))
    result = run(*line.split())
    assert result.exit_code == 2
    assert result.stdout == ""
    (told,) = result.stderr.splitlines()
    assert told.startswith("Error: ")
    assert MISTAKES[line] in told
    assert sorted(folder.rglob("*")) == before


@pytest.mark.slow
def test_looking_needs_no_keras(folder):
    sensors(folder / "sensors.csv")
    code = (
        "import sys\nfrom automl.cli import main\nmain(['init', 'sensors.csv'], standalone_mode=False)\n"
        "print(sorted({'keras', 'tensorflow', 'keras_tuner', 'mlflow'} & set(sys.modules)))"
    )
    done = program("-c", code)
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr


# A convolutional network for images, dense layers for tables of classes and of numbers, convolutions along the steps.
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["idx", "sensors.csv", "long.npz", "homes.csv"])
def test_the_pair_is_searched(kind, home_with_store):
    facts = json.loads(run("init", made(kind), "-o", "json").stdout)
    line = shlex.split(facts["command"])
    line += ["--trials", "1", "--set", "training.epochs=1", "--set", "evaluation=null", "--inline", "-o", "json"]
    done = run(*line[1:])
    assert done.exit_code == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["status"], result["trials"]["completed"]) == ("completed", 1)
    if facts["task"] == "regression":
        assert result["best"]["test"]["test_r2"] < 1
        return
    # Measured on the part that was told: right answers are counted in whole examples.
    right = result["best"]["test"]["test_accuracy"] * facts["sizes"]["test"]
    assert right == pytest.approx(round(right), abs=1e-3)
