"""The simulated models, and the few sentences that are theirs and not the manual's.

The gaps are named as the values of `fields`. `MANNERS` has a manner for each model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from moa_tui.errors import ModelError

if TYPE_CHECKING:
    from moa_tui.engine.agent import Agent

_SLOW = "{lead} I write this at three tokens a second, so that you see what a slow model does to its layer."
_HANG = "{lead} I fall silent after these words, for ever, so that you see a time limit at work."
_BURST = "{lead} A burst, to see whether the screen keeps up: " + "many words, none of them news; " * 520

# Parts of an answer. What stands in OWN_LINES is never taken for a part of the manual.
WATCH_OUT = "What to watch out for"
SCEPTIC_LEAD = "Before you rely on it:"
NO_LIMITS = "The manual names no limit and no trap here; try it on something small first."
NO_COMMAND = "There is no command or setting for this, but the manual says:"
FOREIGN = "Said by others, and not in the manual, so nothing here can check it:"
OWN_LINES = (SCEPTIC_LEAD, NO_LIMITS, NO_COMMAND, FOREIGN)
SOURCE = "From the manual: {}."
SOURCE_BEGINNING = SOURCE.partition("{}")[0]
NOT_COVERED = "The manual of moa-tui, which is all that I know (and in English), does not cover this"
NEAREST = "; the nearest topics are {}."
NOTHING_NEAR = "; `moa-tui guide` lists what it does."
NOTE = "*Simulated: {model} picked this from the manual; no language model was asked.*"
NOTE_BEGINNING = NOTE.partition("{")[0]
OWN_ENDS = (
    NOTE.rpartition("}")[2].strip(" .*"),
    NEAREST.partition("{")[0].strip("; "),
    NOTHING_NEAR.strip("; ."),
)

THOUGHT = (
    "Asked about: {asked}. The manual's words for that stand closest together in {best}, which has "
    "{coverage} of the question. Next: {next}."
)
NO_THOUGHT = "Asked about: {asked}. Nothing in the manual has enough of that to answer."
WEIGHED = (
    "{drafts} read: {parts} parts of the manual, {shared} of them in more than one draft. Each goes in once."
)

CRITIQUE = (
    "{drafts} read, none of them answered here.\n\n{quotes}\n\n- {agreement}\n- {doubt}\n- Worth keeping: "
    "**{top}**. Brought by one alone: {lone}."
)
RANKING = "{drafts} compared by how much of **{a}**, **{b}** and **{c}** each of them has."
TICKED = "You ticked what goes in:\n\n{}\n\nUnticked and left out: {}."


class Manner(NamedTuple):
    """How one model writes.

    `pacing` is tokens a second and seconds to the first of them. `fixed` is the text of a model that shows a
    fault whatever it is asked; the others answer from the manual. `reasons` is true for a model that thinks
    aloud.
    """

    pacing: tuple[float, float]
    fixed: str = ""
    reasons: bool = False


MANNERS = {
    "demo/terse": Manner((72, 0.25)),
    "demo/thorough": Manner((58, 0.5), reasons=True),
    "demo/sceptic": Manner((42, 0.4), reasons=True),
    "demo/coder": Manner((64, 0.35)),
    "demo/fail": Manner((60, 0.3)),
    "demo/slow": Manner((3, 8.0), _SLOW),
    "demo/hang": Manner((60, 0.3), _HANG),
    "demo/burst": Manner((1e9, 0.0), _BURST),
}
MODELS: tuple[str, ...] = tuple(MANNERS)


def manner_of(agent: Agent) -> Manner:
    """The manner of the agent's model. Raises ModelError for a model that is not simulated here."""
    if agent.model not in MANNERS:
        raise ModelError("not_found", f'there is no "{agent.model}"; the demo models are {", ".join(MODELS)}')
    return MANNERS[agent.model]
