"""Links: nothing is opened before the whole of it was shown, and look-alikes stand out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from textual.app import App
from textual.widgets import Button, OptionList

from moa_tui.ui.screens.link_screen import LONGEST, LinkListScreen, LinkScreen, destination
from tests.helpers import wait_until
from tests.ui.given import key

if TYPE_CHECKING:
    from textual.pilot import Pilot

UNSET = "the screen is still open"
LINKS = [
    ("the [red]docs[/]", "https://example.com/docs"),
    ("two\nlines\x1b[31m", "mailto:someone@example.org"),
    ("many words " * 30, "https://example.net/" + "x" * 300),
    ("", "https://example.net/"),
]


class Linked(App[None]):
    """An app that keeps what a link screen answers and what is copied."""

    answer: object = UNSET
    copied = ""

    async def ask(self, pilot: Pilot[None], url: str) -> None:
        await self.push_screen(LinkScreen(url), self._answered)
        await pilot.pause()

    async def choose(self, pilot: Pilot[None]) -> None:
        await self.push_screen(LinkListScreen(LINKS), self._answered)
        await pilot.pause()

    def copy_to_clipboard(self, text: str) -> None:
        self.copied = text

    def _answered(self, answer: object) -> None:
        self.answer = answer


def rows(app: App[Any]) -> list[str]:
    """The rows of the screen, without the dialog's frame."""
    return [
        "".join(segment.text for segment in strip).strip(" │")
        for strip in app.screen._compositor.render_strips()
    ]


def buttons(app: App[Any]) -> list[str]:
    return [button.id or "" for button in app.screen.query(Button)]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://example.com/a?b#c", "example.com"),
        ("http://EXAMPLE.com:8080", "example.com"),
        ("https://google.com@evil.example/", "evil.example"),
        ("http://[::1]:8000/", "::1"),
        ("mailto:someone@example.org?subject=hello", "example.org"),
        ("mailto:some%40one@example.org", "example.org"),
    ],
)
def test_the_host_of_a_link_is_where_it_leads(url: str, host: str) -> None:
    assert destination(url).host == host
    assert not destination(url).refused


def test_a_host_in_another_alphabet_is_also_given_in_ascii() -> None:
    assert destination("https://аpple.com/").ascii_host == "xn--pple-43d.com"
    assert destination("https://ｇoogle.com/").ascii_host == "google.com"
    assert destination("https://apple.com/ü").ascii_host == ""


def test_what_stands_before_an_at_sign_is_named_as_a_user() -> None:
    assert destination("https://google.com:x@evil.example/").user == "google.com:x"
    assert destination("mailto:someone@example.org").user == ""


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("javascript:alert(1)", '"javascript"'),
        ("file:///etc/passwd", '"file"'),
        ("example.com", "scheme is none"),
        ("https:example.com", "names no host"),
        ("https:///path", "names no host"),
        ("mailto:nobody", "names no host"),
        ("mailto:a@evil.example,b@example.org", "more than one address"),
        ("mailto:a@evil.example%2cb@example.org", "more than one address"),
        ("https://[::1/", "not a valid link"),
        ("https://evil.example\\@example.com/", "do not belong"),
        ("https://exa%6dple.com/", "do not belong"),
        ("https://example.com/ x", "do not belong"),
        ("https://example.com/\u202egpj", "do not belong"),
        ("https://example.com/\x1b[31m", "do not belong"),
        ("\x01https://example.com/", "do not belong"),
        ("https://exa\nmple.com/", "do not belong"),
        ("https://ü..com/", "cannot be looked up"),
        (f"https://{'ü' * 80}.com/", "cannot be looked up"),
        ("https://example.com/" + "x" * LONGEST, "longer than"),
        ("", "scheme is none"),
    ],
)
def test_a_link_is_refused_when_it(url: str, why: str) -> None:
    assert why in destination(url).refused


async def test_the_whole_link_and_its_host_are_shown_and_cancel_has_the_focus() -> None:
    app = Linked()
    url = "https://user@аpple.com/" + "abcdefghij" * 12 + "[/red]"
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot, url)
        shown = rows(app)
        assert url in "".join(shown)
        assert "host  аpple.com" in shown
        assert any("xn--pple-43d.com" in row for row in shown)
        assert any('"user" before the @' in row for row in shown)
        assert app.focused is app.screen.query_one("#cancel")
        assert buttons(app) == ["open", "copy", "cancel"]


@pytest.mark.parametrize("key", ["enter", "escape"])
async def test_a_key_pressed_too_soon_opens_nothing(key: str) -> None:
    app = Linked()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot, "https://example.com")
        await pilot.press(key)
        await wait_until(lambda: app.answer is False)


@key("link.open", "link.previous", "link.next")
async def test_it_opens_by_a_letter_and_by_its_button() -> None:
    app = Linked()
    async with app.run_test(size=(80, 24)) as pilot:
        for keys in (
            ("o",),
            ("left", "left", "enter"),
            ("left", "left", "right", "left", "enter"),
            ("shift+tab", "shift+tab", "enter"),
        ):
            await app.ask(pilot, "https://example.com")
            await pilot.press(*keys)
            await wait_until(lambda: app.answer is True)


async def test_it_opens_and_cancels_by_mouse() -> None:
    app = Linked()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot, "https://example.com")
        await pilot.click("#open")
        await wait_until(lambda: app.answer is True)
        await app.ask(pilot, "https://example.com")
        await pilot.click("#cancel")
        await wait_until(lambda: app.answer is False)


@key("link.copy")
@pytest.mark.parametrize("key", ["c", "y"])
async def test_copy_sends_the_link_to_the_clipboard_and_opens_nothing(key: str) -> None:
    app = Linked()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot, "https://example.com/[/]")
        await pilot.press(key)
        await wait_until(lambda: app.answer is False)
        assert app.copied == "https://example.com/[/]"
        assert [notice.message for notice in app._notifications] == [
            "the link was sent to the terminal's clipboard"
        ]


@key("link.cancel")
async def test_a_refused_link_has_no_open_button_and_no_key_opens_it() -> None:
    app = Linked()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot, "javascript:alert(1)")
        assert buttons(app) == ["copy", "cancel"]
        assert any("only http, https and mailto" in row for row in rows(app))
        await pilot.press("o")
        await pilot.pause()
        assert app.answer == UNSET
        await pilot.press("escape")
        await wait_until(lambda: app.answer is False)


async def test_characters_that_steer_a_terminal_are_written_out_on_screen_and_in_the_copy() -> None:
    app = Linked()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot, "https://example.com/\u202egpj\x1b]52;c;x\x07\n")
        shown = "".join(rows(app))
        assert "<U+202E>gpj<U+001B>" in shown
        assert shown.isprintable()
        await pilot.press("c")
        await wait_until(lambda: app.answer is False)
        assert app.copied.isprintable()


@key("link.down", "link.up")
async def test_a_long_link_scrolls_and_leaves_the_buttons_on_a_small_screen() -> None:
    app = Linked()
    async with app.run_test(size=(60, 20)) as pilot:
        await app.ask(pilot, "https://user.name.example@аpple.com/" + "x" * 3000)
        for button in app.screen.query(Button):
            assert app.screen.region.contains_region(button.region)
            assert button.parent is not None
            assert app.screen.query_one("#link-dialog").region.contains_region(button.region)
        url = app.screen.query_one("#link-url")
        await pilot.press("down", "down")
        await wait_until(lambda: url.scroll_y == 2)
        await pilot.press("up")
        await wait_until(lambda: url.scroll_y == 1)


async def test_a_link_of_a_million_characters_is_cut_on_screen_and_says_so() -> None:
    app = Linked()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot, "https://example.com/" + "x" * 1_000_000)
        app.screen.query_one("#link-url").scroll_end(animate=False)
        await pilot.pause()
        assert f"and {1_000_020 - LONGEST:,} more characters" in "".join(rows(app))
        assert buttons(app) == ["copy", "cancel"]


async def test_a_link_is_picked_from_the_list_by_keyboard() -> None:
    app = Linked()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.choose(pilot)
        await pilot.press("down", "enter")
        await wait_until(lambda: app.answer == LINKS[1][1])


async def test_a_link_is_picked_from_the_list_by_mouse() -> None:
    app = Linked()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.choose(pilot)
        await pilot.click(OptionList, offset=(3, 1))
        await wait_until(lambda: app.answer == LINKS[0][1])


@key("links.cancel")
async def test_escape_picks_none() -> None:
    app = Linked()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.choose(pilot)
        await pilot.press("escape")
        await wait_until(lambda: app.answer is None)


async def test_each_link_of_the_list_is_two_plain_rows() -> None:
    app = Linked()
    async with app.run_test(size=(60, 20)) as pilot:
        await app.choose(pilot)
        shown = [row for row in rows(app) if row]
        assert shown[1:5] == [LINKS[0][0], LINKS[0][1], "two lines<U+001B>[31m", LINKS[1][1]]
        assert shown[5].startswith("many words many") and shown[5].endswith("…")
        assert shown[6].startswith("https://example.net/xxx") and shown[6].endswith("…")
        assert shown[7:9] == ["https://example.net/"] * 2


async def test_an_empty_list_says_so() -> None:
    app = Linked()
    async with app.run_test(size=(60, 20)) as pilot:
        await app.push_screen(LinkListScreen([]))
        await pilot.pause()
        assert any("There are no links here" in row for row in rows(app))
        await pilot.press("enter", "escape")
        await wait_until(lambda: not isinstance(app.screen, LinkListScreen))
