"""Keeps what a terminal answers out of what is typed. Pure.

A terminal sends its answers the way it sends keys, and Textual's parser makes letters of those that it does
not know: answers to its own questions that come late or in pieces, and to those of a program before it.
The same parser gives up on a sequence of over 32 characters, which an input method needs for a few words, and
fails on parts of a key that a terminal sends where a program before has asked for them and has not taken that
back: which other key it would be, and whether it is held down or let go.
"""

from __future__ import annotations

import re

# What a terminal may answer (ECMA-48, and xterm's "Control Sequences"): a string of the system (colours,
# clipboard) or of a device (its name, what it can do), a state (of a mode, of the keyboard, of a colour
# scheme), a size of the window. Answers to what Textual itself asks, on modes 2026 and 2048, are left to it,
# and so are the place of the cursor and sizes that come unasked (48): it takes them for no key.
_REPLY = re.compile(
    r"\x1b\][^\x07\x1b]{0,65536}(?:\x07|\x1b\\)"
    r"|\x1b[P_X^][^\x1b]{0,65536}\x1b\\"
    r"|\x1b\[(?!\?20(?:26|48);\d\$y)[?>=][\d;:]{0,256}\$?[A-Za-z]"
    r"|\x1b\[(?!48;)\d[\d;]{0,256}[ctn]"
)
# One that has not ended. Of strings, only what can be no key and the letters typed behind it.
_BEGUN = re.compile(
    r"\x1b(?:\](?:\d{1,4}(?:;[^\x07\x1b]{0,65536})?)?"
    r"|P[\d;]{0,16}(?:[$+>|!][^\x1b]{0,65536})?|_(?:G[^\x1b]{0,65536})?)\x1b?\Z"
    r"|\x1b(?:\[(?:[?>=][\d;:]{0,256}\$?|\d[\d;:]{0,256})?)?\Z"
)
# Characters of escape, or alt and [, ], P or _, which begin an answer as well.
_LONGEST_KEY = 2
# Bytes of one sequence may come apart, over a slow line by this much.
_KEY_SECONDS, _ANSWER_SECONDS = 0.1, 0.5
# A key of the kitty protocol: number:shifted:basic ; modifiers:event ; text. In xterm's modifyOtherKeys each
# has the number 27, and the key's own is where the text would be.
_KEY = re.compile(
    r"\x1b\[(?P<key>\d{0,8})(?::(?P<shifted>\d{0,8}))?(?::\d{0,8})?"
    r";(?P<modifiers>\d{0,4})(?::(?P<event>\d?))?(?:;(?P<text>[\d:]{0,65536}))?(?P<end>[u~ABCDEFHPQS])"
    r"|\x1b\[(?P<only>\d{1,8})(?::[\d:]{0,32})?u"
)
_TEXT_BEGUN = re.compile(r"\x1b\[\d{0,8}(?::[\d:]{0,32})?;\d{0,4}(?::\d{0,4})?;[\d:]{0,65536}\Z")
_LET_GO = "3"
_SHIFT = 1
_LOCKS = 64 | 128  # caps lock and num lock
# Enter, tab, escape and backspace: with other keys, Textual understands xterm's form.
_XTERM_NUMBER, _KEYS_WITHOUT_LETTER = "27", ("8", "9", "13", "27", "127")


class ReplyFilter:
    """Takes a terminal's answers out of the input; one that has begun is held until its end comes."""

    def __init__(self) -> None:
        self._held = ""

    @property
    def seconds_to_wait(self) -> float | None:
        """How long the end of what is held is waited for; None where nothing is."""
        if not self._held:
            return None
        return _KEY_SECONDS if len(self._held) <= _LONGEST_KEY else _ANSWER_SECONDS

    def pass_keys(self, data: str) -> str:
        """`data`, and what was held before it, without answers and without what is held from now on."""
        text, self._held = self._held + data, ""
        if "\x1b" in text:
            text = _KEY.sub(_plain_key, _REPLY.sub("", text))
            if begun := _BEGUN.search(text) or _TEXT_BEGUN.search(text):
                text, self._held = text[: begun.start()], text[begun.start() :]
        return text

    def give_up(self) -> str:
        """The keys that were held, once it is clear that nothing more will come; an answer is dropped."""
        held, self._held = self._held, ""
        return held if len(held) <= _LONGEST_KEY else ""


def _plain_key(match: re.Match[str]) -> str:
    """A key as Textual understands it, or its text; nothing for one that is let go or is no character."""
    if only := match["only"]:
        return f"\x1b[{only}u" if _is_character(int(only)) else ""
    key, modifiers, text, end = match["key"], match["modifiers"], match["text"] or "", match["end"]
    if match["event"] == _LET_GO or not _is_character(int(key or 1)):
        return ""
    if end == "~" and key == _XTERM_NUMBER and text in _KEYS_WITHOUT_LETTER:
        return f"\x1b[{text};{modifiers}u"
    is_shifted = (int(modifiers or 1) - 1) & ~_LOCKS == _SHIFT
    if end == "u" and not text and match["shifted"] and is_shifted:
        text = match["shifted"]
    if end == "u" and text:
        if ":" in text or not _is_character(int(text)):
            return _characters(text)
        return f"\x1b[{key};{modifiers};{text}u"
    return f"\x1b[{key};{modifiers}{';' if text else ''}{text}{end}"


def _is_character(number: int) -> bool:
    return number < 0xD800 or 0xE000 <= number < 0x110000


def _characters(numbers: str) -> str:
    """The text that is sent as the numbers of its characters, without what is no text."""
    texts = (int(number) for number in numbers.split(":") if number)
    return "".join(chr(number) for number in texts if number >= 0x20 and _is_character(number))
