"""Ships the YAML files inside a wheel, where a bare name (`cnn`, `digits`) finds them."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CatalogHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the catalog into the package, but not for an editable install: there a copy would go stale."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the folders to a standard wheel."""
        if version == "standard":
            build_data["force_include"] |= {"search_spaces": "automl/_spaces", "datasets": "automl/_datasets"}
