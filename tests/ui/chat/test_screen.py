"""Every key of the chat does what it says, and what is typed is never lost."""

from __future__ import annotations

import asyncio
import shlex
import sys
from typing import TYPE_CHECKING, Any

import pytest
from textual import events
from textual.command import CommandList, CommandPalette
from textual.widgets import Input, Static

from moa_tui.engine.values import CallId, Chunk
from moa_tui.errors import ModelError
from moa_tui.settings import paths, screen_choices
from moa_tui.settings.config import Settings
from moa_tui.ui import keymap
from moa_tui.ui.app import MoaApp
from moa_tui.ui.chat.screen import ChatScreen
from moa_tui.ui.screens.help_screen import HelpScreen
from moa_tui.ui.screens.history_screen import HistoryScreen
from moa_tui.ui.screens.inspect.inspector_screen import InspectorScreen
from moa_tui.ui.screens.link_screen import LinkListScreen, LinkScreen
from moa_tui.ui.screens.recipes.recipe_screen import RecipeScreen
from moa_tui.ui.widgets.agent_pane import AgentPane
from moa_tui.ui.widgets.find_bar import FindBar
from moa_tui.ui.widgets.run_panel import RunPanel
from moa_tui.ui.widgets.turn_view import TurnView
from tests.helpers import recipe, wait_until
from tests.ui.chat_app import ALONE, FORBIDDEN, HOSTILE, TRIO, chat_app, past_turn, static_text
from tests.ui.given import key

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ui.chat_app import Bench

LONG = "\n\n".join(f"Paragraph {number} of the answer." for number in range(60))
STAY = Settings(keep_panes_open=True)

# Sending


async def test_what_is_typed_in_a_burst_while_a_turn_has_the_keys_is_all_in_the_prompt() -> None:
    async with chat_app(ALONE) as bench:
        await bench.ask("first")
        bench.turn.focus()
        await bench.settle()
        for letter in "xeyobcf1":
            pressed = events.Key(letter, letter)
            pressed.set_sender(bench.app)
            bench.app.post_message(pressed)
        await wait_until(lambda: bench.prompt.text == "xeyobcf1")
        assert bench.copied == []


async def test_enter_sends_what_is_typed_and_every_model_is_asked() -> None:
    async with chat_app() as bench:
        await bench.press("h", "i")
        assert bench.prompt.text == "hi"
        await bench.press("enter")
        await bench.until_idle()
        assert bench.prompt.text == ""
        assert [message["content"] for message in bench.models.asked["one"][0]] == ["hi"]
        assert sorted(bench.models.asked) == ["judge", "one", "two"]
        assert bench.chat.turn is not None
        assert bench.chat.turn.prompt == "hi"
        await bench.until_shown("You", "hi", "judge says 1", "2 of 2 used · 3 of 3 calls")


async def test_a_prompt_of_only_spaces_is_not_sent() -> None:
    async with chat_app() as bench:
        await bench.submit("   \n  ")
        assert not bench.models.asked
        assert bench.session.run is None


async def test_the_next_question_carries_the_conversation() -> None:
    async with chat_app(ALONE) as bench:
        await bench.ask("first")
        await bench.ask("second")
        sent = [message["content"] for message in bench.models.asked["alone"][1]]
        assert sent == ["first", "alone says 1", "second"]


@key("run.stop")
async def test_escape_stops_the_run_and_keeps_every_text() -> None:
    gate = asyncio.Event()
    async with chat_app(one=[["Moas are birds", gate]], two=[["Moas were tall"]]) as bench:
        await bench.submit("What is a moa?")
        await bench.until_writing("one")
        await bench.press("escape")
        await bench.until_idle()
        outcome = bench.run.outcome
        assert outcome is not None
        assert outcome.status == "stopped"
        assert outcome.replies[CallId(1, 1)].text == "Moas are birds"
        assert outcome.replies[CallId(1, 2)].text == "Moas were tall"
        assert bench.models.open == 0
        await bench.until_shown("■ stopped", "stopped by hand")


async def test_escape_keeps_the_part_of_the_answer_that_was_written() -> None:
    gate = asyncio.Event()
    async with chat_app(ALONE, alone=[["Half an answer", gate]]) as bench:
        await bench.submit("What is a moa?")
        await bench.until_shown("Half an answer")
        await bench.press("escape")
        await bench.until_idle()
        await bench.until_shown("Half an answer", "■ stopped")
        assert bench.chat.turn is not None
        assert bench.chat.turn.outcome is not None
        assert bench.chat.turn.outcome.answer == "Half an answer"


async def test_a_message_sent_during_a_run_is_shown_waiting_and_goes_when_the_run_is_over() -> None:
    gate = asyncio.Event()
    async with chat_app(ALONE, alone=[["one", gate], ["two"]]) as bench:
        await bench.submit("first")
        await bench.until_writing("alone")
        await bench.submit("second")
        await bench.until_shown("waits: second")
        assert bench.prompt.text == ""
        assert len(bench.models.asked["alone"]) == 1
        bench.open(gate)
        await bench.until_idle()
        assert [turn.prompt for turn in bench.transcript.turns] == ["first", "second"]
        assert bench.models.asked["alone"][1][-1]["content"] == "second"
        assert bench.queue == ""


async def test_escape_takes_the_waiting_message_back_first_and_stops_the_run_after_that() -> None:
    gate = asyncio.Event()
    async with chat_app(ALONE, alone=[["one", gate]]) as bench:
        await bench.submit("first")
        await bench.until_writing("alone")
        await bench.submit("second")
        await bench.submit("third")
        await bench.until_shown("waits: second", "waits: third  (Esc takes it back)")
        await bench.press("escape")
        assert bench.prompt.text == "third"
        assert bench.prompt.has_focus
        await bench.press("escape")
        assert bench.prompt.text == "second\nthird"
        assert bench.session.run is not None
        assert bench.queue == ""
        await bench.press("escape")
        await bench.until_idle()
        assert bench.run.outcome is not None
        assert bench.run.outcome.status == "stopped"
        assert bench.prompt.text == "second\nthird"


async def test_what_waited_goes_back_to_the_prompt_when_the_run_came_to_no_answer() -> None:
    gate = asyncio.Event()
    failing = [gate, ModelError("auth", "the key is wrong", 401)]
    async with chat_app(ALONE, alone=[failing]) as bench:
        await bench.submit("first")
        await wait_until(lambda: bench.models.open)
        await bench.submit("second")
        await bench.submit("third")
        bench.prompt.fill("typing on")
        bench.open(gate)
        await bench.until_idle()
        assert bench.prompt.text == "second\nthird\ntyping on"
        assert len(bench.models.asked["alone"]) == 1
        assert "back in the prompt" in bench.notices
        await bench.until_shown("the key is wrong", "✗ no answer")


async def test_a_missing_key_keeps_the_prompt_and_names_the_variable() -> None:
    async with chat_app(missing={"two": "TWO_API_KEY"}) as bench:
        await bench.submit("What is a moa?")
        await bench.until_told("TWO_API_KEY")
        assert bench.prompt.text == "What is a moa?"
        assert not bench.models.asked
        assert bench.app.notices[-1].severity == "error"
        assert bench.screen.has_class("-empty")
        bench.gateway.missing.clear()
        await bench.press("enter")
        await bench.until_idle()
        await bench.until_shown("judge says 1")


async def test_a_key_found_missing_only_as_the_run_begins_puts_the_prompt_back() -> None:
    async with chat_app() as bench:
        await bench.ask("before")
        bench.gateway.fails = ModelError("auth", "TWO_API_KEY is not set", None)
        await bench.submit("What is a moa?")
        await bench.until_told("TWO_API_KEY is not set")
        await bench.until_idle()
        assert bench.prompt.text == "What is a moa?"
        assert [turn.prompt for turn in bench.transcript.turns] == ["before"]
        assert bench.chat.turn is not None
        assert bench.chat.turn.prompt == "before"


async def test_a_message_that_cannot_be_sent_after_the_run_does_not_keep_those_behind_it_waiting() -> None:
    gate = asyncio.Event()
    async with chat_app(ALONE, alone=[["one", gate]]) as bench:
        await bench.submit("first")
        await bench.until_writing("alone")
        await bench.submit("second")
        await bench.submit("third")
        bench.gateway.missing["alone"] = "ALONE_KEY"
        bench.open(gate)
        await wait_until(lambda: bench.session.run is None)
        await bench.until_told("ALONE_KEY")
        await wait_until(lambda: not bench.session.queue)
        assert bench.prompt.text == "second\nthird"
        assert bench.queue == ""


async def test_a_run_stopped_before_it_began_leaves_everything_as_it_was() -> None:
    async with chat_app() as bench:
        bench.gateway.ready = asyncio.Event()
        await bench.submit("What is a moa?")
        await bench.until_shown("getting ready")
        await bench.press("escape")
        await bench.until_idle()
        assert bench.prompt.text == "What is a moa?"
        assert bench.transcript.turns == []
        assert bench.screen.has_class("-empty")
        assert not bench.is_open
        assert not bench.models.asked
        assert bench.chat.turn is None
        await bench.until_shown("moa-tui", "Several models answer")
        await bench.press("ctrl+o")
        assert bench.app.screen is bench.screen
        await bench.press("ctrl+l")
        assert not bench.is_open


async def test_a_retry_stopped_before_it_began_leaves_the_last_turn_in_its_place() -> None:
    async with chat_app() as bench:
        await bench.ask("first")
        bench.gateway.ready = asyncio.Event()
        await bench.submit("/retry")
        await bench.until_shown("getting ready")
        await bench.press("escape")
        await bench.until_idle()
        assert len(bench.transcript.turns) == 1
        assert bench.turn.place == (1, 1)
        assert "‹" not in bench.shown()
        assert bench.run is bench.turn.run


@key("run.proceed")
async def test_ctrl_g_goes_on_with_the_answers_that_are_ready() -> None:
    gate = asyncio.Event()
    async with chat_app(one=[["a slow answer", gate]], two=[["ready"]]) as bench:
        await bench.submit("What is a moa?")
        await bench.until_writing("one")
        await wait_until(lambda: bench.run.layers[0][1].over)
        await bench.press("ctrl+g")
        await bench.until_idle()
        assert bench.run.layers[0][0].state == "stopped"
        assert bench.run.outcome is not None
        assert bench.run.outcome.status == "done"
        sent = "".join(message["content"] for message in bench.models.asked["judge"][0])
        assert "ready" in sent
        assert "a slow answer" not in sent


async def test_keys_that_steer_a_run_are_offered_only_while_there_is_one() -> None:
    gate = asyncio.Event()
    async with chat_app(one=[["x", gate]], size=(120, 30)) as bench:
        await bench.settle()
        assert "stop" not in bench.shown().splitlines()[-1]
        await bench.submit("hi")
        await bench.until_writing("one")
        assert "esc stop" in bench.shown().splitlines()[-1]
        assert "^g go on now" in bench.shown().splitlines()[-1]
        bench.open(gate)
        await bench.until_idle()
        assert "stop" not in bench.shown().splitlines()[-1]


# Panes


@key("run.inspect")
async def test_ctrl_o_inspects_the_focused_pane_or_else_the_answer() -> None:
    async with chat_app(size=(120, 40), settings=STAY) as bench:
        await bench.ask()
        bench.panel.pick(1)
        await bench.settle()
        bench.panes[1].focus()
        await bench.press("ctrl+o")
        await bench.until_shown("two says 1")
        await bench.press("escape")
        assert bench.app.screen is bench.screen
        bench.screen.view.open_panel(False)
        for widget in (bench.prompt, bench.turn):
            widget.focus()
            await bench.press("ctrl+o")
            assert isinstance(bench.app.screen, InspectorScreen)
            await bench.until_shown("judge says 1", "Final 1 of 1")
            await bench.press("escape")


@key("pane.inspect")
async def test_enter_and_a_double_click_on_a_pane_inspect_its_agent() -> None:
    async with chat_app(size=(120, 40), settings=STAY) as bench:
        await bench.ask()
        bench.panel.pick(1)
        await bench.settle()
        bench.panes[0].focus()
        await bench.press("enter")
        assert isinstance(bench.app.screen, InspectorScreen)
        await bench.until_shown("one says 1")
        await bench.press("escape")
        await bench.pilot.click(bench.panes[1], offset=(5, 2), times=2)
        await bench.settle()
        assert isinstance(bench.app.screen, InspectorScreen)
        await bench.until_shown("two says 1")


@key("pane.stop")
async def test_s_on_a_pane_stops_that_agent_and_the_run_goes_on() -> None:
    gate = asyncio.Event()
    async with chat_app(size=(120, 40), one=[["half", gate]], two=[["whole", gate]]) as bench:
        await bench.submit("What is a moa?")
        await bench.until_writing("one", "two")
        bench.panes[0].focus()
        await bench.press("s")
        await wait_until(lambda: bench.run.layers[0][0].over)
        assert bench.run.layers[0][0].state == "stopped"
        assert not bench.run.layers[0][1].over
        await bench.until_shown("■ stopped", "half")
        bench.open(gate)
        await bench.until_idle()
        assert bench.run.outcome is not None
        assert bench.run.outcome.status == "done"


async def test_s_on_a_past_turns_pane_does_not_stop_the_run_that_goes_on() -> None:
    gate = asyncio.Event()
    async with chat_app(size=(120, 40), one=[["first"], ["half", gate]]) as bench:
        await bench.ask("first")
        await bench.submit("second")
        await bench.until_writing("one")
        bench.transcript.views[0].focus()
        await bench.press("enter")
        bench.panel.pick(1)
        await bench.settle()
        bench.panes[0].focus()
        await bench.press("s")
        await bench.settle()
        assert not bench.run.layers[0][0].over
        bench.open(gate)
        await bench.until_idle()
        assert bench.run.layers[0][0].state == "done"


@key("pane.copy")
async def test_y_on_a_pane_copies_what_it_shows() -> None:
    thinking = [Chunk("reasoning", "let me think"), "an *answer*"]
    async with chat_app(size=(120, 40), settings=STAY, one=[thinking]) as bench:
        await bench.ask()
        bench.panel.pick(1)
        await bench.settle()
        bench.panes[0].focus()
        await bench.press("y")
        await wait_until(lambda: bench.copied == ["an *answer*"])
        await bench.press("ctrl+t")
        await bench.press("y")
        await wait_until(lambda: bench.copied == ["an *answer*", "let me think"])
        bench.panes[1].focus()
        await bench.press("y")
        await bench.until_told("there is nothing to copy yet")


async def test_a_letter_that_a_pane_or_a_turn_has_no_use_for_is_typed_into_the_prompt() -> None:
    async with chat_app(size=(120, 40), settings=STAY) as bench:
        await bench.ask()
        bench.panes[0].focus()
        await bench.press("w", "h", "y")
        assert bench.prompt.text == "why"
        assert bench.prompt.has_focus
        bench.turn.focus()
        await bench.press("?")
        assert bench.prompt.text == "why?"
        assert bench.copied == []


@key("run.panes")
async def test_ctrl_l_goes_through_the_ways_to_divide_the_room() -> None:
    async with chat_app(size=(120, 40)) as bench:
        await bench.press("ctrl+l")
        assert not bench.is_open
        await bench.ask()
        bench.screen.view.open_panel(False)
        chat = bench.screen.query_one("#chat")
        await bench.press("ctrl+l")
        assert bench.is_open
        assert bench.screen.view.body.mode == "automatic", "closed panes open as they were"
        await wait_until(lambda: bench.panel.has_focus_within)
        await bench.press("ctrl+l")
        await bench.until_shown("half the screen")
        assert abs(chat.region.height - bench.panel.region.height) <= 1
        await bench.press("ctrl+l")
        await bench.until_shown("panes alone")
        assert not chat.display
        assert bench.panel.region.height == bench.screen.view.body.region.height
        await bench.press("ctrl+l")
        assert not bench.is_open
        assert chat.region.height == bench.screen.view.body.region.height
        assert bench.prompt.has_focus
        await bench.until_told("the panes stay closed")
        await bench.ask("again")
        assert not bench.is_open
        await bench.press("ctrl+l")
        assert bench.is_open
        assert bench.screen.view.body.mode == "automatic"


@pytest.mark.parametrize("size", [(80, 24), (220, 60)])
async def test_panes_alone_give_way_to_the_answer_also_where_they_stand_beside_the_chat(
    size: tuple[int, int],
) -> None:
    async with chat_app(size=size, judge=[["Feed it weekly."]]) as bench:
        bench.screen.view.body.set_mode("panes")
        await bench.ask()
        await bench.until_shown("Feed it weekly.")
        assert not bench.is_open


@pytest.mark.parametrize("pressed", ["ctrl+up", "f3"])
async def test_who_goes_into_the_conversation_sees_it_where_panes_had_all_the_room(pressed: str) -> None:
    gate = asyncio.Event()
    async with chat_app(size=(80, 24), one=[["first", gate]]) as bench:
        await bench.submit("What is a moa?")
        await bench.until_writing("one")
        chat = bench.screen.query_one("#chat")
        bench.panes[0].focus()
        await bench.press("z")
        assert not chat.display
        await bench.press(pressed)
        await bench.until_shown("layer 1 of 2")
        assert bench.is_open
        bench.screen.view.body.set_mode("panes")
        await wait_until(lambda: not chat.display)
        bench.prompt.focus()
        await bench.press(pressed)
        await bench.until_shown("layer 1 of 2")
        bench.open(gate)
        await bench.until_idle()


async def test_the_way_to_divide_the_room_is_kept_and_the_config_is_left_alone() -> None:
    async with chat_app(size=(120, 40)) as bench:
        await bench.ask()
        await bench.press("ctrl+l", "ctrl+l")
        await wait_until(lambda: screen_choices.read_room() == "half")
    assert not paths.config_file().exists()
    async with chat_app(size=(120, 40)) as bench:
        await wait_until(lambda: bench.screen.view.body.mode == "half")


@pytest.mark.parametrize("kept", ["", "sideways\n", "\0" * 100_000])
async def test_a_kept_way_that_is_none_is_left_alone(kept: str) -> None:
    paths.write_private(screen_choices.room_file(), kept)
    async with chat_app(size=(120, 40)) as bench:
        await bench.ask()
        assert bench.screen.view.body.mode == "automatic"


async def test_a_choice_that_cannot_be_kept_is_in_force_and_told_once() -> None:
    paths.state_dir().write_text("a file is in the way")
    async with chat_app(size=(120, 40)) as bench:
        await bench.ask()
        await bench.press("ctrl+l", "ctrl+l")
        await bench.until_told("this choice is not kept")
        assert bench.screen.view.body.mode == "half"
        await bench.press("ctrl+l")
        await bench.settle()
        assert bench.notices.count("this choice is not kept") == 1


@key("run.reasoning")
async def test_ctrl_t_shows_reasoning_in_place_of_answers_and_back() -> None:
    gate = asyncio.Event()
    reasoning = [Chunk("reasoning", "hmm, birds"), gate, "an answer"]
    async with chat_app(size=(120, 40), settings=STAY, one=[reasoning], two=[["plain", gate]]) as bench:
        await bench.submit("hi")
        await bench.until_writing("two")
        await bench.until_shown("reasoning; ctrl+t shows it", "plain")
        await bench.press("ctrl+t")
        await bench.until_shown("hmm, birds", "no reasoning so far")
        assert "plain" not in bench.shown()
        bench.open(gate)
        await bench.until_idle()
        bench.panel.pick(1)
        await bench.until_shown("hmm, birds", "no reasoning was sent")
        await bench.press("ctrl+t")
        await bench.until_shown("an answer", "plain")


@key("panel.layer_before", "panel.layer_after")
async def test_left_and_right_in_the_panes_go_through_the_layers_and_stop_at_the_ends() -> None:
    async with chat_app(TRIO, size=(120, 40), settings=STAY) as bench:
        await bench.ask()
        bench.panel.pick(3)
        await bench.settle()
        bench.panes[0].focus()
        seen = []
        for step in ("left", "left", "left", "right", "right", "right"):
            await bench.press(step)
            seen.append([pane.view.agent.name for pane in bench.panes if pane.view])
        first, second, last = ["one", "two"], ["three", "four"], ["judge"]
        assert seen == [second, first, first, second, last, last]
        assert bench.panel.has_focus_within


@key("panel.page_before", "panel.page_after")
async def test_brackets_in_the_panes_turn_the_pages_of_a_layer() -> None:
    async with chat_app(recipe(["a", "b", "c"], ["judge"]), settings=STAY) as bench:
        await bench.ask()
        bench.panel.pick(1)
        await bench.settle()
        bench.panes[0].focus()
        seen = []
        for step in ("]", "]", "]", "[", "[", "["):
            await bench.press(step)
            assert len(bench.panes) == 1
            view = bench.panes[0].view
            assert view is not None
            seen.append(view.agent.name)
        assert seen == ["b", "c", "c", "b", "a", "a"]
        assert "1 of 3" in bench.tabs


@key("panel.follow")
async def test_f_in_the_panes_follows_the_run_again() -> None:
    gate = asyncio.Event()
    async with chat_app(TRIO, size=(120, 40), settings=STAY, three=[["x", gate]]) as bench:
        await bench.submit("hi")
        await bench.until_writing("three")
        bench.panes[0].focus()
        await bench.press("left")
        await bench.until_shown("one says 1", "L2 is at work, f follows")
        await bench.press("f")
        await bench.until_shown("four says 1")
        assert "f follows" not in bench.tabs
        bench.open(gate)
        await bench.until_shown("judge says 1")
        await bench.until_idle()


@key("text.up", "text.down", "text.page_up", "text.page_down", "text.home", "text.end")
async def test_arrows_and_page_keys_scroll_a_pane() -> None:
    async with chat_app(size=(120, 40), settings=STAY, one=[[LONG]]) as bench:
        await bench.ask()
        bench.panel.pick(1)
        await bench.settle()
        pane = bench.panes[0]
        pane.focus()
        last = pane.max_scroll_y
        assert last > 20
        await bench.press("home")
        assert pane.scroll_y == 0
        await bench.press("down", "down", "up")
        assert pane.scroll_y == 1
        await bench.press("pagedown")
        assert pane.scroll_y > 5
        await bench.press("pageup")
        assert pane.scroll_y <= 1
        await bench.press("end")
        assert pane.scroll_y == pane.max_scroll_y


# Recipes, find, editor, history, new


@key("chat.recipes")
async def test_f2_chooses_the_recipe_that_answers_from_now_on() -> None:
    async with chat_app() as bench:
        await bench.press("f2")
        chooser = bench.app.screen
        assert isinstance(chooser, RecipeScreen)
        chooser.dismiss(TRIO)
        await bench.until_told("recipe test from now on")
        assert bench.chat.recipe is TRIO
        await bench.until_shown("test · 3 layers · 5 calls", "5 calls · $0")
        await bench.ask()
        assert "three" in bench.models.asked


async def found(bench: Bench, words: str) -> None:
    """Wait until the find bar says `words`."""
    places = bench.screen.query_one("#places", Static)
    await wait_until(lambda: static_text(places).endswith(words))
    await bench.settle()


@key("chat.find", "find.older", "find.newer", "find.close")
async def test_f3_finds_in_the_conversation_the_newest_first() -> None:
    async with chat_app(ALONE, alone=[["about birds"], ["nothing"], ["no Birds here"]]) as bench:
        for prompt in ("first", "second", "third"):
            await bench.ask(prompt)
        first, second, third = bench.transcript.views
        await bench.press("f3")
        bar = bench.screen.query_one(FindBar)
        assert bar.query_one(Input).has_focus
        await bench.press(*"birds")
        await found(bench, "1 of 2")
        assert third.found
        await bench.press("enter")
        await found(bench, "2 of 2")
        assert first.found
        assert not third.found
        await bench.press("enter")
        await found(bench, "1 of 2")
        await bench.press("up")
        await found(bench, "2 of 2")
        await bench.press("down")
        await found(bench, "1 of 2")
        await bench.press("shift+enter")
        await found(bench, "2 of 2")
        await bench.press("z")
        await found(bench, "nowhere")
        assert not any(view.found for view in (first, second, third))
        await bench.press("escape")
        assert not bar.display
        assert bench.prompt.has_focus
        assert bench.prompt.text == ""


async def test_escape_in_the_find_bar_closes_it_and_lets_the_run_go_on() -> None:
    gate = asyncio.Event()
    async with chat_app(ALONE, alone=[["x", gate]]) as bench:
        await bench.submit("hi")
        await bench.until_writing("alone")
        await bench.press("f3", "escape")
        assert bench.prompt.has_focus
        assert bench.session.run is not None
        bench.open(gate)
        await bench.until_idle()
        assert bench.run.outcome is not None
        assert bench.run.outcome.status == "done"


@pytest.mark.program
@key("chat.editor")
async def test_f4_takes_the_prompt_to_the_editor_and_brings_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "editor.py"
    script.write_text(
        "import pathlib, sys\npath = pathlib.Path(sys.argv[-1])\n"
        "path.write_text(path.read_text() + '\\nand more')\n"
    )
    monkeypatch.setenv("EDITOR", shlex.join([sys.executable, str(script)]))
    monkeypatch.delenv("VISUAL", raising=False)
    async with chat_app() as bench:
        await bench.press("h", "i", "f4")
        assert bench.prompt.text == "hi\nand more"
        monkeypatch.setenv("EDITOR", "no-such-editor-anywhere")
        await bench.press("f4")
        await bench.until_told("no-such-editor-anywhere")
        assert bench.prompt.text == "hi\nand more"


@key("chat.history")
async def test_ctrl_r_brings_an_earlier_prompt_back() -> None:
    async with chat_app(ALONE) as bench:
        await bench.ask("the first question")
        await bench.ask("another one")
        await bench.press("ctrl+r")
        assert isinstance(bench.app.screen, HistoryScreen)
        await bench.press("f", "i", "r")
        await bench.until_shown("1 prompt")
        await bench.press("enter")
        assert bench.prompt.text == "the first question"
        await bench.press("ctrl+r", "escape")
        assert bench.prompt.text == "the first question"


@key("chat.new")
async def test_ctrl_n_begins_another_conversation_but_not_during_a_run() -> None:
    gate = asyncio.Event()
    async with chat_app(one=[["one"], ["x", gate], ["one"]]) as bench:
        await bench.ask("first")
        await bench.submit("second")
        await bench.until_writing("one")
        await bench.press("ctrl+n")
        await bench.until_told("a run is going on")
        assert len(bench.transcript.turns) == 2
        bench.open(gate)
        await bench.until_idle()
        bench.app.clear_notifications()
        await bench.press("ctrl+n")
        assert bench.transcript.turns == []
        assert not bench.is_open
        assert bench.state.tokens == 0
        await bench.until_shown("Several models answer", "moa-tui")
        assert "second" not in bench.shown()
        status = bench.shown().splitlines()[-1]
        assert "tok" not in status
        assert "inspect" not in status
        await bench.ask("third")
        assert [message["content"] for message in bench.models.asked["one"][-1]] == ["third"]
        await bench.until_shown("third", "judge says 3")


# Moving about


@key("chat.turn_before", "chat.turn_after")
async def test_ctrl_up_and_ctrl_down_walk_through_the_turns() -> None:
    async with chat_app(ALONE) as bench:
        for prompt in ("first", "second", "third"):
            await bench.ask(prompt)
        first, second, third = bench.transcript.views
        await bench.press("ctrl+up")
        assert bench.app.focused is third
        await bench.press("ctrl+up", "ctrl+up", "ctrl+up")
        assert bench.app.focused is first
        await bench.press("ctrl+down")
        assert bench.app.focused is second
        await bench.press("escape")
        assert bench.prompt.has_focus


@key("chat.page_up", "chat.page_down")
async def test_page_keys_scroll_the_conversation_from_the_prompt_and_from_a_turn() -> None:
    async with chat_app(ALONE, alone=[[LONG]]) as bench:
        await bench.ask()
        end = bench.transcript.max_scroll_y
        assert bench.prompt.has_focus
        assert bench.transcript.scroll_y == end > 50
        await bench.press("pageup")
        above = bench.transcript.scroll_y
        assert above < end
        await bench.press("pagedown")
        assert bench.transcript.scroll_y > above
        bench.turn.focus(scroll_visible=False)
        await bench.press("pageup")
        await wait_until(lambda: bench.transcript.scroll_y < end)


@key("chat.newest", "transcript.newest")
async def test_ctrl_end_from_the_prompt_and_end_from_a_turn_go_to_the_newest() -> None:
    async with chat_app(ALONE, alone=[[LONG]]) as bench:
        await bench.ask()
        for go, widget in (("ctrl+end", bench.prompt), ("end", bench.turn)):
            bench.transcript.scroll_home(animate=False)
            await bench.settle()
            assert bench.transcript.scroll_y == 0
            widget.focus(scroll_visible=False)
            await bench.press(go)
            await wait_until(lambda: bench.transcript.scroll_y == bench.transcript.max_scroll_y)


@key("app.prompt")
async def test_escape_goes_to_the_prompt_when_nothing_runs() -> None:
    async with chat_app(size=(120, 40), settings=STAY) as bench:
        await bench.ask()
        for widget in (bench.turn, bench.panes[0]):
            widget.focus()
            await bench.press("escape")
            assert bench.prompt.has_focus


@key("app.help")
async def test_f1_lists_the_keys_in_force_where_the_person_is() -> None:
    async with chat_app(size=(120, 40), settings=STAY) as bench:
        await bench.ask()
        bench.panes[0].focus()
        await bench.press("f1")
        assert isinstance(bench.app.screen, HelpScreen)
        text = bench.shown()
        assert "An agent's pane" in text
        assert "Copy  (pane.copy)" in text
        await bench.press("escape")
        assert bench.app.screen is bench.screen


@key("app.copy")
async def test_ctrl_c_copies_what_is_selected_and_else_quits_at_the_second_press() -> None:
    async with chat_app(ALONE) as bench:
        await bench.press("h", "i", "shift+left", "ctrl+c")
        await wait_until(lambda: bench.copied == ["i"])
        bench.prompt.fill("")
        assert bench.app.is_running
        await bench.press("ctrl+c")
        await bench.until_told("Press ctrl+c again to quit")
        assert bench.app.is_running
        await bench.press("ctrl+c")
        await wait_until(lambda: not bench.app.is_running)


@key("app.quit")
async def test_ctrl_q_quits_at_once_even_during_a_run() -> None:
    gate = asyncio.Event()
    async with chat_app(one=[["x", gate]]) as bench:
        await bench.submit("hi")
        await bench.until_writing("one")
        await bench.press("ctrl+q")
        await wait_until(lambda: not bench.app.is_running)
    assert bench.models.open == 0


async def test_the_palette_offers_every_action_in_force_and_runs_the_one_chosen() -> None:
    gate = asyncio.Event()
    async with chat_app(size=(120, 40), one=[["x", gate]]) as bench:
        await bench.submit("hi")
        await bench.until_writing("one")
        bench.panes[0].focus()
        await bench.settle()
        offered = {command.title for command in bench.app.get_system_commands(bench.screen)}
        widgets = (MoaApp, ChatScreen, RunPanel, AgentPane)
        known = {binding.description for binding in keymap.bindings_of(widgets).values()}
        # Escape stops the run, as long as there is one; and only what is over can be edited or used.
        over = {"Edit it", "Use as the answer"}
        held_up = {"Go on over the budget", "Write from all answers", "Tick points"}
        assert known - offered == {"To the prompt", "Back from the panes", *over, *held_up}
        await bench.press("ctrl+p")
        palette = bench.app.screen
        assert isinstance(palette, CommandPalette)
        await bench.press(*"stop it")
        offers = palette.query_one(CommandList)
        names = lambda: [str(option.hit.text) for option in offers.options]  # type: ignore[attr-defined]  # noqa: E731
        await wait_until(lambda: "Stop it" in names() and "New" not in names())
        offers.highlighted = names().index("Stop it")
        await bench.press("enter")
        await wait_until(lambda: bench.run.layers[0][0].over)
        assert bench.run.layers[0][0].state == "stopped"
        assert bench.app.screen is bench.screen
        await bench.until_idle()


# A turn


@key("turn.panes")
async def test_enter_on_a_past_turn_opens_its_panes_as_they_ended_and_closes_them_again() -> None:
    async with chat_app(one=[["old one"], ["new one"]], size=(120, 40)) as bench:
        await bench.ask("first")
        await bench.ask("second")
        bench.screen.view.open_panel(False)
        bench.transcript.views[0].focus()
        await bench.press("enter")
        assert bench.is_open
        bench.panel.pick(1)
        await bench.until_shown("old one", "two says 1")
        assert "new one" not in bench.shown()
        bench.transcript.views[0].focus()
        await bench.press("enter")
        assert not bench.is_open


async def test_a_click_on_a_turns_strip_opens_its_panes() -> None:
    async with chat_app(size=(120, 40)) as bench:
        await bench.ask("first")
        bench.screen.view.open_panel(False)
        await bench.settle()
        row = next(y for y, row in enumerate(bench.turn.rows) if "L1 ✓✓" in row.content.plain)
        await bench.pilot.click(bench.turn, offset=(6, row))
        await wait_until(lambda: bench.is_open)


@key("turn.copy", "turn.copy_code")
async def test_y_copies_a_turns_answer_and_c_its_code() -> None:
    answer = "Run:\n\n```python\nprint(1)\n```\n\nor\n\n```\nls\n```\n"
    async with chat_app(ALONE, alone=[[answer], ["no code"]]) as bench:
        await bench.ask()
        await bench.press("ctrl+up", "y")
        await wait_until(lambda: bench.copied == [answer])
        await bench.press("c")
        await wait_until(lambda: bench.copied == [answer, "print(1)\n\nls"])
        await bench.ask("and?")
        bench.turn.focus()
        await bench.press("c")
        await bench.settle()
        assert len(bench.copied) == 2
        assert bench.app.notices[-1].message != "copied it"


async def test_a_click_on_a_code_blocks_mark_copies_that_block() -> None:
    async with chat_app(ALONE, alone=[["```\nfirst\n```\n\n```\nsecond\n```\n"]]) as bench:
        await bench.ask()
        marks = [y for y, row in enumerate(bench.turn.rows) if "copy" in row.content.plain]
        column = bench.turn.rows[marks[1]].content.plain.index("copy")
        await bench.pilot.click(bench.turn, offset=(column + 3, marks[1]))
        await wait_until(lambda: bench.copied == ["second"])


@key("turn.links")
async def test_o_lists_a_turns_links_and_opens_one_only_after_showing_it_whole() -> None:
    answer = "See [the docs](https://example.com/docs) and <https://example.org/other>."
    async with chat_app(ALONE, alone=[[answer], ["no link"]]) as bench:
        await bench.ask()
        await bench.press("ctrl+up", "o")
        assert isinstance(bench.app.screen, LinkListScreen)
        await bench.press("enter")
        await wait_until(lambda: isinstance(bench.app.screen, LinkScreen))
        await bench.until_shown("https://example.com/docs")
        assert bench.app.opened == []
        await bench.press("o")
        await wait_until(lambda: bench.app.opened == ["https://example.com/docs"])
        await bench.ask("and?")
        bench.turn.focus()
        await bench.press("o")
        await bench.until_told("there is no link in this answer")


@key("turn.expand")
async def test_e_shows_a_long_prompt_whole_and_folds_it_again() -> None:
    async with chat_app(ALONE) as bench:
        await bench.ask("\n".join(f"line {number}" for number in range(30)))
        plain = lambda: [row.content.plain for row in bench.turn.rows]  # noqa: E731
        assert "  … 10 more lines; e shows them" in plain()
        assert "  line 29" not in plain()
        bench.turn.focus()
        await bench.press("e")
        assert "  line 29" in plain()
        assert not any("more lines" in row for row in plain())
        await bench.press("e")
        assert "  line 29" not in plain()


# What the settings say


async def test_problems_of_the_config_are_shown_at_the_start() -> None:
    problem = 'config.toml:3: theme: [bold] is "not" a [/] key'
    async with chat_app(problems=[problem], size=(120, 40)) as bench:
        await bench.until_told(problem)
        await bench.until_shown("Not as configured", '[bold] is "not" a [/] key')
        assert not any(notice.markup for notice in bench.app.notices)


async def test_an_unknown_theme_is_told_with_those_that_there_are() -> None:
    async with chat_app(settings=Settings(theme="[bold]no-such")) as bench:
        await bench.until_told('there is none called "[bold]no-such"', "moa-dark")


async def test_keys_of_ones_own_are_in_force_and_shown() -> None:
    gate = asyncio.Event()
    settings = Settings(keys={"run.stop": "ctrl+b", "chat.recipes": "f10,f12"})
    async with chat_app(settings=settings, one=[["x", gate]], size=(140, 40)) as bench:
        await bench.submit("hi")
        await bench.until_writing("one")
        assert "^b stop" in bench.shown()
        await bench.press("escape")
        assert bench.session.run is not None
        await bench.press("ctrl+b")
        await bench.until_idle()
        assert bench.run.outcome is not None
        assert bench.run.outcome.status == "stopped"
        await bench.press("f2")
        assert bench.app.screen is bench.screen
        await bench.press("f12")
        assert isinstance(bench.app.screen, RecipeScreen)
        assert not bench.app.notices or "config" not in bench.notices


async def test_a_clash_an_unknown_name_and_a_key_the_prompt_needs_are_reported() -> None:
    keys = {"chat.find": "f2", "run.stpo": "f9", "chat.editor": "ctrl+x"}
    async with chat_app(settings=Settings(keys=keys)) as bench:
        await bench.until_told('nothing is called "run.stpo"; did you mean "run.stop"?')
        assert "chat.find and chat.recipes both want f2" in bench.notices
        assert "chat.editor cannot have ctrl+x" in bench.notices


@pytest.mark.parametrize("setting", ["none", "bell", "desktop"])
async def test_the_end_of_a_run_is_told_only_while_the_terminal_has_no_focus(
    setting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()
    async with chat_app(ALONE, settings=Settings(notify=setting), alone=[["x"], ["x", gate]]) as bench:
        rung: list[str] = []
        written: list[str] = []
        monkeypatch.setattr(bench.app, "bell", lambda: rung.append("bell"))
        assert bench.app._driver is not None
        monkeypatch.setattr(bench.app._driver, "write", written.append)
        await bench.ask()
        assert not rung
        await bench.submit("again")
        bench.app.app_focus = False
        bench.open(gate)
        await bench.until_idle()
        assert rung == ([] if setting == "none" else ["bell"])
        notes = [text for text in written if "\x1b]9;" in text]
        assert notes == (["\x1b]9;moa-tui: the run has ended\x07"] if setting == "desktop" else [])


# Sizes


async def test_the_screen_can_be_resized_again_and_again_during_a_run() -> None:
    gate, later = asyncio.Event(), asyncio.Event()
    scripts: dict[str, Any] = {
        "one": [["one says\n\nthis", gate]],
        "judge": [["**The** answer\n\n", later, "end"]],
    }
    async with chat_app(**scripts) as bench:
        await bench.submit("What is a moa?")
        await bench.until_writing("one")
        for width, height in ((220, 60), (60, 20)):
            await bench.pilot.resize_terminal(width, height)
            await bench.until_shown("What is a moa?", "one says", "L1 ●✓")
            lines = bench.shown().splitlines()
            assert len(lines) == height
        await bench.pilot.resize_terminal(20, 5)
        await bench.until_shown("The terminal is too")
        bench.open(gate)
        await bench.until_writing("judge")
        await bench.pilot.resize_terminal(80, 24)
        await bench.until_shown("What is a moa?", "**The** answer")
        bench.open(later)
        await bench.until_idle()
        await bench.until_shown("  The answer", "end", "2 of 2 used")
        await bench.press("h", "i")
        assert bench.prompt.text == "hi"


async def test_keys_go_to_the_prompt_again_after_the_terminal_was_too_small() -> None:
    async with chat_app() as bench:
        await bench.press("a")
        await bench.pilot.resize_terminal(20, 5)
        await bench.settle()
        await bench.pilot.resize_terminal(80, 24)
        await bench.settle()
        await bench.press("b")
        assert bench.prompt.text == "ab"


async def test_the_prompt_has_the_focus_where_the_pane_that_had_it_is_gone_meanwhile() -> None:
    gate = asyncio.Event()
    async with chat_app(size=(120, 40), one=[["one is writing", gate]]) as bench:
        await bench.submit("What is a moa?")
        await bench.until_writing("one")
        bench.screen.set_focus(bench.screen.view.panel.panes[0])
        await bench.pilot.resize_terminal(20, 5)
        await bench.settle()
        bench.open(gate)
        await bench.until_idle()
        await bench.pilot.resize_terminal(120, 40)
        await bench.settle()
        assert bench.screen.focused is bench.prompt


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (220, 60)])
async def test_what_matters_can_be_read_at_every_size(size: tuple[int, int]) -> None:
    gate = asyncio.Event()
    async with chat_app(size=size, one=[["one is writing", gate]]) as bench:
        await bench.until_shown("Or type a question and press", "3 calls")
        await bench.submit("What is a moa?")
        await bench.until_writing("one")
        await bench.until_shown("What is a moa?", "● writing", "one is writing", "L1 ●✓", "esc stop")
        widths = {len(line) for line in bench.shown().splitlines()}
        assert max(widths) <= size[0]
        bench.open(gate)
        await bench.until_idle()
        await bench.until_shown("judge says 1")


async def test_the_prompt_and_what_it_would_take_stand_at_the_bottom_from_the_start() -> None:
    async with chat_app(why="it needs no key") as bench:
        await bench.until_shown("Recipe test: 2 layers, 3 calls", "It needs no key.", "Keys found: none")
        await bench.until_shown("Local servers found: none", "3 calls · $0")
        assert bench.prompt.has_focus


# Hostile text


@pytest.mark.parametrize(("text", "readable"), HOSTILE.items())
async def test_hostile_text_is_shown_as_it_is_wherever_the_chat_shows_text(text: str, readable: str) -> None:
    visible = "".join(c for c in text if c.isprintable())
    name = visible.strip() or "agent"
    hostile = recipe(["one", "two", "bad"], ["judge"], agents={"one": {"model": "one", "name": name}})
    hostile = hostile.model_copy(update={"name": name, "description": name})
    gate = asyncio.Event()
    scripts: dict[str, Any] = {
        "one": [[text, gate]],
        "two": [[Chunk("reasoning", text), f"{text}\n\n{text}", gate]],
        "bad": [[ModelError("server", text, None)]],
        "judge": [[ModelError("server", text, 400)], [f"{text}\n\n> {text}\n"]],
    }
    async with chat_app(hostile, size=(220, 60), why=text, problems=[text], **scripts) as bench:
        bench.chat.system = text
        await bench.submit(f"{text}\n{text}")
        await bench.until_writing("one", "two")
        await bench.submit(f"waiting {text}")
        await bench.until_shown(readable)
        await bench.press("ctrl+t", "f3")
        bench.screen.query_one(FindBar).query_one(Input).value = text
        await bench.settle()
        await bench.press("enter", "escape")
        bench.open(gate)
        await bench.until_idle()
        await bench.press("ctrl+t")
        bench.panel.pick(1)
        for command in ("/system", f"/recipe {text}", f"/theme {text}", f"/stop {text}", f"/use {text}"):
            await bench.submit(command)
        await bench.submit(f"/model {text}")
        await bench.submit(f"once more {text}")
        await bench.until_idle()
        await bench.press("f1", "escape", "ctrl+p", "escape")
        await bench.settle()
        assert bench.app.is_running
        assert not any(notice.markup for notice in bench.app.notices)
        assert readable in bench.shown()
        assert not set(bench.shown()) & FORBIDDEN


async def test_a_click_on_text_that_looks_like_an_action_does_nothing() -> None:
    async with chat_app(ALONE, alone=[["[@click=app.quit]leave[/]"]]) as bench:
        await bench.ask("[@click=app.quit]ask[/]")
        for y in range(len(bench.turn.rows)):
            await bench.pilot.click(bench.turn, offset=(8, y))
        assert bench.app.is_running
        assert bench.app.screen is bench.screen


async def test_a_long_conversation_is_there_again_when_it_is_opened() -> None:
    async with chat_app() as bench:
        turns = [await past_turn(f"question {number}") for number in range(3)]
        await bench.transcript.open(turns)
        bench.screen.remove_class("-empty")
        await bench.until_shown("question 2", "alone says 1")


async def test_a_fault_of_ours_is_told_by_its_place_and_never_by_its_words() -> None:
    async with chat_app(ALONE) as bench:
        bench.gateway.fails = RuntimeError("Authorization: Bearer sk-canary-77")
        await bench.submit("hello")
        await bench.until_idle()
        await bench.until_told("moa-tui has a fault", "RuntimeError in fakes.py, line")
        assert "canary" not in bench.notices
        assert bench.prompt.text == "hello"
        bench.gateway.fails = None
        await bench.press("enter")
        await bench.until_shown("alone says 1")


async def test_what_is_sent_while_a_run_that_never_began_is_taken_away_is_a_run_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dropping, go_on = asyncio.Event(), asyncio.Event()
    remove = TurnView.remove

    async def slowly(view: TurnView) -> None:
        dropping.set()
        await go_on.wait()
        await remove(view)

    async with chat_app() as bench:
        await bench.ask("before")
        bench.gateway.fails = ModelError("auth", "no key", None)
        monkeypatch.setattr(TurnView, "remove", slowly)
        await bench.submit("first")
        await wait_until(dropping.is_set)
        assert bench.prompt.text == "first"
        bench.gateway.fails = None
        await bench.press("enter")
        await wait_until(lambda: bench.session.run is not None)
        go_on.set()
        await bench.until_idle()
        assert [turn.prompt for turn in bench.transcript.turns] == ["before", "first"]
        assert bench.prompt.text == ""
        await bench.until_shown("first", "judge says 2")
