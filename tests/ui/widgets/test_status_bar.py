"""The line at the bottom: its numbers are painted a few times a second, and the last of them always."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App

from moa_tui.ui.widgets import status_bar
from moa_tui.ui.widgets.status_bar import StatusBar
from tests.helpers import wait_until

if TYPE_CHECKING:
    import pytest
    from textual.app import ComposeResult
    from textual.content import Content


class Counted(StatusBar):
    """Counts how often it is painted."""

    painted = 0

    def render(self) -> Content:
        self.painted += 1
        return super().render()


class Host(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.bar = Counted()

    def compose(self) -> ComposeResult:
        yield self.bar


async def test_numbers_that_change_at_once_are_painted_once_and_the_last_ones_in_the_end() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.pause()
        before = app.bar.painted
        for number in range(100):
            app.bar.show([f"~{number} tok"])
            await pilot.pause(0)
        assert app.bar.painted <= before + 2
        await wait_until(lambda: "~99 tok" in str(app.bar.render()))


async def test_numbers_after_a_rest_are_painted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_bar, "_PAINTED_AGAIN_AFTER_SECONDS", 0.001)
    app = Host()
    async with app.run_test() as pilot:
        for number in range(3):
            app.bar.show([f"~{number} tok"])
            assert f"~{number} tok" in str(app.bar.render())
            await wait_until(lambda: app.bar._rest is None)
        await pilot.pause()
        before = app.bar.painted
        app.bar.show(["~2 tok"])
        await pilot.pause()
        assert app.bar.painted == before


async def test_other_numbers_than_before_do_not_wait() -> None:
    app = Host()
    async with app.run_test():
        app.bar.show(["layer 1", "3 s"])
        app.bar.show([])
        assert "layer" not in str(app.bar.render())
