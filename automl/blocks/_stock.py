"""What is known of Keras's layers without Keras, which takes seconds to import: names, arguments, values that fit.

`python -m automl.blocks._stock` asks the Keras that is installed and writes `_stock.json`. It is right for that version
alone: with another one Keras itself is asked, and so it is about values that the table does not know to fit.
"""

from __future__ import annotations

import functools
import importlib.metadata
import inspect
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("_stock.json")
WHOLE = (-1, 0, 1, 2, 3, 4, 8, 1024)
FLOATS = (-1.0, -1e-6, 0.0, 1e-6, 0.1, 0.5, 0.999999, 1.0, 1.000001, 10.0)
WORDS = (
    *("linear", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "swish", "softplus", "tanh", "sigmoid", "softmax"),
    *("valid", "same", "causal", "concat", "sum", "ave", "zeros", "ones", "glorot_uniform", "he_normal", "he_uniform"),
    *("orthogonal", "l1", "l2", "max_norm", "non_neg", "unit_norm", "channels_last", "nearest", "bilinear"),
)
LENGTHS = (1, 2, 3)
ALONE = ("_initializer", "_regularizer", "_constraint", "activation", "trainable", "seed", "data_format")
"""Ends of the names of arguments that take words, and that no other one is held against."""
SWITCHES = ("trainable", "use_bias", "center", "scale", "return_sequences", "return_state", "stateful", "unroll")
"""Ends of the names of arguments that take no words."""


@dataclass(frozen=True)
class Stock:
    """A layer of Keras's.

    Args:
        arguments: The names of its arguments.
        required: Those of them that have no default.
        fits: For each argument, what it was seen to take: `text`, whether `null` and a `switch`, and the ends of
            `whole` numbers, of `floats`, and of whole numbers in lists of a length (`lists`).
        apart: Pairs of arguments that were seen not to fit with each other.
    """

    arguments: list[str]
    required: list[str]
    fits: Mapping[str, Mapping[str, Any]]
    apart: Sequence[Sequence[str]]

    def takes(self, given: Mapping[str, Any]) -> bool:
        """Tells whether arguments are sure to fit; where it is not, Keras has to be asked."""
        both = any(one in given and other in given for one, other in self.apart)
        return not both and all(_takes(self.fits.get(name, {}), value) for name, value in given.items())


def _takes(fits: Mapping[str, Any], value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return bool(fits.get("null" if value is None else "switch"))
    if isinstance(value, str):
        return value in fits.get("text", ())
    if isinstance(value, list):
        low, high = fits.get("lists", {}).get(str(len(value)), (1, 0))
        return all(type(each) is int and low <= each <= high for each in value)
    low, high = fits.get("whole" if isinstance(value, int) else "floats", (1, 0))
    return bool(low <= value <= high)


@functools.cache
def table() -> Mapping[str, Stock] | None:
    """Returns the layers by name; None where the table is about another version of Keras."""
    try:
        read = json.loads(TABLE.read_text("utf-8"))
        if read["keras"] != importlib.metadata.version("keras"):
            return None
    except (OSError, ValueError, importlib.metadata.PackageNotFoundError):
        return None
    return {name: Stock(**fields) for name, fields in read["layers"].items()}


def arguments_of(layer: type) -> tuple[list[str], list[str]]:
    """Returns a layer's arguments, and those of them that have no default."""
    parameters = list(inspect.signature(layer).parameters.values())
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    known = [p.name for p in named if p.name not in ("name", "dtype")]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        known += [common for common in ("activity_regularizer", "trainable") if common not in known]
    return known, [p.name for p in named if p.default is p.empty]


def probed(layer: Callable[..., Any]) -> dict[str, Any]:
    """Asks a layer what it takes, by making it with one value after another."""
    known, required = arguments_of(layer)  # type: ignore[arg-type]

    def makes(**given: Any) -> bool:
        try:
            layer(**given)
        except Exception:  # noqa: BLE001 - whatever it says, the value is none for this table
            return False
        return True

    options = (2, 0.5, [2, 2], "relu", [2], [2, 2, 2])
    if ".preprocessing." in layer.__module__:  # takes long to make, and is seldom asked for
        return {"arguments": known, "required": required, "fits": {}, "apart": []}
    base = next(
        (
            given
            for values in itertools.product(options, repeat=len(required))
            if makes(**(given := dict(zip(required, values, strict=True))))
        ),
        None,
    )
    if base is None:
        return {"arguments": known, "required": required, "fits": {}, "apart": []}
    fits = {name: _fits(partial(_made_with, makes, base, name), name) for name in known}
    few = {name: _few(found) for name, found in fits.items()}
    apart = [
        (one, other)
        for one, other in itertools.combinations([name for name in known if not name.endswith(ALONE)], 2)
        if not all(makes(**{**base, one: a, other: b}) for a, b in itertools.product(few[one], few[other]))
    ]
    return {"arguments": known, "required": required, "fits": fits, "apart": apart}


def _made_with(makes: Callable[..., bool], base: Mapping[str, Any], name: str, value: Any) -> bool:
    return makes(**{**base, name: value})


def _taken_in_list(takes: Callable[[Any], bool], length: int, value: Any) -> bool:
    return takes([value] * length)


def _fits(takes: Callable[[Any], bool], name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"null": takes(None), "switch": takes(True) and takes(False)}
    if not name.endswith(SWITCHES):
        found["text"] = [word for word in WORDS if takes(word)]
    if not name.endswith(ALONE):
        found["whole"], found["floats"] = _run(WHOLE, takes), _run(FLOATS, takes)
        lists = {str(n): _run(WHOLE, partial(_taken_in_list, takes, n)) for n in LENGTHS}
        found["lists"] = {n: run for n, run in lists.items() if run}
    return {kind: value for kind, value in found.items() if value}


def _run(values: Sequence[Any], takes: Callable[[Any], bool]) -> list[Any]:
    """Returns the ends of the values that are taken; nothing where there are gaps between them."""
    taken = [takes(value) for value in values]
    if True not in taken:
        return []
    first, last = taken.index(True), len(taken) - 1 - taken[::-1].index(True)
    return [values[first], values[last]] if all(taken[first : last + 1]) else []


def _few(fits: Mapping[str, Any]) -> list[Any]:
    """Returns values of every kind that fits, the largest: what is off by default is on."""
    low, high = fits.get("whole", (1, 0))
    few = [value for value in (3, high) if low <= value <= high]  # 3 is odd, where one has to divide another
    few += [*fits.get("floats", [])[-1:], *fits.get("text", [])[-1:]]
    few += [[ends[-1]] * int(n) for n, ends in fits.get("lists", {}).items()]
    return few + [True, False] * ("switch" in fits)


def main() -> None:
    """Writes the table of the Keras that is installed."""
    import keras

    from automl.blocks._layer import REFUSED, is_layer_name

    layers = {name: getattr(keras.layers, name) for name in dir(keras.layers) if is_layer_name(name)}
    kept = {name: layer for name, layer in layers.items() if name not in REFUSED and inspect.isclass(layer)}
    kept = {name: layer for name, layer in kept.items() if issubclass(layer, keras.layers.Layer)}
    # Some layers have a second name.
    found = {layer: probed(layer) for layer in kept.values()}
    stock = {name: found[layer] for name, layer in kept.items()}
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(fields)}" for name, fields in stock.items())
    TABLE.write_text(f'{{"keras": "{keras.__version__}", "layers": {{\n{lines}\n}}}}\n', "utf-8")


if __name__ == "__main__":
    main()
