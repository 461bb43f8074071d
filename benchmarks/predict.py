"""`automl predict` over many rows: its time beside a bare loop of `model.predict`, and its memory as rows grow.

    python benchmarks/predict.py [--rows 100000] [--repeats 3]

A table of 20 columns of numbers and 2 of words, and a small network. The bare loop reads the file by pandas in chunks
of 1,024 rows, looks the words up, calls `model.predict` on each chunk and writes CSV. Both run in processes of their
own, in turn; the imports of Keras do not count. The memory is what a process held at most, at a tenth of the rows and
at all of them.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import _page
import numpy as np
import pandas as pd

DOCUMENT = """\
model: [entity_embedding, {dense: {units: 64, repeat: 2}}]
training: {epochs: 1}
search: {trials: 1, baselines: false}
data:
  name: rows
  source: {csv: {file: FILE}}
  input: table
  task: {classification: {target: y}}
"""
CHUNK = 1024


def table(count: int) -> pd.DataFrame:
    """Returns rows with a target."""
    rng = np.random.default_rng(0)
    found = pd.DataFrame(rng.normal(size=(count, 20)).round(4), columns=[f"n{place}" for place in range(20)])
    found["colour"] = rng.choice(["red", "green", "blue"], count)
    found["town"] = rng.choice([f"town {place}" for place in range(200)], count)
    return found.assign(y=np.where(found["n0"] > 0, "up", "down"))


def ours(rows: Path, home: Path) -> dict[str, Any]:
    """Predicts a file as `automl predict` does."""
    from automl.deploy import answers_file
    from automl.deploy.finished import found
    from automl.deploy.predict import Predictions
    from automl.machine import keras_backend

    keras_backend.import_keras()
    with found(home, None) as finished:
        began = time.perf_counter()
        with answers_file.opened(rows.with_suffix(".ours.csv"), force=True) as add:
            for columns in Predictions(finished, [rows]).batches():
                add(columns)
        return told(time.perf_counter() - began)


def bare(rows: Path, home: Path) -> dict[str, Any]:
    """Predicts a file by a loop that somebody might write."""
    from automl.deploy.finished import found
    from automl.machine import keras_backend

    keras_backend.import_keras()
    import keras

    with found(home, None) as finished:
        (spec,), classes = finished.kept.data.inputs, np.array(finished.kept.data.classes)
        began = time.perf_counter()
        model = keras.saving.load_model(finished.path, compile=False)
        words = {
            name: {word: n for n, word in enumerate(known["names"], 1)} for name, known in spec.state["words"].items()
        }
        with rows.with_suffix(".bare.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            for chunk in pd.read_csv(rows, chunksize=CHUNK):
                numbers = chunk[[f"n{place}" for place in range(20)]].to_numpy("float32")
                codes = [chunk[name].map(known).fillna(0).to_numpy("float32")[:, None] for name, known in words.items()]
                outputs = model.predict(np.concatenate([numbers, *codes], axis=1), verbose=0)
                writer.writerows(
                    zip(chunk.index + 1, classes[outputs.argmax(axis=1)], outputs.max(axis=1), strict=True)
                )
        return told(time.perf_counter() - began)


def told(seconds: float) -> dict[str, Any]:
    """Returns the time, and the memory of this process at its largest."""
    return {"seconds": seconds, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def measure(count: int, repeats: int) -> None:
    """Runs both in turn, and keeps what they took."""
    section: dict[str, Any] = {
        "title": "Predicting many rows",
        "text": _page.text(__doc__),
        "command": f"python benchmarks/predict.py --rows {count} --repeats {repeats}",
    }
    with tempfile.TemporaryDirectory() as folder, _page.described(section):
        home, rows, few = Path(folder) / "mlruns", Path(folder) / "rows.csv", Path(folder) / "few.csv"
        table(2000).to_csv(Path(folder) / "train.csv", index=False)
        table(count).drop(columns="y").to_csv(rows, index=False)
        table(count // 10).drop(columns="y").to_csv(few, index=False)
        (Path(folder) / "rows.yaml").write_text(DOCUMENT.replace("FILE", f"{folder}/train.csv"))
        _page.child(_page.__file__.replace("_page.py", "predict.py"), "search", folder=folder)
        taken: dict[str, list[dict[str, Any]]] = {"ours": [], "bare": []}
        for _ in range(repeats):
            for way, found in taken.items():
                found.append(_page.child(__file__, way, str(rows), str(home), folder=folder))
        small = _page.child(__file__, "ours", str(few), str(home), folder=folder)
    seconds = {way: [each["seconds"] for each in found] for way, found in taken.items()}
    ratios = [a / b for a, b in zip(seconds["ours"], seconds["bare"], strict=True)]
    section["tables"] = [[
        ["rows", "automl predict, s", "bare loop, s", "ratio", "memory at a tenth, MiB", "memory at all, MiB"],
        [
            f"{count:,}", f"{median(seconds['ours']):.1f}", f"{median(seconds['bare']):.1f}",
            ", ".join(f"{ratio:.2f}" for ratio in ratios),
            f"{small['mib']:.0f}", f"{max(each['mib'] for each in taken['ours']):.0f}",
        ],
    ]]  # fmt: skip
    _page.keep("predict", section)


def main() -> None:
    """Runs a part, or all."""
    if sys.argv[1:2] in (["ours"], ["bare"]):
        part = {"ours": ours, "bare": bare}[sys.argv[1]]
        print(json.dumps(part(Path(sys.argv[2]), Path(sys.argv[3]))))
    elif sys.argv[1:2] == ["search"]:
        from automl.cli import main as automl

        automl(["search", "rows.yaml", "--inline", "--no-report", "-o", "json"])
    else:
        parser = argparse.ArgumentParser()
        parser.add_argument("--rows", type=int, default=100_000)
        parser.add_argument("--repeats", type=int, default=3)
        given = parser.parse_args()
        measure(given.rows, given.repeats)


if __name__ == "__main__":
    main()
