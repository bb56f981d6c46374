"""The chat while its answer is written beside the answers that it reads, at every size of the terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from moa_tui.conversation import Conversation, Turn
from moa_tui.engine.events import CallEnded, CallStarted, Delta, StepStarted
from moa_tui.engine.run import run
from moa_tui.engine.values import CallId, Reply, Step, Usage
from tests.fakes import FakeModels
from tests.helpers import recipe, wait_until
from tests.ui.chat_app import chat_app
from tests.ui.fixed_chat import ask, chat_screen, happen, held_app
from tests.ui.given import command, key

if TYPE_CHECKING:
    from moa_tui.engine.events import Event
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Message
    from moa_tui.ui.app import MoaApp

FINAL = CallId(2, 1)
STAIRS = recipe(
    ["one", "two", "three", "four"],
    {"agents": ["judge"], "stairs": {"chunk": 128, "wait": 3}},
)
ASKED: tuple[Message, ...] = ({"role": "user", "content": "What is a moa?"},)


def both_write(this: Recipe) -> list[tuple[float, Event]]:
    """Second 4: the four proposers write, and the judge has written its first part from three of them."""
    calls = [CallId(1, index) for index in range(1, 5)]
    read = dict.fromkeys(calls[:3], 512)
    return [
        *((0.0, CallStarted(call, this.lineup[0][call.index - 1], ASKED, 0.0)) for call in calls),
        *((1.0, Delta(call, "text", f"Proposer {call.index} writes.\n")) for call in calls),
        (2.0, CallStarted(FINAL, this.lineup[1][0], ASKED, 2.0)),
        (2.0, StepStarted(FINAL, 1, ASKED, read, frozenset(), 4, 2.0)),
        (4.0, Delta(FINAL, "text", "The moa was a bird. ")),
    ]


def shown(app: MoaApp) -> str:
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (220, 60)], ids=["80x24", "120x40", "220x60"])
async def test_the_answer_grows_in_the_chat_while_the_panes_still_write(size: tuple[int, int]) -> None:
    app = held_app()
    app.get_default_screen().session.chat.use_recipe(STAIRS)  # type: ignore[attr-defined]
    async with app.run_test(size=size) as pilot:
        await ask(pilot)
        await happen(pilot, both_write(STAIRS))
        panel = chat_screen(app).view.panel
        assert panel.has_class("-open")
        assert "The moa was a bird." in shown(app)
        assert "Proposer 1 writes." in shown(app)
        words = "layer 1 of 2: 0 of 4 answers; writing the answer, part 1"
        await wait_until(lambda: words in shown(app).splitlines()[-1])
        if size[0] > 80:
            assert all(f"Proposer {number} writes." in shown(app) for number in (1, 2, 3, 4))
        # The panes are left only when nobody writes in them any more.
        ended = [CallEnded(CallId(1, index), _reply(f"{index}", "whole")) for index in (1, 2, 3, 4)]
        await happen(pilot, [(5.0, event) for event in ended])
        assert panel.has_class("-open") == (size[0] >= 180)
        await wait_until(lambda: "● writing the answer, part 1" in shown(app).splitlines()[-1])


async def test_by_the_keys_that_exist_the_answer_or_the_panes_have_the_screen() -> None:
    app = held_app()
    app.get_default_screen().session.chat.use_recipe(STAIRS)  # type: ignore[attr-defined]
    async with app.run_test(size=(80, 24)) as pilot:
        await ask(pilot)
        await happen(pilot, both_write(STAIRS))
        await pilot.press("ctrl+l", "ctrl+l", "ctrl+l")
        assert not chat_screen(app).view.panel.has_class("-open")
        await pilot.press("ctrl+l")
        await pilot.pause()
        await pilot.press("right")
        await pilot.pause()
        assert "part 1" in shown(app)
        assert "L1 is at work, f follows" in shown(app)


def _reply(name: str, text: str, **more: object) -> Reply:
    reply = Reply(name, name, "done", text=text, started=0.0, first_token=1.0, ended=5.0)
    return replace(reply, **more)  # type: ignore[arg-type]


async def late_turn() -> Turn:
    """A turn that is over, whose answer was begun before that of `four`, which differs, was there."""
    history: list[Message] = [{"role": "user", "content": "What is a moa?"}]
    outcome = await run(STAIRS, history, FakeModels(), lambda _: None)
    step = Step(ASKED, {CallId(1, 1): 512}, frozenset(), 5, Usage(1, 1), 0.001, 1.0, 1.5, 2.0)
    replies = dict(outcome.replies)
    replies[FINAL] = replace(replies[FINAL], unread=(CallId(1, 4),), steps=(step,))
    note = "part 1 was written from the beginnings of 3 of 4 answers"
    return Turn("What is a moa?", STAIRS, replace(outcome, replies=replies, notes=(note,)))


@key("run.from_all")
async def test_a_late_answer_that_differs_has_the_turn_offer_the_full_synthesis_with_its_price() -> None:
    turn = await late_turn()
    conversation = Conversation().with_turn(turn)
    async with chat_app(STAIRS, size=(120, 40), conversation=conversation) as bench:
        bench.gateway.price = 0.000_001
        bench.screen.controllers.labels.renew_offer()
        await bench.until_shown(
            "part 1 was written from the beginnings of 3 of 4 answers",
            "an answer that came late differs: F9 writes the answer again from all 4 ($0.0024 at most)",
            "f9 write from all answers",
        )
        await bench.press("f9")
        await wait_until(lambda: len(bench.models.asked["judge"]) == 1)
        await bench.until_idle()
        assert not bench.models.asked["one"]
        await bench.until_shown("‹2/2›", "judge says 1")
        assert "came late" not in bench.shown()
        assert "write from all" not in bench.shown()


@command("full")
async def test_slash_full_does_the_same() -> None:
    conversation = Conversation().with_turn(await late_turn())
    async with chat_app(STAIRS, size=(120, 40), conversation=conversation) as bench:
        await bench.until_shown("F9 writes the answer again")
        await bench.submit("/full")
        await wait_until(lambda: len(bench.models.asked["judge"]) == 1)
        await bench.until_idle()
        await bench.until_shown("‹2/2›")
        await bench.submit("/full")
        await bench.until_told("not begun early")


async def test_the_offer_is_gone_once_the_conversation_goes_on() -> None:
    conversation = Conversation().with_turn(await late_turn())
    async with chat_app(STAIRS, size=(120, 50), conversation=conversation) as bench:
        await bench.until_shown("F9 writes the answer again")
        await bench.ask("and then?")
        await wait_until(lambda: "F9 writes" not in bench.shown())
        await bench.press("f9")
        assert len(bench.models.asked["judge"]) == 1, "nothing is offered, so nothing is asked"


async def test_before_a_run_the_requests_at_most_and_what_makes_little_sense_are_said_once() -> None:
    async with chat_app(STAIRS, size=(120, 40)) as bench:
        bench.gateway.price, bench.gateway.thinking_tokens = 0.000_001, 1_000
        bench.screen.controllers.labels.renew_estimate()
        await bench.until_shown("at most 21 requests, $")
        await bench.until_told("layer 2: judge thinks before it writes, and anew at each of up to 17 steps")
        told = len(bench.app.notices)
        bench.screen.controllers.labels.renew_estimate()
        await bench.settle()
        assert len(bench.app.notices) == told
