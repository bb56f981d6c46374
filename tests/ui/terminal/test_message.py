"""Messages are frozen in what they say, and Textual can still note in them where they have been."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import TYPE_CHECKING

import pytest
from textual import on
from textual.app import App
from textual.containers import Container
from textual.message import Message
from textual.widget import Widget

from moa_tui.ui.terminal.message import frozen_message
from moa_tui.ui.widgets.agent_pane import AgentPane
from moa_tui.ui.widgets.choice_line import ChoiceLine
from tests.helpers import wait_until

if TYPE_CHECKING:
    from textual.app import ComposeResult


class Bell(Widget):
    """Says how often it rings."""

    @frozen_message
    class Rung(Message):
        """The bell was rung."""

        times: int
        tone: str = "low"
        bell: Bell | None = None

        @property
        def control(self) -> Bell | None:
            return self.bell

    @frozen_message
    class Muffled(Message, bubble=False):
        """Nobody but the bell hears this."""

        times: int


class Tower(Container):
    """Keeps what it hears from everything above it, once it `is_closed`."""

    def __init__(self, *children: Widget) -> None:
        super().__init__(*children)
        self.is_closed = False
        self.heard: list[Bell.Rung] = []

    def on_bell_rung(self, event: Bell.Rung) -> None:
        self.heard.append(event)
        if self.is_closed:
            event.stop()

    def on_bell_muffled(self) -> None:
        pytest.fail("a message that does not bubble came to the parent")


class Town(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Bell.Rung] = []
        self.heard_of_great: list[Bell.Rung] = []

    def compose(self) -> ComposeResult:
        yield Tower(Bell(id="great"), Bell(id="small"))

    def on_bell_rung(self, event: Bell.Rung) -> None:
        self.heard.append(event)

    @on(Bell.Rung, "#great")
    def of_great(self, event: Bell.Rung) -> None:
        self.heard_of_great.append(event)


# Fields


def test_a_message_holds_what_it_was_made_with() -> None:
    event = Bell.Rung(3, tone="high")
    assert (event.times, event.tone, event.bell) == (3, "high", None)
    assert [field.name for field in fields(event)] == ["times", "tone", "bell"]


def test_a_field_cannot_be_set_again_and_keeps_its_value() -> None:
    event = Bell.Rung(3)
    with pytest.raises(FrozenInstanceError, match="times"):
        event.times = 4  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="tone"):
        event.tone = "high"  # type: ignore[misc]
    assert (event.times, event.tone) == (3, "low")


def test_a_field_that_is_left_out_or_unknown_is_an_error() -> None:
    with pytest.raises(TypeError, match="times"):
        Bell.Rung()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="loud"):
        Bell.Rung(1, loud=True)  # type: ignore[call-arg]


def test_two_messages_that_say_the_same_are_two() -> None:
    first, second = Bell.Rung(1), Bell.Rung(1)
    assert first != second
    assert len({first, second}) == 2


# Textual's bookkeeping


def test_the_handler_is_named_after_the_widget_and_the_message() -> None:
    assert Bell.Rung.handler_name == "on_bell_rung"
    assert AgentPane.InspectRequested.handler_name == "on_agent_pane_inspect_requested"
    assert ChoiceLine.Changed.handler_name == "on_choice_line_changed"


def test_a_message_is_made_with_its_time_and_unmarked() -> None:
    event = Bell.Rung(1)
    assert event.time > 0
    assert not event.is_forwarded


def test_what_textual_notes_in_a_message_can_be_set_and_set_again() -> None:
    event = Bell.Rung(1)
    assert event.stop() is event
    assert event.stop(False) is event
    assert event.prevent_default() is event
    assert event.set_sender(Bell()) is event
    event._set_forwarded()
    assert event.is_forwarded
    event.time = 1.0
    assert event.time == 1.0


async def test_a_message_bubbles_to_the_parent_and_the_app_as_the_object_that_was_posted() -> None:
    app = Town()
    async with app.run_test():
        event = Bell.Rung(2)
        app.query_one("#small", Bell).post_message(event)
        await wait_until(lambda: app.heard)
        assert app.query_one(Tower).heard == [event]
        assert app.heard == [event]


async def test_a_message_that_is_stopped_goes_no_further() -> None:
    app = Town()
    async with app.run_test() as pilot:
        tower = app.query_one(Tower)
        tower.is_closed = True
        app.query_one("#small", Bell).post_message(Bell.Rung(2))
        await wait_until(lambda: tower.heard)
        await pilot.pause()
        tower.is_closed = False
        app.query_one("#small", Bell).post_message(Bell.Rung(3))
        await wait_until(lambda: app.heard)
        assert [event.times for event in app.heard] == [3]


async def test_a_message_that_does_not_bubble_stays_with_its_widget() -> None:
    app = Town()
    async with app.run_test():
        assert not Bell.Muffled.bubble
        small = app.query_one("#small", Bell)
        small.post_message(Bell.Muffled(1))
        small.post_message(Bell.Rung(1))
        await wait_until(lambda: app.heard)


async def test_a_handler_can_choose_by_the_control_that_a_field_names() -> None:
    app = Town()
    async with app.run_test():
        for name in ("#great", "#small"):
            bell = app.query_one(name, Bell)
            bell.post_message(Bell.Rung(1, bell=bell))
        await wait_until(lambda: len(app.heard) == 2)
        assert [event.bell and event.bell.id for event in app.heard_of_great] == ["great"]
