"""Runs an exported model by the program beside it, in a process that has neither this package nor Keras on its path.

`python -I _running.py BUNDLE EXAMPLES OUTPUTS`; tells of times and of what was imported in a line of JSON. It is run by
its path, and imports nothing of this package.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

BATCH = 64
CALLS, SECONDS = 100, 5.0
"""Single examples that are timed, and how long at most."""


def main(bundle: str, examples: str, outputs: str) -> None:
    """Runs it."""
    sys.path.insert(0, bundle)
    import predict  # type: ignore[import-not-found]

    with np.load(examples) as held:
        x = {name.removeprefix("x_"): held[name] for name in held.files}
    run = predict.load(str(Path(bundle) / predict.TOLD["file"]))
    count = len(next(iter(x.values())))
    pieces = [{name: each[at : at + BATCH] for name, each in x.items()} for at in range(0, count, BATCH)]
    np.save(outputs, np.concatenate([np.asarray(run(piece)) for piece in pieces]))
    singles = [{name: each[at : at + 1] for name, each in x.items()} for at in range(count)]
    run(singles[0])  # another size of a batch may be prepared for
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < CALLS and time.perf_counter() - began < SECONDS:
        before = time.perf_counter()
        run(singles[len(times) % count])
        times.append(1000 * (time.perf_counter() - before))
    modules = sorted({name.split(".")[0] for name in sys.modules} & {"automl", "jax", "keras", "tensorflow", "torch"})
    told = {"median_ms": median(times), "p95_ms": sorted(times)[int(0.95 * (len(times) - 1))], "modules": modules}
    print(json.dumps(told))  # noqa: T201 - the answer


if __name__ == "__main__":
    main(*sys.argv[1:])
