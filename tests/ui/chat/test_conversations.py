"""Whole conversations on the chat screen: kept, found, opened, forked, named, exported; and branches."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moa_tui.chat.command_words import export_words
from moa_tui.chat.library import Library
from moa_tui.errors import ModelError, StoreError, UsageError
from moa_tui.recipes.catalog import RecipeCatalog
from moa_tui.settings.config import Settings
from moa_tui.store import Store
from moa_tui.ui.screens.help_screen import HelpScreen
from moa_tui.ui.screens.sessions.fork_screen import ForkScreen
from moa_tui.ui.screens.sessions.sessions_screen import SessionsScreen
from tests.conversations import a_conversation, conversation_of, with_branches
from tests.helpers import wait_until
from tests.ui.chat_app import ALONE, DUO, chat_app
from tests.ui.given import command, key

if TYPE_CHECKING:
    from tests.ui.chat_app import Bench


async def refused(bench: Bench, text: str, why: str) -> None:
    """Give a command that cannot be done: it is told, and its text is back in the prompt."""
    await bench.submit(text)
    await bench.until_told(why)
    await wait_until(lambda: bench.prompt.text == text)
    bench.prompt.fill("")


def prompts(bench: Bench) -> list[str]:
    return [turn.prompt for turn in bench.transcript.turns]


async def focus(bench: Bench, number: int) -> None:
    """Focus a turn, counting from 0."""
    bench.transcript.views[number].focus()
    await bench.settle()


# Kept


async def test_what_is_asked_and_answered_is_on_disk_with_every_agents_answer() -> None:
    async with chat_app() as bench:
        await bench.ask("What is a moa?")
        kept = bench.store.load(bench.chat.conversation.id)
        assert [turn.prompt for turn in kept.turns] == ["What is a moa?"]
        assert kept.active is not None
        assert kept.active.outcome is not None
        assert [reply.text for reply in kept.active.outcome.replies.values()] == [
            "one says 1",
            "two says 1",
            "judge says 1",
        ]


async def test_a_run_stopped_before_it_began_leaves_nothing_on_disk() -> None:
    async with chat_app() as bench:
        bench.gateway.ready = asyncio.Event()
        await bench.submit("never asked")
        await bench.until_shown("getting ready")
        await bench.press("escape")
        await bench.until_idle()
        assert bench.store.summaries() == []


async def test_a_conversation_opened_at_the_start_is_shown_and_gone_on_with() -> None:
    async with chat_app(ALONE, conversation=a_conversation(3)) as bench:
        await bench.until_shown("Question 3?", "The answer to question 3.")
        assert not bench.screen.has_class("-empty")
        assert bench.state.spent == pytest.approx(3 * 3 * 0.002)
        await bench.ask("and then?")
        sent = [message["content"] for message in bench.models.asked["alone"][0]]
        assert sent[-3:] == ["Question 3?", "The answer to question 3.", "and then?"]
        assert len(bench.store.load(bench.chat.conversation.id).turns) == 4


async def test_without_a_database_the_chat_goes_on_and_says_so_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with chat_app(kept=False) as bench:
        await bench.until_shown("NOT SAVED")
        await bench.ask("hi")
        await bench.until_shown("NOT SAVED: hi", "judge says 1")
        await refused(bench, "/resume hi", "no conversations are kept")
        await bench.submit("/export json")
        # Where the program was started: the usual place may be on the disk that fails.
        await bench.until_told(str(tmp_path / "hi-"))
        (written,) = tmp_path.glob("hi-*.json")
        assert json.loads(written.read_text())["turns"][0]["prompt"] == "hi"


async def test_what_is_not_on_disk_is_left_only_when_the_person_says_so_twice() -> None:
    async with chat_app(kept=False) as bench:
        await bench.ask("hi")
        await bench.press("ctrl+n")
        await bench.until_told("not on disk", "/export")
        assert prompts(bench) == ["hi"]
        await bench.press("ctrl+n")
        await wait_until(lambda: prompts(bench) == [])


async def test_the_program_is_left_twice_too_where_it_would_lose_the_conversation() -> None:
    async with chat_app(kept=False) as bench:
        await bench.ask("hi")
        await bench.press("ctrl+q")
        await bench.settle()
        assert bench.app.is_running
        await bench.press("ctrl+q")
        await wait_until(lambda: not bench.app.is_running)


async def test_trouble_with_the_disk_is_told_and_shown_until_it_is_over() -> None:
    async with chat_app() as bench:
        bench.app.tell_of_the_disk(StoreError("the disk is full; make room on it"))
        await bench.until_told("the disk is full", "/export")
        await bench.until_shown("NOT SAVED")
        bench.app.tell_of_the_disk(None)
        await bench.until_told("written to disk again")
        await wait_until(lambda: "NOT SAVED" not in bench.shown())


async def test_a_disk_that_could_not_be_written_at_the_start_is_told_and_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = StoreError("the disk is read-only; see that you may write in its folder")
    monkeypatch.setattr(Store, "problem", property(lambda _: problem))
    async with chat_app() as bench:
        await bench.until_told("the disk is read-only", "/export")
        await bench.until_shown("NOT SAVED")


# Private


@command("private")
async def test_what_is_private_is_never_written_and_can_be_kept_after_all() -> None:
    async with chat_app(ALONE) as bench:
        await bench.submit("/private")
        await bench.until_shown("private: moa-tui")
        await bench.ask("my secret")
        assert bench.store.summaries() == []
        assert b"my secret" not in b"".join(
            p.read_bytes() for p in bench.store.path.parent.glob("moa-tui.db*")
        )
        await bench.submit("/private")
        await bench.until_told("kept on disk from now on")
        await bench.ask("and more")
        kept = bench.store.load(bench.chat.conversation.id)
        assert [turn.prompt for turn in kept.turns] == ["my secret", "and more"]
        await bench.submit("/private")
        await bench.until_told("from now on nothing")
        await bench.ask("secret again")
        assert len(bench.store.load(bench.chat.conversation.id).turns) == 2
        await bench.press("ctrl+n")
        await bench.until_shown("private: moa-tui")
        await bench.ask("and here")
        assert len(bench.store.summaries()) == 1


async def test_a_kept_conversation_gone_on_with_in_private_gets_nothing_more() -> None:
    async with chat_app(ALONE, conversation=a_conversation(2), private=True) as bench:
        await bench.until_shown("private: Question 1?")
        await bench.ask("secret")
        assert len(bench.store.load(bench.chat.conversation.id).turns) == 2
        await bench.submit("/private")
        await bench.until_told("kept on disk from now on")
        kept = bench.store.load(bench.chat.conversation.id)
        assert [turn.prompt for turn in kept.turns] == ["Question 1?", "Question 2?", "secret"]


# Others


@key("chat.sessions")
async def test_ctrl_s_lists_what_is_kept_and_enter_opens_it() -> None:
    async with chat_app(ALONE) as bench:
        other = a_conversation(2, title="About birds")
        await asyncio.to_thread(bench.store.save, other)
        await bench.ask("here")
        await bench.press("ctrl+s")
        await wait_until(lambda: isinstance(bench.app.screen, SessionsScreen))
        await bench.until_shown("About birds", "here")
        await bench.press(*"birds")
        await bench.until_shown("About birds")
        await bench.press("enter")
        await wait_until(lambda: bench.chat.conversation.id == other.id)
        await bench.until_shown("Question 2?", "About birds")
        assert prompts(bench) == ["Question 1?", "Question 2?"]


async def test_a_title_given_in_the_list_is_the_open_conversations() -> None:
    async with chat_app(ALONE) as bench:
        await bench.ask("hi")
        await bench.press("ctrl+s")
        await bench.until_shown("Rename")
        await bench.press("f2", *"!!", "enter")
        await wait_until(lambda: bench.store.summaries()[0].name == "hi!!")
        await bench.press("escape")
        await wait_until(lambda: bench.chat.conversation.title == "hi!!")
        await bench.ask("more")
        assert bench.store.summaries()[0].name == "hi!!"


async def test_f1_lists_the_keys_of_a_dialog() -> None:
    async with chat_app(ALONE) as bench:
        for opens in ("f2", "ctrl+s"):
            await bench.press(opens)
            await wait_until(lambda: bench.app.screen is not bench.screen)
            await bench.press("f1")
            await wait_until(lambda: isinstance(bench.app.screen, HelpScreen))
            await bench.press("escape", "escape")
            await wait_until(lambda: bench.app.screen is bench.screen)


async def test_a_place_found_in_another_branch_is_shown_where_it_stands() -> None:
    async with chat_app(ALONE, conversation=with_branches()) as bench:
        await bench.until_shown("The last answer.")
        await bench.press("ctrl+s")
        await bench.press("quotation_mark", *"third", "space", *"answer", "quotation_mark")
        await bench.until_shown("Texts that hold", "Third answer.")
        await bench.press("enter")
        await wait_until(lambda: prompts(bench)[-1] == "Third question?")
        await bench.until_shown("Third answer.", "‹1/3›")


async def test_a_run_can_be_named_and_exported_while_it_goes() -> None:
    gate = asyncio.Event()
    async with chat_app(ALONE, alone=[["x", gate]]) as bench:
        await bench.submit("hi")
        await bench.until_writing("alone")
        await bench.submit("/rename Birds")
        await bench.until_shown("Birds")
        await bench.submit("/export json")
        await wait_until(lambda: ".json" in bench.notices)
        bench.open(gate)
        await bench.until_idle()
        assert json.loads(Path(bench.app.notices[-1].message).read_text())["turns"][0]["prompt"] == "hi"
        assert bench.store.summaries()[0].name == "Birds"
        assert bench.chat.conversation.title == "Birds"


@command("sessions")
async def test_the_command_sessions_lists_what_is_kept() -> None:
    async with chat_app(ALONE) as bench:
        await bench.submit("/sessions")
        await wait_until(lambda: isinstance(bench.app.screen, SessionsScreen))


@command("resume")
async def test_resume_opens_by_title_and_goes_on_with_its_recipe() -> None:
    async with chat_app(DUO) as bench:
        await asyncio.to_thread(bench.store.save, a_conversation(2, title="About birds"))
        await refused(bench, "/resume fish", 'no conversation "fish"')
        await bench.submit("/resume birds")
        await bench.until_shown("Question 2?")
        # Its recipe was a test's and is in no file.
        assert bench.chat.recipe is DUO
        await bench.submit("/resume")
        await wait_until(lambda: isinstance(bench.app.screen, SessionsScreen))


async def test_no_other_conversation_is_opened_while_a_run_goes_on() -> None:
    gate = asyncio.Event()
    async with chat_app(ALONE, alone=[["x", gate]]) as bench:
        await asyncio.to_thread(bench.store.save, a_conversation(2, title="About birds"))
        await bench.submit("hi")
        await bench.until_writing("alone")
        for text in ("/resume birds", "/fork", "/private"):
            await refused(bench, text, "a run is going on")
        bench.open(gate)
        await bench.until_idle()
        assert prompts(bench) == ["hi"]


async def test_nothing_is_asked_while_another_conversation_is_on_its_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with chat_app(ALONE) as bench:
        await bench.ask("here")
        other = a_conversation(2, title="About birds")
        await asyncio.to_thread(bench.store.save, other)
        gate = threading.Event()

        def again(catalog: RecipeCatalog, recipe: object) -> None:
            gate.wait(5)

        monkeypatch.setattr(RecipeCatalog, "reload", again)
        bench.chat.recipe = bench.chat.recipe.model_copy(update={"name": "another"})
        await bench.press("ctrl+s")
        await bench.until_shown("About birds")
        await bench.press(*"birds", "enter")
        await wait_until(lambda: bench.chat.conversation.id == other.id)
        assert not bench.is_idle
        await bench.submit("for here, not for there")
        await bench.until_told("just being opened")
        assert bench.prompt.text == "for here, not for there"
        gate.set()
        await bench.until_shown("About birds", "Question 2?")
        assert len(bench.store.load(other.id).turns) == 2
        assert [len(asked) for asked in bench.models.asked.values()] == [1]


@key("fork.fork", "fork.leave")
async def test_a_conversation_open_elsewhere_is_forked_only_when_the_person_says_so() -> None:
    async with chat_app(ALONE) as bench:
        other = a_conversation(2, title="About birds")
        await asyncio.to_thread(bench.store.save, other)
        with Store(bench.store.path) as elsewhere:
            assert elsewhere.hold(other.id)
            await bench.submit("/resume birds")
            await wait_until(lambda: isinstance(bench.app.screen, ForkScreen))
            await bench.press("escape")
            await bench.settle()
            assert prompts(bench) == []
            await bench.submit("/resume birds")
            await wait_until(lambda: isinstance(bench.app.screen, ForkScreen))
            await bench.press("f")
            await bench.until_shown("Question 2?", "About birds (fork)")
            assert bench.chat.conversation.forked_from == other.id
            await bench.ask("mine")
            assert len(elsewhere.load(other.id).turns) == 2


@command("rename")
async def test_rename_gives_the_conversation_a_title() -> None:
    async with chat_app(ALONE) as bench:
        await bench.submit("/rename Birds")
        await bench.until_shown("Birds")
        await bench.ask("hi")
        assert bench.store.summaries()[0].name == "Birds"
        await refused(bench, "/rename", "a title is needed")
        await bench.submit("/rename  [/]Flightless   birds")
        await bench.until_shown("[/]Flightless birds")
        assert bench.store.summaries()[0].name == "[/]Flightless birds"


@command("fork")
async def test_fork_goes_on_in_a_conversation_of_its_own() -> None:
    async with chat_app(ALONE) as bench:
        await refused(bench, "/fork", "nothing yet to fork")
        await bench.ask("one")
        first = bench.chat.conversation.id
        await bench.submit("/fork")
        await bench.until_told("a conversation of its own now")
        await bench.ask("two")
        assert [len(bench.store.load(each).turns) for each in (first, bench.chat.conversation.id)] == [1, 2]


@key("turn.fork")
async def test_f_on_a_turn_forks_from_there() -> None:
    async with chat_app(ALONE, conversation=a_conversation(3)) as bench:
        await bench.until_shown("Question 3?")
        await focus(bench, 0)
        await bench.press("f")
        await bench.until_told("a conversation of its own now")
        await wait_until(lambda: prompts(bench) == ["Question 1?"])


# Branches


@key("turn.branch")
async def test_b_on_an_earlier_turn_asks_it_in_another_way_and_keeps_the_old_branch() -> None:
    async with chat_app(ALONE, conversation=a_conversation(3)) as bench:
        await bench.until_shown("Question 3?")
        await focus(bench, 1)
        await bench.press("b")
        await wait_until(lambda: bench.prompt.text == "Question 2?")
        bench.prompt.fill("")
        await bench.settle()
        await focus(bench, 1)
        await bench.press("b")
        await wait_until(lambda: bench.prompt.text == "Question 2?")
        await bench.press("backspace", "!", "enter")
        await wait_until(lambda: bench.session.run is None and bench.state.run_view is not None)
        await bench.until_idle()
        assert prompts(bench) == ["Question 1?", "Question 2!"]
        await bench.until_shown("You  ‹2/2›", "Question 2!")
        kept = bench.store.load(bench.chat.conversation.id)
        assert [turn.prompt for turn in kept.turns] == [
            "Question 1?",
            "Question 2?",
            "Question 3?",
            "Question 2!",
        ]


async def test_edit_with_a_number_changes_that_prompt() -> None:
    async with chat_app(ALONE, conversation=a_conversation(3)) as bench:
        await bench.until_shown("Question 3?")
        await refused(bench, "/edit 4", "which prompt?")
        await refused(bench, "/edit two", "which prompt?")
        await bench.submit("/edit 1")
        assert bench.prompt.text == "Question 1?"
        await bench.ask("from the start")
        assert prompts(bench) == ["from the start"]


async def test_a_branch_stopped_before_it_began_leaves_the_old_one_in_view() -> None:
    async with chat_app(ALONE, conversation=a_conversation(3)) as bench:
        await bench.until_shown("Question 3?")
        await bench.submit("/edit 1")
        bench.gateway.ready = asyncio.Event()
        await bench.press("enter")
        await bench.until_shown("getting ready")
        await bench.press("escape")
        await bench.until_idle()
        assert prompts(bench) == ["Question 1?", "Question 2?", "Question 3?"]
        await bench.until_shown("Question 3?")


@key("turn.alternative_before")
@key("turn.alternative_after")
async def test_left_and_right_on_a_turn_move_between_the_alternatives_with_all_that_follows() -> None:
    async with chat_app(ALONE, conversation=with_branches(), size=(80, 60)) as bench:
        await bench.until_shown("‹3/3›", "Yet another answer.", "The last answer.")
        await focus(bench, 1)
        await bench.press("left")
        await bench.until_shown("‹2/3›", "Another answer.")
        assert prompts(bench) == ["First question?", "Second question, put better?"]
        assert bench.transcript.views[1].has_focus
        await bench.press("left")
        await bench.until_shown("‹1/3›", "Third answer.")
        assert prompts(bench) == ["First question?", "Second question?", "Third question?"]
        await bench.press("right", "right")
        await bench.until_shown("‹3/3›", "The last answer.")
        kept = bench.store.load(bench.chat.conversation.id)
        assert kept.active is not None
        assert kept.active.prompt == "Third question of the other branch?"


async def test_a_long_alternative_is_shown_from_its_beginning() -> None:
    long = "\n\n".join(f"Paragraph {number}." for number in range(40))
    async with chat_app(ALONE, alone=[[long], ["short"]]) as bench:
        await bench.ask("first")
        await bench.ask("/retry")
        await focus(bench, 0)
        await bench.press("left")
        await bench.until_shown("You  ‹1/2›", "Paragraph 0.")


async def test_the_panes_of_an_alternative_are_its_own() -> None:
    async with chat_app(DUO, size=(120, 40)) as bench:
        await bench.ask("first")
        await bench.ask("/retry")
        await focus(bench, 0)
        await bench.press("left")
        await bench.until_shown("‹1/2›", "judge says 1")
        await bench.press("enter")
        bench.panel.pick(1)
        await bench.until_shown("one says 1", "two says 1")


async def test_a_turn_without_alternatives_has_no_use_for_left_and_right() -> None:
    async with chat_app(ALONE, conversation=a_conversation(1)) as bench:
        await bench.until_shown("Question 1?")
        await focus(bench, 0)
        await bench.press("left", "right")
        await bench.settle()
        assert prompts(bench) == ["Question 1?"]
        assert "‹" not in bench.shown()


# An interrupted turn


async def test_an_interrupted_turn_shows_what_came_and_again_goes_on_from_there() -> None:
    gate = asyncio.Event()
    async with chat_app(DUO, two=[["half an ans", gate], ["whole"]]) as bench:
        await bench.submit("hi")
        await bench.until_writing("two")
        await wait_until(lambda: bench.run.layers[0][0].over)
        wanted = bench.chat.conversation.id
        # As the next start finds it: nothing tells the file that the run has ended.
        with Store(bench.store.path) as after:
            await wait_until(lambda: "half an ans" in _texts(after, wanted))
            found = after.load(wanted)
        bench.open(gate)
        await bench.until_idle()
        bench.chat.conversation = found
        await bench.screen.controllers.switching.show_conversation()
        await bench.until_shown("this turn has no end", "/again")
        before = len(bench.models.asked["one"])
        await bench.ask("/again")
        assert len(bench.models.asked["one"]) == before
        await bench.until_shown("judge says")
        assert bench.chat.turn is not None
        assert bench.chat.turn.outcome is not None
        assert [reply.text for reply in bench.chat.turn.outcome.replies.values()][:2] == [
            "one says 1",
            "whole",
        ]


def _texts(store: Store, wanted: str) -> list[str]:
    turn = store.load(wanted).active
    assert turn is not None
    assert turn.outcome is not None
    return [reply.text for reply in turn.outcome.replies.values()]


# Export


@command("export")
async def test_export_writes_a_file_says_where_and_never_replaces_one_unasked(tmp_path: Path) -> None:
    async with chat_app(ALONE) as bench:
        await refused(bench, "/export", "nothing yet to export")
        await bench.ask("hi [/]")
        await bench.submit("/export")
        await wait_until(lambda: ".md" in bench.notices)
        assert Path(bench.app.notices[-1].message).read_text(encoding="utf-8").startswith("---\n")
        path = tmp_path / "one file.json"
        await bench.submit(f'/export "{path}"')
        await bench.until_told(str(path))
        assert json.loads(path.read_text())["turns"][0]["prompt"] == "hi [/]"
        await refused(bench, f'/export "{path}"', "is there already")
        await bench.submit(f'/export html "{path}" !')
        await wait_until(lambda: path.read_text().startswith("<!"))


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("", ("markdown", None, False)),
        ("html", ("html", None, False)),
        ("a.md", ("markdown", Path("a.md"), False)),
        ("a.messages.json !", ("messages", Path("a.messages.json"), True)),
        ("a.b.json", ("json", Path("a.b.json"), False)),
        ("sharegpt 'a b.txt'", ("sharegpt", Path("a b.txt"), False)),
    ],
)
def test_the_words_behind_export_are_format_and_path(words: str, wanted: object) -> None:
    assert export_words(words) == wanted


@pytest.mark.parametrize("words", ["a.doc", "html a b", "'open"])
def test_words_behind_export_that_mean_nothing_are_refused(words: str) -> None:
    with pytest.raises(UsageError):
        export_words(words)


# Earlier prompts


async def test_what_was_asked_in_other_conversations_is_there_to_step_back_to() -> None:
    async with chat_app(ALONE) as bench:
        await asyncio.to_thread(
            bench.store.save, conversation_of(("one", "x"), ("two", "x"), ("y" * 5000, "x"))
        )
        await bench.screen.controllers.switching.recall_prompts()
        await bench.ask("three")
        await bench.press("up", "up")
        assert bench.prompt.text == "two"
        await bench.press("up")
        assert bench.prompt.text == "one"


async def test_a_database_found_damaged_while_prompts_are_recalled_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def damaged(self: Library) -> list[str]:
        raise StoreError("the file is damaged; `moa-tui doctor` says how to repair it")

    monkeypatch.setattr(Library, "prompts", damaged)
    async with chat_app(ALONE) as bench:
        await bench.until_told("the file is damaged")


# A title by a model


async def test_a_model_named_in_the_config_gives_a_new_conversation_its_title() -> None:
    settings = Settings(title_model="namer")
    async with chat_app(
        ALONE, settings=settings, namer=[['Here you are:\n"**Flightless [/] birds**."\n']]
    ) as bench:
        await bench.ask("What is a moa?")
        await bench.until_shown("Flightless [/] birds")
        await wait_until(lambda: bench.store.summaries()[0].name == "Flightless [/] birds")
        await bench.ask("And a kiwi?")
        assert len(bench.models.asked["namer"]) == 1
        assert "What is a moa?" in bench.models.asked["namer"][0][0]["content"]


async def test_a_model_that_cannot_give_a_title_is_told_and_the_prompt_stays_the_name() -> None:
    settings = Settings(title_model="namer")
    async with chat_app(
        ALONE, settings=settings, namer=[[ModelError("auth", "the key is wrong", 401)]]
    ) as bench:
        await bench.ask("What is a moa?")
        await bench.until_told("the key is wrong")
        assert bench.store.summaries()[0].name == "What is a moa?"


# Statistics


@command("stats")
async def test_stats_shows_what_all_conversations_took() -> None:
    async with chat_app(ALONE, conversation=a_conversation(3)) as bench:
        await bench.submit("/stats")
        await bench.until_shown("test", "3")
        await bench.press("escape")
        await wait_until(lambda: bench.app.screen is bench.screen)
