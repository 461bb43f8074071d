"""The networks of keras.applications and their pretrained weights."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import random
import socket
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from automl.errors import ConfigError, Problem, cut
from automl.machine import files

if TYPE_CHECKING:
    import numpy as np

Family = Literal[
    "ConvNeXtTiny",
    "ConvNeXtSmall",
    "ConvNeXtBase",
    "ConvNeXtLarge",
    "ConvNeXtXLarge",
    "DenseNet121",
    "DenseNet169",
    "DenseNet201",
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "EfficientNetV2B0",
    "EfficientNetV2B1",
    "EfficientNetV2B2",
    "EfficientNetV2B3",
    "EfficientNetV2S",
    "EfficientNetV2M",
    "EfficientNetV2L",
    "InceptionResNetV2",
    "InceptionV3",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Small",
    "MobileNetV3Large",
    "NASNetMobile",
    "NASNetLarge",
    "ResNet50",
    "ResNet101",
    "ResNet152",
    "ResNet50V2",
    "ResNet101V2",
    "ResNet152V2",
    "VGG16",
    "VGG19",
    "Xception",
]
"""The families by Keras's names, https://keras.io/api/applications."""

WIDE = tuple(name for name in get_args(Family) if name.startswith("MobileNet"))
"""Families whose width `alpha` sets."""

LEAST = MappingProxyType({"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71})
"""Least height and width in pixels, where it is not 32."""

IMAGENET = "imagenet"

PATIENCE_S = 10.0
"""How long a server of weights may say nothing; Keras itself waits for minutes."""


class Unreachable(ConfigError):  # noqa: N818 - what they are, as the message says it
    """Weights are not on this machine and cannot be downloaded; nor would others be."""


@dataclass(frozen=True)
class Weights:
    """Pretrained weights.

    Args:
        source: Where they came from: `imagenet`, or the name of a file.
        digest: SHA-256 of their values, in hex.
        values: What `set_weights` of the network takes.
    """

    source: str
    digest: str
    values: tuple[np.ndarray, ...]


def least(family: str) -> int:
    """Returns the least height and width that a family reads, in pixels."""
    return LEAST.get(family, 32)


def network(
    family: str,
    alpha: float | None,
    shape: tuple[int, ...] | None = None,
    weights: str | None = None,
    name: str | None = None,
) -> Any:
    """Builds a family without its classifier.

    Args:
        family: Its name.
        alpha: Its width; None for Keras's default, and for families that have none.
        shape: Height, width and channels; None for any size.
        weights: As Keras has it: `imagenet`, or None for random ones.
        name: Name of the model; None for Keras's own.
    """
    import keras

    arguments = {key: value for key, value in {"alpha": alpha, "name": name}.items() if value is not None}
    with warnings.catch_warnings():
        # That the weights were trained at another size is what this is for.
        warnings.filterwarnings("ignore", "`input_shape` is undefined or non-square", UserWarning)
        return getattr(keras.applications, family)(include_top=False, weights=weights, input_shape=shape, **arguments)


def preprocessed(family: str, x: Any) -> Any:
    """Scales images from 0 to 255 as a family was trained on; some do it inside of the network."""
    import keras

    module = sys.modules[getattr(keras.applications, family).__module__]
    return module.preprocess_input(x)


@functools.lru_cache(maxsize=2)
def load(family: str, weights: str, alpha: float | None) -> Weights:
    """Reads pretrained weights; those of ImageNet with Keras's own download and cache.

    They do not depend on the size of the images, so one file serves all sizes. Only arrays are read: nothing in a file
    of weights can run.

    Args:
        family: Name of the family.
        weights: `imagenet`, or the path of an `.h5` file that Keras wrote.
        alpha: Width of the family; None for its default.

    Raises:
        Unreachable: They are not there and cannot be downloaded.
        ConfigError: There is no such file, it cannot be read, or holds another network's.
    """
    # To build a network draws from the generator that the trial's own weights are drawn from.
    drawn = random.getstate()
    try:
        read = _imagenet(family, alpha) if weights == IMAGENET else _file(family, files.expanded(weights), alpha)
    finally:
        random.setstate(drawn)
    values = tuple(read.get_weights())
    sha = hashlib.sha256()
    for value in values:
        sha.update(value.tobytes())
    return Weights(weights if weights == IMAGENET else Path(weights).name, sha.hexdigest(), values)


def _imagenet(family: str, alpha: float | None) -> Any:
    try:
        # Keras tells of a download on stdout, where results alone may stand.
        with _patience(), contextlib.redirect_stdout(sys.stderr):
            return network(family, alpha, weights=IMAGENET)
    except ValueError as error:  # a width that nobody trained
        raise _bad(family, str(error)) from error
    except Exception as error:  # what Keras raises when a download fails is a plain Exception
        what = f"its ImageNet weights are not in Keras's cache and cannot be downloaded ({error})"
        hint = "Connect to the network once, or put the file into the folder models of $KERAS_HOME (else ~/.keras)"
        raise Unreachable(_bad(family, what, hint=hint).problems) from error


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """Bounds what a connection that is opened meanwhile waits for."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _file(family: str, path: Path, alpha: float | None) -> Any:
    if problem := files.unreadable(path):
        expected, received = "imagenet, null, or an .h5 file", files.shown(path.absolute())
        what = "there is no such file of weights" if problem == files.NOTHING else f"its file of weights {problem}"
        raise _bad(family, what, expected=expected, received=received)
    read = network(family, alpha)
    try:
        with warnings.catch_warnings():
            # Keras warns of layers that it found no weights for, and goes on with random ones.
            warnings.simplefilter("error", UserWarning)
            read.load_weights(path)
    except OSError as error:
        what = f"{path} cannot be read: it is no HDF5 file, or was cut short"
        raise _bad(family, what, hint="Copy it again") from error
    except (UserWarning, ValueError, KeyError, TypeError) as error:
        said = cut(" ".join(str(error).split()))
        hint = "Name the family, and its alpha, that the file was written from; without its classifier (no_top)"
        raise _bad(family, f"{path} holds the weights of another network ({said})", hint=hint) from error
    return read


def _bad(family: str, what: str, **facts: str | None) -> ConfigError:
    return ConfigError(Problem(f"backbone {family}", what, **facts))
