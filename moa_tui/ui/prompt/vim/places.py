"""Places in a text: letters of several characters, classes of characters, lines, and steps between them."""

from __future__ import annotations

from unicodedata import category, combining

_JOINER = "\u200d"
# Characters of these ranges are words of their own beside letters of another script, as Vim has it.
_SCRIPTS = (
    (0x3041, 0x309F, 5),
    (0x30A0, 0x30FF, 6),
    (0x3400, 0x9FFF, 7),
    (0xAC00, 0xD7A3, 8),
    (0xF900, 0xFAFF, 7),
    (0x20000, 0x3FFFF, 7),
)
_BLANK, _PUNCTUATION, _LETTER, _PICTURE = 0, 1, 2, 3


def _extends(character: str) -> bool:
    """True for a character that belongs to the letter before it: a mark, a joiner, a skin tone."""
    code = ord(character)
    return code >= 0x300 and (
        combining(character) > 0
        or category(character) in ("Mn", "Me")
        or character == _JOINER
        or 0x1F3FB <= code <= 0x1F3FF
    )


def _is_flag_half(character: str) -> bool:
    return 0x1F1E6 <= ord(character) <= 0x1F1FF


def after(text: str, place: int) -> int:
    """The place behind the letter at `place`, with its marks and with what is joined to it."""
    end = place + 1
    if end < len(text) and _is_flag_half(text[place]) and _is_flag_half(text[end]):
        end += 1
    while end < len(text) and text[place] != "\n" and text[end] != "\n":
        if not _extends(text[end]) and text[end - 1] != _JOINER:
            break
        end += 1
    return min(end, len(text))


def before(text: str, place: int) -> int:
    """The place of the letter that ends at `place`; 0 at the beginning."""
    start = max(place - 1, 0)
    line = line_start(text, start) if text[start : start + 1] != "\n" else start
    while start > line and (_extends(text[start]) or text[start - 1] == _JOINER):
        start -= 1
    flags = 0
    while start - flags >= line and start < len(text) and _is_flag_half(text[start - flags]):
        flags += 1
    return start - 1 if flags and flags % 2 == 0 and start > line else start


def line_start(text: str, place: int) -> int:
    return text.rfind("\n", 0, place) + 1


def line_end(text: str, place: int) -> int:
    """The place of the line end of the line, or the text's end."""
    end = text.find("\n", place)
    return len(text) if end < 0 else end


def last_letter(text: str, place: int) -> int:
    """The place of the last letter of the line; its start where it is empty."""
    start, end = line_start(text, place), line_end(text, place)
    return before(text, end) if end > start else start


def first_word(text: str, place: int) -> int:
    """The place of the line's first letter that is not blank; its last letter where all are."""
    start, end = line_start(text, place), line_end(text, place)
    blanks = end - start - len(text[start:end].lstrip(" \t"))
    return last_letter(text, start) if start + blanks == end else start + blanks


def is_empty_line(text: str, place: int) -> bool:
    """True where `place` is in a line without a letter."""
    return (place == 0 or text[place - 1] == "\n") and text[place : place + 1] in ("", "\n")


def line_number(text: str, place: int) -> int:
    return text.count("\n", 0, place)


def clamp(text: str, place: int) -> int:
    """The place nearest to `place` on which the cursor of normal mode may stand: on a letter."""
    place = max(0, min(place, len(text)))
    if place and text[place : place + 1] in ("", "\n"):
        return last_letter(text, place)
    start = line_start(text, place)
    while place > start and (_extends(text[place]) or text[place - 1] == _JOINER):
        place -= 1
    return place


def kind(text: str, place: int, *, is_big: bool = False) -> int:
    """The class of the character at `place`; 0 is blank. For the keys W, B and E, all else is one class."""
    character = text[place : place + 1]
    if character in ("", " ", "\t", "\n", "\u3000"):
        return _BLANK
    return _PUNCTUATION if is_big else _kind(character)


def _kind(character: str) -> int:
    code = ord(character)
    if code >= 0x10_0000:  # Characters without a meaning, which may stand for whole texts.
        return _PICTURE
    if code < 0x100:
        return _LETTER if character.isalnum() or character in "_\u00b5" or code >= 0xC0 else _PUNCTUATION
    for first, last, script in _SCRIPTS:
        if first <= code <= last:
            return script
    if category(character) == "So" and code >= 0x2600:
        return _PICTURE
    return _PUNCTUATION if category(character)[0] in "PS" else _LETTER


def forward(text: str, place: int) -> tuple[int, bool]:
    """The next place, line ends among them, and whether a line end was reached or passed; -1 at the end."""
    if place >= len(text):
        return -1, True
    if text[place] == "\n":
        return place + 1, True
    step = after(text, place)
    return step, text[step : step + 1] in ("", "\n")


def back(text: str, place: int) -> int:
    """The place before, line ends among them; -1 at the beginning."""
    return before(text, place) if place > 0 else -1
