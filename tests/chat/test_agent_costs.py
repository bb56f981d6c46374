"""What a conversation took, agent by agent."""

from __future__ import annotations

from dataclasses import replace

from moa_tui.chat.agent_costs import agent_cost_lines
from moa_tui.conversation import Turn
from moa_tui.engine.values import CallId, Reply, Usage
from tests.conversations import a_recipe, an_outcome


def a_turn(*replies: Reply) -> Turn:
    calls = {CallId(1, index): reply for index, reply in enumerate(replies, 1)}
    return Turn("a prompt", a_recipe(), an_outcome(calls))


def reply(agent: str, cost: float | None, tokens: int = 10, **more: object) -> Reply:
    sent = Reply(agent, f"p/{agent}", "done", text="x", usage=Usage(tokens, 5, estimated=False), cost=cost)
    return replace(sent, started=0.0, ended=1.0, **more)


def test_the_dearest_agent_comes_first_with_its_calls_tokens_and_price() -> None:
    turns = [a_turn(reply("glm", 0.01), reply("kimi", 0.2)), a_turn(reply("glm", 0.03))]
    assert agent_cost_lines(turns) == [
        "kimi: 1 call, 15 tokens, $0.20",
        "glm: 2 calls, 30 tokens, $0.0400",
    ]


def test_reused_replies_and_calls_that_were_never_sent_are_not_counted() -> None:
    never_sent = replace(reply("kimi", 0.0), started=None)
    assert agent_cost_lines([a_turn(reply("glm", 0.01, reused=True), never_sent)]) == []
    assert agent_cost_lines([Turn("a prompt", a_recipe(), None)]) == []


def test_unknown_prices_are_named_and_local_ones_too() -> None:
    turns = [
        a_turn(reply("glm", None), reply("qwen", 0.0, local=True)),
        a_turn(reply("glm", 0.5), reply("free", 0.0), reply("odd", None)),
    ]
    assert agent_cost_lines(turns) == [
        "glm: 2 calls, 30 tokens, $0.50 and 1 call of unknown price",
        "free: 1 call, 15 tokens, $0",
        "odd: 1 call, 15 tokens, price unknown",
        "qwen: 1 call, 15 tokens, local",
    ]


def test_of_very_many_agents_the_dearest_are_named() -> None:
    lines = agent_cost_lines([a_turn(*(reply(f"a{number}", float(number)) for number in range(1, 21)))])
    assert len(lines) == 13
    assert lines[0].startswith("a20:")
    assert lines[-1] == "8 other agents: 8 calls, 120 tokens, $36.00"


def test_a_name_cannot_begin_a_line_of_its_own() -> None:
    [line] = agent_cost_lines([a_turn(reply("glm\n\x1b[31m", 0.01))])
    assert "\n" not in line
    assert "\x1b" not in line
