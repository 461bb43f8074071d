import json
import math
import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.document.yaml_text import MAX_BYTES, MAX_DEPTH, dump, parse, read
from automl.errors import ConfigError


def data(text):
    return parse(text, "f.yaml").data


def refusal(text):
    with pytest.raises(ConfigError) as caught:
        parse(text, "f.yaml")
    assert len(caught.value.problems) == 1
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- YAML 1.2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("1e5", 1e5),
        ("1E+3", 1e3),
        ("1.50", 1.5),
        (".5", 0.5),
        ("3", 3),
        ("-3", -3),
        ("+3", 3),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("off", "off"),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("y", "y"),
        ("12:30", "12:30"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ('"off"', "off"),
        ("&anchor 2.5", 2.5),
        ("[1, 1.0, true, null, x]", [1, 1.0, True, None, "x"]),
        ("{x: 1}", {"x": 1}),
        ("|\n  two\n  lines\n", "two\nlines\n"),
        (">\n  one\n  line\n", "one line\n"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text, value):
    got = data(f"key: {text}\n")["key"]
    assert (got, type(got)) == (value, type(value))
    assert json.dumps(got) == json.dumps(value)  # inside of lists as well


def test_only_plain_types_come_out():
    def walk(node):
        assert type(node) in (dict, list, str, int, float, bool, type(None))
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            walk(child)

    walk(data("a: &x {b: [1, 0x2, 3.0, 1e-4, 'x', \"y\", true, ~, |\n  z\n]}\nc: *x\n".replace("|\n  z\n", "z")))


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(tmp_path):
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: [1,\r\n  2]\r\n")
    document = read(path)
    assert document.data == {"a": 1, "b": [1, 2]}
    assert document.where(("b", 1)) == f"{path}:3:3"


@pytest.mark.parametrize(
    ("text", "value"), [("", None), ("# only a comment\n", None), ("3", 3), ("- 1\n- x\n", [1, "x"])]
)
def test_a_document_may_be_anything(text, value):
    assert data(text) == value  # what it must be is for others to say


# --- places


TEXT = """\
model:
  - conv: {filters: 3,
           kernel: [1, 2]}
  - flatten
training:
  optimizer:
    adam:
      rate: 1e-3
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), "1:1"),
        (("model",), "1:1"),
        (("model", 0), "2:5"),
        (("model", 0, "conv", "filters"), "2:12"),
        (("model", 0, "conv", "kernel", 1), "3:24"),
        (("model", 1), "4:5"),
        (("training", "optimizer", "adam", "rate"), "8:7"),
        (("training", "optimizer", "sgd", "momentum"), "6:3"),
        (("nothing",), "1:1"),
    ],
)
def test_everything_has_a_place(path, place):
    assert parse(TEXT, "f.yaml").where(path) == f"f.yaml:{place}"


def test_without_any_mark_the_name_stands_for_the_place():
    assert parse("3", "f.yaml").where(("a",)) == "f.yaml"


def test_aliases_and_merges_are_plain_copies():
    document = parse("base: &b {x: 1, y: 2}\nlist: [*b, *b]\nmine:\n  <<: *b\n  y: 3\n", "f.yaml")
    assert document.data == {"base": {"x": 1, "y": 2}, "list": [{"x": 1, "y": 2}] * 2, "mine": {"x": 1, "y": 3}}
    document.data["base"]["x"] = 9
    assert document.data["list"][0]["x"] == document.data["mine"]["x"] == 1
    assert document.where(("mine", "y")) == "f.yaml:5:3"
    assert document.where(("mine", "x")) == "f.yaml:3:1"
    assert data("a: &x {k: 1}\nb: &y {z: 1}\nc: {<<: [*x, *y]}\n")["c"] == {"k": 1, "z": 1}


# --- refusals


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", ["f.yaml:4:3: the key stands twice", '"c"', "Keep one of them"]),
        ("{a: 1, a: 2}", ["f.yaml:1:8", "twice"]),
        ("a:\n\tb: 1\n", ["f.yaml:2:1", "Indent with spaces"]),
        ("a: [1, 2\n", ["f.yaml:2:1", "expected ',' or ']'"]),
        ("a: b: c\n", ["f.yaml:1:5"]),
        ("a: *nowhere\n", ["f.yaml:1:4", "undefined alias"]),
        ("a: 1\n---\nb: 2\n", ["f.yaml:2:1", "another document"]),
        ("a: \0\n", ["f.yaml", "not valid YAML"]),
        ("%YAML 1.1\n---\na: off\n", ["f.yaml:1:1", "directives are not allowed"]),
        ("1: a\n", ["a key is not a string", "received 1", "Quote the key"]),
        ("true: a\n", ["a key is not a string"]),
        ("? \n: a\n", ["a key is not a string"]),
        ("[a]: 1\n", ["a key is not a string"]),
        ("{a: 1}: 2\n", ["a key is not a string"]),
        ("x: 2001-01-01\n", ["f.yaml:1:1", "no plain YAML value", "Quote it"]),
        ("a: 1\nx: 2001-01-01T10:00:00Z\n", ["f.yaml:2:1", "no plain YAML value"]),
        ("a: 1\nx: .inf\n", ["f.yaml:2:1", "not finite", "received inf"]),
        ("x: [1, -.inf]\n", ["f.yaml:1:8", "not finite"]),
        ("x: .nan\n", ["not finite"]),
        ("x: 1" + "0" * 5_000, ["f.yaml", "not valid YAML"]),
        ("x: !!python/object/apply:os.system ['true']\n", ["tags are not allowed", "os.system", "Remove the tag"]),
        ("!!python/name:os.system\n", ["tags are not allowed"]),
        ("x: !local {a: 1}\n", ["tags are not allowed", "!local"]),
        ("x: !local [1]\n", ["tags are not allowed"]),
        ("x: !local 3\n", ["tags are not allowed"]),
        ("x: !!binary aGk=\n", ["no plain YAML value"]),
        ("x: !!set {a, b}\n", ["no plain YAML value"]),
    ],
)
def test_what_is_no_plain_yaml_is_refused_with_its_place(text, said):
    message = refusal(text)
    for words in said:
        assert words in message


def nested(depth):
    return "".join("  " * level + "a:\n" for level in range(depth))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 900_000,
        "{a: " * 200_000,
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        "- " * 20_000,
        nested(MAX_DEPTH + 2),
        nested(500),
        # A billion laughs.
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{b}: &{b} [{','.join(['*' + a] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    ],
    ids=["brackets", "braces", "just too deep", "dashes", "indented", "indented far", "laughs"],
)
def test_bombs_are_refused_soon(text):
    started = time.monotonic()
    refusal(text)
    assert time.monotonic() - started < 10


def test_documents_of_a_sane_depth_are_read():
    assert data("[" * 30 + "]" * 30)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: &x [*x]\n", "1:8"),
        ("a: &x {b: *x}\n", "1:11"),
        ("a: &x {b: 1, <<: *x}\n", "1:18"),
        ("model: &m\n- dense: {units: 8}\n- stack: {blocks: *m}\n", "3:19"),
    ],
)
def test_a_document_that_holds_itself_is_refused(text, place):
    with pytest.raises(ConfigError, match=rf"f\.yaml:{place}: the alias \*\w stands inside of what it names"):
        data(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x: 1" + "0" * 5_000, "f.yaml:1:4: not valid YAML: a number of 5001 digits"),
        ("x: 0x" + "f" * 5_000, "f.yaml:1:1: the number is too large"),
        ("x: [1" + "0" * 300 + "]", "f.yaml:1:5: the number is too large"),
        ("x: {" + "k" * 501 + ": 1}", "f.yaml:1:1: a key is too long. Expected at most 500 characters"),
    ],
)
def test_numbers_and_keys_have_an_end(text, said):
    with pytest.raises(ConfigError) as caught:
        data(text)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 300
    assert data("x: [-" + "9" * 300 + "]")


def chained(count, merge):
    lines = ["a0: &a0 {" + ", ".join(f"k{i}: 1" for i in range(50)) + "}"]
    lines += [f"a{i}: &a{i} {merge.format(i - 1)}" for i in range(1, count)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        chained(2000, "{{<<: *a{0}, z{0}: 1}}"),
        chained(30, "{{<<: [*a{0}, *a{0}], z{0}: 1}}"),
        chained(30, "{{x: *a{0}, y: *a{0}}}"),
        chained(30, "[*a{0}, *a{0}]"),
    ],
    ids=["merges", "merges of two", "mappings", "lists"],
)
def test_what_aliases_stand_for_is_counted_before_it_is_built(text):
    began = time.monotonic()
    with pytest.raises(ConfigError, match="too deep or too large once aliases are resolved"):
        data(text)
    assert time.monotonic() - began < 5


# --- files


def test_a_file_must_be_there_readable_small_and_utf_8(tmp_path):
    path = tmp_path / "f.yaml"
    with pytest.raises(ConfigError, match="cannot read the file: No such file"):
        read(path)
    with pytest.raises(ConfigError, match="cannot read the file: Is a directory"):
        read(tmp_path)
    path.write_bytes(b"a: 1\nb: \xe9\n")
    with pytest.raises(ConfigError, match=r"f\.yaml:2:4: the file is not UTF-8\. .*received byte 0xe9"):
        read(path)
    path.write_bytes("a: 1\n".encode("utf-16"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        read(path)
    path.write_bytes(b"[" * (10 << 20))
    with pytest.raises(ConfigError, match=f"too large. Expected at most {MAX_BYTES} bytes"):
        read(path)
    path.write_bytes(b"")
    assert read(path).data is None


# --- writing


words = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t"), max_size=12
) | st.sampled_from(
    [
        "off",
        "1e-5",
        "null",
        "~",
        "yes",
        "1_000",
        "0o17",
        "2001-01-01",
        "12:30",
        "<<",
        "=",
        "a: b",
        "- x",
        "#c",
        " x ",
        "---",
    ]
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(words | st.text(string.ascii_letters), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(plain)
def test_what_is_written_is_read_back_equal(value):
    assert json.dumps(parse(dump(value), "x").data) == json.dumps(value)


def test_a_dump_is_pleasant_to_read():
    """With a point: without it, readers of YAML 1.1 take the rate for text."""
    written = dump({"model": [{"conv": {"filters": 32, "activation": "relu"}}, "flatten"], "training": {"rate": 1e-5}})
    assert written == "model:\n- conv: {filters: 32, activation: relu}\n- flatten\ntraining: {rate: 1.0e-05}\n"
    assert math.isclose(data(written)["training"]["rate"], 1e-5)


@pytest.mark.parametrize("text", ["?0", "?", "- a", "a: b", "#x", "null", "1e3", " a ", "a ", "x #y", "[", "é", "on"])
def test_strings_that_look_like_syntax_are_quoted(text):
    assert parse(dump({"values": [text, [text]], "key": text}), "x").data == {"values": [text, [text]], "key": text}


@pytest.mark.parametrize("text", ["[[[]]]: 3", "{a: 1, {b: 2}: 3}", "- ? [a]\n  : b"])
def test_a_key_that_is_no_text_is_refused(text):
    with pytest.raises(ConfigError, match=r"f:1:\d+: a key is not a string"):
        parse(text, "f")


def test_a_key_with_an_anchor_is_plain_text():
    found = parse("{a: 1, &x b: 8, c: *x}", "f")
    assert [type(key) for key in found.data] == [str, str, str]
    assert parse(dump(found.data), "f").data == {"a": 1, "b": 8, "c": "b"}


@pytest.mark.parametrize("text", ['a: "half \\ud800"', '"half \\ud800": 1', '[["\\udfff"]]'])
def test_half_a_character_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^space.yaml:1:\d+: the text is not Unicode"):
        parse(text, "space.yaml")
    assert parse('a: "whole \\U0001F642"', "space.yaml").data == {"a": "whole 🙂"}
