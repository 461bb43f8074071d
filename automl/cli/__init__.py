"""The command line: one file per group of verbs. Heavy imports stand inside the commands: `--help` is instant."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import Any, TextIO

import click

from automl import members

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NO_TRIAL = 3
EXIT_INTERRUPTED = 130

GROUPS = ("Before a search", "Search", "What it found", "Take it along")
"""What the verbs are for, in the order of a user's work; each file says to which of them its verbs belong."""


class Verbs(click.Group):
    """Every command found in this folder's files, and the one place where errors become messages and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the verbs, sorted."""
        del ctx
        return sorted(self._found())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns one verb."""
        del ctx
        return self._found().get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the verbs in their groups, in the order in which their files hold them."""
        del ctx
        width = max(map(len, self._found()))
        for group, verbs in self.grouped().items():
            with formatter.section(group):
                formatter.write_dl([(name.ljust(width), verb.get_short_help_str()) for name, verb in verbs.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the verb of a command line; a misspelt one is answered with the nearest."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from automl.errors import did_you_mean

            hint = did_you_mean(args[0], self.list_commands(ctx))
            raise click.UsageError(f"{error.message} {hint or ''}".strip(), ctx) from None

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Runs a command line. What the machine refuses is a message too: memory, a full disk, a read-only folder."""
        from automl.errors import refused

        try:
            try:
                return super().main(*args, **kwargs)
            finally:
                _flush()  # what cannot be written is told here, not as Python ends
        except (OSError, MemoryError, ImportError) as error:
            if (told := refused(error)) is None:
                raise
            _give_up(told)
            sys.exit(EXIT_FAILED)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a verb. A user's mistake is a message; anything unforeseen stays a traceback, because it is a bug."""
        from automl.cli._output import say
        from automl.errors import AutomlError, SearchError

        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else ctx.command_path
            message = error.format_message()
            stop = "" if message.endswith((".", "?", ")")) else "."
            say(f"Error: {message}{stop} See {path} --help.", err=True)
            sys.exit(EXIT_USAGE)
        except KeyboardInterrupt:
            say("Stopped.", err=True)  # click would end with 1
            sys.exit(EXIT_INTERRUPTED)
        except AutomlError as error:
            say("\n".join(f"Error: {line}" for line in str(error).splitlines()), err=True)
            sys.exit(EXIT_FAILED if isinstance(error, SearchError) else EXIT_USAGE)

    @classmethod
    def grouped(cls) -> dict[str, dict[str, click.Command]]:
        """Returns the verbs of each group, in the order in which their files hold them."""
        files = cls._files()
        return {
            group: {name: verb for file in files if file["GROUP"] == group for name, verb in _verbs(file)}
            for group in GROUPS
        }

    @classmethod
    def _found(cls) -> dict[str, click.Command]:
        return {name: verb for file in cls._files() for name, verb in _verbs(file)}

    @staticmethod
    def _files() -> list[dict[str, Any]]:
        return [vars(importlib.import_module(f"{__name__}.{name}")) for name in members.names(__name__)]


def _verbs(file: dict[str, Any]) -> list[tuple[str, click.Command]]:
    return [(each.name, each) for each in file.values() if isinstance(each, click.Command) and each.name]


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # a caller may have closed it
            stream.flush()


def _give_up(told: str) -> None:
    """Says why the program ends, where that can be said, and drops what cannot be written."""
    from automl.cli._output import say

    where = "" if _is_drained(sys.stdout) else "standard output: "
    with contextlib.suppress(OSError):
        say(f"Error: {where}{told}", err=True)
    _is_drained(sys.stderr)


def _is_drained(stream: TextIO) -> bool:
    """Writes what a stream still holds; what cannot be is dropped, as Python would fail aloud at it when it ends."""
    try:
        stream.flush()
    except (OSError, ValueError, AttributeError):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return False
    return True


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    del param
    if value and not ctx.resilient_parsing:
        import automl
        from automl.cli._output import say

        say(f"automl {automl.__version__}")
        ctx.exit()


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def main() -> None:
    """Search CNNs and RNNs declared in YAML, see every trial in MLflow, export the best model.

    Start with: automl search cnn --data digits
    """
