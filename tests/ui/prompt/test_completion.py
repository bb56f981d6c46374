"""The list that completes commands and paths."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from textual import events
from textual.app import App
from textual.widgets import Static

from moa_tui.chat.commands import CommandHint
from moa_tui.ui.chat import commands
from moa_tui.ui.prompt import completion
from moa_tui.ui.prompt.completion import CompletionList, commands_for, word_at
from moa_tui.ui.prompt.prompt import Prompt
from tests.helpers import wait_until
from tests.ui.given import key

if TYPE_CHECKING:
    from pathlib import Path

    from textual.app import ComposeResult

COMMANDS = [
    CommandHint("help", "", "Every key and command"),
    CommandHint("recipe", "[NAME]", "Choose a recipe"),
    CommandHint("rename", "TITLE", "Name this conversation"),
    CommandHint("use", "N", "Take an agent's answer"),
    *(CommandHint(f"zz{number}", "", "[/] one of many") for number in range(12)),
]


class Host(App[None]):
    CSS = "Static { height: 1fr; }"
    AUTO_FOCUS = "Prompt"

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        self.sent: list[str] = []
        self.escapes = 0
        self.completions = CompletionList(COMMANDS, folder)
        self.prompt = Prompt(self.completions)

    def compose(self) -> ComposeResult:
        yield Static("what was said")
        yield self.completions
        yield self.prompt

    def on_prompt_submitted(self, event: Prompt.Submitted) -> None:
        self.sent.append(event.text)

    def on_completion_list_chosen(self, event: CompletionList.Chosen) -> None:
        self.prompt.complete(event.choice)

    def on_key(self, event: object) -> None:
        if getattr(event, "key", "") == "escape":
            self.escapes += 1

    def rows(self) -> list[str]:
        if not self.completions.display:
            return []
        return [str(option.prompt).split("  ")[0] for option in self.completions.options]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.py").write_text("")
    (tmp_path / "notes.md").write_text("")
    (tmp_path / "two words.txt").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("row", "line", "kind", "text"),
    [
        (0, "/", "command", "/"),
        (0, "/re", "command", "/re"),
        (0, "/recipe moa", None, ""),
        (1, "/re", None, ""),
        (0, " /re", None, ""),
        (3, "see @no", "path", "@no"),
        (0, "@", "path", "@"),
        (0, '(@"two wo', "path", '@"two wo'),
        (0, "me@example", None, ""),
        (0, "@a b", None, ""),
        (0, '@"two words.txt" ', None, ""),
    ],
)
def test_what_the_cursor_stands_behind_says_what_is_completed(
    row: int, line: str, kind: str | None, text: str
) -> None:
    word = word_at(row, len(line), line)
    assert (word.kind, word.text) == (kind, text) if word else kind is None


def test_the_command_that_is_written_out_comes_first() -> None:
    hints = [CommandHint("user", "", ""), CommandHint("use", "N", "")]
    word = word_at(0, 4, "/use")
    assert word
    assert [choice.text for choice in commands_for(word, hints)] == ["/use ", "/user"]


def test_only_an_argument_without_brackets_is_needed() -> None:
    assert [hint.name for hint in COMMANDS if hint.needs_argument] == ["rename", "use"]


def test_every_command_is_offered_by_its_name() -> None:
    word = word_at(0, 1, "/")
    assert word
    offered = [
        choice.shown for choice in commands_for(word, [one.hint for one in commands.COMMANDS.values()])
    ]
    assert len(offered) == len(commands.COMMANDS)
    assert all(label.startswith(f"/{name}") for label, name in zip(offered, commands.COMMANDS, strict=True))
    assert "/recipe [NAME]" in offered


async def test_a_slash_lists_the_commands_above_the_prompt_and_typing_goes_on() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("/")
        assert len(app.rows()) == len(COMMANDS)
        await pilot.pause()
        assert app.completions.region.height == 10  # eight rows and the border
        assert app.completions.region.bottom == app.prompt.region.y
        await pilot.press("r", "e")
        assert app.rows() == ["/recipe [NAME]", "/rename TITLE"]
        await pilot.press("x")
        assert app.rows() == []
        assert app.prompt.text == "/rex"


@pytest.mark.parametrize("key", ["tab", "enter"])
async def test_the_highlighted_command_is_completed(key: str) -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("/", "r", "e", "down", key)
        assert (app.prompt.text, app.rows(), app.sent) == ("/rename ", [], [])
        await pilot.press("ctrl+u", "/", "r", "e", "up", "up", key)
        assert app.prompt.text == "/recipe"


async def test_a_burst_of_keys_completes_what_was_typed_before() -> None:
    app = Host()
    async with app.run_test() as pilot:
        for key in ("slash", "h", "e", "tab", "enter"):
            app.post_message(events.Key(key, {"slash": "/"}.get(key, key if len(key) == 1 else None)))
        await pilot.pause()
        assert app.sent == ["/help"]


async def test_enter_sends_a_command_that_needs_nothing_more() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press(*"/help", "enter")
        assert app.sent == ["/help"]
        app.prompt.reset()
        await pilot.press(*"/recipe", "enter")
        assert app.sent == ["/help", "/recipe"]


async def test_enter_waits_for_the_argument_of_a_command_that_needs_one() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press(*"/use", "enter")
        assert (app.prompt.text, app.sent) == ("/use ", [])
        await pilot.press("2", "enter")
        assert app.sent == ["/use 2"]


async def test_an_unknown_command_is_sent_as_text() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press(*"/unheard", "enter")
        assert app.sent == ["/unheard"]


@key("prompt.close_completions")
async def test_escape_closes_only_the_list_until_another_word_begins() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("/", "r", "escape")
        assert (app.rows(), app.prompt.text) == ([], "/r")
        await pilot.press("e")
        assert app.rows() == []
        await pilot.press("enter")
        assert app.sent == ["/re"]
        await pilot.press("ctrl+u", "/", "u")
        assert app.rows() == ["/use N"]


async def test_escape_and_tab_are_the_apps_own_while_nothing_is_listed() -> None:
    app = Host()
    async with app.run_test() as pilot:
        assert not {"complete", "close_completions"} & {
            active.binding.action for active in app.screen.active_bindings.values()
        }
        await pilot.press("/")
        assert {"complete", "close_completions"} <= {
            active.binding.action for active in app.screen.active_bindings.values()
        }


async def test_a_click_completes_and_leaves_the_focus_in_the_prompt() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("/", "r", "e")
        await pilot.pause()
        await pilot.click(CompletionList, offset=(4, 2))
        await wait_until(lambda: app.prompt.text == "/rename ")
        assert app.focused is app.prompt


async def test_a_prompt_from_the_history_opens_no_list() -> None:
    app = Host()
    async with app.run_test() as pilot:
        app.prompt.earlier = ["older", "/help"]
        await pilot.press("up")
        assert (app.prompt.text, app.rows()) == ("/help", [])
        await pilot.press("up")
        assert app.prompt.text == "older"


async def test_leaving_the_prompt_closes_the_list() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("/")
        app.screen.set_focus(None)
        await wait_until(lambda: app.rows() == [])


async def test_an_at_sign_lists_files_and_goes_on_inside_folders(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        await pilot.press(*"see @")
        await wait_until(lambda: app.rows() == ["notes.md", "src/", "two words.txt"])
        await pilot.press("s")
        await wait_until(lambda: app.rows() == ["src/"])
        await pilot.press("tab")
        await wait_until(lambda: app.rows() == ["src/main.py"])
        await pilot.press("enter")
        assert app.prompt.text == "see @src/main.py "
        await wait_until(lambda: app.rows() == [])


@key("prompt.complete")
async def test_a_name_with_a_space_is_quoted_and_no_space_is_put_in_twice(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        await pilot.press(*" end")
        app.prompt.move_cursor((0, 0))
        await pilot.press("@", "t")
        await wait_until(lambda: app.rows() == ["two words.txt"])
        await pilot.press("tab")
        assert app.prompt.text == '@"two words.txt" end'


async def test_enter_sends_when_the_file_is_written_out(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        await pilot.press(*"@notes.md")
        await wait_until(lambda: app.rows() == ["notes.md"])
        await pilot.press("enter")
        assert app.sent == ["@notes.md"]


async def test_a_folder_that_is_not_there_lists_nothing(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        await pilot.press(*"@gone/")
        await app.workers.wait_for_complete()
        assert app.rows() == []


@pytest.mark.parametrize(("then", "rows"), [(["r"], ["in-time"]), (["ctrl+u"], [])])
async def test_an_answer_that_comes_late_is_dropped(
    then: list[str], rows: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    answered = threading.Event()

    def slow(prefix: str, folder: Path) -> list[str]:
        if prefix == "s":
            go_on.wait(5)
            answered.set()
            return ["late"]
        return ["in-time"]

    monkeypatch.setattr(completion, "paths_for", slow)
    app = Host(folder)
    async with app.run_test() as pilot:
        await pilot.press("@", "s", *then)
        await wait_until(lambda: app.rows() == rows)
        go_on.set()
        await wait_until(answered.is_set)
        await app.workers.wait_for_complete()
        assert app.rows() == rows


async def test_enter_takes_nothing_that_no_longer_fits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def slow(prefix: str, folder: Path) -> list[str]:
        if prefix:
            go_on.wait(5)
        return ["notes.md", "other.md"]

    monkeypatch.setattr(completion, "paths_for", slow)
    app = Host(folder)
    async with app.run_test() as pilot:
        await pilot.press("@")
        await wait_until(lambda: app.rows() == ["notes.md", "other.md"])
        await pilot.press("o")
        assert app.rows() == ["other.md"]
        await pilot.press("x", "enter")
        assert app.sent == ["@ox"]
        go_on.set()
