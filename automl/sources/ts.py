"""The `.ts` files of the UCR/UEA time series archive, as aeon and sktime read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import Field

from automl.machine import files
from automl.records.data import Part, Splits
from automl.sources import Source, _layout
from automl.sources._places import fault, find
from automl.sources._tables import splits
from automl.sources._ts_file import TsFile, read_ts


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
            return splits(self._part(read_ts(alone), alone))
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
        return splits(self._part(first, train, steps), test=self._part(second, test, steps))

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
