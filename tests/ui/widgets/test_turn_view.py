"""A turn: its prompt, how its run stands, its answer as it grows, and what the run came to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.errors import ModelError
from moa_tui.ui.screens.link_screen import LinkScreen
from tests.helpers import recipe, wait_until
from tests.ui.chat_app import ALONE, FORBIDDEN, HOSTILE, TRIO, chat_app

if TYPE_CHECKING:
    from tests.ui.chat_app import Bench


def plain(bench: Bench) -> list[str]:
    """The rows of the newest turn."""
    return [row.content.plain for row in bench.turn.rows]


def text(bench: Bench) -> str:
    return "\n".join(plain(bench))


# The prompt


async def test_a_prompt_of_twenty_lines_is_shown_whole_and_a_longer_one_folded() -> None:
    async with chat_app(ALONE) as bench:
        await bench.ask("\n".join(f"line {number}" for number in range(20)))
        assert "  line 19" in plain(bench)
        assert "more lines" not in text(bench)
        await bench.ask("\n".join(f"line {number}" for number in range(21)))
        assert "  line 20" not in plain(bench)
        assert "… 1 more line;" in text(bench)


async def test_a_prompt_is_shown_as_it_was_written_not_as_markdown() -> None:
    prompt = "# not a title\n- no *list*\n\n\tindented\n`code`  two  spaces"
    async with chat_app(ALONE) as bench:
        await bench.ask(prompt)
        shown = plain(bench)
        for line in ("# not a title", "- no *list*", "`code`  two  spaces"):
            assert f"  {line}" in shown


async def test_a_prompt_of_one_endless_line_is_wrapped_and_kept_short() -> None:
    async with chat_app(ALONE) as bench:
        await bench.ask("x" * 100_000)
        assert len(plain(bench)) < 400
        assert all(row.content.cell_length <= 77 for row in bench.turn.rows)
        sent = bench.models.asked["alone"][0][0]["content"]
        assert sent == "x" * 100_000


# The run


async def test_the_strip_says_how_each_layer_stands() -> None:
    gates = [asyncio.Event() for _ in range(3)]
    scripts: dict[str, Any] = {
        "one": [["x", gates[0]]],
        "three": [["x", gates[1]]],
        "judge": [["the answer", gates[2]]],
    }
    async with chat_app(TRIO, size=(120, 40), **scripts) as bench:
        await bench.submit("hi")
        await wait_until(lambda: "● layer 1 of 3: 1 of 2 answers" in text(bench))
        assert "L1 ●✓ │ L2 ·· │ Final ·" in text(bench)
        bench.open(gates[0])
        await wait_until(lambda: "● layer 2 of 3: 1 of 2 answers" in text(bench))
        assert "L2 ●✓" in text(bench)
        bench.open(gates[1])
        await wait_until(lambda: "● writing the answer" in text(bench))
        bench.open(gates[2])
        await bench.until_idle()
        assert "writing" not in text(bench)
        assert "Final ✓" in text(bench)
        assert "2 of 2 used · 5 of 5 calls" in text(bench)


async def test_a_run_that_was_cut_off_says_so_and_why_under_what_there_is() -> None:
    cut = ["half an answer", ModelError("cut_off", "the line broke", None)]
    async with chat_app(ALONE, alone=[cut]) as bench:
        await bench.ask()
        shown = plain(bench)
        assert any("◐ cut off" in row for row in shown)
        at = shown.index("half an answer")
        assert any("the line broke" in row for row in shown[at + 1 :])
        assert not any("the line broke" in row for row in shown[:at])


async def test_a_run_that_failed_has_an_error_of_every_line_and_no_answer() -> None:
    error = ModelError("bad_request", "first line\nsecond line [/]", 400)
    async with chat_app(ALONE, alone=[[error]]) as bench:
        await bench.ask()
        assert "✗ first line" in plain(bench)
        assert "  second line [/]" in plain(bench)
        assert bench.turn.answer == ""
        turn = bench.chat.turn
        assert turn is not None
        await bench.ask("and now?")
        sent = [message["content"] for message in bench.models.asked["alone"][1]]
        assert sent == ["and now?"]


async def test_notes_stand_under_the_numbers() -> None:
    async with chat_app(
        recipe(["alone", "broken"], ["judge"]),
        alone=[["The same."]],
        broken=[[ModelError("server", "down", 400)]],
        judge=[["The same."]],
    ) as bench:
        await bench.ask()
        shown = plain(bench)
        numbers = next(y for y, row in enumerate(shown) if "3 of 3 calls" in row)
        assert "layer 1: 1 of 2 used" in shown[numbers + 1]


# The answer


async def test_whole_blocks_are_laid_out_while_the_rest_is_still_written() -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    script = ["# Title\n\nSome **bold** words.\n\n", gates[0], "And `more`, half **wri", gates[1], "tten**."]
    async with chat_app(ALONE, alone=[script]) as bench:
        await bench.submit("hi")
        await wait_until(lambda: "Some **bold** words." in text(bench) or "Some bold words." in text(bench))
        bench.open(gates[0])
        await wait_until(lambda: "Some bold words." in text(bench))
        assert "And `more`, half **wri" in text(bench)
        bench.open(gates[1])
        await bench.until_idle()
        await wait_until(lambda: "And more, half written." in text(bench))
        assert "**" not in text(bench)


async def test_what_is_whole_is_laid_out_again_at_another_width_while_the_rest_is_written() -> None:
    gate = asyncio.Event()
    async with chat_app(ALONE, alone=[["Some **bold** words.\n\nAnd more", gate, "."]]) as bench:
        await bench.submit("hi")
        await wait_until(lambda: "Some bold words." in text(bench))
        await bench.pilot.resize_terminal(70, 24)
        await wait_until(lambda: "Some bold words." in text(bench))
        bench.open(gate)
        await bench.until_idle()


async def test_an_answer_is_laid_out_for_every_width_it_is_shown_at() -> None:
    words = " ".join(f"word{number}" for number in range(60))
    gate = asyncio.Event()
    answer = f"{words}\n\n{words}\n"
    async with chat_app(ALONE, alone=[[answer, gate]]) as bench:
        await bench.submit("hi")
        await bench.until_writing("alone")
        for over in (False, True):
            if over:
                bench.open(gate)
                await bench.until_idle()
            for width in (220, 60, 80):
                await bench.pilot.resize_terminal(width, 40)
                await bench.settle()
                room = bench.turn.content_region.width
                assert room > width - 6
                longest = max(row.content.cell_length for row in bench.turn.rows)
                assert room - 12 < longest <= room
                assert bench.turn.region.height == len(bench.turn.rows) + 1


CODE = "abcdefghijklmnopqrstuvwxyz" * 5
WIDE = f"Words.\n\n```\n{CODE}\n```\n\n| a | b |\n|---|---|\n" + f"| {'x' * 30} y | {'z' * 30} | " * 3


async def test_wide_code_is_scrolled_by_keys_while_the_answer_is_written_and_when_it_is_whole() -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    half = WIDE.index("```\n\n")
    async with chat_app(ALONE, alone=[[WIDE[:half], gates[0], WIDE[half:], gates[1]]]) as bench:
        await bench.submit("hi")
        await bench.until_shown(f"{CODE[:76]}›")
        await bench.press("ctrl+up", "greater_than_sign")
        await bench.until_shown(f"‹{CODE[39:114]}›")
        bench.open(gates[0])
        await bench.until_shown(f"│ ‹{CODE[39:112]}›")
        bench.open(gates[1])
        await bench.until_idle()
        await bench.until_shown(f"│ ‹{CODE[39:112]}›")
        await bench.press(*["less_than_sign"] * 3)
        await bench.until_shown(f"│ {CODE[:74]}›")
        await bench.press("y", "c")
        await wait_until(lambda: bench.copied == [WIDE, CODE])


async def test_the_keys_for_wide_text_are_letters_in_the_prompt() -> None:
    async with chat_app(ALONE, alone=[[WIDE]]) as bench:
        await bench.ask()
        await bench.press("less_than_sign", "greater_than_sign")
        assert bench.prompt.text == "<>"
        assert f"{CODE[:74]}›" in bench.shown()


async def test_an_answer_begun_anew_forgets_what_was_written() -> None:
    gate = asyncio.Event()
    fails = [ModelError("server", "busy", 503, retry_after=0.0)]
    async with chat_app(ALONE, alone=[fails, fails, ["the real answer", gate]]) as bench:
        await bench.submit("hi")
        await wait_until(lambda: "the real answer" in text(bench))
        assert text(bench).count("the real answer") == 1
        bench.open(gate)
        await bench.until_idle()
        assert text(bench).count("the real answer") == 1


async def test_a_click_on_a_link_shows_the_whole_address_once_and_opens_nothing() -> None:
    async with chat_app(ALONE, alone=[["[here](https://example.com/long/address) you go"]]) as bench:
        await bench.ask()
        row = next(y for y, row in enumerate(plain(bench)) if row == "here you go")
        await bench.pilot.click(bench.turn, offset=(4, row))
        await wait_until(lambda: isinstance(bench.app.screen, LinkScreen))
        await bench.until_shown("https://example.com/long/address")
        await bench.press("escape")
        assert bench.app.screen is bench.screen
        assert bench.app.opened == []


async def test_a_table_of_five_thousand_rows_and_an_endless_line_are_shown() -> None:
    table = "| a | b |\n|---|---|\n" + "| one | two |\n" * 5000
    async with chat_app(ALONE, alone=[[table], ["y" * 200_000]]) as bench:
        await bench.ask()
        await wait_until(lambda: sum("one" in row for row in plain(bench)) == 5000, seconds=20)
        await bench.ask()
        await wait_until(lambda: sum(row.count("y") for row in plain(bench)) >= 200_000, seconds=20)
        assert bench.app.is_running


@pytest.mark.parametrize(("hostile", "readable"), HOSTILE.items())
async def test_hostile_prompts_answers_and_errors_stay_text(hostile: str, readable: str) -> None:
    scripts = [[f"{hostile}\n\n", ModelError("server", hostile, 400)], [f"```{hostile}\n{hostile}\n```\n"]]
    named = recipe(["alone"], agents={"alone": {"model": "alone", "name": "[/] [bold]"}})
    async with chat_app(named, alone=scripts) as bench:
        for _ in scripts:
            await bench.ask(f"{hostile}\n{hostile}")
            assert readable in text(bench)
            bench.turn.focus()
            await bench.press("y", "c", "o", "escape")
            await bench.settle()
        assert not any(notice.markup for notice in bench.app.notices)
        assert not set(bench.shown()) & FORBIDDEN


async def test_what_a_ranker_writes_is_not_shown_as_the_answer_and_what_it_chose_is() -> None:
    gate = asyncio.Event()
    ranked = recipe(["one", "other"], {"agents": ["judge"], "task": "rank"})
    scripts = {"one": [["the same text"]], "other": [["the same text"]]}
    async with chat_app(ranked, **scripts, judge=[["I prefer it.", gate, "\nRANKING: 1 > 2"]]) as bench:
        await bench.submit("?")
        await bench.until_writing("judge")
        await wait_until(lambda: "choosing the answer" in text(bench))
        assert bench.is_open, "no answer has begun, so the panes stay"
        assert "I prefer it." not in text(bench)
        bench.open(gate)
        await bench.until_idle()
        assert "the same text" in text(bench)
        assert "RANKING" not in text(bench)
        assert "chosen: L1." in text(bench)


async def test_a_vote_ends_with_the_elected_answer() -> None:
    voted = recipe(["one", "two", "three"], {"task": "vote"})
    async with chat_app(voted, one=[["41"]], two=[["42"]], three=[["42"]]) as bench:
        await bench.ask("?")
        assert "42" in plain(bench)
        assert "elected: L1.2 two" in text(bench)
