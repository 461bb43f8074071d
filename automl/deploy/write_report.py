"""The report of a search, written to a file of the user's."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from automl.errors import ConfigError, Problem
from automl.machine import files
from automl.results import leaderboard, report
from automl.results.plots import Searched


def write_report(
    home: Path,
    search_id: str,
    to: Path | None,
    *,
    winner: bool,
    force: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Path:
    """Writes the report, whole or not at all.

    Args:
        home: Where searches live.
        search_id: The search.
        to: File to write; None for `NAME.html` in the current folder.
        winner: Also look at the winner, which loads its model and reads the data.
        force: Overwrite the file.
        say: Told why the winner is left out.

    Returns:
        The file written.

    Raises:
        ConfigError: The file is there already, there is no such folder, or the winner's backend is not installed.
    """
    told, read = leaderboard.read(home, search_id)
    target = to or Path(re.sub(r"[^A-Za-z0-9._-]+", "-", told.header.settings.get("name", search_id)) + ".html")
    files.require_place(target, force, "with --to")
    room = target.absolute().parent
    if not room.is_dir():
        raise ConfigError(Problem(str(target), "there is no such folder to write into", hint="Make it first"))
    result, board = told.finished.result if told.finished else None, leaderboard.board(home, search_id)
    if winner:
        from automl.results.winner import looked_at

        with looked_at(home, told, read, say) as seen:
            text = report.written(Searched(told, read, seen), board, result)
    else:
        text = report.written(Searched(told, read), board, result)
    with tempfile.TemporaryDirectory(dir=room) as drafts:
        draft = Path(drafts) / target.name
        draft.write_text(text, encoding="utf-8")
        draft.replace(target)
    return target
