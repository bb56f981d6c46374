"""The budgets on the screen: said before they are reached, stopped at, and passed with one key."""

from __future__ import annotations

from moa_tui.engine.values import Finish, Usage
from moa_tui.settings.config import Budget, Settings
from tests.helpers import wait_until
from tests.ui.chat_app import DUO, Bench, chat_app
from tests.ui.given import command, key

PAID = Finish("stop", Usage(0, 5, estimated=False), 0.05)
SCRIPTS = {name: [[f"{name} answers", PAID]] for name in ("one", "two", "judge")}


def tight(**budget: float) -> Settings:
    return Settings(budget=Budget(**budget))


def asked(bench: Bench) -> list[int]:
    return [len(bench.models.asked[name]) for name in ("one", "two", "judge")]


@key("run.over_budget")
async def test_a_stopped_run_says_why_and_one_key_goes_on_with_what_was_missing() -> None:
    async with chat_app(DUO, size=(100, 30), settings=tight(day=0.1001), **SCRIPTS) as bench:
        bench.gateway.price = 0.0000001
        await bench.ask("hi")
        await bench.until_shown("the day's budget of $0.1001", "Go on over the budget".lower())
        await bench.until_told("Budget: day 100 % of $0.10 is spent")
        assert asked(bench) == [1, 1, 0]
        await bench.press("f9")
        await wait_until(lambda: asked(bench) == [1, 1, 1])
        await bench.until_idle()
        await bench.until_shown("judge answers", "‹2/2›")
        assert "go on over the budget" not in bench.shown()
        await bench.ask("and?")
        assert asked(bench) == [1, 1, 1], "it was passed this once"


async def test_from_four_fifths_on_it_is_told_once_and_stands_at_the_bottom() -> None:
    async with chat_app(DUO, size=(100, 30), settings=tight(conversation=0.18), **SCRIPTS) as bench:
        await bench.ask("hi")
        await bench.until_told("Budget: conversation 83 % of $0.18 is spent")
        await bench.until_shown("conversation 83 % of $0.18")
        told = len([one for one in bench.app.notices if "Budget" in one.message])
        bench.screen.controllers.labels.renew_estimate()
        await bench.settle()
        assert len([one for one in bench.app.notices if "Budget" in one.message]) == told == 1
        await bench.press("ctrl+n")
        await wait_until(lambda: "83 %" not in bench.shown())


async def test_before_it_is_sent_a_prompt_is_said_to_be_too_dear() -> None:
    async with chat_app(DUO, size=(100, 30), settings=tight(conversation=0.5, day=0.2), **SCRIPTS) as bench:
        await bench.settle()
        assert "over budget" not in bench.shown()
        bench.gateway.price = 0.001
        bench.screen.controllers.labels.renew_estimate()
        await bench.until_shown("· over budget")


@command("cost")
async def test_cost_tells_the_budgets_and_without_any_nothing_is_said_of_them() -> None:
    async with chat_app(DUO, settings=tight(conversation=1.0, day=5.0), **SCRIPTS) as bench:
        await bench.ask("hi")
        await bench.submit("/cost")
        await bench.until_told("budget: conversation 15 % of $1.00\nbudget: day 3 % of $5.00")
    async with chat_app(DUO, **SCRIPTS) as bench:
        await bench.ask("hi")
        await bench.submit("/cost")
        await bench.until_told("tokens, $0.15")
        assert not any("udget" in one.message for one in bench.app.notices)
        await bench.press("f9")
        assert asked(bench) == [1, 1, 1]
