"""What an agent asks of a model's thinking: how much room it gets beside the answer, and in which words.

Providers count what a model thinks against the same limit as its answer, so that a limit meant for the answer
alone can be used up before the answer begins.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from moa_tui.engine.agent import EFFORTS
from moa_tui.engine.plan import longest_answer
from moa_tui.gateway.catalog import bare_name

if TYPE_CHECKING:
    from moa_tui.engine.agent import Agent, Effort
    from moa_tui.gateway.catalog import ModelInfo

# Tokens of room by effort. They are a limit and cost nothing unless they are used. litellm makes of an effort
# a budget for some models, of 1,024 to 4,096 tokens, and Anthropic takes none that fills the whole limit.
_ROOM: dict[str | None, int] = {
    "none": 4_096,  # some models cannot be kept from thinking
    "minimal": 4_096,
    "low": 4_096,
    "medium": 8_192,
    "high": 16_384,
    None: 16_384,  # the model's own effort, which is high for some
}
# These set the whole limit of each request against what the account may use in a minute, 8,000 tokens on
# Groq's free plan, and refuse a request that could exceed it. So there is room only where it was asked for.
_RESERVING_PROVIDERS = {"groq", "cerebras"}
_RESERVED_ROOM = 2_048
# These are told each effort, so that a model asked for less thinks less. With others, litellm leaves the word
# out for some models, makes of each no more than that the model is to think (DeepSeek, Ollama, GLM), or takes
# the next that the model has, which may be high (Together's DeepSeek).
_GRADING_PROVIDERS = {
    *("openai", "azure", "anthropic", "gemini", "vertex_ai-language-models", "vertex_ai-anthropic_models"),
    *("groq", "cerebras", "openrouter", "fireworks_ai", "xai", "moonshot"),
}

# Models that think, by their names: of some the map says so for none of their providers.
_THINKS = re.compile(
    r"(?!.*(?:\bnon?-(?:reasoning|thinking)|\binstruct\b))"
    r".*(?:\bthinking\b|\breasoning\b|\br1\b|\bgpt-oss\b|qwq|magistral|minimax-m[2-9]|\bgrok-4\b"
    r"|\bqwen3-(?:latest|\d{1,3}b)\b)"
)
# Models of which the map does not say what they refuse, by their names.
_WITHOUT_OFF = re.compile(r"gpt-oss|o[134](?:-|$)|gemini-2-5-pro")
_WITHOUT_MINIMAL = re.compile(r"gpt-oss|o[134](?:-|$)")


def room_for_thinking(agent: Agent, info: ModelInfo, most_tokens: int | None) -> int:
    """The tokens by which a call's limit exceeds the agent's longest answer, so that its model can think.

    `most_tokens` is the size of a context window that answer and thinking may fill to a half at most; None
    where that is no concern.
    """
    budget = _stated_budget(agent)
    effort = None if agent.reasoning_effort is None else _taken(agent.reasoning_effort, info)
    is_asked_to_think = effort not in (None, "none") or "reasoning_effort" in agent.extra
    thinks = info.thinks or _THINKS.match(bare_name(info.name)) is not None
    if not (thinks or budget or (info.thinks is None and is_asked_to_think)):
        return 0
    is_reserved = info.provider in _RESERVING_PROVIDERS and effort not in ("medium", "high")
    # litellm leaves the effort out where the map does not say that the model thinks.
    is_graded = info.provider in _GRADING_PROVIDERS and info.thinks is not False
    limits = [max(_RESERVED_ROOM if is_reserved else _ROOM[effort if is_graded else None], budget)]
    if info.output_tokens is not None:
        limits.append(info.output_tokens - longest_answer(agent))
    if most_tokens is not None:
        limits.append(most_tokens // 2 - longest_answer(agent))
    return max(0, min(limits))


def _stated_budget(agent: Agent) -> int:
    """The tokens of thinking that the agent's `extra` allows by a number; 0 where it states none."""
    numbers = [agent.extra.get("thinking_budget")]
    for name, key in (("thinking", "budget_tokens"), ("reasoning", "max_tokens")):
        table = agent.extra.get(name)
        if isinstance(table, dict):
            numbers.append(table.get(key))
    return max((number for number in numbers if type(number) is int), default=0)


def as_asked(agent: Agent, info: ModelInfo, room: int) -> Agent:
    """The agent as its model is asked: with room for thinking in its limit, and in words the model takes.

    An effort that the model is known to refuse becomes the next one above that it takes, else the strongest:
    left out, it would be the model's own, which is rarely the least.
    """
    changes: dict[str, object] = {}
    if room and agent.max_tokens is not None:
        changes["max_tokens"] = agent.max_tokens + room
    effort = None
    if agent.reasoning_effort is not None:
        effort = _taken(agent.reasoning_effort, info)
        if info.provider == "groq" and effort != "none" and "gpt-oss" not in bare_name(info.name):
            # Groq's other models can think or not, and take no other word for it.
            changes |= {"reasoning_effort": None, "extra": {"reasoning_effort": "default", **agent.extra}}
        elif effort != agent.reasoning_effort:
            changes["reasoning_effort"] = effort
    if bare_name(info.name).startswith("claude") and (effort not in (None, "none") or _stated_budget(agent)):
        # While Claude thinks, Anthropic takes no other temperature than 1.
        changes |= {"temperature": None, "top_p": None}
    return agent.model_copy(update=changes) if changes else agent


def _taken(effort: Effort, info: ModelInfo) -> Effort:
    """The effort itself where nothing is known against it, else the nearest that the model takes."""
    name = bare_name(info.name)
    refused = set(info.refused_efforts)
    refused |= {"none"} if _WITHOUT_OFF.match(name) else set()
    refused |= {"minimal"} if _WITHOUT_MINIMAL.match(name) else set()
    place = EFFORTS.index(effort)
    above = [other for other in EFFORTS[place:] if other not in refused]
    below = [other for other in EFFORTS[1:place] if other not in refused]
    return (above or below[-1:] or [effort])[0]
