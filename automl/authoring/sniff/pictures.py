"""Sniffs a folder of pictures: the size they get, and what they are seen on where they are transparent."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.sources import image_folder
from automl.sources._folders import Files, leading_out, listed
from automl.sources._pictures import read

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST = 128
"""Pixels of the longer side of images, unless the user says otherwise."""

OF_PHOTOGRAPHS = 160
"""The same of photographs for a pretrained network, which sees more in them."""

FEW = 5_000
"""Training images up to which a network of one's own learns less from photographs than a pretrained one knows."""

SAMPLE = 100
"""Images that are looked at for what is in all of them."""


def fields(folder: Path, *, photographs: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns the fields of the source `image_folder` that a set needs, of photographs or not, and why."""
    parts = listed(folder, links=True)
    found = image_folder.sizes(parts)
    given: dict[str, Any] = {}
    why: dict[str, str] = {}
    largest = OF_PHOTOGRAPHS if photographs else LARGEST
    if len(found) > 1 or max(next(iter(found))) > largest:
        # Theirs differ, or are more than a model on a CPU gets through.
        height, width = (float(np.median([size[axis] for size in found.elements()])) for axis in (0, 1))
        shrunk = min(1.0, largest / max(height, width))
        given["size"] = [max(1, round(side * shrunk)) for side in (height, width)]
        sizes = f"{len(found)} sizes" if len(found) > 1 else "one size"
        why["size"] = f"{sizes}, {height:.0f} by {width:.0f} in the middle; at most {largest}, for a CPU"
    if any(leading_out(folder, found) for found in parts.values()):
        given["links"], why["links"] = True, "what some links lead to lies elsewhere"
    seen = [read(path, _brightness) for path in _sample(parts["train"])]
    least = min((brightness for brightness in seen if brightness is not None), default=0)
    if least >= 250:
        given["background"], why["background"] = "black", "what is not transparent is white, and not seen on white"
    return given, why


def are_photographs(folder: Path) -> bool:
    """Tells whether the training images are few, of JPEG, in colour and of more than a thumbnail's size."""
    training = listed(folder, links=True)["train"]
    if len(training) > FEW:
        return False
    seen = [read(path, _is_photograph) for path in _sample(training)]
    return sum(seen) >= 0.9 * len(seen)


def _sample(pictures: Files) -> Iterator[Path]:
    return (path for path, _ in islice(pictures, 0, None, -(-len(pictures) // SAMPLE)))


def _is_photograph(image: Image) -> bool:
    if image.format not in ("JPEG", "MPO") or min(image.size) < 48:
        return False
    small = image.convert("RGB").resize((32, 32))
    *_, saturation, _ = small.convert("HSV").split()
    values = np.asarray(small)
    # Drawings and plots have few colours, scans and radiographs next to none.
    return float(np.asarray(saturation).mean()) > 16 and len(np.unique(values.reshape(-1, 3), axis=0)) > 256


def _brightness(image: Image) -> int | None:
    """Returns the least brightness of what is seen of a transparent image; None for one that is not."""
    if not image.has_transparency_data:
        return None
    pixels = np.asarray(image.convert("RGBA").convert("LA") if image.mode != "La" else image.convert("LA"))
    seen = pixels[..., 0][pixels[..., 1] >= 128]
    return int(seen.min()) if 0 < seen.size < pixels[..., 0].size else None
