"""What it costs to measure how healthy a training is: the same trials with and without, by turns.

    python benchmarks/health.py [--repeats 3]

The first trials that a random search draws, one after the other in a fresh process, once with what
`automl/worker/health.py` measures and once without; each repeat begins with the other. Compared is the time of the
trials, by the clock and of the processors. `own share` is what the measuring took by its own clock, of the trials'
time, which other work on the machine moves less than a ratio; the last column says of how many epochs the gradient was
measured. Every trial must end with the same score, to the last bit. Where nothing
was looked at, the ratios show how much of all of them is chance. Needs `AUTOML_DATA` for two of the four.
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import _models
import _page

CASES = {
    "digits, cnn": ("cnn", "digits", 8),
    "japanese_vowels, rnn": ("rnn", "japanese_vowels", 6),
    "gunpoint, fcn": ("fcn", "gunpoint", 2),
    "digits, resnet": ("resnet", "digits", 1),
}
"""Space, data and how many trials."""
WAYS = ("with", "without")
CALLS = ("on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end")
"""All that Keras calls of what measures."""


def timed(call: Callable[..., None], spent: list[float]) -> Callable[..., None]:
    """Returns a function that notes how long it takes."""

    @functools.wraps(call)
    def noted(*given: Any) -> None:
        began = time.monotonic()
        call(*given)
        spent.append(time.monotonic() - began)

    return noted


def trained(space: str, data: str, trials: int, way: str) -> dict[str, Any]:
    """Runs trials in this process; returns what they took and reached."""
    from automl.data import prepare
    from automl.experiment import experiment
    from automl.records.trials import Report, TrialRequest
    from automl.worker.health import Health
    from automl.worker.trial import run_trial

    spent: list[float] = []
    for name in CALLS:
        setattr(Health, name, timed(getattr(Health, name), spent) if way == "with" else lambda *_: None)
    read = _models.read(space, data)
    assert read.data is not None
    told: list[Any] = []
    results, cpu_s = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        spec = prepare.prepare(read.data, Path(folder) / "data", None)
        for number in range(1, trials + 1):
            drawn = read.space.draw(Random(number))  # noqa: S311 - no secret
            document = read.trial(drawn, number, spec.digest)
            (own := Path(folder) / f"t{number}").mkdir()
            given = spec, str(own), read.goals, experiment.epochs(document)
            before = time.process_time()
            results.append(
                run_trial(TrialRequest(number, 1, document, number, *given), lambda m: told.append(m) or True)
            )
            cpu_s += time.process_time() - before
    assert all(result.is_scored for result in results), [result.message for result in results]
    reports = [each for each in told if isinstance(each, Report)]
    return {
        "seconds": sum(result.seconds for result in results),
        "cpu_s": cpu_s,
        "spent_s": sum(spent),
        "scores": [result.score for result in results],
        "epochs": len(reports),
        "looks": sum("gradient_norm" in each.health for each in reports),
    }


def rows(found: dict[str, dict[str, list[dict[str, Any]]]]) -> list[list[str]]:
    """Returns the table."""
    told = [["data, space", "trials", "seconds a trial", "time", "processors", "own share", "epochs looked at"]]
    for name, ways in found.items():
        pairs = list(zip(ways["with"], ways["without"], strict=True))
        trials = CASES[name][2]
        told.append([
            name,
            f"{trials}",
            f"{statistics.median(each['seconds'] for each in ways['without']) / trials:.1f}",
            _ratios([one["seconds"] / other["seconds"] for one, other in pairs]),
            _ratios([one["cpu_s"] / other["cpu_s"] for one, other in pairs]),
            ", ".join(f"{each['spent_s'] / each['seconds']:.1%}" for each in ways["with"]),
            ", ".join(f"{each['looks']} of {each['epochs']}" for each in ways["with"]),
        ])  # fmt: skip
    return told


def _ratios(found: list[float]) -> str:
    return f"{statistics.median(found):.3f} ({', '.join(f'{each:.3f}' for each in found)})"


def main() -> None:
    """Runs every case both ways, as often as asked, and keeps the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        name, way = asked.only
        print(json.dumps(trained(*CASES[name], way)))
        return
    from automl.machine.workers import this_machine

    threads = {name: value for name, value in this_machine(1, None).worker_environment().items() if value is not None}
    command = f"python benchmarks/health.py --repeats {asked.repeats}"
    section: dict[str, Any] = {"title": "Health of a training", "text": _page.text(__doc__), "command": command}
    found: dict[str, dict[str, list[dict[str, Any]]]] = {name: {way: [] for way in WAYS} for name in CASES}
    with _page.described(section), tempfile.TemporaryDirectory() as folder:
        for repeat in range(asked.repeats):
            for name, ways in found.items():
                for way in WAYS if repeat % 2 else reversed(WAYS):
                    ways[way].append(_page.child(__file__, "--only", name, way, folder=folder, environment=threads))
                    print(name, way, f"{ways[way][-1]['seconds']:.2f} s", flush=True)
                assert ways["with"][-1]["scores"] == ways["without"][-1]["scores"], name
    section |= {"measured": found, "tables": [rows(found)]}
    _page.keep("health", section)


if __name__ == "__main__":
    main()
