"""Writes a model in several formats, in a process of its own: converters crash, and each wants its Keras backend.

`python -m automl.deploy._writing JOB` with the path of a job as JSON; tells of each format in a line of JSON.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from automl import export
from automl.errors import cut, refused
from automl.model import saved

BATCH = 64


def main(path: str) -> None:
    """Does the job."""
    job: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    answers = sys.stdout
    sys.stdout = sys.stderr  # what libraries print is no answer
    with np.load(job["examples"]) as held:
        x = {name.removeprefix("x_"): held[name] for name in held.files}
    model = saved.load(Path(job["model"]))
    try:
        # Once: whoever reads it does so while the next format is written.
        np.save(job["outputs"], _outputs(model, x))
    except OSError as error:
        for each in job["formats"]:
            print(json.dumps({"place": each["place"], "failed": _said(error)}), file=answers, flush=True)
        return
    for each in job["formats"]:
        exporter = export.registry.read(each["declared"])
        line: dict[str, Any] = {"place": each["place"]}
        try:
            if (why := exporter.refusal(model)) is not None:
                line["refused"] = why
            else:
                line["file"] = exporter.write(model, Path(each["folder"]), x).name
        except Exception as error:  # noqa: BLE001 - a converter's fault is told, and the next format is tried
            traceback.print_exc()
            line["failed"] = _said(error)
        print(json.dumps(line), file=answers, flush=True)


def _said(error: Exception) -> str:
    told = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return cut((refused(error) or told).rstrip("."), 300)


def _outputs(model: Any, x: dict[str, np.ndarray]) -> np.ndarray:
    """Returns what Keras answers, computed in float32."""
    if any(layer.compute_dtype != "float32" for layer in model.layers if layer.weights):
        from automl.export._plain import plain

        model = plain(model, unroll=False)
    found = [model.predict_on_batch(saved.taken(piece)) for piece in export.batches(x, BATCH)]
    return np.concatenate([np.asarray(each) for each in found])


if __name__ == "__main__":
    main(sys.argv[1])
