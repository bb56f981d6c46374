"""An endpoint that keeps failing is left alone for a while, and tried again later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moa_tui.engine.health import BURST_SECONDS, Health
from moa_tui.engine.plan import ModelFacts
from moa_tui.engine.run import RunContext, run
from moa_tui.engine.values import CallId, Failure, Message, Outcome, Reply
from moa_tui.errors import ModelError
from tests.fakes import FakeModels
from tests.helpers import recipe

if TYPE_CHECKING:
    from moa_tui.engine.agent import Agent
    from moa_tui.engine.recipe import Recipe

pytestmark = pytest.mark.usefixtures("no_backoff")

ASK: list[Message] = [{"role": "user", "content": "What is a moa?"}]
DOWN = ModelError("connection", "connection refused")
BUSY = ModelError("rate_limit", "too many requests", 429)
SHORT = ModelError("context", "the request is too long", 400)
TWO = recipe(["bad/x", "good/a"], ["good/writer"])


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock)


def facts(agent: Agent) -> ModelFacts:
    return ModelFacts(agent.model.partition("/")[0])


async def ask(models: FakeModels, health: Health, the_recipe: Recipe = TWO) -> Outcome:
    return await run(the_recipe, ASK, models, lambda _: None, context=RunContext(facts=facts, health=health))


async def fail_three_times(
    models: FakeModels, health: Health, clock: Clock, the_recipe: Recipe = TWO
) -> None:
    """Three turns with a failure each, far enough apart not to be one burst."""
    for _ in range(3):
        clock.now += BURST_SECONDS
        await ask(models, health, the_recipe)


def down(*steps: object) -> FakeModels:
    return FakeModels(**{"bad/x": [[DOWN]], **dict(steps)})  # type: ignore[arg-type]


async def test_after_three_failures_in_a_row_the_layer_goes_on_without_it_and_says_so(
    health: Health, clock: Clock
) -> None:
    models = down()
    await fail_three_times(models, health, clock)
    tried = len(models.asked["bad/x"])
    clock.now += 20
    outcome = await ask(models, health)
    assert outcome.status == "done"
    assert len(models.asked["bad/x"]) == tried
    reply = outcome.replies[CallId(1, 1)]
    assert (reply.status, reply.attempts, reply.cost) == ("failed", 0, 0.0)
    assert reply.error is not None
    assert reply.error.kind == "rested"
    said = "bad failed 3 times in a row and rests for another 40 s"
    assert reply.error.message == said
    assert f"bad/x: not asked, {said}" in outcome.notes
    assert len(models.asked["good/a"]) == 4


async def test_it_is_asked_again_later_and_rests_longer_where_it_fails_again(
    health: Health, clock: Clock
) -> None:
    models = down()
    await fail_three_times(models, health, clock)
    clock.now += 61
    tried = len(models.asked["bad/x"])
    await ask(models, health)
    assert len(models.asked["bad/x"]) > tried, "the rest was over"
    assert health.rest_seconds("bad") == pytest.approx(120)
    clock.now += 121
    models.scripts = {}
    assert (await ask(models, health)).replies[CallId(1, 1)].status == "done"
    models.scripts = {"bad/x": [[DOWN]]}
    clock.now += BURST_SECONDS
    await ask(models, health)
    assert health.rest_seconds("bad") == 0, "what came well in between, begins the count anew"


async def test_where_nobody_else_could_answer_it_is_asked_all_the_same(health: Health, clock: Clock) -> None:
    alone = recipe(["bad/x"], ["bad/x"])
    models = down()
    await fail_three_times(models, health, clock, alone)
    tried = len(models.asked["bad/x"])
    models.scripts = {}
    outcome = await ask(models, health, alone)
    assert outcome.status == "done"
    assert len(models.asked["bad/x"]) == tried + 2


async def test_a_lone_agents_fallback_is_asked_at_once_while_it_rests(health: Health, clock: Clock) -> None:
    agents = {"writer": {"model": "bad/x", "fallback": ["spare"]}, "spare": {"model": "good/s"}}
    the_recipe = recipe(["good/a"], ["writer"], agents=agents)
    models = down()
    await fail_three_times(models, health, clock, the_recipe)
    tried = len(models.asked["bad/x"])
    outcome = await ask(models, health, the_recipe)
    assert (outcome.status, outcome.replies[CallId(2, 1)].model) == ("done", "good/s")
    assert len(models.asked["bad/x"]) == tried


async def test_what_says_nothing_of_the_endpoint_rests_nobody(health: Health, clock: Clock) -> None:
    models = FakeModels(**{"bad/x": [[SHORT]]})
    for _ in range(5):
        clock.now += BURST_SECONDS
        await ask(models, health)
    assert health.rest_seconds("bad") == 0


async def test_calls_that_fail_side_by_side_count_once(health: Health, clock: Clock) -> None:
    """Two seconds of 429s, met by three calls at once, are no reason to leave it alone for a minute."""
    names = ("bad/x", "bad/y", "bad/z")
    the_recipe = recipe([*names, "good/a"], ["bad/x", "good/a"], ["good/w"])
    models = FakeModels(**{name: [[BUSY]] for name in names})
    outcome = await ask(models, health, the_recipe)
    assert outcome.replies[CallId(2, 1)].attempts > 0, "the next layer still asks it"
    assert health.rest_seconds("bad") == 0
    for _ in range(2):
        clock.now += BURST_SECONDS - 0.1
        await ask(models, health, the_recipe)
    assert health.rest_seconds("bad") == 0, "this time only the second burst counted"
    clock.now += BURST_SECONDS
    await ask(models, health, the_recipe)
    assert health.rest_seconds("bad") == 60, "what goes on failing over time is left alone"


def test_failures_one_after_another_count_however_close_the_bursts_are(health: Health, clock: Clock) -> None:
    failed = Reply("x", "bad/x", "failed", error=Failure("connection", "refused"), attempts=1)
    rests = []
    for second in range(31):
        clock.now = second
        health.record("bad", failed)
        rests.append(health.rest_seconds("bad"))
    assert rests.index(60) == 20, "the failures at 0, 10 and 20 s counted"
    assert rests[-1] == 50, "a rest is not begun anew while it lasts"
