"""A layer whose calls have ended, and what it passes on, as values that the results of layers are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import shorten
from typing import TYPE_CHECKING

from moa_tui.engine.parsing import parse_closing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moa_tui.engine.layer import Layer, Task
    from moa_tui.engine.parsing import Closing
    from moa_tui.engine.tasks import Reference
    from moa_tui.engine.values import CallId, Reply

# The beginning of the note on a reply that no later agent is shown.
NOT_PASSED_ON = "not passed on"
# Of the answers that are not used: so many are named, each with so many characters of the reason.
_MOST_REASONS, _LONGEST_REASON = 3, 60


@dataclass(frozen=True, slots=True)
class FinishedLayer:
    """A layer whose calls have ended, with all that its result is computed from."""

    number: int
    layer: Layer
    task: Task
    prompt: str
    """The user's prompt, from which the order of the shown references was drawn."""
    read: Sequence[Reference]
    """The references that the layer reads as a whole."""
    shown: Mapping[CallId, Sequence[Reference]]
    """The references among them that each call was shown."""
    usable: Mapping[CallId, Reply]
    """The replies whose text may be passed on, in the order of their calls."""
    asked: int
    """The number of agents in the layer."""
    earlier_answers: Sequence[str] = ()
    """The answers passed on by the newest earlier layer that passed any on."""
    ended: Mapping[CallId, Reply] = field(default_factory=dict)
    """All replies of the layer, those that are not usable among them."""
    next_task: Task | None = None
    """The task of the layer behind this one; None where there is none."""

    def closing(self, call: CallId) -> Closing:
        """The closing lines of a call's reply, parsed. Raises KeyError for a call that is not usable."""
        return parse_closing(self.usable[call].text, self.layer.closing_lines)

    def why_unread(self, unreadable: str) -> str:
        """Why nothing of the layer's one reply is used: it is `unreadable`, or not usable at all."""
        if self.usable:
            return unreadable
        ends = {
            "partial": "its reply was cut off",
            "stopped": "it was stopped",
            "excluded": "it was left out",
        }
        return next(
            (ends.get(reply.status, "it failed") for reply in self.ended.values()), "it gave no reply"
        )

    @property
    def why_not_used(self) -> str:
        """The answers that failed or were cut off, each with the beginning of the reason; some by name."""
        reasons = [
            f"{call} {reply.agent} ({shorten(reply.error.message, _LONGEST_REASON, placeholder='…')})"
            for call, reply in sorted(self.ended.items())
            if reply.error is not None and call not in self.usable
        ]
        if (more := len(reasons) - _MOST_REASONS) > 0:
            reasons[_MOST_REASONS:] = [f"{more} more"]
        return ", ".join(reasons)

    @property
    def what_follows(self) -> str:
        """What the run goes on with where nothing of this layer is used."""
        plain = {
            "synthesize": "what follows is a plain synthesis",
            "revise": "what follows is a plain revision",
        }
        return plain.get(self.next_task or "", "the run goes on without it")


@dataclass(slots=True)
class LayerResult:
    """What a layer passes on to the layers after it."""

    references: list[Reference]
    used: list[CallId]
    """The calls of the layer whose replies counted."""
    notes: list[str] = field(default_factory=list)
    left_out: dict[CallId, str] = field(default_factory=dict)
    """The answers that are not passed on, each with the reason."""
    skip_reason: str | None = None
    """Why the run skips to its last layer; None where it goes on with the next."""
    elected: tuple[Reference, str] | None = None
    """The answer that ends the run here, and why; None where the run goes on."""


def is_cut(reply: Reply) -> bool:
    """True for a reply that ended before its model was done."""
    return reply.status != "done"


def answers_among(references: Sequence[Reference]) -> list[Reference]:
    """The references that are answers, without critiques, comparisons and checklists."""
    return [reference for reference in references if reference.kind == "answer"]


def reasons_by_call(left_out: Sequence[Reference], why: str) -> dict[CallId, str]:
    """The reason `why` for each of the references that are replies of this run."""
    return {reference.call: why for reference in left_out if reference.call is not None}


def named(reference: Reference) -> str:
    """The call and agent of a reference, as notes name them."""
    return reference.agent if reference.call is None else f"{reference.call} {reference.agent}"
