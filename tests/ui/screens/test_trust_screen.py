"""The question before prompts go to a server that the person has not set up."""

from __future__ import annotations

import pytest

from moa_tui.engine.plan import ModelFacts
from moa_tui.ui.screens.trust_screen import TrustScreen
from tests.helpers import wait_until
from tests.ui.chat_app import DUO, Bench, chat_app
from tests.ui.given import key

WORDS = "http://elsewhere.example/v1, with the key in OPENAI_API_KEY (one)"


async def asked(bench: Bench, text: str = "What is a moa?") -> None:
    """Send a text and wait for the question."""
    bench.gateway.untrusted["one"] = WORDS
    bench.prompt.fill(text)
    bench.prompt.focus()
    await bench.press("enter")
    await wait_until(lambda: isinstance(bench.app.screen, TrustScreen))
    await bench.pilot.pause()


@key("trust.choose")
@pytest.mark.parametrize(("downs", "answer"), [(1, "once"), (2, "always")])
async def test_after_a_yes_what_was_sent_goes_on_its_way(downs: int, answer: str) -> None:
    async with chat_app(DUO, size=(80, 24)) as bench:
        await asked(bench)
        on_screen = bench.shown()
        assert "http://elsewhere.example/v1" in on_screen
        assert "OPENAI_API_KEY" in on_screen
        assert not bench.models.asked
        await bench.press(*["down"] * downs, "enter")
        await wait_until(lambda: bench.models.asked["judge"])
        await bench.until_idle()
        assert bench.gateway.answers.get("one") == answer
        assert bench.prompt.text == "", "what was sent does not stand in the prompt as well"
        assert bench.chat.turn is not None
        assert bench.chat.turn.prompt == "What is a moa?"


@key("trust.close")
async def test_going_back_sends_nothing() -> None:
    await _says_no("escape")


@pytest.mark.parametrize("keys", [("enter",), ("y", "a", "o", "enter")])
async def test_keys_typed_before_the_question_say_no_and_lose_nothing(keys: tuple[str, ...]) -> None:
    await _says_no(*keys)


async def _says_no(*keys: str) -> None:
    async with chat_app(DUO, size=(80, 24)) as bench:
        await asked(bench)
        await bench.press(*keys)
        await wait_until(lambda: bench.app.screen is bench.screen)
        assert bench.prompt.text == "What is a moa?"
        assert not bench.models.asked
        assert bench.gateway.answers.get("one") is None
        await bench.press("enter")
        await wait_until(lambda: isinstance(bench.app.screen, TrustScreen))


@key("trust.page_down")
@key("trust.page_up")
async def test_many_servers_are_read_by_pages() -> None:
    async with chat_app(DUO, size=(80, 24)) as bench:
        bench.gateway.untrusted["judge"] = "\n".join(f"  http://server-{number}/v1" for number in range(40))
        await asked(bench)
        assert "Not now" in bench.shown()
        await bench.press("pagedown", "pagedown", "pagedown", "pagedown")
        await bench.until_shown("http://server-39/v1", "Not now")
        await bench.press(*["pageup"] * 4)
        await bench.until_shown("http://server-0/v1", "Not now")


async def test_after_never_it_is_refused_without_a_question() -> None:
    async with chat_app(DUO, size=(80, 24)) as bench:
        await asked(bench)
        await bench.press("down", "down", "down", "enter")
        await wait_until(lambda: bench.app.screen is bench.screen)
        assert bench.prompt.text == "What is a moa?"
        await bench.press("enter")
        await wait_until(lambda: "you answered never" in bench.notices)
        assert bench.app.screen is bench.screen
        assert bench.prompt.text == "What is a moa?"
        assert not bench.models.asked


async def test_a_command_goes_on_after_a_yes_too() -> None:
    async with chat_app(DUO, size=(80, 24)) as bench:
        await bench.ask()
        count = len(bench.models.asked["one"])
        await asked(bench, "/retry 1")
        await bench.press("down", "enter")
        await wait_until(lambda: len(bench.models.asked["one"]) > count)
        await bench.until_idle()
        assert bench.prompt.text == ""


async def test_an_address_that_is_not_the_providers_own_stands_beside_the_prompt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with chat_app(DUO, size=(80, 24)) as bench:
        await bench.until_shown("3 calls")
        assert "to elsewhere.example" not in bench.shown()
        facts = ModelFacts("http://elsewhere.example:8000/v1", prompt_price=0.0, completion_price=0.0)
        monkeypatch.setattr(bench.gateway, "facts", lambda _: facts)
        bench.screen.controllers.labels.renew_estimate()
        await bench.until_shown("to elsewhere.example:8000")
