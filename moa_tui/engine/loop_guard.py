"""Notices that a model has fallen into a loop: it writes the same line or block again and again.

Small models do so until their token limit. Only what is repeated to the letter, over a length that no list,
table, refrain or row of dashes reaches, is a loop; the numbers of list items do not count.
"""

from __future__ import annotations

import re

# Bytes that the repetitions have together, in UTF-8; a token has about as many in every script.
_LEAST_BYTES = 5_000
# The same for a block of a few characters: zeros, dashes and laughter are written in long rows on purpose.
_LEAST_BYTES_OF_SHORT = 8_000
_SHORT_BLOCK = 8
_LEAST_TIMES = 5
_LONGEST_BLOCK = 3_000  # characters
# Where a token limit cut the text as well, less is enough.
_SHARE_WHERE_CUT = 0.4

_CHECK_EVERY = 512  # characters
_TAIL = _LONGEST_BLOCK * (_LEAST_TIMES + 1)
_PROBE = 48
_MOST_CANDIDATES = 6
_ITEM_NUMBER = re.compile(r"^[ \t]*\d{1,6}[.):]", re.MULTILINE)
_TORN_NUMBER = re.compile(r"\n[ \t]*\d{0,6}\Z")


class LoopGuard:
    """Follows one text as it grows. A character costs the same however long the text is."""

    def __init__(self) -> None:
        self._tail = ""
        self._fresh: list[str] = []
        self._fresh_characters = 0

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
        self._fresh, self._fresh_characters = [], 0
        return _repeated(self._tail, _SHARE_WHERE_CUT if was_cut else 1.0)


def _repeated(text: str, share: float) -> int:
    """The length of the block that the end of `text` repeats for long enough; 0 where there is none."""
    text = _ITEM_NUMBER.sub("1.", _TORN_NUMBER.sub("", text))
    probe = text[-_PROBE:]
    if len(text) < _PROBE + 1:
        return 0
    bytes_each = len(probe.encode("utf-8", "replace")) / len(probe)
    before = len(text) - 1
    for _ in range(_MOST_CANDIDATES):
        # The block is as long as the way back to where its end stands for the last time before.
        start = text.rfind(probe, max(0, len(text) - _PROBE - _LONGEST_BLOCK), before)
        if start < 0:
            return 0
        block = len(text) - _PROBE - start
        least = _LEAST_BYTES_OF_SHORT if block <= _SHORT_BLOCK else _LEAST_BYTES
        needed = max(int(share * least / bytes_each), _LEAST_TIMES * block)
        if needed <= len(text) and text[-needed:-block] == text[block - needed :]:
            return block
        before = start + _PROBE - 1
    return 0
