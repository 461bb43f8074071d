"""A folder that predicts by itself: an exported model, what it must know, and a program that needs its runtime alone.

The program is put together of the functions that read, encode, run and answer, as they stand in the files of source,
inputs, format and task: what is mended there is mended here.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import textwrap
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from automl import inputs, sources, tasks
from automl.deploy.kept import Kept
from automl.export import Exporter
from automl.inputs import Input, OneColumn
from automl.records.data import EXAMPLES, InputSpec

TOLD, PROGRAM, REQUIREMENTS = "model.json", "predict.py", "requirements.txt"

_HEAD = '''"""Predicts with {file}:  python predict.py FILES... > predictions.csv

Of raw files, as the model's data set had them{files}. Needs no more than requirements.txt names; `predictions` is there
for programs that import this file.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
TOLD = json.loads((HERE / "model.json").read_text(encoding="utf-8"))


'''

_MAIN = '''

def predictions(paths):
    """Yields, for each batch, names of examples, columns of answers, and the probability of each class."""
    predict = load(str(HERE / TOLD["file"]))
    for names, columns in batches(paths, TOLD["source"]):
        with np.errstate(over="ignore"):
            x = {each["name"]: READERS[each["kind"]](columns, each) for each in TOLD["inputs"]}
        for each in TOLD["inputs"]:
            flat = x[each["name"]].reshape(len(names), -1)
            bad = np.isinf(flat).any(axis=1)
            if each["kind"] != "table":
                bad |= np.isnan(flat).all(axis=1)
            if bad.any():
                raise ValueError(f"example {names[bad.argmax()]}: no number, or one that float32 does not hold")
        yield names, *answers(np.asarray(predict(x)), TOLD["task"])


def main(paths):
    if not paths:
        raise SystemExit("usage: python predict.py FILES...")
    writer = csv.writer(sys.stdout)
    number = -1
    for number, (names, found, likely) in enumerate(predictions(paths)):
        columns = {"example": names, **found, **{f"probability_{name}": x for name, x in likely.items()}}
        if not number:
            writer.writerow(columns)
        writer.writerows(zip(*columns.values()))
    if number < 0:
        raise ValueError("no examples in " + ", ".join(paths))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (OSError, ValueError) as error:
        raise SystemExit(f"predict.py: {error}") from None
'''


def write(folder: Path, name: str, exporter: Exporter, file: str, kept: Kept, about: Mapping[str, Any]) -> None:
    """Puts what an exported model must know, and the program, beside it.

    Args:
        folder: Where the model lies.
        name: What the model is called.
        exporter: Its format.
        file: The model's file or folder.
        kept: How raw examples are read for it.
        about: What else is told of it, as plain data.
    """
    data = kept.data
    source = sources.registry.read(data.source["declared"])
    told: dict[str, Any] = {"name": name, "file": file, "format": exporter.label, **_told(kept), **about}
    told["source"] = {
        "kind": sources.registry.name_of(source),
        "fields": source.model_dump(mode="json", exclude_unset=True),
        "learned": dict(data.source["learned"]),
        "inputs": told["inputs"],
    }
    (folder / TOLD).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    (folder / REQUIREMENTS).write_text("".join(f"{line}\n" for line in requirements(exporter, source)))
    parts = [
        _copied(type(exporter).load),
        _copied(type(source).batches),
        *_reading(kept),
    ]
    head = _HEAD.format(file=file, files=f" ({source.ending})" if hasattr(source, "ending") else "")
    (folder / PROGRAM).write_text(head + "\n\n\n".join(parts) + "\n" + _MAIN, encoding="utf-8")


def reading(kept: Kept) -> dict[str, str]:
    """Returns what reads and answers for a model that MLflow serves, the texts of files by their names."""
    head = '"""How raw examples are read for the model beside, and what its outputs mean."""'
    begin = f"{head}\n\nfrom __future__ import annotations"
    return {
        "automl_reading.py": "\n\n\n".join([begin, *_reading(kept)]) + "\n",
        "automl_reading.json": json.dumps(_told(kept), indent=1) + "\n",
    }


def _told(kept: Kept) -> dict[str, Any]:
    """Returns what a model's inputs and outputs are."""
    data = kept.data
    return {
        "task": {"kind": data.task.kind, **tasks.of(data.task).metadata(data.task)},
        "inputs": [_input(each, inputs.of(each)) for each in data.inputs],
    }


def _reading(kept: Kept) -> list[str]:
    """Returns the functions that encode and answer."""
    readers = {each.kind: inputs.of(each) for each in kept.data.inputs}
    table = ", ".join(f'"{kind}": encoded_{kind}' for kind in readers)
    return [
        *(_copied(type(reader).encoded, f"encoded_{kind}") for kind, reader in readers.items()),
        f"READERS = {{{table}}}",
        _copied(type(tasks.of(kept.data.task)).answers),
    ]


def requirements(exporter: Exporter, source: sources.Source) -> list[str]:
    """Returns what pip installs for the program, in the versions that are installed here."""
    return [_pinned(name) for name in ("numpy", *exporter.runtime, *source.runtime)]


def _pinned(name: str) -> str:
    with contextlib.suppress(metadata.PackageNotFoundError):
        return f"{name}=={metadata.version(name)}"
    return name


def _input(spec: InputSpec, reader: Input) -> dict[str, Any]:
    columns = [reader.column or EXAMPLES] if isinstance(reader, OneColumn) else list(spec.reads)
    words = {name: {"names": known["names"]} for name, known in spec.state.get("words", {}).items()}
    told = {"name": spec.name, "kind": spec.kind, "columns": columns, "shape": list(spec.shape)}
    return {**told, "state": {"words": words}}


def _copied(function: Callable[..., Any], name: str | None = None) -> str:
    """Returns the source of a static method as a function of its own."""
    source = textwrap.dedent(inspect.getsource(function))
    lines = source.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("def "))
    text = "\n".join(lines[first:])
    return text if name is None else text.replace(f"def {function.__name__}(", f"def {name}(", 1)
