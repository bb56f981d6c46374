"""A request that is longer than its model's context window: what is left out of it, and that it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moa_tui.engine.agent import Agent
from moa_tui.engine.limits import MOST_FITS, Fit, smaller_fit
from moa_tui.engine.plan import ModelFacts, message_tokens
from moa_tui.engine.run import RunContext, run
from moa_tui.engine.tasks import Reference
from moa_tui.engine.values import CallId, Chunk, Finish, Message, Usage
from moa_tui.errors import ModelError
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from moa_tui.engine.values import Outcome


def talk(turns: int, size: int = 400) -> list[Message]:
    """So many earlier turns of about `size` characters a message, and a prompt."""
    messages: list[Message] = [{"role": "system", "content": "Be brief."}]
    for number in range(turns):
        messages.append({"role": "user", "content": (f"question {number} " + "the cats sat " * size)[:size]})
        messages.append(
            {"role": "assistant", "content": (f"answer {number} " + "the cats sat " * size)[:size]}
        )
    return [*messages, {"role": "user", "content": "and now?"}]


class Window:
    """A model with a window of so many tokens, which are `per_estimate` to one of ours; a Stream."""

    def __init__(self, tokens: int, *, states: bool, per_estimate: float = 1.0) -> None:
        self.tokens, self.states, self.per_estimate = tokens, states, per_estimate
        self.asked: list[tuple[Agent, Sequence[Message]]] = []

    async def __call__(
        self, agent: Agent, messages: Sequence[Message]
    ) -> AsyncGenerator[Chunk | Finish, None]:
        self.asked.append((agent, messages))
        size = sum(map(message_tokens, messages)) * self.per_estimate + (agent.max_tokens or 0)
        if size > self.tokens:
            stated = self.tokens if self.states else None
            raise ModelError("context", "too long", 400, context_tokens=stated)
        yield Chunk("text", "an answer")
        yield Finish("stop", Usage(1, 1, estimated=False), 0.0)

    @property
    def sent(self) -> list[int]:
        """The messages of each request, the system's left out."""
        return [len([m for m in messages if m["role"] != "system"]) for _, messages in self.asked]


async def ask(window: Window, history: list[Message], known: int | None = None, **agent: object) -> Outcome:
    facts = ModelFacts("lab", context_tokens=known)
    asked = recipe([{"model": "x", **agent}])
    return await run(asked, history, window, lambda _: None, context=RunContext(facts=lambda _: facts))


async def test_the_oldest_turns_go_where_the_server_states_its_limit() -> None:
    window = Window(1000, states=True)
    outcome = await ask(window, talk(10))
    assert outcome.status == "done"
    assert window.sent == [21, 9], "as many as fit, in one step"
    last = window.asked[-1][1]
    assert (last[0]["content"], last[1]["role"], last[-1]["content"]) == ("Be brief.", "user", "and now?")
    assert outcome.notes == ("x: 12 oldest messages left out to fit its context window",)
    assert outcome.replies[CallId(1, 1)].attempts == 2


async def test_half_goes_at_a_time_where_nobody_states_one() -> None:
    window = Window(400, states=False)
    outcome = await ask(window, talk(10))
    assert outcome.status == "done"
    assert window.sent == [21, 7, 3]
    assert outcome.notes == ("x: 18 oldest messages left out to fit its context window",)


async def test_a_limit_that_is_known_before_spares_the_refusal() -> None:
    window = Window(1000, states=True)
    assert (await ask(window, talk(10), known=1000)).status == "done"
    assert window.sent == [9]


async def test_where_our_tokens_are_too_large_it_still_gets_smaller() -> None:
    window = Window(1000, states=True, per_estimate=2.5)
    outcome = await ask(window, talk(20))
    assert outcome.status == "done"
    assert window.sent == sorted(window.sent, reverse=True)
    assert len(window.sent) <= MOST_FITS + 1


async def test_an_answer_that_takes_the_whole_window_is_asked_to_be_shorter() -> None:
    """vLLM refuses a prompt and max_tokens that are longer together than its window."""
    window = Window(4096, states=True)
    outcome = await ask(window, talk(1), max_tokens=4096)
    assert outcome.status == "done"
    assert (window.sent, window.asked[-1][0].max_tokens) == ([3, 3], 2048)
    assert outcome.notes == ("x: max_tokens lowered to 2048 to fit its context window",)


async def test_a_long_prompt_leaves_the_answer_what_is_left() -> None:
    window = Window(4096, states=True)
    prompt: Message = {"role": "user", "content": "the cats sat " * 900}
    outcome = await ask(window, [prompt], max_tokens=2048)
    left = 4096 - message_tokens(prompt)
    assert outcome.status == "done"
    assert window.asked[-1][0].max_tokens == left
    assert outcome.notes == (f"x: max_tokens lowered to {left} to fit its context window",)


async def test_a_prompt_that_is_too_long_by_itself_is_told_in_the_servers_words() -> None:
    window = Window(50, states=True)
    outcome = await ask(window, [{"role": "user", "content": "x" * 4000}])
    assert outcome.status == "failed"
    assert outcome.error is not None
    assert (outcome.error.kind, outcome.error.message) == ("context", "too long")
    assert len(window.asked) == 1


@pytest.mark.parametrize("states", [True, False])
async def test_history_goes_before_references_are_shortened(states: bool) -> None:
    class Long(Window):
        async def __call__(
            self, agent: Agent, messages: Sequence[Message]
        ) -> AsyncGenerator[Chunk | Finish, None]:
            async for piece in super().__call__(agent, messages):
                yield piece if isinstance(piece, Finish) else type(piece)("text", "word " * 600)

    window = Long(700, states=states)
    facts = ModelFacts("lab")
    outcome = await run(
        recipe(["a"], ["w"]), talk(3), window, lambda _: None, context=RunContext(facts=lambda _: facts)
    )
    assert outcome.status == "done"
    notes = " ".join(outcome.replies[CallId(2, 1)].notes)
    assert "6 oldest messages left out" in notes
    assert "references shortened" in notes


def test_nothing_is_left_out_where_nothing_can_be() -> None:
    alone: list[Message] = [{"role": "user", "content": "x" * 400}]
    agent, references = Agent(model="x", max_tokens=100), [Reference("a", "y" * 400)]
    facts = ModelFacts("lab", context_tokens=4096)
    too_long = ModelError("context", "too long", 400)

    def smaller(fit: Fit, references: Sequence[Reference]) -> Fit | None:
        return smaller_fit(too_long, fit, alone, references, agent, facts)

    assert smaller(Fit(), []) is None
    assert smaller(Fit(), references) == Fit(share=0.5, attempts=1)
    assert smaller(Fit(share=0.5, attempts=1), references) is None
    assert smaller(Fit(attempts=MOST_FITS), references) is None
    assert smaller_fit(ModelError("server", "x", 500), Fit(), alone, references, agent, facts) is None
