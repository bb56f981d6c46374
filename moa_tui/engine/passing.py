"""What a layer makes of its replies: the references it passes on, and what is said of that. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from moa_tui.engine.checklist import sorted_points
from moa_tui.engine.parsing import (
    parse_closing,
    parse_judgement,
    parse_points,
    parse_ranking,
    parse_selection,
)
from moa_tui.engine.recipe import WRITING_TASKS
from moa_tui.engine.selection import agreement, likeness, majority, medoid, most_diverse, outliers
from moa_tui.engine.tasks import Reference, arranged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from moa_tui.engine.events import CallId, Reply
    from moa_tui.engine.parsing import Closing
    from moa_tui.engine.recipe import Layer, Task

# How the note of a reply begins that no later agent is shown.
NOT_PASSED_ON = "not passed on"


@dataclass(frozen=True, slots=True)
class Finished:
    """A layer whose calls are over: what it read as a whole, what each call was shown, what was usable."""

    number: int
    layer: Layer
    task: Task
    prompt: str
    read: Sequence[Reference]
    shown: Mapping[CallId, Sequence[Reference]]
    usable: Mapping[CallId, Reply]
    asked: int
    written_before: Sequence[str] = ()
    """The answers of the layer that ran before."""

    def closing(self, call: CallId) -> Closing:
        """What stands behind the answer of a call."""
        return parse_closing(self.usable[call].text, self.layer.closing_lines)


@dataclass(slots=True)
class Passed:
    """What a layer passes on.

    `used` are its calls that counted. `skips` says why the run goes on with its last layer, `elected` which
    answer ends it here, and why.
    """

    references: list[Reference]
    used: list[CallId]
    notes: list[str] = field(default_factory=list)
    gone: dict[CallId, str] = field(default_factory=dict)
    """The answers that are not passed on, each with the reason."""
    skips: str | None = None
    elected: tuple[Reference, str] | None = None


def pass_on(layer: Finished) -> Passed:
    """What the layer passes on, by its task."""
    if layer.task in WRITING_TASKS:
        return _answers(layer)
    return _BY_TASK[layer.task](layer)


def share_of(
    call: CallId, layer: Layer, seats: int, prompt: str, references: Sequence[Reference]
) -> tuple[list[Reference], int]:
    """The references one agent of a layer reads, its share where they are split; and how many dropped out.

    A checklist binds everybody who reads it, so everybody sees it.
    """
    seen = [reference for reference in references if reference.kind != "checklist"]
    if layer.split and seen:
        at = call.index - 1
        own = seen[at * len(seen) // seats : (at + 1) * len(seen) // seats]
        seen = own or [seen[at % len(seen)]]
    dropped = 0
    if layer.dropout and seen:
        stays = max(1, len(seen) - round(layer.dropout * len(seen)))
        places = random.Random(f"dropout {call}:{prompt}").sample(range(len(seen)), stays)
        dropped = len(seen) - stays
        seen = [seen[place] for place in sorted(places)]
    return [*seen, *(reference for reference in references if reference.kind == "checklist")], dropped


def answers_among(references: Sequence[Reference]) -> list[Reference]:
    """Those that are answers, not what is said of them."""
    return [reference for reference in references if reference.kind == "answer"]


def _answers(this: Finished) -> Passed:
    number, layer = this.number, this.layer
    references = [
        Reference(reply.agent, answer_text(layer, reply.text), call=call)
        for call, reply in this.usable.items()
    ]
    if layer.window is not None:
        references = references[-1:]  # Each piece's answer holds what the ones before it had.
    passed = Passed(references, list(this.usable))
    if len(passed.used) < this.asked and layer.window is None:
        passed.notes.append(f"layer {number}: {len(passed.used)} of {this.asked} used")
    if not references:
        return passed
    if layer.drop_outliers:
        _drop_outliers(this, passed)
    texts = [reference.text for reference in passed.references]
    if layer.enough is not None and len(texts) > 1 and (alike := agreement(texts)) >= layer.enough:
        why = f"layer {number}: its answers agree ({alike:.2f}, enough at {layer.enough:g})"
        passed.elected = (passed.references[medoid(texts)], why)
    if layer.confident is not None and passed.elected is None:
        _elect_the_surest(this, passed)
    if layer.early_stop is not None and (alike := likeness(texts, this.written_before)) >= layer.early_stop:
        passed.skips = (
            f"layer {number}: its answers are like those before ({alike:.2f}, early_stop at "
            f"{layer.early_stop:g})"
        )
    if layer.top_k is not None and layer.top_k < len(texts):
        places = most_diverse(texts, layer.top_k)
        _keep(passed, [passed.references[place] for place in places], f"layer {number}: top_k {layer.top_k}")
    return passed


def answer_text(layer: Layer, text: str) -> str:
    """What of a reply is the answer: all but the closing lines that its layer asks for."""
    return parse_closing(text, layer.closing_lines).answer


def _elect_the_surest(this: Finished, passed: Passed) -> None:
    """Let the run end with the answer that is surest by its own word, where that is as sure as is wanted."""
    wanted = this.layer.confident or 1.0
    sure: dict[CallId | None, float] = {
        reference.call: said
        for reference in passed.references
        if reference.call is not None and (said := this.closing(reference.call).confidence) is not None
    }
    if silent := [reference for reference in passed.references if reference.call not in sure]:
        names = ", ".join(_named(one) for one in silent)
        passed.notes.append(f"layer {this.number}: no readable confidence from {names}")
    surest = max(passed.references, key=lambda one: sure.get(one.call, -1.0))
    said = sure.get(surest.call, 0.0)
    if said >= wanted:
        why = f"layer {this.number}: sure of it by its own word ({said:.0%}, confident at {wanted:.0%})"
        passed.elected = (surest, why)
    elif sure:
        passed.notes.append(
            f"layer {this.number}: the surest says {said:.0%}, not {wanted:.0%}; others are asked"
        )


def _drop_outliers(this: Finished, passed: Passed) -> None:
    if len(passed.references) < 3:
        passed.notes.append(
            f"layer {this.number}: outliers not looked for, {len(passed.references)} answers have no majority"
        )
        return
    shorts = [
        None if reference.call is None else this.closing(reference.call).short
        for reference in passed.references
    ]
    apart = outliers([reference.text for reference in passed.references], shorts)
    if apart is None:
        passed.notes.append(
            f"layer {this.number}: no answer is left out, since no majority gives the same in short"
        )
        return
    kept = [reference for place, reference in enumerate(passed.references) if place not in apart]
    if apart:
        _keep(passed, kept, f"layer {this.number}: stands apart from the majority")


def _keep(passed: Passed, kept: list[Reference], why: str) -> None:
    gone = [reference for reference in passed.references if reference not in kept]
    if gone:
        passed.notes.append(f"{why}: left out {', '.join(_named(reference) for reference in gone)}")
        passed.gone |= {one.call: f"{NOT_PASSED_ON}: {why}" for one in gone if one.call is not None}
    passed.references = kept
    passed.used = [call for call in passed.used if call not in {reference.call for reference in gone}]


def _critiques(this: Finished) -> Passed:
    passed = Passed([], list(this.usable))
    passed.references = [
        Reference(reply.agent, reply.text, "critique", call) for call, reply in this.usable.items()
    ]
    if len(passed.used) < this.asked:
        passed.notes.append(
            f"layer {this.number}: {len(passed.used)} of {this.asked} critiques came; the run went on without"
        )
    return passed


def _judgement(this: Finished) -> Passed:
    for call, reply in this.usable.items():
        if (findings := parse_judgement(reply.text)) is not None:
            lines = [
                "\n".join([f"{key.replace('_', ' ')}:", *(f"- {text}" for text in texts)])
                for key, texts in findings.items()
                if texts
            ]
            text = "\n\n".join(lines) or "no finding"
            return Passed([Reference(reply.agent, text, "comparison", call)], [call])
    why = "its reply is not the JSON asked for" if this.usable else "it gave no reply"
    note = f"layer {this.number}: nothing of the judge is used ({why}), so what follows is a plain synthesis"
    return Passed([], [], [note])


def _checklist(this: Finished) -> Passed:
    for call, reply in this.usable.items():
        if (points := parse_points(reply.text)) is not None:
            return Passed([Reference(reply.agent, sorted_points(points), "checklist", call)], [call])
    why = "its reply holds no task list" if this.usable else "there is none"
    note = (
        f"layer {this.number}: nothing of the checklist is used ({why}), so what follows is a plain synthesis"
    )
    return Passed([], [], [note])


def _ranking(this: Finished) -> Passed:
    answers = answers_among(this.read)
    orders: dict[CallId, list[Reference]] = {}
    notes = []
    for call, reply in this.usable.items():
        shown = arranged(call, this.layer, this.prompt, this.shown[call])
        numbers = parse_ranking(reply.text, len(shown))
        if numbers is None:
            notes.append(f"{call} {reply.agent}: its ranking is unreadable and does not count")
        else:
            orders[call] = answers_among([shown[number - 1] for number in numbers])
    if len(this.usable) < this.asked:
        notes.append(f"layer {this.number}: {len(this.usable)} of {this.asked} rankings came")
    if not any(orders.values()):
        best = answers[medoid([reference.text for reference in answers])]
        notes.append(f"layer {this.number}: no ranking to go by; taken is the answer most like the others")
        ranked = [best, *(reference for reference in answers if reference is not best)]
    else:
        ranked = _by_mean_rank(answers, list(orders.values()))
    return _selected(this, ranked, Passed([], list(orders), notes))


def _by_mean_rank(answers: Sequence[Reference], orders: Sequence[Sequence[Reference]]) -> list[Reference]:
    """The answers by their mean place, noted where several ranked; those not named share the places left."""
    means = []
    for answer in answers:
        places = [
            order.index(answer) + 1.0 if answer in order else (len(order) + 1 + len(answers)) / 2
            for order in orders
        ]
        means.append(sum(places) / len(places))
    by_mean = sorted(zip(means, answers, strict=True), key=lambda pair: pair[0])
    return [replace(answer, rank=round(mean, 2)) if len(orders) > 1 else answer for mean, answer in by_mean]


def _moderation(this: Finished) -> Passed:
    passed = Passed([], list(this.usable))
    for call, reply in this.usable.items():
        shown = arranged(call, this.layer, this.prompt, this.shown[call])
        chosen = parse_selection(reply.text, len(shown))
        if chosen is not None and (kept := answers_among([shown[number - 1] for number in chosen.keep])):
            if chosen.enough:
                passed.skips = f"{call} {reply.agent}: says that the answers are enough"
            return _selected(this, kept, passed)
    why = "the moderator's reply is not the JSON asked for" if this.usable else "the moderator gave no reply"
    passed.used = []
    passed.notes.append(f"layer {this.number}: {why}, so every answer goes on")
    return _selected(this, answers_among(this.read), passed)


def _selected(this: Finished, ranked: Sequence[Reference], passed: Passed) -> Passed:
    """`ranked` cut to top_k, with what is no answer behind it; says who is left out."""
    kept = list(ranked[: this.layer.top_k])
    calls = {reference.call for reference in kept}
    gone = [reference for reference in answers_among(this.read) if reference.call not in calls]
    if gone:
        passed.notes.append(f"layer {this.number}: left out {', '.join(_named(one) for one in gone)}")
        why = f"{NOT_PASSED_ON}: not among those layer {this.number} chose"
        passed.gone |= {one.call: why for one in gone if one.call is not None}
    passed.references = [*kept, *(reference for reference in this.read if reference.kind != "answer")]
    return passed


def _vote(this: Finished) -> Passed:
    answers = answers_among(this.read)
    texts = [reference.text for reference in answers]
    place = majority(texts)
    if place is None:
        place = medoid(texts)
        note = f"elected: {_named(answers[place])}, the answer most like the others"
    else:
        note = f"elected: {_named(answers[place])}, with the answer that most give"
    return Passed([answers[place]], [], [note])


def _named(reference: Reference) -> str:
    return reference.agent if reference.call is None else f"{reference.call} {reference.agent}"


_BY_TASK: Mapping[Task, Callable[[Finished], Passed]] = {
    "critique": _critiques,
    "judge": _judgement,
    "checklist": _checklist,
    "rank": _ranking,
    "moderate": _moderation,
    "vote": _vote,
}
