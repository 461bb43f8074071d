"""What goes when what is kept between searches takes too much room."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automl.machine import disk


def test_a_folder_that_was_only_listed_was_not_used(tmp_path: Path) -> None:
    """Whoever sums up sizes lists it, which sets the time of its last access; a user of it sets both times."""
    for name, used, listed in (("long ago", 1e9, 3e9), ("lately", 2e9, 2e9)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "x.npy").write_bytes(bytes(400_000))
        os.utime(folder, (listed, used))
    disk.make(tmp_path.iterdir(), limit_mb=0.5)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["lately"]


def test_a_file_that_was_read_was_used(tmp_path: Path) -> None:
    for name, written, read in (("read", 1e9, 3e9), ("written", 2e9, 2e9)):
        (tmp_path / name).write_bytes(bytes(400_000))
        os.utime(tmp_path / name, (read, written))
    disk.make(tmp_path.iterdir(), limit_mb=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["read"]


def test_a_folder_that_others_remove_and_make_anew_meanwhile_is_not_taken_for_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, listed = tmp_path / "one", threading.Event()
    folder.mkdir()

    def entries() -> Iterator[Path]:
        yield folder
        listed.set()

    is_dir = Path.is_dir
    monkeypatch.setattr(Path, "is_dir", lambda path: is_dir(path) and not (path == folder and listed.is_set()))
    disk.make(entries(), limit_mb=-1.0)
    assert not folder.exists()


def test_a_folder_that_is_held_stays_under_each_of_its_names(tmp_path: Path) -> None:
    names = ["one", "one.part", ".one.part.f00", "two"]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.npy").write_bytes(bytes(400_000))
    with disk.held(tmp_path / "one"):
        disk.make((path for path in tmp_path.iterdir() if path.is_dir()), limit_mb=0.0)
        assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == sorted(names[:3])
    disk.make((path for path in tmp_path.iterdir() if path.is_dir()), limit_mb=0.0)
    assert [path.name for path in tmp_path.iterdir()] == ["held.lock"]


def test_whoever_comes_while_a_folder_is_removed_waits_and_holds_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, held, ended = tmp_path / "one", threading.Event(), threading.Event()
    folder.mkdir()

    def come() -> None:
        with disk.held(folder):
            held.set()
            ended.wait(10)

    thread = threading.Thread(target=come)
    remove = shutil.rmtree

    def remove_slowly(path: Path, **given: Any) -> None:
        thread.start()
        assert not held.wait(0.2)
        remove(path, **given)

    monkeypatch.setattr(shutil, "rmtree", remove_slowly)
    disk.make([folder], limit_mb=-1.0)
    assert held.wait(10)
    assert not folder.exists()
    folder.mkdir()
    disk.make([folder], limit_mb=-1.0)
    assert folder.is_dir()
    ended.set()
    thread.join()


def test_the_last_of_its_holders_lets_a_folder_go(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    with disk.held(folder):
        with disk.held(folder):
            pass
        disk.make([folder], limit_mb=-1.0)
        assert folder.is_dir()
    disk.make([folder], limit_mb=-1.0)
    assert not folder.exists()


def test_a_holder_that_was_killed_holds_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    code = f"""
import time
from pathlib import Path
from automl.machine import disk
with disk.held(Path({str(tmp_path / "one")!r})):
    print("held", flush=True)
    time.sleep(600)
"""
    (tmp_path / "one").mkdir()
    for comes_next in (False, True):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            disk.make([tmp_path / "one"], limit_mb=-1.0)
            assert (tmp_path / "one").is_dir()
            process.kill()
        assert len(list(tmp_path.glob("*.held"))) == 1
        if comes_next:
            with disk.held(tmp_path / "one"):
                assert len(list(tmp_path.glob("*.held"))) == 1  # its own
        else:
            disk.make([tmp_path / "one"], limit_mb=-1.0)
            assert not (tmp_path / "one").exists()
            (tmp_path / "one").mkdir()
        assert list(tmp_path.glob("*.held")) == []


def test_where_no_file_can_be_locked_nobody_makes_do_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that is a file's being there outlives a kill."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="not implemented"), disk.locked(tmp_path / "lock"):
        raise AssertionError("was locked")
