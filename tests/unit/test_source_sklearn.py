from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from automl.sources._tables import held
from automl.sources.sklearn import Sklearn


def test_digits_are_images_and_their_classes_are_text():
    part = held(Sklearn(name="digits").open(None))["train"]
    assert part.x.shape == (1797, 8, 8, 1)
    assert part.x.dtype == np.float32
    assert (part.x.min(), part.x.max()) == (0, 16)
    names, counts = np.unique(part.y, return_counts=True)
    assert names.tolist() == list("0123456789")
    # UCI's optdigits.names, class distribution of the testing set.
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("iris", (150, 4), {"setosa", "versicolor", "virginica"}),
        ("wine", (178, 13), {"class_0", "class_1", "class_2"}),
        ("breast_cancer", (569, 30), {"malignant", "benign"}),
    ],
)
def test_the_others_are_rows_of_features(name, shape, classes):
    parts = held(Sklearn(name=name).open(None))
    assert parts["train"].x.shape == shape
    assert parts["train"].x.dtype == np.float32
    assert set(parts["train"].y) == classes
    assert "val" not in parts
    assert "test" not in parts


def test_labels_stand_with_their_examples():
    part = held(Sklearn(name="iris").open(None))["train"]
    assert part.y[0] == "setosa"
    assert part.y[149] == "virginica"


def test_an_unknown_set_is_refused():
    with pytest.raises(ValidationError, match="digits"):
        Sklearn.model_validate({"name": "mnist"})
