"""Which places of a picture speak for the winner's answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from automl.model import gradient, saved
from automl.results.plots import Searched, WinnerPlot, caption, example, grid, over

if TYPE_CHECKING:
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    from automl.results.winner import Winner

COLUMNS = 4
"""So many examples that are told right, and so many of the worst mistakes."""


class GradCam(WinnerPlot):
    """Colours are what the last convolutions saw that speaks for the answer."""

    title: ClassVar[str] = "What speaks for the answer"
    reads: ClassVar[str] = (
        "Grad-CAM of some examples that are told right, then of the worst mistakes, each with what it is and what the "
        "model says. Red is what speaks for the told class, or for a larger number, in the last maps that the "
        "convolutions give, before they are pooled; it is as coarse as these are. Red on a mistake shows what misled "
        "the model. In a picture without colours nothing speaks for the answer: all speaks against it, if less than "
        "against the others. Validation part."
    )
    place: ClassVar[int] = 155
    tasks: ClassVar[tuple[str, ...]] = ("classification", "regression")

    def show(self, winner: Winner, searched: Searched) -> Figure | None:
        """Returns a grid of pictures; None where the input is none, or no convolution gives a map of several places."""
        del searched
        images = [each.name for each in winner.data.inputs if each.kind == "image"]
        layer = last_maps(winner.model) if len(images) == 1 else None
        if layer is None:
            return None
        chosen = _chosen(winner)
        x = winner.examples(chosen)
        labels = winner.told[chosen] if winner.task == "classification" else np.zeros(len(chosen), int)
        colours = _colours()
        made, every = grid(len(chosen), COLUMNS, 2.4)
        for axes, picture, heat, number in zip(
            every, x[images[0]], heats(winner.model, layer, x, labels), chosen, strict=True
        ):
            example(axes, {images[0]: picture})
            over(axes, heat, cmap=colours, vmin=0, vmax=float(heat.max()) or 1.0, interpolation="bilinear")
            axes.set_title(caption(winner, number), fontsize=8)
        return made


def last_maps(model: Any) -> Any:
    """Returns the layer that gives the last maps that convolutions make of a picture; None where there is none.

    It is the last one whose maps are as large as those of the last convolution, so that normalisation, activation and
    shortcut behind that are part of them. Convolutions of a single place, as in squeeze-and-excite, are none.

    Args:
        model: A Keras model, whose layers may be models themselves.
    """
    import keras

    kinds = keras.layers
    convolutions = (kinds.Conv2D, kinds.DepthwiseConv2D, kinds.SeparableConv2D, kinds.Conv2DTranspose)
    layers = [(layer, sides) for layer in _flat(model) if (sides := _sides(layer)) is not None]
    places = [place for place, (layer, _) in enumerate(layers) if isinstance(layer, convolutions)]
    if not places:
        return None
    behind = layers[places[-1] :]
    return [layer for layer, sides in behind if sides == behind[0][1]][-1]


def heats(model: Any, layer: Any, x: Mapping[str, np.ndarray], labels: np.ndarray) -> np.ndarray:
    """Returns the maps of a layer, weighted by the mean gradient of a score, where they speak for it.

    The score is what the model gives, before the softmax where it ends in one.

    Args:
        model: A Keras model.
        layer: One of its layers, which gives `(batch, rows, columns, channels)`.
        x: Examples by the names of the inputs.
        labels: Which of its numbers is the score of each example, `(batch,) int`.

    Output: `(batch, rows, columns) float32`, from 0.

    Source: Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391, equations 1 and 2.
    """
    from keras import ops

    given, call, head = saved.taken(x), layer.call, model.layers[-1]
    plain = {"activation": lambda each: each} if hasattr(head, "activation") else {}
    chosen = ops.convert_to_tensor(np.eye(model.output.shape[-1], dtype="float32")[labels])

    def score(more: Any, weights: Any) -> tuple[Any, Any]:
        seen: list[Any] = []

        def raised(*args: Any, **named: Any) -> Any:
            seen.append(call(*args, **named) + more)
            return seen[-1]

        with _changed(layer, call=raised), _changed(head, **plain):
            outputs, _ = model.stateless_call(*weights, given, training=False)
        return ops.sum(ops.cast(outputs, "float32") * chosen), ops.cast(seen[-1], "float32")

    nothing = ops.zeros((len(labels), *layer.output.shape[1:]), layer.output.dtype)
    weights = [[each.value for each in kind] for kind in (model.trainable_variables, model.non_trainable_variables)]
    slopes, maps = gradient.of(score, nothing, weights)
    found: np.ndarray = np.maximum((maps * slopes.mean(axis=(1, 2), keepdims=True)).sum(axis=-1), 0)
    return found


def _colours() -> ListedColormap:
    """Returns colours of which the picture is the more covered the more there is to show."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    steps = np.linspace(0, 1, 256)
    found = colormaps["jet"](steps)
    found[:, 3] = 0.7 * steps**0.5
    return ListedColormap(found)


def _chosen(winner: Winner) -> np.ndarray:
    """Returns the places of the examples that are told best, of classes one each, and of those that are told worst."""
    best, worst = (np.argsort(loss, kind="stable")[:COLUMNS] for loss in (winner.loss, -winner.loss))
    if winner.task == "classification":
        right = np.flatnonzero(winner.told == winner.truth)
        best = right[np.sort(np.unique(winner.truth[right], return_index=True)[1])[:COLUMNS]]
        worst = worst[winner.told[worst] != winner.truth[worst]]
    return np.concatenate([best, worst])


def _flat(model: Any) -> Iterator[Any]:
    """Yields the layers of a model in order, and those of the models among them."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _flat(layer)
        yield layer


def _sides(layer: Any) -> tuple[int, int] | None:
    """Returns rows and columns of what a layer gives; None where that is no map, or has one place."""
    shape: tuple[Any, ...] = getattr(getattr(layer, "output", None), "shape", ())
    return (shape[1], shape[2]) if len(shape) == 4 and None not in shape[1:] and shape[1] * shape[2] > 1 else None


@contextmanager
def _changed(layer: Any, **values: Any) -> Iterator[None]:
    """Gives a layer other attributes, and then its own again."""
    own = {name: vars(layer)[name] for name in values if name in vars(layer)}
    for name, value in values.items():
        setattr(layer, name, value)
    try:
        yield
    finally:
        for name in values:
            delattr(layer, name)
        for name, value in own.items():
            setattr(layer, name, value)
