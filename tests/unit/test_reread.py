"""Sets that are larger than may be stored: their examples are read from their source, batch by batch."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from automl.data import prepare, reread, store
from automl.data.feed import Feed
from automl.data.section import DataDocument
from automl.errors import ConfigError, DataError
from automl.records.data import DataSpec
from automl.sources.image_folder import ImageFolder
from automl.training.evaluation import Evaluation


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    ImageFolder.toy(folder)
    return folder


def prepared(tmp_path: Path, folder: Path, limit: float, folds: int | None = None, **fields: Any) -> DataSpec:
    declared = {"image_folder": {"folder": str(folder), **fields}}
    read: Any = {"name": "toy", "source": declared, "input": "image", "task": "classification"}
    document = DataDocument.model_validate(read)
    name = f"{'whole' if limit else 'left'}{len([*tmp_path.iterdir()])}"
    return prepare.prepare(document, tmp_path / name, evaluation=Evaluation(folds=folds), limit=limit)


def batches(spec: DataSpec, part: str, seed: int | None) -> list[Any]:
    feed = Feed(spec, part, 4, seed=seed)
    return [feed[place] for place in range(len(feed))]


@pytest.mark.parametrize("folds", [None, 3])
@pytest.mark.parametrize("fields", [{}, {"size": [4, 5], "fit": "crop", "color": "grey"}])
def test_what_is_not_stored_is_the_same_set(
    tmp_path: Path, pictures: Path, folds: int | None, fields: dict[str, Any]
) -> None:
    whole = prepared(tmp_path, pictures, 1e9, folds, **fields)
    left = prepared(tmp_path, pictures, 0, folds, **fields)
    assert left.digest == whole.digest
    assert not [*Path(left.folder).glob("*_image*"), *Path(left.folder).glob("*_x.npy")]
    assert prepare.load_spec(Path(left.folder)) == left
    for fold in (None, *range(folds or 0)):
        mine, other = left.at(fold), whole.at(fold)
        assert mine.inputs[0].state == other.inputs[0].state
        for part, seed in (("train", 1), ("val", None), ("test", None)):
            for (x, y), (known, label) in zip(batches(mine, part, seed), batches(other, part, seed), strict=True):
                np.testing.assert_array_equal(x, known)
                np.testing.assert_array_equal(y, label)


def test_numbers_of_more_than_8_bits_keep_their_range(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / "deep" / label).mkdir(parents=True)
        for number in range(12):
            values = rng.integers(0, 4096, (5, 5)).astype(np.uint16)
            Image.fromarray(values).save(tmp_path / "deep" / label / f"{number}.png")
    whole, left = (prepared(tmp_path, tmp_path / "deep", limit, color="grey") for limit in (1e9, 0))
    assert left.digest == whole.digest
    np.testing.assert_array_equal(batches(left, "train", 0)[0][0], batches(whole, "train", 0)[0][0])


def test_a_file_that_changed_since_is_refused(tmp_path: Path, pictures: Path) -> None:
    spec = prepared(tmp_path, pictures, 0)
    assert batches(spec, "test", None)
    path = pictures / "test" / "boot" / "0.png"
    shutil.copy(pictures / "test" / "hat" / "1.png", path)
    with pytest.raises(DataError, match=r"0\.png: was changed since the set was prepared"):
        batches(spec, "test", None)
    path.unlink()
    with pytest.raises(DataError, match=r"0\.png: is gone since the set was prepared"):
        batches(spec, "test", None)


def test_a_set_without_its_recipe_is_not_read(tmp_path: Path, pictures: Path) -> None:
    spec = prepared(tmp_path, pictures, 0)
    (Path(spec.folder) / reread.FILE).unlink()
    with pytest.raises(DataError, match=r"the file reread\.json is missing"):
        prepare.load_spec(Path(spec.folder))


def test_what_cannot_be_read_anew_is_stored_whatever_its_size(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x_train=np.arange(400).reshape(100, 2, 2), y_train=np.arange(100) % 2)
    read: Any = {"name": "toy", "source": {"npz": {"file": str(tmp_path / "set.npz")}}, "input": "image"}
    document = DataDocument.model_validate({**read, "task": "classification"})
    spec = prepare.prepare(document, tmp_path / "prepared", limit=0)
    assert not spec.inputs[0].unstored
    assert len(Feed(spec, "train", 4)[0][0]) == 4


def test_the_limit_is_a_variable_or_half_of_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(store.LIMIT_VARIABLE, raising=False)
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    assert store.limit(tmp_path / "new" / "folder") == pytest.approx(free / 2, rel=0.1)
    monkeypatch.setenv(store.LIMIT_VARIABLE, "1.5")
    assert store.limit(tmp_path) == 1.5e9
    for wrong in ("much", "-1", "nan"):
        monkeypatch.setenv(store.LIMIT_VARIABLE, wrong)
        with pytest.raises(ConfigError, match="AUTOML_STORED_GB: is no size"):
            store.limit(tmp_path)
