"""The embedded simulated models: templates that write at a model's pace, so that no API key is needed.

They show the mechanism and know nothing: the text is about how an answer would be built, and says so. The
same messages, seed and model give the same text at the same pace. Only `stream` waits; the rest is pure.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from moa_tui.engine.metrics import words
from moa_tui.engine.plan import estimate_tokens
from moa_tui.engine.prompts import FORMS, PROMPTS
from moa_tui.engine.tasks import Reference
from moa_tui.engine.values import Chunk, Finish, Usage
from moa_tui.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.tasks import ReferenceKind
    from moa_tui.engine.values import Kind, Message

QUOTE_SIZE, PHRASE_SIZE, BURST_TOKENS = 80, 60, 4_000
# What is looked at of a prompt and of a reference, in characters: a huge one must not hold up the loop.
_PROMPT_SIZE, _REFERENCE_SIZE = 4_000, 20_000

_REFERENCE = re.compile(
    r'"([0-9]{1,9})"(?: agent="([^"<>\n]*)")?(?: kind="(checklist)")?(?: [a-z-]+="[^"<>\n]*")*>'
    r"(.*?)</reference>",
    re.DOTALL,
)
_MARKUP = re.compile(r"[`*|<>\[\]\\~]|&(?=#?\w{1,31};)")
_BOLD = re.compile(r"\*\*([^*\n]{2,40})\*\*")
# Code, headings, table rows and the line that ends every simulated answer.
_UNQUOTABLE = re.compile(r"(?ms)^(?:```.*?(?:^```|\Z)|[ \t]*[#|][^\n]*|\*Simulated: [^\n]*)")
_SENTENCE_END = re.compile(r"\n\s*(?:[-+*>]\s+|\d+[.)]\s+)*|(?<=[.!?;])\s+|(?<=[。！？；])")
# Han text is cut at its commonest particles: no segmentation, but it reads well enough.
_PARTICLES = re.compile(r"为什么|什么|怎么|如何|请|的|了|是|在|和|与|吗|呢|我|你")
_TERM = re.compile(r"[㐀-鿿]{2,8}|[ァ-ヿ]{2,12}|[가-힣]{2,12}|[^\W\d_㐀-鿿ぁ-ヿ가-힣]{3,}")
_PIECE = re.compile(r"(?s)\s*(?:[A-Za-z0-9]{1,6}|[!-/:-@\[-`{-~]{1,4}|[^\x00-\x7f\s])|\s+|.")
_STOP_WORDS = (
    " about after again all also and answer any are because been before but can compare could describe did "
    "does draft each every everyone explain find first for from get give good had has have help her here "
    "him his how into its just know last less let like make many may more most much must name need never "
    "not now off one only other our out over please prompt put say would she should show some started still "
    "such take tell than that the their them then there these they this those through too two under until "
    "use very want was were what when where whether which while who why will with without write you your "
)
_STANCES = (("example first", "definition first"), ("narrow reading", "wide reading"))
_IDEAS = (
    *("edge cases", "the audience", "counter-examples", "the time frame", "a second source"),
    *("the trade-offs", "rules of thumb", "local exceptions", "units of measure", "the cost"),
)
_LEADS = ("Everything in {} turns on **{}**.", "The heart of {} is **{}**.", "In {}, look first at **{}**.")
_REASONING = "{basis} What matters: {a}, {b}, {c}. Easily missed: {idea}. That will do for a plan."
_SLOW = "{lead} I write this at three tokens a second, so that you see what a slow model does to its layer."
_HANG = "{lead} I fall silent after these words, for ever, so that you see a time limit at work."
_BURST = "{lead} A burst, to see whether the screen keeps up: " + "many words, none of them news; " * 520
# Those that are there to be slow, silent or too much stay so, whatever they are asked.
_UNFIT = ("demo/slow", "demo/hang", "demo/burst")
_FINDINGS = (
    "{drafts} read, none of them answered here.\n\n{quotes}\n\n- {agreement}\n- {doubt}\n- Worth keeping: "
    "**{top}**. Brought by one alone: {lone}."
)
_COMPARED = "{drafts} compared by how much of **{a}**, **{b}** and **{c}** each of them has."
_TICKED = "\n\nYou ticked what goes in:\n\n{}\n\nUnticked and left out: {}."
_NOTE = "\n\n*Simulated: {model} wrote this from a template; no language model was asked.*"


class _Manner(NamedTuple):
    """Tokens a second with seconds to the first; templates without and with references, and for reasoning."""

    pacing: tuple[float, float]
    answer: str
    weighed: str
    reasoning: str = ""


_MANNERS = {
    "demo/terse": _Manner(
        (72, 0.25),
        "{lead} A good short answer says so in its first sentence, takes the {scope}, puts the {order}, and "
        "gives **{b}** one line. It also finds room for **{idea}**, which longer drafts tend to bury. In a "
        "Mixture of Agents that is my part: the aggregator has to read all the drafts, and it is a mercy "
        "if at least one of them fits on a napkin.",
        "{drafts} read, one answer left. {agreement} {doubt}\n\n{quotes}\n\nSo: begin with **{top}**, keep "
        "what survived the comparison, and stop while the reader is still awake.",
    ),
    "demo/thorough": _Manner(
        (58, 0.5),
        "## A plan for {a}\n\n{lead} This draft lays out the angles and leaves the verdict to others.\n\n"
        "1. **{a}**: say what it covers, in the {scope}.\n2. **{b}**: tie it to that, with the {order}.\n"
        "3. **{c}**: check that the answer still holds there.\n4. **{idea}**: the part a hurried draft "
        "forgets.\n\n### Who adds what\n\n| Layer | Reads | Adds |\n|---|---|---|\n"
        "| Proposers | the prompt | drafts made without a look at each other |\n"
        "| Aggregator | the prompt and every draft | one answer, weighed |",
        "## {drafts}, weighed\n\n{agreement}\n\n| A draft says | It alone brings |\n|---|---|\n{rows}\n\n"
        "### How they were weighed\n\n1. What several share goes first; a shared mistake looks the same.\n"
        "2. {doubt}\n3. What only one brings is kept where it adds to the rest: {lone}.\n\n### Conclusion\n\n"
        "Build the answer on **{top}**, add the lone points with a caveat, and leave out the repetitions.",
        _REASONING,
    ),
    "demo/sceptic": _Manner(
        (42, 0.4),
        "{lead} Before anybody answers, some doubts:\n\n- **{a}**: does everyone mean the same by it?\n"
        "- **{b}**: easily asserted, and fluent drafts assert without a source.\n"
        "- **{c}**: perhaps beside the point, which is worth one honest line.\n"
        "- **{idea}**: hardly any draft will raise it, so this one does.\n"
        "- Agreement: models that learnt from similar text err alike; a chorus is a hint and no proof.\n\n"
        "On balance I would take the {scope}, put the {order}, and keep in writing whichever doubts "
        "survive. The aggregator may overrule me; that is what it is for.",
        "{agreement} That is worth knowing, and proves little. What each one says, held up to the light:\n\n"
        "{quotes}\n\nAnd the doubts:\n\n- {doubt}\n- What only one brings ({lone}) is the best part or an "
        "invention; nothing here can tell.\n\nOn balance **{top}** carries the answer. The rest goes in as "
        "far as it can be checked, and says so.",
        _REASONING,
    ),
    "demo/coder": _Manner(
        (64, 0.35),
        "```python\nprompt = {literal}\nterms = {listed}\n"
        "found = {{term: prompt.count(term) for term in terms}}\nprint(found)\n```\n\n"
        "- {lead} The snippet counts its terms and understands none of them; neither do I.\n"
        "- **{b}**: the {order}, so that there is something to run.\n"
        "- **{idea}**: the test I would write next, on the {scope}.\n"
        "- In the mix: the aggregator reads this beside drafts in prose, and keeps the best of each.",
        "```python\ndrafts = {count}\nvotes = {votes}\n"
        "print([term for term, held in votes.items() if 2 * held >= drafts])\n```\n\n"
        "- {agreement}\n- {doubt}\n\nWhat went into the count:\n\n{quotes}\n\n"
        "Result: **{top}** goes in first. A vote counts terms and not truth, so somebody still has to read.",
    ),
    "demo/fail": _Manner((60, 0.3), "", ""),
    "demo/slow": _Manner((3, 8.0), _SLOW, _SLOW),
    "demo/hang": _Manner((60, 0.3), _HANG, _HANG),
    "demo/burst": _Manner((1e9, 0.0), _BURST, _BURST),
}
MODELS: tuple[str, ...] = tuple(_MANNERS)


async def stream(agent: Agent, messages: Sequence[Message]) -> AsyncGenerator[Chunk | Finish, None]:
    """Write as `agent.model`. Raises ModelError: unknown model, unusable pace, and always for demo/fail."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    reasoning, whole = write(agent, messages)
    text = whole if agent.max_tokens is None else cut_to(whole, agent.max_tokens)
    for number, (at, chunk) in enumerate(schedule(agent, messages, reasoning, text), 1):
        if (wait := began + at - loop.time()) > 0:
            await asyncio.sleep(wait)
        elif number % 32 == 0:
            await asyncio.sleep(0)  # behind, but a burst must not keep the loop from everybody else
        yield chunk
    if agent.model == "demo/hang":
        await loop.create_future()
    prompt_tokens = sum(estimate_tokens(message["content"]) for message in messages)
    usage = Usage(prompt_tokens, estimate_tokens(reasoning + text), estimated=True)
    yield Finish(reason="stop" if text == whole else "length", usage=usage, cost=0.0)


def write(agent: Agent, messages: Sequence[Message]) -> tuple[str, str]:
    """The reasoning and the text of `agent.model`, before max_tokens cuts it. Raises ModelError."""
    manner, rng = _manner(agent), _random(agent, messages, "text")
    if agent.model == "demo/fail":
        raise ModelError("server", "demo/fail fails every time: a simulated 503, no server was asked", 503)
    prompt, read = read_messages(messages)
    references = [reference for reference in read if reference.kind != "checklist"]
    fields = {"model": agent.model, **_prompt_fields(prompt, rng)}
    if references:
        fields |= _reference_fields(references, fields, rng)
    note = _NOTE.format_map(fields)
    task = _task(messages)
    if references and task in _REPLIES and agent.model not in _UNFIT:
        return manner.reasoning.format_map(fields), _REPLIES[task](references, fields, note)
    body = (manner.weighed if references else manner.answer).format_map(fields)
    for checklist in [reference.text for reference in read if reference.kind == "checklist"][-1:]:
        body += _heeded(checklist)
    if agent.model == "demo/burst":
        body = cut_to(body, BURST_TOKENS - estimate_tokens(note))
    return manner.reasoning.format_map(fields), body + note


def schedule(agent: Agent, messages: Sequence[Message], thought: str, text: str) -> list[tuple[float, Chunk]]:
    """The pieces of both, each with its time in seconds since the request. Raises ModelError."""
    (usual_pace, delay), rng = _manner(agent).pacing, _random(agent, messages, "pace")
    pace = agent.extra.get("tokens_per_second", usual_pace)
    if isinstance(pace, bool) or not isinstance(pace, int | float) or not pace > 0:
        raise ModelError("bad_request", f"{agent.model}: extra.tokens_per_second must be a positive number")
    at, timed = delay * usual_pace / pace, []
    parts: tuple[tuple[Kind, str], ...] = (("reasoning", thought), ("text", text))
    for kind, piece in ((kind, piece) for kind, part in parts for piece in _PIECE.findall(part)):
        timed.append((at, Chunk(kind, piece)))
        at += sum(map(_token_share, piece)) / pace * rng.uniform(0.7, 1.3)
    return timed


def read_messages(messages: Sequence[Message]) -> tuple[str, tuple[Reference, ...]]:
    """The person's prompt without what the engine put behind it, and the references, wherever they stand."""
    prompt = next((message["content"] for message in reversed(messages) if message["role"] == "user"), "")
    system = "\n".join(message["content"] for message in messages if message["role"] == "system")
    asked = prompt.partition("<reference number=")[0]
    for wording in PROMPTS.values():
        asked = asked.partition(wording.partition("\n")[0])[0]
    return asked.strip() or prompt, parse_references(system) or parse_references(prompt)


def parse_references(text: str) -> tuple[Reference, ...]:
    """The last list of reference blocks in `text`: a prompt before it may hold blocks of its own."""
    found: list[Reference] = []
    for part in text.split("<reference number=")[1:]:
        if block := _REFERENCE.match(part):
            found = [] if block[1] == "1" else found
            kind: ReferenceKind = "checklist" if block[3] else "answer"
            found.append(Reference(block[2] or "", block[4].strip(), kind))
    return tuple(found)


def inert(text: str) -> str:
    """`text` on one line, without control characters or what Markdown would act on."""
    printable = "".join(char if char.isprintable() else " " for char in text.replace("**", ""))
    return " ".join(_MARKUP.sub(" ", printable).split()).translate({0x201C: "‘", 0x201D: "’"})


def shorten_to(text: str, most: int) -> str:
    """`text` in at most `most` characters (half that in wide scripts), with an ellipsis where it was cut."""
    most = most // 2 if len(text.encode()) > 2 * len(text) else most
    kept = text[: most - 1]
    return text if len(text) <= most else (kept.rpartition(" ")[0] or kept).rstrip(" ,;:") + "…"


def cut_to(text: str, tokens: int) -> str:
    """The beginning of `text` that makes at most `tokens`, by the engine's estimate."""
    totals = accumulate(map(_token_share, text))
    return text[: next((size for size, total in enumerate(totals) if total > tokens), len(text))]


def key_terms(text: str, most: int) -> list[str]:
    """What `text` seems to be about: names, then long words, at most `most`."""
    runs = [run for run in _TERM.findall(_PARTICLES.sub(" ", text)) if len(run) <= 24]
    terms = {run.casefold(): run for run in reversed(runs) if _folded(run) not in _STOP_WORDS}
    rank = {term: (term.islower() or not at, -len(term), at) for at, term in reversed([*enumerate(runs)])}
    return sorted(terms.values(), key=rank.__getitem__)[:most]


def _task(messages: Sequence[Message]) -> str | None:
    """What the instructions in `messages` ask for, told by their wording or by the form of the reply."""
    said = "\n".join(message["content"] for message in messages if message["role"] != "assistant")
    told = [task for task, wording in PROMPTS.items() if wording.partition("\n")[0] in said]
    told += [task for task, form in FORMS.items() if form.rpartition("\n")[2] in said]
    return told[-1] if told else None


def _critique(references: Sequence[Reference], fields: dict[str, str], note: str) -> str:
    return _FINDINGS.format_map(fields) + note


def _ranking(references: Sequence[Reference], fields: dict[str, str], note: str) -> str:
    line = " > ".join(map(str, _best_first(references, fields)))
    return f"{_COMPARED.format_map(fields)}{note}\n\nRANKING: {line}"


def _judgement(references: Sequence[Reference], fields: dict[str, str], note: str) -> str:
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


def _heeded(checklist: str) -> str:
    """What a writer says of a list that the person has ticked."""
    kept, _, left = checklist.partition("\n\nleave out:\n")
    wanted = [inert(line[2:]) for line in kept.split("\n") if line.startswith("- ")]
    dropped = sum(line.startswith("- ") for line in left.split("\n"))
    return _TICKED.format("\n".join(f"- {point}" for point in wanted) or "- nothing", dropped)


def _choice(references: Sequence[Reference], fields: dict[str, str], note: str) -> str:
    keep = _best_first(references, fields)
    # One half is what most moderators ask for at most; a single answer needs no further round.
    kept = keep[: max(1, len(keep) // 2)]
    return json.dumps({"keep": kept, "enough": len(keep) == 1, "note": note.strip()}, ensure_ascii=False)


def _best_first(references: Sequence[Reference], fields: dict[str, str]) -> list[int]:
    """The numbers of the references, those with most of the prompt's terms first, the shorter of equals."""
    terms = [_folded(fields[key]).strip() for key in "abc"]

    def merit(number: int) -> tuple[int, int]:
        text = references[number - 1].text[:_REFERENCE_SIZE]
        return -sum(_folded(text).count(term) for term in terms if term), len(text)

    return sorted(range(1, len(references) + 1), key=merit)


_REPLIES = {
    "critique": _critique,
    "rank": _ranking,
    "judge": _judgement,
    "checklist": _points,
    "moderate": _choice,
}


def _manner(agent: Agent) -> _Manner:
    if agent.model not in _MANNERS:
        raise ModelError("not_found", f'there is no "{agent.model}"; the demo models are {", ".join(MODELS)}')
    return _MANNERS[agent.model]


def _random(agent: Agent, messages: Sequence[Message], purpose: str) -> random.Random:
    said = [f"{message['role']}: {message['content']}" for message in messages]
    key = "\n".join([purpose, agent.model, str(agent.extra.get("seed", 0)), *said])
    return random.Random(key.encode("utf-8", "replace").decode())


def _token_share(char: str) -> float:
    return 0.25 if char.isascii() else 1.0


def _folded(text: str) -> str:
    return f" {' '.join(words(text))} "


def _prompt_fields(prompt: str, rng: random.Random) -> dict[str, str]:
    """What the templates say of the prompt, and the choices made for this answer."""
    seen = inert(prompt.lstrip()[:_PROMPT_SIZE])
    quote, terms = shorten_to(seen, QUOTE_SIZE), key_terms(seen, 3)
    kind = "question" if "?" in seen or "？" in seen else "request"
    named = f"the {kind} “{quote}”" if quote else "a prompt without a word in it"
    a, b, c = [*terms, "the wording", "the context", "the purpose"][:3]
    order, scope = (rng.choice(pair) for pair in _STANCES)
    return {
        **{"a": a, "b": b, "c": c, "order": order, "scope": scope, "idea": rng.choice(_IDEAS)},
        **{"lead": rng.choice(_LEADS).format(named, a), "basis": "There is only the prompt to go by."},
        **{"literal": repr(quote), "listed": repr(terms)},
    }


def _reference_fields(
    references: Sequence[Reference], asked: dict[str, str], rng: random.Random
) -> dict[str, str]:
    """What the templates say of the references: what several share, what one brings, a phrase of each."""
    bodies = ["\n" + _UNQUOTABLE.sub("", reference.text[:_REFERENCE_SIZE]) for reference in references]
    folded, count = [_folded(body) for body in bodies], len(bodies)
    spelling = {_folded(asked[key]): asked[key] for key in "abc"}
    own = [[spelling.setdefault(_folded(term), term) for term in _reference_terms(body)] for body in bodies]
    held = {term: sum(_folded(term) in text for text in folded) for terms in own for term in terms}
    ranked = sorted(held, key=lambda term: (term not in asked.values(), -held[term]))
    shared = {term: held[term] for term in [term for term in ranked if held[term] > 1][:4]}
    alone = [next((term for term in terms if held[term] == 1 < count), "") for terms in own]
    lone = list(dict.fromkeys(filter(None, alone)))[:4]
    names = [inert(f"{each.agent[:30]}: ") + " " if each.agent else "" for each in references]
    parts = zip(names, bodies, alone, strict=True)
    quotes = [f"{name}“{_phrase(body, term, ''.join(folded))}”" for name, body, term in parts]
    drafts = f"{count} drafts" if count > 1 else "1 draft"
    return {
        **{"count": str(count), "drafts": drafts, "basis": f"{drafts} to weigh."},
        **{"agreement": _agreement(shared, count), "doubt": _doubt(folded, lone, rng)},
        **{"lone": _joined(lone) or "nothing this time", "top": (*shared, *lone, asked["a"])[0]},
        **{"votes": repr(shared | dict.fromkeys(lone, 1)), "quotes": "\n".join(f"- {it}" for it in quotes)},
        "rows": "\n".join(f"| {quote} | {term or '–'} |" for quote, term in zip(quotes, alone, strict=True)),
    }


def _reference_terms(body: str) -> list[str]:
    """What a reference marks in bold; its other key terms too, where it marks little."""
    bold = [inert(found).strip(" .:") for found in _BOLD.findall(body)[:8]]
    marked = [term for term in bold if len(term.split()) <= 3]
    terms = marked if len(marked) > 2 else [*marked, *key_terms(inert(body), 8)]
    return [term for term in terms if _folded(term).strip() and _folded(term) not in _STOP_WORDS]


def _phrase(body: str, term: str, everything: str) -> str:
    """From the sentence of a reference that holds its own term, or is its own, or is its first."""
    sentences = [sentence for part in _SENTENCE_END.split(body) if len(sentence := inert(part)) > 2]
    telling = [sentence for sentence in sentences if term and _folded(term) in _folded(sentence)]
    own = [sentence for sentence in sentences[:20] if everything.count(_folded(sentence)) == 1]
    return shorten_to([*telling, *own, *sentences, "no words at all"][0], PHRASE_SIZE).rstrip(" ;:")


def _joined(terms: Sequence[str]) -> str:
    return ", ".join(f"**{term}**" for term in terms)


def _agreement(shared: dict[str, int], drafts: int) -> str:
    if drafts == 1:
        return "There is one draft only, so nobody contradicts it and nobody backs it up."
    if not shared:
        return f"No two of the {drafts} drafts share a key term: variety, or talking past each other."
    who = {count: f"{count} of the {drafts}" for count in sorted(shared.values(), reverse=True)}
    who |= {drafts: "Both" if drafts == 2 else f"All {drafts}"} if drafts in who else {}
    terms = {count: _joined([term for term in shared if shared[term] == count]) for count in who}
    return "; ".join(f"{who[count]} drafts agree on {terms[count]}" for count in who) + "."


def _doubt(folded: Sequence[str], lone: Sequence[str], rng: random.Random) -> str:
    """One contradiction between the references, or else what only one of them says."""
    for pair in _STANCES:
        held = [{stance for stance in pair if _folded(stance) in text} for text in folded]
        one, other = (held.count({stance}) for stance in pair)
        if one and other:
            chosen = rng.choice(pair) if one == other else pair[one < other]
            why = "a tie, so I tossed a coin" if one == other else "the larger side: a hint, no proof"
            sides = f"{one} for “{pair[0]}”, {other} for “{pair[1]}”"
            return f"They contradict each other: {sides}. I go with “{chosen}” ({why})."
    if lone:
        return f"Only one draft brings **{lone[0]}**; unconfirmed is not wrong, so it stays, with a caveat."
    return "No draft contradicts another, which is pleasant and proves little."
