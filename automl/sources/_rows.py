"""Counts the rows of a text table and the values in each, by its separators where no quotes stand."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

BLOCK_BYTES = 2**22
"""How much is looked at at a time."""

LINE, RETURN = b"\n\r"


class Lines:
    """The lines of a file, one by one, or those of a whole block at once.

    Args:
        file: Text in UTF-8.

    Attributes:
        size: Bytes that were read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.size = 0
        self._file = file
        self._rest = b""
        self._block = io.StringIO()
        self._end = 0

    def block(self) -> bytes:
        """Returns some lines more, each of them whole; nothing at the end of the file."""
        parts = [self._rest]
        while read := self._file.read(BLOCK_BYTES):
            read = read if self.size else read.removeprefix(codecs.BOM_UTF8)
            self.size += len(read)
            # A carriage return at the end may be half of what ends a line.
            cut = read.rfind(b"\n") + 1 or read.rfind(b"\r", 0, -1) + 1
            if cut:
                self._rest = read[cut:]
                return b"".join([*parts, read[:cut]])
            parts.append(read)
        self._rest = b""
        return b"".join(parts)

    def read_each(self, block: bytes) -> Iterator[str]:
        """Returns an iterator of the lines of a block, which goes on into the next ones."""
        while block:
            text = block.decode()
            self._block, self._end = io.StringIO(text, newline=""), len(text)
            yield from self._block
            block = self.block()

    @property
    def is_read(self) -> bool:
        """Whether all lines of the block that `read_each` has begun were read."""
        return self._block.tell() >= self._end


def count(file: BinaryIO, separator: str, width: int) -> tuple[int, int] | None:
    """Returns how many rows a file holds, and bytes; None where a row may have other than `width` values.

    Args:
        file: Text in UTF-8.
        separator: The character between values.
        width: How many values there are to be in each row; blank lines are no rows.
    """
    lines, rows = Lines(file), 0
    try:
        while block := lines.block():
            found = _plain(block, separator, width)
            found = _quoted(lines, block, separator, width) if found is None else found
            if found is None:
                return None
            rows += found
    except (csv.Error, UnicodeDecodeError):
        return None
    return rows, lines.size


def closed(text: str, separator: str) -> str:
    """Removes spaces between a closing quote and the separator behind it, which `csv` refuses and pandas reads."""
    end, space = re.escape(separator), "[ \t]*".replace(separator, "")
    part = re.compile(rf'{space}("(?:[^"]|"")*"){space}(?=[{end}\r\n]|\Z)|[^{end}\r\n]+|[{end}\r\n]')
    return part.sub(lambda match: match.group(1) or match.group(), text)


def _plain(block: bytes, separator: str, width: int) -> int | None:
    """Returns how many rows a block has; None where that cannot be told by its separators."""
    # Spaces behind a separator are skipped, so where they are separators several of them may be one.
    if separator == " " or not separator.isascii() or b'"' in block:
        return None
    if not block.isascii():
        block.decode()
    text = np.frombuffer(block, np.uint8)
    borders = (text == ord(separator)) | (text == LINE)
    if b"\r" in block:
        borders |= text == RETURN
    places = np.flatnonzero(borders)
    ends = np.flatnonzero(text[places] != ord(separator))
    if not len(ends) or places[ends[-1]] != len(text) - 1:  # the last line does not end
        places, ends = np.append(places, len(text)), np.append(ends, len(places))
    lengths, values = np.diff(places[ends], prepend=-1) - 1, np.diff(ends, prepend=-1)
    # What ends a line may be two characters, with nothing between them: as on a blank line.
    there = lengths > 0
    if (values[there] != width).any() or lengths.max() > csv.field_size_limit():
        return None
    return int(there.sum())


def _quoted(lines: Lines, block: bytes, separator: str, width: int) -> int | None:
    """Returns how many rows begin in a block; None where one of them has other than `width` values."""
    reader = csv.reader(lines.read_each(block), delimiter=separator, strict=True, skipinitialspace=True)
    rows, row = 0, next(reader, None)
    while row is not None:
        if row and len(row) != width:
            return None
        rows += bool(row)
        row = None if lines.is_read else next(reader, None)
    return rows
