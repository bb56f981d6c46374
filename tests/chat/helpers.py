"""What the tests of the chat share: runs followed to their end, and gates that models wait at."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from moa_tui.chat.prompt_text import PromptText
from moa_tui.engine.events import Delta
from tests.helpers import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.chat.chat import Chat
    from moa_tui.chat.run_handle import RunHandle
    from moa_tui.chat.session import ChatSession
    from moa_tui.conversation import Turn
    from moa_tui.engine.events import Event
    from moa_tui.engine.values import CallId
    from moa_tui.gateway.thread import EngineThread


class Gate:
    """What a model waits for; its event belongs to the engine's loop, which sets it."""

    def __init__(self, engine: EngineThread) -> None:
        self.event = asyncio.Event()
        self._engine = engine

    def open(self) -> None:
        async def set_event() -> None:
            self.event.set()

        self._engine.submit(set_event()).result(timeout=15)


# Of a chat, whose runs are read on the test's thread


def events_of(run: RunHandle) -> list[Event]:
    """Every event of a run, once it is over."""
    events = []
    while (event := run.events.get(timeout=15)) is not None:
        events.append(event)
    return events


def wait_for_text(run: RunHandle, *calls: CallId) -> None:
    """Read events until each of `calls` has written some text."""
    silent = set(calls)
    while silent:
        event = run.events.get(timeout=15)
        assert event is not None, "the run ended first"
        if isinstance(event, Delta):
            silent.discard(event.call)


def settled(chat: Chat, run: RunHandle) -> Turn:
    """Wait for a run to end, and settle it."""
    events_of(run)
    turn = chat.settle(run)
    assert turn is not None
    return turn


# Of a session


async def ended(session: ChatSession) -> Turn | None:
    """Wait for the run that goes on to end, and settle it."""
    run = session.require_run()
    await asyncio.to_thread(events_of, run)
    return session.settle_run()


async def answered(session: ChatSession, text: str = "?") -> Turn:
    """Send a prompt and wait for its answer."""
    session.send(PromptText(text))
    turn = await ended(session)
    assert turn is not None
    return turn


async def until_asked(session: ChatSession, *calls: CallId) -> None:
    """Wait until each of `calls` of the run has begun."""
    run = session.require_run()
    await wait_until(lambda: all(call in run.progress().asked for call in calls))


def written(prompts: Sequence[PromptText]) -> list[str]:
    return [prompt.written for prompt in prompts]
