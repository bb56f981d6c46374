"""A plan of calls as lines for a terminal, as a JSON document and as a drawn graph."""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

from moa_tui.engine.plan import ASSUMED_ANSWER_TOKENS
from moa_tui.text.cells import cell_len, pad
from moa_tui.text.safe import safe_line, safe_row
from moa_tui.text.wording import counted, money, price, short_prompt_price

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moa_tui.engine.layer import Layer
    from moa_tui.engine.plan import Plan, PlannedCall
    from moa_tui.engine.recipe import Recipe

_WIDTH = 79
# More calls of a layer than this are not drawn one by one.
_MOST_DRAWN = 9
_THEN = " → "


def plan_lines(recipe: Recipe, plan: Plan, missing: Mapping[str, list[str]]) -> str:
    """The calls layer by layer with their context and price, then the keys that are missing."""
    lines = [f"{recipe.name}: {counted(len(plan.layers), 'layer')}, {counted(len(plan.calls), 'call')}"]
    name_width = max(cell_len(safe_line(call.agent.name)) for call in plan.calls)
    model_width = max(cell_len(safe_line(call.agent.model)) for call in plan.calls)
    for layer in plan.layers:
        lines.append(f"layer {layer.number}: {layer.task}, {counted(len(layer.calls), 'call')}")
        for call in layer.calls:
            window = call.facts.context_tokens
            context = f"of {window:,}" if window else "of unknown"
            lines.append(
                f"  {pad(safe_line(call.agent.name), name_width)}"
                f"  {pad(safe_line(call.agent.model), model_width)}"
                f"  {call.usage.prompt_tokens:>7,} {context:<12} in  {call.usage.completion_tokens:>6,} out"
                f"  {price(call.cost, is_local=call.facts.is_local)}{_thinking(call)}{_requests(call)}"
            )
    if plan.is_local:
        lines.append("local: these servers are on this machine and cost nothing")
    elif plan.cost is not None:
        is_open_ended = any(call.agent.max_tokens is None for call in plan.calls)
        bound = "" if is_open_ended else "at most "
        assumption = f", taking {ASSUMED_ANSWER_TOKENS:,} tokens for an answer without max_tokens"
        thinking = sum(call.facts.thinking_tokens * (call.facts.completion_price or 0) for call in plan.calls)
        share = f", {money(thinking)} of it for thinking up to its limits" if thinking else ""
        lines.append(f"{bound}about {money(plan.cost)}{share}{assumption if is_open_ended else ''}")
    else:
        lines.append(_unknown_price(plan))
    lines += plan.warnings
    lines += [f"{variable} is not set; needed by {', '.join(models)}" for variable, models in missing.items()]
    return "\n".join(map(safe_row, lines))


def _unknown_price(plan: Plan) -> str:
    """What is known of a price that is not, which may be nothing."""
    if all(call.cost is None for call in plan.calls):
        return "price unknown"
    return f"price unknown, the calls with a known price at most {money(plan.known_cost)}"


def _thinking(call: PlannedCall) -> str:
    """How much of what a call may write is room for thinking, and the effort that is asked for."""
    room, effort = call.facts.thinking_tokens, call.agent.reasoning_effort
    words = [f"{room:,} of it to think"] if room else []
    return "".join(f"  {word}" for word in [*words, *([f"effort {effort}"] if effort else [])])


def _requests(call: PlannedCall) -> str:
    """How often a call that begins early may be asked."""
    return f"  in up to {call.requests} requests" if call.requests > 1 else ""


def plan_document(recipe: Recipe, plan: Plan) -> str:
    """The calls of the plan as one JSON document."""
    layers = [
        {
            "task": layer.task,
            "calls": [
                {
                    "layer": layer.number,
                    "index": index,
                    "agent": call.agent.name,
                    "model": call.agent.model,
                    "context_tokens": call.facts.context_tokens,
                    "usage": asdict(call.usage),
                    "thinking_tokens": call.facts.thinking_tokens,
                    "reasoning_effort": call.agent.reasoning_effort,
                    "cost": call.cost,
                    "requests": call.requests,
                }
                for index, call in enumerate(layer.calls, 1)
            ],
        }
        for layer in plan.layers
    ]
    return json.dumps(
        {
            "schema": 1,
            "recipe": recipe.name,
            "layers": layers,
            "cost": plan.cost,
            "warnings": list(plan.warnings),
        }
    )


def graph_lines(recipe: Recipe, plan: Plan) -> str:
    """The call graph from the prompt to the answer, for 80 columns: which agents are asked and read whom."""
    drawn = [_dots(recipe, layer.number) for layer in plan.layers]
    indent = max(map(len, drawn)) + 3
    rows, previous_calls = ["the prompt"], 1
    for layer, dots in zip(plan.layers, drawn, strict=True):
        calls = 1 if _THEN in dots else dots.count("●")
        if calls:
            rows.append(_fan(previous_calls, calls))
            previous_calls = calls
        rows += textwrap.wrap(
            _about_layer(recipe, layer.number),
            _WIDTH,
            initial_indent=f"{dots:<{indent}}",
            subsequent_indent=" " * indent,
        )
    rows += [_fan(previous_calls, 1), "the answer"]
    if plan.cost is not None:
        cost = short_prompt_price(plan.cost, is_local=plan.is_local)
        cost = f"about {cost}" if plan.cost else cost
    else:
        cost = _unknown_price(plan)
    head = f"{recipe.name}: {counted(recipe.calls, 'call')} at most, depth {recipe.depth}, {cost}"
    wrapped = textwrap.wrap(" ".join(recipe.description.split()), _WIDTH)
    lines = [*textwrap.wrap(head, _WIDTH), *([""] if wrapped else []), *wrapped, "", *rows]
    return "\n".join(map(safe_row, lines))


def _dots(recipe: Recipe, number: int) -> str:
    """A layer's calls as dots, side by side or one after another."""
    calls = len(recipe.lineup[number - 1])
    dots = (_THEN if recipe.asks_in_turn(number) else "  ").join("●" * min(calls, _MOST_DRAWN))
    return dots + (" …" if calls > _MOST_DRAWN else "")


def _about_layer(recipe: Recipe, number: int) -> str:
    """A layer in words: its task, its agents, what they read and its options."""
    layer, task, agents = recipe.layers[number - 1], recipe.task(number), recipe.lineup[number - 1]
    bases = [re.sub(r" \d+$", "", agent.name) for agent in agents]
    times = Counter(bases)
    names = [base if times[base] > 1 else agent.name for base, agent in zip(bases, agents, strict=True)]
    who = ", ".join(name if times[name] < 2 else f"{times[name]} × {name}" for name in dict.fromkeys(names))
    words = [
        f"L{number} {task}, {counted(len(agents), 'call')}: {who}" if agents else f"L{number} vote, no call"
    ]
    if reads := recipe.read_layers(number, range(1, number)):
        most = recipe.most_read(number)
        of_layers = ", ".join(f"L{layer_number}" for layer_number in reads)
        words.append(f"reads {of_layers}, {counted(most, 'reference')}{' each' if len(agents) > 1 else ''}")
    elif number > 1:
        words.append("reads the prompt alone")
    notes = [
        (layer.split, "each its own share"),
        (layer.dropout, f"less {layer.dropout:.0%} drawn for each"),
        (
            layer.shuffle or task == "rank",
            "in an order of its own" if len(agents) == 1 else "each in an order of its own",
        ),
        (task == "checklist", "you tick what to keep"),
        (layer.stairs, _stairs_words(layer)),
        (layer.start, _start_words(layer)),
        (layer.window, "one after another, the best so far beside new ones"),
        (recipe.limits.one_model_at_a_time and len(agents) > 1, "one model at a time"),
        (layer.quorum, f"goes on after {layer.quorum}"),
        (layer.drop_outliers, "what stands apart is left out"),
        (layer.top_k, f"passes on {layer.top_k} at most"),
        (layer.enough, f"may end the run: {layer.enough or 0:.0%} of the answers are the same in short"),
        (layer.confident, f"may end the run: an answer is {layer.confident} sure by its own word"),
        (layer.early_stop, f"may go to the last layer: {layer.early_stop} repeated from the layer before"),
        (task == "moderate" and number + 1 < len(recipe.layers), "may go to the last layer"),
    ]
    return "; ".join([*words, *(note for given, note in notes if given)])


def _stairs_words(layer: Layer) -> str:
    """When a layer with `stairs` begins, in words; empty for any other."""
    if layer.stairs is None:
        return ""
    beginnings = counted(layer.stairs.wait, "beginning")
    return f"begins at {beginnings} of {layer.stairs.chunk} tokens, and writes on as they grow"


def _start_words(layer: Layer) -> str:
    """When a layer with `start` begins, in words; empty for any other."""
    if layer.start is None:
        return ""
    return f"begins at {counted(layer.start.with_, 'whole answer')}"


def _fan(above: int, below: int) -> str:
    """The lines between two rows of calls."""
    width = max(above, below)
    marks = {(True, True): "┼", (True, False): "┴", (False, True): "┬"}
    ends = {(True, True): "┤", (True, False): "┘", (False, True): "┐"}
    if width == 1:
        return "│"
    line = "├"
    for place in range(1, width):
        kinds = ends if place == width - 1 else marks
        line += "──" + kinds[place < above, place < below]
    return line
