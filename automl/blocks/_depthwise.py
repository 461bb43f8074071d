"""Depthwise convolution: a kernel for each channel by itself."""

from __future__ import annotations

from typing import Any

from automl.blocks.conv import Conv


class Depthwise(Conv):
    """A convolution that mixes no channels; `filters` is a multiple of those that come in.

    Source: Sifre 2014, https://www.di.ens.fr/data/publications/papers/phd_sifre.pdf, section 6.2.
    """

    multiplier: int = 1

    def _layer(self, kernel: tuple[int, ...], **arguments: Any) -> Any:
        import keras

        layer = {1: keras.layers.DepthwiseConv1D, 2: keras.layers.DepthwiseConv2D}[len(kernel)]
        # Its kernel's last two axes are the channels and the outputs of each.
        own = {key.replace("kernel", "depthwise"): value for key, value in self.kernel_arguments(len(kernel)).items()}
        return layer(kernel, depth_multiplier=self.multiplier, **arguments, **own)
