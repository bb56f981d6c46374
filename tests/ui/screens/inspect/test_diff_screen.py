"""Two answers compared on a screen of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual.app import App

from moa_tui.engine.events import CallEnded, CallStarted, Delta
from moa_tui.engine.values import CallId, Reply
from moa_tui.ui.rows import word_diff
from moa_tui.ui.run.run_view import RunView
from moa_tui.ui.screens.inspect.diff_screen import DiffScreen, default_pair
from moa_tui.ui.widgets.live_text import LiveText
from tests.helpers import recipe, wait_until
from tests.ui.given import key

if TYPE_CHECKING:
    from textual.pilot import Pilot

FINAL = CallId(2, 1)
TEXTS = {
    CallId(1, 1): "the quick brown fox",
    CallId(1, 2): "the slow brown fox",
    CallId(1, 3): "[/] \x1b[31m\u202e" + "日本語 👩‍🚀 " * 30 + "x" * 200_000,
    FINAL: "the quick red fox",
}


def state_of(texts: dict[CallId, str]) -> RunView:
    state = RunView(recipe(["a", "b", "c"], ["judge"]))
    for call, text in texts.items():
        state.take(CallEnded(call, Reply(state.view(call).agent.name, "model", "done", text=text)))
    return state


class DiffApp(App[None]):
    def __init__(self, state: RunView, left: CallId, right: CallId) -> None:
        super().__init__()
        self.wanted = DiffScreen(state, left, right)

    def on_mount(self) -> None:
        self.push_screen(self.wanted)

    def text(self, side: str) -> str:
        return "\n".join(row.content.plain for row in self.side(side).rows)

    def side(self, side: str) -> LiveText:
        return self.wanted.query_one(f"#diff-{side}", LiveText)

    @property
    def head(self) -> str:
        return str(self.wanted.query_one("#diff-head").render())


async def still(pilot: Pilot[None], text: LiveText) -> None:
    await wait_until(lambda: not pilot.app.animator.is_being_animated(text, "scroll_y"))
    await pilot.pause()


def test_a_call_is_compared_with_the_final_answer_and_that_with_what_it_was_made_from() -> None:
    state = state_of({})
    assert default_pair(state, CallId(1, 2)) == (CallId(1, 2), FINAL)
    assert default_pair(state, FINAL) == (CallId(1, 1), FINAL)


async def test_a_wide_terminal_shows_the_sides_beside_each_other() -> None:
    app = DiffApp(state_of(TEXTS), CallId(1, 1), FINAL)
    async with app.run_test(size=(120, 40)):
        await wait_until(lambda: app.text("right"))
        assert app.text("left") == "the quick [-brown-] fox"
        assert app.text("right") == "the quick {+red+} fox"
        assert app.side("right").display
        assert "L1 1 a ✓ done" in str(app.side("left").border_title)
        assert "Final judge" in str(app.side("right").border_title)
        assert "75 %" in app.head
        assert "1 word only left" in app.head


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (99, 30)])
async def test_a_narrow_terminal_shows_both_in_one_column(size: tuple[int, int]) -> None:
    app = DiffApp(state_of(TEXTS), CallId(1, 1), FINAL)
    async with app.run_test(size=size):
        await wait_until(lambda: "fox" in app.text("left"))
        assert app.text("left") == "the quick [-brown-] {+red+} fox"
        assert not app.side("right").display
        title = str(app.side("left").border_title)
        assert "1 a" in title
        assert "judge" in title
        assert isinstance(app.focused, LiveText)


async def test_resizing_changes_between_one_column_and_two() -> None:
    app = DiffApp(state_of(TEXTS), CallId(1, 1), FINAL)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(lambda: "{+red+}" in app.text("left"))
        await pilot.resize_terminal(120, 40)
        await wait_until(lambda: "{+red+}" in app.text("right") and "{+red+}" not in app.text("left"))
        await pilot.resize_terminal(70, 20)
        await wait_until(lambda: "{+red+}" in app.text("left"))


@key("diff.left_next", "diff.left_previous", "diff.right_previous", "diff.swap")
async def test_the_arrows_choose_whose_answers_are_compared_and_never_one_with_itself() -> None:
    app = DiffApp(state_of(TEXTS), CallId(1, 1), FINAL)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("right")
        await wait_until(lambda: app.text("left") == "the [-slow brown-] fox")
        await pilot.press("left", "left")
        assert app.wanted.calls == {"left": CallId(1, 3), "right": FINAL}
        await pilot.press("right", "shift+left")
        assert app.wanted.calls == {"left": CallId(1, 1), "right": CallId(1, 3)}
        await pilot.press("shift+left", "x")
        assert app.wanted.calls == {"left": CallId(1, 2), "right": CallId(1, 1)}
        await wait_until(lambda: app.text("right") == "the {+quick+} brown fox")


@pytest.mark.parametrize("side", ["left", "right"])
async def test_the_sides_scroll_together(side: str) -> None:
    long = "\n".join(f"line {number}" for number in range(200))
    app = DiffApp(state_of({CallId(1, 1): long, FINAL: long + "\nmore"}), CallId(1, 1), FINAL)
    async with app.run_test(size=(120, 30)) as pilot:
        await wait_until(lambda: "more" in app.text("right"))
        app.side(side).focus()
        await pilot.press("pagedown")
        await wait_until(lambda: app.side(side).scroll_y > 0)
        await still(pilot, app.side(side))
        assert app.side("left").scroll_y == app.side("right").scroll_y > 0
        await pilot.press("end")
        await still(pilot, app.side(side))
        await wait_until(lambda: app.side(side).scroll_y == app.side(side).max_scroll_y)
        assert app.side("left").scroll_y == app.side("right").scroll_y


async def test_a_hostile_text_is_shown_as_text() -> None:
    app = DiffApp(state_of(TEXTS), CallId(1, 3), FINAL)
    async with app.run_test(size=(120, 40)):
        await wait_until(lambda: "x" * 20 in app.text("left"))
        assert "[/]" in app.text("left")
        assert "\x1b" not in app.text("left")
        assert "\u202e" not in app.text("left")


async def test_text_that_is_still_written_is_compared_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moa_tui.ui.screens.inspect.diff_screen._SECONDS_BETWEEN_TEXTS", 0.05)
    state = state_of({CallId(1, 1): "the quick brown fox"})
    app = DiffApp(state, CallId(1, 1), FINAL)
    async with app.run_test(size=(120, 40)):
        await wait_until(lambda: "nothing written yet by Final judge" in app.head)
        state.take(CallStarted(FINAL, state.recipe.lineup[1][0], (), 0.0))
        state.take(Delta(FINAL, "text", "the quick"))
        await wait_until(lambda: app.text("right") == "the quick")
        state.take(Delta(FINAL, "text", " red fox"))
        await wait_until(lambda: "{+red+}" in app.text("right"))


async def test_other_sides_are_told_even_where_their_texts_are_alike() -> None:
    app = DiffApp(state_of({}), CallId(1, 1), FINAL)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_until(lambda: "nothing written yet by L1 1 a" in app.head)
        await pilot.press("right")
        await wait_until(lambda: "nothing written yet by L1 2 b" in app.head)


@key("diff.right_next")
async def test_a_run_of_one_agent_has_nothing_to_compare() -> None:
    state = RunView(recipe(["a"]))
    app = DiffApp(state, *default_pair(state, CallId(1, 1)))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(lambda: "one agent" in app.head)
        await pilot.press("right", "shift+right", "x", "escape")
        await wait_until(lambda: app.screen is not app.wanted)


async def test_texts_too_different_to_compare_are_shown_with_a_word_about_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(word_diff, "_MOST_SECONDS", 0.0)
    texts = {CallId(1, 1): " ".join(map(str, range(100))), FINAL: " ".join(map(str, range(50, 150)))}
    app = DiffApp(state_of(texts), CallId(1, 1), FINAL)
    async with app.run_test(size=(160, 40)):
        await wait_until(lambda: app.text("right"))
        assert "too different to compare every word · at least 0 %" in app.head
