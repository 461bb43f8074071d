from __future__ import annotations

import contextlib
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from automl.data.image_folder import ImageFolder
from automl.errors import DataError

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def write(path: Path, size: tuple[int, int] = (4, 4), color: object = RED, mode: str = "RGB", **how: object) -> Path:
    """Writes an image of one colour; `size` is its height and width."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size[::-1], color).save(path, **how)
    return path


def load(folder: Path, **fields: object):
    return ImageFolder(folder=str(folder), **fields).load(None)


def failure(folder: Path, **fields: object) -> str:
    with pytest.raises(DataError) as caught:
        load(folder, **fields)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- folders


def test_the_folders_are_the_classes_in_the_order_of_their_names(tmp_path):
    for name, color in (("b/2.png", BLUE), ("b/10.png", GREEN), ("a/x.png", RED)):
        write(tmp_path / name, color=color)
    splits = load(tmp_path)
    assert (splits.val, splits.test) == (None, None)
    assert splits.train.y.tolist() == ["a", "b", "b"]
    assert splits.train.x.dtype == np.uint8
    assert splits.train.x.shape == (3, 4, 4, 3)
    assert splits.train.x[:, 0, 0].tolist() == [list(RED), list(GREEN), list(BLUE)]


def test_the_folders_of_parts(tmp_path):
    for part, count in (("train", 3), ("val", 2), ("test", 1)):
        for name in ("a", "b"):
            for number in range(count):
                write(tmp_path / part / name / f"{number}.png")
    splits = load(tmp_path)
    assert [part.y.tolist() for part in (splits.train, splits.val, splits.test)] == [
        ["a"] * 3 + ["b"] * 3,
        ["a"] * 2 + ["b"] * 2,
        ["a", "b"],
    ]
    write(tmp_path / "more" / "a" / "0.png")
    assert "holds folders beside `train`. Expected train, val, test; received [more]" in unquoted(failure(tmp_path))


def test_a_class_may_be_called_train(tmp_path):
    for name in ("train", "bus"):
        write(tmp_path / name / "0.png")
    assert load(tmp_path).train.y.tolist() == ["bus", "train"]


def test_what_systems_leave_behind_is_not_read(tmp_path):
    write(tmp_path / "a" / "0.png")
    for name in ("SOURCE.txt", "a/Thumbs.db", "a/.DS_Store", ".git/config", "__MACOSX/a/._0.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("no image")
    assert load(tmp_path).train.y.tolist() == ["a"]


def test_a_folder_that_holds_no_classes(tmp_path):
    assert "holds no folders. Expected one for each class; received an empty folder" in failure(tmp_path)
    write(tmp_path / "0.png")
    assert "received [0.png]" in unquoted(failure(tmp_path))
    assert "0.png: is a file" in failure(tmp_path / "0.png")
    (tmp_path / "a").mkdir()
    assert f"{tmp_path / 'a'}: holds no image" in failure(tmp_path)
    write(tmp_path / "a" / "b" / "0.png")
    assert f"{tmp_path / 'a' / 'b'}: is a folder in the folder of a class" in failure(tmp_path)


@pytest.mark.parametrize("link", ["a/1.png", "b", "train"])
def test_no_link_leads_out(tmp_path, link):
    inside, outside = tmp_path / "in", tmp_path / "out"
    write(inside / "a" / "0.png")
    write(outside / "c" / "0.png")
    if link == "train":
        (inside / "a").rename(inside / "test")
    target = {"a/1.png": outside / "c" / "0.png", "b": outside / "c", "train": outside}[link]
    (inside / link).symlink_to(target)
    assert f"leads out of {inside}" in failure(inside)


def test_a_link_inside_is_followed(tmp_path):
    write(tmp_path / "a" / "0.png")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert load(tmp_path).train.y.tolist() == ["a", "b"]


# --- files


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "webp", "gif"])
def test_every_format(tmp_path, ending):
    write(tmp_path / "a" / f"0.{ending}", size=(16, 16), color=BLUE)
    pixel = load(tmp_path).train.x[0, 8, 8].astype(int)
    assert abs(pixel - BLUE).max() <= 3


@pytest.mark.parametrize(
    ("mode", "color", "rgb", "grey"),
    [
        ("L", 90, (90, 90, 90), 90),
        ("1", 1, (255, 255, 255), 255),
        ("P", 0, (0, 0, 0), 0),
        ("LA", (90, 0), (90, 90, 90), 90),
        ("RGBA", (10, 20, 30, 0), (10, 20, 30), 18),
        # Cut off instead of scaled, it would be white.
        ("I;16", 90 * 256, (90, 90, 90), 90),
    ],
)
def test_every_mode(tmp_path, mode, color, rgb, grey):
    write(tmp_path / "a" / "0.png", mode=mode, color=color)
    assert tuple(load(tmp_path).train.x[0, 0, 0]) == rgb
    x = load(tmp_path, color="grey").train.x
    assert x.shape == (1, 4, 4, 1)
    assert x[0, 0, 0, 0] == grey


def test_transparency_in_a_palette_is_dropped_without_a_word(tmp_path):
    path = write(tmp_path / "a" / "0.png")
    with Image.open(path) as image:
        image.convert("P").save(path, transparency=bytes([0, 128, 255]))
    assert tuple(load(tmp_path).train.x[0, 0, 0]) == RED


def test_the_first_frame_of_a_film(tmp_path):
    (tmp_path / "a").mkdir()
    frames = [Image.new("RGB", (4, 4), color) for color in (RED, GREEN)]
    frames[0].save(tmp_path / "a" / "0.gif", save_all=True, append_images=frames[1:])
    assert tuple(load(tmp_path).train.x[0, 0, 0]) == RED


def test_images_are_turned_as_their_camera_says(tmp_path):
    image = Image.new("RGB", (8, 4), GREEN)
    image.paste(RED, (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right: what is on the left comes on top
    (tmp_path / "a").mkdir()
    image.save(tmp_path / "a" / "0.png", exif=exif)
    x = load(tmp_path).train.x
    assert x.shape == (1, 8, 4, 3)
    assert tuple(x[0, 0, 0]) == RED
    assert tuple(x[0, -1, 0]) == GREEN


# --- sizes


def test_images_that_differ_need_a_size(tmp_path):
    for number, size in enumerate([(4, 4), (4, 4), (4, 8)]):
        write(tmp_path / "train" / "a" / f"{number}.png", size)
    write(tmp_path / "test" / "a" / "0.png", (2, 4))
    message = failure(tmp_path)
    assert "its images differ in size. Expected one size; received 4x4 (2), 4x8 (1), 2x4 (1)" in message
    assert "Give `size: [height, width]`" in message
    assert load(tmp_path, size=[3, 5]).test.x.shape == (1, 3, 5, 3)


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
def test_how_an_image_fits(tmp_path, fit):
    """An image of red, green and blue stripes, three times as wide as it is high, becomes a square."""
    image = Image.new("RGB", (24, 8), GREEN)
    image.paste(RED, (0, 0, 8, 8))
    image.paste(BLUE, (16, 0, 24, 8))
    (tmp_path / "a").mkdir()
    image.save(tmp_path / "a" / "0.png")
    x = load(tmp_path, size=[12, 12], fit=fit).train.x[0]
    if fit == "pad":
        assert x[:4].max() == x[8:].max() == 0
        assert [tuple(x[6, column]) for column in (0, 6, 11)] == [RED, GREEN, BLUE]
    elif fit == "crop":
        assert {tuple(pixel) for pixel in x[1:-1, 1:-1].reshape(-1, 3)} == {GREEN}
    else:
        assert [tuple(x[row, column]) for row, column in ((0, 0), (6, 6), (11, 11))] == [RED, GREEN, BLUE]


# --- what is broken


def test_what_is_no_image_is_named(tmp_path):
    write(tmp_path / "a" / "0.png")
    (tmp_path / "a" / "notes.txt").write_text("no image")
    assert re.search(r"a/notes\.txt: is no image\. Expected JPEG, PNG, .*Remove it", failure(tmp_path, size=[4, 4]))


@pytest.mark.parametrize("ending", ["jpg", "png", "gif", "webp", "bmp"])
def test_damage_anywhere_is_said_in_a_line(tmp_path, ending):
    path = tmp_path / "a" / f"0.{ending}"
    path.parent.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(path)
    whole, pixels = path.read_bytes(), load(tmp_path).train.x
    step = max(1, len(whole) // 60)
    refused: list[str] = []
    for end in range(0, len(whole), step):
        path.write_bytes(whole[:end])
        try:
            # What is cut off may be the end mark alone, or a checksum.
            np.testing.assert_array_equal(load(tmp_path, size=[12, 12]).train.x, pixels)
        except DataError as error:
            refused.append(str(error))
    assert len(refused) > 50
    assert all(message.startswith(f"{path}: ") and "\n" not in message for message in refused)
    for at in range(0, len(whole), step):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        # A flipped byte may be a pixel; any error there is must be ours.
        with contextlib.suppress(DataError):
            load(tmp_path, size=[12, 12])


def test_an_image_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    write(tmp_path / "a" / "0.png", size=(64, 64))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert "could be decompression bomb" in failure(tmp_path)


def unquoted(message: str) -> str:
    return message.replace("'", "")


# --- real


@pytest.mark.slow
def test_real_flowers(automl_data):
    folder = automl_data / "flowers_small"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    part = load(folder, size=[8, 8]).train
    names, counts = np.unique(part.y, return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {
        "daisy": 764,
        "dandelion": 1052,
        "rose": 784,
        "sunflower": 733,
        "tulip": 984,
    }
