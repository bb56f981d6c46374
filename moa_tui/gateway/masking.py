"""Hides keys in what a server says: some repeat the key that they were sent, in whatever form. Pure."""

from __future__ import annotations

import base64
import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# What stands for one character, or for none: an escape of a URL, of HTML or of JSON, or a tag.
_TOKEN = re.compile(
    r"%(?P<percent>[0-9a-f]{2})|(?P<entity>&(?:#\w{1,8}|[a-z]{2,8});)"
    r"|\\+(?:u(?P<code>[0-9a-f]{4})|[nrt])?|<[^<>]{0,200}>|.",
    re.IGNORECASE | re.DOTALL,
)
# Letters and digits of a key that are hidden, at the end of a text that was cut; of a key with fewer only the
# very text is.
_SHORTEST_PART = 8
# Our own words behind a text that was cut.
_CUT = " [cut: the server sent"


def without_keys(text: str, keys: Mapping[str, str]) -> str:
    """`text` with each key replaced by its name; `keys` are names of variables by the keys they hold.

    Keys are found whatever stands between their letters and digits, in either case, behind one escape of a
    URL, of HTML or of JSON, in base64, and cut off at the text's end.
    """
    # The longest first: of a key that begins with another, the rest would stay otherwise.
    longest_first = sorted(keys.items(), reverse=True, key=lambda key: len(key[0]))
    for key, name in longest_first:
        text = text.replace(key, f"[{name}]")
    head, mark, tail = text.rpartition(_CUT)
    if not mark:
        head, tail = text, ""
    folded, places = _folded(head)
    spans: list[tuple[int, int, str]] = []
    for key, name in longest_first:
        for form in _forms(key):
            spans += [(places[start][0], places[end - 1][1], name) for start, end in _found(form, folded)]
    return _replaced(head, spans) + mark + tail


def _folded(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The letters and digits of a text in lower case, without escapes, and where in the text each stands."""
    letters: list[str] = []
    places: list[tuple[int, int]] = []
    for token in _TOKEN.finditer(text):
        if number := token["percent"] or token["code"]:
            meant = chr(int(number, 16))
        elif token["entity"]:
            meant = html.unescape(token["entity"])
        else:
            meant = token[0] if len(token[0]) == 1 else ""
        for letter in meant.lower():
            if letter.isalnum():
                letters.append(letter)
                places.append(token.span())
    return "".join(letters), places


def _forms(key: str) -> Iterable[str]:
    """The forms of a key to look for in a folded text: itself, and its base64 wherever in a text it began."""
    raw = key.encode()
    texts = [key]
    for before, unsure in enumerate((0, 2, 3)):
        encoded = base64.b64encode(b" " * before + raw).decode()
        texts.append(encoded[unsure : (before + len(raw)) * 8 // 6])
    forms = ("".join(filter(str.isalnum, text.lower())) for text in texts)
    return [form for form in forms if len(form) >= _SHORTEST_PART]


def _found(form: str, folded: str) -> Iterable[tuple[int, int]]:
    """Where the form begins and ends in a folded text; at the text's end its beginning is enough."""
    start = folded.find(form)
    while start >= 0:
        yield start, start + len(form)
        start = folded.find(form, start + len(form))
    for length in range(min(len(form) - 1, len(folded)), _SHORTEST_PART - 1, -1):
        if folded.endswith(form[:length]):
            yield len(folded) - length, len(folded)
            return


def _replaced(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    """`text` with a name in the place of each span; spans that overlap are one."""
    pieces: list[str] = []
    end = 0
    for start, stop, name in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= end:
            pieces += [text[end:start], f"[{name}]"]
        end = max(end, stop)
    return "".join([*pieces, text[end:]])
