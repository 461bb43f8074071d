"""A trial's model, read back from its file: which may be gone, damaged, another's, or no model at all."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import SearchError, cut, is_out_of_memory, refused
from automl.machine import keras_backend

if TYPE_CHECKING:
    import keras

_MOST_PACKED = 100
"""Times that what a file holds may be larger than the file: Keras packs nothing, a bomb grows a thousandfold."""

Shapes = Mapping[str, Sequence[int]]

_HINT = "Run the search again, or put the file back from a copy"


def load(
    path: Path, log: Path | None = None, shapes: Shapes | None = None, parameters: int | None = None
) -> keras.Model:
    """Returns the model in a file, not compiled. Runs no code of the file's.

    Args:
        path: The file.
        log: Takes what the backend prints; None for nowhere.
        shapes: Of an example, by input, where they are known; a side that the model leaves open may be any.
        parameters: Number of weights that the trial reported, where it is known.

    Raises:
        SearchError: It cannot be read, in a line that says why, or is not the trial's.
    """
    _require_file(path)
    keras_backend.import_keras(log)
    import keras

    try:
        with keras_backend.quietly(log):
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever a file that anybody may have written makes of Keras
        reason = f"{type(error).__name__}: {str(error).strip() or 'no reason given'}".splitlines()[0]
        if is_out_of_memory(error):
            what = "needs more memory than there is to be read as a model"
            raise SearchError(f"{path}: {what}. It may be another than the trial's. {_HINT}.") from error
        if (told := refused(error)) is not None:
            raise SearchError(f"{path}: {told}") from error
        raise SearchError(f"{path}: cannot be read as a model ({cut(reason)}). {_HINT}.") from error
    _require_own(path, model, shapes, parameters)
    return model


def taken(x: Mapping[str, Any]) -> Any:
    """Returns examples as a Keras model takes them: by name, those of a single input without one."""
    return dict(x) if len(x) > 1 else next(iter(x.values()))


def _require_file(path: Path) -> None:
    """Refuses what is no file of Keras's format, before anything waits for it or unpacks it.

    Raises:
        SearchError: It is none.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if (told := refused(error)) is not None:
            raise SearchError(told) from error
        raise SearchError(f"{path}: the best trial's model is gone. Run the search again.") from error
    if not stat.S_ISREG(mode):
        raise SearchError(f"{path}: the best trial's model is no regular file. {_HINT}.")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except OSError as error:
        raise SearchError(refused(error) or f"{path}: cannot be read ({error}). {_HINT}.") from error
    except Exception as error:  # zipfile itself stumbles over what is hostile enough
        what = "it is empty" if not path.stat().st_size else "it is damaged, or of another format"
        raise SearchError(f"{path}: cannot be read as a model: {what}. {_HINT}.") from error
    if size > _MOST_PACKED * path.stat().st_size:
        what = f"what is packed in it would take {size / 1e6:,.0f} MB"
        raise SearchError(f"{path}: cannot be read as a model: {what}, and Keras packs nothing. {_HINT}.")


def _require_own(path: Path, model: Any, shapes: Shapes | None, parameters: int | None) -> None:
    """Refuses a model that is not the one that the trial trained, as far as it shows.

    Raises:
        SearchError: It is another.
    """
    import keras

    if not isinstance(model, keras.Model):
        raise SearchError(f"{path}: holds no model but a {type(model).__name__}. {_HINT}.")
    expected, received = [], []
    # Not `input_shape`: of several inputs it is a list that has lost their names.
    sides = {each.name: tuple(each.shape[1:]) for each in getattr(model, "inputs", None) or ()}
    if shapes is not None and not _agree(sides, shapes):
        expected.append(f"examples of {_listed(shapes)}")
        received.append(f"examples of {_listed(sides)}" if sides else "inputs of another kind")
    count = model.count_params() if model.built else 0
    if parameters is not None and count != parameters:
        expected.append(f"{parameters:,} weights")
        received.append(f"{count:,} weights")
    if expected:
        facts = f"Expected {' and '.join(expected)}; received {' and '.join(received)}"
        raise SearchError(f"{path}: the model is not the one that was trained. {facts}. {_HINT}.")


def _agree(sides: Mapping[str, Sequence[int | None]], shapes: Shapes) -> bool:
    if len(sides) == len(shapes) == 1:  # a single input needs no name
        return _fit(next(iter(sides.values())), next(iter(shapes.values())))
    return sides.keys() == shapes.keys() and all(_fit(sides[name], shape) for name, shape in shapes.items())


def _fit(sides: Sequence[int | None], shape: Sequence[int]) -> bool:
    return len(sides) == len(shape) and all(own in (None, side) for own, side in zip(sides, shape, strict=True))


def _listed(shapes: Mapping[str, Sequence[int | None]]) -> str:
    return " and ".join(map(_by, shapes.values()))


def _by(shape: Sequence[int | None]) -> str:
    return "x".join("any" if side is None else str(side) for side in shape) or "single numbers"
