"""The kept conversations: listed, found, and put in order."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from textual.app import App
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from moa_tui.conversation import Conversation, Hit, Summary, Turn
from moa_tui.engine.values import Metrics, Outcome
from moa_tui.errors import FileError, StoreError, UsageError
from moa_tui.ui.screens.help_screen import keys_in_force
from moa_tui.ui.screens.sessions import session_list
from moa_tui.ui.screens.sessions.session_dialogs import FormatScreen, TextScreen
from moa_tui.ui.screens.sessions.session_rows import when
from moa_tui.ui.screens.sessions.sessions_screen import SessionsScreen
from moa_tui.ui.widgets.key_bar import KeyBar
from tests.helpers import recipe, wait_until
from tests.ui.given import key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.content import Content
    from textual.pilot import Pilot

    from moa_tui.chat.library import Library
    from moa_tui.ui.screens.help_screen import Section

NOW = time.time()
HOSTILE = "[/] [red]x[/red]\x1b]52;c;eA==\x07 \u202eback\n\nsecond\tline " + "huge " * 50_000


def summary(id: str, name: str = "", **values: Any) -> Summary:
    defaults: dict[str, Any] = {"created": NOW, "used": NOW, "turns": 3, "recipe": "moa-lite", "cost": 0.25}
    return Summary(id, name or id, **(defaults | values))


def hit(of: Summary, context: str, word: str, where: str = "answer", agent: str = "") -> Hit:
    at = context.index(word)
    return Hit(of, "t1", cast("Any", where), agent, context, ((at, at + len(word)),))


class Shelf:
    """A library in memory. `errors` has what a method raises, `held` what a search or a method waits for."""

    def __init__(self, *kept: Summary, hits: Sequence[Hit] = ()) -> None:
        self.kept = {one.id: one for one in kept}
        self.hits = list(hits)
        self.calls: list[tuple[Any, ...]] = []
        self.errors: dict[str, Exception] = {}
        self.held: dict[str, threading.Event] = {}
        self.searched: list[str] = []

    def _called(self, *call: Any) -> None:
        assert threading.current_thread() is not threading.main_thread(), (
            "the disk must not hold up the screen"
        )
        if call[0] in self.held:
            assert self.held[call[0]].wait(5)
        self.calls.append(call)
        if error := self.errors.get(call[0]):
            raise error

    def _change(self, *call: Any, **values: Any) -> None:
        self._called(*call)
        self.kept[call[1]] = replace(self.kept[call[1]], **values)

    def summaries(self, *, archived: bool = False, deleted: bool = False) -> list[Summary]:
        self._called("summaries", archived, deleted)
        found = [
            one
            for one in self.kept.values()
            if bool(one.deleted) == deleted and (deleted or one.archived == archived)
        ]
        return sorted(found, key=lambda one: (not one.pinned, -one.used))

    def search(self, wanted: str, limit: int = 50) -> list[Hit]:
        self._called("search", wanted)
        if wanted in self.held:
            assert self.held[wanted].wait(5)
        self.searched.append(wanted)
        found = [one for one in self.hits if wanted.split()[-1] in one.context]
        return [replace(one, summary=self.kept[one.summary.id]) for one in found][:limit]

    def load(self, conversation_id: str) -> Conversation:
        self._called("load", conversation_id)
        turn = Turn(f"prompt of {conversation_id}", recipe(["a"]), id="t1")
        turn = replace(turn, outcome=Outcome("done", f"answer of {conversation_id}", {}, Metrics()))
        return Conversation((turn,), turn, id=conversation_id)

    def rename(self, conversation_id: str, title: str) -> None:
        self._change("rename", conversation_id, title, name=title)

    def tag(self, conversation_id: str, tags: Sequence[str]) -> None:
        self._change("tag", conversation_id, list(tags), tags=tuple(tags))

    def pin(self, conversation_id: str, pinned: bool) -> None:
        self._change("pin", conversation_id, pinned, pinned=pinned)

    def archive(self, conversation_id: str, archived: bool) -> None:
        self._change("archive", conversation_id, archived, archived=archived)

    def delete(self, conversation_id: str) -> None:
        self._change("delete", conversation_id, deleted=NOW)

    def restore(self, conversation_id: str) -> None:
        self._change("restore", conversation_id, deleted=None)

    def export(
        self, conversation: Conversation, format: str, path: Path | None = None, *, replace: bool = False
    ) -> Path:
        self._called("export", conversation.id, format)
        return Path(f"/exports/[/]{conversation.id}.{format}")

    def made(self, *names: str) -> list[tuple[Any, ...]]:
        return [call for call in self.calls if call[0] in names]


class Host(App[None]):
    """Pushes the screen and keeps what it gave."""

    def __init__(self, shelf: Shelf, current: str | None = None, **more: Any) -> None:
        super().__init__()
        self.shelf = shelf
        self.sessions = SessionsScreen(cast("Library", shelf), current, **more)
        self.given: list[str | None] = []
        self.helped: list[Section] = []

    def on_mount(self) -> None:
        self.push_screen(self.sessions, self.given.append)

    def action_help(self) -> None:
        self.helped = keys_in_force(self.screen)

    @property
    def listed(self) -> OptionList:
        return self.sessions.query_one("#rows", OptionList)

    def rows(self) -> list[str]:
        """The rows in view, as they are drawn."""
        if not self.listed.display:
            return []
        drawn = (self.listed.render_line(y).text.rstrip() for y in range(self.listed.size.height))
        return [row for row in drawn if row]

    def names(self) -> list[str]:
        return [row[4:].split()[0] for row in self.rows()]

    def highlighted(self) -> str:
        assert self.listed.highlighted is not None
        return self.names()[self.listed.highlighted]

    def text(self, selector: str) -> str:
        return str(self.screen.query_one(selector, Static).content)

    def notices(self) -> list[str]:
        return [one.message for one in self._notifications]

    def key_bar(self) -> str:
        return str(self.screen.query_one(KeyBar).content)


async def ready(app: Host, pilot: Pilot[None]) -> None:
    await wait_until(lambda: app.sessions.is_mounted and app.sessions._list.answered is not None)
    await pilot.pause()


async def type_in(pilot: Pilot[None], words: str) -> None:
    await pilot.press(*["space" if letter == " " else letter for letter in words])


def three() -> Shelf:
    return Shelf(
        summary("alpha", used=NOW), summary("beta", used=NOW - 10, turns=12), summary("gamma", used=NOW - 20)
    )


# The list


async def test_a_row_tells_title_last_use_turns_recipe_cost_and_tags() -> None:
    used = datetime(2021, 3, 12, 12, tzinfo=UTC).timestamp()
    shelf = Shelf(summary("one", "Actors", used=used, turns=12, cost=0.0123, tags=("stage", "us")))
    app = Host(shelf)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        assert app.rows()[0].split() == ["Actors", "#stage", "#us", "2021-03-12", "12", "moa-lite", "$0.0123"]
        heads = app.sessions.query_one("#columns", Static).render_line(0).text.split()
        assert heads == ["title", "last", "use", "turns", "recipe", "cost"]
        assert app.text("#title") == "Conversations: 1 in use"


async def test_the_pinned_and_the_open_one_are_marked_without_colour() -> None:
    app = Host(Shelf(summary("alpha", pinned=True), summary("beta")), "beta")
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        assert app.rows()[0].startswith("  ★ alpha")
        assert app.rows()[1].startswith("▸   beta  open")
        assert app.highlighted() == "beta", "where the person comes from"


def test_a_time_is_short_in_the_time_zone_of_the_reader() -> None:
    now = datetime(2026, 3, 12, 15, 0, tzinfo=UTC)
    assert when(datetime(2026, 3, 12, 9, 5, tzinfo=UTC).timestamp(), now) == "09:05"
    assert when(datetime(2026, 3, 2, 9, 5, tzinfo=UTC).timestamp(), now) == "2 Mar"
    assert when(datetime(2025, 12, 31, 9, 5, tzinfo=UTC).timestamp(), now) == "2025-12-31"
    assert when(1e30, now) == "?"


@key("sessions.first", "sessions.last")
async def test_two_thousand_conversations_are_there_at_once_and_the_last_is_reached_by_a_key() -> None:
    app = Host(Shelf(*(summary(f"c{number}", used=NOW - number) for number in range(2_000))), "c1500")
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        assert app.text("#title") == "Conversations: 2,000 in use"
        assert any(row.startswith("▸   c1500  open") for row in app.rows()), "the open one is in view"
        await pilot.press("ctrl+home")
        assert app.names()[0] == "c0"
        await pilot.press("ctrl+end", "enter")
        await wait_until(lambda: app.given == [("c1999", "")])


@key("sessions.page_up", "sessions.page_down")
async def test_page_keys_go_through_the_list() -> None:
    app = Host(Shelf(*(summary(f"c{number}", used=NOW - number) for number in range(100))))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("pagedown", "pagedown")
        await wait_until(lambda: "c30" in app.names())
        await pilot.press("pageup", "pageup", "enter")
        await wait_until(lambda: app.given == [("c0", "")])


async def test_only_rows_in_view_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    draw = session_list.summary_row

    def watched(one: Summary, current: str | None, width: int) -> Content:
        made.append(one)
        return draw(one, current, width)

    monkeypatch.setattr(session_list, "summary_row", watched)
    app = Host(Shelf(*(summary(f"c{number}") for number in range(2_000))))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        assert 10 < len(made) < 100
        made.clear()
        app.sessions._list.show(app.sessions._list._rows, session_list.Query("in use"), "")
        await wait_until(lambda: made)
        await pilot.pause()
        assert 10 < len(made) < 100


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (220, 60)])
async def test_rows_and_keys_fit_every_size(size: tuple[int, int]) -> None:
    one = summary(
        "one", "標題 " * 80, tags=("a" * 50, "漢字" * 30), cost=1234.5, turns=12345, recipe="r" * 60
    )
    app = Host(Shelf(one, summary("two")), "one")
    async with app.run_test(size=size) as pilot:
        await ready(app, pilot)
        assert len(app.rows()) == 2
        assert "open" in app.rows()[0]
        assert app.listed.max_scroll_x == 0
        assert app.listed.size.height >= 8
        keys = app.key_bar()
        assert all(word in keys for word in ("Open", "Rename", "Tags", "Pin", "Export", "Archive", "Delete"))
        assert "#a" in app.rows()[0], "tags are seen at every size"
        assert app.sessions.query_one("#preview").display == (size[0] >= 160)


async def test_rows_are_drawn_anew_when_the_terminal_changes_its_size() -> None:
    app = Host(Shelf(summary("one", tags=("stage",))))
    async with app.run_test(size=(60, 20)) as pilot:
        await ready(app, pilot)
        assert "moa-lite" not in app.rows()[0]
        await pilot.resize_terminal(140, 30)
        await wait_until(lambda: "moa-lite" in app.rows()[0])
        assert "begun" in app.sessions.query_one("#columns", Static).render_line(0).text


async def test_a_hostile_title_is_one_harmless_line() -> None:
    one = summary("one", HOSTILE, tags=("[/]\n\x1b[31mtag",), recipe="[bold]\x9b31m")
    shelf = Shelf(one, summary("two"), hits=[hit(one, HOSTILE, "back", "proposer", "[/a]\nb\x1b")])
    app = Host(shelf)
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        assert len(app.rows()) == 2
        assert "[/] [red]x[/red]]52;c;eA== back second l" in app.rows()[0]
        await pilot.press("f2")
        await wait_until(lambda: isinstance(app.screen, TextScreen))
        await pilot.press("escape", "f5")
        await wait_until(lambda: isinstance(app.screen, FormatScreen))
        await pilot.press("enter")
        await wait_until(lambda: any("[/]" in notice for notice in app.notices()))
        await type_in(pilot, "back")
        await wait_until(lambda: shelf.searched == ["back"] and len(app.rows()) == 2)
        assert "[/a] b" in app.rows()[0]
        drawn = "".join(app.rows())
        assert not any(character in drawn for character in "\x1b\x07\x9b\u202e\n\t")


# Opening


@key("sessions.down", "sessions.open", "sessions.up")
async def test_enter_gives_the_highlighted_conversation_and_arrows_move_while_the_field_has_the_focus() -> (
    None
):
    app = Host(three())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("down", "down", "up")
        assert app.highlighted() == "beta"
        assert app.focused is app.sessions.query_one(Input)
        await pilot.press("enter")
        await wait_until(lambda: app.given == [("beta", "")])


@key("sessions.close")
async def test_escape_gives_nothing() -> None:
    app = Host(three())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("escape")
        await wait_until(lambda: app.given == [None])


async def test_a_click_selects_and_a_second_one_opens() -> None:
    app = Host(three())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.click(app.listed, offset=(6, 1))
        assert app.highlighted() == "beta"
        assert app.given == []
        assert app.focused is app.sessions.query_one(Input), "typing still searches"
        await pilot.click(app.listed, offset=(6, 1))
        await wait_until(lambda: app.given == [("beta", "")])


async def test_a_click_on_a_key_does_what_the_key_does() -> None:
    app = Host(three())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        bar = app.sessions.query_one(KeyBar)
        first = str(bar.content).splitlines()[0]
        await pilot.click(bar, offset=(first.index("Pin") + 1, 0))
        await wait_until(lambda: app.shelf.made("pin") == [("pin", "alpha", True)])


# Searching


def found() -> Shelf:
    alpha, beta = summary("alpha"), summary("beta", archived=True)
    hits = [
        hit(beta, "Hunters found that the moa was slow and large", "moa", "proposer", "kimi"),
        hit(alpha, "why did the moa die out", "moa", "prompt"),
        hit(alpha, "The last moa died about 1440", "moa", "answer", "final"),
        hit(alpha, "x " * 100 + "it was a bird moa-sized " + "y " * 100, "bird"),
    ]
    return Shelf(alpha, beta, hits=hits)


async def test_typing_shows_each_place_with_where_it_is_and_the_words_around() -> None:
    app = Host(found())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await type_in(pilot, "the moa")
        await wait_until(lambda: app.text("#title") == "Conversations: 4 places found")
        rows = app.rows()
        assert "beta  archived" in rows[0]
        assert "kimi" in rows[0]
        assert rows[1].strip() == "Hunters found that the moa was slow and large"
        assert "prompt" in rows[2]
        assert "answer" in rows[4]
        assert app.shelf.searched == ["the moa"], "not for each letter"
        await pilot.press("down", "enter")
        await wait_until(lambda: app.given == [("alpha", "t1")])


async def test_what_was_found_is_bold_and_underlined_and_in_view() -> None:
    app = Host(found())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await type_in(pilot, "bird")
        await wait_until(lambda: app.shelf.searched == ["bird"] and len(app.rows()) == 2)
        assert "…" in app.rows()[1]
        set_apart = [
            segment.text
            for segment in app.listed.render_line(1)
            if segment.style and segment.style.bold and segment.style.underline
        ]
        assert set_apart == ["bird"]


async def test_what_was_found_far_behind_wide_characters_is_in_view() -> None:
    one = summary("one")
    app = Host(Shelf(one, hits=[hit(one, "漢字" * 300 + "近い bird", "bird")]))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await type_in(pilot, "bird")
        await wait_until(lambda: len(app.rows()) == 2)
        assert app.rows()[1].endswith("字近い bird")


async def test_a_late_result_of_an_older_search_replaces_nothing() -> None:
    shelf = found()
    shelf.held = {"moa": threading.Event()}
    app = Host(shelf)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await type_in(pilot, "moa")
        await wait_until(lambda: ("search", "moa") in shelf.calls)
        await type_in(pilot, " bird")
        await wait_until(lambda: shelf.searched == ["moa bird"] and len(app.rows()) == 2)
        shelf.held["moa"].set()
        await wait_until(lambda: shelf.searched == ["moa bird", "moa"])
        await pilot.pause()
        assert app.text("#title") == "Conversations: 1 place found"


async def test_going_back_to_the_words_in_view_forgets_the_search_between() -> None:
    shelf = found()
    shelf.held = {"moas": threading.Event()}
    app = Host(shelf)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await type_in(pilot, "moa")
        await wait_until(lambda: shelf.searched == ["moa"] and len(app.rows()) > 2)
        await type_in(pilot, "s")
        await wait_until(lambda: ("search", "moas") in shelf.calls)
        await pilot.press("backspace")
        shelf.held["moas"].set()
        await wait_until(lambda: sorted(shelf.searched) == ["moa", "moa", "moas"])
        await pilot.pause()
        assert len(app.rows()) > 2


async def test_emptying_the_field_shows_the_list_again() -> None:
    app = Host(found(), "alpha")
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await type_in(pilot, "moa")
        await wait_until(lambda: "found" in app.text("#title"))
        await pilot.press("ctrl+u")
        await wait_until(lambda: app.text("#title") == "Conversations: 1 in use")
        assert app.highlighted() == "alpha"


async def test_enter_right_after_typing_opens_the_first_place_found_and_not_what_was_listed() -> None:
    shelf = found()
    shelf.held = {"slow": threading.Event()}
    app = Host(shelf)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await type_in(pilot, "slow")
        await pilot.press("enter", "f8")
        assert app.given == []
        shelf.held["slow"].set()
        await wait_until(lambda: app.given == [("beta", "t1")])
        assert not shelf.made("delete"), "nor is anything done to what was listed"


async def test_what_cannot_be_searched_is_told_in_the_lists_place() -> None:
    shelf = found()
    shelf.errors["search"] = UsageError('the search for "[/]" cannot be understood')
    app = Host(shelf)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await type_in(pilot, "x")
        await wait_until(lambda: '✗ the search for "[/]" cannot be understood' in app.text("#nothing"))
        assert app.rows() == []
        await pilot.press("enter", "down", "f2", "f8", "backspace")
        await wait_until(lambda: app.names() == ["alpha"])


async def test_nothing_found_is_said() -> None:
    app = Host(found())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await type_in(pilot, "emu [/]")
        await wait_until(lambda: 'Nothing found for "emu [/]"' in app.text("#nothing"))
        assert app.sessions.query_one("#nothing").display


async def test_empty_lists_say_what_would_be_there() -> None:
    app = Host(Shelf())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        assert "No conversation is kept yet" in app.text("#nothing")
        await pilot.press("f7")
        await wait_until(lambda: "Nothing is archived" in app.text("#nothing"))
        await pilot.press("f7")
        await wait_until(lambda: "Nothing was deleted" in app.text("#nothing"))
        await pilot.press("enter", "ctrl+z", "f2", "f8", "down", "f7")
        await wait_until(lambda: "No conversation is kept yet" in app.text("#nothing"))
        await pilot.press("enter", *(f"f{number}" for number in (2, 3, 4, 5, 6, 8)), "ctrl+z")
        assert app.screen is app.sessions
        assert app.given == []


async def test_a_library_that_cannot_be_read_is_told_in_the_lists_place() -> None:
    shelf = three()
    shelf.errors["summaries"] = StoreError("/data/moa.db: [/] is not a database")
    app = Host(shelf)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        assert "✗ /data/moa.db: [/] is not a database" in app.text("#nothing")


# Putting in order


@key("sessions.rename", "text.accept")
async def test_f2_gives_a_title() -> None:
    app = Host(three())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("down", "f2")
        await wait_until(lambda: isinstance(app.screen, TextScreen))
        assert app.screen.query_one(Input).value == "beta"
        await pilot.press("ctrl+u", *"moa", "enter")
        await wait_until(lambda: app.names() == ["alpha", "moa", "gamma"])
        assert app.highlighted() == "moa"


@pytest.mark.parametrize("keys", [["enter"], ["x", "escape"]])
async def test_a_title_that_was_not_changed_is_not_written(keys: list[str]) -> None:
    app = Host(three())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("f2")
        await wait_until(lambda: isinstance(app.screen, TextScreen))
        await pilot.press(*keys)
        await wait_until(lambda: app.screen is app.sessions)
        assert not app.shelf.made("rename")


@key("text.close", "export.close")
async def test_escape_leaves_a_dialog_and_changes_nothing() -> None:
    app = Host(three())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        for opens, dialog in (("f2", TextScreen), ("f5", FormatScreen)):
            await pilot.press(opens)
            await wait_until(lambda dialog=dialog: isinstance(app.screen, dialog))
            await pilot.press("escape")
            await wait_until(lambda: app.screen is app.sessions)
        assert not app.shelf.made("rename", "export")


@key("sessions.tags")
async def test_f3_gives_tags_with_commas_between() -> None:
    app = Host(Shelf(summary("one", tags=("old one", "us"))))
    async with app.run_test(size=(120, 30)) as pilot:
        await ready(app, pilot)
        await pilot.press("f3")
        await wait_until(lambda: isinstance(app.screen, TextScreen))
        assert app.screen.query_one(Input).value == "old one, us"
        await type_in(pilot, ", #new,, ")
        await pilot.press("enter")
        await wait_until(lambda: app.shelf.made("tag") == [("tag", "one", ["old one", "us", "new"])])
        await wait_until(lambda: "#old one #us #new" in app.rows()[0])


@key("sessions.pin")
async def test_f4_pins_and_unpins_and_the_highlight_goes_along() -> None:
    app = Host(three())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("down", "down", "f4")
        await wait_until(lambda: app.names() == ["gamma", "alpha", "beta"])
        assert app.rows()[0].startswith("  ★ gamma")
        assert app.highlighted() == "gamma"
        await pilot.press("f4")
        await wait_until(lambda: app.names() == ["alpha", "beta", "gamma"])
        assert app.highlighted() == "gamma"


@key("export.choose", "sessions.export")
async def test_f5_exports_what_load_gives_and_tells_the_path() -> None:
    loaded = []

    async def load(conversation_id: str) -> Conversation:
        loaded.append(conversation_id)
        return Conversation(id=conversation_id)

    app = Host(three(), load=load)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await ready(app, pilot)
        await pilot.press("down", "f5")
        await wait_until(lambda: isinstance(app.screen, FormatScreen))
        await pilot.press("down", "enter")
        await wait_until(lambda: app.notices())
        assert app.shelf.made("export") == [("export", "beta", "html")]
        assert app.notices() == ['"beta" is exported to /exports/[/]beta.html']
        assert loaded == ["beta"]


async def test_an_export_is_finished_when_the_screen_is_left() -> None:
    app = Host(three())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("f5", "enter", "escape")
        await wait_until(lambda: app.given == [None] and app.notices())
        assert app.shelf.made("export") == [("export", "alpha", "markdown")]


async def test_a_click_chooses_the_format() -> None:
    app = Host(three())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("f5")
        await wait_until(lambda: isinstance(app.screen, FormatScreen))
        await pilot.pause()
        await pilot.click("#formats", offset=(3, 2))
        await wait_until(lambda: app.shelf.made("export") == [("export", "alpha", "json")])


@key("sessions.archive", "sessions.lists", "sessions.unarchive")
async def test_f6_archives_and_brings_back_and_f7_goes_through_the_lists() -> None:
    app = Host(three())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("f6")
        await wait_until(lambda: app.names() == ["beta", "gamma"])
        assert app.highlighted() == "beta", "the next one"
        assert app.notices() == ['"alpha" is archived; F7 shows what is']
        await pilot.press("f7")
        await wait_until(lambda: app.text("#title") == "Conversations: 1 archived")
        assert app.names() == ["alpha"]
        assert "Back to those in use" in app.key_bar()
        await pilot.press("f6")
        await wait_until(lambda: "Nothing is archived" in app.text("#nothing"))
        await pilot.press("f7", "f7")
        await wait_until(lambda: len(app.rows()) == 3)


@key("sessions.delete", "sessions.undo")
async def test_f8_deletes_at_once_and_ctrl_z_brings_back_one_after_the_other() -> None:
    app = Host(three())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        assert "Bring back" not in app.key_bar()
        await pilot.press("down", "f8")
        await wait_until(lambda: app.names() == ["alpha", "gamma"])
        assert app.notices() == ['"beta" is deleted; ctrl+z brings it back']
        assert app.highlighted() == "gamma"
        assert "Bring back" in app.key_bar()
        await pilot.press("f8")
        await wait_until(lambda: app.names() == ["alpha"])
        await pilot.press("ctrl+z")
        await wait_until(lambda: app.names() == ["alpha", "gamma"])
        assert app.highlighted() == "gamma"
        await pilot.press("ctrl+z")
        await wait_until(lambda: app.names() == ["alpha", "beta", "gamma"])
        await pilot.press("ctrl+z")
        assert app.shelf.made("restore") == [("restore", "gamma"), ("restore", "beta")]


async def test_delete_and_undo_pressed_at_once_are_done_in_that_order() -> None:
    app = Host(three())
    app.shelf.held = {"delete": threading.Event()}
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("f8", "f8", "ctrl+z")
        await pilot.pause()
        assert not app.shelf.made("restore")
        app.shelf.held["delete"].set()
        await wait_until(lambda: app.shelf.made("restore"))
        assert app.shelf.made("delete", "restore") == [("delete", "alpha"), ("restore", "alpha")]


async def test_what_was_asked_for_is_done_when_the_screen_is_left() -> None:
    app = Host(three())
    app.shelf.held = {"delete": threading.Event()}
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("f8", "down", "f8", "escape")
        await wait_until(lambda: app.given == [None])
        await pilot.pause()
        app.shelf.held["delete"].set()
        await wait_until(lambda: len(app.notices()) == 2)
        assert app.shelf.made("delete") == [("delete", "alpha"), ("delete", "beta")]


@pytest.mark.parametrize("left_by", ["escape", "enter"])
async def test_a_search_or_a_preview_that_ends_when_the_screen_is_left_harms_nothing(left_by: str) -> None:
    shelf = found()
    app = Host(shelf)
    async with app.run_test(size=(200, 50)) as pilot:
        await ready(app, pilot)
        shelf.held = {"summaries": threading.Event(), "load": threading.Event(), "moa": threading.Event()}
        await pilot.press("f4", "down", left_by)
        await wait_until(lambda: len(app.given) == 1)
        for held in shelf.held.values():
            held.set()
        await pilot.pause()
        assert app.is_running


async def test_the_open_conversation_is_not_deleted() -> None:
    app = Host(three(), "alpha")
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("f8")
        await wait_until(lambda: any("is open in the chat" in notice for notice in app.notices()))
        assert not app.shelf.made("delete")


@key("sessions.restore")
@pytest.mark.parametrize("pressed", ["enter", "ctrl+z"])
async def test_a_deleted_conversation_can_be_restored_and_nothing_else(pressed: str) -> None:
    app = Host(Shelf(summary("alpha", deleted=NOW), summary("beta", deleted=NOW - 9)))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("f7", "f7")
        await wait_until(lambda: app.text("#title") == "Conversations: 2 deleted")
        assert "Restore" in app.key_bar()
        assert not any(word in app.key_bar() for word in ("Open", "Rename", "Archive", "Delete"))
        await pilot.press("f2", "f3", "f4", "f5", "f6", "f8")
        assert not app.shelf.made("pin", "archive", "delete")
        await pilot.press(pressed)
        await wait_until(lambda: app.names() == ["beta"])
        assert app.shelf.made("restore") == [("restore", "alpha")]
        assert app.given == []


async def test_a_click_restores_a_deleted_conversation() -> None:
    app = Host(Shelf(summary("alpha", deleted=NOW), summary("beta", deleted=NOW - 9)))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("f7", "f7")
        await wait_until(lambda: app.text("#title") == "Conversations: 2 deleted")
        await pilot.click(app.listed, offset=(6, 0))
        await wait_until(lambda: app.names() == ["beta"])
        assert app.shelf.made("restore") == [("restore", "alpha")]


async def test_among_the_deleted_titles_are_searched() -> None:
    app = Host(Shelf(summary("alpha", deleted=NOW), summary("beta", deleted=NOW), summary("gamma")))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("f7", "f7")
        await wait_until(lambda: app.text("#title") == "Conversations: 2 deleted")
        await type_in(pilot, "ALP")
        await wait_until(lambda: app.names() == ["alpha"])
        await type_in(pilot, "x")
        await wait_until(lambda: 'No deleted conversation has "ALPx"' in app.text("#nothing"))
        assert not app.shelf.made("search")


async def test_a_change_that_fails_is_told_and_nothing_is_lost() -> None:
    shelf = three()
    for name in ("delete", "pin", "archive", "rename"):
        shelf.errors[name] = StoreError(f"the disk [/] is full: {name}")
    shelf.errors["export"] = FileError("/exports is read-only")
    app = Host(shelf)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await ready(app, pilot)
        for key in ("f8", "f4", "f6"):
            await pilot.press(key)
        await wait_until(lambda: len(app.notices()) == 3)
        await pilot.press("f2", "x", "enter")
        await wait_until(lambda: len(app.notices()) == 4)
        await pilot.press("f5", "enter")
        await wait_until(lambda: len(app.notices()) == 5)
        assert "the disk [/] is full: delete" in app.notices()
        assert "/exports is read-only" in app.notices()
        assert app.names() == ["alpha", "beta", "gamma"]
        assert "Bring back" not in app.key_bar()
        shelf.errors.clear()
        await pilot.press("f8")
        await wait_until(lambda: app.names() == ["beta", "gamma"])
        shelf.errors["restore"] = StoreError("the disk is full")
        await pilot.press("ctrl+z")
        await wait_until(lambda: "the disk is full" in app.notices())
        shelf.errors.clear()
        await pilot.press("ctrl+z")
        await wait_until(lambda: app.names() == ["alpha", "beta", "gamma"])


async def test_a_change_to_a_place_that_was_found_keeps_the_search() -> None:
    app = Host(found())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await type_in(pilot, "moa")
        await wait_until(lambda: app.shelf.searched == ["moa"] and len(app.rows()) == 8)
        await pilot.press("down", "down", "f4")
        await wait_until(lambda: "★ alpha" in app.rows()[2])
        assert app.listed.highlighted == 2
        assert app.sessions.query_one(Input).value == "moa"


# The preview and the help


async def test_a_wide_terminal_shows_how_the_highlighted_one_begins_and_ends() -> None:
    app = Host(three())
    async with app.run_test(size=(200, 50)) as pilot:
        await ready(app, pilot)
        await wait_until(lambda: "prompt of alpha" in app.text("#preview Static"))
        assert "answer of alpha" in app.text("#preview Static")
        await pilot.press("down")
        await wait_until(lambda: "answer of beta" in app.text("#preview Static"))
        app.shelf.errors["load"] = StoreError("[/] cannot be read")
        await pilot.press("down")
        await wait_until(lambda: "✗ [/] cannot be read" in app.text("#preview Static"))


async def test_a_narrow_terminal_loads_nothing_to_preview() -> None:
    app = Host(three())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("down")
        await pilot.pause()
        assert not app.shelf.made("load")


@key("sessions.help")
async def test_f1_names_every_key_with_its_id() -> None:
    app = Host(three())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("f1")
        await wait_until(lambda: app.helped)
        sections = dict(app.helped)
        rows = "\n".join(f"{keys} {does}" for keys, does in sections["Conversations"])
        for name in ("open", "rename", "tags", "pin", "export", "archive", "lists", "delete", "close"):
            assert f"(sessions.{name})" in rows
