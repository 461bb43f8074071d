"""A trial's model read back: the file may be gone, damaged, hostile, or another's. One line each."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from dataclasses import replace

import pytest
from click.testing import CliRunner

import automl
from automl.cli import main
from automl.errors import SearchError
from automl.journal import Asked, Ended, Header, Journal
from automl.journal.data import described
from automl.machine import folders, keras_backend
from automl.model import build, saved
from automl.results import leaderboard

SETTINGS = {
    "space": "mine",
    "tracking_uri": "sqlite:///elsewhere/mlflow.db",
    "name": "mine-d",
    "data": described(replace(build.data_of((4, 4, 1), 3), name="d", digest="a")),
}
DATA = {"name": "d", "source": {"sklearn": {"name": "digits"}}, "input": "image", "task": "classification"}
DOCUMENT = {"model": [{"dense": {"units": {"min": 8, "max": 64}}}], "data": DATA}
WEIGHTS = 4 * 4 * 3 + 3


def network(shape=(4, 4, 1), units=3, function=None):
    import keras

    layers = [] if function is None else [keras.layers.Lambda(function)]
    return keras.Sequential([keras.Input(shape), *layers, keras.layers.Flatten(), keras.layers.Dense(units)])


def kept(folder, *args, **kwargs):
    path = folder / f"{len(list(folder.iterdir()))}.keras"
    network(*args, **kwargs).save(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {
        "own": kept(folder),
        "shape": kept(folder, (2, 8, 1)),
        "units": kept(folder, units=2),
        "lambda": kept(folder, function=lambda x: x + 1),
    }


def changed(content, name, new, packed=False):
    """Returns a model's file with one of its parts changed; None takes it away."""
    out = io.BytesIO()
    how = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(out, "w", how) as after:
        for part in before.namelist():
            data = before.read(part)
            told = new(data) if part == name else data
            if told is not None:
                after.writestr(part, told)
    return out.getvalue()


def foreign(config):
    return json.dumps({**json.loads(config), "module": "os", "class_name": "system"}).encode()


CASES = {
    "empty": (lambda own: b"", "cannot be read as a model: it is empty"),
    "text": (lambda own: b"hello" * 100, "it is damaged, or of another format"),
    "cut short": (lambda own: own[: len(own) // 2], "it is damaged, or of another format"),
    "no config": (lambda own: changed(own, "config.json", lambda _: None), "cannot be read as a model (KeyError: "),
    "no weights": (lambda own: changed(own, "model.weights.h5", lambda _: None), "(ValueError: Expected a model.weig"),
    "null": (lambda own: changed(own, "config.json", lambda _: b"null"), "cannot be read as a model (TypeError: "),
    "deep": (lambda own: changed(own, "config.json", lambda _: b"[" * 100_000), "(RecursionError: "),
    "foreign": (lambda own: changed(own, "config.json", foreign), "cannot be read as a model (TypeError: Could not"),
    "cut weights": (lambda own: changed(own, "model.weights.h5", lambda h5: h5[:500]), "(OSError: "),
    "a bomb": (
        lambda own: changed(own, "config.json", lambda _: b" " * 50_000_000, packed=True),
        "what is packed in it would take 50 MB",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_damaged_or_hostile_file_is_one_line(tmp_path, files, case):
    change, said = CASES[case]
    path = tmp_path / "model.keras"
    path.write_bytes(change(files["own"]))
    with pytest.raises(SearchError) as caught:
        saved.load(path, shapes={"image": (4, 4, 1)}, parameters=WEIGHTS)
    told = str(caught.value)
    assert told.startswith(f"{path}: ")
    assert said in told
    assert len(told.splitlines()) == 1
    assert len(told) < 500 + len(str(path))


def test_code_in_a_file_is_not_run(tmp_path, files):
    path = tmp_path / "model.keras"
    path.write_bytes(files["lambda"])
    with pytest.raises(SearchError, match="`Lambda` layer whose `function` is a Python lambda"):
        saved.load(path)


def test_what_is_no_file_is_said_at_once(tmp_path):
    path = tmp_path / "model.keras"
    for make, said in (
        (lambda: None, "the best trial's model is gone"),
        (lambda: path.symlink_to(path), "the best trial's model is gone"),
        (lambda: os.mkfifo(path), "is no regular file"),
        (path.mkdir, "is no regular file"),
    ):
        make()
        with pytest.raises(SearchError, match=said):
            saved.load(path)
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def test_another_model_is_not_taken_for_the_trials(tmp_path, files):
    path = tmp_path / "model.keras"
    path.write_bytes(files["own"])
    assert saved.load(path, shapes={"image": (4, 4, 1)}, parameters=WEIGHTS).count_params() == WEIGHTS
    assert saved.load(path).count_params() == WEIGHTS
    path.write_bytes(files["shape"])
    with pytest.raises(SearchError, match=r"Expected examples of 4x4x1; received examples of 2x8x1\. "):
        saved.load(path, shapes={"image": (4, 4, 1)}, parameters=WEIGHTS)
    path.write_bytes(files["units"])
    with pytest.raises(SearchError, match=r"Expected 51 weights; received 34 weights\. "):
        saved.load(path, shapes={"image": (4, 4, 1)}, parameters=WEIGHTS)


def test_models_of_several_inputs_are_known_by_their_names(tmp_path):
    import keras

    path = tmp_path / "model.keras"
    both = {name: keras.Input(shape, name=name) for name, shape in (("text", (7,)), ("image", (4, 4, 1)))}
    x = keras.layers.Concatenate()([keras.layers.Flatten()(each) for each in both.values()])
    keras.Model(both, keras.layers.Dense(2)(x)).save(path)
    saved.load(path, shapes={"image": (4, 4, 1), "text": (7,)}, parameters=2 * 23 + 2)
    for other in ({"image": (4, 4, 1), "words": (7,)}, {"image": (4, 4, 1), "text": (8,)}, {"image": (4, 4, 1)}):
        with pytest.raises(SearchError, match=r"is not the one .*; received examples of 4x4x1 and 7\. "):
            saved.load(path, shapes=other)


def test_too_little_memory_is_no_damage(tmp_path, files, monkeypatch):
    import keras

    class ResourceExhaustedError(Exception):
        pass

    path = tmp_path / "model.keras"
    path.write_bytes(files["own"])
    for error in (MemoryError(), ResourceExhaustedError("OOM when allocating tensor")):

        def load(*args, error=error, **kwargs):
            raise error

        monkeypatch.setattr(keras.saving, "load_model", load)
        with pytest.raises(SearchError, match="needs more memory than there is to be read"):
            saved.load(path)


def test_a_side_that_a_model_leaves_open_may_be_any(tmp_path):
    path = tmp_path / "model.keras"
    import keras

    keras.Sequential([keras.Input((None, 2)), keras.layers.GlobalMaxPooling1D(), keras.layers.Dense(1)]).save(path)
    saved.load(path, shapes={"series": (7, 2)})
    with pytest.raises(SearchError, match="Expected examples of 7x3; received examples of anyx2"):
        saved.load(path, shapes={"series": (7, 3)})


def test_too_little_memory_of_any_backend_is_no_damage(files, tmp_path, monkeypatch):
    import keras

    path = tmp_path / "model.keras"
    path.write_bytes(files["own"])

    def load(*_, **__):
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 4096 bytes")

    monkeypatch.setattr(keras.saving, "load_model", load)
    with pytest.raises(SearchError, match="needs more memory than there is to be read"):
        saved.load(path)


# --- the command


@pytest.fixture
def search(home):
    """A search whose best trial, the second, has no file yet."""
    name = "20261101-101500-abcd"
    header = Header(name, 1, DOCUMENT, "a" * 64, ("dense.units",), 0, 2, "tensorflow", {}, "here", SETTINGS)
    with Journal.create(home / "searches" / name, header) as log:
        for number in (1, 2):
            log.append(Asked(number, {"dense.units": 8}, 1, 1))
        log.append(Ended(2, 1, "completed", 2, score=0.5, best_epoch=1, epochs=1, parameters=WEIGHTS))
    folder = folders.trial_folder(folders.search_folder(home, name), 2)
    folder.mkdir(parents=True)
    return folder / folders.MODEL


def export(*line):
    return CliRunner().invoke(main, ["export", *line], prog_name="automl")


def test_export_says_what_is_wrong(search, files, tmp_path):
    to = tmp_path / "mine.keras"
    gone = export("--to", str(to))
    assert gone.exit_code == 1
    assert gone.stderr == f"Error: {search}: the best trial's model is gone. Run the search again.\n"
    search.write_bytes(files["shape"])
    other = export("--to", str(to))
    assert other.exit_code == 1
    assert "the model is not the one that was trained" in other.stderr
    assert not to.exists()
    search.write_bytes(files["own"])
    assert export("--to", str(to)).exit_code == 0
    assert to.stat().st_size > 0


def test_a_place_where_no_file_can_stand_is_said_first(search, files, tmp_path):
    search.write_bytes(files["own"])
    (tmp_path / "there").write_text("mine")
    (tmp_path / "there.keras").write_text("mine")
    (tmp_path / "folder.keras").mkdir()
    for place, said in (
        (tmp_path / "missing" / "a.keras", "there is no such folder to write into"),
        (tmp_path / "there" / "a.keras", "there is no such folder to write into"),
        (tmp_path / "folder.keras", "is a folder"),
    ):
        done = export("--to", str(place), "--force")
        assert done.exit_code == 2
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert "the file exists already" in export("--to", str(tmp_path / "there.keras")).stderr
    assert (tmp_path / "there.keras").read_text() == (tmp_path / "there").read_text() == "mine"


def test_from_python_no_other_model_is_taken_for_the_trials(search, files, home):
    found = automl.load_search(search.parents[2].name, home=home)
    search.write_bytes(files["shape"])
    with pytest.raises(SearchError, match="the model is not the one that was trained"):
        found.model()
    search.write_bytes(files["own"])
    assert found.model().count_params() == WEIGHTS


def test_a_search_without_a_score_has_nothing_to_export(search, home):
    journal = search.parents[2] / "journal.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]))
    done = export()
    assert done.exit_code == 2
    assert done.stderr.endswith("there is no model to export yet. Expected at least one scored trial.\n")


@pytest.mark.parametrize("line", [["export", "--to", "mine.keras"], ["resume"]])
def test_a_backend_that_is_not_here_is_named(search, monkeypatch, line):
    monkeypatch.setattr(keras_backend, "installed", lambda package: False)
    journal = search.parents[2] / "journal.jsonl"
    journal.write_text(journal.read_text().replace('"backend":"tensorflow"', '"backend":"torch"'))
    done = CliRunner().invoke(main, line, prog_name="automl")
    assert done.stderr == (
        f"Error: {search.parents[2].name}, made with torch: the backend torch is not installed. "
        "Install it with: pip install 'automl-keras[torch]'.\n"
    )
    assert done.exit_code == 2


def test_a_backend_of_a_journal_that_there_is_not(search):
    journal = search.parents[2] / "journal.jsonl"
    journal.write_text(journal.read_text().replace('"backend":"tensorflow"', '"backend":"theano"'))
    assert "no such Keras backend" in export("--to", "mine.keras").stderr
    assert leaderboard.searches(search.parents[4])
