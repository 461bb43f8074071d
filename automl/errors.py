"""The exception tree.

```
AutomlError
├── ConfigError     a document or an option is wrong: every problem at once, before any work
├── DataError       a data set is missing, unreadable or does not fit its document
├── TrialError      this trial is lost, the search goes on
│   └── Infeasible  the configuration cannot be built into a model
├── SearchError     the search stops
├── ExportError     a model cannot be written in the format asked for
└── MissingExtra    an optional dependency is not installed
```

A user's mistake is shown as its message and ends the program with exit code 2; anything else is a traceback and a bug.
Messages read `where: what is wrong. Expected ...; received ... . Hint.`
"""

from __future__ import annotations

import difflib
import errno
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

DISTRIBUTION = "automl-keras"
"""What pip installs. The package is `automl`; the distribution of that name on the package index is somebody else's."""

MAX_GUESSED, MOST_KNOWN = 100, 1_000
"""Characters of a word that a known one is looked for, and words that are looked at: each takes some 20 us."""


class AutomlError(Exception):
    """Base of every error this package raises on purpose."""


@dataclass(frozen=True)
class Problem:
    """One mistake of a user's: where it stands, what it is, and the way out.

    Args:
        where: `file:line:column`, an option, or a file.
        what: What is wrong, without a full stop.
        expected: What would have been right.
        received: What was found, as it should be quoted.
        hint: What to do, as a sentence without its full stop.
    """

    where: str
    what: str
    expected: str | None = None
    received: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        sentences = [f"{self.where}: {self.what}"]
        facts = []
        if self.expected is not None:
            facts.append(f"expected {self.expected}")
        if self.received is not None:
            facts.append(f"received {self.received}")
        if facts:
            joined = "; ".join(facts)
            sentences.append(joined[0].upper() + joined[1:])
        if self.hint:
            sentences.append(self.hint)
        # One line whatever the user's own text holds: the message is read in a terminal and grepped in a log.
        line = " ".join(". ".join(sentences).splitlines())
        return line if line.endswith(("?", ".")) else line + "."


class ConfigError(AutomlError):
    """A document or an option is wrong; carries every problem found, in the order of the document."""

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class DataError(AutomlError):
    """A data set is missing, unreadable, or does not fit its document."""


class TrialError(AutomlError):
    """This trial is lost; the search goes on."""


class Infeasible(TrialError):  # noqa: N818 - a verdict on a configuration, not a fault
    """The configuration cannot be built into a model, for example a kernel larger than its input."""


class SearchError(AutomlError):
    """The search cannot go on."""


class ExportError(AutomlError):
    """A model cannot be written in the format asked for."""


class MissingExtra(AutomlError):  # noqa: N818 - what is missing, as the message says it
    """An optional dependency is not installed; the message carries the install line."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional dependency. {install_hint(extra)}")


def install_hint(extra: str) -> str:
    """Says how the optional dependencies of an extra are installed, without the full stop."""
    return f"Install it with: pip install '{DISTRIBUTION}[{extra}]'"


_REFUSALS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would become too large",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.EIO: "the disk, or whatever stands there, does not answer",
    errno.ESTALE: "its server does not know it any more",
    errno.EMFILE: "too many open files. Raise the limit with: ulimit -n",
    errno.ENFILE: "too many open files on this machine",
    errno.ENOMEM: "the memory is used up",
    errno.EAGAIN: "no process or thread can be started. Raise the limit with: ulimit -u",
}

_NO_ROOM = ("failed to map segment", "cannot allocate memory")


def refused(error: BaseException) -> str | None:
    """Says in a line what the machine refused; None for an error that is no refusal, and so perhaps a bug of ours."""
    # A library that finds no room for itself is, to Python, one that cannot be imported.
    no_room = isinstance(error, ImportError) and any(words in str(error).lower() for words in _NO_ROOM)
    if isinstance(error, MemoryError) or no_room:
        return "the memory is used up. Give the program more, or let it have fewer workers or less data."
    what = _REFUSALS.get(error.errno or 0) if isinstance(error, OSError) else None
    if what is None:
        return None
    path = error.filename if isinstance(error, OSError) else None
    return f"{what}." if path is None else f"{path}: {what}."


def is_out_of_memory(error: BaseException) -> bool:
    """Knows what TensorFlow, JAX, PyTorch and NumPy raise, without importing any of them."""
    words = f"{type(error).__name__}: {error}".lower().replace("_", "").replace(" ", "")
    return isinstance(error, MemoryError) or any(word in words for word in ("resourceexhausted", "outofmemory"))


UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves a terminal's cursor, colours or renames it, turns text round, or cannot be written at all."""


def printable(text: str) -> str:
    r"""Returns text of a file's, a library's or another user's as a terminal may be shown it: `\x1b` for an escape."""
    return UNPRINTABLE.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Returns `did you mean 'x'?` for the known word nearest to `word`, or None when nothing is near."""
    if len(word) > MAX_GUESSED:
        return None
    near = difflib.get_close_matches(word, itertools.islice(known, MOST_KNOWN), n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}?" if near else None


def shorten(value: object, limit: int = 60) -> str:
    """Quotes a received value for a message as YAML would write it, cut to `limit` characters."""
    return cut(_quoted(value), limit)


def cut(text: str, limit: int = 200) -> str:
    """Returns text of a library's or a user's as a message shows it: at most `limit` characters, dots for the rest."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def last_line(text: str, otherwise: str = "no reason given") -> str:
    """Returns the last line of what a program said before it ended, cut as a message shows it."""
    return cut(next((line.strip() for line in reversed(text.splitlines()) if line.strip()), otherwise), 300)


def _quoted(value: object) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower() if value is not None else "null"
    if isinstance(value, list):
        return f"[{', '.join(map(_quoted, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_quoted(item)}" for key, item in value.items()) + "}"
    return repr(value) if isinstance(value, str) else str(value)
