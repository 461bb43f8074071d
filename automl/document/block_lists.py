"""The shape of a model's list, on plain data: what is one block, what stands inside it, how repeats are written out.

```
- conv: {filters: 32}                       a block and its fields
- flatten                                   a block without fields
- stack: {repeat: 2, blocks: [...]}         `blocks` holds a list of blocks, whatever the block
- parallel: {branches: [[...], [...]]}      `branches` holds several lists
- residual: [...]                           short for {blocks: [...]}, and lists of lists for {branches: [...]}
- {name: body, one_of: {a: [...], b: []}}   a choice between lists
```

With several inputs, `{photo: [...], facts: [...], join: concat, trunk: [...]}` is short for a list that begins with
`inputs: {branches: {photo: [...], facts: [...]}, join: concat}`, the trunk behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from automl.document.yaml_text import Document, Path_

BLOCKS = "blocks"
BRANCHES = "branches"
INPUTS = "inputs"
"""The block that holds a list for each input; it adds nothing to the names of what is in it."""
JOIN, TRUNK = "join", "trunk"
"""Keys beside the inputs' own in a model that is written as a mapping."""
VARIANT_KEYS = ("one_of", "default", "when", "name")
"""Keys of a choice, between lists of blocks or between the values of a leaf."""


@dataclass(frozen=True)
class Entry:
    """One block of a list, repeats written out.

    Args:
        place: Where it stands in its list, for messages: `[2] conv`.
        name: Its name in the list, with its number if it repeats; a dash cannot stand in a user's name.
        kind: What block it is.
        fields: Its fields without `repeat` and `name`; `each` that follows its repeat is replaced by its own value.
    """

    place: str
    name: str
    kind: str
    fields: dict[str, Any]


def normalised(document: Document) -> Document:
    """Returns the document with short forms written out: `residual: [...]`, and a mapping of inputs for a model."""
    if not isinstance(document.data, dict) or "model" not in document.data:
        return document
    places: dict[Path_, Path_] = {}
    moved: dict[Path_, Path_] = {}
    model = _long(_listed(document.data["model"], places), ("model",), moved)
    if not places and not moved:
        return document
    marks = {_moved(_placed(path, places), moved): mark for path, mark in document.marks.items()}
    return replace(document, data={**document.data, "model": model}, marks=marks)


def _listed(model: Any, places: dict[Path_, Path_]) -> Any:
    """Returns a model that is written as a mapping of inputs as a list; notes in `places` what lies elsewhere now."""
    if not isinstance(model, dict) or is_fork(model):
        return model
    branches = {key: value for key, value in model.items() if key not in (JOIN, TRUNK)}
    trunk = model.get(TRUNK) or []
    if not any(isinstance(branch, list) for branch in branches.values()) or not isinstance(trunk, list):
        return model  # no mapping of inputs; what it should be is told when it is checked
    places |= {("model", name): ("model", 0, INPUTS, BRANCHES, name) for name in branches}
    places |= {("model", TRUNK, index): ("model", index + 1) for index in range(len(trunk))}
    places["model", JOIN] = ("model", 0, INPUTS, JOIN)
    joined = {JOIN: model[JOIN]} if JOIN in model else {}
    return [{INPUTS: {BRANCHES: branches, **joined}}, *trunk]


def _placed(path: Path_, places: dict[Path_, Path_]) -> Path_:
    """Returns where a path of a mapping of inputs lies in the list."""
    for size in (2, 3):
        if path[:size] in places:
            return (*places[path[:size]], *path[size:])
    return path


def _long(items: Any, path: Path_, moved: dict[Path_, Path_]) -> Any:
    """Writes a list's short forms out; notes in `moved` which paths lie deeper now."""
    if not isinstance(items, list):
        return items
    found = []
    for index, item in enumerate(items):
        at = (*path, index)
        if is_fork(item) and isinstance(item["one_of"], dict):
            branches = {k: _long(v, (*at, "one_of", k), moved) for k, v in item["one_of"].items()}
            found.append({**item, "one_of": branches})
        elif isinstance(item, dict) and len(item) == 1 and not is_fork(item):
            found.append({kind: _long_fields(fields, (*at, kind), moved) for kind, fields in item.items()})
        else:
            found.append(item)
    return found


def _long_fields(fields: Any, path: Path_, moved: dict[Path_, Path_]) -> Any:
    if isinstance(fields, list) and (_are_blocks(fields) or all(isinstance(item, list) for item in fields)):
        key = BRANCHES if fields and all(isinstance(item, list) for item in fields) else BLOCKS
        moved[path] = (*path, key)
        fields = {key: fields}
    if not isinstance(fields, dict):
        return fields
    long = dict(fields)
    if BLOCKS in fields:
        long[BLOCKS] = _long(fields[BLOCKS], (*path, BLOCKS), moved)
    if isinstance(fields.get(BRANCHES), list):
        inner = enumerate(fields[BRANCHES])
        long[BRANCHES] = [_long(branch, (*path, BRANCHES, index), moved) for index, branch in inner]
    elif isinstance(fields.get(BRANCHES), dict):
        named = fields[BRANCHES].items()
        long[BRANCHES] = {name: _long(branch, (*path, BRANCHES, name), moved) for name, branch in named}
    return long


def _are_blocks(items: list[Any]) -> bool:
    return all(is_fork(item) or split(item)[0] != "block" for item in items)


def _moved(path: Path_, moved: dict[Path_, Path_]) -> Path_:
    """Returns where a path of the written document lies in the normalised one: outer forms first, then inner ones."""
    new: Path_ = ()
    for part in path:
        # What stood in a short list stands one key deeper; the list itself keeps its place.
        new = (*moved.get(new, new), part)
    return new


def split(item: Any) -> tuple[str, Any]:
    """Returns the kind of an entry of a list and its fields; `block` for what is none."""
    if isinstance(item, dict) and len(item) == 1:
        ((kind, fields),) = item.items()
        return str(kind), {} if fields is None else fields
    return str(item) if isinstance(item, str) else "block", {}


def is_fork(item: Any) -> bool:
    """Tells whether an entry of a list is a choice between lists."""
    return isinstance(item, dict) and "one_of" in item


def names(items: Any) -> list[str]:
    """Returns the name of each entry of a list: its own `name`, else its kind, numbered from the second on."""
    found: list[str] = []
    seen: Counter[str] = Counter()
    for item in items if isinstance(items, list) else []:
        kind, fields = ("one_of", item) if is_fork(item) else split(item)
        seen[kind] += 1
        own = fields.get("name") if isinstance(fields, dict) else None
        found.append(own if isinstance(own, str) else kind if seen[kind] == 1 else f"{kind}_{seen[kind]}")
    return found


def inner_lists(fields: Any) -> Iterator[tuple[Path_, str | None, Any]]:
    """Yields the lists of blocks inside a block's fields: the path, what it adds to names (branches count from 1)."""
    if isinstance(fields, dict):
        if BLOCKS in fields:
            yield (BLOCKS,), None, fields[BLOCKS]
        if isinstance(fields.get(BRANCHES), list):
            for index, branch in enumerate(fields[BRANCHES]):
                yield (BRANCHES, index), str(index + 1), branch
        elif isinstance(fields.get(BRANCHES), dict):
            for name, branch in fields[BRANCHES].items():
                yield (BRANCHES, name), str(name), branch


def locate(items: Any, parts: list[str]) -> tuple[Path_, list[str]] | None:
    """Finds the block that a parameter's name begins with.

    Args:
        items: A list of blocks.
        parts: The name, split at its dots.

    Returns:
        The path of the innermost block within the list, down to its entry, and the parts behind its name; None when
        no block bears the name.
    """
    known = names(items)
    if not parts or parts[0] not in known:
        return _of_input(items, parts)
    index = known.index(parts[0])
    item, rest = items[index], parts[1:]
    if not is_fork(item) and split(item)[0] == "block":
        return None  # what is no block has no name either; that is told when the document is checked
    if is_fork(item):
        inner: list[tuple[Path_, str | None, Any]] = [
            (("one_of", name), str(name), branch)
            for name, branch in (item["one_of"].items() if isinstance(item["one_of"], dict) else ())
        ]
    else:
        kind, fields = split(item)
        inner = [((kind, *path), part, found) for path, part, found in inner_lists(fields)]
    for path, part, found in inner:
        if part is None or (rest and rest[0] == part):
            deeper = locate(found, rest if part is None else rest[1:])
            if deeper is not None:
                return (index, *path, *deeper[0]), deeper[1]
    return (index,), rest


def _of_input(items: Any, parts: list[str]) -> tuple[Path_, list[str]] | None:
    """Finds what a parameter's name begins with among the inputs' own lists: see `locate`."""
    for index, item in enumerate(items if isinstance(items, list) else ()):
        kind, fields = split(item)
        if kind == INPUTS and isinstance(fields, dict) and parts:
            if parts[0] == JOIN:
                return (index,), parts
            branches = fields.get(BRANCHES)
            if isinstance(branches, dict) and parts[0] in branches:
                deeper = locate(branches[parts[0]], parts[1:])
                return None if deeper is None else ((index, kind, BRANCHES, parts[0], *deeper[0]), deeper[1])
    return None


def count(items: Any) -> int:
    """Returns how many single blocks a resolved list is, those inside of others too, repeats written out."""
    total = 0
    for item in items if isinstance(items, list) else ():
        _, fields = split(item)
        repeat = fields.get("repeat", 1) if isinstance(fields, dict) else 1
        total += (repeat if isinstance(repeat, int) else 1) * (1 + sum(count(each) for *_, each in inner_lists(fields)))
    return total


def written_out(items: list[Any]) -> list[Entry]:
    """Returns the single blocks of a resolved list, repeats written out.

    Raises:
        ValueError: An entry is no block; the message begins with its place.
    """
    found = []
    for index, (item, name) in enumerate(zip(items, names(items), strict=True)):
        kind, fields = split(item)
        place = f"[{index}] {kind}"
        if kind == "block" or not isinstance(fields, dict):
            raise ValueError(f"[{index}]: expected a name, or one name with its fields: {{name: {{field: value}}}}")
        repeat = fields.get("repeat", 1)
        own = {key: value for key, value in fields.items() if key not in ("repeat", "name")}
        for number in range(repeat):
            label = name if repeat == 1 else f"{name}-{number + 1}"
            found.append(Entry(place, label, kind, _of_repeat(own, number)))
    return found


def _of_repeat(fields: dict[str, Any], number: int) -> dict[str, Any]:
    """Returns a block's fields for one repeat, and those of inner blocks that have no repeat of their own."""
    own = {key: of_each(value, number) for key, value in fields.items()}
    if BLOCKS in own:
        own[BLOCKS] = _pass_on(own[BLOCKS], number)
    if isinstance(own.get(BRANCHES), list):
        own[BRANCHES] = [_pass_on(branch, number) for branch in own[BRANCHES]]
    elif isinstance(own.get(BRANCHES), dict):
        own[BRANCHES] = {name: _pass_on(branch, number) for name, branch in own[BRANCHES].items()}
    return own


def _pass_on(items: Any, number: int) -> Any:
    found = []
    for item in items if isinstance(items, list) else ():
        kind, fields = split(item)
        follows = isinstance(fields, dict) and "repeat" not in fields and isinstance(item, dict)
        found.append({kind: _of_repeat(fields, number)} if follows else item)
    return found


def of_each(value: Any, number: int) -> Any:
    """Returns a value for the repeat `number` (from 0): its own of `{each: [...]}`, whose last one holds for the rest.

    `each` follows the nearest block around it that has a `repeat`.
    """
    if not is_each(value):
        return value
    values = value["each"]
    if not values:
        raise ValueError("each holds no values")
    return values[min(number, len(values) - 1)]


def is_each(value: Any) -> bool:
    """Tells whether a value is a literal list of values for the repeats."""
    return isinstance(value, dict) and set(value) == {"each"} and isinstance(value["each"], list)
