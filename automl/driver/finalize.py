"""The last step after a search: its best trials measured on folds, compared, and the winner trained on all there is."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from automl.data import folds, prepare
from automl.deploy import kept
from automl.deploy.finalized import FOLDER, Candidate, Finalized, Made, Wanted, smallest
from automl.driver import launch
from automl.driver.crew import run_all
from automl.driver.options import Options
from automl.driver.progress import Watcher
from automl.errors import ConfigError, Problem, SearchError
from automl.executors import Executor
from automl.experiment import experiment
from automl.experiment.experiment import Experiment
from automl.journal import History, Lock, now_ms
from automl.machine import keras_backend
from automl.machine.folders import LOG, MODEL, search_folder
from automl.machine.workers import this_machine
from automl.records.data import DataSpec
from automl.records.objective import Objective
from automl.records.trials import Measured, Report, TestRequest, TestResult, TrialRequest, TrialResult
from automl.results import leaderboard, relocation, significance
from automl.training.evaluation import Evaluation, hashed_seed
from automl.worker.trial import run_refit, run_test, run_trial


def finalize(search_id: str, wanted: Wanted, options: Options, watcher: Watcher) -> Finalized:
    """Measures the best trials of a search on folds, and trains the model to be used on all but the test part.

    Args:
        search_id: The search.
        wanted: What is asked for.
        options: `home`, `workers`, `inline`, `champion` and, where given, `tracking_uri` and `data_root` are used.
        watcher: Who is shown what happens.

    Raises:
        ConfigError: Fewer than one trial has a score, or the backend is not installed.
        DataError: The data is gone, is another, or cannot be cut into so many folds.
        SearchError: A driver is at work on the search, or a training failed.
    """
    folder, began = search_folder(options.home, search_id), now_ms()
    with Lock(folder):
        told, read = leaderboard.read(options.home, search_id)
        told = relocation.followed(told, options.home)
        numbers = _best(told, read, wanted.top, watcher)
        work = folder / f"{FOLDER}.work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        executor = None
        try:
            data = _prepared(told, read, wanted, work, options, watcher)
            machine = this_machine(options.workers, leaderboard.backend(told.header))
            keras_backend.become_driver(machine.backend)
            executor = launch.executor_of(machine, folder, options, run_trial)
            keras_backend.import_keras(folder / LOG)
            run = _Run(told, read, data, work, executor, watcher, wanted)
            candidates = run.compare(numbers)
            chosen = candidates[0] if wanted.choose == "best" else smallest(candidates)
            file, weights, members = run.train(candidates, chosen)
            test = run.test(chosen.trial, file)
        finally:
            if executor is not None:
                executor.close()
            if not (work / MODEL).exists():
                shutil.rmtree(work, ignore_errors=True)
        kept.keep(work, data)
        document, metric = run.document(chosen.trial), run.objective.metric
        facts = chosen, document, metric, weights, members, dict(test.metrics), began
        made = Made(told, data, work, wanted, candidates, *facts)
        return made.published(options.home, watcher.say, options.champion, options.tracking_uri)


def _best(told: History, read: Experiment, top: int, watcher: Watcher) -> list[int]:
    ranks = read.goals.ranks(leaderboard.results_of(told))
    numbers = sorted(ranks, key=ranks.__getitem__)[:top]
    if not numbers:
        raise ConfigError(Problem(told.header.search, "no trial has a score", "a search with a finished trial"))
    if len(numbers) < top:
        watcher.say(f"only {len(numbers)} trials have a score: all are taken")
    return numbers


def _prepared(
    told: History, read: Experiment, wanted: Wanted, work: Path, options: Options, watcher: Watcher
) -> DataSpec:
    """Prepares the data, its training and validation part together in folds, once it is seen to be what it was."""
    header, settings = told.header, told.header.settings
    assert read.data is not None
    root = options.data_root or (Path(settings["data_root"]) if settings.get("data_root") else None)
    version = (settings.get("data") or {}).get("version", 1)
    expected = read.data.model_copy(update={"digest": header.data_digest})
    before = prepare.prepare(expected, work / "before", root, read.evaluation, version)
    document = read.data.model_copy(update={"digest": None})
    strategy = read.evaluation.strategy
    if getattr(read.data.source, "order", None) is not None:
        strategy = "walk_forward"
    cut = Evaluation(folds=wanted.seeds, strategy=strategy, race=False)
    data = prepare.prepare(document, work / "data", root, cut, version)
    if not _same_test(before, data):
        raise SearchError(
            f"{header.search}: with folds another test part would be cut than the search had, and what that was tested "
            "on would be trained on. Give the set a test part of its own."
        )
    shutil.rmtree(work / "before")
    for note in data.notes:
        if note not in before.notes:
            watcher.say(note)
    return data


def _same_test(one: DataSpec, other: DataSpec) -> bool:
    """Tells whether two preparations of a set have the same test part."""
    names = sorted(file.name for file in Path(other.folder).glob("test_*.npy"))
    pairs = ([np.load(Path(each.folder) / name, mmap_mode="r") for each in (one, other)] for name in names)
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs)


@dataclass(frozen=True)
class _Run:
    """What the trainings have in common."""

    told: History
    read: Experiment
    data: DataSpec
    work: Path
    executor: Executor
    watcher: Watcher
    wanted: Wanted

    @property
    def objective(self) -> Objective:
        return self.read.goals.primary

    def compare(self, numbers: Sequence[int]) -> list[Candidate]:
        """Trains trials on the folds, and compares them; the best first."""
        cut = {"folds": self.wanted.seeds, "strategy": self.data.strategy, "race": False}
        requests = [self._request(number, evaluation=cut) for number in numbers]

        def say(event: Report | Measured) -> None:
            if isinstance(event, Measured):
                fold = f"fold {event.part}/{self.wanted.seeds}"
                self.watcher.say(f"t{event.trial:03d}  {fold}  {self.objective.metric} {event.score:.4g}")

        results = run_all(self.executor, run_trial, requests, TrialResult, say)
        if failed := next((each for each in results if len(each.scores) != self.wanted.seeds), None):
            why = failed.message or f"it ended as {failed.outcome}"
            raise SearchError(f"t{failed.trial:03d} could not be trained on all folds: {why}.")
        results = sorted(results, key=lambda each: self.objective.cost(each.score or 0.0))
        raw = [significance.paired(results[0].scores, each.scores) for each in results[1:]]
        share = folds.share(self.data)
        return [
            self._candidate(each, p, max(1, round((each.best_epoch or 1) * share)))
            for each, p in zip(results, [1.0, *significance.holm(raw)], strict=True)
        ]

    def _candidate(self, result: TrialResult, p: float, epochs: int) -> Candidate:
        fold = self.data.sizes["train"] // self.wanted.seeds
        metric = self.objective.metric.removeprefix("val_")
        found = significance.interval(result.scores, metric, fold, self.data.sizes["test"])
        alike = p >= 1 - significance.CONFIDENCE
        facts = found.mean, found.low, found.high, p, alike, result.parameters, epochs
        return Candidate(result.trial, tuple(result.scores), *facts)

    def train(self, candidates: Sequence[Candidate], chosen: Candidate) -> tuple[Path, int | None, int]:
        """Trains on all but the test part; returns the model's file, its weights, and of how many it is the mean."""
        taken = candidates if self.wanted.ensemble else [chosen]
        times = self.wanted.seeds if self.wanted.ensemble else 1
        requests: list[TrialRequest] = []
        for each in taken:
            for turn in range(times):
                request = self._request(each.trial, own=len(requests) + 1, turn=turn)
                requests.append(replace(request, epochs=each.epochs))
        self.watcher.say(f"{len(requests)} trained on all but the test part, {requests[0].epochs} epochs the first")
        results = run_all(self.executor, run_refit, requests, TrialResult)
        if failed := next((each for each in results if each.model is None), None):
            raise SearchError(f"a training on all examples failed: {failed.message}.")
        from automl.worker.joining import join

        with keras_backend.quietly():
            file, weights = join([Path(str(each.model)) for each in results], self.work)
        return file, weights, len(results)

    def test(self, trial: int, file: Path) -> TestResult:
        """Evaluates the model on the test part."""
        request = TestRequest(trial, 1, self.document(trial), self.data, str(file))
        (result,) = run_all(self.executor, run_test, [request], TestResult)
        if result.message:
            raise SearchError(f"the model could not be tested: {result.message}.")
        return result

    def _request(
        self, trial: int, *, evaluation: dict[str, Any] | None = None, own: int | None = None, turn: int = 0
    ) -> TrialRequest:
        document = self.document(trial)
        document = {**document, "evaluation": evaluation} if evaluation else document
        seed = document["training"]["seed"]
        folder = self.work / (f"t{trial:03d}" if own is None else f"final-{own}")
        folder.mkdir()
        return TrialRequest(
            trial=own or trial,
            attempt=1,
            document=document,
            seed=seed if turn == 0 else hashed_seed(seed, f"final {turn}"),
            data=self.data,
            folder=str(folder),
            goals=self.read.goals,
            epochs=experiment.epochs(document),
        )

    def document(self, trial: int) -> dict[str, Any]:
        """Returns the document of a trial."""
        known = self.told.trials[trial]
        return self.read.trial(known.asked.values, known.asked.seed, self.data.digest, known.changes)
