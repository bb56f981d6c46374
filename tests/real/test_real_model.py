"""A real model, asked through discovery, the gateway, the engine and the chat, over real HTTP.

What it answers is often wrong, so tests look at the shape of its replies alone. An answer ends where the
model ends it or at max_tokens.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from moa_tui.chat.backend import Backend
from moa_tui.chat.chat import Chat
from moa_tui.engine.agent import Agent, Sampling
from moa_tui.engine.control import RunControl
from moa_tui.engine.events import Delta
from moa_tui.engine.layer import Layer
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.values import CallId
from moa_tui.errors import NoLocalModelError
from moa_tui.gateway.discovery import find_servers
from moa_tui.recipes.local import local_recipe, slim_recipe, usable_servers
from tests.real.conftest import SLOT_TOKENS, SLOTS, LlamaServer

if TYPE_CHECKING:
    from pathlib import Path

    from moa_tui.conversation import Turn
    from moa_tui.engine.values import Reply
    from moa_tui.gateway.discovery import LocalServer
    from tests.gateway.conftest import Bench

# Three of these and their answers are more than a slot holds.
LONG_PROMPT = "Which of these did you see? " + "The old man walked down to the river with his dog. " * 22


def smollm2(name: str, max_tokens: int) -> Agent:
    return Agent(model="lab/smollm2", name=name, max_tokens=max_tokens)


def of_layers(*layers: tuple[Agent, ...]) -> Recipe:
    """A recipe of these layers, in which answers cut at their limit are read too."""
    return Recipe(name="real", layers=tuple(Layer(agents=agents, use_partial=True) for agents in layers))


def shortened(recipe: Recipe, tokens: int) -> Recipe:
    """The recipe with answers of a few tokens, since each takes a while."""
    return recipe.model_copy(update={"defaults": Sampling(max_tokens=tokens)})


def check(reply: Reply) -> None:
    """The reply is one of a model that came to an end, by itself or by its limit."""
    assert reply.text.strip(), reply
    assert reply.finish_reason in ("stop", "length"), reply
    assert reply.error is None or reply.finish_reason == "length", reply
    assert not reply.usage.estimated
    assert reply.usage.prompt_tokens > 10
    assert reply.usage.completion_tokens > 0
    assert reply.usage.prompt_tokens + reply.usage.completion_tokens <= SLOT_TOKENS


def test_one_call_is_answered_with_the_usage_that_the_server_counts(bench: Bench) -> None:
    outcome = bench.run(of_layers((smollm2("a", 24),)), "Say hello.")
    assert outcome.answer
    check(outcome.replies[CallId(1, 1)])
    assert outcome.replies[CallId(1, 1)].usage.completion_tokens <= 24


# Discovery


def test_a_server_is_found_while_it_loads_its_model_and_once_it_has(model_file: Path, tmp_path: Path) -> None:
    states: list[tuple[LocalServer, ...]] = []
    with LlamaServer(model_file, tmp_path / "log") as starting:
        deadline = time.monotonic() + 60
        while not (states and states[-1] and states[-1][0].models):
            assert time.monotonic() < deadline, states
            if (servers := find_servers([starting.candidate])) not in states:
                states.append(servers)
    loading, loaded = (state for state in states if state)
    assert loading[0].state == "loading"
    with pytest.raises(NoLocalModelError, match="is still loading its model"):
        local_recipe(usable_servers(loading))
    assert loaded[0].state == "ready"
    assert loaded[0].models[0].is_loaded


def test_the_server_says_what_it_is(found: tuple[LocalServer, ...], model_file: Path) -> None:
    (server,) = found
    (model,) = server.models
    assert server.calls_at_once == SLOTS
    assert model.context_tokens == SLOT_TOKENS
    assert 0.13 < model.billions < 0.14
    assert model.quantization == "Q4_1"
    assert model.name == str(model_file)


# The recipes that are made from what it says


def test_local_samples_the_model_in_all_slots_and_aggregates(
    bench: Bench, found: tuple[LocalServer, ...]
) -> None:
    recipe = local_recipe(found)
    assert recipe.limits.concurrency == SLOTS
    outcome = bench.run(shortened(recipe, 24), "Name a fruit.")
    assert outcome.answer, outcome.error
    assert list(outcome.replies) == [CallId(1, 1), CallId(1, 2), CallId(1, 3), CallId(2, 1)]
    first, second, third, last = outcome.replies.values()
    for reply in (first, second, third, last):
        check(reply)
        assert reply.agent.rstrip(" 123") == "SmolLM2-135M-Instruct", "neither path nor ending"
    assert (second.started or 0) < (first.ended or 0), "two at once"
    assert (third.started or 0) >= min(first.ended or 0, second.ended or 0), "and no more"
    assert "</reference>" in last.messages[-1]["content"]


def test_slim_asks_the_model_one_call_after_another(bench: Bench, found: tuple[LocalServer, ...]) -> None:
    outcome = bench.run(shortened(slim_recipe(found), 8), "Name a fruit.")
    assert outcome.answer, outcome.error
    assert len(outcome.replies) == 3 + 3 + 1
    times = sorted((reply.started or 0, reply.ended or 0) for reply in outcome.replies.values())
    assert all(before[1] <= after[0] for before, after in pairwise(times))


# Runs


def test_two_agents_are_asked_at_once(bench: Bench, llama: LlamaServer) -> None:
    recipe = of_layers((smollm2("a", 48), smollm2("b", 48)), (smollm2("w", 8),))
    running = bench.start(recipe, "Tell a long story.")
    llama.wait_for_busy_slots(2)
    outcome = running.result(timeout=60)
    for reply in outcome.replies.values():
        check(reply)


def seconds_until_free(bench: Bench, llama: LlamaServer) -> float:
    """The seconds from a stop in the middle of an answer until no slot of the server works on it."""
    bench.events.clear()
    bench.control = RunControl()
    running = bench.start(of_layers((smollm2("a", 600),)), "Count from one to one thousand.")
    deadline = time.monotonic() + 60
    while sum(isinstance(event, Delta) for event in bench.events) < 5:
        assert time.monotonic() < deadline, "nothing was streamed"
        time.sleep(0.005)
    assert llama.busy_slots() == 1
    bench.control.stop()
    seconds = llama.wait_for_busy_slots(0)
    reply = running.result(timeout=30).replies[CallId(1, 1)]
    assert reply.status == "stopped"
    assert reply.text
    return seconds


def test_a_stop_in_mid_stream_frees_the_slot_within_a_second(bench: Bench, llama: LlamaServer) -> None:
    # On a busy machine the server may get no time to notice within the second, so it has three tries.
    assert any(seconds_until_free(bench, llama) < 1 for _ in range(3))


# A conversation


def told(chat: Chat, prompt: str) -> Turn:
    """The turn of `prompt`, once it is over."""
    handle = chat.send(prompt)
    while handle.events.get(timeout=60) is not None:
        pass
    turn = chat.settle(handle)
    assert turn is not None
    return turn


def three_long_turns(bench: Bench, recipe: Recipe) -> list[Reply]:
    """The replies of three turns, which together are longer than a slot's context."""
    chat = Chat(Backend(bench.gateway, bench.engine), recipe)
    turns = [told(chat, LONG_PROMPT) for _ in range(3)]
    replies = [turn.outcome.replies[CallId(1, 1)] for turn in turns if turn.outcome is not None]
    for reply in replies:
        check(reply)
    assert [len(reply.messages) for reply in replies] == [1, 3, 3], (
        "the third is told the second, not the first"
    )
    assert any("oldest messages left out" in note for note in replies[2].notes)
    return replies


def test_a_conversation_goes_on_past_the_context_that_the_server_stated(
    bench: Bench, found: tuple[LocalServer, ...]
) -> None:
    recipe = local_recipe(found)
    alone = recipe.model_copy(update={"layers": recipe.layers[1:]})
    replies = three_long_turns(bench, shortened(alone, 24))
    assert [reply.attempts for reply in replies] == [1, 1, 1]


def test_a_conversation_goes_on_past_a_context_that_is_not_known_before(bench: Bench) -> None:
    replies = three_long_turns(bench, of_layers((smollm2("a", 24),)))
    assert replies[2].attempts == 2, "the server refuses what is too long, and says how long it may be"
