"""`init`: from a user's data to two documents that run, each line with its reason."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from automl import members
from automl.cli import _output

GROUP = "Before a search"


@click.command(short_help="Write data document and space for a file or folder.")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--target", help="Column of the targets, or their key in an .npz archive; else it is guessed.")
@click.option(
    "--input", "wanted", type=click.Choice(members.names("automl.inputs")), help="What the examples are; else guessed."
)
@click.option(
    "--task", type=click.Choice(members.names("automl.tasks")), help="What is learned; else told by the targets."
)
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Folder to write into.")
@click.option("--force", is_flag=True, help="Overwrite the two files.")
@_output.object_option
def init(
    data: Path, target: str | None, wanted: str | None, task: str | None, to: Path, force: bool, output: str
) -> None:
    """Look at DATA, a file or a folder, and write a data document and a search space for it.

    \b
    automl init sensors.csv
    automl init houses.csv --target price
    automl init GunPoint_TRAIN.ts --to documents
    """  # noqa: D301 - click itself reads the \b
    from automl.authoring import sniff

    to = _folder(to)
    found = sniff.look(data, target, wanted, task)
    paths = to / f"{found.name}.data.yaml", to / f"{found.name}.space.yaml"
    command = shlex.join(["automl", "search", str(paths[1]), "--data", str(paths[0])])
    texts = {paths[0]: sniff.data.write(found, to, command), paths[1]: sniff.space.write(found, command)}
    _check(*texts.items())
    _write(texts, force)
    if output != "table":
        facts = {**found.facts, "written": [str(path) for path in paths], "command": command}
        _output.emit_object(facts, output)
        return
    _output.say(f"{found.path}: {found.told}.")
    for note in found.notes:
        _output.say(f"{note}.")
    _output.say(f"Wrote {paths[0]} and {paths[1]}, with the reason for every choice. Next:")
    _output.say(f"  {command}")


def _folder(given: Path) -> Path:
    """Returns the folder to write into, which may yet have to be made.

    Raises:
        ConfigError: It is no folder, and none can be made there.
    """
    from automl.errors import ConfigError, Problem
    from automl.machine import files

    path = files.expanded(given)
    problem = files.absent(path)
    if problem is None and not path.is_dir():
        problem = files.special(path) or "is a file"
    if problem in (None, files.NOTHING):
        return path
    raise ConfigError(Problem(files.shown(given), f"{problem}", "a folder to write into"))


def _check(data: tuple[Path, str], space: tuple[Path, str]) -> None:
    """Reads both documents, as `validate` does, before they are written.

    Raises:
        ConfigError: The set needs what no document can say: more columns than it may hold values.
    """
    from dataclasses import replace

    from automl.document import yaml_text
    from automl.experiment import experiment

    inner, outer = (yaml_text.parse(text, str(path)) for path, text in (data, space))
    experiment.check(replace(outer, data={**outer.data, "data": inner.data}), space[0].stem)


def _write(texts: Mapping[Path, str], force: bool) -> None:
    """Writes all files or none: each beside its place first, and then renamed.

    Raises:
        ConfigError: One is there already, or the folder cannot be written.
    """
    from automl.errors import ConfigError, Problem
    from automl.machine import files

    for path in texts:
        files.require_place(path, force, "folder with --to")
    fresh = {path: path.with_name(f".{path.name}.new") for path in texts}
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh[path].write_text(text, encoding="utf-8")
        for path, written in fresh.items():
            written.replace(path)
    except OSError as error:
        raise ConfigError(Problem(str(error.filename), f"cannot be written: {error.strerror}")) from error
    finally:
        for written in fresh.values():
            with contextlib.suppress(OSError):
                written.unlink(missing_ok=True)
