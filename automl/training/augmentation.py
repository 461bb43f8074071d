"""The section of a document that says how training examples are changed at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from automl.registry import Member


class Augmentation(Member):
    """How training examples are changed at random, so that a model sees none of them twice. Every leaf may be searched.

    Which fields fit a data set is what its input says (`Input.augmentations`); fields of another input are refused once
    the data is known. All of it acts in training only: a saved model carries what stands in its graph, and it is idle.

    Source: mixup: Zhang et al. 2017, https://arxiv.org/abs/1710.09412, equation 1; CutMix: Yun et al. 2019,
    https://arxiv.org/abs/1905.04899, equations 1 and 2; RandAugment: Cubuk et al. 2019,
    https://arxiv.org/abs/1909.13719; random erasing: Zhong et al. 2017, https://arxiv.org/abs/1708.04896; jitter and
    scaling: Um et al. 2017, https://arxiv.org/abs/1706.00527; window: Le Guennec et al. 2016,
    https://shs.hal.science/halshs-01357973, section 3.
    """

    flip: Literal["none", "horizontal", "vertical", "both"] = Field(
        "none", description="Mirror an image in half of the cases: left and right, top and bottom, or each of the two"
    )
    rotation: float = Field(0.0, ge=0.0, le=0.5, description="Largest turn of an image either way, in full turns")
    shift: float = Field(0.0, ge=0.0, lt=1.0, description="Largest move of an image along each side, as a share of it")
    zoom: float = Field(0.0, ge=0.0, lt=1.0, description="Largest share by which an image grows or shrinks")
    contrast: float = Field(
        0.0, ge=0.0, le=1.0, description="Largest share by which pixels part from their mean, or near it"
    )
    brightness: float = Field(
        0.0, ge=0.0, le=1.0, description="Largest number added to all pixels either way, as a share of their range"
    )
    erasing: float = Field(0.0, ge=0.0, le=1.0, description="Chance that a rectangle of an image becomes noise")
    rand_augment: float | None = Field(
        None, ge=0.0, le=1.0, description="Strength of two changes that are drawn for each image; null: none"
    )
    jitter: float = Field(
        0.0, ge=0.0, le=1.0, description="Deviation of noise that is added to each value of the scaled series"
    )
    scaling: float = Field(
        0.0, ge=0.0, le=1.0, description="Deviation from 1 of what each channel of the scaled series is multiplied by"
    )
    window: float | None = Field(
        None, gt=0.0, le=1.0, description="Share of a series that is cut out and stretched to its length; null: all"
    )
    mixup: float = Field(
        0.0, ge=0.0, description="Alpha of the beta distribution by which two examples and targets are mixed"
    )
    cutmix: float = Field(
        0.0, ge=0.0, description="Alpha of the beta distribution of the area that another image covers"
    )

    @property
    def active(self) -> tuple[str, ...]:
        """The names of the fields that change examples; none of them in an augmentation that is off."""
        return tuple(name for name, value in self if not is_off(value))


def of(document: Mapping[str, Any]) -> Augmentation:
    """Returns the augmentation that a resolved document declares."""
    return Augmentation.model_validate((document.get("training") or {}).get("augmentation") or {})


def is_off(value: object) -> bool:
    """Tells whether a field of this value changes nothing."""
    return value in (None, 0, "none")


MIXED = ("mixup", "cutmix", "window")
"""What changes whole batches, or must know where a series ends: `data.mixing` sees to it, not the inputs."""


def fitting(each: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Returns the fields that fit a set.

    Args:
        each: Those that fit each of its inputs (`Input.augmentations`). With several, one may be changed alone, but of
            what is made of whole batches only `mixup` is made of all inputs alike.
    """
    if len(each) == 1:
        return tuple(each[0])
    alone = dict.fromkeys(field for fields in each for field in fields if field not in MIXED)
    together = [field for field in ("mixup",) if all(field in fields for fields in each)]
    return (*alone, *together)
