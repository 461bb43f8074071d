"""Arrays whose targets nobody knows yet: `.npy` and `.npz` files to be predicted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from automl.records.data import EXAMPLES, Splits
from automl.sources._places import fault
from automl.sources._tables import Arrays

PREDICT = "predict"
"""The part that files without targets are."""


def arrays(paths: Sequence[Path], laid: Callable[[np.ndarray, Path], np.ndarray], name: str = EXAMPLES) -> Splits:
    """Opens files of arrays, mapped rather than read where the file allows it.

    Args:
        paths: `.npy` files with examples, or `.npz` archives with columns by name.
        laid: Brings an array of examples of numbers into the layout of the set.
        name: What an archive calls its examples.

    Raises:
        DataError: One cannot be read, or they have different columns.
    """
    blocks: list[dict[str, np.ndarray]] = []
    for path in paths:
        held = _read(path)
        if name in held:
            held[EXAMPLES] = held.pop(name)
        block = {key: laid(x, path) if key == EXAMPLES else x for key, x in held.items()}
        if blocks and block.keys() != blocks[0].keys():
            expected, received = ", ".join(blocks[0]), ", ".join(block)
            raise fault(path, f"has other arrays than {paths[0]}", expected=expected, received=received)
        blocks.append(block)
    table = Arrays(*blocks)
    examples = EXAMPLES if EXAMPLES in table.columns else None
    return Splits(table, {PREDICT: np.arange(len(table))}, examples=examples, features=table.columns, targets=())


def _begins(path: Path, start: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(start)) == start


def _read(path: Path) -> dict[str, np.ndarray]:
    expected = "a .npy file of examples, or a .npz archive of columns by name"
    try:
        held = np.load(path, mmap_mode="r" if path.suffix == ".npy" else None, allow_pickle=False)
        if isinstance(held, np.ndarray):
            found = {EXAMPLES: held}
        else:
            with held:
                found = {name: held[name] for name in held.files}
    except Exception as error:  # whatever NumPy makes of a file that anybody may have written
        hint = f"It is damaged or of another format ({type(error).__name__})"
        # NumPy takes whatever it does not know for a pickle.
        if any(words in str(error) for words in ("Object arrays", "Python objects")) or _begins(path, b"\x80"):
            hint = "It may hold pickled objects, which are never loaded because they can run code"
        raise fault(path, "cannot be read as arrays", expected=expected, hint=hint) from error
    if not found:
        raise fault(path, "holds no array", expected=expected)
    # An archive of one array leaves no doubt, whatever its name.
    found = {EXAMPLES: next(iter(found.values()))} if len(found) == 1 else found
    for name, x in found.items():
        if not x.ndim:
            raise fault(path, f"{name} is a single number", expected="examples")
    return found
