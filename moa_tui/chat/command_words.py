"""What the words behind a slash command mean: agents, settings, recipes to compare, a file to write. Pure."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from moa_tui.chat import changes
from moa_tui.engine.values import CallId
from moa_tui.errors import UsageError
from moa_tui.formats import export

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.conversation import Turn
    from moa_tui.engine.recipe import Recipe

_USAGE = "/compare [blind] A B [C] [PROMPT]"
_MOST_RECIPES = 3


# Agents and turns


def call_named(text: str, recipe: Recipe, layer: int) -> CallId:
    """The call that `3`, of layer number `layer`, or `L2.3` means in a run of `recipe`. Raises UsageError."""
    match = re.fullmatch(r"(?:[Ll]?(\d+)\.)?(\d+)", text)
    if match is None:
        raise UsageError(no_agent_words(text))
    layer = int(match[1]) if match[1] else layer
    index = int(match[2])
    # A vote has no calls, so it is no layer here.
    seats = [len(agents) for agents in recipe.lineup if agents]
    if not 1 <= layer <= len(seats) or not 1 <= index <= seats[layer - 1]:
        raise UsageError(f"there is no agent {index} in layer {layer}")
    return CallId(layer, index)


def no_agent_words(text: str) -> str:
    """The sentence for a text that names no agent."""
    return f'"{text}" names no agent: give its number, as in 2, or layer and number, as in L1.2'


def turn_numbered(number: str, turns: tuple[Turn, ...]) -> Turn:
    """The turn of that number, counted from 1, or the last one where none is given. Raises UsageError."""
    if not turns:
        raise UsageError("there is no prompt yet to change")
    if number and not (number.isdecimal() and 1 <= int(number) <= len(turns)):
        raise UsageError(f"which prompt? 1 is the first, {len(turns)} the last: /edit {len(turns)}")
    return turns[int(number) - 1 if number else -1]


def agent_settings(words: str, command: str = "/swap N") -> dict[str, object]:
    """`MODEL`, `temperature=0.3`, or both, as settings of an agent. Raises UsageError."""
    settings: dict[str, object] = {}
    for word in words.split():
        if match := re.fullmatch(r"temperature=(\d+(?:\.\d+)?)", word):
            settings["temperature"] = float(match[1])
        elif re.match(r"\w+=", word) or "model" in settings:
            raise UsageError(f"{command} MODEL, {command} temperature=0.3, or both")
        else:
            settings |= changes.model_settings(word)
    if not settings:
        example = command.replace("N", "2")
        raise UsageError(f"a model or a temperature is needed: {example} gpt-6-luna temperature=0.3")
    return settings


def rewriting(words: str) -> tuple[str, str]:
    """`RECIPE` or `prompt TEXT`, as the name of a recipe and instructions; one of them, or both, are empty.

    Raises UsageError where the instructions are missing.
    """
    kind, _, rest = words.partition(" ")
    if kind != "prompt":
        return words, ""
    if not rest.strip():
        raise UsageError("instructions are needed, as in /again prompt Write it as a table.")
    return "", rest


# Comparing


class CompareWords(NamedTuple):
    """What the words behind /compare ask for; an empty prompt is the last turn's."""

    is_blind: bool
    names: tuple[str, ...]
    prompt: str


def compare_words(words: str, is_recipe: Callable[[str], bool]) -> CompareWords:
    """`[blind] A B [C] [PROMPT]`: a third word is a recipe where `is_recipe` says so of its name.

    `--` before the prompt says that its first word is none. Raises UsageError.
    """
    word, rest = _first_word(words)
    is_blind = word.lower() == "blind"
    if not is_blind:
        rest = words
    names: list[str] = []
    while len(names) < _MOST_RECIPES:
        word, after = _first_word(rest)
        if not word or word == "--" or (len(names) == 2 and not is_recipe(word)):
            break
        names.append(word)
        rest = after
    word, after = _first_word(rest)
    if word == "--":
        rest = after
    if len(names) < 2:
        raise UsageError(f"at least two recipes are needed: {_USAGE}")
    refuse_repeated(names)
    return CompareWords(is_blind, tuple(names), rest.strip())


def _first_word(text: str) -> tuple[str, str]:
    match = re.match(r"\s*(\S*)\s*(.*)\Z", text, re.DOTALL)
    return (match[1], match[2]) if match else ("", "")


def refuse_repeated(names: list[str]) -> None:
    """Raise UsageError for a recipe that would be compared with itself."""
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise UsageError(f'"{repeated}" is named twice: a recipe is compared with others')


# Files


def export_words(words: str) -> tuple[str, Path | None, bool]:
    """`[FORMAT] [PATH] [!]`: the format, where to, and whether a file that is there may be replaced.

    A path that ends as a format's files do needs no format. Raises UsageError.
    """
    try:
        parts = shlex.split(words)
    except ValueError as error:
        raise UsageError(f"{words}: a quotation mark is missing") from error
    may_replace = parts[-1:] == ["!"]
    parts = parts[:-1] if may_replace else parts
    format_ = parts.pop(0) if parts and parts[0] in export.FORMATS else None
    if len(parts) > 1:
        raise UsageError(f"/export [{' | '.join(export.FORMATS)}] [PATH] [!]; quote a path with spaces")
    path = Path(parts[0]).expanduser() if parts else None
    if format_ is None and path is not None:
        by_suffix = {each.suffix: name for name, each in reversed(export.FORMATS.items())}
        format_ = by_suffix.get("".join(path.suffixes[-2:])) or by_suffix.get(path.suffix)
        if format_ is None:
            raise UsageError(
                f"{path}: which format? One of {', '.join(export.FORMATS)} before the path says it"
            )
    return format_ or "markdown", path, may_replace
