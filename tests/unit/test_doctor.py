import subprocess

import pytest

from automl.machine import doctor
from automl.machine.workers import cores


@pytest.fixture
def without_backends(monkeypatch):
    """Asking a backend for its devices takes seconds; each test that wants it does it itself."""
    monkeypatch.setattr(doctor, "_DEVICES", {})


def checks():
    return {row["check"]: row for row in doctor.run()}


def test_a_good_installation(without_backends, home, tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_DATA", str(tmp_path))
    found = checks()
    assert all(row["ok"] is not False for row in found.values()), found
    assert all(isinstance(row["found"], str) and row["advice"] == "" for row in found.values())
    assert found["python"]["ok"] is True
    assert found["backend"]["ok"] is True
    assert found["cores"]["found"] == str(cores())
    assert found["AUTOML_DATA"] == {"check": "AUTOML_DATA", "ok": True, "found": str(tmp_path), "advice": ""}
    assert found["home"]["found"] == f"{home} (made by the first search)"
    assert not home.exists()
    home.mkdir()
    assert checks()["home"]["found"] == str(home)


def test_a_data_folder_need_not_be_set_but_must_be_there(without_backends, tmp_path, monkeypatch):
    monkeypatch.delenv("AUTOML_DATA", raising=False)
    assert checks()["AUTOML_DATA"]["ok"] is None
    monkeypatch.setenv("AUTOML_DATA", str(tmp_path / "gone"))
    row = checks()["AUTOML_DATA"]
    assert (row["ok"], row["advice"]) == (False, "The folder does not exist")


def test_a_wrong_backend_is_told_with_the_way_out(without_backends, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    row = checks()["backend"]
    assert (row["ok"], row["found"]) == (False, "theano")
    assert "Expected one of tensorflow, jax, torch" in row["advice"]


def test_a_home_that_cannot_be_written_is_told(without_backends, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AUTOML_HOME", str(tmp_path / "file"))
    row = checks()["home"]
    assert row["ok"] is False
    assert row["advice"].endswith("Set AUTOML_HOME to another place.")


@pytest.mark.parametrize(
    ("code", "ok", "found"),
    [
        ("print('noise'); print(2)", True, "2"),
        ("import sys; print('a hint', file=sys.stderr); print(0)", True, "0"),
        ("raise ImportError('no libcuda')", False, "ImportError: no libcuda"),
        ("import os; os._exit(1)", False, "exit code 1"),
        ("import os; os.kill(os.getpid(), 9)", False, "exit code -9"),
    ],
)
def test_a_backend_is_asked_for_its_devices(code, ok, found, monkeypatch):
    monkeypatch.setattr(doctor, "_DEVICES", {"keras": code})
    (row,) = doctor._devices()
    assert (row["check"], row["ok"], row["found"]) == ("GPUs (keras)", ok, found)
    assert row["advice"] == ("" if ok else "Reinstall keras: it does not import")


def test_a_backend_that_does_not_answer_is_told(monkeypatch):
    def hang(*args, **keywords):
        raise subprocess.TimeoutExpired(args[0], keywords["timeout"])

    monkeypatch.setattr(subprocess, "run", hang)
    monkeypatch.setattr(doctor, "_DEVICES", {"keras": "pass"})
    (row,) = doctor._devices()
    assert (row["ok"], row["found"]) == (False, "no answer in 120 s")


def test_only_installed_backends_are_asked(monkeypatch):
    monkeypatch.setattr(doctor, "_DEVICES", {"no-such-package": "raise SystemExit(1)"})
    assert doctor._devices() == []
