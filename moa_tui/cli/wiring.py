"""Builds what the commands run on: settings, gateway and recipe catalog.

What a function needs is imported inside it: `moa-tui --version` must not wait for what it does not use.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moa_tui.gateway.gateway import Gateway
    from moa_tui.recipes.catalog import RecipeCatalog
    from moa_tui.recipes.models import ModelCatalog
    from moa_tui.settings.config import Settings


def settings_in_force() -> Settings:
    from moa_tui.settings import config, paths

    return config.load(paths.config_file())


def gateway_of(settings: Settings) -> Gateway:
    from moa_tui.gateway.gateway import Gateway

    return Gateway(settings.endpoints, os.environ)


def models_of(settings: Settings, gateway: Gateway) -> ModelCatalog:
    from moa_tui.recipes.models import ModelCatalog

    return ModelCatalog(settings, gateway, os.environ)


def catalog_of(settings: Settings, gateway: Gateway) -> RecipeCatalog:
    from moa_tui.recipes.catalog import RecipeCatalog
    from moa_tui.settings import paths

    return RecipeCatalog(settings, gateway, paths.recipes_dir(), models_of(settings, gateway).local_servers)
