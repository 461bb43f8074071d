"""What goes when what is kept between searches takes too much room."""

from __future__ import annotations

import os
from pathlib import Path

from automl import room


def test_a_folder_that_was_only_listed_was_not_used(tmp_path: Path) -> None:
    """Whoever sums up sizes lists it, which sets the time of its last access; a user of it sets both times."""
    for name, used, listed in (("long ago", 1e9, 3e9), ("lately", 2e9, 2e9)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "x.npy").write_bytes(bytes(400_000))
        os.utime(folder, (listed, used))
    room.make(tmp_path.iterdir(), limit_mb=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["lately"]


def test_a_file_that_was_read_was_used(tmp_path: Path) -> None:
    for name, written, read in (("read", 1e9, 3e9), ("written", 2e9, 2e9)):
        (tmp_path / name).write_bytes(bytes(400_000))
        os.utime(tmp_path / name, (read, written))
    room.make(tmp_path.iterdir(), limit_mb=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["read"]
