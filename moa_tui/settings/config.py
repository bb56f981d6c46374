"""The user's settings: the keys of config.toml, checked together and frozen."""

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

_LONGEST_VALUE_LINES = 20

TEMPLATE = """\
# moa-tui's settings. Every key is optional; a line that starts with # has no effect.

# The recipe used when none is named.
# default_recipe = "duo"

# How the chat looks and behaves. F2 chooses recipes there, ctrl+p everything else.
# theme = "moa-light"
# reduced_motion = true       # nothing moves that does not have to
# guided = true               # you tick what the answers say before the final one is written; as /guided
# plain = true                # lines of text instead of a screen; as chat --plain
# keep_panes_open = true      # the agents' panes stay when the final answer begins
# editing = "vim"            # Vim's keys in the prompt and the conversation
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
# context_tokens = 8192       # the most it takes, prompt and answer together; else older messages are tried
# stream_options = false      # it refuses to count tokens
# system_role = false         # its models take no system message; it goes before the first prompt
"""


class Endpoint(BaseModel):
    """A server that speaks OpenAI's protocol, by a short name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str
    """Up to and including `/v1`."""
    key_env: str | None = None
    """Name of the environment variable that holds the key, where the server wants one."""
    concurrency: Annotated[int, Field(ge=1)] | None = None
    """The most calls at once; it takes the place of the recipe's own limit."""
    context_tokens: Annotated[int, Field(ge=256)] | None = None
    """The size of its models' context window, in tokens, prompt and answer together; older messages are left
    out to fit. Not known where it is not given."""
    charges: bool = False
    """True for a server on this machine that hands its calls on to one that costs money: their price is
    unknown then. Any other server on this machine costs nothing."""
    stream_options: bool = True
    """False for a server that refuses to be asked for its count of tokens."""
    system_role: bool = True
    """False for models that take no system message: it is put before the first prompt."""

    @field_validator("base_url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        return checked_base_url(value)

    @field_validator("key_env")
    @classmethod
    def _check_variable_name(cls, value: str | None) -> str | None:
        return value if value is None else checked_variable_name(value)


class Budget(BaseModel):
    """What may be spent, in US dollars; None is no limit. Calls whose price is unknown are not counted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    conversation: Annotated[float, Field(gt=0)] | None = None
    """In one conversation, with all its branches."""
    day: Annotated[float, Field(gt=0)] | None = None
    """From midnight to midnight of the machine's clock, in all conversations together."""


class Settings(BaseModel):
    """The settings, by the keys of config.toml."""

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
    """True to leave out everything that moves without need."""
    plain: bool = False
    """True to chat in lines of text instead of on a screen, as for a screen reader."""
    keep_panes_open: bool = False
    """True to leave the agents' panes open when the final answer begins."""
    guided: bool = False
    """True to let the user tick the answers' points in a checklist before the final answer is written."""
    notify: Literal["none", "bell", "desktop"] = "none"
    """How the chat says that a run has ended while the terminal has no focus."""
    budget: Budget = Budget()
    """What may be spent before the chat and `ask` stop and have to be told to go on."""
    editing: Literal["emacs", "vim"] = "emacs"
    """The keys for writing and reading: as terminals have them, or those of Vim."""
    keys: dict[str, str] = {}
    """Keys of the keyboard by the id of their action; several keys are separated by commas."""


def load(path: Path) -> Settings:
    """The settings that the file at `path` holds, the defaults where there is no file. Raises FileError."""
    return toml_file.read(path, Settings) if os.path.lexists(path) else Settings()


def with_value(text: str, key: str, value: str) -> str:
    """The text of a config file with one top-level key set to a string, and every other line unchanged.

    Raises FileError where the text is not TOML, or the key is written in a way that cannot be changed.
    """
    line = tomli_w.dumps({key: value}).rstrip("\n")
    lines = text.split("\n")
    for candidate in _candidate_texts(lines, line, re.compile(rf"""\s*["']?{key}["']?\s*=""")):
        try:
            if tomllib.loads(candidate) == {**tomllib.loads(text), key: value}:
                return candidate
        except tomllib.TOMLDecodeError:
            continue
    raise FileError(f"{key} could not be set in the config file; write `{line}` there by hand")


def _candidate_texts(lines: list[str], line: str, key_pattern: re.Pattern[str]) -> Iterator[str]:
    """Texts in which `line` sets the key: in the place of the key's line, before the first table, at the top.

    The caller parses them to find the first in which nothing else has changed.
    """
    for index, old_line in enumerate(lines):
        if key_pattern.match(old_line):
            # A value may span several lines; only the parser can say how many.
            for end in range(index + 1, min(len(lines), index + _LONGEST_VALUE_LINES) + 1):
                yield "\n".join([*lines[:index], line, *lines[end:]])
    tables = (index for index, old_line in enumerate(lines) if old_line.lstrip().startswith("["))
    place = next(tables, len(lines))
    # The comments above a table belong to it.
    while place and (
        lines[place - 1].startswith("#") or (place == len(lines) and not lines[place - 1].strip())
    ):
        place -= 1
    gap = [""] if place < len(lines) and any(lines[place:]) else []
    yield "\n".join([*lines[:place], line, *gap, *lines[place:]])
    yield "\n".join([*lines[:place], line, *gap, *lines[place:], ""])
    yield "\n".join([line, "", *lines])
