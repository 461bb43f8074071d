from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from automl.errors import DataError
from automl.sources._tables import held
from automl.sources.ts import Ts

SHARED = Path(os.environ.get("AUTOML_DATA") or Path(__file__).parents[3] / "shared/data")
HEAD = "#c\n@problemName p\n@timeStamps false\n@univariate true\n@classLabel true a b\n@data\n"
MULTI = HEAD.replace("@univariate true", "@univariate false\n@dimensions 2")


def load(folder: Path, text: str | bytes):
    (folder / "s.ts").write_bytes(text.encode() if isinstance(text, str) else text)
    return held(Ts(folder=str(folder), name="s").open(None))


def failure(folder: Path, text: str | bytes) -> str:
    with pytest.raises(DataError) as caught:
        load(folder, text)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(folder) + "/", "")


def test_univariate_series_get_one_channel(tmp_path):
    part = load(tmp_path, HEAD + "1,2,3:a\n\n4,5,6:b\n")["train"]
    assert part.x.dtype == np.float32
    np.testing.assert_array_equal(part.x, [[[1], [2], [3]], [[4], [5], [6]]])
    assert part.y.tolist() == ["a", "b"]


def test_channels_stand_last_and_short_series_are_padded_on_the_right(tmp_path):
    nan = np.nan
    part = load(tmp_path, MULTI + "1,2,3:4,5,6:a\n7:8:b\n")["train"]
    np.testing.assert_array_equal(part.x, [[[1, 4], [2, 5], [3, 6]], [[7, 8], [nan, nan], [nan, nan]]])


def test_padding_runs_over_all_parts(tmp_path):
    (tmp_path / "s_TRAIN.ts").write_text(HEAD + "1,2:a\n")
    (tmp_path / "s_TEST.ts").write_text(HEAD + "1,2,3,4:b\n")
    parts = held(Ts(folder=str(tmp_path), name="s").open(None))
    assert parts["train"].x.shape == parts["test"].x.shape == (1, 4, 1)
    assert np.isnan(parts["train"].x[0, 2:]).all()


def test_missing_values_are_nan(tmp_path):
    part = load(tmp_path, HEAD.replace("@data", "@missing true\n@data") + "1,?,3,NaN:a\n")["train"]
    np.testing.assert_array_equal(part.x[0, :, 0], [1, np.nan, 3, np.nan])


def test_headers_are_read_in_any_case_and_with_a_byte_order_mark(tmp_path):
    text = "\ufeff@PROBLEMNAME p\n@TimeStamps FALSE\n@classlabel true a\n@DATA\n1,2:a\r\n"
    assert load(tmp_path, text)["train"].x.shape == (1, 2, 1)


def test_numeric_targets(tmp_path):
    text = HEAD.replace("@classLabel true a b", "@targetLabel true")
    part = load(tmp_path, text + "1,2:0.5\n3,4:-2\n")["train"]
    assert part.y.dtype == np.float32
    assert part.y.tolist() == [0.5, -2.0]
    assert ":7: a value is not a number" in failure(tmp_path, text + "1,2:high\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "s.ts: has no @data line"),
        (HEAD, "s.ts: holds no series"),
        (b"\xff\xfe\x00", "s.ts: is not UTF-8 text. Expected UTF-8; received byte 0xff at offset 0"),
        (HEAD + "1,x,3:a\n", "s.ts:7: a value is not a number. Expected a finite number"),
        (HEAD + "1,,3:a\n", "received ''"),
        (HEAD + "1,inf:a\n", "s.ts:7: a value is not a number"),
        (HEAD + "1,1e39:a\n", "s.ts:7: a value is not a number"),
        (HEAD + "1,2:a\n1,2:aa\n", "s.ts:8: unknown class label. Expected one of @classLabel: a, b; received 'aa'"),
        (HEAD + "1,2\n", "s.ts:7: wrong number of channels. Expected 1 and the target, parted by ':'; received 0"),
        (HEAD + "1,2:3,4:a\n", "s.ts:7: wrong number of channels"),
        (MULTI + "1,2:3:a\n", "s.ts:8: channels differ in length. Expected 2 values each; received 1"),
        (MULTI + "1,2:3,4:a\n1,2:a\n", "s.ts:9: wrong number of channels"),
        (HEAD.replace("@data", "@equalLength true\n@data") + "1,2:a\n1:b\n", "s.ts:9: wrong length under @equalLength"),
        (HEAD.replace("@data", "@equalLength true\n@seriesLength 3\n@data") + "1,2:a\n", "Expected 3 values"),
        (HEAD.replace("@data", "@seriesLength no\n@data"), "s.ts:6: @serieslength is not a count"),
        (HEAD.replace("@timeStamps false", "@timeStamps true"), "s.ts:3: series with time stamps are not supported"),
        (HEAD.replace("@timeStamps false", "@timeStamps"), "s.ts:3: @timestamps has no value"),
        (HEAD.replace("@timeStamps false", "@timeStamps perhaps"), "is neither yes nor no"),
        (HEAD.replace("@univariate", "@univarate"), "Did you mean 'univariate'?"),
        (HEAD.replace("@classLabel true a b", "@classLabel true"), "s.ts:5: no class is named"),
        (HEAD.replace("@classLabel true a b", "@classLabel false"), "s.ts:6: the series have no targets"),
        ("1,2,3\n" + HEAD, "s.ts:1: data before @data"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, text, said):
    assert said in failure(tmp_path, text)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"s_TRAIN\.ts is missing.*received an empty folder"):
        Ts(folder=str(tmp_path), name="s").open(None)
    (tmp_path / "s_TRAIN.ts").write_text(HEAD + "1:a\n")
    with pytest.raises(DataError, match=r"s_TEST\.ts is missing"):
        Ts(folder=str(tmp_path), name="s").open(None)
    with pytest.raises(DataError, match="is a file"):
        Ts(folder=str(tmp_path / "s_TRAIN.ts")).open(None)


def test_parts_with_different_channels_are_refused(tmp_path):
    (tmp_path / "s_TRAIN.ts").write_text(HEAD + "1,2:a\n")
    (tmp_path / "s_TEST.ts").write_text(MULTI + "1,2:3,4:b\n")
    with pytest.raises(DataError, match="Expected 1 channels; received 2"):
        Ts(folder=str(tmp_path), name="s").open(None)


@pytest.mark.skipif(not (SHARED / "ucr_uea").is_dir(), reason=f"no ucr_uea in {SHARED}")
@pytest.mark.parametrize(
    ("name", "sizes", "shape", "classes"),
    [
        ("ArrowHead", (36, 175), (251, 1), 3),
        ("GunPoint", (50, 150), (150, 1), 2),
        ("ItalyPowerDemand", (67, 1029), (24, 1), 2),
        ("JapaneseVowels", (270, 370), (29, 12), 9),
    ],
)
def test_the_archive_is_what_its_source_says(name, sizes, shape, classes):
    parts = held(Ts(folder=f"ucr_uea/{name}").open(SHARED))
    assert (len(parts["train"].x), len(parts["test"].x)) == sizes
    assert parts["train"].x.shape[1:] == parts["test"].x.shape[1:] == shape
    assert len(np.unique(parts["train"].y)) == len(np.unique(parts["test"].y)) == classes
    if name != "JapaneseVowels":
        assert np.isfinite(parts["train"].x).all()
        assert np.isfinite(parts["test"].x).all()


@pytest.mark.skipif(not (SHARED / "ucr_uea").is_dir(), reason=f"no ucr_uea in {SHARED}")
def test_japanese_vowels_have_7_to_29_steps_and_30_training_series_a_speaker():
    parts = held(Ts(folder="ucr_uea/JapaneseVowels").open(SHARED))
    lengths = np.concatenate([np.isfinite(part.x).all(axis=2).sum(axis=1) for part in (parts["train"], parts["test"])])
    assert (lengths.min(), lengths.max()) == (7, 29)
    assert np.unique(parts["train"].y, return_counts=True)[1].tolist() == [30] * 9
    # Padding stands on the right alone: after the first NaN nothing follows.
    padded = np.isnan(parts["train"].x).any(axis=2)
    assert (np.diff(padded.astype(int), axis=1) >= 0).all()
    assert parts["train"].x[0, 0, 0] == np.float32(1.860936)
    assert parts["train"].x[0, 0, 1] == np.float32(-0.207383)


def test_zeros_at_an_end_are_padding_where_that_is_said(tmp_path):
    (tmp_path / "s.ts").write_text(HEAD + "1,2,0,0:a\n4,5,6,7:b\n")
    part = held(Ts(folder=str(tmp_path), name="s", zero_padding="end").open(None))["train"]
    np.testing.assert_array_equal(part.x[..., 0], [[1, 2, np.nan, np.nan], [4, 5, 6, 7]])


def test_numbers_that_float32_does_not_tell_apart_are_refused(tmp_path):
    message = failure(tmp_path, HEAD + ",".join(str(1_700_000_000 + i) for i in range(20)) + ":a\n")
    assert "s.ts:7: numbers that differ are one number in float32" in message
