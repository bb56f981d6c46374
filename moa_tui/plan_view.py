"""A plan as a person or a script reads it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from moa_tui.engine.plan import ASSUMED_ANSWER_TOKENS
from moa_tui.wording import counted, money

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moa_tui.engine.plan import Plan
    from moa_tui.engine.recipe import Recipe


def plan_lines(recipe: Recipe, plan: Plan, missing: Mapping[str, list[str]]) -> str:
    """The calls layer by layer with context and price, then what is missing."""
    lines = [f"{recipe.name}: {counted(len(plan.layers), 'layer')}, {counted(len(plan.calls), 'call')}"]
    name_width = max(len(call.agent.name) for call in plan.calls)
    model_width = max(len(call.agent.model) for call in plan.calls)
    for layer in plan.layers:
        lines.append(f"layer {layer.number}: {layer.task}, {counted(len(layer.calls), 'call')}")
        for call in layer.calls:
            window = call.facts.context_tokens
            context = f"of {window:,}" if window else "of unknown"
            lines.append(
                f"  {call.agent.name:<{name_width}}  {call.agent.model:<{model_width}}"
                f"  {call.usage.prompt_tokens:>7,} {context:<12} in  {call.usage.completion_tokens:>6,} out"
                f"  {money(call.cost)}"
            )
    if plan.cost is not None:
        open_ended = any(call.agent.max_tokens is None for call in plan.calls)
        taken = f", taking {ASSUMED_ANSWER_TOKENS:,} tokens for an answer without max_tokens"
        lines.append(
            f"{'' if open_ended else 'at most '}about {money(plan.cost)}{taken if open_ended else ''}"
        )
    else:
        lines.append(f"price unknown; the calls with a known price come to at most {money(plan.known_cost)}")
    lines += [f"{variable} is not set; needed by {', '.join(models)}" for variable, models in missing.items()]
    return "\n".join(lines)


def plan_document(recipe: Recipe, plan: Plan) -> str:
    """The same as one JSON document."""
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
                    "cost": call.cost,
                }
                for index, call in enumerate(layer.calls, 1)
            ],
        }
        for layer in plan.layers
    ]
    return json.dumps({"schema": 1, "recipe": recipe.name, "layers": layers, "cost": plan.cost})
