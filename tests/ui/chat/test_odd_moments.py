"""Keys, problems and prompts that come while something else is going on."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import TYPE_CHECKING

from moa_tui.errors import MissingKeyError, StoreError
from moa_tui.store import Store
from moa_tui.ui.chat import following
from tests.helpers import wait_until
from tests.ui.chat_app import ALONE, DUO, chat_app

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


async def test_a_problem_of_the_disk_before_the_first_paint_is_told_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listen = Store.on_problem

    def report_at_once(store: Store, listener: Callable[[StoreError | None], None]) -> None:
        listen(store, listener)
        thread = threading.Thread(target=listener, args=(StoreError("disk full"),))
        thread.start()
        thread.join()

    monkeypatch.setattr(Store, "on_problem", report_at_once)
    async with chat_app(ALONE) as bench:
        await bench.until_told("disk full")
        await bench.until_shown("NOT SAVED")


async def test_an_answer_of_an_older_turn_cannot_be_edited_while_a_run_goes() -> None:
    gate = asyncio.Event()
    async with chat_app(DUO, size=(120, 40), one=[["first"], [gate, "second"]]) as bench:
        await bench.ask("one")
        older = bench.run
        await bench.submit("two")
        bench.screen.controllers.looking.toggle_panes_of(older)
        await bench.settle()
        bench.panel.pick(1)
        await bench.settle()
        bench.panes[0].focus()
        await bench.press("e")
        await bench.until_told("a run is going on")
        assert bench.prompt.text == ""
        bench.open(gate)
        await bench.until_idle()


async def test_a_setting_that_no_agent_can_have_is_refused() -> None:
    async with chat_app(DUO) as bench:
        await bench.ask("one")
        await bench.submit("/add gpt-x temperature=9")
        await bench.until_told("there can be no such agent: temperature")
        assert bench.prompt.text == "/add gpt-x temperature=9"


async def test_prompts_that_were_never_sent_come_back_in_their_order() -> None:
    async with chat_app(ALONE) as bench:
        bench.gateway.ready = asyncio.Event()
        await bench.submit("first")
        await bench.submit("second")
        bench.gateway.fails = MissingKeyError("no key")
        bench.open(bench.gateway.ready)
        await wait_until(lambda: not bench.session.is_running and bench.prompt.text)
        assert bench.prompt.text == "first\nsecond"


async def test_what_a_run_has_left_behind_is_collected_once_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Cycle:
        def __init__(self) -> None:
            self.me = self

    async with chat_app(ALONE) as bench:
        monkeypatch.setattr(following, "collect", gc.collect)
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            left_behind = weakref.ref(Cycle())
            assert left_behind() is not None
            await bench.ask("hello")
            await wait_until(lambda: left_behind() is None)
        finally:
            if was_enabled:
                gc.enable()
