"""A finished model, written for other runtimes: each format held against the original before it is handed over."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from automl import export
from automl.deploy import bundle, gate, kept
from automl.deploy.finished import Finished
from automl.deploy.gate import Findings
from automl.errors import ConfigError, ExportError, MissingExtra, Problem, did_you_mean, last_line, refused
from automl.export import Exporter
from automl.machine import files, keras_backend
from automl.tracking import line, measured, store


@dataclass(frozen=True)
class Exported:
    """A format that was asked for, and what became of it.

    Args:
        format: Its name.
        path: The folder written; None where there is none.
        findings: What came of holding it against the original; None where it could not be held.
        problem: Why there is no folder, or what is wrong with it.
    """

    format: str
    path: Path | None
    findings: Findings | None = None
    problem: str | None = None

    def row(self) -> dict[str, Any]:
        """Returns what is told of it in a line of a table."""
        found = self.findings
        row: dict[str, Any] = {"format": self.format, "written": None if self.path is None else str(self.path)}
        row |= {"problem": self.problem} if self.problem else {}
        if found is None:
            return row
        row |= {"difference": found.difference, "agreement": found.agreement, "KiB": round(found.bytes / 1024)}
        row |= {"median_ms": round(found.median_ms, 3), "p95_ms": round(found.p95_ms, 3)}
        return row | (
            {"metrics": dict(found.metrics), "keras_metrics": dict(found.keras_metrics)} if found.metrics else {}
        )


def exporters(formats: Sequence[str], quantize: str | None) -> list[Exporter]:
    """Returns the formats that a user names.

    Args:
        formats: Their names.
        quantize: Bits that weights are rounded to; None: not at all.

    Raises:
        ConfigError: There is no such format, or one does not round so.
        MissingExtra: What one needs is not installed.
    """
    found = []
    for name in dict.fromkeys(formats):
        if name not in export.registry:
            known, hint = ", ".join(export.registry.names()), did_you_mean(name, export.registry)
            raise ConfigError(Problem("--format", f"unknown export format {name!r}", known, hint=hint))
        kind = export.registry.get(name)
        if quantize is not None and quantize not in kind.roundings():
            ways = {each: export.registry.get(each).roundings() for each in export.registry}
            able = "; ".join(f"{each}: {', '.join(words)}" for each, words in ways.items() if words)
            raise ConfigError(Problem("--quantize", f"{name} is not written with {quantize}", able))
        if any(importlib.util.find_spec(package) is None for package in kind.packages):
            raise MissingExtra(f"--format {name}", str(kind.extra))
        if kind.backend is not None and not keras_backend.installed(kind.backend):
            raise ConfigError(Problem("--format", f"{name} is written by {kind.backend}, which is not installed"))
        found.append(kind() if quantize is None else kind.model_validate({"quantize": quantize}))
    return found


def write(
    finished: Finished,
    wanted: Sequence[Exporter],
    to: Path | None = None,
    *,
    home: Path,
    force: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[Exported]:
    """Writes a model in several formats, each into a folder of its own; yields what became of each, as it is done.

    Args:
        finished: The model.
        wanted: The formats.
        to: The folder that those folders are put in, or the one file to write; None for the current folder.
        home: Where searches live.
        force: Write over what is there, and hand over also what differs too much from the original.
        say: Told what happens.

    Raises:
        ConfigError: There is something already, or no folder.
    """
    targets = [_target(finished.name, exporter, to) for exporter in wanted]
    for target in targets:
        files.require_free(target, force, "with --to")
    keras_backend.become_driver(keras_backend.backend())
    keras_backend.import_keras(finished.log)
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=targets[0].parent) as drafts:
        room = Path(drafts)
        kept.save(room / "examples.npz", finished.kept.x)
        for exporter, target, told in _written(finished, wanted, targets, room, say):
            done = _held(finished, exporter, target, told, room, force=force)
            if done.findings is not None and done.path is not None:
                figures |= done.findings.figures(exporter.label)
            yield done
    if figures:
        _tell(finished, home, figures, say)


def _target(name: str, exporter: Exporter, to: Path | None) -> Path:
    if to is not None and exporter.suffix and to.suffix == exporter.suffix:
        return to
    return (to or Path.cwd()) / files.named(name, f"-{exporter.label}")


def _written(
    finished: Finished, wanted: Sequence[Exporter], targets: Sequence[Path], room: Path, say: Callable[[str], None]
) -> Iterator[tuple[Exporter, Path, Mapping[str, Any]]]:
    """Has other processes write the formats, one for each Keras backend; yields what each said, in their order."""
    backends = [exporter.backend or keras_backend.backend() for exporter in wanted]
    for backend in sorted(set(backends)):
        mine = [place for place, own in enumerate(backends) if own == backend]
        while mine:
            done = 0
            for told in _run(finished, backend, wanted, mine, room, say):
                yield wanted[told["place"]], targets[told["place"]], told
                done += 1
            if done < len(mine):  # it ended while it wrote this one
                place = mine[done]
                yield wanted[place], targets[place], {"failed": "its converter ended without a word"}
            mine = mine[done + 1 :]


def _run(
    finished: Finished,
    backend: str,
    wanted: Sequence[Exporter],
    places: Sequence[int],
    room: Path,
    say: Callable[[str], None],
) -> Iterator[dict[str, Any]]:
    formats = []
    for place in places:
        folder = room / str(place)
        folder.mkdir(exist_ok=True)
        declared = {export.registry.name_of(wanted[place]): wanted[place].model_dump(exclude_unset=True)}
        formats.append({"place": place, "declared": declared, "folder": str(folder)})
    names = ", ".join(wanted[place].label for place in places)
    say(f"{finished.told}: writing {names}")
    job = {"model": str(finished.path), "examples": str(room / "examples.npz"), "outputs": str(room / f"{backend}.npy")}
    path = room / f"{backend}.json"
    path.write_text(json.dumps({**job, "formats": formats}), encoding="utf-8")
    variables = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryFile("w+") as errors:
        words = [sys.executable, "-m", "automl.deploy._writing", str(path)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True, env=variables) as process:
            assert process.stdout is not None
            for text in process.stdout:
                yield {**json.loads(text), "backend": backend}
        if process.returncode != 0 and not Path(job["outputs"]).exists():  # before it came to any format
            errors.seek(0)
            raise ExportError(f"{finished.path}: cannot be exported: {last_line(errors.read())}")


def _held(
    finished: Finished, exporter: Exporter, target: Path, told: Mapping[str, Any], room: Path, *, force: bool
) -> Exported:
    """Holds what was written against its original, and puts it in its place where it is equal."""
    label = exporter.label
    if problem := told.get("refused") or told.get("failed"):
        return Exported(label, None, problem=problem)
    folder, expected = room / str(told["place"]), np.load(room / f"{told['backend']}.npy")
    written, about = (folder, finished.name, exporter, told["file"], finished.kept), {"from": finished.told}
    bundle.write(*written, about)
    try:
        findings = gate.hold(folder, exporter, finished.kept, expected, room / "examples.npz")
    except ExportError as error:
        return Exported(label, None, problem=str(error).removeprefix(f"{exporter.label}: "))
    if findings.problem and not force:
        return Exported(label, None, findings, findings.problem)
    bundle.write(*written, {**about, "found": asdict(findings)})
    is_file = exporter.suffix and target.suffix == exporter.suffix
    try:
        files.replace(folder / told["file"] if is_file else folder, target)
    except OSError as error:
        return Exported(label, None, findings, refused(error) or str(error))
    return Exported(label, target, findings, findings.problem)


def _tell(finished: Finished, home: Path, figures: Mapping[str, float], say: Callable[[str], None]) -> None:
    """Puts the figures on the model's page; where there is none, or the store is away, that is said."""
    where = store(home, finished.tracking_uri)
    fetched = finished.fetched
    try:
        if fetched is not None:
            measured(where, fetched.model_id, fetched.run_id, figures)
        elif finished.search is not None and not where.is_missing and (place := where.model_of(finished.search)):
            (model_id, run_id), own = place, finished.model_uri
            measured(where, model_id if own is None else own.removeprefix("models:/"), run_id, figures)
    except Exception as error:  # noqa: BLE001 - what is written is written
        say(f"MLflow did not take the figures: {line(error)}")
