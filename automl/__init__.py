"""Declare a CNN or RNN search space in YAML, search it, track it in MLflow, export the best model.

From Python: `automl.search("cnn", "digits", trials=8)`, see `automl.api`; for one's own tuners, `automl.integrations`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl.api.found import Search, load_search
    from automl.api.searching import Space, load_space, search
    from automl.integrations.mlflow_tuner import MlflowTuner

__version__ = "0.1.0"
__all__ = ["MlflowTuner", "Search", "Space", "__version__", "load_search", "load_space", "search"]

_PLACES = dict.fromkeys(__all__, "api.searching") | dict.fromkeys(("Search", "load_search"), "api.found")
_PLACES |= {"MlflowTuner": "integrations.mlflow_tuner"}


def __getattr__(name: str) -> Any:
    """Imports what is asked for when it is asked for: `automl --help` is instant."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    """Lists what is public, imported or not: for completion in a notebook."""
    return sorted(__all__)
