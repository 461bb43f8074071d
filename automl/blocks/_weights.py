"""What the blocks with a kernel share: how its weights begin, and what large ones cost."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from automl.blocks import Block


class Weighted(Block):
    """A block with a kernel.

    The penalties are part of the loss that is trained and shown, of `val_loss` too; other metrics know nothing of them.

    Source: Glorot & Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html, equation 16; He et al. 2015,
    https://arxiv.org/abs/1502.01852, equation 10; Saxe et al. 2013, https://arxiv.org/abs/1312.6120 (orthogonal).
    """

    kernel_initializer: Literal[
        "glorot_uniform",
        "glorot_normal",
        "he_uniform",
        "he_normal",
        "lecun_uniform",
        "lecun_normal",
        "orthogonal",
        "random_normal",
        "random_uniform",
        "truncated_normal",
    ] = Field("glorot_uniform", description="How the kernel's first weights are drawn, by Keras's names.")
    l1: float = Field(
        0.0,
        ge=0.0,
        allow_inf_nan=False,
        description="Added to the loss for each kernel weight, times its size; 0: none.",
    )
    l2: float = Field(
        0.0,
        ge=0.0,
        allow_inf_nan=False,
        description="Added to the loss for each kernel weight, times its square; 0: none.",
    )

    def weights(self) -> dict[str, Any]:
        """Returns these fields, for the blocks that a block is made of."""
        return self.model_dump(include=set(Weighted.model_fields) - set(Block.model_fields))

    def kernel_arguments(self) -> dict[str, Any]:
        """Returns what these fields mean to a Keras layer."""
        import keras

        penalty = keras.regularizers.L1L2(self.l1, self.l2) if self.l1 or self.l2 else None
        return {"kernel_initializer": self.kernel_initializer, "kernel_regularizer": penalty}
