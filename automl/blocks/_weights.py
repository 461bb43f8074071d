"""What the blocks with a kernel share: how its weights begin, what large ones cost, and what they are held to."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from automl.blocks import Block, OnlyWith


class Weighted(Block):
    """A block with a kernel.

    The penalties are part of the loss that is trained and shown; `val_loss`, `test_loss` and the other metrics know
    nothing of them, so that models with different ones compare.

    Source: Glorot & Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html, equation 16; He et al. 2015,
    https://arxiv.org/abs/1502.01852, equation 10; Saxe et al. 2013, https://arxiv.org/abs/1312.6120 (orthogonal);
    Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html, section 5.1 (max_norm).
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

    kernel_constraint: Literal["none", "max_norm", "non_neg", "unit_norm"] = Field(
        "none",
        description="What the kernel is held to after every step, by Keras's names: for each output a norm of "
        "`max_norm` at most, or of 1, or no weight below 0.",
    )
    max_norm: Annotated[float, OnlyWith("kernel_constraint", ("max_norm",))] = Field(
        2.0, gt=0.0, allow_inf_nan=False, description="Largest norm of the weights that lead to one output."
    )

    def weights(self) -> dict[str, Any]:
        """Returns these fields, for the blocks that a block is made of."""
        return self.model_dump(include=set(Weighted.model_fields) - set(Block.model_fields))

    def kernel_arguments(self, axes: int = 1) -> dict[str, Any]:
        """Returns what these fields mean to a Keras layer.

        Args:
            axes: How many axes of the kernel, from the first on, lead to one output: those a norm is taken over.
        """
        import keras

        over = tuple(range(axes))
        constraint = {
            "none": None,
            "max_norm": keras.constraints.MaxNorm(self.max_norm, axis=over),
            "non_neg": keras.constraints.NonNeg(),
            "unit_norm": keras.constraints.UnitNorm(axis=over),
        }[self.kernel_constraint]
        penalty = keras.regularizers.L1L2(self.l1, self.l2) if self.l1 or self.l2 else None
        return {
            "kernel_initializer": self.kernel_initializer,
            "kernel_regularizer": penalty,
            "kernel_constraint": constraint,
        }
