"""Ten kinds of models in every export format, each held against Keras in another process; writes docs/export.md.

    python benchmarks/exports.py                        all rows that docs/export.json does not hold yet
    python benchmarks/exports.py gru jax-gru ...        these rows, again

A row is one trial on real data, for few epochs, and `automl export` of its model in all formats. Those that begin with
`jax-` and `torch-` are trained on that backend. Needs $AUTOML_DATA, and the extras onnx, openvino and litert.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from _run import fill

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
TABLE, RECORD = DOCS / "export.md", DOCS / "export.json"
INTRODUCTION = """\
## Measured

Each row is one trial on real data, trained for two epochs, and `automl export` of its model: the largest difference
from Keras, the size, the median time of a single example on one of two cores. Made by `python benchmarks/exports.py`.
"""
FORMATS = ("keras", "saved_model", "onnx", "litert", "openvino")
DATA = Path(os.environ.get("AUTOML_DATA", "."))
WEIGHTS = DATA / "pretrained" / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"


def _recurrent(cell: str, **fields: Any) -> dict[str, Any]:
    return {"recurrent": {"cell": cell, "units": 16, **fields}}


def _vowels(*blocks: Any, padded: bool = False) -> dict[str, Any]:
    """Returns an experiment on series; of the longest ones alone where none is to be padded."""
    return {"model": list(blocks), "data": "japanese_vowels" if padded else "gunpoint"}


_CONV = {"conv": {"filters": 16, "norm": "batch"}}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "lenet": ("LeNet-like CNN", {
        "model": [
            {"conv": {"filters": 6, "kernel_size": 5, "pool": "max"}},
            {"conv": {"filters": 16, "kernel_size": 5, "pool": "max"}},
            "flatten", {"dense": {"units": 120}}, {"dense": {"units": 84}},
        ],
        "data": "fashion_mnist",
    }),
    "residual": ("residual CNN", {
        "model": [
            _CONV,
            {"residual": {"repeat": 2, "blocks": [
                {"conv": {"filters": 16, "norm": "batch", "stride": 2}},
                {"conv": {"filters": 16, "norm": "batch", "activation": "linear"}},
            ]}},
            "global_pool",
        ],
        "data": "fashion_mnist",
    }),
    "mobilenet": ("fine-tuned MobileNetV2", {
        "model": [{"backbone": {"family": "MobileNetV2", "alpha": 0.35, "pooling": "avg", "weights": str(WEIGHTS)}}],
        "data": "flowers_small",
    }),
    "simple_rnn": ("SimpleRNN", _vowels(_recurrent("simple_rnn"))),
    "lstm": ("LSTM, two layers", _vowels(_recurrent("lstm"), _recurrent("lstm"))),
    "gru": ("GRU", _vowels(_recurrent("gru"))),
    "bidirectional": ("bidirectional GRU with mask", _vowels(_recurrent("gru", bidirectional=True), padded=True)),
    "attention": ("attention over GRU", _vowels(_recurrent("gru"), {"attention": {"kind": "additive"}}, padded=True)),
    "hybrid": ("CNN-RNN hybrid", _vowels(
        {"conv": {"filters": 16, "norm": "batch", "stride": 2}}, _recurrent("gru", bidirectional=True), padded=True
    )),
    "two_inputs": ("two inputs", {"model": {
        "photo": [{"conv": {"filters": 8, "pool": "max"}}, "flatten"], "facts": [{"dense": {"units": 8}}],
        "trunk": [{"dense": {"units": 16}}],
    }, "data": "two.yaml"}),
}  # fmt: skip
BACKENDS = {"": "TensorFlow", "jax-": "JAX", "torch-": "PyTorch"}
EVERY = [f"{backend}{name}" for backend in BACKENDS for name in MODELS]


def measure(name: str) -> dict[str, Any]:
    """Returns what `automl export` says of each format of a model."""
    backend, _, model = name.rpartition("-")
    document = dict(MODELS[model][1])
    with tempfile.TemporaryDirectory() as folder:
        if document["data"] == "two.yaml":
            _two_inputs(Path(folder))
        training: dict[str, Any] = {"epochs": 2, "batch_size": 32}
        if model == "mobilenet":
            training = {"batch_size": 32, "phases": [{"epochs": 1, "unfreeze": "none"}, {"epochs": 1, "unfreeze": 0.6}]}
        written = {**document, "training": training, "search": {"trials": 1, "baselines": False}}
        (Path(folder) / f"{model}.yaml").write_text(json.dumps(written))
        _automl(folder, backend, "search", f"{model}.yaml", "--inline", "--no-report")
        wanted = [*(FORMATS if importlib.util.find_spec("tensorflow") else FORMATS[:1])]
        wanted += ["torch"] if importlib.util.find_spec("torch") else []
        told, errors = _automl(folder, backend, "export", *(word for each in wanted for word in ("-f", each)))
        cells = {row["format"]: row | {"folder": None} for row in json.loads(told)}
        for row in cells.values():
            where = row.pop("written")
            row["imported"] = (
                json.loads((Path(folder) / where / "model.json").read_text())["found"]["imported"] if where else []
            )
        counted = sum("difference" in row and "problem" not in row for row in cells.values())
        return {"cells": cells, "said": errors, "test": f"{counted} of {len(wanted)}"}


def _two_inputs(folder: Path) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    rng = np.random.default_rng(0)
    facts = np.stack([digits.target % 2, rng.normal(size=len(digits.target))], axis=1)
    np.savez(folder / "two.npz", x=digits.images, photo=digits.images, facts=facts, y=digits.target)
    (folder / "two.yaml").write_text(
        f"source: {{npz: {{file: {folder}/two.npz}}}}\n"
        "inputs: {photo: {image: {column: photo}}, facts: {table: {columns: [facts]}}}\ntask: classification\n"
    )


def _automl(folder: str, backend: str, *arguments: str) -> tuple[str, str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    environment |= {"KERAS_BACKEND": backend or "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "automl", *arguments, "-o", "json"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) or not done.stdout:
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr[-2000:]}")
    return done.stdout, done.stderr


def write(rows: Mapping[str, Any]) -> None:
    """Writes the page: its text, and a table for each backend that was measured."""
    # What stands above is written by hand.
    parts = [TABLE.read_text().split("## Measured")[0] + INTRODUCTION]
    for backend, title in BACKENDS.items():
        mine = {name: rows[f"{backend}{name}"] for name in MODELS if f"{backend}{name}" in rows}
        if not mine:
            continue
        formats = [each for each in (*FORMATS, "torch") if any(each in row["cells"] for row in mine.values())]
        good = sum(_is_good(row["cells"].get(each)) for row in mine.values() for each in formats)
        parts += [f"### Trained on {title}: {good} of {len(mine) * len(formats)}", ""]
        parts += [f"| | {' | '.join(formats)} |", "|---" * (len(formats) + 1) + "|"]
        for name, row in mine.items():
            parts.append(f"| {MODELS[name][0]} | {' | '.join(_cell(row['cells'].get(each)) for each in formats)} |")
        parts.append("")
        reasons = {
            f"{MODELS[name][0]}, {each}: {cell['problem']}"
            for name, row in mine.items()
            for each, cell in row["cells"].items()
            if cell.get("problem")
        }
        parts += [*(f"- {reason}" for reason in sorted(reasons)), *([""] if reasons else [])]
    TABLE.write_text("\n".join(parts).rstrip() + "\n")


def _is_good(cell: Mapping[str, Any] | None) -> bool:
    return cell is not None and "difference" in cell and not cell.get("problem")


def _cell(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return "not tried"
    if "difference" not in cell:
        return "no, see below"
    return f"{cell['difference']:.0e}, {cell['KiB']:,} KiB, {cell['median_ms']:.2f} ms"


if __name__ == "__main__":
    fill(RECORD, EVERY, sys.argv[1:], measure, write)
