"""The result of a layer whose calls have ended: the references it passes on, and notes about them.

Pure functions of the replies, one for each task; nothing here asks a model.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from moa_tui.engine.checklist import sorted_points
from moa_tui.engine.layer import WRITING_TASKS
from moa_tui.engine.parsing import (
    parse_closing,
    parse_judgement,
    parse_points,
    parse_ranking,
    parse_selection,
)
from moa_tui.engine.selection import (
    agreeing,
    differ,
    majority,
    medoid,
    most_diverse,
    outliers,
    repetition,
    short_answers,
    similarities,
)
from moa_tui.engine.tasks import Reference, arranged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from moa_tui.engine.layer import Layer, Task
    from moa_tui.engine.parsing import Closing
    from moa_tui.engine.values import CallId, Reply

# The beginning of the note on a reply that no later agent is shown.
NOT_PASSED_ON = "not passed on"


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


def pass_on(layer: FinishedLayer) -> LayerResult:
    """The result of a layer, computed according to its task."""
    result = _answers(layer) if layer.task in WRITING_TASKS else _BY_TASK[layer.task](layer)
    if cut := [call for call in result.used if layer.usable[call].status != "done"]:
        names = ", ".join(f"{call} {layer.usable[call].agent}" for call in cut)
        result.notes.append(f"layer {layer.number}: used as far as it came: {names}")
    return result


def is_readable(task: Task, reply: Reply, shown: int) -> bool:
    """True where the task reads the reply of one agent, which was shown `shown` references, even if cut.

    Never true for a task whose replies are passed on as they are.
    """
    match task:
        case "rank":
            return parse_ranking(reply.text, shown, is_cut=_is_cut(reply)) is not None
        case "moderate":
            return parse_selection(reply.text, shown) is not None
        case "judge":
            return parse_judgement(reply.text) is not None
        case "checklist":
            return parse_points(reply.text, is_cut=_is_cut(reply)) is not None
        case _:
            return False


def _is_cut(reply: Reply) -> bool:
    return reply.status != "done"


def share_of(
    call: CallId, layer: Layer, seats: int, prompt: str, references: Sequence[Reference]
) -> tuple[list[Reference], int]:
    """The references that one agent of a layer reads, and the number of those that dropped out.

    `seats` is the number of agents in the layer, which share the references where the layer has `split`.
    Every agent reads a checklist, since it binds all of them.
    """
    seen = [reference for reference in references if reference.kind != "checklist"]
    if layer.split and seen:
        at = call.index - 1  # The place of the agent in its layer.
        share = seen[at * len(seen) // seats : (at + 1) * len(seen) // seats]
        seen = share or [seen[at % len(seen)]]
    dropped = 0
    if layer.dropout and seen:
        kept_count = max(1, len(seen) - round(layer.dropout * len(seen)))
        places = random.Random(f"dropout {call}:{prompt}").sample(range(len(seen)), kept_count)
        dropped = len(seen) - kept_count
        seen = [seen[place] for place in sorted(places)]
    return [*seen, *(reference for reference in references if reference.kind == "checklist")], dropped


def answers_among(references: Sequence[Reference]) -> list[Reference]:
    """The references that are answers, without critiques, comparisons and checklists."""
    return [reference for reference in references if reference.kind == "answer"]


def _answers(finished: FinishedLayer) -> LayerResult:
    number, layer = finished.number, finished.layer
    references = [
        Reference(reply.agent, answer_text(layer, reply.text), call=call)
        for call, reply in finished.usable.items()
    ]
    if layer.window is not None:
        references = references[-1:]  # Each piece's answer holds what the ones before it had.
    result = LayerResult(references, list(finished.usable))
    if len(result.used) < finished.asked and layer.window is None:
        result.notes.append(f"layer {number}: {len(result.used)} of {finished.asked} used")
    if not references:
        return result
    if layer.drop_outliers:
        _drop_outliers(finished, result)
    texts = [reference.text for reference in result.references]
    is_contradicted = layer.enough is not None and _elect_the_agreed(finished, result)
    if layer.confident is not None and result.elected is None and not is_contradicted:
        _elect_the_surest(finished, result)
    if result.elected is not None:
        return result  # Nothing is passed on.
    if (
        layer.early_stop is not None
        and (repeated := repetition(texts, finished.earlier_answers)) >= layer.early_stop
    ):
        result.skip_reason = (
            f"layer {number}: its answers repeat those before ({repeated:.2f}, early_stop at "
            f"{layer.early_stop:g})"
        )
    if layer.top_k is not None and layer.top_k < len(texts):
        places = most_diverse(texts, layer.top_k)
        diverse = [result.references[place] for place in places]
        _keep_only(result, diverse, f"layer {number}: top_k {layer.top_k}")
    return result


def answer_text(layer: Layer, text: str) -> str:
    """The answer in the text of a reply, which is the text without the closing lines its layer asks for."""
    return parse_closing(text, layer.closing_lines).answer


def _elect_the_agreed(finished: FinishedLayer, result: LayerResult) -> bool:
    """Elect the short answer that the layer's share `enough` of its answers give; True where they contradict.

    An answer without a short form agrees with nobody, and contradicts nobody.
    """
    number, enough, texts = finished.number, finished.layer.enough or 1.0, _texts(result)
    shorts = short_answers(texts, _stated(finished, result))
    agreed = agreeing(shorts)
    if agreed and len(agreed) >= enough * len(texts):
        chosen = agreed[medoid([texts[place] for place in agreed])]
        why = f'layer {number}: {len(agreed)} of {len(texts)} give the same in short, "{shorts[chosen]}"'
        result.elected = (result.references[chosen], f"{why} (enough at {enough:.0%})")
        return False
    is_contradicted = differ(shorts)
    if len(texts) > 1:
        how = "give different answers in short" if is_contradicted else "do not all give an answer in short"
        result.notes.append(f"layer {number}: its answers {how}; others are asked")
    return is_contradicted


def _texts(result: LayerResult) -> list[str]:
    return [reference.text for reference in result.references]


def _stated(finished: FinishedLayer, result: LayerResult) -> list[str | None]:
    """What each answer of the layer states in short, None where it states nothing."""
    return [
        None if reference.call is None else finished.closing(reference.call).short
        for reference in result.references
    ]


def _elect_the_surest(finished: FinishedLayer, result: LayerResult) -> None:
    """Elect the answer with the highest stated confidence where that reaches the layer's `confident`."""
    needed = finished.layer.confident or 1.0
    confidences: dict[CallId | None, float] = {
        reference.call: confidence
        for reference in result.references
        if reference.call is not None
        and (confidence := finished.closing(reference.call).confidence) is not None
    }
    if silent := [reference for reference in result.references if reference.call not in confidences]:
        names = ", ".join(map(_named, silent))
        result.notes.append(f"layer {finished.number}: no readable confidence from {names}")
    surest = max(result.references, key=lambda reference: confidences.get(reference.call, -1.0))
    confidence = confidences.get(surest.call, 0.0)
    if confidence >= needed:
        numbers = f"{confidence:.0%}, confident at {needed:.0%}"
        result.elected = (surest, f"layer {finished.number}: sure of it by its own word ({numbers})")
    elif confidences:
        result.notes.append(
            f"layer {finished.number}: the surest says {confidence:.0%}, not {needed:.0%}; the run goes on"
        )


def _drop_outliers(finished: FinishedLayer, result: LayerResult) -> None:
    """Leave the answers that stand apart from the majority out of `result`."""
    if len(result.references) < 3:
        count = len(result.references)
        few = "one answer has" if count == 1 else f"{count} answers have"
        result.notes.append(f"layer {finished.number}: outliers not looked for, {few} no majority")
        return
    apart = outliers(_texts(result), _stated(finished, result))
    if apart is None:
        result.notes.append(
            f"layer {finished.number}: no answer is left out, since no majority gives the same in short"
        )
        return
    if apart:
        majority_view = [reference for place, reference in enumerate(result.references) if place not in apart]
        _keep_only(result, majority_view, f"layer {finished.number}: stands apart from the majority")


def _keep_only(result: LayerResult, references: list[Reference], why: str) -> None:
    """Pass on `references` alone, and note the others as left out with the reason `why`."""
    left_out = [reference for reference in result.references if reference not in references]
    if left_out:
        result.notes.append(f"{why}: left out {', '.join(map(_named, left_out))}")
        result.left_out |= _reasons(left_out, f"{NOT_PASSED_ON}: {why}")
    result.references = references
    result.used = [call for call in result.used if call not in {reference.call for reference in left_out}]


def _reasons(left_out: Sequence[Reference], why: str) -> dict[CallId, str]:
    return {reference.call: why for reference in left_out if reference.call is not None}


def _critiques(finished: FinishedLayer) -> LayerResult:
    result = LayerResult([], list(finished.usable))
    result.references = [
        Reference(reply.agent, reply.text, "critique", call) for call, reply in finished.usable.items()
    ]
    if len(result.used) < finished.asked:
        count = f"{len(result.used)} of {finished.asked} critiques came"
        result.notes.append(f"layer {finished.number}: {count}; the run went on without")
    return result


def _judgement(finished: FinishedLayer) -> LayerResult:
    for call, reply in finished.usable.items():
        if (findings := parse_judgement(reply.text)) is not None:
            lines = [
                "\n".join([f"{key.replace('_', ' ')}:", *(f"- {text}" for text in texts)])
                for key, texts in findings.items()
                if texts
            ]
            text = "\n\n".join(lines) or "no finding"
            return LayerResult([Reference(reply.agent, text, "comparison", call)], [call])
    why = finished.why_unread("its reply is not the JSON asked for")
    note = f"layer {finished.number}: nothing of the judge is used ({why}), so {finished.what_follows}"
    return LayerResult([], [], [note])


def _checklist(finished: FinishedLayer) -> LayerResult:
    for call, reply in finished.usable.items():
        if (points := parse_points(reply.text, is_cut=_is_cut(reply))) is not None:
            return LayerResult([Reference(reply.agent, sorted_points(points), "checklist", call)], [call])
    why = finished.why_unread("its reply holds no task list")
    note = f"layer {finished.number}: nothing of the checklist is used ({why}), so {finished.what_follows}"
    return LayerResult([], [], [note])


def _ranking(finished: FinishedLayer) -> LayerResult:
    answers = answers_among(finished.read)
    orders: dict[CallId, _Order] = {}
    notes = []
    for call, reply in finished.usable.items():
        shown = arranged(call, finished.layer, finished.prompt, finished.shown[call])
        numbers = parse_ranking(reply.text, len(shown), is_cut=_is_cut(reply))
        ranked = [] if numbers is None else answers_among([shown[number - 1] for number in numbers])
        if numbers is None:
            notes.append(f"{call} {reply.agent}: its ranking is unreadable and does not count")
        elif not ranked:
            notes.append(f"{call} {reply.agent}: its ranking names no answer and does not count")
        else:
            orders[call] = _Order(ranked, answers_among(shown))
    if len(finished.usable) < finished.asked:
        notes.append(f"layer {finished.number}: {len(orders)} of {finished.asked} rankings can be used")
    result = LayerResult([], list(orders), notes)
    if orders:
        return _selected(finished, _by_mean_rank(answers, list(orders.values())), result)
    if finished.next_task is not None:
        return _unselected(finished, "no ranking to go by", result)
    place, why = _most_typical(answers)
    notes.append(f"layer {finished.number}: no ranking to go by; taken is {why}")
    best = answers[place]
    return _selected(finished, [best, *(answer for answer in answers if answer is not best)], result)


class _Order(NamedTuple):
    """The answers that an agent ranked, best first, and all those that it was shown."""

    ranked: Sequence[Reference]
    shown: Sequence[Reference]

    def place(self, answer: Reference) -> float:
        """The place of an answer that was shown, from 1; those that are not named share what is left."""
        if answer in self.ranked:
            return self.ranked.index(answer) + 1.0
        return (len(self.ranked) + 1 + len(self.shown)) / 2


def _by_mean_rank(answers: Sequence[Reference], orders: Sequence[_Order]) -> list[Reference]:
    """The answers by their mean place over `orders`, best first; those that nobody was shown come last.

    Where several agents ranked, each answer carries its mean place as `rank`.
    """
    means = []
    for answer in answers:
        places = [order.place(answer) for order in orders if answer in order.shown]
        means.append(sum(places) / len(places) if places else math.inf)
    by_mean = sorted(zip(means, answers, strict=True), key=lambda pair: pair[0])
    return [
        replace(answer, rank=round(mean, 2)) if len(orders) > 1 and mean < math.inf else answer
        for mean, answer in by_mean
    ]


def _moderation(finished: FinishedLayer) -> LayerResult:
    result = LayerResult([], list(finished.usable))
    unreadable = ""
    for call, reply in finished.usable.items():
        shown = arranged(call, finished.layer, finished.prompt, finished.shown[call])
        chosen = parse_selection(reply.text, len(shown))
        unreadable = "its reply is not the JSON asked for" if chosen is None else "it keeps no answer"
        if chosen is not None and (selected := answers_among([shown[number - 1] for number in chosen.keep])):
            if chosen.enough:
                result.skip_reason = f"{call} {reply.agent}: says that the answers are enough"
            return _selected(finished, selected, result)
    result.used = []
    why = finished.why_unread(unreadable)
    return _unselected(finished, f"nothing of the moderator is used ({why})", result)


def _unselected(finished: FinishedLayer, why: str, result: LayerResult) -> LayerResult:
    """`result` where nobody chose: with all answers, or with the `top_k` that differ most."""
    answers = answers_among(finished.read)
    top_k = finished.layer.top_k
    if top_k is None or top_k >= len(answers):
        what = "the only answer goes on" if len(answers) == 1 else f"all {len(answers)} answers go on"
        result.notes.append(f"layer {finished.number}: {why}, so {what}")
        return _selected(finished, answers, result)
    places = most_diverse([answer.text for answer in answers], top_k)
    what = "the answer most like the others goes on" if top_k == 1 else f"the {top_k} that differ most go on"
    result.notes.append(f"layer {finished.number}: {why}, so {what}")
    return _selected(finished, [answers[place] for place in places], result)


def _selected(finished: FinishedLayer, ranked: Sequence[Reference], result: LayerResult) -> LayerResult:
    """`result` with the first `top_k` of `ranked`, and behind them the references that are not answers.

    A note names the answers that are left out.
    """
    selected = ranked[: finished.layer.top_k]
    calls = {reference.call for reference in selected}
    left_out = [reference for reference in answers_among(finished.read) if reference.call not in calls]
    if left_out:
        result.notes.append(f"layer {finished.number}: left out {', '.join(map(_named, left_out))}")
        why = f"{NOT_PASSED_ON}: not among those layer {finished.number} chose"
        result.left_out |= _reasons(left_out, why)
    result.references = [*selected, *(reference for reference in finished.read if reference.kind != "answer")]
    return result


def _vote(finished: FinishedLayer) -> LayerResult:
    answers = answers_among(finished.read)
    texts = [reference.text for reference in answers]
    place = majority(texts)
    why = "with the short answer given most often"
    if place is None:
        place, why = _most_typical(answers)
    return LayerResult([answers[place]], [], [f"elected: {_named(answers[place])}, {why}"])


def _most_typical(answers: Sequence[Reference]) -> tuple[int, str]:
    """The place of the answer that is most like the others, and what it is in words; of equals, the first."""
    if len(answers) == 1:
        return 0, "the only answer"
    texts = [answer.text for answer in answers]
    sums = [sum(row) for row in similarities(texts)]
    place = medoid(texts)
    ties = sum(math.isclose(each, sums[place]) for each in sums)
    if ties == len(answers):
        return place, "the first, since none is most like the others"
    return (
        place,
        "the answer most like the others" if ties == 1 else "the first of those most like the others",
    )


def _named(reference: Reference) -> str:
    """The call and agent of a reference, as notes name them."""
    return reference.agent if reference.call is None else f"{reference.call} {reference.agent}"


_BY_TASK: Mapping[Task, Callable[[FinishedLayer], LayerResult]] = {
    "critique": _critiques,
    "judge": _judgement,
    "checklist": _checklist,
    "rank": _ranking,
    "moderate": _moderation,
    "vote": _vote,
}
