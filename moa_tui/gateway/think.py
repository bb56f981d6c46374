"""Splits reasoning from answer where a server sends both as one text, with marks around the reasoning."""

from __future__ import annotations

import re
from typing import Literal

from moa_tui.engine.values import Chunk, Moved
from moa_tui.gateway.think_marks import (
    CLOSING_TAG,
    HARMONY_START,
    HARMONY_TOKEN,
    MARKS,
    OPENERS,
    PAIRS,
    WRAPPERS,
    Prose,
    begun_at,
    closer_begun_at,
    may_begin,
)

Piece = Chunk | Moved

NEVER_CLOSED = "its block of reasoning was never closed, so all of it is taken as the answer"
NOTHING_BEHIND = "nothing came behind the end of its reasoning, so that is taken as the answer"

# Characters of white space that a thought may begin after; looking at more with each piece takes the square.
_LONGEST_BLANK = 1_000
# Characters of white space behind a mark that are waited through for what tells whether it is meant as one.
_LONGEST_PAUSE = 100
_LONGEST_HEADER = 300
_MAY_BE_MARK = re.compile(r"[<\[◁＜〈《【«‹]")
# The beginning of a sentence about the mark before it.
_ABOUT = re.compile(
    r"[,;:)/`'\"]|[ ](?:and|or|is|are|was|tags?|tokens?|blocks?|marks?|opens?|means|stands)\b"
)
_LONGEST_ABOUT = 12


class ThinkSplitter:
    """Splits a streamed text: what stands between marks of reasoning is reasoning, the rest is the answer.

    A first block stands at the very beginning, where its opening mark may be missing, since some templates
    write it into the prompt: then the closing one tells that the text before it was reasoning. Marks in code,
    and those that a sentence speaks of, stay in the answer.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        """What was odd in the reply; complete after `flush`."""
        self._place: Literal["start", "thought", "gap", "answer", "harmony"] = "start"
        self._held = ""
        self._is_ending = False
        self._has_reasoned = False
        self._opener = self._closer = ""
        self._channel: str | None = None
        self._block_characters = self._text_characters = 0
        self._mentioned = 0
        """The opening marks in the answer, but for those in a sentence, that no closing one has followed."""
        self._wrapper = ""
        self._prose = Prose()
        self._pieces: list[Piece] = []

    def feed(self, text: str) -> list[Piece]:
        """The pieces that are complete with `text`, the next of the stream."""
        if self._place == "answer" and not self._held and _MAY_BE_MARK.search(text) is None:
            self._write(text)
            return self._taken()
        self._held += text
        while self._step():
            pass
        return self._taken()

    def feed_reasoning(self, text: str) -> list[Piece]:
        """The pieces for a text that the server itself says is reasoning."""
        self._has_reasoned = True
        self._reason(text)
        return self._taken()

    def flush(self, *, clean: bool = False) -> list[Piece]:
        """The pieces that were held back, to be called when the stream has ended.

        `clean` is true where the server says that the answer is complete.
        """
        self._is_ending = True
        while self._held and self._step():
            pass
        held, self._held = self._held, ""
        if self._place == "thought":
            self._reason(held)
            if clean and self._block_characters:
                self._give_back()
        elif self._place == "harmony":
            (self._write if self._channel == "final" else self._reason)(held)
        elif self._place != "gap":
            self._write(held)
        return self._taken()

    def _give_back(self) -> None:
        """Make the block that is still open a part of the answer."""
        if self._text_characters or self._opener[0].isalpha():
            self._write(self._opener)  # The text may be about it.
        self._pieces.append(Moved("text", self._block_characters))
        self.notes.append(NEVER_CLOSED)

    def _taken(self) -> list[Piece]:
        pieces, self._pieces = self._pieces, []
        return pieces

    def _write(self, text: str) -> None:
        if text:
            self._text_characters += len(text)
            self._prose.feed(text)
            self._pieces.append(Chunk("text", text))

    def _reason(self, text: str) -> None:
        if text:
            self._block_characters += len(text)
            self._pieces.append(Chunk("reasoning", text))

    def _step(self) -> bool:
        """Go on with the text that is held; False where more has to come first."""
        match self._place:
            case "start":
                return self._find_opening()
            case "thought":
                return self._find_closing()
            case "gap":
                return self._find_answer()
            case "harmony":
                return self._read_channel()
            case "answer":
                return self._find_mark()

    def _find_opening(self) -> bool:
        """Go on to the thought or to the answer once enough has come to know which it is."""
        begin = self._held.lstrip()
        if HARMONY_START.match(begin):
            self._place, self._held = "harmony", begin
            return True
        opening = OPENERS.match(begin)
        if opening is not None and not (opening["slash"] or opening["bracket_slash"]):
            rest = begin[opening.end() :]
            is_undecided = not rest or (rest[0] == " " and len(rest) < _LONGEST_ABOUT and "\n" not in rest)
            if is_undecided and opening["tag"] and not self._is_ending:
                return False
            if not (opening["tag"] and _ABOUT.match(rest[:_LONGEST_ABOUT])):
                self._open(opening[0], rest)
                return True
        wrapper = next((mark for mark in WRAPPERS if begin.lower().startswith(mark.lower())), "")
        if wrapper.startswith("<|"):
            self._place, self._held = "gap", begin
            return True
        if not self._is_ending and opening is None and may_begin(begin) and len(self._held) <= _LONGEST_BLANK:
            return False
        self._held = self._held.lstrip("\n")
        if self._held:
            self._place = "answer"
        return bool(self._held)

    def _open(self, opener: str, rest: str) -> None:
        self._place, self._held = "thought", rest
        self._opener, self._block_characters = opener, 0
        # The empty one stands for a closing tag of any spelling.
        self._closer = next((PAIRS[mark] for mark in PAIRS if mark.lower() == opener.lower()), "tag")

    def _find_closing(self) -> bool:
        """Give out the part of the thought that has come, without what may be the beginning of its end."""
        held = self._held
        start = end = -1
        if self._closer == "tag":
            tags = (tag for tag in CLOSING_TAG.finditer(held) if tag["slash"] or tag["bracket_slash"])
            if (tag := next(tags, None)) is not None:
                start, end = tag.span()
        elif (start := held.lower().find(self._closer.lower())) >= 0:
            end = start + len(self._closer)
        if start >= 0:
            self._reason(held[:start])
            self._has_reasoned = True
            self._place, self._held = ("answer" if self._text_characters else "gap"), held[end:]
            return True
        if not self._is_ending:
            cut = begun_at(held) if self._closer == "tag" else closer_begun_at(held, self._closer)
            self._reason(held[:cut])
            self._held = held[cut:]
        return False

    def _find_answer(self) -> bool:
        """Leave out the blank lines behind a block, and the mark that some models begin the answer with."""
        bare = self._held.lstrip()
        if not self._is_ending and len(self._held) < _LONGEST_BLANK and (not bare or begun_at(bare) == 0):
            return False
        if not bare:
            return False
        wrapper = next((mark for mark in WRAPPERS if bare.lower().startswith(mark.lower())), None)
        if wrapper is not None:
            self._wrapper, self._held = WRAPPERS[wrapper].lower(), bare[len(wrapper) :]
            return bool(self._held)
        blank = self._held[: len(self._held) - len(bare)]
        self._held = blank[blank.rfind("\n") + 1 :] * ("\n" in blank) + bare
        self._place = "answer"
        return True

    def _find_mark(self) -> bool:
        """Give out the answer up to the next mark, and act on that once it is known how it is meant."""
        mark = MARKS.search(self._held)
        if mark is None:
            cut = len(self._held) if self._is_ending else begun_at(self._held)
            text, self._held = self._held[:cut], self._held[cut:]
            self._write(text)
            return False
        if mark.start():
            text, self._held = self._held[: mark.start()], self._held[mark.start() :]
            self._write(text)
            return True
        spelled, after = mark[0], self._held[mark.end() :]
        if self._prose.in_code or self._prose.is_quoted:
            self._write(spelled)
            self._held = after
            return bool(after)
        if not after.strip() and len(after) < _LONGEST_PAUSE and not self._is_ending:
            return False
        self._held = after
        if mark["wrapper"]:
            if spelled.lower() == self._wrapper:
                self._wrapper = ""
            else:
                self._write(spelled)
        elif mark["closer"] or (mark["tag"] and (mark["slash"] or mark["bracket_slash"])):
            self._close_unopened(spelled, after)
        else:
            # The other words are tags of many a plain XML text as well.
            is_usual = "think" in spelled.lower() or spelled.lower() == self._opener.lower()
            if self._has_reasoned and is_usual and self._prose.suits_mark(after, closing=False):
                self._open(spelled, after)
            else:
                self._mentioned += not self._prose.line.strip() or not is_usual
                self._write(spelled)
        return bool(self._held)

    def _close_unopened(self, spelled: str, after: str) -> None:
        """Take the text so far for reasoning where a closing mark stands that nothing has opened."""
        prose = self._prose
        is_meant = prose.suits_mark(after, closing=True) or (self._has_reasoned and not self._text_characters)
        if self._mentioned or (prose.line.strip() and prose.has_opener) or not is_meant:
            self._mentioned = max(0, self._mentioned - 1)
            self._write(spelled)
        elif not after.strip() and self._is_ending:
            self._held = ""
            if self._text_characters:
                self.notes.append(NOTHING_BEHIND)
        else:
            if self._text_characters:
                self._pieces.append(Moved("reasoning", self._text_characters))
            self._text_characters = 0
            self._has_reasoned = True
            self._prose = Prose()
            self._place = "gap"

    def _read_channel(self) -> bool:
        """Go through the messages of gpt-oss: what its channel `final` says is the answer."""
        held = self._held
        token = HARMONY_TOKEN.search(held)
        if self._channel is None:
            body = held.find("<|message|>")
            if body < 0 and len(held) < _LONGEST_HEADER and not self._is_ending:
                return False
            header = held[: max(0, body)].rpartition("<|channel|>")[2].split("<|", 1)[0].split()
            self._channel = header[0] if header else "final"
            self._held = held[body + len("<|message|>") :] if body >= 0 else HARMONY_TOKEN.sub("", held)
            return bool(self._held)
        write = self._write if self._channel == "final" else self._reason
        if token is None:
            cut = len(held) if self._is_ending else begun_at(held)
            self._held = held[cut:]
            write(held[:cut])
            return False
        self._has_reasoned |= self._channel != "final"
        write(held[: token.start()])
        self._held = held[token.end() :]
        if token[1] in ("start", "channel"):
            self._held = held[token.start() :]
        if token[1] != "message":
            self._channel = None if self._held else self._channel
        return bool(self._held)
