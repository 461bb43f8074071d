"""Sets that nobody wants in memory: a folder of 50,000 JPEGs, stored or not, against the same images as one array.

    python benchmarks/large.py [--images 50000] [--repeats 2]

Searches of `cnn` with one trial of two epochs, each in a process of its own: a folder of JPEGs of 96 by 96 pixels; the
same folder where nothing may be stored, so that the worker decodes each batch; and an `.npz` file of the very pixels
they decode to, in turn. The resident memory of the driver and of its workers, pages
of mapped files among it, is read four times a second from their beginning to their end. The second epoch is timed
from the end of the first to its own; the first also builds and compiles the model. Some half an hour.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import _page
import numpy as np
import psutil

from automl.driver.progress import Watcher
from automl.records.trials import Report

MIB = 2**20
SIDE, CLASSES = 96, 4
KINDS = ("folder", "decoded", "array")
DATA = """
name: {kind}
source: {source}
input: image
task: classification
"""
JPEGS = "{image_folder: {folder: %s/jpegs}}"
SOURCES = {"folder": JPEGS, "decoded": JPEGS, "array": "{npz: {file: %s/array.npz}}"}
SMALL = {
    "stem.filters": 12, "body.repeat": 1, "body.filters": 24, "reduce.filters": 32,
    "training.epochs": 2, "training.batch_size": 64,
}  # fmt: skip
"""Of the space `cnn`: a network that two cores train on so many images within minutes."""


class Gauge(Watcher):
    """Reads the memory of this process and of those below it, and when epochs end."""

    def __init__(self) -> None:
        self.driver, self.worker = 0, 0
        self.ends: list[float] = []
        self.began: float | None = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def search_started(self, search_id: str, trials: int | None, done: int, objective: str = "val_accuracy") -> None:
        """Notes when the data is prepared."""
        del search_id, trials, done, objective
        self.began = time.monotonic()

    def epoch(self, report: Report) -> None:
        """Notes the end of an epoch."""
        del report
        self.ends.append(time.monotonic())

    def end(self) -> None:
        """Reads no more."""
        self._is_over.set()
        self._thread.join()

    def _read(self) -> None:
        process = psutil.Process()
        while not self._is_over.wait(0.25):
            self.driver = max(self.driver, process.memory_info().rss)
            for child in process.children(recursive=True):
                try:
                    self.worker = max(self.worker, child.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue


def make(folder: Path, count: int) -> None:
    """Writes the images and what they decode to: noise on a ground, whose colours tell the class."""
    from PIL import Image

    rng = np.random.default_rng(0)
    grounds = rng.integers(64, 192, (CLASSES, 3))
    pixels = np.lib.format.open_memmap(folder / "x.npy", "w+", np.uint8, (count, SIDE, SIDE, 3))
    labels = np.sort(rng.integers(CLASSES, size=count))
    for label in range(CLASSES):
        (folder / "jpegs" / str(label)).mkdir(parents=True)
    for number, label in enumerate(labels):
        noise = rng.integers(-60, 61, (12, 12, 3)).repeat(8, 0).repeat(8, 1) + rng.integers(-8, 9, (SIDE, SIDE, 3))
        path = folder / "jpegs" / str(label) / f"{number:06d}.jpg"
        Image.fromarray(np.clip(grounds[label] + noise, 0, 255).astype(np.uint8)).save(path, quality=90)
        pixels[number] = np.asarray(Image.open(path))
    np.savez(folder / "array.npz", x_train=pixels, y_train=labels)
    (folder / "x.npy").unlink()


def search(kind: str, folder: Path) -> dict[str, Any]:
    """Runs one search in this process and its workers."""
    from automl.driver import launch
    from automl.driver.options import Options
    from automl.experiment import experiment

    data = Path(f"{kind}.yaml")
    data.write_text(DATA.format(kind=kind, source=SOURCES[kind] % folder))
    gauge, clock = Gauge(), time.monotonic()
    read = experiment.load("cnn", str(data), [f"{path}={value}" for path, value in SMALL.items()], {"trials": 1})
    summary = launch.start(read, Options(Path.cwd() / "mlruns"), gauge)
    gauge.end()
    assert gauge.began is not None
    first, second = gauge.ends
    return {
        "trials": dict(summary.trials),
        "prepare_s": round(gauge.began - clock, 1),
        "first_s": round(first - gauge.began, 1),
        "second_s": round(second - first, 1),
        "driver_mib": round(gauge.driver / MIB),
        "worker_mib": round(gauge.worker / MIB),
    }


def tables(runs: dict[str, list[dict[str, Any]]]) -> list[list[list[str]]]:
    """Returns the rows of the page."""
    rows = [["", "median", "each repeat", "expected"]]
    for kind, least in (("folder", "at least 0.9"), ("decoded", "")):
        pairs = zip(runs[kind], runs["array"], strict=True)
        ratios = [array["second_s"] / each["second_s"] for each, array in pairs]
        told = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        rows += [[f"speed of the second epoch, {kind} to array", f"{median(ratios):.2f}", told, least]]
    for who, most in (("driver", "1,024"), ("worker", "2,560")):
        sizes = [each[f"{who}_mib"] for each in runs["folder"]]
        told = ", ".join(f"{size:,}" for size in sizes)
        rows += [[f"{who} at its largest, folder, MiB", f"{median(sizes):,.0f}", told, f"under {most}"]]
    heads = ["", "prepare, s", "first epoch, s", "second epoch, s", "driver, MiB", "worker, MiB"]
    names = ("prepare_s", "first_s", "second_s", "driver_mib", "worker_mib")
    single = [[kind, *(f"{each[name]:,}" for name in names)] for kind in KINDS for each in runs[kind]]
    return [rows, [heads, *single]]


def main() -> None:
    """Runs the searches in turn and keeps what was read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--only", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        print(json.dumps(search(asked.only[0], Path(asked.only[1]))))
        return
    command = f"python benchmarks/large.py --images {asked.images} --repeats {asked.repeats}"
    section: dict[str, Any] = {"title": "Large sets", "text": _page.text(__doc__), "command": command}
    runs: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    with _page.described(section), tempfile.TemporaryDirectory() as made:
        make(Path(made), asked.images)
        for repeat in range(asked.repeats):
            for kind in KINDS[:: -1 if repeat % 2 else 1]:
                with tempfile.TemporaryDirectory() as folder:
                    stored = {"AUTOML_STORED_GB": "0" if kind == "decoded" else "10"}
                    given = ("--only", kind, made)
                    runs[kind].append(_page.child(__file__, *given, folder=folder, environment=stored))
                print(kind, runs[kind][-1], flush=True)
    section["runs"] = runs
    section["tables"] = tables(runs)
    _page.keep("large", section)


if __name__ == "__main__":
    main()
