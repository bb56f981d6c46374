"""Reads keys as a command of Vim's: register, count, operator, and what it works on."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Literal

from moa_tui.ui.prompt.vim import text_objects

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_TIMES = 9_999
"""The largest count; larger ones are taken for it, since a text that is put so often fills the memory."""
_LONGEST_SOUGHT = 500

OPERATORS = ("d", "c", "y", ">", "<", "g~", "gu", "gU")
_TO_A_CHARACTER = "fFtT"
MOTIONS = {
    *("h", "l", "j", "k", "w", "W", "b", "B", "e", "E", "0", "^", "$", "_", "+", "-", "G", "{", "}", "%"),
    *(";", ",", "n", "N", "ge", "gE", "gg"),
}
_SAME_AS = {
    **{"left": "h", "backspace": "h", "right": "l", " ": "l", "down": "j", "up": "k"},
    **{"home": "0", "end": "$"},
}
ACTIONS = {
    *(
        "x",
        "X",
        "D",
        "C",
        "Y",
        "s",
        "S",
        "J",
        "p",
        "P",
        "~",
        "i",
        "I",
        "a",
        "A",
        "o",
        "O",
        "u",
        "v",
        "V",
        ".",
    ),
}
_SELECTED = {
    *(
        "d",
        "x",
        "X",
        "D",
        "y",
        "Y",
        "c",
        "s",
        "S",
        "C",
        "R",
        ">",
        "<",
        "~",
        "u",
        "U",
        "J",
        "p",
        "P",
        "o",
        "v",
    ),
    *("V", "g~", "gu", "gU"),
}
_SEARCHES = "/?"
_REGISTERS = ascii_letters + digits + '"+*-'


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `name` is an operator, `move`, or the key of what it does."""

    name: str
    count: int | None = None
    register: str = '"'
    target: str = ""
    """What an operator works on, or where `move` goes: a motion, a text object, or `lines` as in `dd`."""
    argument: str = ""
    """The character behind f, t or r, or the text that is searched for."""

    @property
    def times(self) -> int:
        return self.count or 1


Incomplete = Literal["incomplete"]
INCOMPLETE: Incomplete = "incomplete"


class _WaitsForKey(Exception):
    """The keys so far are the beginning of a command."""


class _Keys:
    """Keys that are taken one after the other."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys
        self._at = 0

    def take(self) -> str:
        if self._at == len(self._keys):
            raise _WaitsForKey
        self._at += 1
        return self._keys[self._at - 1]

    def take_name(self) -> str:
        """A key, or two that begin with g."""
        key = self.take()
        return key + self.take() if key == "g" else _SAME_AS.get(key, key)

    def take_count(self) -> int | None:
        number: int | None = None
        while self._at < len(self._keys):
            key = self._keys[self._at]
            if not (len(key) == 1 and key in "0123456789") or (key == "0" and number is None):
                break
            number = min((number or 0) * 10 + int(key), MOST_TIMES)
            self._at += 1
        return number

    def take_line(self) -> str | None:
        """A text up to Enter; None where it was given up, by deleting more than there is."""
        letters: list[str] = []
        while (key := self.take()) != "enter":
            if key == "backspace":
                if not letters:
                    return None
                letters.pop()
            elif len(key) == 1 and len(letters) < _LONGEST_SOUGHT:
                letters.append(key)
        return "".join(letters)


def parse(keys: Sequence[str], *, is_visual: bool = False) -> Command | Incomplete | None:
    """The command that the keys are, `INCOMPLETE` for the beginning of one, None for what is none."""
    try:
        return _command(_Keys(keys), is_visual)
    except _WaitsForKey:
        return INCOMPLETE


def _command(keys: _Keys, is_visual: bool) -> Command | None:
    register, count = '"', keys.take_count()
    key = keys.take_name()
    while key == '"':
        register = keys.take()
        if len(register) != 1 or register not in _REGISTERS:
            return None
        more = keys.take_count()
        count = _product(count, more)
        key = keys.take_name()
    if is_visual:
        if key == "r":
            return Command("r", count, register, argument=_character(keys.take()))
        if key in _SELECTED:
            return Command(key, count, register)
        if key in ("i", "a"):
            return _object(keys, key, Command("move", count))
    elif key in OPERATORS:
        return _operation(keys, Command(key, count, register))
    elif key == "r":
        character = _character(keys.take())
        return Command("r", count, register, argument=character) if character else None
    elif key in ACTIONS or key == "ctrl+r":
        return Command(key, count, register)
    return _target(keys, key, Command("move", count, register))


def _operation(keys: _Keys, command: Command) -> Command | None:
    """An operator with what it works on."""
    count = _product(command.count, keys.take_count())
    command = Command(command.name, count, command.register)
    key = keys.take()
    name = key + keys.take() if key == "g" else _SAME_AS.get(key, key)
    if name == command.name or (len(command.name) == 2 and name == command.name[1]):
        return Command(command.name, count, command.register, "lines")
    if name in ("i", "a"):
        return _object(keys, name, command)
    return _target(keys, name, command)


def _object(keys: _Keys, key: str, command: Command) -> Command | None:
    name = keys.take()
    if name not in text_objects.NAMES:
        return None
    return Command(command.name, command.count, command.register, key + name)


def _target(keys: _Keys, key: str, command: Command) -> Command | None:
    argument = ""
    if key in tuple(_TO_A_CHARACTER):
        argument = _character(keys.take())
        if not argument:
            return None
    elif key in tuple(_SEARCHES):
        line = keys.take_line()
        if line is None:
            return None
        argument = line
    elif key not in MOTIONS:
        return None
    return Command(command.name, command.count, command.register, key, argument)


def _character(key: str) -> str:
    """The character that a key types; empty where it types none."""
    return key if len(key) == 1 else ""


def _product(count: int | None, more: int | None) -> int | None:
    if count is None or more is None:
        return count if more is None else more
    return min(count * more, MOST_TIMES)
