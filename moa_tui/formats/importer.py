"""Reads conversations from files: moa-tui's own JSON, and what other programs write.

A file may come from anybody. Whatever is in it, reading it gives conversations or raises FileError.
"""

from __future__ import annotations

import json
import stat
from collections import Counter
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder
from typing import TYPE_CHECKING, Any, NoReturn

from moa_tui.errors import FileError
from moa_tui.formats.foreign import LATEST, from_chatgpt, from_messages, from_sharegpt
from moa_tui.formats.json_reader import conversation_from
from moa_tui.formats.json_writer import FORMAT, recipe_document
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moa_tui.conversation import Conversation, Turn

LARGEST = 256 * 1024 * 1024
"""The bytes of the largest file that is read."""
# The marks of JSON before values. Lists of nothing but marks would take twenty times the memory of the file.
_MOST_MARKS = 5_000_000
# Turns of a conversation. Each of them is listed, and counted, again and again while it is open.
_MOST_TURNS = 50_000
_KNOWN = "moa-tui's JSON, OpenAI messages in JSON or JSONL, ShareGPT, and ChatGPT's conversations.json"
# With larger numbers in a file, their sums could be more than JSON and a database can hold.
_LARGEST_WHOLE, _LARGEST_NUMBER = 2**62, 1e100
_LONGEST_ID = 64


@dataclass(frozen=True, slots=True)
class Imported:
    """The conversations of a file; `notes` say in words what was left out of it."""

    conversations: tuple[Conversation, ...]
    notes: tuple[str, ...]


def read(path: Path) -> Imported:
    """The conversations of a file, whose format is found out from what is in it. Raises FileError.

    The conversations of moa-tui's own JSON keep their ids; those of other programs get new ones.
    """
    try:
        return _imported(_file_text(path))
    except FileError as error:
        raise FileError(f"{path}: {error}") from error
    except RecursionError as error:
        raise FileError(f"{path}: it is nested too deeply for a conversation") from error


def _imported(text: str) -> Imported:
    """The conversations of a file's text. Raises FileError and RecursionError."""
    left_out: Counter[str] = Counter()
    conversations: list[Conversation] = []
    for where, value in _values(text):
        try:
            for conversation in _conversations(value, left_out):
                if (turns := len(conversation.turns)) > _MOST_TURNS:
                    raise FileError(f"a conversation has {turns:,} turns; {_MOST_TURNS:,} is the most")
                conversations.append(conversation)
        except FileError as error:
            raise FileError(f"{where}{error}") from error
    if not conversations:
        raise FileError(f"there is no conversation in it; what can be read: {_KNOWN}")
    notes = [f"{counted(number, thing)} left out" for thing, number in left_out.items() if number]
    return Imported(tuple(conversations), tuple(notes))


def _file_text(path: Path) -> str:
    """The text of a file in any of JSON's encodings. Raises FileError, which does not name the path."""
    try:
        # To open a pipe or a device could wait for ever, and to read it never end.
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise FileError("it is no file")
        if status.st_size > LARGEST:
            raise FileError(f"it is larger than {LARGEST // 2**20} MB, which is the most that is read")
        data = path.read_bytes()
        if sum(map(data.count, (b"[", b"{", b","))) > _MOST_MARKS:
            raise FileError(f"it holds more than {_MOST_MARKS:,} values, which is the most that is read")
        return data.decode(json.detect_encoding(data))
    except UnicodeDecodeError as error:
        raise FileError(f"it is not a text in {error.encoding}: byte {error.start}") from error
    except OSError as error:
        raise FileError(f"it cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise FileError(f"that cannot be a file's name: {error}") from error


def _values(text: str) -> Iterator[tuple[str, Any]]:
    """The JSON values of a file: one, or in JSONL one a line. Each has its place, as words for an error."""
    decoder = JSONDecoder(parse_int=_whole, parse_float=_number, parse_constant=_no_number)
    try:
        yield "", decoder.decode(text)
        return
    except JSONDecodeError as error:
        if error.msg != "Extra data":
            raise FileError(f"line {error.lineno}, column {error.colno}: {error.msg}") from error
        more_than_one = error
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = decoder.decode(line)
        except JSONDecodeError as error:
            if number == 1:
                line_number, column = more_than_one.lineno, more_than_one.colno
            else:
                line_number, column = number, error.colno
            raise FileError(f"line {line_number}, column {column}: {error.msg}") from error
        yield f"line {number}: ", value


def _conversations(value: object, left_out: Counter[str]) -> Iterator[Conversation]:
    """The conversations of a JSON value: a record, a list of records, or a list of messages."""
    if isinstance(value, list) and any(isinstance(entry, dict) and "role" in entry for entry in value):
        value = {"messages": value}
    for record in value if isinstance(value, list) else [value]:
        if not isinstance(record, dict):
            left_out["unknown record"] += 1
        elif record.get("format") == FORMAT:
            yield _checked(conversation_from(record))
        else:
            yield from _foreign(record, left_out)


def _foreign(table: dict[str, Any], left_out: Counter[str]) -> Iterator[Conversation]:
    """The conversation of another program's record; none where the record is unknown or empty."""
    if isinstance(table.get("mapping"), dict):
        conversation = from_chatgpt(table, left_out)
    elif isinstance(table.get("messages"), list):
        conversation = from_messages(table, left_out)
    elif isinstance(table.get("conversations"), list):
        conversation = from_sharegpt(table, left_out)
    else:
        left_out["unknown record"] += 1
        return
    if conversation.turns:
        yield conversation
    else:
        left_out["empty conversation"] += 1


def _checked(conversation: Conversation) -> Conversation:
    """The conversation itself. Raises FileError where its ids, times or turns cannot be right."""
    ids = [conversation.id, *(turn.id for turn in conversation.turns)]
    if conversation.forked_from:
        ids.append(conversation.forked_from)
    for id_ in ids:
        if not id_.isprintable() or not 0 < len(id_) <= _LONGEST_ID:
            raise FileError(f"{id_[:80]!r} cannot be an id")
    for created in (conversation.created, *(turn.created for turn in conversation.turns)):
        if not 0 <= created <= LATEST:
            raise FileError(f"{created:g} is no time for a conversation")
    checked: set[int] = set()
    for turn in conversation.turns:
        _check_turn(turn, checked)
    return conversation


def _check_turn(turn: Turn, checked: set[int]) -> None:
    """Raise FileError where a turn's recipe cannot be written again, or has no place for its calls.

    `checked` has the identities of the recipes that can be written; the turn's own is added to it.
    """
    if id(turn.recipe) not in checked:
        try:
            recipe_document(turn.recipe)
        except ValueError as error:
            raise FileError(f"the recipe of turn {turn.id} could not be kept: {error}") from error
        checked.add(id(turn.recipe))
    if turn.outcome is None:
        return
    replies, metrics = turn.outcome.replies, turn.outcome.metrics
    for call in replies:
        if not 1 <= call.layer <= len(turn.recipe.layers) or call.index < 1:
            raise FileError(f"turn {turn.id} has a call {call}, for which its recipe has no place")
    for overlap in metrics.overlap:
        if overlap.call not in replies:
            raise FileError(f"turn {turn.id} has numbers about {overlap.call}, which is none of its calls")


def _whole(digits: str) -> int:
    """The value of a JSON integer. Raises FileError for one that is too large."""
    if len(digits) > 20 or abs(number := int(digits)) > _LARGEST_WHOLE:
        _no_number(digits)
    return number


def _number(digits: str) -> float:
    """The value of a JSON number with a fraction or exponent. Raises FileError for one that is too large."""
    number = float(digits)
    if not abs(number) <= _LARGEST_NUMBER:
        _no_number(digits)
    return number


def _no_number(digits: str) -> NoReturn:
    """Raise FileError for a number that is too large, or is NaN or Infinity."""
    raise FileError(f"it holds {digits[:30]}, which is no number for a conversation")
