"""Keeps what a terminal answers out of what is typed. Pure.

A terminal sends its answers the way it sends keys, and Textual's parser makes letters of those that it does
not know: answers to its own questions that come late or in pieces, and to those of a program before it.
The same parser gives up on a sequence of over 32 characters, which an input method needs for a few words.
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
    r"|\x1b(?:\[(?:[?>=][\d;:]{0,256}\$?|\d[\d;]{0,256})?)?\Z"
)
# Characters of escape, or alt and [, ], P or _, which begin an answer as well.
_LONGEST_KEY = 2
# Bytes of one sequence may come apart, over a slow line by this much.
_KEY_SECONDS, _ANSWER_SECONDS = 0.1, 0.5
# Text that the kitty protocol sends with a key, or for none: the numbers of its characters.
_TEXT = re.compile(r"\x1b\[\d{0,8}(?::[\d:]{0,32})?;\d{0,4}(?::\d{0,4})?;(\d{1,7}(?::\d{1,7})+)u")
_TEXT_BEGUN = re.compile(r"\x1b\[\d{0,8}(?::[\d:]{0,32})?;\d{0,4}(?::\d{0,4})?;[\d:]{0,65536}\Z")


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
            text = _TEXT.sub(_characters, _REPLY.sub("", text))
            if begun := _BEGUN.search(text) or _TEXT_BEGUN.search(text):
                text, self._held = text[: begun.start()], text[begun.start() :]
        return text

    def give_up(self) -> str:
        """The keys that were held, once it is clear that nothing more will come; an answer is dropped."""
        held, self._held = self._held, ""
        return held if len(held) <= _LONGEST_KEY else ""


def _characters(match: re.Match[str]) -> str:
    numbers = [int(number) for number in match[1].split(":")]
    return "".join(
        chr(number) for number in numbers if 0x20 <= number < 0x110000 and not 0xD800 <= number < 0xE000
    )
