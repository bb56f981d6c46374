"""The answers that a layer of judges, a moderator or a vote chooses among those it reads. Pure."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from moa_tui.engine.finished_layer import (
    NOT_PASSED_ON,
    LayerResult,
    answers_among,
    is_cut,
    named,
    reasons_by_call,
)
from moa_tui.engine.parsing import parse_ranking, parse_selection
from moa_tui.engine.selection import majority, medoid, most_diverse, similarities
from moa_tui.engine.tasks import Reference, arranged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.engine.finished_layer import FinishedLayer
    from moa_tui.engine.values import CallId


def ranking(finished: FinishedLayer) -> LayerResult:
    """The answers in the order of their mean rank; where no ranking can be read, the most typical first."""
    answers = answers_among(finished.read)
    orders: dict[CallId, _Order] = {}
    notes = []
    for call, reply in finished.usable.items():
        shown = arranged(call, finished.layer, finished.prompt, finished.shown[call])
        numbers = parse_ranking(reply.text, len(shown), is_cut=is_cut(reply))
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


def moderation(finished: FinishedLayer) -> LayerResult:
    """The answers that the moderator keeps, and its word on whether they are enough."""
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
        result.notes.append(f"layer {finished.number}: left out {', '.join(map(named, left_out))}")
        why = f"{NOT_PASSED_ON}: not among those layer {finished.number} chose"
        result.left_out |= reasons_by_call(left_out, why)
    result.references = [*selected, *(reference for reference in finished.read if reference.kind != "answer")]
    return result


def vote(finished: FinishedLayer) -> LayerResult:
    """The one answer that is given most often in short, else the most typical."""
    answers = answers_among(finished.read)
    texts = [reference.text for reference in answers]
    place = majority(texts)
    why = "with the short answer given most often"
    if place is None:
        place, why = _most_typical(answers)
    return LayerResult([answers[place]], [], [f"elected: {named(answers[place])}, {why}"])


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
