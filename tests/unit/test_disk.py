"""What goes when what is kept between searches takes too much room."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

from automl.machine import disk


def test_a_folder_that_was_only_listed_was_not_used(tmp_path: Path) -> None:
    """Whoever sums up sizes lists it, which sets the time of its last access; a user of it sets both times."""
    for name, used, listed in (("long ago", 1e9, 3e9), ("lately", 2e9, 2e9)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "x.npy").write_bytes(bytes(400_000))
        os.utime(folder, (listed, used))
    disk.make(tmp_path.iterdir(), limit_mb=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["lately"]


def test_a_file_that_was_read_was_used(tmp_path: Path) -> None:
    for name, written, read in (("read", 1e9, 3e9), ("written", 2e9, 2e9)):
        (tmp_path / name).write_bytes(bytes(400_000))
        os.utime(tmp_path / name, (read, written))
    disk.make(tmp_path.iterdir(), limit_mb=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["read"]


def test_a_folder_that_is_held_stays_under_each_of_its_names(tmp_path: Path) -> None:
    names = ["one", "one.part", ".one.part.f00", "two"]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.npy").write_bytes(bytes(400_000))
    with disk.held(tmp_path / "one"):
        disk.make((path for path in tmp_path.iterdir() if path.is_dir()), limit_mb=0.0)
        assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == sorted(names[:3])
    disk.make((path for path in tmp_path.iterdir() if path.is_dir()), limit_mb=0.0)
    assert list(tmp_path.iterdir()) == []


def test_whoever_comes_while_a_folder_is_removed_waits_and_holds_the_next(tmp_path: Path) -> None:
    """The file that was locked goes with the folder: another process would lock another one."""
    (tmp_path / "one").mkdir()
    hold, held = disk._hold(tmp_path / "one"), threading.Event()

    def come() -> None:
        with disk.held(tmp_path / "one"):
            held.set()
            ended.wait(10)

    ended = threading.Event()
    thread = threading.Thread(target=come)
    with hold.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        thread.start()
        assert not held.wait(0.2)
        hold.unlink()
    assert held.wait(10)
    disk.make([tmp_path / "one"], limit_mb=-1.0)
    assert (tmp_path / "one").is_dir()
    ended.set()
    thread.join()
