"""The report of a search, written to a file of the user's."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

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
    target = to or files.named(told.header.settings.get("name", search_id), ".html")
    files.require_file(target, force, "with --to")
    if winner:
        from automl.results.winner import looked_at

        with looked_at(home, told, read, say) as seen:
            text = report.of(home, Searched(told, read, seen))
    else:
        text = report.of(home, Searched(told, read))
    with tempfile.TemporaryDirectory(dir=target.absolute().parent) as drafts:
        draft = Path(drafts) / target.name
        draft.write_text(text, encoding="utf-8")
        draft.replace(target)
    return target
