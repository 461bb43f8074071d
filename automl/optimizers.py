"""Optimizers: Keras's own, with Keras's argument names and defaults as fields. They are too small for a file each."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from automl.registry import Member, Table


class Optimizer(Member):
    """What updates the weights. Fields are the arguments of the Keras class `keras_class`."""

    keras_class: ClassVar[str]

    learning_rate: float = Field(0.001, gt=0.0, le=100.0, description="Step size.")
    weight_decay: float | None = Field(
        None, ge=0.0, le=1.0, description="Decoupled weight decay: share of a weight removed per step, times the rate."
    )


class Adam(Optimizer):
    """Adam: steps scaled by running first and second moments of the gradient.

    Source: Kingma & Ba 2014, https://arxiv.org/abs/1412.6980, algorithm 1; AMSGrad https://arxiv.org/abs/1904.09237.
    """

    keras_class: ClassVar[str] = "Adam"

    beta_1: float = Field(0.9, ge=0.0, lt=1.0, description="Decay of the running mean of the gradient.")
    beta_2: float = Field(0.999, ge=0.0, lt=1.0, description="Decay of the running mean of the squared gradient.")
    epsilon: float = Field(1e-7, gt=0.0, le=1.0, description="Added to the denominator, against division by zero.")
    amsgrad: bool = Field(False, description="Use the largest second moment seen so far.")


class AdamW(Adam):
    """Adam with decoupled weight decay on by default.

    Source: Loshchilov & Hutter 2017, https://arxiv.org/abs/1711.05101, algorithm 2.
    """

    keras_class: ClassVar[str] = "AdamW"

    weight_decay: float | None = Field(
        0.004, ge=0.0, le=1.0, description="Decoupled weight decay: share of a weight removed per step, times the rate."
    )


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if asked for.

    Source: Sutskever et al. 2013, https://proceedings.mlr.press/v28/sutskever13.html, equations 1 to 4.
    """

    keras_class: ClassVar[str] = "SGD"

    learning_rate: float = Field(0.01, gt=0.0, le=100.0, description="Step size.")
    momentum: float = Field(0.0, ge=0.0, le=1.0, description="Share of the last step kept.")
    nesterov: bool = Field(False, description="Take the gradient after the momentum step.")


class RMSprop(Optimizer):
    """RMSprop: steps divided by a running root mean square of the gradient.

    Source: Hinton 2012, https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf, slide 29.
    """

    keras_class: ClassVar[str] = "RMSprop"

    rho: float = Field(0.9, ge=0.0, lt=1.0, description="Decay of the running mean of the squared gradient.")
    momentum: float = Field(0.0, ge=0.0, le=1.0, description="Share of the last step kept.")
    epsilon: float = Field(1e-7, gt=0.0, le=1.0, description="Added to the denominator, against division by zero.")
    centered: bool = Field(False, description="Divide by the running variance instead of the mean square.")


class Nadam(Optimizer):
    """Adam with Nesterov momentum.

    Source: Dozat 2016, https://openreview.net/pdf?id=OM0jvwB8jIp57ZJjtNEZ, algorithm 8.
    """

    keras_class: ClassVar[str] = "Nadam"

    beta_1: float = Field(0.9, ge=0.0, lt=1.0, description="Decay of the running mean of the gradient.")
    beta_2: float = Field(0.999, ge=0.0, lt=1.0, description="Decay of the running mean of the squared gradient.")
    epsilon: float = Field(1e-7, gt=0.0, le=1.0, description="Added to the denominator, against division by zero.")


class Adagrad(Optimizer):
    """Adagrad: steps divided by the root of the sum of squared gradients so far.

    Source: Duchi et al. 2011, https://www.jmlr.org/papers/v12/duchi11a.html, figure 1.
    """

    keras_class: ClassVar[str] = "Adagrad"

    initial_accumulator_value: float = Field(0.1, ge=0.0, description="Start of the sum of squared gradients.")
    epsilon: float = Field(1e-7, gt=0.0, le=1.0, description="Added to the denominator, against division by zero.")


OPTIMIZERS: Table[Optimizer] = Table(
    {"adam": Adam, "adamw": AdamW, "sgd": SGD, "rmsprop": RMSprop, "nadam": Nadam, "adagrad": Adagrad},
    Optimizer,
    "optimizer",
)


def build(optimizer: Optimizer, clipnorm: float | None = None, clipvalue: float | None = None) -> Any:
    """Builds the Keras optimizer.

    Args:
        optimizer: What was declared.
        clipnorm: Largest L2 norm of one weight's gradient; larger ones are scaled down.
        clipvalue: Largest absolute value of a gradient's element. Keras takes one of the two, not both.
    """
    import keras

    kind = getattr(keras.optimizers, optimizer.keras_class)
    return kind(**optimizer.model_dump(), clipnorm=clipnorm, clipvalue=clipvalue)
