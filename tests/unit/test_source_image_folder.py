from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from automl.data import prepare
from automl.data.section import DataDocument
from automl.errors import DataError
from automl.records.data import Part, Splits
from automl.sources._tables import held
from automl.sources.image_folder import ImageFolder

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def write(path: Path, size: tuple[int, int] = (4, 4), color: object = RED, mode: str = "RGB", **how: object) -> Path:
    """Writes an image of one colour; `size` is its height and width."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size[::-1], color).save(path, **how)
    return path


def opened(folder: Path, **fields: object) -> Splits:
    return ImageFolder(folder=str(folder), **fields).open(None)


def load(folder: Path, **fields: object) -> dict[str, Part]:
    return held(opened(folder, **fields))


def notes(folder: Path, **fields: object) -> tuple[str, ...]:
    """Returns what a table says once all of it was read."""
    splits = opened(folder, **fields)
    assert splits.table.notes == ()
    held(splits)
    return splits.table.notes


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
    parts = load(tmp_path)
    assert list(parts) == ["train"]
    assert parts["train"].y.tolist() == ["a", "b", "b"]
    assert parts["train"].x.dtype == np.uint8
    assert parts["train"].x.shape == (3, 4, 4, 3)
    assert parts["train"].x[:, 0, 0].tolist() == [list(RED), list(GREEN), list(BLUE)]


def test_the_folders_of_parts(tmp_path):
    for part, count in (("train", 3), ("val", 2), ("test", 1)):
        for name in ("a", "b"):
            for number in range(count):
                write(tmp_path / part / name / f"{number}.png")
    parts = load(tmp_path)
    assert [part.y.tolist() for part in (parts["train"], parts["val"], parts["test"])] == [
        ["a"] * 3 + ["b"] * 3,
        ["a"] * 2 + ["b"] * 2,
        ["a", "b"],
    ]
    write(tmp_path / "more" / "a" / "0.png")
    assert "holds folders beside `train`. Expected train, val, test; received [more]" in unquoted(failure(tmp_path))


def test_a_class_may_be_called_train(tmp_path):
    for name in ("train", "bus"):
        write(tmp_path / name / "0.png")
    assert load(tmp_path)["train"].y.tolist() == ["bus", "train"]


def test_folders_are_classes_where_the_document_says_so(tmp_path):
    for name in ("test", "train", "other"):
        write(tmp_path / name / "0.png")
    assert "If they are classes, say so in the source: `classes: [other, test, train]`" in failure(tmp_path)
    assert load(tmp_path, classes=["train", "test"])["train"].y.tolist() == ["test", "train"]
    assert "holds no folder 'tests'. Expected one for each of `classes`. Did you mean 'test'?" in failure(
        tmp_path, classes=["train", "tests"]
    )
    for part in ("train", "val"):
        write(tmp_path / "parts" / part / "test" / "0.png")
        write(tmp_path / "parts" / part / "cat" / "0.png")
    assert load(tmp_path / "parts", classes=["test", "cat"])["val"].y.tolist() == ["cat", "test"]


def test_what_systems_leave_behind_is_not_read(tmp_path):
    write(tmp_path / "a" / "0.png")
    for name in ("SOURCE.txt", "a/Thumbs.db", "a/.DS_Store", ".git/config", "__MACOSX/a/._0.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("no image")
    assert load(tmp_path)["train"].y.tolist() == ["a"]


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
    message = failure(inside)
    assert message.startswith(f"{inside / link}: leads out of {inside}.")
    assert "Copy what it leads to, or give `links: true`" in message
    if link != "train":  # whose test part holds no classes
        assert len(load(inside, links=True)["train"].y) == 2


@pytest.mark.parametrize("name", ["a/nowhere.png", "a/loop.png", "a/fifo.png", "a/zero.png", "a/socket.png"])
def test_what_is_no_regular_file_is_refused_without_a_wait(tmp_path, name):
    write(tmp_path / "a" / "0.png")
    path = tmp_path / name
    if name == "a/fifo.png":
        os.mkfifo(path)
    elif name == "a/socket.png":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    else:
        path.symlink_to({"a/nowhere.png": "none", "a/loop.png": path, "a/zero.png": "/dev/zero"}[name])
    told = {
        "a/nowhere.png": "leads nowhere",
        "a/loop.png": "its links lead in a circle",
        "a/fifo.png": "is a pipe, no regular file",
        "a/zero.png": "is a device, no regular file",
        "a/socket.png": "is a socket, no regular file",
    }
    assert failure(tmp_path).startswith(f"{path}: {told[name]}.")


def test_a_link_inside_is_followed(tmp_path):
    write(tmp_path / "a" / "0.png")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert load(tmp_path)["train"].y.tolist() == ["a", "b"]


# --- files


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "webp", "gif", "tif"])
def test_every_format(tmp_path, ending):
    write(tmp_path / "a" / f"0.{ending}", size=(16, 16), color=BLUE)
    pixel = load(tmp_path)["train"].x[0, 8, 8].astype(int)
    assert abs(pixel - BLUE).max() <= 3


@pytest.mark.parametrize(
    ("mode", "color", "rgb", "grey"),
    [
        ("L", 90, (90, 90, 90), 90),
        ("1", 1, (255, 255, 255), 255),
        ("P", 0, (0, 0, 0), 0),
        ("LA", (90, 0), (255, 255, 255), 255),
        ("LA", (90, 255), (90, 90, 90), 90),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255), 255),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30), 18),
        # Cut off instead of scaled, it would be white.
        ("I;16", 90 * 256, (90, 90, 90), 90),
    ],
)
def test_every_mode(tmp_path, mode, color, rgb, grey):
    write(tmp_path / "a" / "0.png", mode=mode, color=color)
    assert tuple(load(tmp_path)["train"].x[0, 0, 0]) == rgb
    x = load(tmp_path, color="grey")["train"].x
    assert x.shape == (1, 4, 4, 1)
    assert x[0, 0, 0, 0] == grey


def transparent(folder: Path, count: int, color: int = 0) -> Path:
    """Writes pictures in the alpha channel: the left half of `a`, the right half of `b`; all colours are one."""
    for name, half in (("a", slice(0, 2)), ("b", slice(2, 4))):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = np.full((4, 4, 4), color, np.uint8)
            pixels[..., 3] = 0
            pixels[:, half, 3] = 255
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def test_what_is_transparent_lies_on_a_ground_and_is_counted(tmp_path):
    transparent(tmp_path, 3)
    write(tmp_path / "a" / "solid.png", color=(1, 2, 3, 255), mode="RGBA")
    splits = opened(tmp_path)
    parts = held(splits)
    assert parts["train"].x[0, :, :, 0].tolist() == [[0, 0, 255, 255]] * 4
    assert parts["train"].x[-1, :, :, 0].tolist() == [[255, 255, 0, 0]] * 4
    assert splits.table.notes == ("6 of 7 images are transparent in part, and lie on white (`background`)",)
    splits = opened(tmp_path, background=(7, 8, 9))
    assert tuple(held(splits)["train"].x[0, 0, 3]) == (7, 8, 9)
    assert "the colour [7, 8, 9]" in splits.table.notes[0]
    (tmp_path / "b" / "0.png").rename(tmp_path / "c.png")
    assert load(tmp_path, background="black")["train"].x[-1].max() == 0


def test_images_that_vanish_on_the_ground_are_counted(tmp_path):
    transparent(tmp_path, 3)
    for path in (tmp_path / "a").iterdir():
        with Image.open(path) as image:
            white = np.asarray(image).copy()
        white[..., :3] = 255
        Image.fromarray(white).save(path)
    write(tmp_path / "b" / "solid.png", color=(1, 2, 3, 255), mode="RGBA")
    _, note = notes(tmp_path)
    assert note.startswith("nothing is seen on white of 3 of 7 images, which become one colour")
    _, note = notes(tmp_path, background="black")
    assert note.startswith("nothing is seen on black of 3 of 7 images")
    assert len(notes(tmp_path, background=(128, 128, 128))) == 1


def test_a_ground_on_which_nothing_is_seen_is_refused(tmp_path):
    source = {"image_folder": {"folder": str(transparent(tmp_path / "set", 5, color=255))}}
    declared = {"name": "white", "source": source, "input": "image", "task": "classification"}
    with pytest.raises(DataError, match="every value of every training example is the same") as caught:
        prepare.prepare(DataDocument.model_validate(declared), tmp_path / "prepared")
    assert "10 of 10 images are transparent in part, and lie on white (`background`)" in str(caught.value)
    source["image_folder"]["background"] = "black"
    spec = prepare.prepare(DataDocument.model_validate(declared), tmp_path / "prepared")
    assert (spec.inputs[0].state["low"], spec.inputs[0].state["high"]) == (0, 255)
    assert spec.notes == prepare.load_spec(tmp_path / "prepared").notes
    assert "lie on black" in spec.notes[0]


def test_transparency_in_a_palette_and_of_one_colour(tmp_path):
    path = write(tmp_path / "a" / "0.png")
    with Image.open(path) as image:
        image.quantize(2).save(path, transparency=bytes([0, 128]))
    write(tmp_path / "a" / "1.png", transparency=RED)
    write(tmp_path / "a" / "2.png", transparency=BLUE)
    splits = opened(tmp_path)
    assert held(splits)["train"].x[:, 0, 0].tolist() == [[255, 255, 255], [255, 255, 255], list(RED)]
    assert splits.table.notes[0].startswith("2 of 3 images")


# --- numbers of more than 8 bits


def numbers(folder: Path, values: dict[str, np.ndarray]) -> Path:
    for name, pixels in values.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name)
    return folder


def grey(low: int, high: int, kind: str = "uint16") -> np.ndarray:
    return np.linspace(low, high, 16).reshape(4, 4).astype(kind)


@pytest.mark.parametrize(
    ("high", "bits"), [(200, 8), (699, 10), (1023, 10), (4095, 12), (16383, 14), (20000, 16), (65535, 16)]
)
def test_numbers_have_the_bits_that_the_training_part_uses(tmp_path, high, bits):
    numbers(tmp_path, {"train/a/0.png": grey(0, high), "test/a/0.png": grey(0, high // 2)})
    splits = opened(tmp_path)
    parts = held(splits)
    step = 2 ** (bits - 8)
    assert parts["train"].x.dtype == np.float32
    assert parts["train"].x[0, -1, -1].tolist() == [high / step] * 3
    assert parts["test"].x[0, -1, -1, 0] == (high // 2) / step  # by the same rule: half as bright
    assert splits.notes == (f"2 images hold numbers of {bits} bits, divided by {step} for the range of bytes",)


def test_no_grey_level_of_twelve_bits_is_lost(tmp_path):
    """The classes differ by 60 of 4,096 levels, in files of 16 bits: divided by 256 they were the same."""
    rng = np.random.default_rng(0)
    pictures = {
        f"{name}/{number}.png": rng.integers(600 + more, 640 + more, (8, 8), dtype=np.uint16)
        for name, more in (("healthy", 0), ("ill", 60))
        for number in range(5)
    }
    train = load(numbers(tmp_path, pictures))["train"]
    healthy, ill = (train.x[train.y == name] for name in ("healthy", "ill"))
    assert healthy.max() < ill.min()
    assert len(np.unique(healthy)) == 40


@pytest.mark.parametrize(
    ("pixels", "least", "most"),
    [
        (np.linspace(0, 1, 16).reshape(4, 4).astype(np.float32), 0, 255),
        (np.linspace(-1000, 3000, 16).reshape(4, 4).astype(np.float32), 0, 255),
        (grey(-1000, 3000, "int32"), 0, 255),
        (grey(0, 100_000, "int32"), 0, 100_000 / 2**9),
        (grey(0, 4095, "uint16"), 0, 4095 / 16),
    ],
)
def test_floats_and_numbers_of_32_bits(tmp_path, pixels, least, most):
    x = load(numbers(tmp_path, {"a/0.tif": pixels}), color="grey")["train"].x
    assert (x.min(), x.max()) == (least, pytest.approx(most))
    assert len(np.unique(x)) == 16
    if least_number := float(pixels.min()):
        (note,) = opened(tmp_path).notes
        assert note.endswith(f"less {least_number:g} and divided by {4000 / 255:g} for the range of bytes")
    half = load(tmp_path, size=(2, 2))["train"].x
    assert half.shape == (1, 2, 2, 3)
    assert len(np.unique(half)) == 4
    assert load(tmp_path, size=(4, 8))["train"].x[0, 0, 0].tolist() == [0, 0, 0]  # the edge


def test_depths_that_do_not_go_together(tmp_path):
    numbers(tmp_path, {"train/a/0.png": grey(0, 255, "uint8"), "test/a/0.png": grey(0, 4095)})
    assert "has numbers of more than 8 bits, and the images of the training part have none" in failure(tmp_path)
    numbers(tmp_path, {"train/a/1.png": grey(0, 4095)})
    assert opened(tmp_path).notes == (
        "2 images hold numbers of 12 bits, divided by 16 for the range of bytes, 1 have 8",
    )
    numbers(tmp_path, {"train/a/1.tif": grey(0, 1, "float32")})
    assert "the others bytes: no range fits both" in failure(tmp_path)


def test_pixels_that_are_no_numbers_are_refused_by_their_file(tmp_path):
    numbers(tmp_path, {"a/0.tif": np.full((4, 4), np.nan, np.float32)})
    assert failure(tmp_path).startswith(f"{tmp_path}/a/0.tif: holds pixels that are no finite numbers.")


def test_several_pages_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    pages = [Image.new("L", (4, 4), color) for color in (10, 20)]
    pages[0].save(tmp_path / "a" / "0.tif", save_all=True, append_images=pages[1:])
    assert "0.tif: holds several pages. Expected one image" in failure(tmp_path)


def colours(path: Path, value: int) -> None:
    """Writes a PNG of 16 bits for each colour, which Pillow cannot."""
    rows = (b"\0" + struct.pack(">6H", *[value] * 6)) * 2

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">2I5B", 2, 2, 16, 2, 0, 0, 0))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def test_colours_of_which_the_upper_bits_are_not_used_are_refused(tmp_path):
    colours(tmp_path / "a" / "0.png", 60_000)
    assert load(tmp_path)["train"].x[0, 0, 0].tolist() == [234] * 3
    colours(tmp_path / "a" / "0.png", 4095)
    assert "Convert them to 8 bits" in failure(tmp_path)


def test_the_first_frame_of_a_film(tmp_path):
    (tmp_path / "a").mkdir()
    frames = [Image.new("RGB", (4, 4), color) for color in (RED, GREEN)]
    frames[0].save(tmp_path / "a" / "0.gif", save_all=True, append_images=frames[1:])
    assert tuple(load(tmp_path)["train"].x[0, 0, 0]) == RED


def test_images_are_turned_as_their_camera_says(tmp_path):
    image = Image.new("RGB", (8, 4), GREEN)
    image.paste(RED, (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right: what is on the left comes on top
    (tmp_path / "a").mkdir()
    image.save(tmp_path / "a" / "0.png", exif=exif)
    x = load(tmp_path)["train"].x
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
    assert load(tmp_path, size=[3, 5])["test"].x.shape == (1, 3, 5, 3)


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
def test_how_an_image_fits(tmp_path, fit):
    """An image of red, green and blue stripes, three times as wide as it is high, becomes a square."""
    image = Image.new("RGB", (24, 8), GREEN)
    image.paste(RED, (0, 0, 8, 8))
    image.paste(BLUE, (16, 0, 24, 8))
    (tmp_path / "a").mkdir()
    image.save(tmp_path / "a" / "0.png")
    x = load(tmp_path, size=[12, 12], fit=fit)["train"].x[0]
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


@pytest.mark.parametrize("ending", ["jpg", "png", "gif", "webp", "bmp", "tif"])
def test_damage_anywhere_is_said_in_a_line(tmp_path, ending):
    path = tmp_path / "a" / f"0.{ending}"
    path.parent.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(path)
    whole, pixels = path.read_bytes(), load(tmp_path)["train"].x
    step = max(1, len(whole) // 60)
    refused: list[str] = []
    for end in range(0, len(whole), step):
        path.write_bytes(whole[:end])
        try:
            # What is cut off may be the end mark alone, or a checksum.
            np.testing.assert_array_equal(load(tmp_path, size=[12, 12])["train"].x, pixels)
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
    message = failure(tmp_path)
    assert "has more than the 2,000 pixels that an image may have here. It is not damaged, but large" in message


def unquoted(message: str) -> str:
    return message.replace("'", "")


# --- real


@pytest.mark.slow
def test_real_flowers(automl_data):
    folder = automl_data / "flowers_small"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    part = load(folder, size=[8, 8])["train"]
    names, counts = np.unique(part.y, return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {
        "daisy": 764,
        "dandelion": 1052,
        "rose": 784,
        "sunflower": 733,
        "tulip": 984,
    }
