"""Marks in the prompts of Anthropic's models, up to which the provider caches what it was sent.

Other providers cache by themselves what two requests begin with. Anthropic caches up to a mark
(`cache_control`, at most four in a request), takes 1.25 times the price of what it writes and a tenth of that
of what it reads, and keeps a prefix for five minutes after its last use (platform.claude.com, "Prompt
caching"). So a mark pays where more than 22 of 100 prefixes are read again: where later layers of the run ask
the same model often enough, and where a conversation goes on within the five minutes. The calls of one layer
write each their own, since nothing can be read before the first reply has begun.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from functools import cache
from typing import TYPE_CHECKING, Any, TypedDict

from moa_tui.engine import prompts
from moa_tui.engine.plan import message_tokens
from moa_tui.gateway.catalog import bare_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Message
    from moa_tui.gateway.catalog import Catalog

# Through these litellm passes the marks on for Claude. What it makes of them for Gemini is a request of its
# own, and a server that only speaks the protocol may refuse them.
_PROVIDERS = {
    *("anthropic", "bedrock", "bedrock_converse", "vertex_ai-anthropic_models", "openrouter", "azure_ai"),
    "databricks",
}
# Tokens below which the most demanding of the models caches nothing, for those of which no other is known.
_LEAST_TOKENS = 4_096
# A mark pays where for each call of a first reading there are this many that read again:
# 0.25 more for the writing, 0.9 less for the reading.
_LEAST_READ_AGAIN = 0.25 / 0.9
# How long a prefix is kept after its last use.
_KEPT_SECONDS = 300.0
# How many prompts are remembered: those of the conversations and comparisons that may run at once.
_PROMPTS = 8
# Stands behind the prompt in a message, in the engine's words.
_FENCE = "<reference number="


class MarkedMessage(TypedDict):
    """A message whose content is in parts, some of which end with a mark."""

    role: str
    content: list[dict[str, Any]]


class CacheMarks:
    """Sets the marks of each request. Used on the engine's loop."""

    def __init__(self, catalog: Catalog, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives the time in seconds."""
        self._catalog = catalog
        self._clock = clock
        self._asked_at: dict[str, float] = {}
        """When each model was asked last."""
        self._too_late: set[str] = set()
        """The models whose newest run began when what they had been sent before was kept no longer."""
        self._read_again: set[str] = set()
        """The models that later layers of the newest run with them ask often enough."""
        self._prompts: deque[str] = deque(maxlen=_PROMPTS)

    def expect(self, recipe: Recipe) -> None:
        """Learn from a recipe that is about to run which of its models will read again what they are sent."""
        first: dict[str, int] = {}
        calls: Counter[tuple[str, int]] = Counter()
        for number, agents in enumerate(recipe.lineup, 1):
            for agent in agents:
                first.setdefault(agent.model, number)
                calls[agent.model, number] += 1
        for model, layer in first.items():
            later = sum(count for (name, at), count in calls.items() if name == model and at > layer)
            if later > _LEAST_READ_AGAIN * calls[model, layer]:
                self._read_again.add(model)
            else:
                self._read_again.discard(model)
            # Who took longer for the last turn will take longer for the next.
            if self._clock() - self._asked_at.get(model, self._clock()) > _KEPT_SECONDS:
                self._too_late.add(model)
            else:
                self._too_late.discard(model)

    def marked(
        self, agent: Agent, messages: Sequence[Message], *, provider: str | None
    ) -> Sequence[Message | MarkedMessage]:
        """The messages with marks where they pay, else as they are.

        A mark ends the system message, the conversation before the prompt, and the prompt before the
        references. `provider` is that of the agent's model, None at a server of one's own.
        """
        prompt = self._prompt_in(messages[-1]["content"])
        if provider not in _PROVIDERS or "claude" not in bare_name(agent.model):
            return messages
        self._asked_at[agent.model] = self._clock()
        is_going_on = any(message["role"] == "assistant" for message in messages)
        if (not is_going_on or agent.model in self._too_late) and agent.model not in self._read_again:
            return messages
        least = self._least_tokens(agent.model)
        marked: list[Message | MarkedMessage] = []
        tokens = 0
        for number, message in enumerate(messages[:-1]):
            tokens += message_tokens(message)
            ends_part = message["role"] == "system" or number == len(messages) - 2
            is_marked = ends_part and tokens >= least and message["content"].strip()
            marked.append(_marked(message) if is_marked else message)
        tokens += message_tokens({"role": "user", "content": prompt})
        is_marked = tokens >= least and prompt.strip()
        marked.append(_marked(messages[-1], len(prompt)) if is_marked else messages[-1])
        return marked

    def _prompt_in(self, content: str) -> str:
        """The user's own prompt, with which the last message begins; empty where it is not known.

        A layer's instructions and references may follow it, which no other call will repeat. A first layer
        has none, so the prompts that it is asked are remembered.
        """
        asked = content.partition(_closing())[0]
        if _FENCE not in asked:
            if asked not in self._prompts:
                self._prompts.append(asked)
            return asked
        return max((text for text in self._prompts if asked.startswith(f"{text}\n\n")), key=len, default="")

    def _least_tokens(self, model: str) -> int:
        """The tokens of the shortest prefix that the provider caches."""
        return self._catalog.least_cached_tokens(model) or _LEAST_TOKENS


def _marked(message: Message, length: int | None = None) -> MarkedMessage:
    """The message with a mark behind its first `length` characters, or behind all of it."""
    text = message["content"]
    parts: list[dict[str, Any]] = [
        {"type": "text", "text": text[:length], "cache_control": {"type": "ephemeral"}}
    ]
    if rest := text[len(parts[0]["text"]) :]:
        parts.append({"type": "text", "text": rest})
    return {"role": message["role"], "content": parts}


@cache
def _closing() -> str:
    """The beginning of the closing lines, which stand behind the prompt in a message."""
    return f"\n\n{prompts.closing_form(()).partition(chr(10))[0]}"
