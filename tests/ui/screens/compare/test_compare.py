"""Comparing recipes on the screen: columns, choosing, blind, leaving, and what the chat makes of it."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import tomli_w

from moa_tui.chat.command_words import CompareWords, compare_words
from moa_tui.errors import ModelError, UsageError
from moa_tui.settings import paths
from moa_tui.settings.config import Settings
from moa_tui.ui.screens.compare.compare_panes import ComparePanes
from moa_tui.ui.screens.compare.compare_screen import CompareScreen
from moa_tui.ui.screens.help_screen import HelpScreen
from moa_tui.ui.screens.inspect.inspector_screen import InspectorScreen
from moa_tui.ui.screens.sessions.stats_screen import StatsScreen
from moa_tui.ui.widgets.answer_pane import AnswerPane
from moa_tui.ui.widgets.live_text import LiveText
from tests.helpers import wait_until
from tests.ui.chat_app import ALONE, FORBIDDEN, HOSTILE, chat_app
from tests.ui.given import command, key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.ui.chat_app import Bench

RECIPES = {
    "solo": [["alone"]],
    "pair": [["one", "two"], ["judge"]],
    "tall": [["three"], ["four"]],
}
BOTH = "/compare solo pair What is a moa?"
ALL = "/compare solo pair tall What is a moa?"


def write_recipe(name: str, layers: list[list[str]], file: str | None = None) -> None:
    folder = paths.recipes_dir()
    folder.mkdir(parents=True, exist_ok=True)
    table = {"name": name, "layers": [{"agents": [{"model": model} for model in layer]} for layer in layers]}
    (folder / f"{file or name}.toml").write_text(tomli_w.dumps(table), encoding="utf-8")


@asynccontextmanager
async def bench_of(**more: Any) -> AsyncIterator[Bench]:
    """The chat with three recipes of one's own."""
    for name, layers in RECIPES.items():
        write_recipe(name, layers)
    async with chat_app(ALONE, **{"size": (120, 40), **more}) as bench:
        yield bench


def screen_of(bench: Bench) -> CompareScreen:
    screen = bench.app.screen
    assert isinstance(screen, CompareScreen)
    return screen


def panes(bench: Bench) -> list[AnswerPane]:
    return list(screen_of(bench).query(AnswerPane))


async def begin(bench: Bench, text: str) -> None:
    await bench.submit(text)
    await wait_until(lambda: isinstance(bench.app.screen, CompareScreen))
    await bench.settle()


async def until_over(bench: Bench) -> None:
    screen = screen_of(bench)
    await wait_until(lambda: not screen._unfinished)
    await bench.settle()


async def compared(bench: Bench, text: str) -> None:
    """Compare, and wait until every answer is there."""
    await begin(bench, text)
    await until_over(bench)


async def leave(bench: Bench) -> None:
    await bench.press("escape")
    await until_back(bench)


async def until_back(bench: Bench) -> None:
    await wait_until(lambda: bench.app.screen is bench.screen and bench.is_idle)
    await bench.settle()


def words(bench: Bench) -> str:
    return str(screen_of(bench).query_one("#compare-words").render())


def active_recipe(bench: Bench) -> str:
    assert bench.chat.turn is not None
    return bench.chat.turn.recipe.name


def siblings(bench: Bench) -> list[str]:
    assert bench.chat.turn is not None
    return [turn.recipe.name for turn in bench.chat.conversation.siblings(bench.chat.turn)]


# What is typed


KNOWN = {"solo", "pair", "tall", "vote"}


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("solo pair", CompareWords(False, ("solo", "pair"), "")),
        ("solo pair tall", CompareWords(False, ("solo", "pair", "tall"), "")),
        ("blind solo pair", CompareWords(True, ("solo", "pair"), "")),
        ("BLIND solo pair hi", CompareWords(True, ("solo", "pair"), "hi")),
        (
            "solo pair What is  a moa?\n  code",
            CompareWords(False, ("solo", "pair"), "What is  a moa?\n  code"),
        ),
        ("solo pair tall vote for me", CompareWords(False, ("solo", "pair", "tall"), "vote for me")),
        ("solo pair -- vote for me", CompareWords(False, ("solo", "pair"), "vote for me")),
        ("solo pair tall -- vote", CompareWords(False, ("solo", "pair", "tall"), "vote")),
        ("solo\npair\nhi", CompareWords(False, ("solo", "pair"), "hi")),
    ],
)
def test_names_come_first_and_the_rest_is_the_prompt(typed: str, wanted: CompareWords) -> None:
    assert compare_words(typed, KNOWN.__contains__) == wanted


@pytest.mark.parametrize(
    "typed", ["", "solo", "blind", "blind solo", "solo -- hi", "solo solo", "solo pair solo"]
)
def test_fewer_than_two_different_recipes_are_refused(typed: str) -> None:
    with pytest.raises(UsageError):
        compare_words(typed, KNOWN.__contains__)


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("/compare", "at least two recipes"),
        ("/compare solo", "at least two recipes"),
        ("/compare solo pari What is a moa?", "did you mean pair"),
        ("/compare solo solo hi", "named twice"),
        ("/compare solo pair", "no prompt yet"),
        ("/compare solo twin hi", "named twice"),
    ],
)
@command("compare")
async def test_what_cannot_be_compared_is_said_and_nothing_is_asked_or_lost(typed: str, why: str) -> None:
    async with bench_of() as bench:
        write_recipe("solo", [["alone"]], file="twin")
        await bench.submit(typed)
        await bench.until_told(why)
        assert not bench.models.asked
        assert bench.prompt.text == typed
        assert bench.app.screen is bench.screen


async def test_a_missing_key_of_any_of_them_is_said_before_any_call() -> None:
    async with bench_of(missing={"four": "LAB_KEY"}) as bench:
        await bench.submit(ALL)
        await bench.until_told("LAB_KEY")
        assert not bench.models.asked
        assert bench.prompt.text == ALL


async def test_while_a_run_goes_on_it_is_refused() -> None:
    gate = asyncio.Event()
    async with bench_of(alone=[["now", gate]]) as bench:
        await bench.submit("first")
        await bench.until_writing("alone")
        await bench.submit(BOTH)
        await bench.until_told("a run is going on")
        bench.open(gate)
        await bench.until_idle()
        assert "one" not in bench.models.asked


# Side by side


async def test_each_recipe_has_a_column_with_its_answer_state_time_and_price() -> None:
    async with bench_of() as bench:
        await compared(bench, ALL)
        await bench.until_shown("1 solo ✓ done", "2 pair ✓ done", "3 tall ✓ done")
        await bench.until_shown("alone says 1", "judge says 1", "four says 1", "What is a moa?")
        columns = panes(bench)
        assert all(pane.display for pane in columns)
        assert [pane.numbers[1] for pane in columns] == ["$0.0010", "$0.0030", "$0.0020"]
        assert [len(calls) for calls in bench.models.asked.values()] == [1] * 6


async def test_all_write_at_once_and_the_stage_of_each_is_told() -> None:
    gate = asyncio.Event()
    scripts = {"alone": [["writing **it**", gate]], "one": [["done"]], "two": [["half", gate]]}
    async with bench_of(**scripts) as bench:
        await begin(bench, BOTH)
        await bench.until_shown("1 solo ● writing", "writing **it**", "2 pair ● L1 1/2")
        bench.open(gate)
        await until_over(bench)
        await bench.until_shown("1 solo ✓ done", "writing it", "judge says 1")


@pytest.mark.parametrize(("size", "shown"), [((60, 20), 1), ((80, 24), 2), ((119, 24), 2), ((220, 60), 2)])
async def test_columns_stand_side_by_side_where_each_has_room(size: tuple[int, int], shown: int) -> None:
    async with bench_of(size=size) as bench:
        await compared(bench, BOTH)
        assert sum(pane.display for pane in panes(bench)) == shown
        assert screen_of(bench).has_class("-narrow") == (shown == 1)
        assert all(pane.size.width >= 34 for pane in panes(bench) if pane.display)


@key("compare.next", "compare.before")
@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
async def test_right_and_left_go_from_answer_to_answer(size: tuple[int, int]) -> None:
    async with bench_of(size=size) as bench:
        await compared(bench, ALL)
        seen = []
        for press in ("right", "right", "right", "left", "tab", "shift+tab"):
            await bench.press(press)
            (focused,) = (pane.number for pane in panes(bench) if pane.has_focus)
            seen.append(focused)
            assert panes(bench)[focused - 1].display
        assert seen == [2, 3, 1, 3, 1, 3]
        await bench.until_shown("four says 1")


async def test_narrow_tabs_name_every_recipe_and_its_state() -> None:
    async with bench_of(size=(80, 24)) as bench:
        await compared(bench, ALL)
        await bench.until_shown("1 solo ✓ done │ 2 pair ✓ done │ 3 tall ✓ done")
        assert "judge says" not in bench.shown()
        await bench.pilot.click("#compare-tabs", offset=(20, 0))
        await bench.until_shown("judge says 1")


async def test_a_resize_lays_out_anew() -> None:
    async with bench_of(size=(120, 40)) as bench:
        await compared(bench, ALL)
        await bench.press("right")
        await bench.pilot.resize_terminal(80, 24)
        await bench.settle()
        assert [pane.number for pane in panes(bench) if pane.display] == [2]
        await bench.pilot.resize_terminal(130, 40)
        await bench.settle()
        assert all(pane.display for pane in panes(bench))


@key("compare.panes", "compare.close_panes", "compare.reasoning")
async def test_enter_opens_a_recipes_agents_and_escape_goes_back() -> None:
    async with bench_of() as bench:
        await compared(bench, BOTH)
        await bench.press("right", "enter")
        await bench.until_shown("Agents of pair", "1 one ✓ done", "2 two ✓ done", "one says 1")
        await bench.press("ctrl+t")
        await bench.until_shown("no reasoning was sent")
        await bench.press("ctrl+t")
        # What would make another turn has to wait for the chat.
        assert not {"r", "x", "m", "u"} & bench.app.screen.active_bindings.keys()
        await bench.press("enter")
        await wait_until(lambda: isinstance(bench.app.screen, InspectorScreen))
        await bench.press("escape", "escape")
        assert isinstance(bench.app.screen, CompareScreen)


async def test_one_agent_can_be_stopped_from_its_pane() -> None:
    gate = asyncio.Event()
    async with bench_of(one=[["endless", gate]]) as bench:
        await begin(bench, BOTH)
        await bench.press("right", "enter")
        await bench.until_shown("endless")
        await bench.press("s")
        await bench.press("escape")
        await until_over(bench)
        await bench.until_shown("2 pair ✓ done", "judge says 1")


@key("compare.copy")
async def test_y_copies_the_answer_in_view() -> None:
    async with bench_of(judge=[["**bold** words"]]) as bench:
        await compared(bench, BOTH)
        await bench.press("right", "y")
        await wait_until(lambda: bench.copied == ["**bold** words"])


# Choosing


@key("compare.choose_1", "compare.choose_2", "compare.choose_3")
async def test_the_chosen_answer_is_what_the_chat_goes_on_with() -> None:
    for number, name in enumerate(RECIPES, 1):
        async with bench_of() as bench:
            await compared(bench, ALL)
            await bench.press(str(number))
            await bench.until_shown(f"Chosen: {name}.", f"{number} {name} ✓ done, chosen")
            await leave(bench)
            assert active_recipe(bench) == name
            assert siblings(bench) == list(RECIPES)
            await bench.until_shown(f"You  ‹{number}/3›", "What is a moa?", name)
            (kept,) = bench.store.preferences()
            assert (kept.recipes, kept.chosen, kept.blind) == (tuple(RECIPES), name, False)
            assert bench.state.tokens == 6 * 15
            await bench.ask("and then?")
            assert [turn.prompt for turn in bench.chat.path] == ["What is a moa?", "and then?"]
            assert bench.chat.path[0].recipe.name == name


@key("compare.choose_none")
async def test_none_is_better_counts_as_a_tie_and_the_first_stays() -> None:
    async with bench_of() as bench:
        await compared(bench, BOTH)
        await bench.press("0")
        await bench.until_shown("None is better.")
        await leave(bench)
        assert active_recipe(bench) == "solo"
        (kept,) = bench.store.preferences()
        assert kept.chosen is None


async def test_a_choice_is_made_once() -> None:
    async with bench_of() as bench:
        await compared(bench, BOTH)
        await bench.press("2", "1", "0")
        await leave(bench)
        assert active_recipe(bench) == "pair"
        assert len(bench.store.preferences()) == 1


async def test_an_answer_can_be_chosen_while_another_is_written_and_both_are_kept() -> None:
    gate = asyncio.Event()
    async with bench_of(judge=[["half", gate]]) as bench:
        await begin(bench, BOTH)
        await bench.until_shown("alone says 1", "half")
        await bench.press("2")
        assert not screen_of(bench).comparison.is_decided
        await bench.press("1")
        await bench.until_shown("Chosen: solo.")
        await leave(bench)
        assert active_recipe(bench) == "solo"
        kept = bench.store.load(bench.chat.conversation.id)
        assert [turn.outcome.status for turn in kept.turns if turn.outcome] == ["done", "stopped"]
        assert len(bench.store.preferences()) == 1


async def test_a_choice_before_another_has_written_a_word_compares_nothing() -> None:
    gate = asyncio.Event()
    async with bench_of(judge=[[gate]]) as bench:
        await begin(bench, BOTH)
        await bench.until_shown("alone says 1")
        await bench.press("1")
        await bench.until_shown("Not counted: fewer than two answers were there.")
        await leave(bench)
        assert active_recipe(bench) == "solo"
        assert bench.store.preferences() == []


async def test_what_failed_says_why_and_is_no_choice() -> None:
    no = ModelError("auth", "the key was [/] refused", 401)
    async with bench_of(alone=[[no]]) as bench:
        await compared(bench, BOTH)
        await bench.until_shown("1 solo ✗ failed", "the key was [/] refused")
        await bench.press("1")
        assert not screen_of(bench).comparison.is_decided
        await bench.press("2")
        await leave(bench)
        assert active_recipe(bench) == "pair"
        assert bench.store.preferences() == []


# Leaving


@key("compare.leave")
async def test_escape_stops_what_runs_and_then_leaves_without_a_choice() -> None:
    gate = asyncio.Event()
    async with bench_of(alone=[["some", gate]], judge=[["other", gate]]) as bench:
        await begin(bench, BOTH)
        await bench.until_shown("some", "other")
        await bench.press("escape")
        await until_over(bench)
        await bench.until_shown("1 solo ■ stopped", "2 pair ■ stopped")
        await leave(bench)
        assert (active_recipe(bench), siblings(bench)) == ("solo", ["solo", "pair"])
        await bench.until_shown("‹1/2›", "some")
        assert bench.store.preferences() == []


async def test_leaving_before_anything_began_puts_the_words_back() -> None:
    async with bench_of() as bench:
        bench.gateway.ready = asyncio.Event()
        await begin(bench, BOTH)
        await bench.press("escape")
        await until_over(bench)
        await bench.until_shown("not asked")
        await leave(bench)
        assert bench.prompt.text == BOTH
        assert bench.chat.turn is None
        assert bench.screen.has_class("-empty")


async def test_escape_twice_at_once_leaves_as_soon_as_all_has_stopped() -> None:
    gate = asyncio.Event()
    async with bench_of(alone=[["some", gate]], judge=[["other", gate]]) as bench:
        await begin(bench, BOTH)
        await bench.until_shown("some", "other")
        await bench.press("escape", "escape")
        await until_back(bench)
        assert siblings(bench) == ["solo", "pair"]


async def test_without_a_prompt_the_last_turns_is_compared_in_its_place() -> None:
    async with bench_of() as bench:
        await bench.ask("before")
        await bench.ask("What is a moa?")
        await compared(bench, "/compare pair tall")
        assert bench.models.asked["one"][0][-1]["content"] == "What is a moa?"
        await bench.press("2")
        await leave(bench)
        assert siblings(bench) == ["test", "pair", "tall"]
        assert [turn.prompt for turn in bench.chat.path] == ["before", "What is a moa?"]
        await bench.until_shown("‹3/3›", "four says 1")
        assert len(bench.transcript.turns) == 2


async def test_with_a_prompt_it_is_asked_behind_the_last_turn() -> None:
    async with bench_of() as bench:
        await bench.ask("before")
        await compared(bench, BOTH)
        await leave(bench)
        assert [turn.prompt for turn in bench.chat.path] == ["before", "What is a moa?"]
        assert [message["content"] for message in bench.models.asked["one"][0]] == [
            "before",
            "alone says 1",
            "What is a moa?",
        ]


async def test_a_file_that_the_prompt_names_goes_to_every_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.txt").write_text("nine species", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    async with bench_of() as bench:
        await begin(bench, "/compare solo pair Sum up @notes.txt")
        await until_over(bench)
        for model in ("alone", "one", "two"):
            asked = bench.models.asked[model][0][-1]["content"]
            assert asked.startswith("Sum up @notes.txt\n")
            assert "nine species" in asked
        await leave(bench)
        # As it was written: the file is read again when it is sent again.
        await bench.submit("/edit")
        assert bench.prompt.text == "Sum up @notes.txt"


async def test_in_a_private_conversation_nothing_is_written_down() -> None:
    async with bench_of(private=True) as bench:
        await compared(bench, BOTH)
        await bench.press("2")
        await bench.until_shown("Not counted: nothing is kept of it.")
        await leave(bench)
        assert active_recipe(bench) == "pair"
        assert bench.store.preferences() == []
        assert bench.store.summaries() == []


# Blind


NAMES = ("solo", "pair", "tall", "alone", "judge", "$0", " tok", "L1")


@pytest.mark.parametrize("size", [(60, 20), (120, 40)])
async def test_blind_nothing_tells_the_names_until_the_choice(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(random, "sample", lambda these, count: list(these)[::-1])
    gate = asyncio.Event()
    no = ModelError("auth", "judge: refused", 401)
    scripts = {"alone": [["sweet", gate, " answer"]], "four": [["other words"]], "judge": [[no]]}
    async with bench_of(size=size, **scripts) as bench:
        await begin(bench, "/compare blind solo pair tall What is a moa?")
        seen = []
        for _ in range(3):
            await bench.press("right", "enter")
            assert isinstance(bench.app.screen, CompareScreen)
            seen.append(bench.shown())
        bench.open(gate)
        await until_over(bench)
        for _ in range(3):
            await bench.press("right")
            seen.append(bench.shown())
        assert not [name for name in NAMES if any(name in shown for shown in seen)]
        assert any("1 A" in shown for shown in seen)
        await bench.press("3")
        said = "Chosen: solo. A is tall, B is pair, C is solo."
        await wait_until(lambda: said in words(bench))
        await bench.press("right", "left")
        await bench.until_shown("solo ✓ done, chosen")
        await bench.press("enter")
        await wait_until(lambda: isinstance(bench.app.screen, ComparePanes))
        await bench.press("escape")
        await leave(bench)
        assert active_recipe(bench) == "solo"
        (kept,) = bench.store.preferences()
        # The one that failed was not compared.
        assert (kept.recipes, kept.chosen, kept.blind) == (("tall", "solo"), "solo", True)


# Around it


async def test_help_lists_its_keys_with_their_names() -> None:
    async with bench_of(size=(120, 60)) as bench:
        await compared(bench, BOTH)
        await bench.press("f1")
        await wait_until(lambda: isinstance(bench.app.screen, HelpScreen))
        await bench.until_shown("compare.choose_1", "compare.choose_none", "compare.panes", "compare.leave")


async def test_its_keys_can_be_bound_anew() -> None:
    settings = Settings(keys={"compare.choose_2": "b"})
    async with bench_of(settings=settings) as bench:
        await compared(bench, BOTH)
        await bench.press("2")
        assert not screen_of(bench).comparison.is_decided
        await bench.press("b")
        assert screen_of(bench).comparison.is_decided


@pytest.mark.parametrize("settings", [Settings(theme="moa-light"), Settings(reduced_motion=True)])
async def test_it_looks_and_works_as_configured(settings: Settings) -> None:
    async with bench_of(settings=settings, size=(60, 20)) as bench:
        await compared(bench, ALL)
        await bench.press("2")
        await leave(bench)
        assert active_recipe(bench) == "pair"


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_hostile_texts_are_shown_as_they_are(hostile: str) -> None:
    async with bench_of(alone=[[hostile]]) as bench:
        # A recipe of a name that no terminal should see is refused when its file is read.
        write_recipe(hostile if hostile.isprintable() else "odd", [["alone"]], file="odd")
        await compared(bench, "/compare odd pair What [/] is a moa?")
        await bench.until_shown("judge says 1", "What [/] is")
        await bench.press("1")
        await leave(bench)
        assert not FORBIDDEN & set(bench.shown())
        await bench.submit("/stats")
        await wait_until(lambda: isinstance(bench.app.screen, StatsScreen))
        await bench.until_shown("5 Preferences")
        await bench.press("5")
        await bench.until_shown("preferred")
        assert not FORBIDDEN & set(bench.shown())


@key("stats.preferences")
async def test_the_statistics_have_a_table_only_once_there_are_choices() -> None:
    async with bench_of() as bench:
        await bench.ask()
        await bench.submit("/stats")
        await bench.until_shown("4 Months")
        assert "Preferences" not in bench.shown()
        await bench.press("5")
        assert "preferred" not in bench.shown()
        await bench.press("escape")
        await compared(bench, BOTH)
        await bench.press("2")
        await leave(bench)
        await bench.submit("/stats")
        await bench.until_shown("5 Preferences")
        await bench.press("5")
        await bench.until_shown("preferred", "pair", "100 %", "From 1 choice made with /compare")
        rows = [row.content.plain for row in bench.app.screen.query_one(LiveText).rows]
        assert rows[0].split()[:4] == ["pair", "1", "1", "0"]
