"""What a shell offers when a user presses Tab: shipped names and files, searches, trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem


def spaces(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Returns the shipped spaces, and has the shell add files."""
    del ctx, param
    return _shipped("search_spaces", incomplete)


def datasets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Returns the shipped data sets, and has the shell add files."""
    del ctx, param
    return _shipped("datasets", incomplete)


def searches(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Returns the searches of the home, the last one first; those that hold what was typed."""
    from click.shell_completion import CompletionItem

    from automl.errors import AutomlError
    from automl.journal import searches as known  # the leaderboard's own, without what a leaderboard imports
    from automl.machine import folders

    del ctx, param
    try:
        found = reversed(known(folders.home()))
    except (OSError, AutomlError):  # a shell that completes says nothing
        return []
    return [CompletionItem(each) for each in found if incomplete in each]


def _shipped(kind: str, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from automl.document import catalog

    names = [CompletionItem(name) for name in catalog.names(kind) if name.startswith(incomplete)]
    return names or [CompletionItem(incomplete, type="file")]
