"""The command line in a process of its own, for those who search from Python."""

from __future__ import annotations

import builtins
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from automl import cli
from automl.api.plain import plain
from automl.errors import ConfigError, Problem, SearchError, cut, did_you_mean
from automl.machine.folders import HOME_VARIABLE

OWN = {"space", "data", "options", "search", "output"}
"""What Python takes of the command line's arguments by another name."""


def run(
    verb: str, line: Sequence[str], options: Mapping[str, Any], home: Path, drafts: str | None = None
) -> dict[str, Any]:
    """Runs a verb in a process of its own, shows what it says, and returns the object that it prints.

    Args:
        verb: `search`, `resume` or `finalize`.
        line: Its arguments.
        options: Its further options, by their names in Python.
        home: Where searches live.
        drafts: A folder that no error names, as it is gone when an error is read.

    Raises:
        ConfigError: There is no such option, or something else that was given is wrong.
        SearchError: The search could not go on.
    """
    given = [_word(verb, word) for word in line]
    words = [sys.executable, "-m", "automl", verb, *given, *_flags(verb, options), "--output", "json"]
    variables = {**os.environ, HOME_VARIABLE: str(home)}
    if "keras" in sys.modules:
        variables.setdefault("KERAS_BACKEND", sys.modules["keras"].config.backend())
    # A session of its own: Ctrl-C is handed on below, and not a second time by the terminal.
    how: dict[str, Any] = {"env": variables, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    with tempfile.TemporaryFile("w+") as out, subprocess.Popen(words, stdout=out, **how) as process:
        errors = _shown(process)
        code = process.wait()
        out.seek(0)
        printed = out.read().splitlines()
    if code in (cli.EXIT_FAILED, cli.EXIT_USAGE) or not printed:
        raise _error(code, [without(text, drafts) for text in errors])
    return dict(json.loads(printed[-1]))


def without(text: str, drafts: str | None) -> str:
    """Takes the folder of the drafts away from what a person reads."""
    return text if drafts is None else text.replace(f"{drafts}{os.sep}", "")


def _flags(verb: str, options: Mapping[str, Any]) -> list[str]:
    """Returns options as the command line takes them.

    Raises:
        ConfigError: There is no such option.
    """
    found = cli.main.get_command(None, verb)  # type: ignore[arg-type]
    known = {option.name: option for option in found.params if option.name not in OWN}  # type: ignore[union-attr]
    line: list[str] = []
    for name, value in options.items():
        if name not in known:
            hint = did_you_mean(name, known)
            raise ConfigError(
                Problem(f"{verb}({name}=...)", "no such option", hint=hint or f"See automl {verb} --help")
            )
        value = plain(value, f"{verb}({name}=...)")
        if value is None or value is False:
            continue
        line += [known[name].opts[0], *([] if value is True else [_word(f"{verb}({name}=...)", str(value))])]
    return line


def _word(where: str, text: str) -> str:
    """Returns an argument for a program.

    Raises:
        ConfigError: No program takes it.
    """
    try:
        fits = b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise ConfigError(
            Problem(where, "the text cannot be handed to a program", "Unicode text", cut(ascii(text), 60))
        )
    return text


def _shown(process: subprocess.Popen[str]) -> list[str]:
    """Prints what a process says, until it ends; returns its errors. Hands Ctrl-C on to it."""
    errors: list[str] = []
    assert process.stderr is not None
    screen = _screen()
    while True:
        try:
            for text in process.stderr:
                if text.startswith("Error: "):
                    errors.append(text.removeprefix("Error: ").rstrip())
                else:
                    screen.write(text)
                    screen.flush()
            return errors
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)


def _screen() -> TextIO:
    """Returns where progress goes: stderr, which a notebook paints red, as if something were wrong."""
    return sys.stdout if hasattr(builtins, "__IPYTHON__") else sys.stderr


def _error(code: int, errors: list[str]) -> BaseException:
    """Returns the exception that a process ended with."""
    if code == cli.EXIT_INTERRUPTED:
        return KeyboardInterrupt()
    if code == cli.EXIT_USAGE and errors:
        return ConfigError([Problem(*line.split(": ", 1)) for line in errors])
    return SearchError("\n".join(errors) or f"the search ended with exit code {code}.")
