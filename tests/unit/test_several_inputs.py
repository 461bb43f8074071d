"""Several inputs: how they are declared, how their models are written, named, built and overridden; taps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.data import prepare
from automl.data.feed import Feed
from automl.data.section import DataDocument
from automl.document import yaml_text
from automl.document.yaml_text import parse
from automl.errors import ConfigError, DataError, Infeasible
from automl.experiment import experiment
from automl.model import build
from automl.records.data import EXAMPLES, TARGETS, DataSpec, InputSpec, TaskSpec

SPACE = """
model:
  photo:
    - conv: {filters: {min: 4, max: 8, default: 4}, kernel_size: 3, padding: same}
  facts:
    - dense: {units: {values: [3, 5]}}
  join: {values: [concat, add, attention]}
  trunk:
    - dense: {units: {min: 2, max: 6}}
"""
DATA = """
data:
  name: two
  source: {npz: {file: two.npz}}
  inputs:
    photo: {image: {column: photo}}
    facts: {table: {columns: [size]}}
  task: classification
"""


def read(text: str) -> experiment.Experiment:
    return experiment.check(parse(text, "space.yaml"), "space")


def problem(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return str(caught.value)


def spec(numbers: int = 2) -> DataSpec:
    zeros, ones = [0.0], [1.0]
    pixels = {"scale": "none", "mean": zeros, "deviation": ones, "low": 0.0, "high": 1.0}
    learned = {"scale": "standardize", "mean": [0.0] * numbers, "offset": [0.0] * numbers, "width": [1.0] * numbers}
    table = {**learned, "missing": [], "numbers": ["a"], "words": {}}
    given = (
        InputSpec("photo", {"image": {}}, (EXAMPLES,), (6, 6, 1), pixels),
        InputSpec("facts", {"table": {}}, ("table_numbers",), (numbers,), table),
    )
    task = TaskSpec({"classification": {}}, (TARGETS,), {"classes": ["a", "b"]})
    return DataSpec("", "two", "", given, task, {})


def test_a_mapping_of_lists_is_short_for_a_block_and_its_trunk() -> None:
    found = read(SPACE)
    assert sorted(found.space.by_name) == ["dense.units", "facts.dense.units", "join", "photo.conv.filters"]
    first, second = found.trial(found.space.defaults())["model"]
    assert first["inputs"]["join"] == "concat"
    assert first["inputs"]["branches"]["photo"] == [{"conv": {"filters": 4, "kernel_size": 3, "padding": "same"}}]
    assert list(second) == ["dense"]
    # What was resolved runs again as it is.
    again = read(yaml_text.dump(found.trial(found.space.defaults())))
    assert again.space.params == ()


def test_mistakes_are_told_where_they_were_written() -> None:
    assert problem(SPACE.replace("kernel_size", "kernel_sise")).startswith("space.yaml:4:")
    assert problem(SPACE.replace("units: {min: 2", "unit: {min: 2")).startswith("space.yaml:9:")
    assert "join" in problem(SPACE.replace("attention", "multiply"))
    assert "an input cannot be named 'dense'" in problem(SPACE.replace("photo:", "dense:"))
    assert "an input cannot be named 'training'" in problem(SPACE.replace("photo:", "training:"))


@pytest.mark.parametrize(
    ("option", "place"),
    [
        ("photo.conv.filters=5", ("photo", 0, "conv", "filters", 5)),
        ("facts.dense.units=3", ("facts", 0, "dense", "units", 3)),
    ],
)
def test_options_name_them_as_parameters_are_named(option: str, place: tuple[Any, ...], tmp_path: Any) -> None:
    (tmp_path / "space.yaml").write_text(SPACE)
    found = experiment.load(str(tmp_path / "space.yaml"), options=[option, "join=add"])
    branch, index, kind, field, value = place
    branches = found.document.data["model"][0]["inputs"]["branches"]
    assert branches[branch][index][kind][field] == value
    assert found.document.data["model"][0]["inputs"]["join"] == "add"


@pytest.mark.parametrize("join", ["concat", "add", "attention"])
def test_they_are_joined(join: str) -> None:
    found = read(SPACE)
    model = build.build(found.trial({**found.space.defaults(), "join": join}), spec())
    given = {"photo": np.zeros((3, 6, 6, 1), "float32"), "facts": np.ones((3, 2), "float32")}
    assert model.predict(given, verbose=0).shape == (3, 2)
    assert {each.name for each in model.inputs} == {"photo", "facts"}


def test_inputs_and_lists_must_be_the_same() -> None:
    with pytest.raises(Infeasible, match=r"model: the data has several inputs. Expected a list of blocks for each: "):
        build.build({"model": ["dense"]}, spec())
    with pytest.raises(Infeasible, match=r"model\[0\] inputs: the data has the inputs photo, facts, and the model"):
        build.build({"model": [{"inputs": {"branches": {"photo": ["conv"]}}}]}, spec())


def test_the_data_says_input_or_inputs() -> None:
    assert list(read(SPACE + DATA).data.readers) == ["photo", "facts"]  # type: ignore[union-attr]
    two = DATA.replace("  inputs:", "  input: image\n  inputs:")
    assert "input and inputs exclude each other" in problem(SPACE + two)
    none = "".join(line for line in DATA.splitlines(keepends=True) if not line.startswith(("  inputs", "    ")))
    assert "input is missing" in problem(SPACE + none)
    one = DATA.replace("    facts: {table: {columns: [size]}}\n", "")
    assert "a single one is declared as input" in problem(SPACE + one)
    assert "unknown input 'imag'" in problem(SPACE + DATA.replace("{image: {column", "{imag: {column"))
    assert "unknown key 'colum'" in problem(SPACE + DATA.replace("{column: photo", "{colum: photo"))


def test_what_is_tapped_is_merged() -> None:
    import keras

    blocks = [
        {"conv": {"filters": 4, "kernel_size": 3, "tap": "early"}},
        {"conv": {"filters": 5, "kernel_size": 3}},
        {"merge": {"taps": ["early"]}},
    ]
    model = build.build({"model": blocks}, build.data_of((8, 8, 1), 2))
    (merged,) = [layer for layer in model.layers if isinstance(layer, keras.layers.Concatenate)]
    assert merged.output.shape == (None, 8, 8, 9)


@pytest.mark.parametrize(
    ("merge", "said"),
    [
        ({"taps": ["earli"]}, r"nothing before it is tapped as 'earli'. Expected one of early. Did you mean 'early'"),
        ({"taps": ["early"], "mode": "add"}, "early is a feature map of 8x8x4, what comes in a feature map of 8x8x5"),
    ],
)
def test_a_merge_that_does_not_fit_is_refused_when_built_and_without_keras(merge: dict[str, Any], said: str) -> None:
    from automl.blocks._chain import Chain
    from automl.flow import Shape

    blocks = [{"conv": {"filters": 4, "tap": "early"}}, {"conv": {"filters": 5}}, {"merge": merge}]
    with pytest.raises(Infeasible, match=said):
        build.build({"model": blocks}, build.data_of((8, 8, 1), 2))
    with pytest.raises(Infeasible, match=said):
        Chain.read(blocks, "model").shape(Shape("feature_map", (8, 8, 1)), ("vector",), "the image", "head")


def test_a_tap_reaches_into_a_stack_and_out_of_it() -> None:
    blocks = [
        {"stack": {"blocks": [{"conv": {"filters": 4, "tap": "inner"}}, {"conv": {"filters": 3}}]}},
        {"merge": {"taps": ["inner"]}},
    ]
    model = build.build({"model": blocks}, build.data_of((8, 8, 1), 2))
    assert any(layer.output.shape == (None, 8, 8, 7) for layer in model.layers if hasattr(layer.output, "shape"))


def test_a_keras_layer_by_class_name_may_be_tapped() -> None:
    blocks = [{"Dropout": {"rate": 0.1, "tap": "early"}}, {"conv": {"filters": 3}}, {"merge": {"taps": ["early"]}}]
    build.build({"model": blocks}, build.data_of((8, 8, 1), 2))


def test_inputs_that_store_columns_of_one_name_keep_their_own(tmp_path: Path) -> None:
    given = {"p": np.arange(40.0), "q": -np.arange(40.0), "y": np.arange(40) % 2, "x": np.zeros((40, 1))}
    np.savez(tmp_path / "set.npz", **given)
    document = DataDocument.model_validate({
        "name": "two",
        "source": {"npz": {"file": str(tmp_path / "set.npz")}},
        "inputs": {"table": {"table": {"columns": ["p"]}}, "b": {"table": {"columns": ["q"]}}},
        "task": "classification",
    })  # fmt: skip
    spec = prepare.prepare(document, tmp_path / "data")
    x, y = Feed(spec, "train", 40)[0]
    assert (x["table"] >= 0).all()
    assert (x["b"] <= 0).all()
    np.testing.assert_array_equal(x["table"], -x["b"])
    np.testing.assert_array_equal(x["table"][:, 0] % 2, y.argmax(axis=1))


def test_a_column_may_be_called_as_the_targets_are_or_what_no_file_can_be(tmp_path: Path) -> None:
    images = np.arange(40 * 9, dtype=np.uint8).reshape(40, 3, 3)
    np.savez(tmp_path / "set.npz", y=images, **{"a/b": np.arange(40) % 2}, x=images)
    for column in ("y", "a/b"):
        target = "a/b" if column == "y" else "y"
        document = DataDocument.model_validate({
            "name": "one",
            "source": {"npz": {"file": str(tmp_path / "set.npz")}},
            "input": {"image": {"column": column}} if column == "y" else {"table": {"columns": [column]}},
            "task": {"classification": {"target": target}},
        })  # fmt: skip
        if column == "y":
            spec = prepare.prepare(document, tmp_path / "data")
            assert Feed(spec, "train", 4)[0][0].shape == (4, 3, 3, 1)
        else:
            with pytest.raises(DataError, match="the targets have shape"):
                prepare.prepare(document, tmp_path / "data")
