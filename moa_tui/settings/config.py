"""The user's settings: config.toml, checked whole, frozen, with a word on every key."""

from __future__ import annotations

import os
import re
import tomllib
from typing import TYPE_CHECKING, Annotated, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, field_validator

from moa_tui.engine.agent import checked_base_url, checked_variable_name
from moa_tui.errors import FileError
from moa_tui.settings import toml_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LONGEST_VALUE = 20  # lines

TEMPLATE = """\
# moa-tui's settings. Every key is optional; a line that starts with # has no effect.

# The recipe used when none is named.
# default_recipe = "duo"

# How the chat looks and behaves. F2 chooses recipes there, ctrl+p everything else.
# theme = "moa-light"
# reduced_motion = true       # nothing moves that does not have to
# guided = true               # you tick what the answers say before the final one is written; as /guided
# keep_panes_open = true      # the agents' panes stay when the final answer begins
# notify = "bell"             # when a run ends while you look elsewhere: "none", "bell" or "desktop"

# A model that gives each new conversation a title, from its first prompt and answer; none where not set.
# title_model = "ollama/llama3.2"

# What may be spent, in US dollars: a warning at 80 %, and no call that would pass it.
# [budget]
# conversation = 1.0
# day = 5.0

# Keys of your own, by the name that F1 shows behind each action.
# [keys]
# "run.stop" = "ctrl+b"

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


class Budget(BaseModel):
    """What may be spent, in US dollars; no limit where not given. Unknown prices are not counted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    conversation: Annotated[float, Field(gt=0)] | None = None
    """In one conversation, with all its branches."""
    day: Annotated[float, Field(gt=0)] | None = None
    """From midnight to midnight of the machine's clock, in all conversations together."""


class Settings(BaseModel):
    """config.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    default_recipe: str | None = None
    """The recipe used when none is named; chosen by the keys found where this is not set."""
    endpoints: dict[str, Endpoint] = {}
    """Servers by the short name that model names start with."""
    theme: str = "moa-dark"
    """A theme's name: a shipped one, or a file's in the folder `themes` beside the config file."""
    title_model: str | None = None
    """A model, as a recipe names it, that gives each new conversation a title."""
    reduced_motion: bool = False
    """Whether to leave out everything that moves without need."""
    keep_panes_open: bool = False
    """Whether the agents' panes stay open when the final answer begins."""
    guided: bool = False
    """Whether a checklist of the answers' points is ticked before the final answer is written."""
    notify: Literal["none", "bell", "desktop"] = "none"
    """What tells that a run has ended while the terminal has no focus."""
    budget: Budget = Budget()
    """What may be spent before the chat and `ask` stop and want to be told to go on."""
    keys: dict[str, str] = {}
    """Keys by the id of what they do; several are parted by commas."""


def load(path: Path) -> Settings:
    """The settings of `path`, or the defaults where no such file is. Raises FileError."""
    return toml_file.read(path, Settings) if os.path.lexists(path) else Settings()


def with_value(text: str, key: str, value: str) -> str:
    """The text of a config file with one top-level key set to a string, every other line as it was.

    Raises FileError where the text is no TOML, or the key stands in it in a way that cannot be changed.
    """
    line = tomli_w.dumps({key: value}).rstrip("\n")
    lines = text.split("\n")
    for candidate in _candidates(lines, line, re.compile(rf"""\s*["']?{key}["']?\s*=""")):
        try:
            if tomllib.loads(candidate) == {**tomllib.loads(text), key: value}:
                return candidate
        except tomllib.TOMLDecodeError:
            continue
    raise FileError(f"{key} could not be set in the config file; write `{line}` there by hand")


def _candidates(lines: list[str], line: str, stands: re.Pattern[str]) -> Iterator[str]:
    """Texts that may be what is wanted: `line` for what stands there, before the first table, at the top."""
    for at, each in enumerate(lines):
        if stands.match(each):
            # A value may go on over lines; how many is for the parser to say.
            for end in range(at + 1, min(len(lines), at + _LONGEST_VALUE) + 1):
                yield "\n".join([*lines[:at], line, *lines[end:]])
    first = next((at for at, each in enumerate(lines) if each.lstrip().startswith("[")), len(lines))
    # Above the comments of what follows.
    while first and (
        lines[first - 1].startswith("#") or (first == len(lines) and not lines[first - 1].strip())
    ):
        first -= 1
    gap = [""] if first < len(lines) and any(lines[first:]) else []
    yield "\n".join([*lines[:first], line, *gap, *lines[first:]])
    yield "\n".join([*lines[:first], line, *gap, *lines[first:], ""])
    yield "\n".join([line, "", *lines])
