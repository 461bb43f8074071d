"""The `.ts` files of the UCR/UEA time series archive, as aeon and sktime read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from automl.machine import files
from automl.records.data import EXAMPLES, TARGETS, Part, Splits
from automl.sources import Source, _layout
from automl.sources._places import fault, find
from automl.sources._tables import Arrays, gathered, splits
from automl.sources._ts_file import TsFile, read_ts
from automl.sources._unlabelled import PREDICT


class Ts(Source):
    """A folder with `NAME_TRAIN.ts` and `NAME_TEST.ts`, or with `NAME.ts` alone, which then has no test part.

    Series become `(n, steps, channels)` float32; shorter ones are right-padded with NaN to the longest of all parts,
    and a missing value (`?`) is NaN. Targets are the labels as they are written, or numbers under `@targetLabel true`.

    Source: https://www.timeseriesclassification.com, https://www.aeon-toolkit.org (data format `.ts`)
    """

    folder: str = Field(description="The folder, relative to the place of all data sets", min_length=1)
    name: str | None = Field(None, description="First word of the file names; the folder's own name when left out")
    zero_padding: _layout.End | None = Field(None, description=_layout.MARKED)

    def open(self, root: Path | None) -> Splits:
        """Reads the files the folder holds; see `Source.open`."""
        name = self.name or Path(self.folder).name
        shown = files.shown(name)
        folder = find(self.folder, root, f"the files {shown}_TRAIN.ts and {shown}_TEST.ts")
        if not folder.is_dir():
            raise fault(folder, "is a file", expected=f"the folder that holds {shown}_TRAIN.ts")
        alone, train, test = (folder / f"{name}{suffix}.ts" for suffix in ("", "_TRAIN", "_TEST"))
        if not files.unreadable(alone) and not files.exists(train) and not files.exists(test):
            only = read_ts(alone)
            return replace(splits(self._part(only, alone)), learned=lambda _: {"steps": only.steps})
        for path in (train, test):
            if problem := files.unreadable(path):
                raise fault(
                    folder,
                    f"the file {files.shown(path.name)} is missing"
                    + (f": {problem}" if problem != files.NOTHING else ""),
                    expected=f"{shown}_TRAIN.ts and {shown}_TEST.ts, or {shown}.ts alone",
                    received=", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "an empty folder",
                )
        first, second = read_ts(train), read_ts(test)
        if first.channels != second.channels:
            raise fault(
                test, f"differs from {train.name}", expected=f"{first.channels} channels", received=f"{second.channels}"
            )
        steps = max(first.steps, second.steps)
        opened = splits(self._part(first, train, steps), test=self._part(second, test, steps))
        return replace(opened, learned=lambda _: {"steps": steps})

    def open_like(self, root: Path | None, learned: Mapping[str, Any]) -> Splits:
        """Opens the set, its series padded to the steps of the other; see `Source.open_like`."""
        opened, steps = self.open(root), learned.get("steps", 0)
        x, y = gathered(opened.table, [EXAMPLES, TARGETS], text=True).values()
        own = x.shape[1]
        if own >= steps:  # longer ones are told by their shape
            return opened
        wide = np.pad(x, ((0, 0), (0, steps - own), (0, 0)), constant_values=np.nan)
        return replace(opened, table=Arrays({EXAMPLES: wide, TARGETS: y}))

    def unlabelled(self, paths: Sequence[Path], learned: Mapping[str, Any]) -> Splits:
        """Opens `.ts` files, with targets or without, their series padded to the steps of the set; or arrays."""
        if any(path.suffix in (".npy", ".npz") for path in paths):
            return super().unlabelled(paths, learned)
        blocks = []
        for path in paths:
            found, steps = read_ts(path, labelled=False), learned["steps"]
            if found.steps > steps:
                what, expected = "a series is longer than those of the set", f"at most {steps} steps"
                raise fault(path, what, expected=expected, received=str(found.steps))
            blocks.append({EXAMPLES: self._part(found, path, steps).x})
        table = Arrays(*blocks)
        return Splits(table, {PREDICT: np.arange(len(table))}, targets=())

    @staticmethod
    def batches(paths: Sequence[str], how: Mapping[str, Any]) -> Iterator[tuple[Sequence[Any], Mapping[str, Any]]]:
        """Reads `.ts` files where this package is not; see `Source.batches`."""
        import numpy as np

        first, (told, *_) = 1, how["inputs"]
        for path in paths:
            with open(path, encoding="utf-8-sig") as file:  # noqa: PTH123 - a copy needs no pathlib
                lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
            head = [line.lower().split() for line in lines if line.startswith("@")]
            drop = any(words[0] in ("@classlabel", "@targetlabel") and words[1] == "true" for words in head)
            series = [line.split(":")[: -1 if drop else None] for line in lines if not line.startswith("@")]
            for start in range(0, len(series), 256):
                some = series[start : start + 256]
                x = np.full((len(some), *told["shape"]), np.nan, np.float32)
                for row, channels in zip(x, some, strict=True):
                    for place, channel in enumerate(channels):
                        values = [float("nan") if text.strip() == "?" else float(text) for text in channel.split(",")]
                        row[: len(values), place] = values
                yield list(range(first, first + len(some))), {"x": x}
                first += len(some)

    def _part(self, file: TsFile, path: Path, steps: int | None = None) -> Part:
        part = _padded(file, steps)
        return part if self.zero_padding is None else Part(_layout.marked(part.x, self.zero_padding, path), part.y)

    @classmethod
    def toy(cls, folder: Path) -> Ts:
        """Writes 30 and 15 series of two channels and 5 to 9 steps, three classes, one value missing."""
        rng = np.random.default_rng(0)
        for part, size in (("TRAIN", 30), ("TEST", 15)):
            lines = ["# a toy", "@problemName toy", "@timeStamps false", "@missing true", "@univariate false"]
            lines += ["@dimensions 2", "@equalLength false", "@classLabel true a b c", "@data"]
            for case in range(size):
                values = rng.normal(size=(2, 5 + case % 5)).round(4).astype(str)
                if case == 0:
                    values[1, 2] = "?"
                lines.append(":".join([*(",".join(channel) for channel in values), "abc"[case % 3]]))
            (folder / f"toy_{part}.ts").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return cls(folder=str(folder), name="toy")


def _padded(file: TsFile, steps: int | None = None) -> Part:
    x = np.full((len(file.series), steps or file.steps, file.channels), np.nan, np.float32)
    for row, series in zip(x, file.series, strict=True):
        row[: len(series)] = series
    return Part(x, file.targets)
