"""What the machine refuses is one line and an exit code: a read-only home, a full disk, memory that is used up."""

from __future__ import annotations

import builtins
import errno
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from click.testing import CliRunner

from automl.cli import main
from automl.driver.mirroring import Mirroring
from automl.errors import SearchError, refused
from automl.journal import FILE, Asked, Ended, Header, Journal, Lock, Resumed
from automl.machine import keras_backend
from automl.model import build
from automl.results import leaderboard

DATA = {"name": "d", "source": {"sklearn": {"name": "digits"}}, "input": "image", "task": "classification"}
DOCUMENT = {"model": [{"dense": {"units": {"min": 8, "max": 64}}}], "data": DATA}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def write(home):
    """Makes a search with one scored trial; returns its id."""
    name = "20261101-101500-abcd"
    header = Header(name, 1, DOCUMENT, "a" * 64, ("dense.units",), 0, 2, "tensorflow", {}, "here", {"space": "mine"})
    with Journal.create(home / "searches" / name, header) as log:
        log.append(Asked(1, {"dense.units": 8}, 1, 1))
        log.append(Ended(1, 1, "completed", 2, score=0.5, best_epoch=1, epochs=1))
    return name


@pytest.fixture
def read_only(home, monkeypatch):
    """A home with a search in it, where nothing can be written any more; root may write where modes forbid it."""
    name = write(home)
    with Lock(home / "searches" / name):
        pass  # its driver was here
    opened, made, low = io.open, os.mkdir, os.open

    def check(path, writes):
        if writes and not isinstance(path, int) and home in [Path(path).absolute(), *Path(path).absolute().parents]:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    def checked(path, mode="r", *args, **kwargs):
        check(path, set(mode) & set("wax+"))
        return opened(path, mode, *args, **kwargs)

    def checked_low(path, flags, *args, **kwargs):
        check(path, flags & WRITES)
        return low(path, flags, *args, **kwargs)

    def checked_folder(path, *args, **kwargs):
        check(path, True)
        made(path, *args, **kwargs)

    monkeypatch.setattr(io, "open", checked)
    monkeypatch.setattr(builtins, "open", checked)
    monkeypatch.setattr(os, "open", checked_low)
    monkeypatch.setattr(os, "mkdir", checked_folder)
    return name


def run(*line):
    return CliRunner().invoke(main, line, prog_name="automl")


@pytest.mark.parametrize("line", ["trials", "show 1", "best", "status", "trials -o json", "status -o yaml"])
def test_a_read_only_home_is_read(read_only, line):
    done = run(*line.split())
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    assert done.stdout


def test_a_read_only_home_is_not_written(read_only, home, monkeypatch):
    for line in (["sync"], ["sync", "--tracking-uri", "http://127.0.0.1:9"]):
        done = run(*line)
        assert done.exit_code == 1
        assert done.stderr == f"Error: {home}/searches/{read_only}/lock: the disk is read-only.\n"
    monkeypatch.setattr("automl.journal.holder", lambda folder: "somebody")
    done = run("stop")
    assert done.exit_code == 1
    assert done.stderr == f"Error: {home}/searches/{read_only}/control.part: the disk is read-only.\n"


def test_a_home_that_may_not_be_read_is_not_empty(home, monkeypatch):
    write(home)
    folder = home / "searches"

    def refusing(listing):
        def listed(path):
            if home in Path(path).parents:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return listing(path)

        return listed

    for name in ("listdir", "scandir"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    done = run("trials")
    assert done.exit_code == 1
    assert done.stderr == f"Error: {folder}: no permission.\n"


def test_what_backends_print_goes_nowhere_where_it_cannot_be_kept(read_only, home):
    with keras_backend.quietly(home / "searches" / read_only / "backend.log"):
        os.write(2, b"noise")
    assert not (home / "searches" / read_only / "backend.log").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("line", ["--help", "trials", "show 1 -o json"])
def test_a_full_standard_output_is_told(home, line, buffered):
    write(home)
    variables = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "automl", *line.split()]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, env=variables, check=False)
        silent = subprocess.run(words, stdout=full, stderr=full, env=variables, check=False)
    assert done.returncode == 1
    assert done.stderr == ("Error: standard output: the disk is full.\n" if buffered else "Error: the disk is full.\n")
    assert silent.returncode == 1


NO_MEMORY = "the memory is used up. Give the program more, or let it have fewer workers or less data."


class Full:
    """A file on a full disk, which fails as it is closed too."""

    def write(self, line=None):
        raise OSError(errno.ENOSPC, "No space left on device")

    close = flush = write


def test_a_journal_that_cannot_be_written_is_named_once(home):
    folder = home / "searches" / write(home)

    def go_on():
        with Journal.open(folder) as log:
            log._file.close()
            log._file = Full()
            log.append(Resumed(12_000))

    with pytest.raises(OSError, match="No space left") as caught:
        go_on()
    assert caught.value.__context__ is None
    assert refused(caught.value) == f"{folder / FILE}: the disk is full."


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "x"), "the disk is full."),
        (OSError(errno.EROFS, "x", "/a/b"), "/a/b: the disk is read-only."),
        (PermissionError(errno.EACCES, "x", "/a\x1b[31m"), "/a\\x1b[31m: no permission."),
        (ImportError("libx.so.2: failed to map segment from shared object"), NO_MEMORY),
        (MemoryError(), NO_MEMORY),
    ],
)
def test_a_refusal_is_a_line(home, monkeypatch, error, told):
    def fail(*args):
        raise error

    monkeypatch.setattr(leaderboard, "board", fail)
    write(home)
    done = run("trials")
    assert done.exit_code == 1
    assert done.stderr == f"Error: {told}\n"


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "x", "y"), OSError("odd"), ImportError("odd")])
def test_what_may_be_a_bug_stays_a_traceback(home, monkeypatch, error):
    def fail(*args):
        raise error

    monkeypatch.setattr(leaderboard, "board", fail)
    write(home)
    assert run("trials").exception is error


def test_the_prediction_of_a_plan_that_is_damaged_is_none(home):
    from automl.results.prediction import FOLDER, Prediction, recall, remember

    remember(home, "a", Prediction(2.0, 1.0, 3.0))
    assert recall(home, "a") == Prediction(2.0, 1.0, 3.0)
    path = home / FOLDER / "a.json"
    for text in ("", "[]", "{}", json.dumps({"seconds": "2", "low_s": 1, "high_s": 3})):
        path.write_text(text)
        assert recall(home, "a") is None
    path.write_text(json.dumps({"seconds": 2, "low_s": 1, "high_s": 3, "later": 1}))
    assert recall(home, "a") == Prediction(2, 1, 3)


@pytest.mark.parametrize("data", [None, "GONE"])
def test_a_search_whose_document_lost_its_data_is_a_line(home, data):
    document = {**DOCUMENT, "data": data} if data is None else {"model": DOCUMENT["model"]}
    settings = {"space": "mine", "name": "mine", "experiment": "d", "tracking_uri": "x", "workers": 1, "source": None}
    header = Header("a", 1, document, "a" * 64, (), 0, 2, "tensorflow", {}, "here", settings)
    spec = replace(build.data_of((8, 8, 1), 2), name="d", digest="a")
    with pytest.raises(SearchError, match="a: the document of the search has no data"):
        Mirroring(MagicMock(), spec).tell([header])
    with Journal.create(home / "searches" / "a", header):
        pass
    done = run("resume")
    assert done.exit_code == 1
    assert "journal.jsonl: the document of the search has no data" in done.stderr
