"""What a simulated model writes: reasoning and text, in the form that its task asks for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.errors import ModelError
from moa_tui.gateway.demo import choosing, manual, merging, templates
from moa_tui.gateway.demo.fields import prompt_fields, reference_fields
from moa_tui.gateway.demo.reading import earlier_prompt, read_messages, task_of
from moa_tui.gateway.demo.templates import CRITIQUE, NOTE, RANKING, TICKED, manner_of
from moa_tui.gateway.demo.words import cut_to, folded, inert
from moa_tui.guide.pieces import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.tasks import Reference
    from moa_tui.engine.values import Message
    from moa_tui.gateway.demo.manual import Answer

_BURST_TOKENS = 4_000
_MOST_POINTS = 20
_CHOOSERS = {
    "demo/terse": choosing.terse,
    "demo/thorough": choosing.thorough,
    "demo/sceptic": choosing.sceptic,
    "demo/coder": choosing.coder,
}


def write(agent: Agent, messages: Sequence[Message]) -> tuple[str, str]:
    """The reasoning and the text of `agent.model`, before max_tokens cuts it. Raises ModelError."""
    manner = manner_of(agent)
    if agent.model == "demo/fail":
        raise ModelError("server", "demo/fail fails every time: a simulated 503, no server was asked", 503)
    prompt, read_references = read_messages(messages)
    fields = {"model": agent.model, **prompt_fields(prompt)}
    note = f"\n\n{NOTE.format_map(fields)}"
    if manner.fixed:
        text = manner.fixed.format_map(fields)
        if agent.model == "demo/burst":
            text = cut_to(text, _BURST_TOKENS - estimate_tokens(note))
        return "", text + note
    references = [reference for reference in read_references if reference.kind != "checklist"]
    checklists = [reference.text for reference in read_references if reference.kind == "checklist"]
    answer = manual.look_up(prompt, earlier_prompt(messages))
    thought = _thought(answer, fields) if manner.reasons else ""
    if not references:
        return thought, _answer(answer, agent.model) + note
    fields |= reference_fields(references, fields)
    if (task := task_of(messages)) in _REPLIES:
        return thought, _REPLIES[task](references, fields, note)
    ticked, left_out = _choices(checklists[-1]) if checklists else ([], [])
    parts = merging.collect(references, left_out)
    if manner.reasons and parts.count:
        thought += f" {templates.WEIGHED.format_map(fields | {'parts': parts.count, 'shared': parts.shared})}"
    body = merging.merge(parts, agent.model) or _not_covered(answer)
    if checklists:
        listed = "\n".join(f"- {each}" for each in ticked or ["nothing"])
        body += f"\n\n{TICKED.format(listed, len(left_out))}"
    return thought, body + note


def _answer(answer: Answer, model: str) -> str:
    return _CHOOSERS[model](answer) if answer.sections else _not_covered(answer)


def _not_covered(answer: Answer) -> str:
    """One line that says so, with the nearest topics where there are any."""
    topics = ", ".join(f"`moa-tui guide {topic}`" for topic in answer.nearest)
    return templates.NOT_COVERED + (templates.NEAREST.format(topics) if topics else templates.NOTHING_NEAR)


def _thought(answer: Answer, fields: dict[str, str]) -> str:
    """How the sections were chosen."""
    asked = fields["asked"]
    if not answer.sections:
        return templates.NO_THOUGHT.format(asked=asked)
    best, *others = (f"“{section.heading}” ({section.topic})" for section in answer.sections)
    share = f"{answer.coverage:.0%}".replace("%", " %")
    return templates.THOUGHT.format(
        asked=asked, best=best, coverage=share, next=", ".join(others) or "nothing as close"
    )


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
        "contradictions": [],
        "partial_coverage": [],
        "unique_insights": [fields["lone"]],
        "blind_spots": [fields["doubt"]],
    }
    return json.dumps({**findings, "note": note.strip()}, indent=1, ensure_ascii=False)


def _points(references: Sequence[Reference], fields: dict[str, str], note: str) -> str:
    """A task list of what the references say, each point once."""
    pieces = [piece for reference in references for piece in read(reference.text[: merging.REFERENCE_SIZE])]
    telling = (piece for piece in pieces if piece.kind not in ("heading", "code"))
    points = dict.fromkeys(merging.point(piece) for piece in telling if not merging.is_own_line(piece))
    drawn = [point for point in points if point][:_MOST_POINTS] or [fields["agreement"].replace("**", "")]
    return "\n".join(f"- [ ] {point}" for point in drawn) + note


def _choices(checklist: str) -> tuple[list[str], list[str]]:
    """The points of a checklist that the user ticked, and those that stay out."""
    ticked, _, unticked = checklist.partition("\n\nleave out:\n")
    kept, left_out = (
        [inert(line[2:]) for line in part.split("\n") if line.startswith("- ")] for part in (ticked, unticked)
    )
    return kept, left_out


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
        text = references[number - 1].text[: merging.REFERENCE_SIZE]
        return -sum(folded(text).count(term) for term in terms if term), len(text)

    return sorted(range(1, len(references) + 1), key=merit)


_REPLIES = {
    "critique": _critique,
    "rank": _ranking,
    "judge": _judgement,
    "checklist": _points,
    "moderate": _choice,
}
