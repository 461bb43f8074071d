from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from automl import inputs, tasks
from automl.data import prepare, store
from automl.data.section import DataDocument, Limit, Split
from automl.document import catalog
from automl.errors import DataError
from automl.inputs import OneColumn, _moments, series
from automl.records.data import Part, Splits, Tree
from automl.sources import Source, _tables
from automl.sources._tables import splits
from automl.tasks import Task
from automl.training.evaluation import Evaluation

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("AUTOML_DATA") or ROOT.parent / "shared/data")
REAL = {"image", "series"} <= set(inputs.registry.names()) and "classification" in tasks.registry.names()


Opened = Callable[[], Splits]


class Given(Source):
    """Opens what it was given, examples marked by their row so that tests can follow them."""

    holder: ClassVar[dict[str, Opened]] = {}
    key: str = "default"

    def open(self, root: Path | None) -> Splits:
        return self.holder[self.key]()

    @classmethod
    def toy(cls, folder: Path) -> Given:  # noqa: ARG003 (the base's name)
        return cls()


def opens(train: Part, val: Part | None = None, test: Part | None = None, **more: Any) -> Opened:
    """Returns what opens a set of these parts."""
    return lambda: splits(train, val, test, **more)


class Plain(OneColumn):
    """Takes everything, remembers what `fit` saw."""

    seen: ClassVar[list[np.ndarray]] = []

    def checked(self, x, first=0):
        return x

    def learned(self, x):
        self.seen.append(x[:].copy())
        return {"mean": float(np.mean(x[:])), "pair": [1, 2]}

    def flow(self, spec):
        raise NotImplementedError

    def stem(self, spec, augmentation=None):
        raise NotImplementedError

    def toy(self, latent, rng):
        raise NotImplementedError


class Classes(Task):
    """Classification without a model."""

    def scan(self, targets):
        return {"classes": [str(name) for name in np.unique(targets["y"])]}

    def store(self, targets, scanned):
        return np.searchsorted(np.asarray(scanned["classes"]), targets["y"].astype(str)).astype(np.int32)

    def strata(self, targets):
        return targets["y"]

    def baselines(self, x, stored, others, spec):
        raise NotImplementedError

    def encode(self, stored, state):
        return stored

    def head(self, flow, spec):
        raise NotImplementedError

    def keras_metrics(self, spec):
        return []

    @staticmethod
    def answers(outputs, told):
        raise NotImplementedError

    def toy(self, rng):
        raise NotImplementedError


class Numbers(Classes):
    """A task without classes."""

    def scan(self, targets):
        return {}

    def store(self, targets, scanned):
        return targets["y"].astype(np.float64)

    def strata(self, targets):
        return None


def rows(count: int, start: int = 0, dtype: Any = np.float64) -> np.ndarray:
    return np.arange(start, start + count).astype(dtype).reshape(-1, 1)


def part(count: int, start: int = 0, classes: str = "abc", dtype: Any = np.float64) -> Part:
    return Part(rows(count, start, dtype), np.array([classes[i % len(classes)] for i in range(count)]))


def document(opened: Opened, **fields: Any) -> DataDocument:
    Given.holder["default"] = opened
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
    spec = prepare.prepare(document(opens(images(3, 1, kind))), tmp_path / "d")
    assert spec.notes == ("toy: channel 2 of 3 carries a single value in all training examples (counted from 0)",)
    spec = prepare.prepare(document(opens(images(3, 2, kind), notes=("read so",))), tmp_path / "d")
    assert spec.notes[0] == "read so"
    assert spec.notes[1].startswith("toy: channels 1, 2 of 3 carry a single value")
    assert prepare.load_spec(tmp_path / "d").notes == spec.notes
    assert prepare.prepare(document(opens(images(3, 0, kind))), tmp_path / "d").notes == ()


def test_a_set_that_carries_one_value_is_refused(tmp_path):
    message = failure(document(opens(images(2, 2), notes=("read so",))), tmp_path / "d")
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
    spec = prepare.prepare(document(opens(Part(x.reshape(shape), y)), input="series"), tmp_path / "d")
    assert spec.notes == ("toy: column 1 of 3 carries a single value in all training examples (counted from 0)",)
    x[:, 1] = np.nan
    assert prepare.prepare(document(opens(Part(x.reshape(shape), y)), input="series"), tmp_path / "d").notes == ()
    x[:] = [1, 2, 3]
    message = failure(document(opens(Part(x.reshape(shape), y)), input="series"), tmp_path / "e")
    assert "every value of every training example is the same, column by column. Received 1, 2, 3" in message


def test_gaps_do_not_hide_that_a_channel_carries_one_value(tmp_path):
    given = images(2, 1)
    x = given.x.reshape(30, 16, 2)
    x[:, ::2, 1] = np.nan
    x[0] = np.where(np.arange(2) == 1, np.nan, x[0])
    spec = prepare.prepare(document(opens(Part(x, given.y))), tmp_path / "d")
    assert "channel 1 of 2" in spec.notes[0]


# --- splitting ----------------------------------------------------------------------------------------------------


def test_a_set_without_parts_becomes_60_20_20_stratified(tmp_path):
    spec = prepare.prepare(document(opens(part(150))), tmp_path / "d")
    assert spec.sizes == {"train": 90, "val": 30, "test": 30}
    for name, each in (("train", 30), ("val", 10), ("test", 10)):
        assert np.unique(stored(tmp_path / "d", f"{name}_y"), return_counts=True)[1].tolist() == [each] * 3
    every = np.concatenate([stored(tmp_path / "d", f"{name}_x").ravel() for name in ("train", "val", "test")])
    assert sorted(every) == list(range(150))


def test_a_test_part_stays_whole_and_a_fifth_of_training_is_val(tmp_path):
    spec = prepare.prepare(document(opens(part(100), test=part(40, 1000))), tmp_path / "d")
    assert spec.sizes == {"train": 80, "val": 20, "test": 40}
    assert stored(tmp_path / "d", "test_x").ravel().tolist() == list(range(1000, 1040))


def test_of_a_time_line_the_latest_is_the_test_part_and_what_came_before_it_val(tmp_path):
    opened = opens(part(150), timeline=True)
    spec = prepare.prepare(document(opened, split={"seed": 3}), tmp_path / "d")
    assert spec.sizes == {"train": 90, "val": 30, "test": 30}
    for name, start, end in (("train", 0, 90), ("val", 90, 120), ("test", 120, 150)):
        assert stored(tmp_path / "d", f"{name}_x").ravel().tolist() == list(range(start, end))
    opened = opens(part(100), test=part(40, 1000), timeline=True)
    prepare.prepare(document(opened), tmp_path / "e")
    assert stored(tmp_path / "e", "val_x").ravel().tolist() == list(range(80, 100))
    rare = opens(Part(rows(150), np.array(["a", "b"] * 40 + ["a"] * 70)), timeline=True)
    assert "part val: holds no example of class 'b'" in failure(document(rare), tmp_path / "f")


def test_folds_of_a_time_line_walk_forward(tmp_path):
    opened = opens(part(150), timeline=True)
    with pytest.raises(
        DataError,
        match=r"stratified trains on what comes after the examples it validates\. Expected strategy: walk_forward",
    ):
        prepare.prepare(document(opened), tmp_path / "d", evaluation=Evaluation(folds=3))
    prepare.prepare(document(opened), tmp_path / "d", evaluation=Evaluation(folds=3, strategy="walk_forward"))
    assert stored(tmp_path / "d", "test_x").ravel().tolist() == list(range(120, 150))


def test_class_names_that_look_alike_are_one_class_in_every_part(tmp_path):
    train = Part(rows(20), np.array(["e\u0301", "b "] * 10))
    spec = prepare.prepare(document(opens(train, test=Part(rows(2), np.array(["\u00e9", "b"])))), tmp_path / "d")
    assert spec.classes == ("b", "\u00e9")


def test_a_val_part_stays_whole_too(tmp_path):
    opened = opens(part(100), val=part(10, 500), test=part(40, 1000))
    assert prepare.prepare(document(opened), tmp_path / "d").sizes == {"train": 100, "val": 10, "test": 40}
    opened = opens(part(100), val=part(10, 500))
    assert prepare.prepare(document(opened), tmp_path / "e").sizes == {"train": 80, "val": 10, "test": 20}


def test_examples_keep_their_targets(tmp_path):
    y = np.array([f"c{i % 7}" for i in range(210)])
    spec = prepare.prepare(document(opens(Part(rows(210), y)), limit={"train": 70}), tmp_path / "d")
    for name in ("train", "val", "test"):
        x, index = stored(tmp_path / "d", f"{name}_x").ravel(), stored(tmp_path / "d", f"{name}_y")
        assert [spec.classes[i] for i in index] == [f"c{int(i) % 7}" for i in x]


def test_the_fractions_and_the_seed_are_the_users(tmp_path):
    def of(name, **split):
        spec = prepare.prepare(document(opens(part(100)), split=split), tmp_path / name)
        return spec.sizes, stored(tmp_path / name, "train_x").ravel().tolist()

    assert of("a", val=0.1, test=0.3)[0] == {"train": 60, "val": 10, "test": 30}
    assert of("b", seed=1) == of("c", seed=1)
    assert of("b", seed=1) != of("d", seed=2)


def test_targets_without_classes_are_split_as_well(tmp_path):
    opened = opens(Part(rows(50), np.linspace(0, 1, 50)))
    spec = prepare.prepare(document(opened, task=Numbers()), tmp_path / "d")
    assert spec.sizes == {"train": 30, "val": 10, "test": 10}
    assert stored(tmp_path / "d", "train_y").dtype == np.float32


def test_limits_hold_for_each_part_and_keep_the_shares(tmp_path):
    y = np.array(["a"] * 800 + ["b"] * 200)
    doc = document(opens(Part(rows(1000), y)), limit={"train": 100, "test": 50})
    spec = prepare.prepare(doc, tmp_path / "d")
    assert spec.sizes == {"train": 100, "val": 200, "test": 50}
    assert np.bincount(stored(tmp_path / "d", "train_y")).tolist() == [80, 20]


@pytest.mark.parametrize("limit", [88, 89, 90, 91, 10_000])
def test_a_limit_may_leave_out_less_than_an_example_per_class(tmp_path, limit):
    spec = prepare.prepare(document(opens(part(150)), limit={"train": limit}), tmp_path / "d")
    assert spec.sizes["train"] == min(limit, 90)


def test_a_class_too_rare_to_be_split_is_named(tmp_path):
    y = np.array(["a"] * 50 + ["rare"] * 2)
    message = failure(document(opens(Part(rows(52), y))), tmp_path / "d")
    assert (
        "class 'rare' is too rare to be split. Expected at least 3 examples, one for each part; received 2" in message
    )


def test_a_class_that_misses_in_a_part_is_named(tmp_path):
    y = np.array(["a"] * 500 + ["rare"] * 3)
    message = failure(document(opens(Part(rows(503), y)), split={"val": 0.05, "test": 0.05}), tmp_path / "d")
    assert "holds no example of class 'rare'" in message
    message = failure(document(opens(part(30), test=part(10, classes="abz"))), tmp_path / "d")
    assert "toy, part train: holds no example of class 'z'" in message
    message = failure(document(opens(part(30), test=part(10, classes="a"))), tmp_path / "d")
    assert "toy, part test: holds no example of class 'b' and of 1 more" in message
    message = failure(document(opens(part(90)), limit={"train": 2}), tmp_path / "d")
    assert "toy, part train: holds no example of class" in message


def test_a_set_too_small_to_be_split(tmp_path):
    assert "cannot be cut off" in failure(document(opens(part(9))), tmp_path / "d")
    assert not (tmp_path / "d").exists()


# --- what is stored -----------------------------------------------------------------------------------------------


def test_preprocessing_is_learned_from_the_training_part_only(tmp_path):
    spec = prepare.prepare(document(opens(part(90), test=part(30, 10_000))), tmp_path / "d")
    (seen,) = Plain.seen
    np.testing.assert_array_equal(seen, stored(tmp_path / "d", "train_x"))
    assert len(seen) == 72
    assert spec.inputs[0].state["mean"] == float(np.mean(seen)) < 100


@pytest.mark.parametrize(
    ("given", "kept"), [("uint8", "uint8"), ("float64", "float32"), ("int64", "float32"), ("bool", "float32")]
)
def test_bytes_stay_bytes_and_all_else_is_float32(tmp_path, given, kept):
    content = part(60)
    prepare.prepare(document(opens(Part((content.x % 2).astype(given), content.y))), tmp_path / "d")
    assert stored(tmp_path / "d", "train_x").dtype == kept
    assert stored(tmp_path / "d", "train_y").dtype == np.int32


def test_the_spec_is_read_back_as_it_was(tmp_path):
    spec = prepare.prepare(document(opens(part(60))), tmp_path / "deep/er/d")
    assert prepare.load_spec(tmp_path / "deep/er/d") == spec
    assert spec.folder == str((tmp_path / "deep/er/d").resolve())
    assert (spec.name, spec.inputs[0].shape, spec.classes) == ("toy", (1,), ("a", "b", "c"))
    (tmp_path / "deep/er/d").rename(tmp_path / "moved")
    assert prepare.load_spec(tmp_path / "moved").folder == str(tmp_path / "moved")


def test_preparing_twice_is_the_same_and_leaves_the_files_alone(tmp_path):
    doc = document(opens(part(60)))
    first = prepare.prepare(doc, tmp_path / "d")
    inode = (tmp_path / "d/train_x.npy").stat().st_ino
    assert prepare.prepare(doc, tmp_path / "d") == first
    assert (tmp_path / "d/train_x.npy").stat().st_ino == inode
    assert prepare.prepare(doc, tmp_path / "e").digest == first.digest
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d", "e"]


def test_of_several_writers_one_wins_and_all_agree(tmp_path):
    doc = document(opens(part(60)))
    with ThreadPoolExecutor(8) as pool:
        specs = list(pool.map(lambda _: prepare.prepare(doc, tmp_path / "d"), range(16)))
    assert all(spec == specs[0] for spec in specs)
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_another_preparation_replaces_the_folder_under_open_maps(tmp_path):
    before = prepare.prepare(document(opens(part(60))), tmp_path / "d")
    held = stored(tmp_path / "d", "train_x")
    content = held.tolist()
    after = prepare.prepare(document(opens(part(90))), tmp_path / "d")
    assert prepare.load_spec(tmp_path / "d") == after != before
    assert held.tolist() == content
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_the_digest_knows_values_split_classes_and_types(tmp_path):
    base = part(60)
    changed = Part(base.x.copy(), base.y)
    changed.x[7] += 1
    renamed = Part(base.x, np.char.upper(base.y))
    documents = [
        document(opens(base)),
        document(opens(base), split={"seed": 1}),
        document(opens(base), limit={"train": 30}),
    ]
    digests = [prepare.prepare(doc, tmp_path / str(i)).digest for i, doc in enumerate(documents)]
    for i, other in enumerate((changed, renamed, part(60, dtype="uint8"))):
        digests.append(prepare.prepare(document(opens(other)), tmp_path / f"o{i}").digest)
    assert len(set(digests)) == 6
    assert all(len(digest) == 64 for digest in digests)
    assert prepare.prepare(document(opens(base)), tmp_path / "again").digest == digests[0]


def test_the_digest_does_not_depend_on_the_byte_order_of_the_machine(tmp_path):
    def digest(order: str) -> str:
        with store.Draft(tmp_path / "d") as draft:
            for part in ("train", "val", "test"):
                draft.put(part, "x", rows(3, dtype=f"{order}f4"), np.arange(3), 3)
                draft.put(part, "y", np.arange(3, dtype=f"{order}i4"), np.arange(3), 3)
            return draft.digest(["x", "y"], ("a",))

    assert digest("<") == digest(">")


def test_a_digest_that_differs_is_refused(tmp_path):
    good = prepare.prepare(document(opens(part(60))), tmp_path / "d").digest
    assert prepare.prepare(document(opens(part(60)), digest=good), tmp_path / "d").digest == good
    message = failure(document(opens(part(90)), digest=good), tmp_path / "e")
    assert f"toy: the data is not what it was. Expected SHA-256 {good}; received " in message
    assert not (tmp_path / "e").exists()


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    opened = np.lib.format.open_memmap

    def full_disk(path, *args, **more):
        if path.name == "val_y.npy":
            path.touch()
            raise OSError("No space left on device")
        return opened(path, *args, **more)

    monkeypatch.setattr(np.lib.format, "open_memmap", full_disk)
    with pytest.raises(OSError, match="No space"):
        prepare.prepare(document(opens(part(60))), tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("opened", "said"),
    [
        (opens(Part(np.array([["a"]] * 30), part(30).y)), "toy, part train: examples are not numbers"),
        (opens(Part(np.full((30, 1), np.inf), part(30).y)), "infinite or beyond float32"),
        (opens(part(30), test=Part(np.zeros((9, 2)), part(9).y)), "differ in shape between the parts"),
        (opens(Part(rows(30), part(29).y)), "Expected 30 targets; received 29"),
        (opens(Part(rows(30), np.array([None] * 30))), "targets are neither numbers nor text"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path, opened, said):
    assert said in failure(document(opened), tmp_path / "d")


def test_a_folder_without_a_whole_set(tmp_path):
    with pytest.raises(DataError, match=r"holds no prepared data. Expected the file spec\.json"):
        prepare.load_spec(tmp_path)
    prepare.prepare(document(opens(part(60))), tmp_path / "d")
    (tmp_path / "d/val_y.npy").unlink()
    with pytest.raises(DataError, match=r"the file val_y\.npy is missing"):
        prepare.load_spec(tmp_path / "d")
    whole = (tmp_path / "d/spec.json").read_text()
    content = json.loads(whole)
    letters = [
        json.dumps({**content, "task": {**content["task"], "state": {"classes": "abc"}}}),
        json.dumps({**content, "task": {**content["task"], "columns": "y"}}),
        json.dumps({**content, "inputs": [{**content["inputs"][0], "columns": "x"}]}),
    ]
    for text in ("", "[]", "{}", '{"inputs": 1}', "\x00", *letters):
        (tmp_path / "d/spec.json").write_text(text)
        with pytest.raises(DataError, match="cannot be read as a description"):
            prepare.load_spec(tmp_path / "d")


# --- piece by piece -----------------------------------------------------------------------------------------------


def small(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Has everything read in pieces of so many bytes."""
    for module in (_tables, store, series):
        monkeypatch.setattr(module, "PIECE_BYTES", size)
    monkeypatch.setattr(_moments, "CHUNK_BYTES", size)


@pytest.mark.parametrize("dtype", ["uint8", "float64"])
@pytest.mark.parametrize("evaluation", [None, Evaluation(folds=3)])
@pytest.mark.parametrize("limit", [None, {"train": 61, "test": 20}])
def test_a_set_larger_than_a_piece_is_prepared_as_a_smaller_one_is(tmp_path, monkeypatch, dtype, evaluation, limit):
    x = np.random.default_rng(0).integers(0, 255, (150, 5, 4, 2)).astype(dtype)
    y = np.array(list("abc" * 50))
    doc = document(opens(Part(x[:110], y[:110]), test=Part(x[110:], y[110:])), input="image", limit=limit)
    whole = prepare.prepare(doc, tmp_path / "whole", evaluation=evaluation)
    for size in (1, 3 * x[0].nbytes, 1000):
        small(monkeypatch, size)
        spec = prepare.prepare(doc, tmp_path / str(size), evaluation=evaluation)
        assert spec.digest == whole.digest
        for name in store.files(spec):
            assert (tmp_path / str(size) / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
        assert len(spec.folds) == len(whole.folds)
        for fold in (None, *range(len(whole.folds))):
            learned, known = (each.at(fold).inputs[0].state for each in (spec, whole))
            for key in ("mean", "deviation"):
                np.testing.assert_allclose(learned[key], known[key], rtol=1e-12)


def test_padding_is_seen_in_any_piece(tmp_path, monkeypatch):
    x = np.random.default_rng(0).normal(size=(90, 6, 2)).astype("f4")
    y = np.array(list("abc" * 30))
    small(monkeypatch, x[0].nbytes)
    assert not prepare.prepare(document(opens(Part(x, y)), input="series"), tmp_path / "d").inputs[0].state["padded"]
    x[-9:, 4:] = np.nan
    assert prepare.prepare(document(opens(Part(x, y)), input="series"), tmp_path / "e").inputs[0].state["padded"]


class Mixed:
    """A table of 200 rows whose parts take turns, read seven rows at a time."""

    columns, notes = ("x", "y"), ()

    def __len__(self) -> int:
        return 200

    def pieces(
        self, columns: Sequence[str], rows: np.ndarray | None = None, *, text: bool = False
    ) -> Iterator[tuple[np.ndarray, Tree]]:
        del text
        wanted = np.arange(200) if rows is None else rows
        assert (np.diff(wanted) > 0).all()
        for start in range(0, len(wanted), 7):
            some = wanted[start : start + 7]
            known = {"x": some[:, None].astype(np.float64), "y": np.array(["a", "b", "c"])[some % 3]}
            yield some, {name: known[name] for name in columns}


def test_parts_may_lie_anywhere_in_a_table_and_rows_in_none(tmp_path):
    train, test = np.random.default_rng(0).permutation(np.arange(0, 160, 2)), np.arange(1, 160, 4)

    def of(numbers):
        return Part(numbers[:, None].astype(np.float64), np.array(["a", "b", "c"])[numbers % 3])

    for limit in (None, {"train": 20}):
        apart = prepare.prepare(document(opens(of(train), test=of(test)), limit=limit), tmp_path / "d")
        mixed = document(lambda: Splits(Mixed(), {"train": train, "test": test}), limit=limit)
        assert prepare.prepare(mixed, tmp_path / "e").digest == apart.digest
        assert stored(tmp_path / "e", "test_x").ravel().tolist() == test.tolist()


@pytest.mark.parametrize("limit", [None, {"train": 30, "val": 10}])
@pytest.mark.parametrize("size", [1000, 2**20])
def test_an_example_that_cannot_be_used_is_told_by_its_number_in_its_part(tmp_path, monkeypatch, size, limit):
    small(monkeypatch, size)
    x, y = np.random.default_rng(0).normal(size=(90, 4, 4, 1)), np.array(list("abc" * 30))
    x[:, 0, 0, 0] = np.arange(90)

    def doc(x: np.ndarray) -> DataDocument:
        return document(opens(Part(x, y), test=Part(x[:30] + 100, y[:30])), input="image", limit=limit)

    prepare.prepare(doc(x), tmp_path / "d")
    used = np.concatenate([stored(tmp_path / "d", f"{name}_x")[:, 0, 0, 0] for name in ("train", "val")]).astype(int)
    for bad in np.sort(used)[[0, 12, -1]]:
        broken = x.copy()
        broken[bad, 2, 3] = np.nan
        said = f"image: 1 examples hold NaN or infinite pixels, the first at index {bad}. Expected finite numbers"
        assert said in failure(doc(broken), tmp_path / "e")
    table = rows(90)
    table[77] = np.inf
    message = failure(document(opens(Part(table, y))), tmp_path / "e")
    assert message.startswith("toy, part train: the value at (77, 0) is infinite or beyond float32")


def test_bytes_and_floats_that_folds_put_together_are_floats(tmp_path):
    train, val = part(60, dtype="uint8"), Part(rows(30) + 300.5, part(30).y)
    prepare.prepare(document(opens(train, val)), tmp_path / "d", evaluation=Evaluation(folds=3))
    kept = [stored(tmp_path / "d", f"{name}_x") for name in ("train", "val")]
    assert [x.dtype for x in kept] == [np.float32, np.float32]
    every = np.concatenate([kept[0].ravel(), stored(tmp_path / "d", "test_x").ravel()])
    assert sorted(every) == [*range(60), *(300.5 + i for i in range(30))]


def test_each_part_tells_its_targets_and_groups_in_its_own_way(tmp_path):
    kinds = np.array([name.encode() for name in ["\u00e4", "b"] * 30])
    train = Part(rows(60), kinds, np.where(np.arange(60) < 6, np.arange(60) // 3, np.nan))
    test = Part(rows(20), np.array(["\u00e4", "b "] * 10)[:, None])
    spec = prepare.prepare(document(opens(train, test=test)), tmp_path / "d")
    assert (spec.sizes, spec.classes) == ({"train": 48, "val": 12, "test": 20}, ("b", "\u00e4"))


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
        document(opens(part(9)), **fields)


def test_every_field_of_a_document_says_what_it_is():
    for model in (DataDocument, Split, Limit):
        for name, field in model.model_fields.items():
            assert field.description, name


def test_documents_are_checked_without_heavy_libraries():
    heavy = ("numpy", "sklearn", "pandas", "keras", "tensorflow", "mlflow")
    code = f"import sys, automl.data.section; print([m for m in {heavy} if m in sys.modules])"
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
    assert inputs.of(spec.inputs[0]) == inputs.registry.read(declared["input"])
    assert tasks.of(spec.task) == tasks.registry.read(declared["task"])


@needs_members
def test_digits_are_prepared(tmp_path):
    spec = prepare.prepare(DataDocument.model_validate(shipped("digits")), tmp_path / "d")
    assert spec.sizes == {"train": 1079, "val": 359, "test": 359}
    assert (spec.inputs[0].kind, spec.task.kind, spec.inputs[0].shape) == ("image", "classification", (8, 8, 1))
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
    assert spec.inputs[0].shape == shape
    assert len(spec.classes) == classes
    counts = np.bincount(stored(tmp_path / "d", "train_y"), minlength=classes)
    assert counts.min() > 0.8 * counts.mean()
    if name.startswith("fashion"):
        assert stored(tmp_path / "d", "train_x").dtype == np.uint8
