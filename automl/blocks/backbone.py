"""A network of keras.applications without its classifier: what transfer learning stands on."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from automl.blocks import Block, OnlyWith, Sides
from automl.blocks._applications import WIDE, Family, Weights, least, load, network, preprocessed
from automl.blocks.pool import per_axis
from automl.errors import Infeasible
from automl.flow import Flow, Kind, Pixels, Shape, Unknown

FEATURES = "features"
"""Part name of the layer whose output is what the network makes of an image: all behind it is the new head."""


class Backbone(Block):
    """A network of `keras.applications`, pretrained or not, that reads pixels and gives features.

    It stands first, because it brings its own scaling of the pixels. Grey images are read as three equal colours. What
    of it is trained, and when, is said by `training.phases`.

    Input:
        `(batch, height, width, 1 or 3) float32`, the pixels as the data set holds them.

    Output:
        `(batch, rows, columns, channels) float32`, or with `pooling` `(batch, channels) float32`.

    Source: https://keras.io/api/applications; inference mode as in https://keras.io/guides/transfer_learning.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("feature_map",)
    yields: ClassVar[tuple[Kind, ...]] = ("feature_map", "vector")

    family: Family = Field("MobileNetV2", description="Network, by its name in keras.applications.")
    weights: str | None = Field(
        "imagenet",
        min_length=1,
        description="imagenet (Keras downloads them once), a file that Keras wrote of the same family without its "
        "classifier, or null: random ones.",
    )
    alpha: Annotated[float | None, OnlyWith("family", WIDE)] = Field(
        None, gt=0.0, le=4.0, description="Width of a MobileNet, as a share of its channels; null: Keras's default."
    )
    size: Sides | None = Field(
        None, description="Height and width that images are scaled to before; null: as they are."
    )
    pooling: Literal["none", "avg", "max"] = Field(
        "none", description="Mean or maximum over all places of the features; none: a feature map."
    )
    dropout: float = Field(0.0, ge=0.0, lt=1.0, description="Share of the features dropped in training.")
    batch_norm: Literal["inference", "training"] | None = Field(
        None,
        description="Batch normalisation as it is, by its running mean and variance (inference), which switches the "
        "network's dropout off too; or learning, by each batch, where it is unfrozen (training); null: inference with "
        "pretrained weights, training with random ones.",
    )

    def gives(self) -> tuple[Kind, ...]:
        """Returns a vector when it pools, else a feature map."""
        return ("feature_map",) if self.pooling == "none" else ("vector",)

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:  # noqa: ARG002 - pooling alone says what it gives
        """Adds the network to images."""
        import keras

        self._require_size(tuple(flow.x.shape[1:-1]))
        x = self._colours(self._pixels(flow))
        if self.size is not None:
            x = keras.layers.Resizing(*per_axis(self.size, "size", 2), name=self.label("resize"))(x)
        base = network(self.family, self.width, tuple(x.shape[1:]), name=self.label())
        if (weights := self.pretrained()) is not None:
            base.set_weights(weights.values)
        layers = keras.layers
        if not self.trains_batch_norm:
            for layer in base.layers:
                if isinstance(layer, layers.Dropout):
                    layer.rate = 0.0
        x = base(preprocessed(self.family, x))
        ends = {"none": layers.Identity, "avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}
        x = ends[self.pooling](name=self.label(FEATURES))(x)
        if self.dropout:
            x = layers.Dropout(self.dropout, name=self.label("dropout"))(x)
        return Flow(x, self.gives()[0])

    def shape(self, shape: Shape, wanted: Kind) -> Shape:  # noqa: ARG002 - pooling alone says what it gives
        """Checks the size; what the network makes of it is known to Keras alone."""
        self._require_size(shape.spatial)
        raise Unknown(self.family)

    @property
    def width(self) -> float | None:
        """The `alpha` that the family has."""
        return self.alpha if self.family in WIDE else None

    @property
    def trains_batch_norm(self) -> bool:
        """Whether batch normalisation follows the batches where it is unfrozen."""
        return (self.batch_norm or ("training" if self.weights is None else "inference")) == "training"

    def pretrained(self) -> Weights | None:
        """Returns the pretrained weights; None for random ones.

        Raises:
            ConfigError: They are not there, cannot be read, or are another network's.
        """
        return None if self.weights is None else load(self.family, self.weights, self.width)

    def _require_size(self, spatial: tuple[int, ...]) -> None:
        if len(spatial) != 2:
            raise Infeasible("a backbone reads images. Expected height, width and channels")
        sides, low = spatial if self.size is None else per_axis(self.size, "size", 2), least(self.family)
        if min(sides) < low:
            raise Infeasible(
                f"{self.family} reads images of {low}x{low} pixels at least; received {'x'.join(map(str, sides))}. "
                f"Set size: {low} or more, which scales them up"
            )

    def _pixels(self, flow: Flow) -> Any:
        """Returns the pixels from 0 to 255, which every family's own scaling begins with."""
        import keras

        if flow.pixels is None:
            if self.weights is not None:
                raise Infeasible("a pretrained backbone reads pixels. Put it first")
            return flow.x
        pixels: Pixels = flow.pixels
        if (pixels.low, pixels.high) == (0.0, 255.0):
            return pixels.x
        scale = 255.0 / ((pixels.high - pixels.low) or 1.0)
        return keras.layers.Rescaling(scale, offset=-pixels.low * scale, name=self.label("rescale"))(pixels.x)

    def _colours(self, x: Any) -> Any:
        import keras

        if x.shape[-1] == 3:
            return x
        if x.shape[-1] != 1:
            raise Infeasible(f"a backbone reads images of 1 or 3 channels; received {x.shape[-1]}")
        return keras.layers.Concatenate(name=self.label("colours"))([x, x, x])
