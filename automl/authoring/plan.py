"""What a search would cost, before it runs: the trials it would ask for, what they are made of, how long they take.

A proposal depends on the search's seed, the ask's number and the scores so far alone. So the algorithm itself is asked,
with drawn scores in place of real ones: the trials of a random search come out exactly, those of the others as far as
they do not depend on scores. Their models are built, a few are trained for some steps, and the rest is extrapolated.
"""

from __future__ import annotations

import math
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.errors import Infeasible
from automl.experiment import experiment as experiments
from automl.experiment.experiment import Experiment
from automl.model import build
from automl.model.summary import Summary, summary
from automl.oracles import WAIT, Ask, Done, Proposer
from automl.records.data import DataSpec
from automl.results.prediction import Prediction
from automl.schedulers import LearningCurve

MEASURED = 6
"""Trials that are trained for some steps."""
MOST_STEPS = 40
"""Training steps of one measurement."""
WIDEST = math.sqrt(3.0)
"""The range is the prediction divided and multiplied by this at most."""
NOISE = 1.35
"""As much as the same search differs between two runs on a machine that does other things too."""


@dataclass(frozen=True)
class Sample:
    """One trial of the plan.

    Args:
        values: Its parameters.
        epochs: Epochs it trains.
        batch_size: Examples per step.
        summary: Its model; None when it cannot be built.
        problem: Why it cannot be built.
    """

    values: dict[str, Any]
    epochs: int
    batch_size: int
    summary: Summary | None
    problem: str | None = None


@dataclass(frozen=True)
class Timing:
    """What one trial was measured to take: before and after its epochs, and for each of them, in seconds."""

    setup_s: float
    epoch_s: float


def asks(read: Experiment, count: int) -> list[tuple[Ask, int]]:
    """Returns the trials that a search would ask for and the epochs each would train, with drawn scores for real ones.

    A trial's score is drawn once: for the scheduler it is as good after its first epoch as after its last.
    """
    proposer, generator = Proposer(read.search.algorithm, read.brief()), random.Random(0)  # noqa: S311 - no secret
    judge, courses = read.search.judge, list[LearningCurve]()
    found: list[tuple[Ask, int]] = []
    while len(found) < count:
        ask = proposer.ask()
        if isinstance(ask, Done) or ask is WAIT:
            break
        score = generator.random()
        proposer.tell(ask.number, score)
        cost = read.goals.primary.cost(score)
        courses.append(judge.judged(cost, experiments.epochs(read.trial(ask.values)), courses))
        found.append((ask, len(courses[-1].costs)))
    return found


def draws(read: Experiment, count: int) -> tuple[list[dict[str, Any]], float]:
    """Draws points evenly; returns the legal ones, and the share of all that was legal."""
    generator = random.Random(0)  # noqa: S311 - no secret
    found: list[dict[str, Any]] = []
    tried = 0
    while len(found) < count and tried < 50 * count:
        values = read.space.draw(generator)
        tried += 1
        if read.space.legal(values):
            found.append(values)
    return found, len(found) / tried


def built(read: Experiment, values: dict[str, Any], data: DataSpec, epochs: int | None = None) -> Sample:
    """Builds the model of a point, symbolically."""
    import keras

    resolved = read.trial(values)
    keras.utils.clear_session(free_memory=False)
    if epochs is None:
        epochs = experiments.epochs(resolved)
    try:
        training = experiments.training(resolved)
        return Sample(values, epochs, training.batch_size, summary(build.build(resolved, data)))
    except Infeasible as error:
        return Sample(values, epochs, 1, None, str(error))


def timed(read: Experiment, sample: Sample, data: DataSpec) -> Timing:
    """Trains a model for some steps, as a trial would.

    Args:
        read: The experiment.
        sample: One that can be built.
        data: The prepared data.
    """
    import keras

    from automl.data import tf_pipeline
    from automl.worker.fitting import Fitting

    fitting = Fitting(read.trial(sample.values), data, 0, read.goals.primary)
    keras.utils.clear_session(free_memory=False)
    began = time.monotonic()
    network = build.build(fitting.document, data)
    fitting.compile(network)
    train, val = fitting.feed("train"), fitting.feed("val")
    training, validating = tf_pipeline.of(train), tf_pipeline.of(val)
    steps, val_steps = min(len(train), MOST_STEPS), min(len(val), MOST_STEPS)

    def run() -> float:
        started = time.monotonic()
        network.fit(training, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[train.clock()])
        trained = time.monotonic()
        network.evaluate(validating, steps=val_steps, verbose=0)
        if fitting.task.measures:
            network.predict(validating, steps=val_steps, verbose=0)
        return (trained - started) * len(train) / steps + (time.monotonic() - trained) * len(val) / val_steps

    run()
    first = time.monotonic() - began
    # Twice, the faster one: what else the machine does makes it slower, never faster.
    again = [_clocked(run) for _ in range(2)]
    spent, epoch_s = min(again, key=lambda pair: pair[1])
    with tempfile.TemporaryDirectory() as folder:
        saved = time.monotonic()
        network.save(Path(folder) / "model.keras")
        saving = time.monotonic() - saved
    return Timing(max(first - spent, 0.0) + saving, epoch_s)


def _clocked(run: Callable[[], float]) -> tuple[float, float]:
    started = time.monotonic()
    result = run()
    return time.monotonic() - started, result


def chosen(samples: Sequence[Sample]) -> list[int]:
    """Returns which of the samples to measure: spread evenly over what their epochs cost."""
    able = [index for index, sample in enumerate(samples) if sample.summary is not None]
    able.sort(key=lambda index: _cost(samples[index]))
    if len(able) <= MEASURED:
        return able
    return [able[round(step * (len(able) - 1) / (MEASURED - 1))] for step in range(MEASURED)]


def _cost(sample: Sample) -> float:
    return sample.summary.macs if sample.summary else 0.0


def predicted(
    samples: Sequence[Sample], timings: dict[int, Timing], examples: int, workers: int, times: int = 1
) -> Prediction:
    """Adds up what the samples take; those not measured by a regression on those that were.

    Args:
        samples: All trials of the search.
        timings: What was measured, by place in `samples`.
        examples: Training examples of an epoch.
        workers: Trials at once.
        times: Trainings of each trial: repeats, folds.
    """
    import numpy as np
    from sklearn.linear_model import LinearRegression

    measured = sorted(timings)
    features = np.array([_features(sample, examples) for sample in samples])
    scale = np.maximum(features.max(axis=0), 1e-12) if len(features) else 1.0
    seconds = np.array([timings[index].epoch_s for index in measured])
    guessed = np.zeros(len(samples))
    if measured:
        # Nothing takes less time for more work.
        line = LinearRegression(positive=True, fit_intercept=False).fit(features[measured] / scale, seconds)
        guessed = line.predict(features / scale)
    misfit = float(np.std((guessed[measured] - seconds) / seconds)) if len(measured) > 1 else 0.0
    setup = float(np.mean([timing.setup_s for timing in timings.values()])) if timings else 0.0
    total, known = 0.0, 0.0
    for index, sample in enumerate(samples):
        if sample.summary is None:
            continue
        timing = timings.get(index)
        epoch_s = timing.epoch_s if timing else float(guessed[index])
        spent = times * ((timing.setup_s if timing else setup) + sample.epochs * epoch_s)
        total += spent
        known += spent if timing else 0.0
    unknown = 1.0 - known / total if total else 0.0
    factor = min(NOISE * math.exp(unknown * misfit), WIDEST)
    total /= workers
    return Prediction(total, total / factor, total * factor)


def _features(sample: Sample, examples: int) -> tuple[float, float, float]:
    """Returns what an epoch's time is made of: arithmetic, batches, and steps one behind the other."""
    if sample.summary is None:
        return 0.0, 0.0, 0.0
    batches = math.ceil(examples / sample.batch_size)
    return sample.summary.macs * examples, batches, sample.summary.steps * batches


@dataclass(frozen=True)
class Survey:
    """All that is known of a search before it runs.

    Args:
        configurations: Number of distinct points; None when endless.
        legal: Share of the points that obey the constraints.
        infeasible: Share of the legal points that cannot be built for this data.
        problems: Why, the most frequent reason first, with how often.
        samples: The points that were drawn and built.
        trials: The trials the search would run; empty when it has no number of trials.
        timings: Those of them that were measured, by place.
        prediction: Wall time of the search; None without a number of trials.
    """

    configurations: int | None
    legal: float
    infeasible: float
    problems: list[tuple[str, int]]
    samples: list[Sample]
    trials: list[Sample]
    timings: dict[int, Timing]
    prediction: Prediction | None


def survey(read: Experiment, data: DataSpec, count: int, workers: int, say: Callable[[str], None]) -> Survey:
    """Surveys a search.

    Args:
        read: The experiment.
        data: The prepared data.
        count: Points to draw and build.
        workers: Trials at once.
        say: Is told what happens: it takes a while.
    """
    values, legal = draws(read, count)
    say(f"building {len(values)} models")
    samples = [built(read, point, data) for point in values]
    problems = Counter(sample.problem for sample in samples if sample.problem)
    trials: list[Sample] = []
    times, examples = read.evaluation.parts, data.sizes["train"]
    if read.evaluation.folds:
        data = data.at(read.evaluation.fold(times))  # the last one, which trains on as many examples as any other
        examples -= examples // read.evaluation.folds
    if read.search.most_trials is not None:
        asked = asks(read, read.search.most_trials)
        trials = [built(read, ask.values, data, epochs) for ask, epochs in asked]
    timings = {}
    for place in chosen(trials):
        say(f"measuring trial {place + 1} of {len(trials)}")
        timings[place] = timed(read, trials[place], data)
    prediction = predicted(trials, timings, examples, workers, times) if timings else None
    share = sum(problems.values()) / max(len(samples), 1)
    return Survey(read.space.size(), legal, share, problems.most_common(), samples, trials, timings, prediction)
