"""When each piece of a simulated answer is due, and how its stream waits, ends and fails."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from moa_tui.engine.agent import Agent
from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.engine.values import Chunk, Finish
from moa_tui.errors import ModelError
from moa_tui.gateway.demo import MODELS, stream
from moa_tui.gateway.demo.pacing import schedule
from moa_tui.gateway.demo.writing import write
from tests.gateway.demo.helpers import (
    HOSTILE,
    MANNERS,
    PROMPT,
    agent,
    asked,
    collect,
)


@pytest.mark.parametrize("model", MANNERS)
async def test_the_end_tells_what_the_answer_took(model: str) -> None:
    text, reasoning, finish = await collect(agent(model), asked())
    assert finish.reason == "stop"
    assert finish.cost == 0.0
    assert finish.usage is not None
    assert finish.usage.estimated
    assert finish.usage.prompt_tokens == estimate_tokens(PROMPT)
    assert finish.usage.completion_tokens == estimate_tokens(reasoning + text)


@pytest.mark.parametrize("most", [1, 7, 50])
async def test_max_tokens_cuts_the_answer(most: int) -> None:
    whole, _, _ = await collect(agent(), asked())
    text, _, finish = await collect(agent(max_tokens=most), asked())
    assert finish.reason == "length"
    assert whole.startswith(text)
    assert text
    assert estimate_tokens(text) == pytest.approx(most, abs=1)
    assert (await collect(agent(max_tokens=5_000), asked()))[2].reason == "stop"


@pytest.mark.parametrize("model", MANNERS)
@pytest.mark.parametrize("prompt", [PROMPT, HOSTILE["cjk"], ""])
def test_a_manner_keeps_a_pace_of_its_own(model: str, prompt: str) -> None:
    own = Agent(model=model)
    reasoning, text = write(own, asked(prompt))
    timed = schedule(own, asked(prompt), reasoning, text)
    assert "".join(chunk.text for _, chunk in timed) == reasoning + text
    assert 0.2 <= timed[0][0] <= 0.6
    times = [at for at, _ in timed]
    assert times == sorted(times)
    assert 30 <= estimate_tokens(reasoning + text) / (times[-1] - times[0]) <= 80
    gaps = [round(later - earlier, 6) for earlier, later in pairwise(times)]
    assert len(set(gaps)) > len(gaps) // 2, "no jitter"


def test_the_manners_differ_in_pace() -> None:
    lengths = set()
    for model in MANNERS:
        timed = schedule(Agent(model=model), asked(), "", "the same words for everyone " * 20)
        lengths.add(round(timed[-1][0], 1))
    assert len(lengths) == len(MANNERS)


def test_tokens_per_second_replaces_the_pace_and_scales_the_delay() -> None:
    usual, twice = Agent(model="demo/terse"), Agent(model="demo/terse", extra={"tokens_per_second": 144})
    script = write(usual, asked())
    times, sooner = ([at for at, _ in schedule(which, asked(), *script)] for which in (usual, twice))
    assert sooner == pytest.approx([at / 2 for at in times])


@pytest.mark.parametrize("pace", [0, -3, "fast", True, float("nan"), None])
async def test_a_pace_that_is_no_positive_number_is_refused(pace: object) -> None:
    with pytest.raises(ModelError, match="tokens_per_second must be a positive number") as caught:
        await collect(agent(extra={"tokens_per_second": pace}), asked())
    assert caught.value.kind == "bad_request"


async def test_waiting_does_not_drift_and_stops_when_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sleeps aim at absolute times, so that lateness does not add up, and there are none when behind."""
    loop = asyncio.get_running_loop()
    clock = 0.0
    slept: list[float] = []
    behind = False

    async def sleep(seconds: float) -> None:
        nonlocal clock
        slept.append(seconds)
        clock += seconds + 0.001  # every sleep oversleeps a little

    monkeypatch.setattr(loop, "time", lambda: clock)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    own = Agent(model="demo/terse")
    due = schedule(own, asked(), *write(own, asked()))
    number = 0
    async for item in stream(own, asked()):
        if isinstance(item, Chunk):
            at, chunk = due[number]
            assert item == chunk
            assert behind or at <= clock <= at + 0.0011
            number += 1
            if number == 40:
                behind = True
                clock += 100.0
                slept.clear()
    assert number == len(due)
    assert not any(slept)


async def test_demo_fail_fails_before_any_text() -> None:
    items = []
    with pytest.raises(ModelError) as caught:
        async for item in stream(agent("demo/fail"), asked()):
            items.append(item)
    assert items == []
    assert caught.value.kind == "server"
    assert caught.value.status_code == 503


def test_demo_slow_keeps_one_waiting() -> None:
    slow = Agent(model="demo/slow")
    _, text = write(slow, asked())
    timed = schedule(slow, asked(), "", text)
    assert timed[0][0] == 8.0
    assert estimate_tokens(text) / (timed[-1][0] - 8.0) == pytest.approx(3, rel=0.15)


async def test_demo_hang_says_a_few_words_and_no_more() -> None:
    items = []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            async for item in stream(agent("demo/hang"), asked()):
                items.append(item)
    assert len(items) > 5
    assert not any(isinstance(item, Finish) for item in items)


async def test_demo_burst_is_long_fast_and_fair() -> None:
    turns = 0

    async def neighbour() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(neighbour())
    async with asyncio.timeout(5):
        text, _, finish = await collect(Agent(model="demo/burst"), asked())
    beside.cancel()
    assert estimate_tokens(text) == pytest.approx(4_000, rel=0.1)
    assert finish.reason == "stop"
    assert turns > 50
    assert schedule(Agent(model="demo/burst"), asked(), "", text)[-1][0] < 0.001


@pytest.mark.parametrize("model", ["demo/poet", "demo/", "demo", "openai/gpt"])
async def test_an_unknown_model_is_answered_with_the_names_there_are(model: str) -> None:
    with pytest.raises(ModelError) as caught:
        await collect(agent(model), asked())
    assert caught.value.kind == "not_found"
    assert all(name in caught.value.message for name in MODELS)
    assert set(MANNERS) < set(MODELS)
