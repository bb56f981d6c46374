"""The values for the gaps in the templates: what the prompt is about, and what the references share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from moa_tui.gateway.demo.words import STOP_WORDS, folded, in_bold, inert, key_terms, shorten_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.engine.tasks import Reference

_QUOTE_SIZE, _PHRASE_SIZE = 80, 60
# Characters of a prompt and of a reference that are read: a huge text must not hold up the loop.
_PROMPT_SIZE, _REFERENCE_SIZE = 4_000, 20_000
_BOLD = re.compile(r"\*\*([^*\n]{2,40})\*\*")
# Code, headings, table rows and the line that ends every simulated answer.
_UNQUOTABLE = re.compile(r"(?ms)^(?:```.*?(?:^```|\Z)|[ \t]*[#|][^\n]*|\*Simulated: [^\n]*)")
_SENTENCE_END = re.compile(r"\n\s*(?:[-+*>]\s+|\d+[.)]\s+)*|(?<=[.!?;])\s+|(?<=[。！？；])")


def prompt_fields(prompt: str) -> dict[str, str]:
    """The fields that every template needs: what the prompt is about."""
    seen = inert(prompt.lstrip()[:_PROMPT_SIZE])
    quote = shorten_to(seen, _QUOTE_SIZE)
    terms = key_terms(seen, 3)
    a, b, c = [*terms, "the wording", "the context", "the purpose"][:3]
    kind = "question" if "?" in seen or "？" in seen else "request"
    named = f"the {kind} “{quote}”" if quote else "a prompt without a word in it"
    return {"a": a, "b": b, "c": c, "lead": f"I was sent {named}.", "asked": ", ".join(terms) or "nothing"}


def reference_fields(references: Sequence[Reference], asked: dict[str, str]) -> dict[str, str]:
    """The fields that tell of references: what several share, what one alone brings, a phrase of each.

    `asked` has the fields of the prompt.
    """
    bodies = ["\n" + _UNQUOTABLE.sub("", reference.text[:_REFERENCE_SIZE]) for reference in references]
    count = len(bodies)
    folded_bodies = [folded(body) for body in bodies]
    spelling = {folded(asked[key]): asked[key] for key in "abc"}
    own = [[spelling.setdefault(folded(term), term) for term in _reference_terms(body)] for body in bodies]
    held = {term: sum(folded(term) in text for text in folded_bodies) for terms in own for term in terms}
    ranked = sorted(held, key=lambda term: (term not in asked.values(), -held[term]))
    shared = {term: held[term] for term in [term for term in ranked if held[term] > 1][:4]}
    alone = [next((term for term in terms if held[term] == 1 < count), "") for terms in own]
    lone = list(dict.fromkeys(filter(None, alone)))[:4]
    names = [inert(f"{reference.agent[:30]}: ") + " " if reference.agent else "" for reference in references]
    parts = zip(names, bodies, alone, strict=True)
    quotes = [f"{name}“{_phrase(body, term, ''.join(folded_bodies))}”" for name, body, term in parts]
    drafts = f"{count} drafts" if count > 1 else "1 draft"
    return {
        **{"drafts": drafts, "agreement": _agreement(shared, count), "doubt": _doubt(lone)},
        **{"lone": in_bold(lone) or "nothing this time", "top": (*shared, *lone, asked["a"])[0]},
        "quotes": "\n".join(f"- {quote}" for quote in quotes),
    }


def _reference_terms(body: str) -> list[str]:
    """What a reference marks in bold; its other key terms too, where it marks little."""
    bold = [inert(found).strip(" .:") for found in _BOLD.findall(body)[:8]]
    marked = [term for term in bold if len(term.split()) <= 3]
    terms = marked if len(marked) > 2 else [*marked, *key_terms(inert(body), 8)]
    return [term for term in terms if folded(term).strip() and folded(term) not in STOP_WORDS]


def _phrase(body: str, term: str, everything: str) -> str:
    """The beginning of a reference's sentence: one with `term`, else one of its own, else its first."""
    sentences = [sentence for part in _SENTENCE_END.split(body) if len(sentence := inert(part)) > 2]
    telling = [sentence for sentence in sentences if term and folded(term) in folded(sentence)]
    own = [sentence for sentence in sentences[:20] if everything.count(folded(sentence)) == 1]
    return shorten_to([*telling, *own, *sentences, "no words at all"][0], _PHRASE_SIZE).rstrip(" ;:")


def _agreement(shared: dict[str, int], drafts: int) -> str:
    """Which key terms several references share; `shared` has the number of references for each."""
    if drafts == 1:
        return "There is one draft only, so nobody contradicts it and nobody backs it up."
    if not shared:
        return f"No two of the {drafts} drafts share a key term: variety, or talking past each other."
    who = {count: f"{count} of the {drafts}" for count in sorted(shared.values(), reverse=True)}
    who |= {drafts: "Both" if drafts == 2 else f"All {drafts}"} if drafts in who else {}
    terms = {count: in_bold([term for term in shared if shared[term] == count]) for count in who}
    return "; ".join(f"{who[count]} drafts agree on {terms[count]}" for count in who) + "."


def _doubt(lone: Sequence[str]) -> str:
    """What only one of the references says."""
    if lone:
        return f"Only one draft brings **{lone[0]}**; unconfirmed is not wrong, so it stays, with a caveat."
    return "No draft says anything that no other says, which proves little."
