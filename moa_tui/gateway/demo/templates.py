"""The sentences that the simulated models write, with gaps for what the prompt and the drafts say.

The gaps are named as the values of `fields`. `MANNERS` has a manner for each model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from moa_tui.errors import ModelError

if TYPE_CHECKING:
    from moa_tui.engine.agent import Agent

STANCES = (("example first", "definition first"), ("narrow reading", "wide reading"))
IDEAS = (
    *("edge cases", "the audience", "counter-examples", "the time frame", "a second source"),
    *("the trade-offs", "rules of thumb", "local exceptions", "units of measure", "the cost"),
)
LEADS = ("Everything in {} turns on **{}**.", "The heart of {} is **{}**.", "In {}, look first at **{}**.")
_REASONING = "{basis} What matters: {a}, {b}, {c}. Easily missed: {idea}. That will do for a plan."
_SLOW = "{lead} I write this at three tokens a second, so that you see what a slow model does to its layer."
_HANG = "{lead} I fall silent after these words, for ever, so that you see a time limit at work."
_BURST = "{lead} A burst, to see whether the screen keeps up: " + "many words, none of them news; " * 520
# These show a slow, a silent and a flooding model: they write their own text whatever they are asked.
FAULT_MODELS = ("demo/slow", "demo/hang", "demo/burst")
CRITIQUE = (
    "{drafts} read, none of them answered here.\n\n{quotes}\n\n- {agreement}\n- {doubt}\n- Worth keeping: "
    "**{top}**. Brought by one alone: {lone}."
)
RANKING = "{drafts} compared by how much of **{a}**, **{b}** and **{c}** each of them has."
TICKED = "\n\nYou ticked what goes in:\n\n{}\n\nUnticked and left out: {}."
NOTE = "\n\n*Simulated: {model} wrote this from a template; no language model was asked.*"


class Manner(NamedTuple):
    """How one model writes.

    `pacing` is tokens a second and seconds to the first of them. `answer` is the template where there are no
    references, `weighed` the one where there are.
    """

    pacing: tuple[float, float]
    answer: str
    weighed: str
    reasoning: str = ""


MANNERS = {
    "demo/terse": Manner(
        (72, 0.25),
        "{lead} A good short answer says so in its first sentence, takes the {scope}, puts the {order}, and "
        "gives **{b}** one line. It also finds room for **{idea}**, which longer drafts tend to bury. In a "
        "Mixture of Agents that is my part: the aggregator has to read all the drafts, and it is a mercy "
        "if at least one of them fits on a napkin.",
        "{drafts} read, one answer left. {agreement} {doubt}\n\n{quotes}\n\nSo: begin with **{top}**, keep "
        "what survived the comparison, and stop while the reader is still awake.",
    ),
    "demo/thorough": Manner(
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
    "demo/sceptic": Manner(
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
    "demo/coder": Manner(
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
    "demo/fail": Manner((60, 0.3), "", ""),
    "demo/slow": Manner((3, 8.0), _SLOW, _SLOW),
    "demo/hang": Manner((60, 0.3), _HANG, _HANG),
    "demo/burst": Manner((1e9, 0.0), _BURST, _BURST),
}
MODELS: tuple[str, ...] = tuple(MANNERS)


def manner_of(agent: Agent) -> Manner:
    """The manner of the agent's model. Raises ModelError for a model that is not simulated here."""
    if agent.model not in MANNERS:
        raise ModelError("not_found", f'there is no "{agent.model}"; the demo models are {", ".join(MODELS)}')
    return MANNERS[agent.model]
