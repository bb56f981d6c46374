"""The marks that models and their servers put around reasoning, and where in a text they mean nothing.

The marks are those that the reasoning parsers of vLLM, SGLang and llama.cpp, Open WebUI's table of tags, and
the models' chat templates name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Qwen, DeepSeek, GLM, Granite, EXAONE, Nemotron, Hermes, Hunyuan, MiniMax, Kimi K2 and most others write
# <think>; Seed <seed:think>, MiniMax M3 <mm:think>, Hunyuan 3 <think:opensource>, Kimi's first ◁think▷,
# Magistral [THINK]; and models that were asked to think aloud write one of the longer words.
_NAMESPACES = ("seed:", "mm:", "budget:", "antml:")
_WORDS = ("think", "thinking", "thought", "thoughts", "reason", "reasoning")
_NAMES = (*_WORDS, *(namespace + word for namespace in _NAMESPACES for word in _WORDS[:2]))
_LONGEST_TAG = 220

_LEFT = "◁＜〈《【«‹"
TAG = (
    rf"(?:<[|｜]?|[{_LEFT}])[ ]?(?P<slash>/?)[ ]?"
    rf"(?:(?:{'|'.join(_NAMESPACES)})?(?:thinking|think|thoughts?|reasoning|reason))(?::(?!start\||end\|)\w{{1,20}})?"
    r"(?:[ \t][^<>\n]{0,200})?(?:[|｜]?>|[▷＞〉》】»›])"
    # In small letters it may be the text of a link.
    r"|\[(?-i:THINK)\]|\[think(?:ing)?\](?!\()|\[(?P<bracket_slash>/)think(?:ing)?\]"
)
_BEGUN_TAG = re.compile(
    rf"(?:<[|｜]?|[\[{_LEFT}])[ ]?/?[ ]?(?P<name>[a-z]*(?:(?<=[a-z]):\w{{0,20}})?)"
    r"(?P<more>[ \t][^<>\n]*)?[|｜]?",
    re.IGNORECASE,
)
_TAIL = re.compile(rf"[<\[{_LEFT}][^<\[{_LEFT}\n]{{0,{_LONGEST_TAG}}}\Z")

PAIRS = {
    "<|START_THINKING|>": "<|END_THINKING|>",  # Cohere
    "<|begin_of_thought|>": "<|end_of_thought|>",  # OpenThinker, Sky-T1
    "<|inner_prefix|>": "<|inner_suffix|>",  # Apertus
    "<|channel>thought": "<channel|>",  # Gemma 4
    "<|open|>think<|sep|>": "<|close|>think<|sep|>",  # Kimi K3
    "<|plamo:begin_think:plamo|>": "<|plamo:end_think:plamo|>",
    "<|think:start|>": "<|think:end|>",  # Solar Open 2
    "<longcat_think>": "</longcat_think>",
    **{f"<ifm|think{pace}>": f"</ifm|think{pace}>" for pace in ("", "_fast", "_faster")},  # K2 Horizon
    "<unused94>thought": "<unused95>",  # MedGemma
    "[unused16]": "[unused17]",  # Pangu
    # These are words of a plain text, so they are marks only at the very beginning of one.
    "Here is my thought process:": "Here is my response:",  # Granite 3.2
    "Here's my thought process:": "Here's my response:",
    "Here are my reasoning steps:": "[BEGIN FINAL RESPONSE]",  # Apriel
    "analysis": "assistantfinal",  # gpt-oss, where the server drops its special tokens
}
# What some models put around the answer that follows the reasoning.
WRAPPERS = {
    "<|open|>response<|sep|>": "<|close|>response<|sep|>",
    "<|START_RESPONSE|>": "<|END_RESPONSE|>",
    "<|begin_of_solution|>": "<|end_of_solution|>",
    "<answer>": "</answer>",
    "<response>": "</response>",
    "[BEGIN FINAL RESPONSE]": "[END FINAL RESPONSE]",
}
_AT_ANY_PLACE = {opener: closer for opener, closer in PAIRS.items() if opener[0] in "<["}


def _either(literals: Iterable[str]) -> str:
    return "|".join(re.escape(literal) for literal in sorted(literals, key=len, reverse=True))


OPENERS = re.compile(
    rf"(?P<tag>{TAG})|(?P<pair>{_either(set(PAIRS) - {'analysis'})})|(?P<channel>(?-i:analysis(?=[A-Z\"])))",
    re.IGNORECASE,
)
CLOSING_TAG = re.compile(TAG, re.IGNORECASE)
# Marks that may stand in the middle of a text; a closing one may be there without its opening one.
MARKS = re.compile(
    rf"(?P<tag>{TAG})|(?P<opener>{_either(_AT_ANY_PLACE)})"
    rf"|(?P<closer>{_either({*_AT_ANY_PLACE.values(), '[BEGIN FINAL RESPONSE]'})})"
    rf"|(?P<wrapper>{_either(WRAPPERS.values())})",
    re.IGNORECASE,
)
# The channels of gpt-oss, as OpenAI's description of its harmony format gives them.
HARMONY_START = re.compile(r"(?:<\|start\|>\s{0,3}assistant)?\s{0,3}(?:<\|channel\|>|<\|message\|>)")
HARMONY_TOKEN = re.compile(r"<\|(start|end|message|channel|return|call|constrain)\|>")

_LITERALS = tuple(
    literal.lower()
    for literal in {
        *PAIRS,
        *PAIRS.values(),
        *WRAPPERS,
        *WRAPPERS.values(),
        "<|start|>assistant<|channel|>",
        *(f"<|{name}|>" for name in ("start", "end", "message", "channel", "return", "call", "constrain")),
    }
)
_LONGEST_LITERAL = max(map(len, _LITERALS))
_BEGUN_LITERALS = frozenset(literal[:size] for literal in _LITERALS for size in range(1, len(literal)))
_BRACKET = re.compile(r"[<\[]")


def begun_at(text: str) -> int:
    """Where the end of `text` may be the beginning of a mark; the length of `text` where it is none."""
    # Some literals have two brackets, so that they may have begun before the last one.
    for bracket in _BRACKET.finditer(text, max(0, len(text) - _LONGEST_LITERAL)):
        if text[bracket.start() :].lower() in _BEGUN_LITERALS:
            return bracket.start()
    tail = _TAIL.search(text, max(0, len(text) - _LONGEST_TAG))
    return tail.start() if tail is not None and _may_become_tag(tail[0]) else len(text)


def may_begin(text: str) -> bool:
    """Whether `text` may be the beginning of a mark that stands at the beginning of a reply."""
    return not text or begun_at(text) == 0 or text.lower() in _BEGUN_LITERALS or text.lower() == "analysis"


def closer_begun_at(text: str, closer: str) -> int:
    """Where the end of `text` may be the beginning of `closer`; the length of `text` where it is not."""
    end, wanted = text[-len(closer) :].lower(), closer.lower()
    for start in range(len(end)):
        if wanted.startswith(end[start:]):
            return len(text) - len(end) + start
    return len(text)


def _may_become_tag(tail: str) -> bool:
    begun = _BEGUN_TAG.fullmatch(tail)
    if begun is None:
        return False
    name = begun["name"].lower()
    if begun["more"] is not None:
        return name in _NAMES or name.partition(":")[0] in _WORDS
    return any(known.startswith(name) for known in _NAMES) or name.partition(":")[0] in _WORDS


_FENCE = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,3}[.)])[ \t]+)?(`{3,}|~{3,})([^`]*)\Z")
_RUN = re.compile(r"`+")
_LONGEST_LINE = 2_000
_QUOTES = "\"'“‘«([{「『`<"
_STARS = re.compile(r"\*+")
_BULLET = re.compile(r"[ \t]*[*+-](?:[ \t]+|\Z)")


class Prose:
    """The place in a text that comes piece by piece: whether it is in code, and what stands before it."""

    def __init__(self) -> None:
        self.line = ""
        """The current line so far; of a long one, its end."""
        self.last = ""
        """The last character that is not blank."""
        self.follows_heading = False
        """True where the last line that is not blank, before the current one, is a heading."""
        self.left_open = False
        """True once a block began in a block, so that the outer one was never closed."""
        self._fence = ""

    def feed(self, text: str) -> None:
        """Go on behind `text`."""
        first, *others = text.split("\n")
        self.line = (self.line + first)[-_LONGEST_LINE:]
        for line in others:
            self._end_line()
            self.line = line[-_LONGEST_LINE:]
        if bare := text.rstrip():
            self.last = bare[-1]

    def _end_line(self) -> None:
        if line := self.line.strip():
            self.follows_heading = line.startswith("#") or (line.startswith("**") and line.endswith("**"))
        fence = _FENCE.match(self.line)
        if fence is None:
            return
        if not self._fence:
            self._fence = fence[1]
        elif fence[1].startswith(self._fence):
            # One that names a language cannot close a block.
            self.left_open = self.left_open or bool(fence[2].strip())
            self._fence = self._fence if fence[2].strip() else ""

    @property
    def in_code(self) -> bool:
        """Whether what comes next is in a fenced or indented block, or between backticks of one line."""
        if self._fence or _FENCE.match(self.line):
            return True
        if not self.line.strip() and (len(self.line) >= 4 or "\t" in self.line):
            return True
        open_run = ""
        for run in _RUN.findall(self.line):
            open_run = run if not open_run else "" if run == open_run else open_run
        return bool(open_run)

    @property
    def in_fence(self) -> bool:
        """Whether a fence is open."""
        return bool(self._fence)

    @property
    def is_quoted(self) -> bool:
        """Whether what comes next stands directly behind a quotation mark or bracket, or within such marks.

        Stars count where they open an emphasis, or begin a list's item that has nothing else yet.
        """
        line = self.line
        if line[-1:] == "*" and len(_STARS.findall(line)) % 2:
            return True
        if _BULLET.fullmatch(line):
            return True
        return line[-1:] in tuple(_QUOTES) or line.count('"') % 2 == 1 or line.count("“") > line.count("”")

    @property
    def has_opener(self) -> bool:
        """Whether the current line speaks of an opening mark that no closing one follows."""
        marks = [
            not mark[0].lstrip("<[◁＜〈《【«‹|｜ ").startswith("/") for mark in MARKS.finditer(self.line)
        ]
        return sum(marks) * 2 > len(marks)

    def begins_block(self, after: str) -> bool:
        """Whether an opening mark here stands on a line of its own, behind a sentence that has ended."""
        return not self.line.strip() and self.last in tuple(".!?…。！？") and after[:1] == "\n"

    def suits_mark(self, after: str, *, closing: bool) -> bool:
        """Whether a mark that is meant as one, not mentioned in a sentence, may stand here before `after`."""
        before = self.line.rstrip()
        follows_word = bool(before) and before[-1] not in '.!?。！？…*)”"」'
        if follows_word and before != self.line:
            return closing and after[:2] == "\n\n"
        if not closing and not before and (self.last in (":", "：") or self.follows_heading):
            return False  # An example of what the line before speaks of.
        bare = after.lstrip(" \t")
        return not (bare != after and bare[:1].islower()) and bare[:1] not in tuple(",;:)`")
