"""The small sets that come with scikit-learn: nothing to download, ready to try things out."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from automl.records.data import Part, Splits
from automl.sources import Source
from automl.sources._arrays import named
from automl.sources._tables import splits


class Sklearn(Source):
    """A set bundled with scikit-learn.

    `digits` comes as images `(1797, 8, 8, 1)` float32 from 0 to 16, the others as rows of features `(n, features)`
    float32. Targets are class names; no set brings its own split.

    Source: https://scikit-learn.org/stable/datasets/toy_dataset.html
    """

    name: Literal["breast_cancer", "digits", "iris", "wine"] = Field(description="Which bundled set")

    def open(self, root: Path | None) -> Splits:  # noqa: ARG002 (bundled: nothing is looked for)
        """Reads the set from the installed scikit-learn."""
        from sklearn import datasets

        bunch = getattr(datasets, f"load_{self.name}")()
        x = bunch.images[..., np.newaxis] if self.name == "digits" else bunch.data
        classes = [str(name) for name in bunch.target_names]
        return splits(Part(x.astype(np.float32), named(bunch.target, classes, f"sklearn {self.name}")))

    @classmethod
    def toy(cls, folder: Path) -> Sklearn:  # noqa: ARG003 (bundled: nothing is written)
        """Returns the smallest set, iris."""
        return cls(name="iris")
