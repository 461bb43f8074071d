"""Optimizers: Keras's own, with Keras's argument names and defaults as fields. They are too small for a file each."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from automl.errors import Infeasible
from automl.registry import Member, Table

_DECAY = "Decoupled weight decay: share of a weight removed per step, times the rate."


class Optimizer(Member):
    """What updates the weights. Fields are the arguments of the Keras class `keras_class`.

    With `use_ema`, the running mean of the weights is what is validated, kept, tested and exported; training goes on
    with the weights themselves. Statistics of batch normalisation are not averaged.
    """

    keras_class: ClassVar[str]

    learning_rate: float = Field(0.001, gt=0.0, le=100.0, description="Step size.")
    weight_decay: float | None = Field(None, ge=0.0, le=1.0, description=_DECAY)
    use_ema: bool = Field(False, description="Validate and keep the running mean of the weights.")
    ema_momentum: float = Field(0.99, ge=0.0, le=1.0, description="Decay of that mean, per step.")
    ema_overwrite_frequency: int | None = Field(
        None, ge=1, description="Steps after which the mean replaces the weights, again and again; null: never."
    )
    gradient_accumulation_steps: int | None = Field(
        None, ge=2, description="Batches whose gradients are averaged into one step; null: each makes a step."
    )


class _Scaled(Optimizer):
    epsilon: float = Field(1e-7, gt=0.0, le=1.0, description="Added to the denominator, against division by zero.")


class _Moments(_Scaled):
    beta_1: float = Field(0.9, ge=0.0, lt=1.0, description="Decay of the running mean of the gradient.")
    beta_2: float = Field(0.999, ge=0.0, lt=1.0, description="Decay of the running mean of the squared gradient.")


class Adam(_Moments):
    """Adam: steps scaled by running first and second moments of the gradient.

    Source: Kingma & Ba 2014, https://arxiv.org/abs/1412.6980, algorithm 1; AMSGrad https://arxiv.org/abs/1904.09237.
    """

    keras_class: ClassVar[str] = "Adam"

    amsgrad: bool = Field(False, description="Use the largest second moment seen so far.")


class AdamW(Adam):
    """Adam with decoupled weight decay on by default.

    Source: Loshchilov & Hutter 2017, https://arxiv.org/abs/1711.05101, algorithm 2.
    """

    keras_class: ClassVar[str] = "AdamW"

    weight_decay: float | None = Field(0.004, ge=0.0, le=1.0, description=_DECAY)


class Adamax(_Moments):
    """Adam with the largest gradient seen, slowly forgotten, in place of the second moment.

    Source: Kingma & Ba 2014, https://arxiv.org/abs/1412.6980, algorithm 2.
    """

    keras_class: ClassVar[str] = "Adamax"


class Nadam(_Moments):
    """Adam with Nesterov momentum.

    Source: Dozat 2016, https://openreview.net/pdf?id=OM0jvwB8jIp57ZJjtNEZ, algorithm 8.
    """

    keras_class: ClassVar[str] = "Nadam"


class Lamb(_Moments):
    """Adam whose step in each layer is scaled by the norm of the layer's weights; made for large batches.

    Source: You et al. 2019, https://arxiv.org/abs/1904.00962, algorithm 2.
    """

    keras_class: ClassVar[str] = "Lamb"


class ScheduleFreeAdamW(_Moments):
    """Adam on an average of its own path, which stands for a schedule: use it with `schedule: constant`.

    Source: Defazio et al. 2024, https://arxiv.org/abs/2405.15682, algorithm 1.
    """

    keras_class: ClassVar[str] = "ScheduleFreeAdamW"

    learning_rate: float = Field(0.0025, gt=0.0, le=100.0, description="Step size.")
    # Keras divides by it.
    beta_1: float = Field(0.9, gt=0.0, lt=1.0, description="Share of the average in the weights that are trained.")
    epsilon: float = Field(1e-8, gt=0.0, le=1.0, description="Added to the denominator, against division by zero.")
    warmup_steps: int = Field(0, ge=0, description="Steps over which the rate rises linearly.")


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if asked for.

    Source: Sutskever et al. 2013, https://proceedings.mlr.press/v28/sutskever13.html, equations 1 to 4.
    """

    keras_class: ClassVar[str] = "SGD"

    learning_rate: float = Field(0.01, gt=0.0, le=100.0, description="Step size.")
    momentum: float = Field(0.0, ge=0.0, le=1.0, description="Share of the last step kept.")
    nesterov: bool = Field(False, description="Take the gradient after the momentum step.")


class RMSprop(_Scaled):
    """RMSprop: steps divided by a running root mean square of the gradient.

    Source: Hinton 2012, https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf, slide 29.
    """

    keras_class: ClassVar[str] = "RMSprop"

    rho: float = Field(0.9, ge=0.0, lt=1.0, description="Decay of the running mean of the squared gradient.")
    momentum: float = Field(0.0, ge=0.0, le=1.0, description="Share of the last step kept.")
    centered: bool = Field(False, description="Divide by the running variance instead of the mean square.")


class Adagrad(_Scaled):
    """Adagrad: steps divided by the root of the sum of squared gradients so far.

    Source: Duchi et al. 2011, https://www.jmlr.org/papers/v12/duchi11a.html, figure 1.
    """

    keras_class: ClassVar[str] = "Adagrad"

    initial_accumulator_value: float = Field(0.1, ge=0.0, description="Start of the sum of squared gradients.")


class Adadelta(_Scaled):
    """Adagrad that forgets: steps scaled by running means of squared gradients and of squared steps.

    Source: Zeiler 2012, https://arxiv.org/abs/1212.5701, algorithm 1, where the rate is 1.
    """

    keras_class: ClassVar[str] = "Adadelta"

    rho: float = Field(0.95, ge=0.0, lt=1.0, description="Decay of both running means.")


class Adafactor(Optimizer):
    """Adam that keeps the second moment of a matrix as a row and a column: little memory for large layers.

    Source: Shazeer & Stern 2018, https://arxiv.org/abs/1804.04235, algorithms 4 and 5.
    """

    keras_class: ClassVar[str] = "Adafactor"

    beta_2_decay: float = Field(-0.8, ge=-1.0, lt=0.0, description="Power of the step in the second moment's decay.")
    epsilon_1: float = Field(1e-30, gt=0.0, le=1.0, description="Added to the squared gradient.")
    epsilon_2: float = Field(1e-3, gt=0.0, le=1.0, description="Least size of a weight that the step is scaled by.")
    clip_threshold: float = Field(1.0, gt=0.0, description="Largest root mean square of a step before its scaling.")
    relative_step: bool = Field(True, description="Let the rate fall at least as 1 over the root of the step.")


class Ftrl(Optimizer):
    """Follow the regularised leader: steps that set weights to zero, made for sparse inputs.

    Source: McMahan et al. 2013, https://research.google/pubs/pub41159/, algorithm 1.
    """

    keras_class: ClassVar[str] = "Ftrl"

    learning_rate_power: float = Field(-0.5, ge=-1.0, le=0.0, description="Power by which the rate falls; 0: fixed.")
    initial_accumulator_value: float = Field(0.1, ge=0.0, description="Start of the sum of squared gradients.")
    l1_regularization_strength: float = Field(0.0, ge=0.0, description="Penalty on absolute weights.")
    l2_regularization_strength: float = Field(0.0, ge=0.0, description="Penalty on squared weights.")
    l2_shrinkage_regularization_strength: float = Field(
        0.0, ge=0.0, description="Penalty on squared weights that acts on the gradient alone."
    )
    beta: float = Field(0.0, ge=0.0, description="Added to the root of the sum of squared gradients.")


class Lion(Optimizer):
    """Lion: steps of one size, the sign of a mean of gradients; wants a rate some 3 to 10 times below Adam's.

    Source: Chen et al. 2023, https://arxiv.org/abs/2302.06675, algorithm 2.
    """

    keras_class: ClassVar[str] = "Lion"

    beta_1: float = Field(0.9, gt=0.0, le=1.0, description="Share of the running mean in the step.")
    beta_2: float = Field(0.99, ge=0.0, lt=1.0, description="Decay of the running mean of the gradient.")


class Muon(_Scaled):
    """Muon: orthogonal steps for matrices; every other weight takes steps of AdamW.

    Source: Jordan 2024, https://kellerjordan.github.io/posts/muon/; Liu et al. 2025, https://arxiv.org/abs/2502.16982.
    """

    keras_class: ClassVar[str] = "Muon"

    weight_decay: float | None = Field(0.004, ge=0.0, le=1.0, description=_DECAY)
    momentum: float = Field(0.95, ge=0.0, le=1.0, description="Share of the last step kept, for matrices.")
    nesterov: bool = Field(True, description="Take the gradient after the momentum step, for matrices.")
    ns_steps: int = Field(5, ge=1, le=20, description="Steps of the iteration that makes a matrix orthogonal.")
    muon_a: float = Field(3.4445, description="Weight of the matrix in that iteration.")
    muon_b: float = Field(-4.7750, description="Weight of its third power.")
    muon_c: float = Field(2.0315, description="Weight of its fifth power.")
    rms_rate: float | None = Field(0.2, gt=0.0, description="Root mean square of a matrix's step; null: not scaled.")
    exclude_layers: list[str] | None = Field(
        None, description="Patterns of layer names whose matrices take steps of AdamW, as probabilities, the head."
    )
    exclude_embeddings: bool = Field(True, description="Let embeddings take steps of AdamW.")
    adam_lr_ratio: float = Field(1.0, gt=0.0, description="The rate of AdamW's steps, as a share of the rate.")
    adam_beta_1: float = Field(0.9, ge=0.0, lt=1.0, description="AdamW's decay of the mean of the gradient.")
    adam_beta_2: float = Field(0.999, ge=0.0, lt=1.0, description="AdamW's decay of the mean of its square.")
    adam_weight_decay: float | None = Field(0.004, ge=0.0, le=1.0, description="AdamW's weight decay.")


_MEMBERS: tuple[type[Optimizer], ...] = (
    Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Ftrl, Lamb, Lion, Muon, Nadam, RMSprop, SGD, ScheduleFreeAdamW,
)  # fmt: skip

OPTIMIZERS: Table[Optimizer] = Table({each.keras_class.lower(): each for each in _MEMBERS}, Optimizer, "optimizer")


def build(
    optimizer: Optimizer,
    clipnorm: float | None = None,
    clipvalue: float | None = None,
    global_clipnorm: float | None = None,
) -> Any:
    """Builds the Keras optimizer. Keras takes one of the three clips at most.

    Args:
        optimizer: What was declared.
        clipnorm: Largest L2 norm of one weight's gradient; larger ones are scaled down.
        clipvalue: Largest absolute value of a gradient's element.
        global_clipnorm: Largest L2 norm of all gradients together.

    Raises:
        Infeasible: The Keras installed is older than the optimizer.
    """
    import keras

    kind = getattr(keras.optimizers, optimizer.keras_class, None)
    if kind is None:
        raise Infeasible(
            f"training.optimizer: Keras {keras.__version__} has no {optimizer.keras_class}. Upgrade Keras to use it"
        )
    return kind(**optimizer.model_dump(), clipnorm=clipnorm, clipvalue=clipvalue, global_clipnorm=global_clipnorm)
