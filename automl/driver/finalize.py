"""The last step after a search: its best trials measured on folds, compared, and the winner trained on all there is."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from automl.data import folds, prepare
from automl.deploy import kept
from automl.deploy.finalized import FOLDER, Candidate, Finalized, Made, Wanted, smallest
from automl.driver import launch, trained
from automl.driver.course import Rates, course
from automl.driver.crew import run_all
from automl.driver.options import Options
from automl.driver.progress import Watcher
from automl.driver.trained import Trained
from automl.errors import ConfigError, Problem, SearchError
from automl.executors import Executor, Run
from automl.experiment import experiment
from automl.experiment.experiment import Experiment
from automl.journal import History, Lock, now_ms
from automl.machine import keras_backend
from automl.machine.folders import LOG, search_folder
from automl.machine.workers import this_machine
from automl.records.data import DataSpec
from automl.records.objective import Objective
from automl.records.trials import Report, TestRequest, TestResult, TrialRequest, TrialResult
from automl.results import leaderboard, prepared, relocation, significance
from automl.training.evaluation import Evaluation, hashed_seed
from automl.worker.trial import run_refit, run_test, run_trial

ASKED = "asked.json"
"""What the trainings in a folder were made for."""


def finalize(search_id: str, wanted: Wanted, options: Options, watcher: Watcher) -> Finalized:
    """Measures the best trials of a search on folds, and trains the model to be used on all but the test part.

    What it has trained when it is interrupted is taken up by the next call that asks for the same.

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
        work.mkdir(exist_ok=True)
        executor = None
        try:
            data = _prepared(told, read, wanted, work, options, watcher)
            machine = this_machine(options.workers, leaderboard.backend(told.header))
            keras_backend.become_driver(machine.backend)
            executor = launch.executor_of(machine, folder, options, run_trial)
            keras_backend.import_keras(folder / LOG)
            run = _Run(told, read, data, work, executor, watcher, wanted)
            run.take_up(numbers)
            candidates = run.compare(numbers)
            chosen = candidates[0] if wanted.choose == "best" else smallest(candidates)
            file, weights, members = run.train(candidates, chosen)
            test = run.test(chosen.trial, file)
            (work / ASKED).unlink()
        except KeyboardInterrupt:
            if any(work.glob(f"*/{trained.FILE}")):
                watcher.say("what is trained so far is kept: the same command goes on from there")
            raise
        finally:
            if executor is not None:
                executor.close()
            # What is trained so far stays for another try.
            if not any(work.glob("*-*/*")):
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
    for name in ("before", "data"):
        shutil.rmtree(work / name, ignore_errors=True)
    header = told.header
    before = prepared.again(header, read, work / "before", options.data_root)
    assert read.data is not None
    document = read.data.model_copy(update={"digest": None})
    strategy = read.evaluation.strategy
    if getattr(read.data.source, "order", None) is not None:
        strategy = "walk_forward"
    cut = Evaluation(folds=wanted.seeds, strategy=strategy, race=False)
    root, version = prepared.root_of(header, options.data_root), prepared.version_of(header)
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
    """What the trainings have in common; the rates are those of the trials that were compared."""

    told: History
    read: Experiment
    data: DataSpec
    work: Path
    executor: Executor
    watcher: Watcher
    wanted: Wanted
    rates: dict[int, Rates] = field(default_factory=dict)

    @property
    def objective(self) -> Objective:
        return self.read.goals.primary

    def take_up(self, numbers: Sequence[int]) -> None:
        """Keeps what an earlier try has trained, if it was asked the very same."""
        documents = [self.document(number) for number in numbers]
        asked = json.dumps({"wanted": asdict(self.wanted), "trials": [*numbers], "documents": documents}, indent=1)
        if not (self.work / ASKED).exists() or (self.work / ASKED).read_text(encoding="utf-8") != asked:
            for each in self.work.glob("*-*"):
                shutil.rmtree(each)
        (self.work / ASKED).write_text(asked, encoding="utf-8")

    def compare(self, numbers: Sequence[int]) -> list[Candidate]:
        """Trains trials on the folds, and compares them; the best first."""
        places = [(number, fold) for number in numbers for fold in range(self.wanted.seeds)]
        requests = [self._request(number, own, fold=fold) for own, (number, fold) in enumerate(places, 1)]
        self.watcher.say(f"{len(numbers)} trials on {self.wanted.seeds} folds: {len(requests)} trainings")
        results = self._trained(run_trial, requests, "a training on a fold")
        found = []
        for place, number in enumerate(numbers):
            mine = results[place * self.wanted.seeds : (place + 1) * self.wanted.seeds]
            found.append(self._candidate(number, mine))
        found.sort(key=lambda each: self.objective.cost(each.mean))
        raw = [significance.paired(found[0].scores, each.scores) for each in found[1:]]
        told = zip(found, [1.0, *significance.holm(raw)], strict=True)
        return [replace(each, p=p, alike=p >= 1 - significance.CONFIDENCE) for each, p in told]

    def _candidate(self, number: int, trainings: Sequence[Trained]) -> Candidate:
        """Returns what a trial's trainings on the folds come to.

        The model to use stops where the folds were at their best on average, and nothing tells it its own best epoch.
        So each fold's score is that of the epoch at which the others, on average, were at their best.
        """
        best, scores, name = [each.result.best_epoch or 1 for each in trainings], [], self.objective.metric
        for fold, (result, curve) in enumerate((each.result, each.epochs) for each in trainings):
            others = fmean(epoch for place, epoch in enumerate(best) if place != fold)
            score = curve[min(max(1, round(others)), len(curve)) - 1].metrics.get(name, result.score)
            assert score is not None
            scores.append(score)
        self.watcher.say(f"t{number:03d}  {name} {fmean(scores):.4g}, folds at their best {best}")
        fold_size = self.data.sizes["train"] // self.wanted.seeds
        found = significance.interval(scores, name.removeprefix("val_"), fold_size, self.data.sizes["test"])
        self.rates[number] = course([each.epochs for each in trainings], best, folds.share(self.data))
        epochs = sum(map(len, self.rates[number]))
        facts = found.mean, found.low, found.high, 1.0, True, trainings[0].result.parameters, epochs
        return Candidate(number, tuple(scores), *facts)

    def train(self, candidates: Sequence[Candidate], chosen: Candidate) -> tuple[Path, int | None, int]:
        """Trains on all but the test part; returns the model's file, its weights, and of how many it is the mean."""
        taken = candidates if self.wanted.ensemble else [chosen]
        times = self.wanted.seeds if self.wanted.ensemble else 1
        requests: list[TrialRequest] = []
        for each in taken:
            for turn in range(times):
                request = self._request(each.trial, len(requests) + 1, turn=turn)
                requests.append(replace(request, rates=self.rates[each.trial]))
        each_for = ", ".join(f"t{each.trial:03d} for {each.epochs} epochs" for each in taken)
        self.watcher.say(f"training on all but the test part: {each_for}" + (f", {times} times each" * (times > 1)))
        results = [each.result for each in self._trained(run_refit, requests, "a training on all examples")]
        from automl.worker.joining import join

        with keras_backend.quietly():
            file, weights = join([Path(str(each.model)) for each in results], self.work)
        return file, weights, len(results)

    def test(self, trial: int, file: Path) -> TestResult:
        """Evaluates the model on the test part."""
        request = TestRequest(trial, 1, self.document(trial), self.data, str(file))
        (result,) = run_all(self.executor, run_test, [request], TestResult)
        if not isinstance(result, TestResult) or result.message:
            raise SearchError(f"the test failed: {result.message}.")
        return result

    def _trained(self, run: Run, requests: Sequence[TrialRequest], what: str) -> list[Trained]:
        """Runs trainings, but for those that an earlier try has finished.

        Raises:
            SearchError: One failed.
        """
        done = {each.trial: known for each in requests if (known := trained.read(Path(each.folder))) is not None}
        if done:
            self.watcher.say(f"{len(done)} of them are done already")
        left, epochs = [each for each in requests if each.trial not in done], defaultdict[int, dict[int, Report]](dict)
        folders = {each.trial: Path(each.folder) for each in left}

        def follow(event: Report | TrialResult) -> None:
            if isinstance(event, Report):
                # By epoch: one whose worker died tells of its first epochs again.
                epochs[event.trial][event.epoch] = event
            elif event.outcome == "completed":  # a message tells then what is odd
                done[event.trial] = Trained(event, tuple(epochs[event.trial].values()))
                trained.write(folders[event.trial], done[event.trial])

        results = run_all(self.executor, run, left, TrialResult, told=follow)
        if failed := next((each for each in results if each.trial not in done), None):
            raise SearchError(f"{what} failed: {failed.message}.")
        return [done[each.trial] for each in requests]

    def _request(self, trial: int, own: int, *, fold: int | None = None, turn: int = 0) -> TrialRequest:
        """Returns what a worker is given.

        Args:
            trial: The trial that is trained again.
            own: What the training is known by among those that run beside it.
            fold: That validates it; None for a training on all of them.
            turn: Which of several with other seeds.
        """
        document = {key: value for key, value in self.document(trial).items() if key != "evaluation"}
        seed = document["training"]["seed"]
        folder = self.work / (f"fold-{own}" if fold is not None else f"final-{own}")
        folder.mkdir(exist_ok=True)
        told = f"final {turn}" if fold is None else f"fold {fold}"
        return TrialRequest(
            trial=own,
            attempt=1,
            document=document,
            seed=seed if fold is None and turn == 0 else hashed_seed(seed, told),
            data=self.data.at(fold),
            folder=str(folder),
            goals=self.read.goals,
            epochs=experiment.epochs(document),
        )

    def document(self, trial: int) -> dict[str, Any]:
        """Returns the document of a trial."""
        known = self.told.trials[trial]
        return self.read.trial(known.asked.values, known.asked.seed, self.data.digest, known.changes)
