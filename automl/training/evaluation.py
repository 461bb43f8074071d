"""How often and on what a trial is measured: repeats with other seeds, folds that take turns as validation part."""

from __future__ import annotations

import hashlib
from typing import Literal

from pydantic import Field, model_validator

from automl.registry import Member

Strategy = Literal["stratified", "group", "walk_forward"]


def hashed_seed(*parts: object) -> int:
    """Returns a seed of 32 bits that depends on its arguments alone."""
    return int.from_bytes(hashlib.sha256(":".join(map(str, parts)).encode()).digest()[:4], "big")


class Evaluation(Member):
    """What a trial's score is made of. Nothing here is searched."""

    repeats: int = Field(1, ge=1, le=100, description="Trainings of each trial, on each fold, with a seed each")
    folds: int | None = Field(
        None,
        ge=2,
        le=100,
        description="Parts, of the training and validation examples together, that take turns in validating; "
        "null: one training on the training part, validated on the validation part",
    )
    strategy: Strategy = Field(
        "stratified",
        description="stratified: classes keep their shares; group: what belongs together stays together, as it does by "
        "any strategy where the set says so; walk_forward: examples stand in the order of time, each fold trains on "
        "those before it, and the test part is the end",
    )
    race: bool = Field(
        True, description="Drop a trial whose first training ends worse than every training of the best trial"
    )
    refit: bool = Field(
        False,
        description="With folds: train the winner once more, on all of their examples, for its mean best epoch, at its "
        "folds' learning rates",
    )

    @property
    def parts(self) -> int:
        """The number of trainings a trial is measured by."""
        return self.repeats * (self.folds or 1)

    def fold(self, part: int) -> int | None:
        """Returns the fold that validates a training, from 0; None where there are no folds.

        Args:
            part: The training, from 1: all folds once, then all of them again.
        """
        return None if self.folds is None else (part - 1) % self.folds

    def seed(self, own: int, part: int) -> int:
        """Returns the seed of a training: the trial's own for the first, so that it is the same with and without more.

        Args:
            own: The trial's seed.
            part: The training, from 1.
        """
        return own if part == 1 else hashed_seed(own, f"part {part}")

    @model_validator(mode="after")
    def _of_folds(self) -> Evaluation:
        if self.folds is None and self.refit:
            raise ValueError("refit needs folds: without them the winner was trained on all there is to train on")
        if self.folds is None and self.strategy != "stratified":
            raise ValueError(f"strategy {self.strategy} needs folds: it says how they are cut")
        return self
