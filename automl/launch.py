"""Begins a search, goes on with one, and ends it: the folder, the data, the workers, the winner."""

from __future__ import annotations

import re
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from automl import dataset, document, environment, experiment, export, leaderboard
from automl.document import Document
from automl.errors import ConfigError, ExportError, Problem, SearchError, did_you_mean
from automl.executors import Executor, Run
from automl.executors.inline import Inline
from automl.executors.processes import Processes
from automl.experiment import Experiment
from automl.journal import Finished, Header, History, Journal, Lock, Resumed, now_ms, replay
from automl.loop import MODEL, Loop, Watcher, counts, trial_folder
from automl.oracles import Brief, Past, Proposer
from automl.records import DataSpec, TestRequest, TestResult, TrialResult
from automl.tracking import DatasetInput, Tracker, store
from automl.trial import run_test, run_trial

DATA = "data"
LOG = "backend.log"
MOST_TEST_ATTEMPTS = 3


@dataclass(frozen=True)
class Options:
    """How a search is run; what it searches stands in its document.

    Args:
        home: Where searches and the embedded store live.
        workers: Trials at once.
        backend: Keras backend; None for `$KERAS_BACKEND`, else tensorflow.
        tracking_uri: MLflow tracking server; None for `$MLFLOW_TRACKING_URI`, else the embedded store.
        experiment: Name of the MLflow experiment; None for the data set's name.
        name: Name of the parent run and the registered model; None for `SPACE-DATA`.
        data_root: Parent folder of the data sets; None for the usual places.
        inline: Run trials in this process, for debugging.
    """

    home: Path
    workers: int = 1
    backend: str | None = None
    tracking_uri: str | None = None
    experiment: str | None = None
    name: str | None = None
    data_root: Path | None = None
    inline: bool = False


@dataclass(frozen=True)
class Summary:
    """The result of a search, as `search -o json` prints it."""

    search_id: str
    status: str
    reason: str
    trials: Mapping[str, int]
    best: Mapping[str, Any] | None
    wall_s: float
    tracking_uri: str
    experiment_id: str | None
    run_id: str | None


class Interrupted(KeyboardInterrupt):
    """The user stopped the search; what it did is kept, and `automl resume` goes on."""

    def __init__(self, search_id: str) -> None:
        super().__init__(search_id)
        self.search_id = search_id


def folder_of(home: Path, search_id: str) -> Path:
    """Returns the folder of a search."""
    return home / "searches" / search_id


def start(read: Experiment, options: Options, watcher: Watcher, run: Run = run_trial) -> Summary:
    """Runs a new search.

    Raises:
        DataError: The data is missing or does not fit; nothing is left behind.
        SearchError: The search cannot go on.
        Interrupted: Ctrl-C.
    """
    machine = environment.machine(_workers(read, options), options.backend)
    environment.become_driver(machine.backend)
    assert read.data is not None
    search_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    folder = folder_of(options.home, search_id)
    folder.mkdir(parents=True)
    try:
        data = dataset.prepare(read.data, folder / DATA, options.data_root)
    except BaseException:
        # A search that never began leaves nothing behind.
        shutil.rmtree(folder, ignore_errors=True)
        raise
    header = Header(
        search=search_id,
        created=now_ms(),
        document=read.document.data,
        data_digest=data.digest,
        keys=tuple(read.space.by_name),
        seed=read.search.seed,
        threads=machine.threads,
        backend=machine.backend,
        versions=environment.versions(),
        host=socket.gethostname(),
        settings={
            "space": read.name,
            "workers": machine.workers,
            "experiment": options.experiment or read.data.name,
            "name": options.name or f"{read.name}-{read.data.name}",
            "tracking_uri": options.tracking_uri,
            "data_root": None if options.data_root is None else str(options.data_root.absolute()),
        },
    )
    with Lock(folder), Journal.create(folder, header) as journal:
        return _drive(read, data, machine, journal, options, watcher, run)


def resume(
    search_id: str, options: Options, watcher: Watcher, trials: int | None = None, run: Run = run_trial
) -> Summary:
    """Goes on with a search from where its journal ends; a finished one returns the result it had.

    Args:
        search_id: Its whole id.
        options: `home`, `inline` and, where given, `tracking_uri` and `data_root` are used: the rest is the journal's.
        watcher: Who is shown what happens.
        trials: A new total of trials, to go on with a finished search.
        run: What a worker does with a request.

    Raises:
        SearchError: There is no such search, another driver holds it, or it cannot go on.
        DataError: The data is no longer what it was.
        Interrupted: Ctrl-C.
    """
    folder = folder_of(options.home, search_id)
    history = replay(folder)
    header = history.header
    if history.finished is not None and (trials is None or trials <= len(history.trials)):
        return Summary(**history.finished.result)
    written: dict[str, Any] = dict(header.document)
    if trials is not None:
        written["search"] = {**(written.get("search") or {}), "trials": trials}
    read = experiment.check(Document(written, f"{folder}/journal.jsonl"), header.settings["space"])
    machine = environment.Machine(header.backend, header.settings["workers"], header.threads or 1)
    environment.become_driver(machine.backend)
    settings = header.settings
    root = options.data_root or (Path(settings["data_root"]) if settings["data_root"] else None)
    assert read.data is not None
    with Lock(folder), Journal.open(folder) as journal:
        expected = read.data.model_copy(update={"digest": header.data_digest})
        data = dataset.prepare(expected, folder / DATA, root)
        journal.append(Resumed(now_ms()))
        options = replace(options, tracking_uri=options.tracking_uri or settings["tracking_uri"])
        return _drive(read, data, machine, journal, options, watcher, run)


def _workers(read: Experiment, options: Options) -> int:
    most = read.search.algorithm.max_workers
    return options.workers if most is None else min(options.workers, most)


def _drive(
    read: Experiment,
    data: DataSpec,
    machine: environment.Machine,
    journal: Journal,
    options: Options,
    watcher: Watcher,
    run: Run,
) -> Summary:
    """Runs the loop between the setting up of everything it needs and the winner's honours."""
    folder = journal.folder
    history = journal.replay()
    # Workers first: they import their backend while this process imports Keras Tuner and MLflow.
    executor = _executor(machine, folder, options)
    tracker = None
    try:
        environment.import_keras(folder / LOG)
        tracker = _tracker(read, data, history, options)
        if machine.workers < options.workers:
            watcher.say(f"{dataset.registered_name(read.search.algorithm)} runs {machine.workers} trial at a time")
        done = sum(trial.ended is not None for trial in history.trials.values())
        watcher.search_started(folder.name, read.search.most_trials, done)
        epochs = experiment.training(read.space.resolve(read.space.defaults())).epochs
        brief = Brief(space=read.space, direction=read.direction, seed=read.search.seed, epochs=epochs)
        proposer = Proposer(read.search.algorithm, brief)
        proposer.restore([Past(**past) for past in history.past()], history.state)
        loop = Loop(read, data, folder, journal, history, proposer, executor, tracker, watcher, run)
        began = time.monotonic()
        try:
            reason = loop.search()
        except KeyboardInterrupt:
            tracker.finish({}, "KILLED", {}, now_ms())
            tracker.close()
            raise Interrupted(folder.name) from None
        summary = _finish(loop, reason, history.seconds + time.monotonic() - began)
    finally:
        if executor is not None:
            executor.close()
    # Prepared data is large and can be made again; the journal and the winner stay.
    shutil.rmtree(folder / DATA, ignore_errors=True)
    return summary


def _executor(machine: environment.Machine, folder: Path, options: Options) -> Executor:
    if options.inline:
        return Inline()
    return Processes(machine.workers, machine.worker_environment(), folder / LOG)


def _tracker(read: Experiment, data: DataSpec, history: History, options: Options) -> Tracker:
    """Opens the mirror and its parent run; an existing one is found again."""
    settings, header = history.header.settings, history.header
    tracker = Tracker(store(options.home, options.tracking_uri), settings["experiment"], header.search)
    search = read.search
    commit = environment.git_commit(Path.cwd())
    tracker.start(
        name=settings["name"],
        params={
            "space": read.name,
            "data": data.name,
            "algorithm": dataset.registered_name(search.algorithm),
            "objective": read.objective,
            "direction": read.direction,
            "trials": search.most_trials,
            "time": search.time,
            "seed": search.seed,
            "workers": settings["workers"],
            "threads": header.threads,
            "backend": header.backend,
        },
        tags={
            **{f"automl.version.{name}": version for name, version in header.versions.items()},
            **({"mlflow.source.git.commit": commit} if commit else {}),
        },
        experiment_yaml=document.dump(dict(header.document)),
        dataset=DatasetInput(
            name=data.name,
            digest=data.digest,
            source=document.dump(header.document["data"]["source"]).strip(),
            profile={"shape": list(data.shape), "sizes": dict(data.sizes), "classes": list(data.classes)},
        ),
        time_ms=header.created,
        note=_note(read, data, header),
    )
    return tracker


def _note(read: Experiment, data: DataSpec, header: Header) -> str:
    """Describes a search on its page in the MLflow UI."""
    shape = " x ".join(map(str, data.shape))
    sizes = ", ".join(f"{count} {part}" for part, count in data.sizes.items())
    return (
        f"`{read.name}` on `{data.name}`: {sizes} examples of {shape}, {len(data.classes)} classes. "
        f"Objective `{read.objective}` ({read.direction}). Search `{header.search}`; every trial is a child run."
    )


def _finish(loop: Loop, reason: str, wall_s: float) -> Summary:
    """Tests the winner once, records it as the best model, and writes the result down."""
    tracker, settings = loop.tracker, loop.history.header.settings
    best = loop.best
    described: dict[str, Any] | None = None
    if best is not None:
        test = _test(loop, best)
        described = {
            "trial": best.trial,
            "score": best.score,
            "params": dict(loop.asked[best.trial].values),
            "run_id": tracker.trial_run_ids.get(best.trial),
            "model_uri": _register(loop, best, settings["name"]),
            "test": dict(test.metrics),
        }
        if test.message:
            loop.watcher.say(f"the winner could not be tested: {test.message}")
        if loop.history.finishes:
            loop.watcher.say("the test part was looked at before: this search was continued after its end")
            described["test_seen_before"] = True
    status = "completed" if best is not None else "failed"
    summary = Summary(
        search_id=loop.folder.name,
        status=status,
        reason=reason,
        trials=counts(loop.results),
        best=described,
        wall_s=round(wall_s, 3),
        tracking_uri=tracker.store.shown,
        experiment_id=tracker.experiment_id,
        run_id=tracker.run_id,
    )
    time_ms = now_ms()
    test_metrics = described["test"] if described else {}
    loop.journal.append(Finished(status, reason, time_ms, best.trial if best else None, test_metrics, asdict(summary)))
    bare = {name.removeprefix("test_"): value for name, value in test_metrics.items()}
    tracker.finish(loop.ranks(), "FINISHED" if best else "FAILED", bare, time_ms)
    tracker.close()
    return summary


def _test(loop: Loop, best: TrialResult) -> TestResult:
    """Evaluates the winner in a worker: the driver sees no device."""
    document = loop.resolved(loop.asked[best.trial])
    for attempt in range(1, MOST_TEST_ATTEMPTS + 1):
        model = str(trial_folder(loop.folder, best.trial) / MODEL)
        loop.executor.submit(run_test, TestRequest(best.trial, attempt, document, loop.data, model))
        while True:
            events = loop.executor.wait(1.0)
            if done := [event for event in events if isinstance(event, TestResult)]:
                return done[0]
            if events:
                break  # the worker died; another tries
    return TestResult(best.trial, MOST_TEST_ATTEMPTS, message="its worker died each time")


def _register(loop: Loop, best: TrialResult, name: str) -> str | None:
    """Logs the winner as the best model of the search, under its registered name."""
    import keras

    path = trial_folder(loop.folder, best.trial) / MODEL
    if not path.exists():
        raise SearchError(f"{path}: the best trial's model is gone. Run the search again.")
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    metadata = {
        "classes": list(loop.data.classes),
        "input": loop.data.input,
        "shape": list(loop.data.shape),
        "task": loop.data.task,
        "data": loop.data.name,
        "data_digest": loop.data.digest,
        "search": loop.folder.name,
    }
    return loop.tracker.log_best(model, best.trial, name, metadata)


def export_best(home: Path, search: str | None, form: str, to: Path | None, force: bool) -> Path:
    """Writes the best model of a search to a file of the user's.

    Args:
        home: Where searches live.
        search: Its id or the beginning of it; None for the last one.
        form: Export format.
        to: File to write; None for `NAME` with the format's ending in the current folder.
        force: Overwrite it.

    Returns:
        The file written.

    Raises:
        ConfigError: No such search or format, or the file is there already.
        ExportError: The search has no model yet.
    """
    search_id = leaderboard.find_search(home, search)
    if form not in export.registry:
        known = ", ".join(export.registry.names())
        hint = did_you_mean(form, export.registry)
        raise ConfigError(Problem("--format", f"unknown export format {form!r}", known, hint=hint))
    number = leaderboard.best_trial(home, search_id)
    source = trial_folder(folder_of(home, search_id), number or 0) / MODEL
    if number is None or not source.exists():
        raise ExportError(f"{search_id}: there is no model to export yet. Expected at least one scored trial.")
    name = leaderboard.history(home, search_id).header.settings["name"]
    target = to or Path(f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}{source.suffix}")
    if target.exists() and not force:
        hint = "Name another with --to, or give --force"
        raise ConfigError(Problem(str(target), "the file exists already", hint=hint))
    header = leaderboard.history(home, search_id).header
    environment.become_driver(header.backend)
    environment.import_keras(folder_of(home, search_id) / LOG)
    import keras

    model = keras.saving.load_model(source, compile=False, safe_mode=True)
    with tempfile.TemporaryDirectory(dir=target.absolute().parent) as folder:
        written = export.registry.read(form).write(model, Path(folder))
        written.replace(target)
    return target
