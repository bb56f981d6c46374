"""The messages of an answer that is written in steps, while those that it reads are still being written.

They are only added to, so that a provider which caches prefixes reads nothing twice: the history and the
prompt with the first pieces of the references; what the agent wrote of its answer; the next pieces; and so
on. As long as nothing of the answer stands, each step begins anew. What the agent wrote is never sent as the
beginning of its reply, since providers differ in what they make of that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from moa_tui.engine.plan import message_tokens
from moa_tui.engine.prompts import (
    STEP_BEGINNING,
    STEP_FURTHER,
    STEP_LAST,
    STEP_RULE,
    STEP_WITHOUT_NEWS,
)
from moa_tui.engine.tasks import Prepared, Reference, prepare, render_references, shorten
from moa_tui.engine.token_estimate import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.layer import Layer
    from moa_tui.engine.limits import Fit
    from moa_tui.engine.plan import ModelFacts
    from moa_tui.engine.values import CallId, Message

# A token is about this many words.
_WORDS_PER_TOKEN = 0.7
_SMALLEST_SHARE = 0.05
_SMALLER_EACH_TIME = 0.75
# The beginning of a tag of a reference, in any of the ways in which `tasks.neutralise` knows it.
_TORN_TAG = re.compile(r"[<＜﹤]\s{0,20}[/／⁄∕]?\s{0,20}[a-z]{0,10}\Z", re.IGNORECASE)
_LONGEST_TORN_TAG = 60


@dataclass(frozen=True, slots=True)
class Source:
    """An answer that is read piece by piece: what there is of it now, and whether it has ended.

    `why_lost` says why nothing more of it counts, None where it counts.
    """

    call: CallId
    agent: str
    text: str
    has_ended: bool = False
    why_lost: str | None = None


@dataclass(frozen=True, slots=True)
class _Turn:
    """What was asked for in a step whose text stands, and that text."""

    asked: str
    pieces: tuple[Reference, ...]
    written: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What a step asks: its instruction, the pieces it shows, and how far each answer is read with them."""

    wording: str
    pieces: tuple[Reference, ...]
    read: Mapping[CallId, int]
    ended_replies: frozenset[CallId]
    """The answers that are read to their end with it."""
    told_ended: frozenset[CallId]
    """These, and those of which it was told that nothing more comes."""


class StepMessages:
    """The messages of one agent's call in steps of about `chunk` tokens each."""

    def __init__(self, call: CallId, layer: Layer, history: Sequence[Message], chunk: int) -> None:
        self._call = call
        self._layer = layer.model_copy(update={"placement": "user"})
        self._history = history
        self._words = max(10, round(chunk * _WORDS_PER_TOKEN))
        self._turns: list[_Turn] = []
        self.read: dict[CallId, int] = {}
        """The characters of each answer that stand in messages whose step wrote something."""
        self._told_ended: set[CallId] = set()
        self._ended_replies: set[CallId] = set()
        self._numbers: dict[CallId, int] = {}

    @property
    def has_text(self) -> bool:
        """True once a step has written something that stands."""
        return bool(self._turns)

    def asked(self, sources: Iterable[Source], *, is_last: bool) -> Asked:
        """What the next step asks when it reads `sources`."""
        read, told_ended, ended_replies = dict(self.read), set(self._told_ended), set(self._ended_replies)
        pieces: list[Reference] = []
        for source in sources:
            begin = self.read.get(source.call, 0)
            if source.why_lost is not None and source.call not in self.read:
                continue
            number = self._numbers.get(source.call) or len({*self._numbers, *read, source.call})
            end = begin if source.why_lost is not None else _piece_end(source, begin)
            has_news = end > begin or source.has_ended or source.why_lost is not None
            if not has_news or (end == begin and source.call in self._told_ended):
                continue
            part = source.why_lost or _part(begin, end, has_ended=source.has_ended)
            pieces.append(
                Reference(source.agent, source.text[begin:end], call=source.call, number=number, part=part)
            )
            read[source.call] = end
            if source.why_lost is not None or source.has_ended:
                told_ended.add(source.call)
            if source.why_lost is None and source.has_ended:
                ended_replies.add(source.call)
        wording = self._wording(pieces, is_last)
        return Asked(wording, tuple(pieces), read, frozenset(ended_replies), frozenset(told_ended))

    def _wording(self, pieces: Sequence[Reference], is_last: bool) -> str:
        if not self._turns:
            wording = STEP_BEGINNING if self._layer.prompt is None else f"{self._layer.prompt}\n\n{STEP_RULE}"
        elif is_last:
            wording = STEP_LAST
        else:
            wording = STEP_FURTHER if pieces else STEP_WITHOUT_NEWS
        return wording.replace("{words}", str(self._words))

    def prepare(self, asked: Asked, agent: Agent, fit: Fit, facts: ModelFacts) -> Prepared:
        """The messages of a step for `agent`, fitted into its context window as far as that is known."""
        sizes = [size for size in (facts.context_tokens, fit.context_tokens) if size is not None]
        window = min(sizes) - facts.thinking_tokens if sizes else None
        prepared = self._prepared(asked, fit.agent(agent), fit.share, window)
        room = None if window is None else window - (fit.agent(agent).max_tokens or 0)
        size = sum(map(message_tokens, prepared.messages))
        if room is not None and size > room and fit.share == 1.0 and fit.attempts:
            # Where leaving out old turns was not enough, the references are shortened, which all else is not;
            # and more each time, since a server may count more tokens than are estimated.
            pieces = [piece for turn in self._turns for piece in turn.pieces] + [*asked.pieces]
            shortened = max(1, sum(estimate_tokens(piece.text) for piece in pieces))
            share = min(0.5, (room - size + shortened) / shortened) * _SMALLER_EACH_TIME ** (fit.attempts - 1)
            share = max(_SMALLEST_SHARE, share)
            prepared = self._prepared(asked, fit.agent(agent), share, window)
        return prepared

    def _prepared(self, asked: Asked, agent: Agent, share: float, window: int | None) -> Prepared:
        first, *further = [
            *((turn.asked, turn.pieces) for turn in self._turns),
            (asked.wording, asked.pieces),
        ]
        added: list[Message] = []
        for turn, (wording, pieces) in zip(self._turns, further, strict=True):
            added.append({"role": "assistant", "content": turn.written})
            added.append({"role": "user", "content": self._filled(wording, pieces, share)})
        prepared = prepare(
            self._call,
            agent,
            self._layer.model_copy(update={"prompt": first[0]}),
            self._history,
            _shortened(first[1], share),
            context_tokens=None if window is None else window - sum(map(message_tokens, added)),
        )
        notes = prepared.notes
        if share < 1.0:
            notes += (f"{agent.name}: references shortened to {share:.0%} to fit its context window",)
        return Prepared((*prepared.messages, *added), notes)

    def _filled(self, wording: str, pieces: Sequence[Reference], share: float) -> str:
        blocks = render_references(_shortened(pieces, share), anonymous=self._layer.anonymous)
        return wording.replace("{references}", blocks or "(Nothing more has come of them.)")

    def keep(self, asked: Asked, written: str) -> None:
        """Take note that a step has written `written`, which stands; what it asked is never changed again."""
        self._turns.append(_Turn(asked.wording, asked.pieces, written))
        self.read = dict(asked.read)
        self._told_ended, self._ended_replies = set(asked.told_ended), set(asked.ended_replies)
        for piece in asked.pieces:
            if piece.call is not None and piece.number is not None:
                self._numbers[piece.call] = piece.number


def _shortened(pieces: Sequence[Reference], share: float) -> list[Reference]:
    return [replace(piece, text=shorten(piece.text, share)) for piece in pieces]


def _part(begin: int, end: int, *, has_ended: bool) -> str:
    """Which part of an answer a piece of it is, in words."""
    if has_ended:
        return "whole" if not begin else "the rest" if end > begin else "nothing more, it had ended"
    return "continued, more to come" if begin else "beginning, more to come"


def _piece_end(source: Source, begin: int) -> int:
    """Where a piece of the answer ends: behind a word, and never within what may become a tag.

    Two pieces that stand in fences of their own can so not join to the end of a fence.
    """
    text = source.text
    if source.has_ended:
        return len(text)
    blank = max(text.rfind(" ", begin), text.rfind("\n", begin))
    end = blank if blank > begin + (len(text) - begin) // 2 else len(text)
    torn = _TORN_TAG.search(text, max(begin, end - _LONGEST_TORN_TAG), end)
    return torn.start() if torn is not None else end
