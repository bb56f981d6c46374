"""What a simulated model writes: reasoning and text, in the form that its task asks for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.errors import ModelError
from moa_tui.gateway.demo.fields import REFERENCE_SIZE, prompt_fields, reference_fields
from moa_tui.gateway.demo.reading import read_messages, seeded_random, task_of
from moa_tui.gateway.demo.templates import CRITIQUE, FAULT_MODELS, NOTE, RANKING, TICKED, manner_of
from moa_tui.gateway.demo.words import cut_to, folded, inert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.tasks import Reference
    from moa_tui.engine.values import Message

_BURST_TOKENS = 4_000


def write(agent: Agent, messages: Sequence[Message]) -> tuple[str, str]:
    """The reasoning and the text of `agent.model`, before max_tokens cuts it. Raises ModelError."""
    manner, rng = manner_of(agent), seeded_random(agent, messages, "text")
    if agent.model == "demo/fail":
        raise ModelError("server", "demo/fail fails every time: a simulated 503, no server was asked", 503)
    prompt, read = read_messages(messages)
    references = [reference for reference in read if reference.kind != "checklist"]
    fields = {"model": agent.model, **prompt_fields(prompt, rng)}
    if references:
        fields |= reference_fields(references, fields, rng)
    note = NOTE.format_map(fields)
    task = task_of(messages)
    if references and task in _REPLIES and agent.model not in FAULT_MODELS:
        return manner.reasoning.format_map(fields), _REPLIES[task](references, fields, note)
    body = (manner.weighed if references else manner.answer).format_map(fields)
    for checklist in [reference.text for reference in read if reference.kind == "checklist"][-1:]:
        body += _ticked_points(checklist)
    if agent.model == "demo/burst":
        body = cut_to(body, _BURST_TOKENS - estimate_tokens(note))
    return manner.reasoning.format_map(fields), body + note


def _critique(references: Sequence[Reference], fields: dict[str, str], note: str) -> str:
    """A critique of the references."""
    return CRITIQUE.format_map(fields) + note


def _ranking(references: Sequence[Reference], fields: dict[str, str], note: str) -> str:
    """A ranking with the line that the engine reads."""
    line = " > ".join(map(str, _best_first(references, fields)))
    return f"{RANKING.format_map(fields)}{note}\n\nRANKING: {line}"


def _judgement(references: Sequence[Reference], fields: dict[str, str], note: str) -> str:
    """A judge's findings, in JSON."""
    findings = {
        "consensus": [fields["agreement"]],
        "contradictions": [fields["doubt"]],
        "partial_coverage": [],
        "unique_insights": [fields["lone"]],
        "blind_spots": [fields["idea"]],
    }
    return json.dumps({**findings, "note": note.strip()}, indent=1, ensure_ascii=False)


def _points(references: Sequence[Reference], fields: dict[str, str], note: str) -> str:
    """A task list of what the references say: a phrase of each, what they share, and what they doubt."""
    phrases = [line.removeprefix("- ").strip("“”") for line in fields["quotes"].split("\n")]
    points = dict.fromkeys([*phrases, fields["agreement"], fields["doubt"], f"Mention {fields['idea']}."])
    return "\n".join(f"- [ ] {point.replace('**', '')}" for point in points) + note


def _ticked_points(checklist: str) -> str:
    """What a writer adds about a checklist: the points that the user ticked, and how many stay out."""
    ticked, _, unticked = checklist.partition("\n\nleave out:\n")
    points = [inert(line[2:]) for line in ticked.split("\n") if line.startswith("- ")]
    left_out = sum(line.startswith("- ") for line in unticked.split("\n"))
    return TICKED.format("\n".join(f"- {point}" for point in points) or "- nothing", left_out)


def _choice(references: Sequence[Reference], fields: dict[str, str], note: str) -> str:
    """A moderator's reply, in JSON: which answers go on to the next round."""
    ranked = _best_first(references, fields)
    # One half is what most moderators ask for at most; a single answer needs no further round.
    best = ranked[: max(1, len(ranked) // 2)]
    return json.dumps({"keep": best, "enough": len(ranked) == 1, "note": note.strip()}, ensure_ascii=False)


def _best_first(references: Sequence[Reference], fields: dict[str, str]) -> list[int]:
    """The numbers of the references: first those with most of the prompt's terms, of equals the shorter."""
    terms = [folded(fields[key]).strip() for key in "abc"]

    def merit(number: int) -> tuple[int, int]:
        text = references[number - 1].text[:REFERENCE_SIZE]
        return -sum(folded(text).count(term) for term in terms if term), len(text)

    return sorted(range(1, len(references) + 1), key=merit)


_REPLIES = {
    "critique": _critique,
    "rank": _ranking,
    "judge": _judgement,
    "checklist": _points,
    "moderate": _choice,
}
