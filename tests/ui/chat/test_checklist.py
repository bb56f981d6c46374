"""The checklist in the chat: points are ticked, and the run goes on, waits or stops as the person says."""

from __future__ import annotations

import asyncio
import re

import pytest

from moa_tui.engine.values import CallId
from moa_tui.formats.json_writer import outcome_document as document
from moa_tui.settings.config import Settings
from moa_tui.ui.chat.following import Following
from moa_tui.ui.screens.checklist_screen import ChecklistScreen
from moa_tui.ui.screens.help_screen import HelpScreen
from tests.helpers import recipe, wait_until
from tests.ui.chat_app import ALONE, DUO, FORBIDDEN, HOSTILE, Bench, chat_app
from tests.ui.given import command, key

GUIDED = Settings(guided=True)
POINTS = "- [ ] It was a bird.\n- [ ] It could fly.\n- [ ] It lived in New Zealand."
LISTED = [[POINTS], ["The answer."], ["Another answer."]]
DRAWN = CallId(2, 1)


async def until_asked(bench: Bench) -> None:
    """Wait for the dialog."""
    await wait_until(lambda: isinstance(bench.app.screen, ChecklistScreen))
    await bench.settle()


def dialog(bench: Bench) -> str:
    """What stands in the dialog's frame."""
    box = bench.app.screen.query_one("#box").region
    return "\n".join(line[box.x : box.right] for line in bench.shown().split("\n")[box.y : box.bottom])


def checklist(bench: Bench, at: int = -1) -> str:
    """What the aggregator was shown as the checklist."""
    sent = "\n".join(message["content"] for message in bench.models.asked["judge"][at])
    found = re.findall(r'<reference number="\d+" kind="checklist">\n(.*?)\n</reference>', sent, re.S)
    return found[0] if found else ""


@key("checklist.tick", "checklist.go_on")
@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
async def test_points_are_ticked_by_keys_and_the_answer_is_written_by_them(size: tuple[int, int]) -> None:
    async with chat_app(DUO, size=size, settings=GUIDED, judge=LISTED) as bench:
        await bench.submit("What is a moa?")
        await until_asked(bench)
        await bench.until_shown("3 of 3 points", "[x] It was a bird.", "[x] It could fly.", "Go on")
        await bench.press("down", "space")
        await bench.until_shown("2 of 3 points", "[ ] It could fly.", "[x] It lived")
        await bench.press("enter")
        await bench.until_idle()
        assert checklist(bench) == (
            "keep:\n- It was a bird.\n- It lived in New Zealand.\n\nleave out:\n- It could fly."
        )
        await bench.until_shown("The answer.", "2 of 3 points kept by hand")


@key("checklist.all", "checklist.none")
async def test_all_and_none_are_a_key_each() -> None:
    async with chat_app(DUO, settings=GUIDED, judge=LISTED) as bench:
        await bench.submit("hi")
        await until_asked(bench)
        await bench.press("n")
        await bench.until_shown("0 of 3 points", "[ ] It was a bird.")
        await bench.press("a", "space")
        await bench.until_shown("2 of 3 points", "[ ] It was a bird.", "[x] It could fly.")
        await bench.press("enter")
        await bench.until_idle()
        assert checklist(bench).startswith("keep:\n- It could fly.\n- It lived")


async def test_a_click_ticks_too() -> None:
    async with chat_app(DUO, settings=GUIDED, judge=LISTED) as bench:
        await bench.submit("hi")
        await until_asked(bench)
        await bench.pilot.click("#points", offset=(6, 2))
        await bench.until_shown("[x] It was a bird.", "[x] It could fly.", "[ ] It lived")


@command("points")
@key("run.points", "checklist.close")
async def test_back_in_the_chat_the_run_waits_and_its_ticks_are_kept() -> None:
    async with chat_app(DUO, settings=GUIDED, judge=LISTED) as bench:
        await bench.submit("hi")
        await until_asked(bench)
        await bench.press("space", "escape")
        await bench.until_told("ctrl+g goes on with 2 of 3 points")
        assert bench.app.screen is bench.screen
        await bench.until_shown("? 3 points for you to tick", "f8 tick points", "^g go on now", "esc stop")
        assert bench.session.run is not None
        await bench.press("f8")
        await bench.until_shown("[ ] It was a bird.", "2 of 3 points")
        await bench.press("escape")
        await bench.submit("/points")
        await until_asked(bench)
        await bench.press("escape", "ctrl+g")
        await bench.until_idle()
        assert checklist(bench).endswith("leave out:\n- It was a bird.")
        await bench.submit("/points")
        await bench.until_told("no points wait to be ticked")


@key("checklist.stop", "run.stop")
async def test_esc_in_the_chat_and_a_key_in_the_dialog_stop_the_run() -> None:
    for keys in (("ctrl+x",), ("escape", "escape")):
        async with chat_app(DUO, settings=GUIDED, judge=LISTED) as bench:
            await bench.submit("hi")
            await until_asked(bench)
            await bench.press(*keys)
            await bench.until_idle()
            assert bench.run.outcome is not None
            assert bench.run.outcome.status == "stopped"
            assert len(bench.models.asked["judge"]) == 1
            assert bench.app.screen is bench.screen
            await bench.until_shown("■ stopped")


async def test_what_is_being_typed_is_never_taken_for_a_choice() -> None:
    gate = asyncio.Event()
    async with chat_app(DUO, settings=GUIDED, judge=[[gate, POINTS], ["The answer."]]) as bench:
        await bench.submit("hi")
        await bench.press(*"anna")
        bench.open(gate)
        await bench.until_told("3 points wait for you: F8 shows them")
        assert bench.app.screen is bench.screen
        await bench.press(*"s", "f8")
        await bench.until_shown("3 of 3 points")
        assert bench.prompt.text == "annas"


async def test_a_dialog_that_is_open_is_not_covered() -> None:
    gate = asyncio.Event()
    async with chat_app(DUO, settings=GUIDED, judge=[[gate, POINTS], ["The answer."]]) as bench:
        await bench.submit("hi")
        await bench.press("f1")
        bench.open(gate)
        await bench.until_told("3 points wait for you")
        assert isinstance(bench.app.screen, HelpScreen)
        await bench.press("escape", "ctrl+g")
        await bench.until_idle()
        await bench.until_shown("The answer.", "3 of 3 points kept by hand")


async def test_while_it_waits_nothing_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: list[None] = []
    tick = Following.tick

    async def counted(following: Following) -> None:
        ticks.append(None)
        await tick(following)

    async def ticks_meanwhile() -> int:
        """How often the chat ticks in the time in which another timer of that pace fires ten times."""
        before, fired = len(ticks), []
        timer = bench.app.set_interval(0.02, lambda: fired.append(None))
        await wait_until(lambda: len(fired) >= 10)
        timer.stop()
        return len(ticks) - before

    monkeypatch.setattr(Following, "tick", counted)
    async with chat_app(DUO, settings=GUIDED, judge=LISTED) as bench:
        await bench.submit("hi")
        await until_asked(bench)
        assert ticks
        await ticks_meanwhile()
        now = bench.run.now
        assert await ticks_meanwhile() == 0
        assert bench.run.now == now
        await bench.press("enter")
        await bench.until_idle()
        await bench.until_shown("The answer.")


async def test_a_run_that_ends_behind_the_dialog_takes_it_away() -> None:
    async with chat_app(DUO, settings=GUIDED, judge=LISTED) as bench:
        await bench.submit("hi")
        await until_asked(bench)
        bench.session.stop()
        await bench.until_idle()
        await wait_until(lambda: bench.app.screen is bench.screen)


async def test_again_asks_nobody_and_keeps_the_ticks() -> None:
    async with chat_app(DUO, settings=GUIDED, judge=LISTED) as bench:
        await bench.submit("hi")
        await until_asked(bench)
        await bench.press("space", "enter")
        await bench.until_idle()
        await bench.submit("/again")
        await bench.until_idle()
        assert [len(bench.models.asked[name]) for name in ("one", "two", "judge")] == [1, 1, 3]
        assert checklist(bench) == checklist(bench, 1) != ""
        await bench.until_shown("Another answer.", "1 of 4 calls")


@command("guided")
async def test_an_answer_given_unguided_is_written_again_by_a_checklist_and_back() -> None:
    judge = [["Unguided."], *LISTED]
    async with chat_app(DUO, judge=judge) as bench:
        await bench.ask("hi")
        await bench.submit("/guided")
        await bench.submit("/again")
        await until_asked(bench)
        await bench.press("enter")
        await bench.until_idle()
        await bench.until_shown("The answer.")
        await bench.submit("/guided")
        await bench.submit("/again")
        await bench.until_idle()
        assert checklist(bench) == ""
        assert [len(bench.models.asked[name]) for name in ("one", "two", "judge")] == [1, 1, 4]


async def test_guided_is_told_and_counted_and_can_be_taken_back() -> None:
    async with chat_app(DUO, size=(100, 24), judge=LISTED) as bench:
        await bench.until_shown("test · 2 layers · 3 calls", "3 calls · ")
        await bench.submit("/guided")
        await bench.until_told("guided from now on")
        await bench.until_shown("test · guided · 3 layers · 4 calls", "4 calls · ", "Recipe test: 3 layers")
        await bench.submit("/guided")
        await bench.until_shown("test · 2 layers · 3 calls", "3 calls · ")
        await bench.ask("hi")
        assert checklist(bench) == ""


async def test_a_recipe_that_cannot_be_guided_says_so_and_answers() -> None:
    async with chat_app(ALONE, settings=GUIDED) as bench:
        await bench.until_told("not guided: recipe test has one layer")
        await bench.ask("hi")
        await bench.until_shown("alone says 1")
    async with chat_app(ALONE) as bench:
        await bench.submit("/guided")
        await bench.until_told("recipe test has one layer")
        assert not bench.chat.guided


async def test_a_recipe_with_a_checklist_of_its_own_asks_without_being_told_to() -> None:
    own = recipe(
        ["one", "two"], {"agents": ["judge"], "task": "checklist"}, {"agents": ["judge"], "reads": "all"}
    )
    async with chat_app(own, judge=LISTED) as bench:
        await bench.submit("/guided")
        await bench.until_told("has a checklist of its own")
        bench.prompt.fill("")
        await bench.submit("hi")
        await until_asked(bench)


async def test_no_list_no_dialog() -> None:
    async with chat_app(DUO, settings=GUIDED, judge=[["I would rather not."], ["The answer."]]) as bench:
        await bench.ask("hi")
        await bench.until_shown("The answer.", "plain synthesis")
        assert bench.app.screen is bench.screen


async def test_bare_numbers_mean_the_proposers_not_the_checklist() -> None:
    async with chat_app(DUO, settings=GUIDED, judge=[*LISTED[:2], *LISTED]) as bench:
        await bench.submit("hi")
        await until_asked(bench)
        await bench.press("enter")
        await bench.until_idle()
        await bench.submit("/use 2")
        await bench.until_shown("two says 1", "the answer is L1.2 two's")
        await bench.submit("/propose Mine.")
        await until_asked(bench)
        sent = "\n".join(message["content"] for message in bench.models.asked["judge"][-1])
        assert "Mine." in sent


@pytest.mark.parametrize(("text", "seen"), HOSTILE.items())
async def test_a_point_is_shown_as_it_is_whatever_it_holds(text: str, seen: str) -> None:
    long = " ".join(f"word{number:02}" for number in range(40))
    script = [[f"- [ ] {text}\n- [ ] {long}"], ["The answer."]]
    async with chat_app(DUO, size=(60, 20), settings=GUIDED, judge=script) as bench:
        await bench.submit("hi")
        await until_asked(bench)
        await bench.until_shown(seen, "[x] word")
        await bench.press("down", "space", "up", "space", "space")
        assert not FORBIDDEN & set(bench.shown())
        assert re.findall(r"word\d\d", dialog(bench)) == long.split()
        await bench.press("enter")
        await bench.until_idle()
        await bench.until_shown("The answer.")


async def test_many_points_scroll_and_the_keys_stay_in_sight() -> None:
    many = "\n".join(f"- [ ] point {number} of many" for number in range(30))
    async with chat_app(DUO, size=(60, 20), settings=GUIDED, judge=[[many], ["The answer."]]) as bench:
        await bench.submit("hi")
        await until_asked(bench)
        await bench.press("end", "space")
        await bench.until_shown("[ ] point 29 of many", "29 of 30 points", "Go on", "Stop the run")


async def test_a_decided_checklist_is_read_back_from_disk_as_it_was() -> None:
    async with chat_app(DUO, settings=GUIDED, judge=LISTED) as bench:
        await bench.submit("hi")
        await until_asked(bench)
        await bench.press("space", "enter")
        await bench.until_idle()
        turn = bench.chat.turn
        assert turn is not None
        assert turn.outcome is not None
        kept = bench.store.load(bench.chat.conversation.id).turns[0]
        assert kept.outcome is not None
        assert kept.recipe == turn.recipe
        assert document("hi", kept.recipe, kept.outcome) == document("hi", turn.recipe, turn.outcome)
        assert kept.outcome.replies[DRAWN].text.startswith("- [ ] It was a bird.\n- [x] It could fly.")
