"""Reads one JSON value however deep it is nested, where the library's decoder runs out of stack.

LibreChat exports a conversation with each message inside the one before it, so that a long conversation is
thousands of levels deep. Reading it here is slower; what is nested like most values is for the library.
"""

from __future__ import annotations

import re
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from json import JSONDecoder

MOST_LEVELS = 100_000
"""The levels of the deepest value that is read."""

_BLANK = re.compile(r"[ \t\r\n]*+")
_CLOSERS = {"[": "]", "{": "}"}


def deep_value(text: str, at: int, decoder: JSONDecoder) -> tuple[Any, int]:
    """The JSON value at a place of `text`, and the place behind it.

    `decoder` reads the values that hold no others. Raises JSONDecodeError, and RecursionError for more levels
    than MOST_LEVELS.
    """
    containers: list[Any] = []
    keys: list[str] = []
    while True:
        closer = _CLOSERS.get(text[at : at + 1])
        if closer is not None:
            containers.append({} if closer == "}" else [])
            if len(containers) > MOST_LEVELS:
                raise RecursionError
            at = _after_blank(text, at + 1)
            if text[at : at + 1] != closer:
                at = _read_key(text, at, keys, decoder) if closer == "}" else at
                continue
            value, at = containers.pop(), at + 1
        else:
            value, at = decoder.raw_decode(text, at)
        while containers:
            at = _after_blank(text, at)
            container = containers[-1]
            is_table = isinstance(container, dict)
            if is_table:
                container[keys.pop()] = value
            else:
                container.append(value)
            mark = text[at : at + 1]
            if mark == ",":
                at = _after_blank(text, at + 1)
                at = _read_key(text, at, keys, decoder) if is_table else at
                break
            if mark != ("}" if is_table else "]"):
                raise JSONDecodeError("Expecting ',' delimiter", text, at)
            value, at = containers.pop(), at + 1
        else:
            return value, at


def _after_blank(text: str, at: int) -> int:
    """The place of the next character that is not blank."""
    blank = _BLANK.match(text, at)
    return blank.end() if blank is not None else at


def _read_key(text: str, at: int, keys: list[str], decoder: JSONDecoder) -> int:
    """Add the key at a place to `keys`, and return the place of its value. Raises JSONDecodeError."""
    if text[at : at + 1] != '"':
        raise JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
    key, at = decoder.raw_decode(text, at)
    at = _after_blank(text, at)
    if text[at : at + 1] != ":":
        raise JSONDecodeError("Expecting ':' delimiter", text, at)
    keys.append(key)
    return _after_blank(text, at + 1)
