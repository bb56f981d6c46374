"""Reads the JSON values of a text one after another: a large file never stands in the memory as a whole.

The values are the entries of a list, or values that stand one after another, as in JSONL. Where one cannot be
read, reading goes on at the next place where one may begin.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder
from typing import TYPE_CHECKING, Any

from moa_tui.errors import FileError
from moa_tui.formats.deep_json import deep_value
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The characters that are read ahead, twice as many each time where a value is longer.
_AHEAD = 100_000
# The marks of JSON before values. Lists of nothing but marks would take twenty times the memory of the file.
_MOST_MARKS = 5_000_000
# Values at the top of a file, each of which is looked at by itself.
_MOST_VALUES = 2_000_000
# With larger numbers in moa-tui's own files, their sums could be more than JSON and a database can hold.
_LARGEST_WHOLE, _LARGEST_NUMBER = 2**62, 1e100
_MOST_DIGITS = 20
# What may be read in vain in search of the next value, so that a file cannot keep the program busy.
_MOST_IN_VAIN = 300_000_000
# No number, word or escape of JSON is longer, so that a fault before them is not for want of the rest.
_LONGEST_MARK = 40
_BLANK = re.compile(r"[ \t\r\n\ufeff]*")
_PART_OF_A_NUMBER = re.compile(r"[0-9.eE+-]{0,3}")
_FIRST_KEY = re.compile(r'[{]\s*"((?:[^"\\]|\\.){1,60})"\s*:')
_SHOWN_PROBLEMS = 5
_NESTED = "it is nested too deeply for a conversation"
# Reading a value that is nested deeply takes about so many times as long as reading another.
_SLOWNESS = 20


@dataclass(frozen=True, slots=True)
class JsonValue:
    """A value, and its place in the file in words.

    Values of one list have the same `group`; those that stand in no list have the group 0. `lost_numbers` are
    numbers in it that are none, such as NaN, or too large for any use; they are None in the value.
    `large_numbers` are others that no conversation of moa-tui can hold.
    """

    where: str
    group: int
    value: Any
    lost_numbers: tuple[str, ...]
    large_numbers: tuple[str, ...]


class Problems:
    """What was wrong with pieces of a file: the first few in words, and how many there were."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self._number = 0

    def add(self, sentence: str) -> None:
        """Add a piece that was left out, with the reason."""
        self._number += 1
        if len(self._sentences) < _SHOWN_PROBLEMS:
            self._sentences.append(sentence)

    @property
    def first(self) -> str:
        """The first sentence; empty where there was no problem."""
        return self._sentences[0] if self._sentences else ""

    def notes(self) -> list[str]:
        """Sentences on all of them."""
        more = self._number - len(self._sentences)
        notes = [f"left out: {sentence}" for sentence in self._sentences]
        return [*notes, f"{counted(more, 'more piece')} left out like these"] if more else notes


class JsonStream:
    """Iterates over the values of a text that comes in pieces.

    `is_wanted` says which values reading may go on with after one that cannot be read. Iterating raises
    FileError where the text holds too much.
    """

    def __init__(
        self, pieces: Iterator[str], problems: Problems, is_wanted: Callable[[object], bool], name: str = ""
    ) -> None:
        self._pieces = pieces
        self._problems = problems
        self._is_wanted = is_wanted
        self._name = name
        self._decoder = JSONDecoder(
            parse_int=self._whole, parse_float=self._number, parse_constant=self._no_number
        )
        self._text = ""
        self._at = 0
        self._ended = False
        # The line and column of the place `_mark` in the text.
        self._mark, self._line, self._column = 0, 1, 1
        self._lost_numbers: list[str] = []
        self._large_numbers: list[str] = []
        self._first_key = ""
        self._in_vain = 0
        self._is_deep = False
        self._values = 0
        self._read = 0

    def __iter__(self) -> Iterator[JsonValue]:
        lists = 0
        while self._skip_blank():
            if self._text[self._at] == "[":
                self._at += 1
                lists += 1
                yield from self._values_of_list(lists)
            elif (value := self._next(0)) is not None:
                yield value

    def _values_of_list(self, group: int) -> Iterator[JsonValue]:
        """The entries of a list that has begun."""
        while self._skip_blank():
            if self._text[self._at] in "],":
                self._at += 1
                if self._text[self._at - 1] == "]":
                    return
            elif (value := self._next(group)) is not None:
                yield value
            else:
                return
        self._problems.add(f"{self._place(self._at)}: the file ends in the middle of its list")

    def _next(self, group: int) -> JsonValue | None:
        """The next value, or the next that can be read; None where there is none any more."""
        self._values += 1
        if self._values > _MOST_VALUES:
            raise FileError(f"it holds more than {_MOST_VALUES:,} values, which is the most that is read")
        self._move_mark(self._at)
        where = self._place(self._at)
        key = _FIRST_KEY.match(self._text, self._at)
        self._first_key = key[1] if key else self._first_key
        try:
            value = self._decode()
        except (JSONDecodeError, RecursionError) as error:
            self._problems.add(self._reason(error))
            self._in_vain += self._cost(error) if self._is_deep else 0
            return self._next_wanted(group)
        return self._read_value(where, group, value)

    def _read_value(self, where: str, group: int, value: object) -> JsonValue:
        """The value that was read last, with what was wrong with its numbers."""
        return JsonValue(where, group, value, tuple(self._lost_numbers), tuple(self._large_numbers))

    def _next_wanted(self, group: int) -> JsonValue | None:
        """The next value that is wanted after a place where none can be read."""
        begin = r"\n[ \t]*(?=[\[{])"
        if self._first_key:
            begin += rf'|(?={{\s*"{re.escape(self._first_key)}"\s*:)'
        candidate = re.compile(begin)
        here = self._at + 1
        while self._in_vain < _MOST_IN_VAIN:
            match = candidate.search(self._text, here)
            if match is None:
                # A place may begin at the end of what is there.
                self._at = max(self._at, len(self._text) - 200)
                here = len(self._text) - self._at
                if not self._more():
                    self._at = len(self._text)
                    return None
                here = max(0, here - 199)
                continue
            start = self._at = match.end()
            read = self._read
            try:
                value = self._decode()
            except (JSONDecodeError, RecursionError) as error:
                self._in_vain += self._cost(error)
                here = self._at + 1
                continue
            if self._is_wanted(value):
                # What was read on meanwhile has moved the text.
                start -= start if self._read > read else 0
                self._move_mark(start)
                return self._read_value(self._place(start), group, value)
            here = self._at
        self._problems.add(f"{self._place(self._at)}: the rest, in which too little can be read")
        self._text, self._at, self._mark, self._ended = "", 0, 0, True
        return None

    def _cost(self, error: JSONDecodeError | RecursionError) -> int:
        """The characters that were read in vain for an error, or as many as it can have been."""
        slowness = _SLOWNESS if self._is_deep else 1
        if isinstance(error, JSONDecodeError) and not error.msg.startswith("Unterminated"):
            return slowness * (error.pos - self._at) + 2_000
        return slowness * (len(self._text) - self._at)

    def _decode(self) -> object:
        """The value at this place, which is behind it then. Raises JSONDecodeError and RecursionError."""
        fault = None
        while True:
            try:
                value, end = self._value_here()
            except JSONDecodeError as error:
                # The value may go on in what is not read yet, which a second look at the same place tells.
                is_open = error.msg.startswith("Unterminated")
                again = (error.pos - self._at, error.msg)
                is_sure = not is_open and (again == fault or error.pos < len(self._text) - _LONGEST_MARK)
                if is_sure or not self._more():
                    raise
                fault = again
                continue
            # A number may go on: of `0.5` the decoder takes the `0` where no more than `0.` is there.
            if _PART_OF_A_NUMBER.fullmatch(self._text, end) and self._more():
                continue
            self._at = end
            return value

    def _value_here(self) -> tuple[Any, int]:
        """The value at this place and the place behind it. Raises JSONDecodeError and RecursionError."""
        self._is_deep = False
        self._forget_numbers()
        try:
            return self._decoder.raw_decode(self._text, self._at)
        except RecursionError:
            if self._in_vain >= _MOST_IN_VAIN:
                raise
        self._is_deep = True
        self._forget_numbers()
        return deep_value(self._text, self._at, self._decoder)

    def _more(self) -> bool:
        """Read on, forgetting what was passed; False where there is nothing more. Raises FileError."""
        if self._ended:
            return False
        self._move_mark(self._at)
        rest = self._text[self._at :]
        pieces, wanted = [rest], max(_AHEAD, len(rest))
        while wanted > 0:
            piece = next(self._pieces, None)
            if piece is None:
                self._ended = True
                break
            pieces.append(piece)
            wanted -= len(piece)
        self._text, self._at, self._mark = "".join(pieces), 0, 0
        self._read += 1
        if sum(map(self._text.count, "[{,")) > _MOST_MARKS:
            raise FileError(f"it holds more than {_MOST_MARKS:,} values, which is the most that is read")
        return len(self._text) > len(rest)

    def _skip_blank(self) -> bool:
        """Go to the next character that is not blank; False where there is none."""
        while True:
            match = _BLANK.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return True
            if not self._more() and self._at >= len(self._text):
                return False

    def _move_mark(self, position: int) -> None:
        """Count the lines up to a position, so that nobody has to count them again."""
        lines = self._text.count("\n", self._mark, position)
        self._line += lines
        begin = self._text.rfind("\n", self._mark, position) if lines else self._mark
        self._column = position - begin + (0 if lines else self._column)
        self._mark = position

    def _place(self, position: int) -> str:
        """Where a position in the text is, in words."""
        begin = self._mark
        lines = self._text.count("\n", begin, position)
        column = (
            position - self._text.rfind("\n", begin, position) if lines else self._column + position - begin
        )
        in_file = f"{self._name}, " if self._name else ""
        return f"{in_file}line {self._line + lines}, column {column}"

    def _reason(self, error: JSONDecodeError | RecursionError) -> str:
        """Why a value cannot be read, with the place."""
        if not isinstance(error, JSONDecodeError):
            return f"{self._place(self._at)}: {_NESTED}"
        message = error.msg.removesuffix(" at").removesuffix(" starting")
        reason = f"{self._place(error.pos)}: {message}"
        begins_elsewhere = "\n" in self._text[self._at : error.pos]
        return f"{self._place(self._at)}: it cannot be read ({reason})" if begins_elsewhere else reason

    def _whole(self, digits: str) -> int | None:
        """The value of a JSON integer; None for one that is longer than any id or time."""
        if len(digits) > _MOST_DIGITS:
            self._no_number(digits)
            return None
        if abs(number := int(digits)) > _LARGEST_WHOLE:
            self._large_numbers.append(digits)
        return number

    def _number(self, digits: str) -> float | None:
        """The value of a JSON number with a fraction or exponent; None for one that is too large."""
        number = float(digits)
        if abs(number) <= _LARGEST_NUMBER:
            return number
        self._no_number(digits)
        return None

    def _forget_numbers(self) -> None:
        """Forget the numbers of what was read before."""
        self._lost_numbers.clear()
        self._large_numbers.clear()

    def _no_number(self, digits: str) -> None:
        """Note NaN, Infinity, or a number that is too large."""
        self._lost_numbers.append(digits[:30])
