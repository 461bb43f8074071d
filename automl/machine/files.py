"""What a path leads to, asked before it is opened: a pipe would be waited for, a device read without end."""

from __future__ import annotations

import errno
import re
import shutil
import stat
import uuid
from pathlib import Path

from automl.errors import ConfigError, Problem, cut

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}

SHOWN = 200
"""Characters of a path that messages show."""

NOTHING = "no such file or folder"
"""Why there is nothing at most paths that lead nowhere."""

DANGLING = "leads nowhere"
"""Why there is nothing at a link to what is not there."""


def expanded(path: Path | str) -> Path:
    """Returns a path with `~` written out; one of a user whom the system does not know stays as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def shown(path: Path | str) -> str:
    """Returns a path as messages show it."""
    return cut(str(path), SHOWN)


def absent(path: Path) -> str | None:
    """Returns why there is nothing at a path, as the end of a sentence; None where there is something.

    A link that leads nowhere is nothing, and so is a path that the system cannot take: too long, or in a circle.
    """
    try:
        path.stat()
    except OSError as error:
        return _reason(path, error)
    except ValueError:
        return "no path: it holds a null character"
    return None


def exists(path: Path) -> bool:
    """Tells whether there is something at a path, whatever the path is."""
    return absent(path) is None


def special(path: Path) -> str | None:
    """Returns what keeps a path that leads somewhere from being read: it is a pipe, a device or a socket; else None."""
    try:
        kind = _KINDS.get(stat.S_IFMT(path.stat().st_mode))
    except (OSError, ValueError):
        return None
    return kind and f"is {kind}, no regular file"


def unreadable(path: Path) -> str | None:
    """Returns why a path cannot be read as a file, as the end of a sentence; None for a regular file."""
    missing = absent(path)
    if missing is not None or path.is_file():
        return missing
    return special(path) or "is a folder, no file"


def unwritable(path: Path) -> str | None:
    """Returns why no file can be put at a path, as the end of a sentence; None where one can, there or anew.

    What is written beside a path and renamed to it would take the place of a device or a pipe.
    """
    missing = absent(path)
    if missing is None:
        return unreadable(path)
    return None if missing in (NOTHING, DANGLING) else missing


def require_file(path: Path, force: bool, option: str) -> None:
    """Refuses a path where no file can be written, or where one is already, or whose folder is not there.

    Args:
        path: Where.
        force: A file there may be replaced.
        option: What names another place, for the message.

    Raises:
        ConfigError: It is no place for a file, one is there, or there is no such folder.
    """
    require_place(path, force, option)
    if not path.absolute().parent.is_dir():
        raise ConfigError(Problem(str(path), "there is no such folder to write into", hint="Make it first"))


def named(name: str, suffix: str) -> Path:
    """Returns the file in the current folder that is called after a search, without what no file system takes."""
    return Path(re.sub(r"[^A-Za-z0-9._-]+", "-", name) + suffix)


def require_place(path: Path, force: bool, option: str) -> None:
    """Refuses a path where no file can be written, or where one is already.

    Args:
        path: Where.
        force: A file there may be replaced.
        option: What names another place, for the message.

    Raises:
        ConfigError: It is no place for a file, or one is there.
    """
    if problem := unwritable(path):
        raise ConfigError(Problem(shown(path), problem, "a regular file to write"))
    if absent(path) is None and not force:
        raise ConfigError(Problem(str(path), "the file exists already", hint=f"Name another {option}, or give --force"))


def require_free(path: Path, force: bool, option: str) -> None:
    """Refuses a path that is taken, or whose folder cannot be written to; makes the folder where it is not there.

    Args:
        path: Where a file or a folder is to be put.
        force: What is there may be replaced.
        option: What names another place, for the message.

    Raises:
        ConfigError: It is no place for it.
    """
    if path.is_dir():
        if not force:
            hint = f"Name another {option}, or give --force"
            raise ConfigError(Problem(str(path), "the folder exists already", hint=hint))
    else:
        require_place(path, force, option)
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = Problem(
            str(path.parent), f"is no folder to write into: {error.strerror}", hint=f"Name another {option}"
        )
        raise ConfigError(problem) from error


def write_whole(path: Path, text: str) -> None:
    """Writes a file that is there whole or not at all, whenever somebody reads it."""
    partial = path.with_name(f"{path.name}.part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def replace(made: Path, target: Path) -> None:
    """Puts a file or a folder in the place of whatever is there, by renames.

    Raises:
        OSError: The system does not let it.
    """
    if not target.is_dir():
        made.replace(target)
        return
    aside = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    target.rename(aside)
    made.rename(target)
    shutil.rmtree(aside, ignore_errors=True)


def _reason(path: Path, error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "its links lead in a circle"
    if error.errno == errno.ENAMETOOLONG:
        return "its name is longer than the system takes"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        # Written out it would not begin so.
        if str(path).startswith("~"):
            return f"there is no user {path.parts[0].removeprefix('~')!r}"
        return DANGLING if path.is_symlink() else NOTHING
    return f"cannot be reached: {error.strerror}"
