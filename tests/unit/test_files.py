"""What paths lead to that are no regular files: nothing waits for a pipe, reads a device or takes its place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from automl import journal, sources
from automl.authoring import sniff
from automl.blocks import _applications
from automl.cli import main
from automl.deploy.export_best import export_best
from automl.document import catalog, yaml_text
from automl.driver import changed_document, stop_request
from automl.errors import AutomlError
from automl.machine import doctor, files, folders
from automl.results import leaderboard

pytestmark = pytest.mark.timeout(60)

LONG = "x" * 5000

TOLD = {
    "pipe": "is a pipe, no regular file",
    "device": "is a device, no regular file",
    "circle": "its links lead in a circle",
    "nowhere": "leads nowhere",
    LONG: "its name is longer than the system takes",
    "~nosuchuser/file": "there is no user 'nosuchuser'",
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """Makes what a path of `TOLD` leads to, with an ending, in the current folder; returns the path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUTOML_DATA", raising=False)

    def make(kind: str, ending: str) -> str:
        path = f"{kind}{ending}"
        if kind == "pipe":
            os.mkfifo(path)
        elif kind in ("device", "circle", "nowhere"):
            Path(path).symlink_to({"device": "/dev/zero", "circle": path, "nowhere": "none"}[kind])
        return path

    return make


def said(call: Callable[[], object]) -> str:
    with pytest.raises(AutomlError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 1500
    return message


@pytest.mark.parametrize("kind", TOLD)
def test_what_a_path_leads_to(kind, place):
    path = Path(place(kind, ""))
    assert files.unreadable(path) == TOLD[kind]
    assert files.unwritable(path) == (None if kind == "nowhere" else TOLD[kind])
    assert files.exists(path) == (kind in ("pipe", "device"))
    assert files.special(path) == (TOLD[kind] if kind in ("pipe", "device") else None)


def test_what_is_usual(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        assert files.unreadable(tmp_path / name) is files.unwritable(tmp_path / name) is None
    assert files.unreadable(tmp_path) == files.unwritable(tmp_path) == "is a folder, no file"
    assert files.unreadable(tmp_path / "none") == files.NOTHING
    assert files.unwritable(tmp_path / "none") is None
    assert files.unreadable(tmp_path / "file" / "none") == files.NOTHING
    assert "null character" in str(files.unreadable(tmp_path / "a\0b"))
    assert files.expanded("~") == Path.home()


@pytest.mark.parametrize("kind", TOLD)
def test_documents(kind, place):
    path = place(kind, ".yaml")
    assert TOLD[kind] in said(lambda: catalog.find(catalog.SPACES, path))
    assert said(lambda: catalog.find(catalog.DATASETS, path, "--data")).startswith(f"--data: {TOLD[kind]}: ")
    if kind in ("pipe", "device"):
        assert TOLD[kind] in said(lambda: yaml_text.read(Path(path)))
    assert changed_document._placed(path) == path


def test_a_name_that_is_no_path_is_cut_in_messages():
    message = said(lambda: catalog.find(catalog.SPACES, LONG))
    assert message.startswith("SPACE: no search space is called 'xxx")


@pytest.mark.parametrize("kind", TOLD)
@pytest.mark.parametrize("source", ["csv", "npz", "idx", "ts", "image_folder"])
def test_data(kind, source, place):
    path = place(kind, "")
    fields = {"file": path, "target": "y"} if source == "csv" else {"file" if source == "npz" else "folder": path}
    read = sources.registry.get(source).model_validate(fields)
    message = said(lambda: read.open(Path.cwd()))
    if kind != "~nosuchuser/file":  # which is looked for as a folder of that name, in vain
        assert TOLD[kind] in message
    assert TOLD[kind] in said(lambda: sniff.look(Path(path)))


@pytest.mark.parametrize("kind", ["pipe", "device", "circle", "nowhere", LONG])
def test_files_in_a_folder_of_series(kind, place):
    place(kind, "_TRAIN.ts")
    read = sources.registry.get("ts").model_validate({"folder": ".", "name": kind})
    assert f"_TRAIN.ts is missing: {TOLD[kind]}" in said(lambda: read.open(Path.cwd())).replace("...", "_TRAIN.ts")


@pytest.mark.parametrize("kind", ["pipe", "circle", LONG, "~nosuchuser/file"])
def test_folders_to_write_into(kind, place):
    Path("t.csv").write_text("a,label\n" + "".join(f"{i % 7},{'xy'[i % 2]}\n" for i in range(40)))
    path = place(kind, "")
    for to in (path, f"{path}/deeper"):
        result = CliRunner().invoke(main, ["init", "t.csv", "--to", to])
        assert result.exit_code == 2, result.exception
        assert len(result.stderr.splitlines()) == 1
    assert TOLD[kind] in CliRunner().invoke(main, ["init", "t.csv", "--to", path]).stderr


def test_documents_are_written_over_nothing_but_files(place):
    Path("t.csv").write_text("a,label\n" + "".join(f"{i % 7},{'xy'[i % 2]}\n" for i in range(40)))
    os.mkfifo("t.space.yaml")
    result = CliRunner().invoke(main, ["init", "t.csv", "--force"])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "t.space.yaml: is a pipe, no regular file" in result.stderr
    assert Path("t.space.yaml").is_fifo()
    assert not Path("t.data.yaml").exists()


@pytest.mark.parametrize("kind", ["pipe", "circle", LONG])
def test_a_schema_takes_the_place_of_nothing_but_files(kind, place):
    path = place(kind, "")
    result = CliRunner().invoke(main, ["schema", "data", "--to", path])
    assert result.exit_code == 2
    assert TOLD[kind] in result.stderr
    assert kind != "pipe" or Path(path).is_fifo()


@pytest.mark.parametrize("kind", ["pipe", "circle", LONG])
def test_a_model_takes_the_place_of_nothing_but_files(kind, place, monkeypatch):
    path = place(kind, "")
    header = SimpleNamespace(settings={"name": "n"}, backend="tensorflow")
    trials = {1: SimpleNamespace(ended=None)}
    monkeypatch.setattr(leaderboard, "find_search", lambda home, wanted: "search")
    monkeypatch.setattr(leaderboard, "best_trial", lambda home, wanted: 1)
    monkeypatch.setattr(leaderboard, "history", lambda home, wanted: SimpleNamespace(header=header, trials=trials))
    model = folders.trial_folder(folders.search_folder(Path("home"), "search"), 1) / folders.MODEL
    model.parent.mkdir(parents=True)
    model.touch()
    assert TOLD[kind] in said(lambda: export_best(Path("home"), None, Path(path), force=True))
    assert kind != "pipe" or Path(path).is_fifo()


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_journals_and_wishes(kind, place):
    Path(place(kind, "")).rename(journal.FILE)
    assert TOLD[kind] in said(lambda: journal.replay(Path.cwd()))
    Path(journal.FILE).rename(stop_request.FILE)
    assert stop_request.asked(Path.cwd()) is None


@pytest.mark.parametrize("kind", TOLD)
def test_weights(kind, place):
    path = place(kind, ".h5")
    message = said(lambda: _applications.load("MobileNetV2", path, 0.35))
    assert f"its file of weights {TOLD[kind]}" in message


@pytest.mark.parametrize("kind", TOLD)
def test_homes(kind, place, monkeypatch):
    monkeypatch.setenv(folders.HOME_VARIABLE, place(kind, ""))
    message = said(folders.writable_home)
    assert "searches cannot be kept here: " in message
    assert TOLD[kind] in message
    assert doctor._home()["ok"] is False
    if kind in (LONG, "circle"):
        assert said(folders.home) == message


@pytest.mark.parametrize("kind", TOLD)
def test_the_place_of_all_data(kind, place, monkeypatch):
    monkeypatch.setenv("AUTOML_DATA", place(kind, ""))
    assert doctor._data()["ok"] is False
    with pytest.raises(AutomlError):
        sources.registry.get("idx").model_validate({"folder": "mnist"}).open(None)
