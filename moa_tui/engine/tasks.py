"""The messages that each agent is sent: history, references and instructions. Pure.

The synthesis follows the Aggregate-and-Synthesize step of arXiv 2406.04692 (section 2.2, table 1): the agent
is sent the references together with the user's own prompt. The wording is this project's.
"""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from moa_tui.engine.plan import message_tokens
from moa_tui.engine.prompts import CHECKLIST_RULE, FORMS, OWN_ANSWER, PROMPTS, closing_form

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.layer import Layer
    from moa_tui.engine.values import CallId, Message

ReferenceKind = Literal["answer", "critique", "comparison", "checklist", "your own answer"]

# The tasks that write an answer from references, and so must follow the user's choice of points.
_WRITERS = ("synthesize", "revise")

SHORTENED = "[… shortened]"

# The steps into which a context is divided: old turns are left out a step at a time.
_TRIM_STEPS = 4

_FENCE = re.compile(r"[<＜﹤]\s*(?=[/／⁄∕]?\s*references?\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reference:
    """An earlier reply, as shown to a later agent."""

    agent: str
    text: str
    kind: ReferenceKind = "answer"
    """What the text is, where it is not the answer of another agent."""
    call: CallId | None = None
    """The call whose reply it is."""
    rank: float | None = None
    """Its mean place where several agents ranked."""
    number: int | None = None
    """Its number where it is shown piece by piece, which stays the same; None for its place in the list."""
    part: str = ""
    """Which part of an answer the text is, in words; empty for a whole one."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Messages that are ready to send, and notes on what was left out to make them fit.

    `texts` are the prompts and answers that may stand in the messages, and that others hold as well.
    """

    messages: tuple[Message, ...]
    notes: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()


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

    `history` ends with the user's prompt, and may begin with a system message. Both stand unchanged at the
    beginning, so that calls of one conversation begin alike. The history is trimmed to `context_tokens` by
    leaving out the oldest turns, but never the system message, the prompt or the references; None means that
    the size is unknown, and nothing is trimmed. `shorten_to` is the share of each reference's characters to
    keep.
    """
    notes = []
    texts = (*(message["content"] for message in history), *(reference.text for reference in references))
    if references and shorten_to < 1.0:
        references = [replace(ref, text=shorten(ref.text, shorten_to)) for ref in references]
        notes.append(f"{agent.name}: references shortened to {shorten_to:.0%} to fit its context window")
    system = [message["content"] for message in history if message["role"] == "system"]
    dialogue = [message for message in history if message["role"] != "system"]
    if agent.system:
        system.append(agent.system)
    # What changes from call to call stands behind what does not: the prompt's own text begins the message, as
    # it does in the history of the next turn.
    asked = [closing_form(layer.closing_lines)] if layer.closing_lines else []
    if references:
        if layer.task == "revise":
            references = _with_own_marked(agent, references)
        instructions = _instructions(call, layer, dialogue[-1]["content"], references)
        asked = [*asked, instructions] if layer.placement == "system" else [instructions, *asked]
    if layer.placement == "system":
        system += asked
    elif asked:
        content = "\n\n".join((dialogue[-1]["content"], *asked))
        dialogue = [*dialogue[:-1], {"role": "user", "content": content}]
    head: list[Message] = [{"role": "system", "content": "\n\n".join(system)}] if system else []
    if context_tokens is not None:
        dialogue, dropped_count = _trim(head, dialogue, context_tokens - (agent.max_tokens or 0))
        if dropped_count:
            notes.append(f"{agent.name}: {dropped_count} oldest messages left out to fit its context window")
    return Prepared((*head, *dialogue), tuple(notes), texts)


def _with_own_marked(agent: Agent, references: Sequence[Reference]) -> list[Reference]:
    """The references, with the newest answer of `agent` marked as its own; unchanged where there is none."""
    own = [ref for ref in references if ref.kind == "answer" and ref.agent == agent.name]
    newest = max(own, key=lambda ref: ref.call.layer if ref.call is not None else 0, default=None)
    return [replace(ref, kind="your own answer") if ref is newest else ref for ref in references]


def render_references(references: Sequence[Reference], *, anonymous: bool = True) -> str:
    """The references as numbered blocks, which no text in a reference can end or forge.

    Where not `anonymous`, each block names its agent.
    """
    blocks = []
    for place, reference in enumerate(references, 1):
        number = reference.number or place
        attributes = "" if anonymous else f' agent="{_attribute(reference.agent)}"'
        if reference.kind != "answer":
            attributes += f' kind="{reference.kind}"'
        if reference.rank is not None:
            attributes += f' mean-rank="{reference.rank:g}"'
        if reference.part:
            attributes += f' part="{_attribute(reference.part)}"'
        blocks.append(
            f'<reference number="{number}"{attributes}>\n{neutralise(reference.text)}\n</reference>'
        )
    return "\n\n".join(blocks)


def neutralise(text: str) -> str:
    """`text` with the `<` of every forged reference tag replaced by `‹`, so that it is no tag."""
    return _FENCE.sub("‹", text)


def shorten(text: str, share: float) -> str:
    """The beginning of `text`, about `share` of its characters, and a mark where it is cut.

    The cut is behind a paragraph or a word where one ends in the second half of the beginning. A share of 1
    or more returns the text unchanged.
    """
    size = int(len(text) * share)
    if size >= len(text):
        return text
    beginning = text[:size]
    paragraph_end = beginning.rfind("\n\n")
    if paragraph_end >= size // 2:
        beginning = beginning[:paragraph_end]
    elif (space := beginning.rfind(" ")) >= size // 2:
        beginning = beginning[:space]
    return f"{beginning.rstrip()}\n\n{SHORTENED}"


def arranged(call: CallId, layer: Layer, prompt: str, references: Sequence[Reference]) -> list[Reference]:
    """The references in the order in which `call` is shown them.

    Each call has an order of its own where the layer shuffles or ranks, so that no reference gains from its
    place in the list. The order depends on the call and the prompt alone, so it can be computed again.
    """
    references = list(references)
    if layer.shuffle or layer.task == "rank":
        random.Random(f"{call}:{prompt}").shuffle(references)
    return references


def _instructions(call: CallId, layer: Layer, prompt: str, references: Sequence[Reference]) -> str:
    """The instructions of the layer's task with the references in their place."""
    blocks = render_references(arranged(call, layer, prompt, references), anonymous=layer.anonymous)
    task = layer.task or "synthesize"
    wording = PROMPTS[task] if layer.prompt is None else layer.prompt
    if "{references}" not in wording:
        wording += "\n\n{references}"
    if layer.prompt is not None and task in FORMS:
        wording += f"\n\n{FORMS[task]}"
    if task == "revise" and layer.prompt is None:
        has_own = any(reference.kind == "your own answer" for reference in references)
        wording = wording.replace("{own}", OWN_ANSWER[has_own])
    most = "as many as deserve it" if layer.top_k is None else f"at most {layer.top_k}"
    if task == "moderate":
        wording = wording.replace("{most}", most)
    if task in _WRITERS and any(reference.kind == "checklist" for reference in references):
        wording = wording.replace("{references}", f"{CHECKLIST_RULE}\n\n{{references}}")
    return wording.replace("{references}", blocks)


def _trim(head: Sequence[Message], dialogue: Sequence[Message], budget: int) -> tuple[list[Message], int]:
    """`dialogue` without its oldest turns, so that it fits with `head` into `budget` tokens.

    The second value is the number of messages left out. Turns are left out whole, since providers insist that
    the first message is a user's. They are left out in steps of a part of the budget, so that the messages of
    the next turns begin where those of this one do.
    """
    sizes = [message_tokens(message) for message in dialogue]
    excess = sum(sizes) + sum(map(message_tokens, head)) - budget
    step = max(1, budget // _TRIM_STEPS)
    to_leave_out = math.ceil(excess / step) * step
    first = 0
    while to_leave_out > 0 and first < len(dialogue) - 1:
        to_leave_out -= sizes[first]
        first += 1
        while first < len(dialogue) - 1 and dialogue[first]["role"] != "user":
            to_leave_out -= sizes[first]
            first += 1
    return list(dialogue[first:]), first


def _attribute(name: str) -> str:
    """`name` without characters that could end the attribute of a tag."""
    return re.sub(r'["<>\n]', "'", name)
