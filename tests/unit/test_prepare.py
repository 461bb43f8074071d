from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from automl import inputs, tasks
from automl.data import prepare
from automl.data.section import DataDocument, Limit, Split
from automl.document import catalog
from automl.errors import DataError
from automl.inputs import Input
from automl.records.data import Part, Splits, Timeline
from automl.sources import Source
from automl.tasks import Task
from automl.training.evaluation import Evaluation

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("AUTOML_DATA") or ROOT.parent / "shared/data")
REAL = {"image", "series"} <= set(inputs.registry.names()) and "classification" in tasks.registry.names()


class Given(Source):
    """Returns what it was given, examples marked by their row so that tests can follow them."""

    holder: ClassVar[dict[str, Splits]] = {}
    key: str = "default"

    def load(self, root: Path | None) -> Splits:
        return self.holder[self.key]

    @classmethod
    def toy(cls, folder: Path) -> Given:  # noqa: ARG003 (the base's name)
        return cls()


class Plain(Input):
    """Takes everything, remembers what `fit` saw."""

    seen: ClassVar[list[np.ndarray]] = []

    def check(self, x):
        return x

    def fit(self, x):
        self.seen.append(x.copy())
        return {"mean": float(np.mean(x)), "pair": [1, 2]}

    def stem(self, shape, state):
        raise NotImplementedError


class Classes(Task):
    """Classification without a model."""

    def classes(self, y):
        return tuple(str(name) for name in np.unique(y))

    def index(self, y, classes):
        return np.searchsorted(np.asarray(classes), y.astype(str)).astype(np.int32)

    def strata(self, y):
        return y

    def encode(self, y, classes):
        return y

    def weights(self, y, classes):
        return None

    def head(self, flow, data):
        raise NotImplementedError

    def loss(self):
        raise NotImplementedError

    def keras_metrics(self, data):
        return []

    def toy(self, rng, input):  # noqa: A002 (the base's name)
        raise NotImplementedError


class Numbers(Classes):
    """A task without classes."""

    def classes(self, y):
        return ("y",)

    def index(self, y, classes):
        return y.astype(np.float64)

    def strata(self, y):
        return None


def rows(count: int, start: int = 0, dtype: Any = np.float64) -> np.ndarray:
    return np.arange(start, start + count).astype(dtype).reshape(-1, 1)


def part(count: int, start: int = 0, classes: str = "abc", dtype: Any = np.float64) -> Part:
    return Part(rows(count, start, dtype), np.array([classes[i % len(classes)] for i in range(count)]))


def document(splits: Splits, **fields: Any) -> DataDocument:
    Given.holder["default"] = splits
    Plain.seen.clear()
    plain = {"name": "toy", "source": Given(), "input": Plain(), "task": Classes(), **fields}
    return DataDocument.model_validate(plain)


def stored(folder: Path, name: str) -> np.ndarray:
    return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)


def failure(doc: DataDocument, folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        prepare.prepare(doc, folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- what carries one value ---------------------------------------------------------------------------------------


def images(channels: int, flat: int, kind: str = "float32") -> Part:
    """Examples of noise, whose last channels carry one value."""
    x = np.random.default_rng(0).integers(1, 200, (30, 4, 4, channels)).astype(kind)
    x[..., channels - flat :] = 7
    return Part(x, np.array(list("abc" * 10)))


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_a_channel_that_carries_one_value_is_told(tmp_path, kind):
    spec = prepare.prepare(document(Splits(images(3, 1, kind))), tmp_path / "d")
    assert spec.notes == ("toy: channel 2 of 3 carries a single value in all training examples (counted from 0)",)
    spec = prepare.prepare(document(Splits(images(3, 2, kind), notes=("read so",))), tmp_path / "d")
    assert spec.notes[0] == "read so"
    assert spec.notes[1].startswith("toy: channels 1, 2 of 3 carry a single value")
    assert prepare.load_spec(tmp_path / "d").notes == spec.notes
    assert prepare.prepare(document(Splits(images(3, 0, kind))), tmp_path / "d").notes == ()


def test_a_set_that_carries_one_value_is_refused(tmp_path):
    message = failure(document(Splits(images(2, 2), notes=("read so",))), tmp_path / "d")
    assert message.startswith(
        "toy: every value of every training example is the same, channel by channel. Received 7, 7."
    )
    assert message.endswith("read so.")


@pytest.mark.parametrize("shape", [(30, 3), (30, 3, 1)])
def test_of_rows_of_numbers_the_columns_are_told(tmp_path, shape):
    x = np.random.default_rng(0).normal(size=(30, 3)).astype("f4")
    x[:, 1] = 7
    x[3, 1] = np.nan
    y = np.array(list("abc" * 10))
    spec = prepare.prepare(document(Splits(Part(x.reshape(shape), y)), input="series"), tmp_path / "d")
    assert spec.notes == ("toy: column 1 of 3 carries a single value in all training examples (counted from 0)",)
    x[:, 1] = np.nan
    assert prepare.prepare(document(Splits(Part(x.reshape(shape), y)), input="series"), tmp_path / "d").notes == ()
    x[:] = [1, 2, 3]
    message = failure(document(Splits(Part(x.reshape(shape), y)), input="series"), tmp_path / "e")
    assert "every value of every training example is the same, column by column. Received 1, 2, 3" in message


def test_gaps_do_not_hide_that_a_channel_carries_one_value(tmp_path):
    given = images(2, 1)
    x = given.x.reshape(30, 16, 2)
    x[:, ::2, 1] = np.nan
    x[0] = np.where(np.arange(2) == 1, np.nan, x[0])
    spec = prepare.prepare(document(Splits(Part(x, given.y))), tmp_path / "d")
    assert "channel 1 of 2" in spec.notes[0]


# --- splitting ----------------------------------------------------------------------------------------------------


def test_a_set_without_parts_becomes_60_20_20_stratified(tmp_path):
    spec = prepare.prepare(document(Splits(part(150))), tmp_path / "d")
    assert spec.sizes == {"train": 90, "val": 30, "test": 30}
    for name, each in (("train", 30), ("val", 10), ("test", 10)):
        assert np.unique(stored(tmp_path / "d", f"{name}_y"), return_counts=True)[1].tolist() == [each] * 3
    every = np.concatenate([stored(tmp_path / "d", f"{name}_x").ravel() for name in ("train", "val", "test")])
    assert sorted(every) == list(range(150))


def test_a_test_part_stays_whole_and_a_fifth_of_training_is_val(tmp_path):
    spec = prepare.prepare(document(Splits(part(100), test=part(40, 1000))), tmp_path / "d")
    assert spec.sizes == {"train": 80, "val": 20, "test": 40}
    assert stored(tmp_path / "d", "test_x").ravel().tolist() == list(range(1000, 1040))


def test_of_a_time_line_the_latest_is_the_test_part_and_what_came_before_it_val(tmp_path):
    splits = Timeline(part(150))
    spec = prepare.prepare(document(splits, split={"seed": 3}), tmp_path / "d")
    assert spec.sizes == {"train": 90, "val": 30, "test": 30}
    for name, start, end in (("train", 0, 90), ("val", 90, 120), ("test", 120, 150)):
        assert stored(tmp_path / "d", f"{name}_x").ravel().tolist() == list(range(start, end))
    given = Timeline(part(100), test=part(40, 1000))
    prepare.prepare(document(given), tmp_path / "e")
    assert stored(tmp_path / "e", "val_x").ravel().tolist() == list(range(80, 100))
    rare = Timeline(Part(rows(150), np.array(["a", "b"] * 40 + ["a"] * 70)))
    assert "part val: holds no example of class 'b'" in failure(document(rare), tmp_path / "f")


def test_folds_of_a_time_line_walk_forward(tmp_path):
    splits = Timeline(part(150))
    with pytest.raises(
        DataError,
        match=r"stratified trains on what comes after the examples it validates\. Expected strategy: walk_forward",
    ):
        prepare.prepare(document(splits), tmp_path / "d", evaluation=Evaluation(folds=3))
    prepare.prepare(document(splits), tmp_path / "d", evaluation=Evaluation(folds=3, strategy="walk_forward"))
    assert stored(tmp_path / "d", "test_x").ravel().tolist() == list(range(120, 150))


def test_class_names_that_look_alike_are_one_class_in_every_part(tmp_path):
    train = Part(rows(20), np.array(["e\u0301", "b "] * 10))
    spec = prepare.prepare(document(Splits(train, test=Part(rows(2), np.array(["\u00e9", "b"])))), tmp_path / "d")
    assert spec.classes == ("b", "\u00e9")


def test_a_val_part_stays_whole_too(tmp_path):
    splits = Splits(part(100), val=part(10, 500), test=part(40, 1000))
    assert prepare.prepare(document(splits), tmp_path / "d").sizes == {"train": 100, "val": 10, "test": 40}
    splits = Splits(part(100), val=part(10, 500))
    assert prepare.prepare(document(splits), tmp_path / "e").sizes == {"train": 80, "val": 10, "test": 20}


def test_examples_keep_their_targets(tmp_path):
    y = np.array([f"c{i % 7}" for i in range(210)])
    spec = prepare.prepare(document(Splits(Part(rows(210), y)), limit={"train": 70}), tmp_path / "d")
    for name in ("train", "val", "test"):
        x, index = stored(tmp_path / "d", f"{name}_x").ravel(), stored(tmp_path / "d", f"{name}_y")
        assert [spec.classes[i] for i in index] == [f"c{int(i) % 7}" for i in x]


def test_the_fractions_and_the_seed_are_the_users(tmp_path):
    def of(name, **split):
        spec = prepare.prepare(document(Splits(part(100)), split=split), tmp_path / name)
        return spec.sizes, stored(tmp_path / name, "train_x").ravel().tolist()

    assert of("a", val=0.1, test=0.3)[0] == {"train": 60, "val": 10, "test": 30}
    assert of("b", seed=1) == of("c", seed=1)
    assert of("b", seed=1) != of("d", seed=2)


def test_targets_without_classes_are_split_as_well(tmp_path):
    splits = Splits(Part(rows(50), np.linspace(0, 1, 50)))
    spec = prepare.prepare(document(splits, task=Numbers()), tmp_path / "d")
    assert spec.sizes == {"train": 30, "val": 10, "test": 10}
    assert stored(tmp_path / "d", "train_y").dtype == np.float32


def test_limits_hold_for_each_part_and_keep_the_shares(tmp_path):
    y = np.array(["a"] * 800 + ["b"] * 200)
    doc = document(Splits(Part(rows(1000), y)), limit={"train": 100, "test": 50})
    spec = prepare.prepare(doc, tmp_path / "d")
    assert spec.sizes == {"train": 100, "val": 200, "test": 50}
    assert np.bincount(stored(tmp_path / "d", "train_y")).tolist() == [80, 20]


@pytest.mark.parametrize("limit", [88, 89, 90, 91, 10_000])
def test_a_limit_may_leave_out_less_than_an_example_per_class(tmp_path, limit):
    spec = prepare.prepare(document(Splits(part(150)), limit={"train": limit}), tmp_path / "d")
    assert spec.sizes["train"] == min(limit, 90)


def test_a_class_too_rare_to_be_split_is_named(tmp_path):
    y = np.array(["a"] * 50 + ["rare"] * 2)
    message = failure(document(Splits(Part(rows(52), y))), tmp_path / "d")
    assert (
        "class 'rare' is too rare to be split. Expected at least 3 examples, one for each part; received 2" in message
    )


def test_a_class_that_misses_in_a_part_is_named(tmp_path):
    y = np.array(["a"] * 500 + ["rare"] * 3)
    message = failure(document(Splits(Part(rows(503), y)), split={"val": 0.05, "test": 0.05}), tmp_path / "d")
    assert "holds no example of class 'rare'" in message
    message = failure(document(Splits(part(30), test=part(10, classes="abz"))), tmp_path / "d")
    assert "toy, part train: holds no example of class 'z'" in message
    message = failure(document(Splits(part(30), test=part(10, classes="a"))), tmp_path / "d")
    assert "toy, part test: holds no example of class 'b' and of 1 more" in message
    message = failure(document(Splits(part(90)), limit={"train": 2}), tmp_path / "d")
    assert "toy, part train: holds no example of class" in message


def test_a_set_too_small_to_be_split(tmp_path):
    assert "cannot be cut off" in failure(document(Splits(part(9))), tmp_path / "d")
    assert not (tmp_path / "d").exists()


# --- what is stored -----------------------------------------------------------------------------------------------


def test_preprocessing_is_learned_from_the_training_part_only(tmp_path):
    spec = prepare.prepare(document(Splits(part(90), test=part(30, 10_000))), tmp_path / "d")
    (seen,) = Plain.seen
    np.testing.assert_array_equal(seen, stored(tmp_path / "d", "train_x"))
    assert len(seen) == 72
    assert spec.stem["mean"] == float(np.mean(seen)) < 100


@pytest.mark.parametrize(
    ("given", "kept"), [("uint8", "uint8"), ("float64", "float32"), ("int64", "float32"), ("bool", "float32")]
)
def test_bytes_stay_bytes_and_all_else_is_float32(tmp_path, given, kept):
    content = part(60)
    prepare.prepare(document(Splits(Part((content.x % 2).astype(given), content.y))), tmp_path / "d")
    assert stored(tmp_path / "d", "train_x").dtype == kept
    assert stored(tmp_path / "d", "train_y").dtype == np.int32


def test_the_spec_is_read_back_as_it_was(tmp_path):
    spec = prepare.prepare(document(Splits(part(60))), tmp_path / "deep/er/d")
    assert prepare.load_spec(tmp_path / "deep/er/d") == spec
    assert spec.folder == str((tmp_path / "deep/er/d").resolve())
    assert (spec.name, spec.shape, spec.classes) == ("toy", (1,), ("a", "b", "c"))
    (tmp_path / "deep/er/d").rename(tmp_path / "moved")
    assert prepare.load_spec(tmp_path / "moved").folder == str(tmp_path / "moved")


def test_preparing_twice_is_the_same_and_leaves_the_files_alone(tmp_path):
    doc = document(Splits(part(60)))
    first = prepare.prepare(doc, tmp_path / "d")
    inode = (tmp_path / "d/train_x.npy").stat().st_ino
    assert prepare.prepare(doc, tmp_path / "d") == first
    assert (tmp_path / "d/train_x.npy").stat().st_ino == inode
    assert prepare.prepare(doc, tmp_path / "e").digest == first.digest
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d", "e"]


def test_of_several_writers_one_wins_and_all_agree(tmp_path):
    doc = document(Splits(part(60)))
    with ThreadPoolExecutor(8) as pool:
        specs = list(pool.map(lambda _: prepare.prepare(doc, tmp_path / "d"), range(16)))
    assert all(spec == specs[0] for spec in specs)
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_another_preparation_replaces_the_folder_under_open_maps(tmp_path):
    before = prepare.prepare(document(Splits(part(60))), tmp_path / "d")
    held = stored(tmp_path / "d", "train_x")
    content = held.tolist()
    after = prepare.prepare(document(Splits(part(90))), tmp_path / "d")
    assert prepare.load_spec(tmp_path / "d") == after != before
    assert held.tolist() == content
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_the_digest_knows_values_split_classes_and_types(tmp_path):
    base = part(60)
    changed = Part(base.x.copy(), base.y)
    changed.x[7] += 1
    renamed = Part(base.x, np.char.upper(base.y))
    documents = [
        document(Splits(base)),
        document(Splits(base), split={"seed": 1}),
        document(Splits(base), limit={"train": 30}),
    ]
    digests = [prepare.prepare(doc, tmp_path / str(i)).digest for i, doc in enumerate(documents)]
    for i, other in enumerate((changed, renamed, part(60, dtype="uint8"))):
        digests.append(prepare.prepare(document(Splits(other)), tmp_path / f"o{i}").digest)
    assert len(set(digests)) == 6
    assert all(len(digest) == 64 for digest in digests)
    assert prepare.prepare(document(Splits(base)), tmp_path / "again").digest == digests[0]


def test_the_digest_does_not_depend_on_the_byte_order_of_the_machine(tmp_path):
    from automl.data import store

    little = {name: Part(rows(3, dtype="<f4"), np.arange(3, dtype="<i4")) for name in ("train", "val", "test")}
    big = {name: Part(p.x.astype(">f4"), p.y.astype(">i4")) for name, p in little.items()}
    assert store.digest(little, ("a",)) == store.digest(big, ("a",))


def test_a_digest_that_differs_is_refused(tmp_path):
    good = prepare.prepare(document(Splits(part(60))), tmp_path / "d").digest
    assert prepare.prepare(document(Splits(part(60)), digest=good), tmp_path / "d").digest == good
    message = failure(document(Splits(part(90)), digest=good), tmp_path / "e")
    assert f"toy: the data is not what it was. Expected SHA-256 {good}; received " in message
    assert not (tmp_path / "e").exists()


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def full_disk(path, *_, **__):
        if path.name == "val_y.npy":
            raise OSError("No space left on device")
        path.touch()

    monkeypatch.setattr(np, "save", full_disk)
    with pytest.raises(OSError, match="No space"):
        prepare.prepare(document(Splits(part(60))), tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        (Splits(Part(np.array([["a"]] * 30), part(30).y)), "toy, part train: examples are not numbers"),
        (Splits(Part(np.full((30, 1), np.inf), part(30).y)), "infinite or beyond float32"),
        (Splits(part(30), test=Part(np.zeros((9, 2)), part(9).y)), "differ in shape between the parts"),
        (Splits(Part(rows(30), part(29).y)), "Expected 30 targets; received 29"),
        (Splits(Part(rows(30), np.array([None] * 30))), "targets are neither numbers nor text"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path, splits, said):
    assert said in failure(document(splits), tmp_path / "d")


def test_a_folder_without_a_whole_set(tmp_path):
    with pytest.raises(DataError, match=r"holds no prepared data. Expected the file spec\.json"):
        prepare.load_spec(tmp_path)
    prepare.prepare(document(Splits(part(60))), tmp_path / "d")
    (tmp_path / "d/val_y.npy").unlink()
    with pytest.raises(DataError, match=r"the file val_y\.npy is missing"):
        prepare.load_spec(tmp_path / "d")
    whole = (tmp_path / "d/spec.json").read_text()
    letters = json.dumps({**json.loads(whole), "classes": "abc"})
    for text in ("", "[]", "{}", '{"shape": 1}', "\x00", letters):
        (tmp_path / "d/spec.json").write_text(text)
        with pytest.raises(DataError, match="cannot be read as a description"):
            prepare.load_spec(tmp_path / "d")


# --- documents ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"split": {"val": 0.5, "test": 0.5}},
        {"split": {"val": 0}},
        {"split": {"sed": 1}},
        {"limit": {"train": 0}},
        {"digest": "abc"},
        {"license": "MIT"},
        {"name": ""},
    ],
)
def test_a_wrong_document_is_refused(fields):
    with pytest.raises(ValidationError):
        document(Splits(part(9)), **fields)


def test_every_field_of_a_document_says_what_it_is():
    for model in (DataDocument, Split, Limit):
        for name, field in model.model_fields.items():
            assert field.description, name


def test_documents_are_checked_without_heavy_libraries():
    heavy = ("numpy", "sklearn", "pandas", "keras", "tensorflow", "mlflow")
    code = f"import sys, automl.data.prepare; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def shipped(name: str) -> dict[str, Any]:
    return YAML(typ="safe", pure=True).load(catalog.find(catalog.DATASETS, name))


@pytest.mark.parametrize("name", catalog.names(catalog.DATASETS))
def test_a_shipped_document_says_what_it_is_before_anything_else(name):
    lines = catalog.find(catalog.DATASETS, name).read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert all(len(line) <= 120 for line in lines)
    plain = shipped(name)
    assert plain["name"] == name
    assert {"description", "source", "input", "task", "licence", "citation", "url"} <= set(plain)


needs_members = pytest.mark.skipif(not REAL, reason="the inputs and tasks are not written yet")


@needs_members
@pytest.mark.parametrize("name", catalog.names(catalog.DATASETS))
def test_a_shipped_document_is_valid_and_a_dump_is_one_again(name):
    doc = DataDocument.model_validate(shipped(name))
    assert DataDocument.model_validate(doc.model_dump(mode="json", exclude_none=True)) == doc


@needs_members
def test_the_spec_carries_input_and_task_as_they_were_declared(tmp_path):
    declared = {"input": {"image": {"scale": "unit"}}, "task": {"classification": {"class_weights": "balanced"}}}
    spec = prepare.prepare(DataDocument.model_validate(shipped("digits") | declared), tmp_path / "d")
    assert prepare.load_spec(tmp_path / "d") == spec
    assert inputs.of(spec) == inputs.registry.read(declared["input"])
    assert tasks.of(spec) == tasks.registry.read(declared["task"])


@needs_members
def test_digits_are_prepared(tmp_path):
    spec = prepare.prepare(DataDocument.model_validate(shipped("digits")), tmp_path / "d")
    assert spec.sizes == {"train": 1079, "val": 359, "test": 359}
    assert (spec.input, spec.task, spec.shape) == ("image", "classification", (8, 8, 1))
    assert spec.classes == tuple("0123456789")
    assert np.bincount(stored(tmp_path / "d", "val_y")).min() >= 34
    assert "digits" in (tmp_path / "d/spec.json").read_text()


@needs_members
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no data sets in {SHARED}")
@pytest.mark.parametrize(
    ("name", "sizes", "shape", "classes"),
    [
        ("japanese_vowels", (216, 54, 370), (29, 12), 9),
        ("gunpoint", (40, 10, 150), (150, 1), 2),
        ("italy_power_demand", (54, 13, 1029), (24, 1), 2),
        ("arrowhead", (29, 7, 175), (251, 1), 3),
        ("fashion_mnist", (10_000, 2_500, 10_000), (28, 28, 1), 10),
    ],
)
def test_a_shipped_set_is_prepared(tmp_path, name, sizes, shape, classes):
    spec = prepare.prepare(DataDocument.model_validate(shipped(name)), tmp_path / "d", SHARED)
    assert tuple(spec.sizes.values()) == sizes
    assert spec.shape == shape
    assert len(spec.classes) == classes
    counts = np.bincount(stored(tmp_path / "d", "train_y"), minlength=classes)
    assert counts.min() > 0.8 * counts.mean()
    if name.startswith("fashion"):
        assert stored(tmp_path / "d", "train_x").dtype == np.uint8
