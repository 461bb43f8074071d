"""The section of a document that says how to train, as a pydantic model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from automl.registry import Family, Member
from automl.training.augmentation import Augmentation
from automl.training.learning_rates import SCHEDULES, Schedule
from automl.training.losses import LOSSES, Loss
from automl.training.optimizers import OPTIMIZERS, Optimizer


class EarlyStopping(Member):
    """Ends a trial's training when its objective no longer improves."""

    patience: int = Field(5, ge=0, description="Epochs without improvement before training ends")
    min_delta: float = Field(0.0, ge=0, description="Smallest change that counts as improvement")


def _is_share(value: str | float) -> str | float:
    # In the type, not in the class: each value that is searched is held against the type.
    if not isinstance(value, str) and not 0 < value <= 1:
        raise ValueError("a share is above 0 and at most 1")
    return value


class Phase(Member):
    """A part of a training in which other layers of the backbone learn, or at another rate.

    Each begins with a fresh optimizer; early stopping ends the phase, and the next one begins.
    """

    epochs: int = Field(ge=1, description="Epochs of the phase at most")
    learning_rate: float | None = Field(
        None, gt=0, description="Learning rate; null: that of the phase before, the first time the optimizer's"
    )
    factor: float = Field(1.0, gt=0, description="What the rate is multiplied by when learning_rate is null")
    unfreeze: Annotated[Literal["none", "all"] | float, AfterValidator(_is_share)] = Field(
        "all",
        description="Layers of the backbone that learn: none, all, or the share of its layers with weights that is "
        "nearest to the head, above 0 and at most 1",
    )


@dataclass(frozen=True)
class Stage:
    """A phase of a training, or all of one that has none.

    Args:
        epochs: Epochs at most.
        rate: Learning rate at full height.
        unfreeze: As `Phase` has it.
    """

    epochs: int
    rate: float
    unfreeze: str | float = "all"


class Training(Member):
    """How a model is trained. Every leaf may be searched."""

    epochs: int = Field(20, ge=1, description="Epochs at most; with phases, theirs count")
    phases: list[Phase] | None = Field(
        None, description="Parts of the training, one after the other: which layers learn, how long, at what rate"
    )
    batch_size: int = Field(32, ge=1, description="Examples per step")
    optimizer: Annotated[Optimizer, Family(OPTIMIZERS)] = Field(
        default_factory=lambda: OPTIMIZERS.read("adam"), description="Optimizer and its arguments"
    )
    schedule: Annotated[Schedule, Family(SCHEDULES)] = Field(
        default_factory=lambda: SCHEDULES.read("constant"), description="How the learning rate goes over the epochs"
    )
    loss: Annotated[Loss, Family(LOSSES)] | None = Field(
        None,
        description="Loss of training and of val_loss, which leaves penalties (l1, l2) out; null: the task's own, "
        "which test_loss always is",
    )
    augmentation: Augmentation = Field(
        default_factory=Augmentation, description="How training examples are changed at random"
    )
    clipnorm: float | None = Field(None, gt=0, description="Clip each gradient to this norm")
    clipvalue: float | None = Field(None, gt=0, description="Clip each gradient element to this absolute value")
    global_clipnorm: float | None = Field(None, gt=0, description="Clip all gradients together to this norm")
    early_stopping: EarlyStopping | None = Field(None, description="When to end early; null: never")
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = Field(
        "float32", description="Numbers that layers compute with; weights and the head stay float32"
    )
    jit: bool | None = Field(
        None, description="Compile steps with XLA; null: on JAX always, on TensorFlow on a GPU, on PyTorch never"
    )
    # Measured on a CPU with a small CNN: 8 changes no result, takes 1.7 ms off a TensorFlow step and puts 0.3 s on its
    # compilation, which short trials lose; on JAX it is within the noise. So 1 is the default of all.
    steps_per_execution: int = Field(
        1,
        ge=1,
        le=1024,
        description="Steps that run before Python is asked again: 8 helps long trials of small models on TensorFlow; "
        "1 on PyTorch",
    )
    seed: int | None = Field(None, ge=0, lt=2**32, description="Seed of the trial; null: from the search's seed")

    @model_validator(mode="after")
    def _clips_once(self) -> Training:
        given = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other: Keras takes one of them")
        return self

    @model_validator(mode="after")
    def _counts_epochs_once(self) -> Training:
        if self.phases is not None and "epochs" in self.model_fields_set:
            raise ValueError("epochs and phases exclude each other: each phase says its own epochs")
        if self.phases == []:
            raise ValueError("phases is empty: leave it out, or declare one at least")
        return self

    def stages(self) -> list[Stage]:
        """Returns the phases with their rates worked out; a single one where none are declared."""
        rate = self.optimizer.learning_rate
        if self.phases is None:
            return [Stage(self.epochs, rate)]
        found = []
        for phase in self.phases:
            rate = phase.learning_rate or rate * phase.factor
            found.append(Stage(phase.epochs, rate, phase.unfreeze))
        return found
