"""A conversation of any length: few turns mounted, the reader's place kept, everything found and copied."""

from __future__ import annotations

import asyncio
import gc
import re
import time
import weakref
from typing import TYPE_CHECKING

import pytest
from textual.geometry import Offset
from textual.selection import Selection
from textual.widgets import Input

from moa_tui.engine.values import Chunk
from moa_tui.ui.run.run_view import RunView
from moa_tui.ui.widgets.find_bar import FindBar
from moa_tui.ui.widgets.turn_view import TurnView
from tests.helpers import wait_until
from tests.ui.chat_app import ALONE, chat_app, past_turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.conversation import Turn
    from tests.ui.chat_app import Bench

MOST = 41
LONG = "\n\n".join(f"Paragraph {number} of the answer." for number in range(60))


async def many(count: int) -> list[Turn]:
    """Turns that are over, each with its number in the prompt."""
    turn = await past_turn("prompt 0")
    assert turn.outcome is not None
    return [type(turn)(f"prompt {number}.", ALONE, turn.outcome) for number in range(count)]


async def opened(bench: Bench, turns: Sequence[Turn]) -> None:
    bench.screen.remove_class("-empty")
    await bench.transcript.open(turns)
    await bench.settle()


def mounted(bench: Bench) -> list[str]:
    return [view.turn.prompt for view in bench.transcript.views]


def first_line(bench: Bench) -> str:
    """The prompt nearest to the top of the screen."""
    return next(match[0] for match in re.finditer(r"prompt \d+\.", bench.shown()) if match.start() > 80)


def text_rows(bench: Bench) -> list[str]:
    """The rows between title and prompt, without the scrollbar."""
    return [line[:78].rstrip() for line in bench.shown().splitlines()[1:-2]]


# Windowing


async def test_of_very_long_turns_only_the_newest_stay_mounted_and_the_others_come_back() -> None:
    answer = "\n\n".join(["A paragraph."] * 3_000)
    async with chat_app(ALONE, alone=[[answer]]) as bench:
        for number in range(3):
            await bench.ask(f"prompt {number}.")
            await wait_until(lambda: len(bench.turn.rows) > 5_000)
        assert mounted(bench) == ["prompt 1.", "prompt 2."]
        assert len(bench.transcript.turns) == 3
        view = await bench.transcript.show_around(0)
        assert view is not None
        assert view.turn.prompt == "prompt 0."
        await wait_until(lambda: len(view.rows) > 5_000)


async def test_a_turn_that_has_left_the_view_keeps_nothing_that_was_drawn_of_it() -> None:
    async with chat_app(ALONE, alone=[[LONG]]) as bench:
        for number in range(3):
            await bench.ask(f"prompt {number}.")
        first, *_, last = bench.transcript.views
        assert last.drawn_rows > 0
        assert first.drawn_rows == 0
        bench.transcript.scroll_home(animate=False, immediate=True)
        await wait_until(lambda: first.drawn_rows > 0)
        await wait_until(lambda: last.drawn_rows == 0)


async def test_the_run_of_a_turn_that_nobody_shows_is_made_anew_when_it_is_shown_again() -> None:
    async with chat_app(ALONE, alone=[["said once"], ["said twice"]]) as bench:
        await bench.ask("prompt 0.")
        await bench.ask("prompt 1.")
        run = weakref.ref(bench.transcript.views[0].run)
        turns = await many(50)
        for turn in turns:
            await bench.transcript.add(turn, RunView.of(turn))
        await bench.settle()
        bench.panel.run = None
        gc.collect()
        assert mounted(bench)[0] != "prompt 0."
        assert run() is None
        await bench.transcript.focus_on(bench.transcript.turns[0])
        await bench.until_shown("said once")
        view = bench.transcript.views[0]
        assert view.run.over
        assert bench.transcript.turn_of(view.run) is bench.transcript.turns[0]


async def test_a_thousand_turns_open_at_their_end_with_few_of_them_mounted() -> None:
    turns = await many(1000)
    async with chat_app(ALONE) as bench:
        await opened(bench, turns)
        assert len(mounted(bench)) < MOST
        assert mounted(bench)[-1] == "prompt 999."
        await bench.until_shown("prompt 999.")
        assert bench.transcript.scroll_y == bench.transcript.max_scroll_y


async def test_older_turns_come_at_the_top_with_the_readers_place_kept() -> None:
    async with chat_app(ALONE) as bench:
        await opened(bench, await many(100))
        seen = []
        for _ in range(8):
            oldest = mounted(bench)[0]
            bench.transcript.scroll_home(animate=False)
            await wait_until(lambda oldest=oldest: mounted(bench)[0] != oldest)
            await wait_until(lambda: not bench.transcript._is_loading)
            await bench.settle()
            assert first_line(bench) == oldest
            assert len(mounted(bench)) < MOST
            seen.append(oldest)
        assert len(set(seen)) == 8
        assert mounted(bench)[0] == "prompt 0."
        bench.transcript.scroll_home(animate=False)
        await bench.settle()
        assert first_line(bench) == "prompt 0."


async def test_going_down_again_passes_every_turn_and_ends_at_the_newest() -> None:
    async with chat_app(ALONE) as bench:
        await opened(bench, await many(100))
        await bench.transcript.show_around(0)
        bench.transcript.release_anchor()
        bench.transcript.scroll_home(animate=False)
        await bench.settle()
        passed = set()
        for _ in range(200):
            passed |= set(re.findall(r"prompt \d+\.", bench.shown()))
            if "prompt 99." in passed:
                break
            bench.transcript.scroll_relative(y=10, animate=False, immediate=True)
            await wait_until(lambda: not bench.transcript._is_loading)
            await bench.settle()
        assert {f"prompt {number}." for number in range(100)} - passed == set()
        assert len(mounted(bench)) < MOST


async def test_the_newest_turn_is_one_key_away_from_anywhere() -> None:
    async with chat_app(ALONE) as bench:
        await opened(bench, await many(100))
        await bench.transcript.show_around(10)
        await bench.settle()
        assert "prompt 99." not in mounted(bench)
        await bench.press("ctrl+end")
        await bench.until_shown("prompt 99.")
        await wait_until(lambda: bench.transcript.scroll_y == bench.transcript.max_scroll_y)


async def test_a_question_sent_from_far_above_is_shown_at_the_end() -> None:
    async with chat_app(ALONE) as bench:
        await opened(bench, await many(100))
        await bench.transcript.show_around(10)
        await bench.settle()
        await bench.ask("a new question")
        await bench.until_shown("a new question", "alone says 1")
        assert mounted(bench)[-2:] == ["prompt 99.", "a new question"]


async def test_what_is_done_to_the_last_turn_from_far_above_is_done_to_the_last_turn() -> None:
    async with chat_app(ALONE, alone=[["first"], ["the newest answer"]]) as bench:
        await opened(bench, await many(100))
        await bench.ask("the last")
        await bench.transcript.show_around(10)
        await bench.settle()
        await bench.submit("/copy")
        await wait_until(lambda: bench.copied == ["first"])
        await bench.ask("/retry")
        await bench.until_shown("‹2/2›", "the newest answer")
        assert mounted(bench)[-2:] == ["prompt 99.", "the last"]
        assert len(bench.transcript.turns) == 101


async def test_another_conversation_opened_in_place_of_one_is_shown() -> None:
    async with chat_app(ALONE) as bench:
        await opened(bench, await many(3))
        other = [await past_turn(f"other {number}") for number in range(3)]
        await opened(bench, other)
        assert mounted(bench) == ["other 0", "other 1", "other 2"]
        await bench.until_shown("other 2")
        await opened(bench, (await many(100))[:60])
        await bench.until_shown("prompt 59.")
        await opened(bench, [])
        assert mounted(bench) == []


async def test_every_turn_walked_to_is_brought_on_screen() -> None:
    async with chat_app(ALONE) as bench:
        await opened(bench, await many(60))
        for number in reversed(range(44, 60)):
            await bench.press("ctrl+up")
            focused = bench.app.focused
            assert isinstance(focused, TurnView)
            assert focused.turn.prompt == f"prompt {number}."
            await bench.until_shown(f"prompt {number}.")


# Reading above


async def test_what_is_written_does_not_move_who_reads_above() -> None:
    gates = [asyncio.Event() for _ in range(3)]
    script = [LONG, gates[0], "\n\nmore " * 40, gates[1], "\n\n```\ncode\n```\n\nend", gates[2]]
    async with chat_app(ALONE, alone=[script]) as bench:
        await bench.submit("What is a moa?")
        await bench.until_shown("Paragraph 59")
        # All but the last paragraph is laid out as Markdown before the place is remembered.
        await wait_until(lambda: bench.turn._answer.rendered_characters >= LONG.rindex("\n\n"))
        await bench.settle()
        await bench.press("pageup", "pageup")
        place, before = bench.transcript.scroll_y, text_rows(bench)
        for gate in gates:
            written = len(bench.turn.answer)
            bench.open(gate)
            await wait_until(lambda written=written: len(bench.turn.answer) > written or bench.run.over)
            await bench.settle()
            assert bench.transcript.scroll_y == place
        await bench.until_idle()
        assert bench.transcript.scroll_y == place
        assert text_rows(bench) == before
        await bench.press("ctrl+end")
        await bench.until_shown("end", "1 of 1 calls")


async def test_who_is_at_the_end_stays_at_the_end() -> None:
    gate = asyncio.Event()
    async with chat_app(ALONE, alone=[[LONG, gate, "\n\nand **more**\n\n" * 20, "the end"]]) as bench:
        await bench.submit("What is a moa?")
        await bench.until_shown("Paragraph 59")
        await bench.press("pageup", "ctrl+end")
        bench.open(gate)
        await bench.until_idle()
        await bench.until_shown("the end", "1 of 1 calls")


async def test_a_message_that_waited_is_sent_without_moving_who_reads_above() -> None:
    gate, later = asyncio.Event(), asyncio.Event()
    async with chat_app(ALONE, alone=[[LONG, gate], ["second answer", later]]) as bench:
        await bench.submit("first")
        await bench.until_shown("Paragraph 59")
        await bench.submit("second")
        await bench.press("pageup", "pageup")
        place = bench.transcript.scroll_y
        bench.open(gate)
        await wait_until(lambda: len(bench.models.asked["alone"]) == 2)
        await bench.settle()
        assert bench.transcript.scroll_y == place
        bench.open(later)
        await bench.until_idle()
        assert bench.transcript.scroll_y == place


async def test_a_short_conversation_does_not_move_when_it_is_looked_at() -> None:
    async with chat_app(ALONE) as bench:
        await bench.ask()
        before = next(y for y, row in enumerate(text_rows(bench)) if "What is a moa?" in row)
        for key in ("pageup", "pagedown", "ctrl+up", "up", "end", "escape", "ctrl+end"):
            await bench.press(key)
            assert "What is a moa?" in text_rows(bench)[before]


# Finding


async def test_a_place_that_the_width_has_broken_is_found_and_marked_on_both_rows() -> None:
    words = " ".join(f"word{number}" for number in range(40))
    async with chat_app(ALONE, alone=[[words]], size=(60, 20)) as bench:
        await bench.ask()
        rows = [row.content.plain for row in bench.turn.rows]
        at = next(y for y, row in enumerate(rows) if row.startswith("word0"))
        last, first = rows[at].split()[-1], rows[at + 1].split()[0]
        number, total = await bench.transcript.find(f"{last} {first}".upper(), 0)
        assert (number, total) == (1, 1)
        await wait_until(lambda: bench.turn.found)
        assert set(bench.turn.found) == {at, at + 1}
        (start, end), *_ = bench.turn.found[at]
        assert rows[at][start:end].strip() == last
        (start, end), *_ = bench.turn.found[at + 1]
        assert rows[at + 1][start:end] == first


async def test_what_is_found_far_above_is_mounted_and_shown() -> None:
    async with chat_app(ALONE) as bench:
        await opened(bench, await many(100))
        await bench.press("f3")
        bench.screen.query_one(FindBar).query_one(Input).value = "prompt 7."
        await bench.until_shown("  prompt 7.", "1 of 1")
        assert len(mounted(bench)) < MOST
        await bench.press("escape")
        assert not any(view.found for view in bench.transcript.views)


async def test_what_is_found_in_the_folded_part_of_a_prompt_unfolds_it() -> None:
    async with chat_app(ALONE) as bench:
        await bench.ask("\n".join(f"line {number}" for number in range(50)))
        await bench.transcript.find("line 47", 0)
        await bench.until_shown("line 47")


async def test_text_is_found_as_it_is_read_not_as_it_was_marked() -> None:
    answer = "It is **very** tall and\nlays `green` eggs."
    async with chat_app(ALONE, alone=[[answer]]) as bench:
        await bench.ask()
        for wanted in ("very tall", "and lays", "lays green eggs"):
            assert await bench.transcript.find(wanted, 0) == (1, 1)
            await wait_until(lambda: bench.turn.found)
        assert await bench.transcript.find("**very**", 0) == (0, 0)


async def test_what_is_found_outside_the_window_of_wide_code_is_scrolled_into_it() -> None:
    line = f"{'-' * 100}1needle1{'-' * 100}2needle2{'-' * 50}"
    async with chat_app(ALONE, alone=[[f"```\n{line}\n```"]]) as bench:
        await bench.ask()
        assert await bench.transcript.find("needle", 0) == (1, 2)
        await bench.until_shown("-2needle2-")
        assert await bench.transcript.find("needle", -1) == (2, 2)
        await bench.until_shown("-1needle1-")


@pytest.mark.parametrize("wanted", ["[/]", "(", "\\", ".*", "[bold]"])
async def test_what_is_looked_for_is_no_pattern(wanted: str) -> None:
    async with chat_app(ALONE, alone=[["nothing"]]) as bench:
        await bench.ask(f"say {wanted} please")
        assert await bench.transcript.find(wanted, 0) == (1, 1)
        await wait_until(lambda: bench.turn.found)
        assert await bench.transcript.find("x" + wanted, 0) == (0, 0)


# Taking along


async def test_a_selection_is_copied_without_the_line_breaks_the_width_made() -> None:
    words = " ".join(f"word{number}" for number in range(40))
    answer = f"{words}\n\n- {words}\n"
    async with chat_app(ALONE, alone=[[answer]], size=(60, 20)) as bench:
        await bench.ask()
        rows = [row.content.plain for row in bench.turn.rows]
        at = next(y for y, row in enumerate(rows) if row.startswith("word0"))
        end = max(y for y, row in enumerate(rows) if "word39" in row)
        bench.screen.selections = {
            bench.turn: Selection.from_offsets(Offset(0, at), Offset(len(rows[end]), end))
        }
        await bench.press("ctrl+c")
        await wait_until(lambda: bench.copied == [f"{words}\n\n• {words}"])


async def test_a_selection_is_made_with_the_mouse_and_copied_with_ctrl_c() -> None:
    async with chat_app(ALONE, alone=[["one two three"]]) as bench:
        await bench.ask()
        row = next(y for y, row in enumerate(bench.turn.rows) if row.content.plain == "one two three")
        left = bench.turn.content_region.x - bench.turn.region.x
        await bench.pilot.mouse_down(bench.turn, offset=(left + 4, row))
        await bench.pilot.hover(bench.turn, offset=(left + 6, row))
        await bench.pilot.mouse_up(bench.turn, offset=(left + 6, row))
        await bench.settle()
        await bench.press("ctrl+c")
        await wait_until(lambda: bench.copied == ["two"])


async def test_hostile_turns_are_shown_as_they_are() -> None:
    async with chat_app(ALONE, alone=[[Chunk("reasoning", "[/]"), "[bold]x[/bold] [/]"]]) as bench:
        await bench.ask("[/] [bold]y[/bold]")
        await bench.until_shown("[/] [bold]y[/bold]", "[bold]x[/bold] [/]")


async def test_a_long_conversation_opens_at_once() -> None:
    turns = await many(1000)
    async with chat_app(ALONE) as bench:
        begun = time.process_time()
        await opened(bench, turns)
        assert time.process_time() - begun < 2.0


async def test_a_jump_while_older_turns_are_loaded_leaves_what_was_jumped_to() -> None:
    async with chat_app(ALONE) as bench:
        transcript = bench.transcript
        await opened(bench, await many(100))
        transcript.release_anchor()
        transcript.scroll_to(y=5, animate=False, immediate=True)
        await bench.settle()
        transcript.scroll_to(y=0, animate=False, immediate=True)
        await transcript.show_around(3)
        await wait_until(lambda: not transcript._is_loading)
        for _ in range(8):
            await bench.settle()
        shown = mounted(bench)
        assert shown[0] == "prompt 0."
        assert shown == [f"prompt {number}." for number in range(len(shown))]
        transcript.scroll_home(animate=False)
        await bench.until_shown("prompt 0.")
