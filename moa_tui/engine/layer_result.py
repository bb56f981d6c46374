"""The result of a layer whose calls have ended: the references it passes on, and notes about them.

Pure functions of the replies, one for each task; nothing here asks a model.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from moa_tui.engine.checklist import sorted_points
from moa_tui.engine.finished_layer import NOT_PASSED_ON, LayerResult, is_cut, named, reasons_by_call
from moa_tui.engine.layer import WRITING_TASKS
from moa_tui.engine.layer_choice import moderation, ranking, vote
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
    medoid,
    most_diverse,
    outliers,
    repetition,
    short_answers,
)
from moa_tui.engine.tasks import Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from moa_tui.engine.finished_layer import FinishedLayer
    from moa_tui.engine.layer import Layer, Task
    from moa_tui.engine.values import CallId, Reply


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
            return parse_ranking(reply.text, shown, is_cut=is_cut(reply)) is not None
        case "moderate":
            return parse_selection(reply.text, shown) is not None
        case "judge":
            return parse_judgement(reply.text) is not None
        case "checklist":
            return parse_points(reply.text, is_cut=is_cut(reply)) is not None
        case _:
            return False


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
    if reasons := finished.why_not_used:
        result.notes.append(f"layer {number}: not used: {reasons}")
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
        names = ", ".join(map(named, silent))
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
        result.notes.append(f"{why}: left out {', '.join(map(named, left_out))}")
        result.left_out |= reasons_by_call(left_out, f"{NOT_PASSED_ON}: {why}")
    result.references = references
    result.used = [call for call in result.used if call not in {reference.call for reference in left_out}]


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
        if (points := parse_points(reply.text, is_cut=is_cut(reply))) is not None:
            return LayerResult([Reference(reply.agent, sorted_points(points), "checklist", call)], [call])
    why = finished.why_unread("its reply holds no task list")
    note = f"layer {finished.number}: nothing of the checklist is used ({why}), so {finished.what_follows}"
    return LayerResult([], [], [note])


_BY_TASK: Mapping[Task, Callable[[FinishedLayer], LayerResult]] = {
    "critique": _critiques,
    "judge": _judgement,
    "checklist": _checklist,
    "rank": ranking,
    "moderate": moderation,
    "vote": vote,
}
