"""The user's settings: config.toml, checked whole, frozen, with a word on every key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from moa_tui import toml_file
from moa_tui.engine.recipe import checked_base_url, checked_variable_name

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = """\
# moa-tui's settings. Every key is optional; a line that starts with # has no effect.

# The recipe used when none is named.
# default_recipe = "duo"

# A server of your own that speaks OpenAI's protocol. Its models are written "lab/MODEL" in recipes.
# [endpoints.lab]
# base_url = "http://127.0.0.1:8000/v1"
# key_env = "LAB_API_KEY"
# concurrency = 2
"""


class Endpoint(BaseModel):
    """A server that speaks OpenAI's protocol, by a short name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str
    """Up to and including `/v1`."""
    key_env: str | None = None
    """Name of the environment variable that holds the key, where the server wants one."""
    concurrency: Annotated[int, Field(ge=1)] | None = None
    """Calls at once; goes before the recipe's own limit."""

    @field_validator("base_url")
    @classmethod
    def _usable(cls, value: str) -> str:
        return checked_base_url(value)

    @field_validator("key_env")
    @classmethod
    def _a_name_and_no_key(cls, value: str | None) -> str | None:
        return value if value is None else checked_variable_name(value)


class Settings(BaseModel):
    """config.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    default_recipe: str | None = None
    """The recipe used when none is named; chosen by the keys found where this is not set."""
    endpoints: dict[str, Endpoint] = {}
    """Servers by the short name that model names start with."""


def load(path: Path) -> Settings:
    """The settings of `path`, or the defaults where no such file is. Raises FileError."""
    return toml_file.read(path, Settings) if os.path.lexists(path) else Settings()
