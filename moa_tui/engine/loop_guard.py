"""Notices that a model has fallen into a loop: it writes the same line or block again and again.

Small models do so until their token limit. Only what is repeated to the letter, over a length that no list,
table, refrain or row of dashes reaches, is a loop; the numbers of list items do not count. What is repeated
but for its numbers may be data that was asked for, such as rows of SQL, so that is a loop much later.
"""

from __future__ import annotations

import re

# Bytes that the repetitions have together, in UTF-8; a token has about as many in every script. A hundred
# lines of 80 characters, which people do ask for, have as many.
_LEAST_BYTES = 8_500
_LEAST_TIMES = 5
_LONGEST_BLOCK = 3_000  # characters
# The same where numbers do not count: some 10,000 tokens.
_LEAST_BYTES_BUT_NUMBERS = 40_000
_LONGEST_BLOCK_BUT_NUMBERS = 8_000
# Where a token limit cut the text as well, less is enough.
_SHARE_WHERE_CUT = 0.24

_CHECK_EVERY = 512  # characters
_CHECK_EVERY_BUT_NUMBERS = 16_384
_TAIL = 3 * _LEAST_BYTES_BUT_NUMBERS // 2  # Numbers are masked by shorter ones.
_PROBE = 240
_MOST_CANDIDATES = 6
_ITEM_NUMBER = re.compile(r"\n[ \t]*\d{1,6}[.):]")
_TORN_NUMBER = re.compile(r"\n[ \t]*\d{0,6}\Z")
_ANY_NUMBER = re.compile(r"[0-9]+")


class LoopGuard:
    """Follows one text as it grows. A character costs the same however long the text is."""

    def __init__(self) -> None:
        self._tail = ""
        self._fresh: list[str] = []
        self._fresh_characters = self._unchecked = 0

    def feed(self, text: str) -> int:
        """Take in the next piece; return the length of the block that the text repeats, 0 for no loop."""
        self._fresh.append(text)
        self._fresh_characters += len(text)
        return self.block() if self._fresh_characters >= _CHECK_EVERY else 0

    def block(self, *, was_cut: bool = False) -> int:
        """The length of the block that the end of the text repeats; 0 where it is no loop.

        `was_cut` is true where the text ended at a token limit.
        """
        self._tail = (self._tail + "".join(self._fresh))[-_TAIL:]
        self._unchecked += self._fresh_characters
        self._fresh, self._fresh_characters = [], 0
        share = _SHARE_WHERE_CUT if was_cut else 1.0
        text = self._tail[-_LONGEST_BLOCK * (_LEAST_TIMES + 1) :]
        text = _ITEM_NUMBER.sub("\n1.", _TORN_NUMBER.sub("", text))
        block = _repeated(text, _LONGEST_BLOCK, share * _LEAST_BYTES)
        if not block and self._unchecked >= _CHECK_EVERY_BUT_NUMBERS:
            self._unchecked = 0
            text = _ANY_NUMBER.sub("1", self._tail.rstrip("0123456789"))
            block = _repeated(text, _LONGEST_BLOCK_BUT_NUMBERS, _LEAST_BYTES_BUT_NUMBERS)
        return block


def _repeated(text: str, longest: int, least_bytes: float) -> int:
    """The length of the block that the end of `text` repeats over so many bytes; 0 where there is none."""
    probe = text[-_PROBE:]
    if len(text) < _PROBE + 1:
        return 0
    bytes_each = len(probe.encode("utf-8", "replace")) / len(probe)
    before = len(text) - 1
    for _ in range(_MOST_CANDIDATES):
        # The block is as long as the way back to where its end stands for the last time before.
        start = text.rfind(probe, max(0, len(text) - _PROBE - longest), before)
        if start < 0:
            return 0
        block = len(text) - _PROBE - start
        needed = max(int(least_bytes / bytes_each), _LEAST_TIMES * block)
        if needed <= len(text) and text[-needed:-block] == text[block - needed :]:
            return block
        before = start + _PROBE - 1
    return 0
