"""What each agent is sent: history, references and instructions as messages. Pure.

The synthesis follows the Aggregate-and-Synthesize step of arXiv 2406.04692 (section 2.2, table 1): the
references go to the agent together with the person's own prompt. The wording is this project's.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from moa_tui.engine.plan import message_tokens
from moa_tui.engine.prompts import CHECKLIST_RULE, FORMS, PROMPTS, closing_form

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.recipe import Layer
    from moa_tui.engine.values import CallId, Message

ReferenceKind = Literal["answer", "critique", "comparison", "checklist", "your own answer"]

# Whom the person's ticks bind: those who write an answer from references.
_WRITERS = ("synthesize", "revise")

SHORTENED = "[… shortened]"

_FENCE = re.compile(r"[<＜﹤]\s*(?=[/／⁄∕]?\s*references?\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reference:
    """An earlier reply, as shown to a later agent.

    `kind` says what it is where it is no answer of another agent, `rank` its mean place where several agents
    ranked, `call` where it comes from.
    """

    agent: str
    text: str
    kind: ReferenceKind = "answer"
    call: CallId | None = None
    rank: float | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """Messages ready to send, and what was left out to make them fit, in words."""

    messages: tuple[Message, ...]
    notes: tuple[str, ...] = ()


def prepare(
    call: CallId,
    agent: Agent,
    layer: Layer,
    history: Sequence[Message],
    references: Sequence[Reference],
    *,
    context_tokens: int | None = None,
    shorten_to: float = 1.0,
) -> Prepared:
    """The messages for one call.

    `history` ends with the person's prompt; a system message may stand first. It is trimmed to
    `context_tokens` (None: unknown, so not trimmed): oldest turns first, never the system message, the
    prompt or the references. `shorten_to` is the share of each reference's characters to keep.
    """
    notes = []
    if references and shorten_to < 1.0:
        references = [replace(ref, text=shorten(ref.text, shorten_to)) for ref in references]
        notes.append(f"{agent.name}: references shortened to {shorten_to:.0%} to fit its context window")
    system = [message["content"] for message in history if message["role"] == "system"]
    talk = [message for message in history if message["role"] != "system"]
    if agent.system:
        system.append(agent.system)
    if closing := layer.closing_lines:
        system.append(closing_form(closing))
    if references:
        if layer.task == "revise":
            references = [
                replace(ref, kind="your own answer") if ref.agent == agent.name else ref for ref in references
            ]
        instructions = _instructions(call, layer, talk[-1]["content"], references)
        if layer.placement == "system":
            system.append(instructions)
        else:
            prompt: Message = {"role": "user", "content": f"{talk[-1]['content']}\n\n{instructions}"}
            talk = [*talk[:-1], prompt]
    head: list[Message] = [{"role": "system", "content": "\n\n".join(system)}] if system else []
    if context_tokens is not None:
        talk, dropped = _trim(head, talk, context_tokens - (agent.max_tokens or 0))
        if dropped:
            notes.append(f"{agent.name}: {dropped} oldest messages left out to fit its context window")
    return Prepared((*head, *talk), tuple(notes))


def render_references(references: Sequence[Reference], *, anonymous: bool = True) -> str:
    """The references as numbered blocks that no reference can end or forge."""
    blocks = []
    for number, reference in enumerate(references, 1):
        about = "" if anonymous else f' agent="{_attribute(reference.agent)}"'
        if reference.kind != "answer":
            about += f' kind="{reference.kind}"'
        if reference.rank is not None:
            about += f' mean-rank="{reference.rank:g}"'
        blocks.append(f'<reference number="{number}"{about}>\n{neutralise(reference.text)}\n</reference>')
    return "\n\n".join(blocks)


def neutralise(text: str) -> str:
    """`text` with every forged reference tag defused: its `<` becomes `‹`."""
    return _FENCE.sub("‹", text)


def shorten(text: str, share: float) -> str:
    """The beginning of `text`, about `share` of its characters, cut after a paragraph where one ends near.

    The cut is marked. A share of 1 or more returns the text as it is.
    """
    size = int(len(text) * share)
    if size >= len(text):
        return text
    kept = text[:size]
    paragraph = kept.rfind("\n\n")
    if paragraph >= size // 2:
        kept = kept[:paragraph]
    elif (space := kept.rfind(" ")) >= size // 2:
        kept = kept[:space]
    return f"{kept.rstrip()}\n\n{SHORTENED}"


def arranged(call: CallId, layer: Layer, prompt: str, references: Sequence[Reference]) -> list[Reference]:
    """The references in the order `call` is shown them.

    The same prompt gives each call the same order again. Where the layer shuffles, each call has an order
    of its own; a ranker always has, so that a place in the list favours nobody.
    """
    references = list(references)
    if layer.shuffle or layer.task == "rank":
        random.Random(f"{call}:{prompt}").shuffle(references)
    return references


def _instructions(call: CallId, layer: Layer, prompt: str, references: Sequence[Reference]) -> str:
    blocks = render_references(arranged(call, layer, prompt, references), anonymous=layer.anonymous)
    task = layer.task or "synthesize"
    wording = PROMPTS[task] if layer.prompt is None else layer.prompt
    if "{references}" not in wording:
        wording += "\n\n{references}"
    if layer.prompt is not None and task in FORMS:
        wording += f"\n\n{FORMS[task]}"
    most = "as many as deserve it" if layer.top_k is None else f"at most {layer.top_k}"
    if task == "moderate":
        wording = wording.replace("{most}", most)
    if task in _WRITERS and any(reference.kind == "checklist" for reference in references):
        wording = wording.replace("{references}", f"{CHECKLIST_RULE}\n\n{{references}}")
    return wording.replace("{references}", blocks)


def _trim(head: Sequence[Message], talk: Sequence[Message], budget: int) -> tuple[list[Message], int]:
    """`talk` without its oldest turns, so that all fits `budget` tokens; and how many messages went.

    A turn goes whole: what is left starts with a user's message, as providers insist.
    """
    sizes = [message_tokens(message) for message in talk]
    total = sum(sizes) + sum(map(message_tokens, head))
    first = 0
    while total > budget and first < len(talk) - 1:
        total -= sizes[first]
        first += 1
        while first < len(talk) - 1 and talk[first]["role"] != "user":
            total -= sizes[first]
            first += 1
    return list(talk[first:]), first


def _attribute(name: str) -> str:
    return re.sub(r'["<>\n]', "'", name)
