"""Rows of a table: numbers and categories, missing ones among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from automl.errors import DataError, shorten
from automl.flow import Flow, Shape
from automl.inputs import Input, Rows, there
from automl.records import float32
from automl.records.data import EXAMPLES, InputSpec, Splits, Tree
from automl.training.augmentation import Augmentation

if TYPE_CHECKING:
    import numpy as np

NUMBERS, WORDS = "numbers", "words"
"""What is stored: all columns of numbers side by side, and all columns of categories, as their places in a list."""

ROWS = 100_000
"""Rows that are looked at at a time."""

PLAIN_CATEGORIES = 200
"""Categories of a column that a linear model is shown at most."""

SAMPLE = 10_000
"""Rows of a piece that are looked at to see whether float32 tells its numbers apart."""


class Table(Input):
    """Columns of numbers and of categories. Text is a category, numbers are numbers unless `categories` names them.

    Numbers are scaled; a missing one becomes the mean, and a column in which some are missing in the training part is
    followed by one that says where. A category that the training part does not have, or has too rarely to be among its
    `most_categories`, is one and the same unknown one; an empty cell is a category like any other. The model begins
    with an `entity_embedding` of the categories, or, before any other block, with a column of 0 and 1 for each.

    Input:
        Columns of numbers `(examples,)` or `(examples, columns)`, NaN where they are missing, and of text.

    Output:
        `(batch, numbers + columns of missing ones + categories) float32`: numbers scaled, categories as whole numbers
        from 0, the unknown one.

    Source: Guo and Berkhahn 2016, https://arxiv.org/abs/1604.06737 (categories as numbers that an embedding reads)
    """

    stores_numbers: ClassVar[bool] = False

    columns: tuple[str, ...] | None = Field(None, description="Columns in order; null: all that nothing else names")
    categories: tuple[str, ...] = Field(
        (), description="Columns of numbers that only name something, as a month or a postcode"
    )
    scale: Literal["standardize", "unit", "none"] = Field(
        "standardize",
        description="Mean 0 and deviation 1 per column (standardize), range 0 to 1 (unit), or as they are (none).",
    )
    most_categories: int = Field(
        1000, ge=1, le=100_000, description="Categories kept of a column, the most frequent; the others are unknown"
    )

    def reads(self, splits: Splits) -> tuple[str, ...]:
        """Returns the columns named, or all that are no target, group or order."""
        wanted = tuple(there(column, splits) for column in self.columns or splits.features)
        if stray := [name for name in self.categories if name not in wanted]:
            raise DataError(f"table: `categories` names {stray[0]!r}, which is none of {shorten(list(wanted), 300)}")
        return wanted

    def scan(self, pieces: Iterator[Tree]) -> dict[str, Any]:
        """Finds which columns hold categories, and all of these."""
        import numpy as np

        numbers: dict[str, int] = {}
        words: dict[str, set[str]] = {}
        for piece in pieces:
            if not numbers and not words:
                names = {name for name, column in piece.items() if name in self.categories or _is_text(column)}
                for name in names:
                    _width(name, piece[name], most=1)
                words = {name: set() for name in piece if name in names}
                numbers = {name: _width(name, column) for name, column in piece.items() if name not in names}
            if not words:  # numbers need no second look
                break
            for name, known in words.items():
                known.update(np.unique(_text(piece[name])).tolist())
        return {NUMBERS: numbers, WORDS: {name: sorted(known) for name, known in words.items()}}

    def check(self, piece: Tree, scanned: Mapping[str, Any], first: int = 0) -> Tree:
        """Returns the numbers side by side, float32, and the categories as places in their lists, uint32."""
        import numpy as np

        size = len(next(iter(piece.values())))
        found: dict[str, np.ndarray] = {}
        if scanned[NUMBERS]:
            columns = [_numbers(name, piece[name], first) for name in scanned[NUMBERS]]
            found[f"{self.name()}_{NUMBERS}"] = np.concatenate(columns, axis=1)
        if scanned[WORDS]:
            codes = np.empty((size, len(scanned[WORDS])), np.uint32)
            for place, (name, known) in enumerate(scanned[WORDS].items()):
                codes[:, place] = np.searchsorted(np.asarray(known), _text(piece[name]))
            found[f"{self.name()}_{WORDS}"] = codes
        return found

    def fit(self, columns: Mapping[str, Rows], scanned: Mapping[str, Any]) -> dict[str, Any]:
        """Learns mean, deviation and range of the numbers, where some are missing, and which categories there are."""
        state: dict[str, Any] = {"scale": self.scale, NUMBERS: list(_named(scanned[NUMBERS]))}
        if scanned[NUMBERS]:
            state |= self._learned(columns[f"{self.name()}_{NUMBERS}"])
        state[WORDS] = {}
        if scanned[WORDS]:
            counts = _counts(columns[f"{self.name()}_{WORDS}"], [len(known) for known in scanned[WORDS].values()])
            for count, (name, known) in zip(counts, scanned[WORDS].items(), strict=True):
                # The most frequent first, of equals the first in the list; kept in the order of the list.
                kept = sorted(sorted(count.nonzero()[0], key=lambda place: -count[place])[: self.most_categories])
                state[WORDS][name] = {"of": len(known), "kept": [int(place) for place in kept]}
                state[WORDS][name]["names"] = [known[place] for place in kept]
        return state

    def _learned(self, x: Rows) -> dict[str, Any]:
        import numpy as np

        from automl.inputs._moments import moments

        found = moments(x)
        ranges = [high - low or 1.0 for low, high in zip(found.low, found.high, strict=True)]
        width = {"standardize": found.deviation, "unit": ranges, "none": [1.0] * len(ranges)}[self.scale]
        offset = {"standardize": found.mean, "unit": found.low, "none": [0.0] * len(ranges)}[self.scale]
        missing = np.zeros(len(ranges), bool)
        for start in range(0, len(x), ROWS):
            missing |= np.isnan(x[start : start + ROWS]).any(axis=0)
        return {"mean": found.mean, "offset": offset, "width": width, "missing": np.flatnonzero(missing).tolist()}

    def shape(self, columns: Mapping[str, Rows]) -> tuple[int, ...]:
        """Returns how many numbers and categories there are."""
        return (sum(column.shape[1] for column in columns.values()),)

    def encode(self, batch: Tree, spec: InputSpec) -> np.ndarray:
        """Returns the numbers, and the categories as whole numbers from 0, the unknown one."""
        import numpy as np

        parts = [values for name, values in batch.items() if name.endswith(NUMBERS)]
        for place, known in enumerate(spec.state[WORDS].values()):
            lookup = np.zeros(known["of"], np.float32)
            lookup[known["kept"]] = np.arange(1, len(known["kept"]) + 1)
            parts.append(lookup[batch[f"{self.name()}_{WORDS}"][:, place]][:, np.newaxis])
        return np.concatenate(parts, axis=1).astype(np.float32)

    def fresh(self, piece: Tree, spec: InputSpec, first: int = 0) -> np.ndarray:
        """Returns the numbers, and the categories as whole numbers; one that the set does not have is the unknown."""
        import numpy as np

        parts = []
        for name in (name for name in spec.reads if name not in spec.state[WORDS]):
            if _is_text(piece[name]):
                received = f"{shorten(str(piece[name][0]))} in row {first + 1}"
                raise DataError(f"table: column {name!r} holds no numbers, as the set's does; received {received}")
            parts.append(_numbers(name, piece[name], first))
        for name, known in spec.state[WORDS].items():
            names = np.asarray(known["names"])
            text = _text(piece[name])
            places = np.searchsorted(names, text).clip(max=len(names) - 1)
            parts.append(np.where(names[places] == text, places + 1, 0).astype(np.float32)[:, np.newaxis])
        return np.concatenate(parts, axis=1).astype(np.float32)

    @staticmethod
    def encoded(columns: Mapping[str, Any], told: Mapping[str, Any]) -> np.ndarray:
        """Does the same where this package is not; see `Input.encoded`."""
        import numpy as np

        words, parts = told["state"]["words"], []
        for name in (name for name in told["columns"] if name not in words):
            x = np.asarray(columns[name], dtype=np.float32)
            parts.append(x.reshape(len(x), -1))
        for name, known in words.items():
            place = {word: number for number, word in enumerate(known["names"], 1)}
            given = columns[name]
            cells = [each if isinstance(each, str) else "" if np.isnan(each) else f"{each:.15g}" for each in given]
            parts.append(np.array([[place.get(cell, 0)] for cell in cells], dtype=np.float32))
        return np.concatenate(parts, axis=1)

    def plain(self, x: np.ndarray, spec: InputSpec) -> np.ndarray:
        """Returns the numbers, what is missing of them, and a column of 0 and 1 for each category."""
        import numpy as np

        sizes = _sizes(spec.state)
        count = x.shape[1] - len(sizes)
        parts = [x[:, :count], np.isnan(x[:, list(spec.state.get("missing", ()))])]
        for place, size in enumerate(sizes, start=count):
            if size <= PLAIN_CATEGORIES:
                parts.append(x[:, place : place + 1] == np.arange(1, size))
        return np.concatenate(parts, axis=1).astype(np.float32)

    def flow(self, spec: InputSpec) -> Shape:
        """Returns how many numbers come out of the stem, those that say what is missing among them."""
        sizes = _sizes(spec.state)
        return Shape("table", (spec.shape[0] + len(spec.state.get("missing", ())),), categories=sizes)

    def stem(self, spec: InputSpec, augmentation: Augmentation | None = None) -> tuple[Any, Flow]:
        """Builds the entrance: raw numbers and places of categories in, scaled numbers out."""
        import keras
        from keras import ops

        del augmentation
        state, sizes = spec.state, _sizes(spec.state)
        entrance = keras.Input(spec.shape, dtype="float32", name=spec.name)
        count = spec.shape[0] - len(sizes)
        parts = []
        if count:
            raw = entrance[:, :count]
            # Measured from the mean first, so that 0 stands for a missing value, and then moved to where `scale` wants.
            variance = [width**2 for width in state["width"]]
            x = keras.layers.Normalization(mean=state["mean"], variance=variance, name=spec.label("scale"))(raw)
            x = ops.where(ops.isnan(x), 0.0, x)
            if state["scale"] != "standardize":
                told = zip(state["mean"], state["offset"], state["width"], strict=True)
                back = [(offset - mean) / width for mean, offset, width in told]
                x = keras.layers.Normalization(mean=back, variance=[1.0] * count, name=spec.label("shift"))(x)
            parts = [x, *(ops.cast(ops.isnan(raw[:, at : at + 1]), "float32") for at in state["missing"])]
        if sizes:
            parts.append(entrance[:, count:])
        x = parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)
        return entrance, Flow(x, "table", categories=sizes)

    def toy(self, latent: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Makes three columns of numbers, of which one shows the hidden number and one has gaps."""
        import numpy as np

        x = rng.normal(0, 1, size=(len(latent), 3))
        x[:, 0] = 10 * latent + rng.normal(0, 0.1, len(latent))
        x[rng.random(len(latent)) < 0.1, 2] = np.nan
        return {EXAMPLES: x}


def _is_text(column: np.ndarray) -> bool:
    return column.dtype.kind not in "biuf"


def _width(name: str, column: np.ndarray, most: int = 2) -> int:
    if column.ndim > most or 0 in column.shape:
        received = f"shape {column.shape}"
        raise DataError(f"table: column {name!r} is no column. Expected a number or a word per example; {received}")
    return 1 if column.ndim == 1 else column.shape[1]


def _named(numbers: Mapping[str, int]) -> Iterator[str]:
    """Yields the names of single columns of numbers."""
    for name, width in numbers.items():
        yield from [name] if width == 1 else [f"{name}_{place}" for place in range(width)]


def _text(column: np.ndarray) -> np.ndarray:
    import numpy as np

    if _is_text(column):
        return column.astype(str)
    return np.array(["" if np.isnan(value) else f"{value:.15g}" for value in column.astype(np.float64)])


def _numbers(name: str, column: np.ndarray, first: int) -> np.ndarray:
    import numpy as np

    with np.errstate(over="ignore"):
        values: np.ndarray = column.astype(np.float32).reshape(len(column), -1)
    infinite = np.isinf(values).any(axis=1)
    if infinite.any():
        row = first + int(infinite.argmax()) + 1
        raise DataError(f"table: column {name!r} holds an infinite number, or one beyond float32, in row {row}")
    if column.dtype.itemsize >= 4 and column.dtype != np.float32:
        told = float32.blurred(column[:SAMPLE].astype(np.float64).reshape(len(column[:SAMPLE]), -1))
        for one, other in told.values():
            raise DataError(
                f"table: numbers of column {name!r} that differ are one number in float32. Expected numbers that it "
                f"tells apart; received {one!r} and {other!r}. Take {np.floor(one):.0f} off them with the field "
                "`offset` of the source, and off what the model is given; or leave the column out"
            )
    return values


def _counts(codes: Rows, sizes: list[int]) -> list[np.ndarray]:
    """Returns how often each category of each column stands in rows."""
    import numpy as np

    found = [np.zeros(size, np.int64) for size in sizes]
    for start in range(0, len(codes), ROWS):
        piece = codes[start : start + ROWS]
        for place, count in enumerate(found):
            count += np.bincount(piece[:, place], minlength=len(count))
    return found


def _sizes(state: Mapping[str, Any]) -> tuple[int, ...]:
    """Returns how many values each column of categories may have, the unknown one among them."""
    return tuple(len(known["kept"]) + 1 for known in state[WORDS].values())
