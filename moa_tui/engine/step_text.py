"""The text of an answer that is written in steps: what of each step stays, and how steps are joined. Pure.

A step that is not the last is cut back to the end of a sentence or a block, since its model was stopped at a
token limit; nothing of it is shown before such an end is there, so that nothing shown is taken back. A block
of code is one block: nothing within it stays unless it is closed. Everything here takes time that grows with
the length of a text alone, since a model may write anything.
"""

from __future__ import annotations

import re
from itertools import islice

# The most of the text so far that a step can be found to repeat, and the least that counts, in characters.
_LONGEST_REPEAT = 8_000
_SHORTEST_REPEAT = 8
# The least that tells an answer that is begun again from one that happens to say the same.
_SHORTEST_RESTART = 24
_ELLIPSES = ("...", "…")

# The end of a sentence: a sign, and what may close behind it. Signs of scripts without blanks need no blank
# behind them, and Thai and Lao have blanks between sentences and no sign.
_SENTENCE_END = re.compile(
    r"(?<![.!?…؟۔።։])[.!?…؟۔።։]++[\"'”’»)\]*_`]*+(?=\s)"
    r"|(?<![。！？｡।॥။།។])[。！？｡।॥။།។]++[」』）】”’\"'*_`]*+(?=.)"
    r"|(?<=[\u0e00-\u0eff])(?=[ ][\u0e00-\u0eff])",
    re.DOTALL,
)
_LAST_WORD = re.compile(r"(\w+)\Z")
_ABBREVIATIONS = re.compile(
    r"(?:etc|vs|fig|nos|dr|mr|mrs|ms|st|inc|ltd|prof|sen|gen|rev|hon|vol|approx|min|max|abs|resp"
    r"|pp|ca|cf|op|al|bzw|usw|ggf|evtl|inkl|art|bsp|vgl)",
    re.IGNORECASE,
)
_SHORTEST_LAST_WORD = 2
_ITEM = re.compile(r"[ \t]*(?:[-*+•]|\d{1,6}[.)])[ \t]+\S")
_HEADING = re.compile(r"[ \t]*#{1,6}[ \t]")
# A fence may stand in a quote and behind the sign of an item; no backtick stands behind one of backticks.
_FENCE = re.compile(r"[ \t]*+(?:(?:>|[-*+•]|\d{1,6}[.)])[ \t]++){0,6}+(`{3,}+(?![^`]*`)|~{3,})")
_LONGEST_BLOCK_START = 10
_BLOCK_START = re.compile(r"[ \t]*(?:#{1,6}[ \t]|[-*+•][ \t]|\d{1,6}[.)][ \t]|\||```|~~~|>)")
_UNSPACED_END = re.compile(r"[\u3000-\u9fff\uff00-\uffef][*_`]*\Z")
_LONGEST_WORD = 40
_MOST_BLANKS = 2_000


class StepText:
    """One step of a text, which follows `before`. `is_last` is true where nothing is to be cut off it.

    `gap` is the blank space that stood behind the end of the step before it.
    """

    def __init__(self, before: str, gap: str = "", *, is_last: bool) -> None:
        self._before = before
        self._gap = gap
        self._is_last = is_last
        self._raw = ""
        """What has come and is not joined yet: it may repeat the end of `before`."""
        self._is_joined = False
        self._restart = _Restart(before)
        self._cut = _Cut(before)
        self._shown: list[str] = []
        self._shown_characters = 0

    @property
    def shown(self) -> str:
        """The text of the step as far as it was returned."""
        return "".join(self._shown)

    @property
    def gap(self) -> str:
        """The blank space that stood behind `shown` in what the model wrote."""
        rest = self._cut.text[self._shown_characters :]
        return rest[: len(rest) - len(rest.lstrip())]

    @property
    def is_in_block(self) -> bool:
        """True where a block of code was begun and not closed."""
        return self._cut.fence is not None

    def feed(self, text: str) -> str:
        """Take in the next piece; return the text that can be shown now."""
        if not self._is_joined:
            is_blank = bool(self._raw) and not text.strip()
            self._raw += text
            # Blank space tells nothing new, and a hostile model may send it for ever, piece by piece.
            text = "" if is_blank else self._joined(is_over=False)
        return self._show(text) if self._is_last else self._show_to(self._cut.feed(text))

    def end(self, *, is_whole: bool) -> str:
        """Return the rest of the text that stays; `is_whole` where the model itself ended it."""
        text = "" if self._is_joined else self._joined(is_over=True)
        if self._is_last:
            return self._show(text)
        shown = self._show_to(self._cut.feed(text))
        stop = self._cut.end()
        if is_whole and not self.is_in_block:
            stop = len(self._cut.text.rstrip())
        return shown + self._show_to(stop)

    def _show_to(self, stop: int) -> str:
        return self._show(self._cut.text[self._shown_characters : stop])

    def _show(self, text: str) -> str:
        if text:
            self._shown.append(text)
            self._shown_characters += len(text)
        return text

    def _joined(self, *, is_over: bool) -> str:
        """The step so far without what repeats the text before, once that is plain; nothing until then."""
        body = self._body()
        tail = self._before[-_LONGEST_REPEAT:].rstrip()
        self._restart.read(body)
        is_open = (
            not body
            or self._restart.is_open
            or bool(tail and body.rstrip() in tail)
            or self._may_become_block(body)
        )
        if is_open and not is_over and len(self._raw) < _MOST_BLANKS + len(self._before):
            return ""
        lead = self._raw[: len(self._raw) - len(self._raw.lstrip())]
        overlap = _overlap(tail, body)
        # However short it is, a step that says no more than the last words is one with nothing to say.
        is_repeat = overlap >= _SHORTEST_REPEAT or (is_over and overlap == len(body.rstrip()))
        repeated = max(overlap if is_repeat else 0, self._restart.end(body))
        if repeated:
            rest = body[repeated:].lstrip()
            if not rest and not is_over:
                return ""
            lead, body = body[repeated : len(body) - len(rest)], rest
        self._is_joined, self._raw = True, ""
        if not body:
            return ""
        return (self._seam(lead, body) if self._before else "") + body

    def _body(self) -> str:
        """What has come of the step, without the dots by which a model may say that it goes on."""
        body = self._raw.lstrip()
        if not self._before or not (body.startswith(_ELLIPSES) or not body.strip(".")):
            return body
        return body.lstrip(".… \t\r\n")

    def _may_become_block(self, body: str) -> bool:
        """True where the next characters will tell whether the step begins with a block, as a heading."""
        return bool(self._before) and len(body) < _LONGEST_BLOCK_START and body[0] in "#-*+•|`~>0123456789"

    def _seam(self, lead: str, body: str) -> str:
        """The blank space between the text before and the step, which began with `lead`."""
        if "\n" in lead:
            return lead
        if _BLOCK_START.match(body):
            last_line = self._before.rstrip()[self._before.rstrip().rfind("\n") + 1 :]
            is_list = _ITEM.match(last_line) and _ITEM.match(body)
            is_table = last_line.startswith("|") and body.startswith("|")
            if "\n" in self._gap:
                return self._gap
            return "\n" if is_list or is_table else "\n\n"
        if self._gap or lead:
            return self._gap or lead
        return "" if _UNSPACED_END.search(self._before[-_LONGEST_WORD:]) else "\n\n"


class _Restart:
    """How much of a step is the answer so far anew from its start, as many models write; blanks are free."""

    def __init__(self, before: str) -> None:
        self._before = "".join(before.split())
        self._same = self._read = 0
        """The characters that are the same but for blanks, and those of the step that were looked at."""
        self.is_open = bool(self._before)
        """True as long as all of the step may repeat the answer so far."""

    def read(self, body: str) -> None:
        """Take in the step as far as it has come."""
        if not self.is_open:
            return
        fresh = "".join(body[self._read :].split())
        self._read = len(body)
        ahead = self._before[self._same : self._same + len(fresh)]
        differing = (
            place for place, pair in enumerate(zip(fresh, ahead, strict=False)) if pair[0] != pair[1]
        )
        self._same += next(differing, len(ahead))
        self.is_open = fresh == ahead and self._same < len(self._before)

    def end(self, body: str) -> int:
        """Where what is new in the step begins: behind whole sentences or lines, 0 where all is new."""
        is_all = self.is_open or self._same == len(self._before)
        if self._same < (_SHORTEST_REPEAT if is_all else _SHORTEST_RESTART):
            return 0
        places = (place for place, character in enumerate(body) if not character.isspace())
        same = next(islice(places, self._same - 1, None)) + 1
        if is_all:
            return same
        ends = [found.end() for found in _SENTENCE_END.finditer(body[: same + 1]) if found.end() <= same]
        return max([body.rfind("\n", 0, same) + 1, *ends])


class _Cut:
    """A text as it grows, and the last place at which it may be cut off: the end of a sentence or block."""

    def __init__(self, before: str) -> None:
        self.text = ""
        self.stop = 0
        self.fence: str | None = None
        """The sign of the block of code that is open."""
        lines = before[-_LONGEST_REPEAT:].rstrip().splitlines()
        self._rows = 0
        """The number of rows of a table that stand at the end of the text."""
        for line in reversed(lines):
            if not line.lstrip().startswith("|"):
                break
            self._rows += 1
        self._line = self._seen = self._searched = 0
        self._content_end = 0
        """The end of the last line that is not blank and behind which the text may be cut off."""
        self._ticks = self._stars = self._brackets = self._counted = 0

    def feed(self, text: str) -> int:
        """Take in the next piece; return the place at which the text may be cut off."""
        if not text:
            return self.stop
        self.text += text
        while (newline := self.text.find("\n", self._seen)) >= 0:
            self._end_line(newline)
            self._line = self._seen = self._searched = newline + 1
        self._seen = len(self.text)
        if self.fence is None and not self.text.startswith(("|", "#"), self._line):
            self._find_sentence_ends(self.text)
        return self.stop

    def end(self) -> int:
        """Take note that nothing more comes, so that a sentence may end with the text; return that place."""
        if self.fence is not None:
            if self._closes(self.text[self._line :].strip()):
                self.fence = None
                self.stop = len(self.text.rstrip())
        elif not self.text.startswith(("|", "#"), self._line):
            self._find_sentence_ends(self.text + "\n")
        return self.stop

    def _closes(self, content: str) -> bool:
        """True where a line of this content closes the block that is open."""
        sign = self.fence or ""
        content = content.lstrip("> \t")
        return len(content) >= len(sign) and not content.strip(sign[:1])

    def _end_line(self, end: int) -> None:
        """Take in the line that ends at `end`."""
        line = self.text[self._line : end]
        content = line.strip()
        if self.fence is not None:
            if self._closes(content):
                self.fence = None
                self.stop = end
            return
        if opening := _FENCE.match(line):
            self.fence = opening[1]
            self._content_end = 0
            return
        if content == "$$":
            self.fence = "$$"
            return
        is_row = content.startswith("|")
        self._rows = self._rows + 1 if is_row else 0
        if not content:
            self._reset_marks(end)
            # A paragraph has ended.
            self.stop = max(self.stop, self._content_end)
        elif is_row:
            self._content_end = 0
            # A table has a heading and a line under it before it has a row.
            if self._rows > 2:
                self.stop = end
        elif _HEADING.match(line):
            # A heading without what it heads is no end.
            self._content_end = 0
            self._reset_marks(end)
        else:
            self._content_end = self._line + len(line.rstrip())
            self._find_sentence_ends(self.text[: end + 1])
            if _ITEM.match(line) and self._is_balanced(end):
                self.stop = self._content_end

    def _find_sentence_ends(self, text: str) -> None:
        """Move `stop` behind the last sentence that ends in the current line of `text`."""
        for found in _SENTENCE_END.finditer(text, self._searched):
            if self._ends_sentence(text, found) and self._is_balanced(found.end()):
                self.stop = max(self.stop, found.end())
            self._searched = found.end()
        # A sign at the very end is looked at again with what follows it.
        self._searched = max(self._searched, min(len(text), len(self.text)) - _LONGEST_WORD)

    def _ends_sentence(self, text: str, found: re.Match[str]) -> bool:
        if not found[0].startswith("."):
            return True
        word = _LAST_WORD.search(text, max(self._line, found.start() - _LONGEST_WORD), found.start())
        if word is None or found[0].startswith(".."):
            return True
        if word[1].isdecimal():  # "1." at the beginning of a line is the number of an item.
            return bool(text[self._line : word.start()].strip())
        return len(word[1]) >= _SHORTEST_LAST_WORD and not _ABBREVIATIONS.fullmatch(word[1])

    def _is_balanced(self, end: int) -> bool:
        """True where no inline code, no bold text and no link of the paragraph is open at `end`."""
        if end >= self._counted:
            fresh = self.text[self._counted : end]
            self._ticks += fresh.count("`")
            self._stars += fresh.count("**")
            self._brackets += fresh.count("[") - fresh.count("]")
            self._counted = end
        return self._ticks % 2 == 0 and self._stars % 2 == 0 and self._brackets <= 0

    def _reset_marks(self, end: int) -> None:
        self._ticks = self._stars = self._brackets = 0
        self._counted = end


def _overlap(before: str, after: str) -> int:
    """The length of the longest beginning of `after` with which `before` ends."""
    after = after[: len(before)]
    # The prefix function of Knuth, Morris and Pratt over both, which takes time linear in their lengths.
    joined = f"{after}\0{before[-len(after) :] if after else ''}"
    borders = [0] * len(joined)
    for place in range(1, len(joined)):
        length = borders[place - 1]
        while length and joined[place] != joined[length]:
            length = borders[length - 1]
        borders[place] = length + (joined[place] == joined[length])
    return min(borders[-1], len(after))
