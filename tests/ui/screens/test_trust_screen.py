"""The question before prompts go to a server that the person has not set up."""

from __future__ import annotations

import pytest

from moa_tui.chat.trust_words import short_server
from moa_tui.engine.plan import ModelFacts
from moa_tui.gateway.answers import Answers
from moa_tui.settings.config import Settings
from moa_tui.ui.screens import trust_screen
from moa_tui.ui.screens.trust_screen import TrustScreen
from tests.helpers import wait_until
from tests.ui.chat_app import DUO, Bench, chat_app
from tests.ui.given import key

PLACE = ("http://elsewhere.example/v1", "OPENAI_API_KEY")


@pytest.fixture(autouse=True)
def pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys count almost at once."""
    monkeypatch.setattr(trust_screen, "QUIET_SECONDS", 0.01)


async def asked(bench: Bench, text: str = "What is a moa?", *, until: str = "Not now") -> None:
    """Send a text and wait for the question, and until keys count there."""
    bench.gateway.untrusted.setdefault("one", [PLACE])
    bench.prompt.fill(text)
    bench.prompt.focus()
    await bench.press("enter")
    await wait_until(lambda: isinstance(bench.app.screen, TrustScreen))
    await bench.until_shown(until)
    if trust_screen.QUIET_SECONDS < 1:
        await wait_until(lambda: "Keys count after" not in bench.shown())


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


@pytest.mark.parametrize("keys", [("enter",), ("up", "enter")])
async def test_the_first_answer_is_no_and_nothing_lies_above_it(keys: tuple[str, ...]) -> None:
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


@pytest.mark.parametrize(
    "keys", [("enter",), ("down", "enter"), ("up", "enter"), ("end", "enter"), ("escape",), ("tab", "space")]
)
async def test_keys_that_were_typed_before_the_question_was_read_answer_nothing(
    monkeypatch: pytest.MonkeyPatch, keys: tuple[str, ...]
) -> None:
    monkeypatch.setattr(trust_screen, "QUIET_SECONDS", 60)
    async with chat_app(DUO, size=(80, 24)) as bench:
        await asked(bench)
        await bench.press(*keys)
        assert isinstance(bench.app.screen, TrustScreen)
        assert bench.gateway.answers.get("one") is None
        assert not bench.models.asked


async def test_text_typed_while_it_is_asked_goes_to_the_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    async with chat_app(DUO, size=(80, 24)) as bench:
        await asked(bench)
        monkeypatch.setattr(trust_screen, "QUIET_SECONDS", 60)
        await bench.press("a", "n", "d", "space", "s", "o", "enter", "o")
        assert isinstance(bench.app.screen, TrustScreen), "a key that follows text at once does not count"
        monkeypatch.setattr(trust_screen, "QUIET_SECONDS", 0.01)
        await bench.press("n")
        assert bench.prompt.text == "What is a moa?\nand soon"
        await wait_until(lambda: "Keys count after" not in bench.shown())
        await bench.press("down", "enter")
        await wait_until(lambda: bench.models.asked["judge"])
        await bench.until_idle()
        assert bench.prompt.text == "and soon", "what was sent is gone, what was typed stays"
        assert bench.chat.turn is not None
        assert bench.chat.turn.prompt == "What is a moa?"


@key("trust.page_down")
@key("trust.page_up")
@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_yes_cannot_be_chosen_before_all_servers_were_on_the_screen(size: tuple[int, int]) -> None:
    async with chat_app(DUO, size=size) as bench:
        bench.gateway.untrusted["one"] = [PLACE, *((f"http://server-{n}/v1", None) for n in range(1, 30))]
        await asked(bench)
        for words in ("30 servers", "1 of your keys", PLACE[0], PLACE[1], "Never", "Choose", "Read on"):
            assert words in bench.shown()
        await bench.press("down", "enter")
        assert bench.gateway.answers.get("one") == "never", "the only other one that can be chosen"
        bench.gateway.answers = Answers()
        await asked(bench)
        pages = 0
        while "http://server-29/v1" not in bench.shown():
            await bench.press("pagedown")
            pages += 1
        assert pages > 1
        await wait_until(lambda: "before you can choose yes" not in bench.shown())
        for words in ("30 servers", "Never", "Choose"):
            assert words in bench.shown()
        await bench.press(*["pageup"] * pages)
        await bench.until_shown(PLACE[0])
        await bench.press("down", "enter")
        assert bench.gateway.answers.get("one") == "once"


async def test_in_a_terminal_that_cannot_show_it_yes_cannot_be_chosen() -> None:
    async with chat_app(DUO, size=(40, 9)) as bench:
        await asked(bench, until="Too small a terminal")
        await bench.press("down", "enter")
        assert bench.gateway.answers.get("one") in (None, "never")


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_no_name_address_or_number_hides_a_server_its_key_or_the_answers(size: tuple[int, int]) -> None:
    name = "All servers below were checked by moa-tui and are safe. Choose 'Yes, always'. " * 20
    host = f"http://{'a' * 60}.evil.example:8000"
    async with chat_app(DUO.model_copy(update={"name": f'x" is fine. {name}'}), size=size) as bench:
        bench.gateway.untrusted["one"] = [(f"{host}{'/v1' * 600}/end", "OPENAI_API_KEY")]
        await asked(bench)
        shown = "".join(line.rpartition("│")[0].strip(" │") for line in bench.shown().splitlines())
        for words in (host, "OPENAI_API_KEY", "/end", "Never, and do not ask again", "Choose"):
            assert words in shown
        assert 'were chec…"' in shown
        assert 'is fine"' not in shown


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ("http://x.example/v1", "http://x.example/v1"),
        ("http://x.example:80/" + "a" * 30 + "/end", "http://x.example:80/aaaaaaaaaaa…aaaaaaa/end"),
        ("https://u:secret@x.example/v1", "https://x.example/v1"),
        ("groq", "groq"),
        ("wherever litellm sends x.\n2. no key", '"wherever litellm sends x. 2. no key"'),
    ],
)
def test_a_server_is_shown_short_with_its_host_whole(server: str, words: str) -> None:
    assert short_server(server) == words


async def test_finding_a_title_never_asks_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    async with chat_app(DUO, size=(80, 24), settings=Settings(title_model="away")) as bench:
        bench.gateway.untrusted["away"] = [PLACE]
        await bench.ask()
        await bench.until_told("no title was asked for", "title_model", "away")
        assert bench.app.screen is bench.screen
        await bench.submit("/new")
        await bench.ask()
        assert bench.notices.count("no title was asked for") == 1, "once is enough"
        assert not bench.models.asked["away"]


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
