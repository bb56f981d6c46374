"""What a bulk run should take, before anything is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa_tui.engine.plan import ASSUMED_ANSWER_TOKENS, plan
from moa_tui.text.wording import counted, money

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.plan import ModelFacts
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Message
    from moa_tui.evaluation.values import BulkPrompt

# An answer of the length that a plan assumes: four characters a token.
_ASSUMED_ANSWER = "word " * (ASSUMED_ANSWER_TOKENS * 4 // 5)


@dataclass(frozen=True, slots=True)
class Forecast:
    """The calls of one recipe on some prompts, and the most that they should cost.

    `cost` is in US dollars, None where a price is unknown; `thinking` is the part of it that the models may
    spend on thinking beside their answers.
    """

    recipe: str
    prompts: int
    calls: int
    cost: float | None
    thinking: float
    is_local: bool

    @property
    def words(self) -> str:
        """The forecast in a line."""
        if self.is_local:
            price = "local, which costs nothing"
        elif self.cost is None:
            price = "a price is unknown"
        else:
            share = f", {money(self.thinking)} of it for thinking up to its limits" if self.thinking else ""
            price = f"at most about {money(self.cost)}{share}"
        prompts = counted(self.prompts, "prompt")
        return f"{self.recipe}: {prompts}, {self.calls:,} calls at most, {price}"


def forecast(prompts: Iterable[BulkPrompt], recipe: Recipe, facts: Callable[[Agent], ModelFacts]) -> Forecast:
    """The forecast of a recipe on all turns of the prompts, with every answer as long as it may be."""
    number, calls = 0, 0
    cost: float | None = 0.0
    thinking = 0.0
    is_local = True
    for prompt in prompts:
        number += 1
        history: list[Message] = []
        for turn in prompt.turns:
            history.append({"role": "user", "content": turn})
            expected = plan(recipe, history, facts)
            calls += expected.requests
            cost = None if cost is None or expected.cost is None else cost + expected.cost
            thinking += sum(
                call.facts.thinking_tokens * (call.facts.completion_price or 0.0) for call in expected.calls
            )
            is_local = is_local and expected.is_local
            history.append({"role": "assistant", "content": _ASSUMED_ANSWER})
    return Forecast(recipe.name, number, calls, cost, thinking, is_local)
