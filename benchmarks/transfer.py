"""Transfer learning on 4,317 photographs of flowers: a pretrained network beside networks from scratch.

    python benchmarks/transfer.py [--minutes 4] [--seeds 3] [--repeats 3] [--parts all,few,cache]

MobileNetV2 of width 0.35 with Keras's ImageNet weights, which must be in Keras's cache or be downloadable; two workers.

- `all`: `automl search pretrained_image --data flowers_small`, its wall time and its score on the test part.
- `few`: 100 images to train on, 20 of each class; every search has the same wall time. Each row is the median test
  accuracy of the winners over the seeds of data split and search.
- `cache`: eight trials of ten epochs on frozen features, which are kept (the default) or computed in every epoch
  (`AUTOML_FEATURES=`), in turn; from the start of the first trial to the end of the last, on 1,000 images.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import _page

DATA = "flowers_small"
FEW = ("pretrained_image", "finetune_image", "cnn", "cnn_augmented", "resnet")
WAYS = ("kept", "computed anew")
CACHED = 8
"""Trials that share the features, which are computed in the first one's time."""


def search(folder: str, space: str, *options: str, **variables: str) -> dict[str, Any]:
    """Runs a search by the command line; returns its result."""
    command = [sys.executable, "-m", "automl", "search", space, "--data", DATA, "--workers", "2", "-o", "json"]
    environment = _page.surroundings() | variables
    done = subprocess.run([*command, *options], cwd=folder, env=environment, stdout=subprocess.PIPE, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    return dict(json.loads(done.stdout.decode().splitlines()[-1]))


def everything() -> dict[str, Any]:
    """Searches all of the data once."""
    with tempfile.TemporaryDirectory() as folder:
        found = search(folder, "pretrained_image")
    return {"wall_s": found["wall_s"], "trials": found["trials"], "best": found["best"]}


def few(space: str, seed: int, minutes: int) -> float | None:
    """Returns the test accuracy of what is found with 20 images of each class; None where no trial came to an end."""
    options = ["--time", f"{minutes}m", "--seed", str(seed), "--set", f"data.split.seed={seed}"]
    options += ["--set", f"search.trial_time={minutes}m", "--set", "data.limit={train: 100}"]
    with tempfile.TemporaryDirectory() as folder:
        best = search(folder, space, *options)["best"]
    return best and best["test"]["test_accuracy"]


def cache(way: str) -> float:
    """Returns the trials a minute, from the journal's times."""
    options = ["--trials", str(CACHED), "--algorithm", "random", "--set", "data.limit={train: 1000, val: 300}"]
    options += ["--set", "training.phases=[{epochs: 10, unfreeze: none}]", "--set", "training.early_stopping=null"]
    options += ["--set", "backbone.size=160"]
    with tempfile.TemporaryDirectory() as folder:
        search(folder, "pretrained_image", *options, **({} if way == "kept" else {"AUTOML_FEATURES": ""}))
        (journal,) = Path(folder).glob("mlruns/searches/*/journal.jsonl")
        events = [json.loads(line) for line in journal.read_text().splitlines()]
    began = min(event["time"] for event in events if event["event"] == "start")
    ended = max(event["time"] for event in events if event["event"] == "end")
    return CACHED * 60_000 / (ended - began)


def shown(figures: list[float], digits: int) -> list[str]:
    """Returns the cells of repeated figures: the median, and each."""
    return [_page.cell(statistics.median(figures), digits), ", ".join(_page.cell(each, digits) for each in figures)]


def tables(found: dict[str, Any]) -> list[list[list[str]]]:
    """Returns the rows of the page."""
    made = []
    if whole := found.get("all"):
        score = f"{whole['best']['test']['test_accuracy']:.3f}"
        rows = [["all images", "", "expected"], ["test accuracy", score, "at least 0.74"]]
        made.append([*rows, ["wall time, s", f"{whole['wall_s']:.0f}", "at most 600"]])
    if scores := found.get("few"):
        rows = [["20 images of each class", "median test accuracy", "each seed"]]
        for space, own in scores.items():
            known = [value for value in own.values() if value is not None]
            middle = f"{statistics.median(known):.3f}" if known else "-"
            rows.append([f"`{space}`", middle, ", ".join(_page.cell(value, 3) for value in own.values())])
        made.append(rows)
    if speeds := found.get("cache"):
        ratios = [kept / anew for kept, anew in zip(*(speeds[way] for way in WAYS), strict=False)]
        rows = [["trials a minute", "median", "each repeat"]]
        rows += [[f"features {way}", *shown(speeds[way], 2)] for way in WAYS]
        made.append([*rows, ["ratio, expected at least 8", *shown(ratios, 1)]])
    return made


def main() -> None:
    """Runs what is asked for and is not kept yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3, help="of `cache`")
    parser.add_argument("--parts", default="all,few,cache")
    parser.add_argument("--spaces", default=",".join(FEW))
    asked = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    kept = _page.record().get("transfer", {})
    section: dict[str, Any] = {"title": "Transfer learning", "text": _page.text(__doc__)}
    given = f"--minutes {asked.minutes} --seeds {asked.seeds} --repeats {asked.repeats}"
    section |= {"command": f"python benchmarks/transfer.py {given}"}
    section |= {name: kept[name] for name in ("all", "few", "cache", "ran") if name in kept}

    def keep() -> None:
        section["tables"] = tables(section)
        _page.keep("transfer", section)

    parts = asked.parts.split(",")
    if "all" in parts:
        with _page.described(section, "`all`"):
            section["all"] = everything()
        keep()
    if "cache" in parts:
        speeds = section["cache"] = {way: [] for way in WAYS}
        with _page.described(section, "`cache`"):
            for repeat in range(asked.repeats):
                for way in WAYS if repeat % 2 == 0 else reversed(WAYS):
                    speeds[way].append(cache(way))
        keep()
    if "few" in parts:
        scores = section.setdefault("few", {})
        for seed in range(asked.seeds):
            for space in asked.spaces.split(","):
                if str(seed) not in scores.setdefault(space, {}):
                    with _page.described(section, f"`few`, `{space}`, seed {seed}"):
                        scores[space][str(seed)] = few(space, seed, asked.minutes)
                    keep()


if __name__ == "__main__":
    main()
