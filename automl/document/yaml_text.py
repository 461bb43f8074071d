"""YAML 1.2 with the line and column of every key and item.

Only plain data comes out: mappings with string keys, lists, strings, numbers, booleans, null. Tags are refused, so no
YAML text can name a Python object, and a document is bounded in size and depth before it is walked.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from automl.document.bounds import MAX_BYTES, MAX_DEPTH, MAX_DIGITS, MAX_KEY, MAX_NODES, refuse_excess
from automl.errors import ConfigError, Problem, cut, shorten
from automl.machine import files

Path_ = tuple[str | int, ...]
"""Where a value stands in a document: keys and list positions from the root."""


@dataclass(frozen=True)
class Document:
    """Plain data and where each part of it was written.

    Args:
        data: The plain data.
        name: What messages call the document: its file name, or where it came from.
        marks: `file:line:column` (or an option, for values set on the command line) by path.
    """

    data: Any
    name: str
    marks: Mapping[Path_, str] = field(default_factory=dict)

    def where(self, path: Path_) -> str:
        """Returns where the value at `path` was written, or its nearest written ancestor."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.marks:
                return self.marks[path[:end]]
        return self.name


def read(path: Path) -> Document:
    """Reads the YAML file at `path`.

    Raises:
        ConfigError: The file is missing, unreadable, not UTF-8, not YAML, or holds more than plain data.
    """
    if special := files.special(path):
        raise ConfigError(Problem(str(path), special, "a YAML file"))
    try:
        if path.stat().st_size > MAX_BYTES:
            problem = Problem(
                str(path), "the file is too large", f"at most {MAX_BYTES} bytes", f"{path.stat().st_size} bytes"
            )
            raise ConfigError(problem)
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        where = f"{path}:{_place(error.object[: error.start].decode('utf-8'))}"
        received = f"byte {error.object[error.start]:#04x}"
        raise ConfigError(Problem(where, "the file is not UTF-8", "UTF-8 text", received)) from error
    except OSError as error:
        raise ConfigError(Problem(str(path), f"cannot read the file: {error.strerror}")) from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Document:
    """Parses YAML text; `name` stands for the file in messages.

    Raises:
        ConfigError: The text is not YAML 1.2, nests too deep, repeats a key, or holds more than plain data.
    """
    reader = YAML(typ="rt")
    reader.allow_duplicate_keys = False
    try:
        refuse_excess(text, name)
        # Documents are few and small: the round-trip loader is slow but knows where each key stands.
        tree = reader.load(io.StringIO(text))
    except DuplicateKeyError as error:
        # ruamel's own sentence goes on with advice about its API.
        key = str(error.problem).removeprefix("found duplicate key ").split(" with value")[0]
        what = f"the key stands twice in one mapping: {key}"
        raise ConfigError(Problem(_at(error, name), what, hint="Keep one of them")) from error
    except MarkedYAMLError as error:
        raise ConfigError(_marked(error, name)) from error
    except ReaderError as error:
        where = f"{name}:{_place(text[: error.position])}"
        what = f"not valid YAML: the character {error.character:#04x} cannot stand there"
        raise ConfigError(Problem(where, what)) from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(Problem(name, f"not valid YAML: {shorten(str(error), 120)}")) from error
    marks: dict[Path_, str] = {}
    return Document(_Plain(name, marks).convert(tree, ()), name, marks)


def dump(data: Any) -> str:
    """Writes plain data as YAML 1.2 that `parse` reads back equal."""
    # Leaves in one line, mappings that hold mappings in block style.
    how: dict[str, Any] = {"default_flow_style": None, "sort_keys": False, "width": 120}
    try:
        return yaml.dump(data, Dumper=_Writer, allow_unicode=True, **how)
    except UnicodeEncodeError:  # half a character, as a file's name may hold one: only an escape can stand for it
        return yaml.dump(data, Dumper=yaml.SafeDumper, **how)


class _Writer(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Quotes every string that is not a plain word: unquoted, `[?0]` reads as a mapping.

    PyYAML's writer in C: every trial's document is written, and ruamel's takes 8 ms for one.
    """

    def represent_str(self, data: str) -> Any:
        quoted = None if _PLAIN_WORD.fullmatch(data) else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=quoted)


_PLAIN_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_ ./-]*")
_Writer.add_representer(str, _Writer.represent_str)


def _at(error: MarkedYAMLError, name: str) -> str:
    mark = error.problem_mark or error.context_mark
    return f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name


def _place(before: str) -> str:
    """Returns `line:column` of what follows a text."""
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def _marked(error: MarkedYAMLError, name: str) -> Problem:
    detail = " ".join(str(error.problem or "").split())
    if "'\\t'" in detail:
        return Problem(_at(error, name), "not valid YAML: a tab where only spaces may stand", hint="Indent with spaces")
    if "<document start>" in detail:
        detail = "the document has ended, but more text follows"
    elif "another document" in detail:
        detail = "another document begins, and a file holds one"
    elif error.context and error.context_mark:
        # Where it begins says more than where it was missed, which is often the end of the file.
        begun = f"{error.context_mark.line + 1}:{error.context_mark.column + 1}"
        detail = f"{detail}, {error.context} from {begun}"
    return Problem(_at(error, name), f"not valid YAML: {cut(detail, 120)}" if detail else "not valid YAML")


class _Plain:
    """Turns ruamel's commented tree into plain data and notes where everything stands."""

    def __init__(self, name: str, marks: dict[Path_, str]) -> None:
        self.name = name
        self.marks = marks
        self.nodes = 0

    def convert(self, node: Any, path: Path_) -> Any:
        self.nodes += 1
        if len(path) > MAX_DEPTH or self.nodes > MAX_NODES:
            # Aliases can make a small file into an endless or enormous tree.
            raise ConfigError(
                Problem(self._where(path), "the document is too deep or too large once aliases are resolved")
            )
        tag = getattr(getattr(node, "tag", None), "value", None)
        if isinstance(node, TaggedScalar) or (tag is not None and isinstance(node, CommentedMap | CommentedSeq)):
            received = str(tag).replace("tag:yaml.org,2002:", "!!")
            where = self._where(path)
            raise ConfigError(Problem(where, "tags are not allowed", "plain YAML", received, "Remove the tag"))
        if isinstance(node, CommentedMap):
            return {key: self.convert(value, (*path, key)) for key, value in self._items(node, path)}
        if isinstance(node, CommentedSeq):
            if path not in self.marks and node.lc.line is not None:
                self._mark(path, (node.lc.line, node.lc.col))
            for index in range(len(node)):
                self._mark((*path, index), node.lc.item(index))
            return [self.convert(value, (*path, index)) for index, value in enumerate(node)]
        return self._scalar(node, path)

    def _items(self, node: CommentedMap, path: Path_) -> Iterator[tuple[str, Any]]:
        if path not in self.marks and node.lc.line is not None:
            self._mark(path, (node.lc.line, node.lc.col))
        # Keys that came through a merge (`<<: *alias`) are written elsewhere and have no place here.
        places = node.lc.data or {}
        for key, value in node.items():
            if not isinstance(key, str):
                line, column = node.lc.key(key) if key in places else (node.lc.line, node.lc.col)
                where = f"{self.name}:{line + 1}:{column + 1}"
                raise ConfigError(Problem(where, "a key is not a string", "a name", shorten(key), "Quote the key"))
            if len(key) > MAX_KEY:
                where = self._where(path)
                raise ConfigError(
                    Problem(where, "a key is too long", f"at most {MAX_KEY} characters", f"{len(key)} of them")
                )
            # A key with an anchor is a subclass of text, which the writer does not know.
            word = str(key)
            if key in places:
                self._mark((*path, word), node.lc.key(key))
            self._require_unicode(word, (*path, word))
            yield word, value

    def _scalar(self, node: Any, path: Path_) -> Any:
        if node is None or isinstance(node, bool):
            return node
        if isinstance(node, float) and not math.isfinite(node):
            # JSON has no word for them, and neither the journal nor MLflow could keep the document.
            raise ConfigError(
                Problem(self._where(path), "the number is not finite", "a finite number", str(float(node)))
            )
        if isinstance(node, int) and abs(node) >= 10**MAX_DIGITS:
            raise ConfigError(Problem(self._where(path), "the number is too large", f"at most {MAX_DIGITS} digits"))
        # ruamel's scalar types remember their notation and subclass the plain ones; ScalarBoolean subclasses int.
        for kind in (float, int, str):
            if type(node).__name__ == "ScalarBoolean":
                return bool(node)
            if isinstance(node, kind):
                plain = kind(node)
                self._require_unicode(plain, path)
                return plain
        raise ConfigError(
            Problem(
                self._where(path), "the value is no plain YAML value", "text or a number", shorten(node), "Quote it"
            )
        )

    def _require_unicode(self, value: object, path: Path_) -> None:
        """Refuses half a character, which YAML can spell and no journal, file or store can keep."""
        if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
            received = shorten(ascii(value)[1:-1])
            raise ConfigError(Problem(self._where(path), "the text is not Unicode", "whole characters", received))

    def _mark(self, path: Path_, position: tuple[int, int]) -> None:
        self.marks[path] = f"{self.name}:{position[0] + 1}:{position[1] + 1}"

    def _where(self, path: Path_) -> str:
        return Document(None, self.name, self.marks).where(path)
