"""Begins a search, or goes on with one: the folder, the data, the journal, the workers, the mirror."""

from __future__ import annotations

import contextlib
import math
import secrets
import shutil
import socket
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from automl.data import prepare
from automl.document.yaml_text import Document
from automl.driver import baselines, changed_document, finish, stop_request
from automl.driver.finish import Summary
from automl.driver.loop import Loop
from automl.driver.mirroring import Mirroring, with_data, with_trials
from automl.driver.options import Options
from automl.driver.progress import Watcher
from automl.driver.stop_request import Wish
from automl.errors import ConfigError, Problem, SearchError, refused
from automl.executors import Executor, Run
from automl.executors.inline import Inline
from automl.executors.processes import Processes
from automl.experiment import experiment
from automl.experiment.experiment import Experiment
from automl.journal import Changed, Header, Journal, Lock, Resumed, now_ms, replay
from automl.journal.data import described
from automl.machine import git, keras_backend
from automl.machine.cluster import Share, crew
from automl.machine.folders import LOG, search_folder
from automl.machine.interrupts import Interrupts
from automl.machine.workers import Machine, features_kept, on_cluster, same_machine, this_machine
from automl.model import build, pretrained
from automl.oracles import PastTrial, Proposer
from automl.records import typed
from automl.records.data import DataSpec
from automl.results import prediction, prepared, relocation
from automl.results.leaderboard import backend
from automl.tracking import Tracker, address, names, store
from automl.worker.trial import run_trial

DATA = "data"


class Interrupted(KeyboardInterrupt):
    """The user stopped the search; what it did is kept, and `automl resume` goes on."""

    def __init__(self, search_id: str) -> None:
        super().__init__(search_id)
        self.search_id = search_id


def start(read: Experiment, options: Options, watcher: Watcher, run: Run = run_trial) -> Summary:
    """Runs a new search.

    Raises:
        DataError: The data is missing or does not fit; nothing is left behind.
        SearchError: The search cannot go on.
        Interrupted: Ctrl-C twice, or `automl stop --now`.
        MissingExtra: The algorithm, the tracking store or the cluster needs what is not installed.
        ConfigError: The tracking address is none, or a name one that MLflow refuses; there is no such cluster;
            pretrained weights are missing, or are not the network's; or the images are too small for it.
    """
    began = time.monotonic(), now_ms()
    assert read.data is not None
    group, name = names.of_search(read.name, read.data.name, options.experiment, options.name)
    read.search.algorithm.require()
    where = store(options.home, options.tracking_uri)
    if where.is_file:
        address.require_name(options.home.absolute())
    machine = _machine(options)
    keras_backend.become_driver(machine.backend)
    search_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    folder = search_folder(options.home, search_id)
    made = [path for path in (folder.parent, options.home) if not path.exists()]
    folder.mkdir(parents=True)
    try:
        given = read.data, folder / DATA, options.data_root, read.evaluation
        data = prepare.prepare(*given, limit=_limit(machine))
        for note in data.notes:
            watcher.say(note)
        origins = pretrained.require(read, build.entrance(data), watcher.say)
    except BaseException:
        # A search that never began leaves nothing behind.
        shutil.rmtree(folder, ignore_errors=True)
        for path in made:
            with contextlib.suppress(OSError):  # another search has begun there
                path.rmdir()
        raise
    header = Header(
        search=search_id,
        created=began[1],
        document=read.document.data,
        data_digest=data.digest,
        keys=tuple(read.space.by_name),
        seed=read.search.seed,
        threads=machine.threads,
        backend=machine.backend,
        versions=keras_backend.versions(),
        host=socket.gethostname(),
        settings={
            "space": read.name,
            **machine.settings(),
            "experiment": group,
            "name": name,
            "champion": options.champion,
            "report": options.report,
            "home": str(options.home.absolute()),
            "tracking_uri": where.shown,
            "data_root": None if options.data_root is None else str(options.data_root.absolute()),
            "source": options.source,
            "data": described(data),
            "pretrained": origins,
            "commit": git.git_commit(Path.cwd()),
        },
    )
    with Lock(folder), Journal.create(folder, header) as journal:
        return _drive(read, data, machine, journal, options, watcher, run, began[0])


def resume(
    search_id: str,
    options: Options,
    watcher: Watcher,
    trials: int | None = None,
    run: Run = run_trial,
    *,
    accept_changes: bool = False,
) -> Summary:
    """Goes on with a search from where its journal ends; a finished one returns the result it had.

    Args:
        search_id: Its whole id.
        options: `home`, `inline` and, where given, `tracking_uri`, `data_root` and `cluster` are used: the rest is the
            journal's.
        watcher: Who is shown what happens.
        trials: A new total of trials, to go on with a finished search.
        run: What a worker does with a request.
        accept_changes: Go on with the documents as they are now.

    Raises:
        ConfigError: The documents changed, and that is not accepted, or trials that were made no longer fit.
        SearchError: There is no such search, another driver holds it, or it cannot go on.
        DataError: The data is no longer what it was.
        Interrupted: Ctrl-C twice, or `automl stop --now`.
    """
    began = time.monotonic(), now_ms()
    folder = search_folder(options.home, search_id)
    history = relocation.followed(replay(folder), options.home)
    header = history.header
    finished = history.finished
    trials = trials or history.total
    if finished is not None and finished.status != "stopped" and (trials is None or trials <= history.counted):
        return typed.built(Summary, finished.result, f"{folder}/journal.jsonl: the finish event: result")
    written, changed = changed_document.settled(history, watcher, accept_changes)
    now = Document(with_trials(written, trials), f"{folder}/journal.jsonl")
    read = with_data(experiment.check(now, header.settings["space"], layers=False))
    machine = same_machine(backend(header), header.threads, header.settings)
    if options.cluster is not None:
        if machine.cluster is None:
            what = "the search was begun on one machine, and goes on there"
            raise ConfigError(Problem("--cluster", what, hint="Leave it out"))
        machine = replace(machine, cluster=replace(machine.cluster, address=options.cluster))
    if machine.cluster is not None and not options.inline:
        from automl.executors import ray

        crew(machine.cluster, None, ray.connect(machine.cluster.address))  # before the journal says that it went on
    keras_backend.become_driver(machine.backend)
    settings = header.settings
    options = replace(options, tracking_uri=relocation.tracking_uri(header, options.tracking_uri))
    with Lock(folder), Journal.open(folder) as journal:
        data = prepared.again(header, read, folder / DATA, options.data_root, _limit(machine))
        for note in data.notes:
            if note not in (settings.get("data") or {}).get("notes", ()):
                watcher.say(note)
        journal.append(Resumed(began[1], trials))
        if changed:
            journal.append(Changed(began[1], written, tuple(read.space.by_name)))
        return _drive(read, data, machine, journal, options, watcher, run, began[0])


def _drive(
    read: Experiment,
    data: DataSpec,
    machine: Machine,
    journal: Journal,
    options: Options,
    watcher: Watcher,
    run: Run,
    began: float,
) -> Summary:
    """Runs the loop between the setting up of everything it needs and the winner's honours."""
    folder = journal.folder
    stop_request.clear(folder)
    executor: Executor | None = None
    tracker: Tracker | None = None
    loop: Loop | None = None
    with Interrupts(at_once=options.inline) as interrupts:
        try:
            # Workers first: they import their backend while this process imports Keras Tuner and MLflow.
            executor = executor_of(machine, folder, options, run)
            history = journal.replay()
            keras_backend.import_keras(folder / LOG)
            interrupts.check()
            where = store(options.home, options.tracking_uri)
            tracker = Tracker(where, history.header.settings["experiment"], folder.name)
            # All of it: what a driver that died had not come to tell, and where a resume begins.
            Mirroring(tracker, data).tell(journal.events())
            done = history.counted - sum(trial.ended is None for trial in history.trials.values())
            watcher.search_started(folder.name, read.search.most_trials, done, read.goals.primary.metric)
            if line := pretrained.frozen(read):
                watcher.say(line)
            proposer = Proposer(read.search.algorithm, read.brief())
            proposer.restore([PastTrial(**past) for past in history.past()])
            wish = partial(_wish, interrupts, folder)
            loop = Loop(read, data, folder, journal, history, proposer, executor, tracker, watcher, run, wish, began)
            keras_backend.spare_imports()
            baselines.measure(loop)
            from_s = loop.limit.seconds() - history.seconds
            reason = loop.search()
            trials_s = (from_s, loop.limit.seconds())
            key = prediction.key(read.document.data, data.digest, machine.workers, machine.backend)
            known = prediction.recall(options.home, key)
            summary = finish.finish(loop, reason, trials_s, known)
        except KeyboardInterrupt:
            if tracker is not None:
                tracker.interrupted(loop.ranking.running if loop else [], now_ms())
                tracker.close()
            raise Interrupted(folder.name) from None
        except (OSError, MemoryError, ImportError) as error:
            if (told := refused(error)) is None:
                raise
            raise SearchError(f"{told} What was done is kept; go on with: automl resume {folder.name}") from error
        finally:
            if executor is not None:
                executor.close()
    # Prepared data is large and can be made again; the journal and the winner stay.
    shutil.rmtree(folder / DATA, ignore_errors=True)
    return summary


def _wish(interrupts: Interrupts, folder: Path) -> Wish | None:
    """Returns what this terminal or another one wants of the search."""
    return "now" if interrupts.seen > 1 else stop_request.asked(folder) or ("drain" if interrupts.seen else None)


def _machine(options: Options) -> Machine:
    """Returns what the workers of a new search are given, here or on a cluster, which is joined then."""
    if options.cluster is None:
        return this_machine(options.workers, options.backend, options.gpus, options.workers_per_gpu)
    from automl.executors import ray

    nodes = ray.connect(options.cluster)
    cpus = 1.0 if options.cpus_per_trial is None else options.cpus_per_trial
    gpus = float(any(gpus for _, gpus in nodes)) if options.gpus_per_trial is None else options.gpus_per_trial
    share = Share(options.cluster, cpus, gpus)
    return on_cluster(share, options.workers, options.backend, nodes)


def _limit(machine: Machine) -> float | None:
    """Returns how much of the data may be stored: all for a cluster, whose nodes may not see its files."""
    return math.inf if machine.cluster is not None else None


def executor_of(machine: Machine, folder: Path, options: Options, run: Run) -> Executor:
    """Returns where trainings run: this process, processes of this machine, or those of a cluster."""
    if options.inline:
        return Inline(features_kept(options.home))
    if machine.cluster is not None:
        from automl.executors import ray  # joined by now, for the room that there is

        variables, folders = machine.node_environment(options.home)
        versions = keras_backend.versions()
        needed = {name: versions[name] for name in ("automl", "keras", machine.backend)}
        given = (machine.workers, machine.cluster.cpus, machine.cluster.gpus)
        return ray.Cluster(*given, variables=variables, caches=folders, versions=needed, name=folder.name)
    # What trains needs Keras; other work, as tests have, may not.
    warm = partial(keras_backend.import_keras, folder / LOG) if run is run_trial else None
    return Processes(machine.worker_environments(options.home), folder / LOG, warm)
