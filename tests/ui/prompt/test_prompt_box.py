"""The prompt with its files, pastes and estimate."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from textual import events
from textual.app import App
from textual.widgets import Static

from moa_tui.chat.commands import CommandHint
from moa_tui.ui.prompt import prompt_box
from moa_tui.ui.prompt.completion import CompletionList
from moa_tui.ui.prompt.prompt_box import Chips, PromptBox
from tests.helpers import wait_until
from tests.ui.given import key

if TYPE_CHECKING:
    from pathlib import Path

    from textual.app import ComposeResult
    from textual.pilot import Pilot

    from moa_tui.chat.attachments import Attachment

LONG = "".join(f"line {number}\n" for number in range(1, 215))


class Host(App[None]):
    CSS = "Static#said { height: 1fr; }"
    AUTO_FOCUS = "Prompt"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.sent: list[tuple[str, str]] = []
        self.edited = 0
        self.box = PromptBox(folder=folder)

    def compose(self) -> ComposeResult:
        yield Static("what was said", id="said")
        yield self.box

    def on_prompt_box_submitted(self, event: PromptBox.Submitted) -> None:
        self.sent.append((event.prompt.sent, event.prompt.written))

    def on_prompt_box_edited(self) -> None:
        self.edited += 1

    @property
    def chips(self) -> str:
        chips = self.query_one(Chips)
        return str(chips.content) if chips.display else ""

    @property
    def notices(self) -> str:
        return "\n".join(notice.message for notice in self._notifications)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_box, "_EDITED_AFTER_SECONDS", 0.01)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes.md").write_text("the notes\n" * 500)
    (tmp_path / "two words.txt").write_text("two words\n")
    (tmp_path / "binary").write_bytes(b"\0")
    return tmp_path


async def test_what_is_written_is_sent_and_leaves_the_box(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        await pilot.press(*"hi", "enter")
        await wait_until(lambda: app.sent == [("hi", "hi")])
        assert app.box.prompt.text == ""


async def test_what_is_typed_while_files_are_read_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    read = prompt_box.attachment

    def slow(*arguments: Path) -> object:
        gate.wait(5)
        return read(*arguments)

    app = Host(folder)
    async with app.run_test() as pilot:
        app.box.prompt.fill("@notes.md")
        monkeypatch.setattr(prompt_box, "attachment", slow)
        await pilot.press("enter", *" next")
        assert app.sent == []
        gate.set()
        await wait_until(lambda: app.sent)
        assert app.sent[0][1] == "@notes.md"
        assert app.box.prompt.text == " next"


async def test_mentioned_files_go_along_below_what_was_written(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        app.box.prompt.fill('compare @notes.md and @"two words.txt"')
        await pilot.press("enter")
        await wait_until(lambda: app.sent)
        text, shown = app.sent[0]
        assert shown == 'compare @notes.md and @"two words.txt"'
        assert text.startswith(f"{shown}\n\nFile `notes.md`:\n\n```\nthe notes\n")
        assert text.endswith("File `two words.txt`:\n\n```\ntwo words\n```")


async def test_pastes_are_sent_and_shown_whole_and_mention_nothing(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        app.box.prompt.insert_paste("@notes.md\n" * 30)
        await pilot.press("enter")
        await wait_until(lambda: app.sent == [("@notes.md\n" * 30, "@notes.md\n" * 30)])


async def test_chips_name_files_with_their_tokens_and_pastes_with_their_lines(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(lambda: app.chips == "")
        await pilot.press(*"@notes.md and @gone.txt and @binary ")
        await wait_until(lambda: "notes.md" in app.chips)
        app.box.prompt.insert_paste(LONG)
        await wait_until(lambda: "paste" in app.chips)
        assert app.chips == (
            "✓ notes.md · ~1.3k tokens   ✗ gone.txt: no such file   "
            f"✗ {folder / 'binary'} is a binary file   ▸ paste 1 · 214 lines"
        )
        # Nothing was sent of it the first time, since two of the words name no file that can be read.
        await pilot.press("enter")
        await wait_until(lambda: len(app._notifications))
        await pilot.press("enter")
        await wait_until(lambda: app.sent and not app.query_one(Chips).display)


async def test_a_file_is_not_complained_of_while_its_name_is_typed(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        await pilot.press(*"@no")
        await wait_until(lambda: app.query_one("CompletionList").display)
        edited = app.edited
        await pilot.press("t")
        await wait_until(lambda: app.edited > edited)
        await app.workers.wait_for_complete()
        await wait_until(lambda: app.chips == "")


async def test_nothing_is_sent_without_a_file_until_it_is_said_twice(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        app.box.prompt.fill("ask @bob about @notes.md")
        await pilot.press("enter")
        await wait_until(lambda: "bob: no such file" in app.notices)
        assert (app.sent, app.box.prompt.text) == ([], "ask @bob about @notes.md")
        await pilot.press("!", "enter")  # A changed text is looked at anew.
        await wait_until(lambda: len(app._notifications) == 2)
        assert app.sent == []
        await pilot.press("enter")
        await wait_until(lambda: app.sent)
        assert app.sent[0][0].startswith("ask @bob about @notes.md!\n\nFile `notes.md`:")


async def test_a_paste_opens_by_a_click_on_its_chip(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        app.box.prompt.insert_paste(LONG)
        await wait_until(lambda: app.query_one(Chips).region.height == 1)
        await pilot.click(Chips, offset=(5, 0))
        await wait_until(lambda: app.box.prompt.text == LONG)
        await wait_until(lambda: app.chips == "")


async def test_edits_are_told_once_typing_rests(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_box, "_EDITED_AFTER_SECONDS", 0.5)
    app = Host(folder)
    async with app.run_test() as pilot:
        await pilot.press(*"abc")
        later: list[bool] = []
        app.set_timer(1, lambda: later.append(True))
        await wait_until(lambda: later)
        assert app.edited == 1


async def test_the_estimate_stands_beside_the_prompt_as_plain_text(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        app.box.estimate = "7 calls · about $0.02 [/]"
        await pilot.pause()
        assert app.box.estimate == "7 calls · about $0.02 [/]"
        label = app.query_one(".prompt--estimate")
        assert label.region.right == 80
        assert label.region.y == app.box.prompt.region.y


async def test_enter_twice_at_once_sends_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        app.box.prompt.fill("@notes.md")
        app.box.prompt.action_send()
        app.box.prompt.action_send()
        await wait_until(lambda: app.sent)
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert len(app.sent) == 1


async def test_the_editors_text_takes_the_prompts_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def edited(app: object, text: str) -> str:
        given.append(text)
        return "from the editor"

    monkeypatch.setattr(prompt_box, "edit", edited)
    app = Host(folder)
    async with app.run_test():
        app.box.prompt.insert_paste(LONG)
        app.box.edit_outside()
        assert (given, app.box.prompt.text) == ([LONG], "from the editor")


async def test_an_editor_that_cannot_be_run_is_told_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "no-such-editor-[/]")
    app = Host(folder)
    async with app.run_test():
        app.box.prompt.fill("kept")
        app.box.edit_outside()
        await wait_until(lambda: app.notices)
        assert app.box.prompt.text == "kept"


async def test_a_file_that_is_read_for_long_is_told_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    may_end = threading.Event()
    read = prompt_box.attachment

    def slow(word: str, folder: Path) -> Attachment:
        assert may_end.wait(20)
        return read(word, folder)

    monkeypatch.setattr(prompt_box, "attachment", slow)
    monkeypatch.setattr(prompt_box, "_TOLD_AFTER_SECONDS", 0.01)
    app = Host(folder)
    async with app.run_test() as pilot:
        app.box.prompt.fill("see @notes.md")
        await pilot.press("enter")
        await wait_until(lambda: app.chips == "… reading notes.md")
        may_end.set()
        await wait_until(lambda: app.sent)
        await wait_until(lambda: app.chips == "")


# Files that are dropped on the terminal


async def drop(app: Host, pilot: Pilot[None], text: str) -> None:
    """Paste `text` as a terminal does, and wait for the question."""
    app.post_message(events.Paste(text))
    await pilot.pause()
    await wait_until(lambda: "Attach" in app.chips)


@key("prompt.complete")
async def test_tab_attaches_a_dropped_file_and_typing_goes_on_behind_it(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        await pilot.press(*"see ")
        await drop(app, pilot, f"'{folder}/two words.txt' ")
        assert app.box.prompt.text == f"see '{folder}/two words.txt' "
        assert app.chips.startswith("Attach two words.txt? Tab yes · shift+Tab always · Esc no")
        await pilot.press("tab", *"now")
        assert app.box.prompt.text == 'see @"two words.txt" now'
        await wait_until(lambda: "✓ two words.txt" in app.chips)
        assert "Attach" not in app.chips
        await pilot.press("enter")
        await wait_until(lambda: app.sent)
        assert app.sent[0][0].endswith("File `two words.txt`:\n\n```\ntwo words\n```")


@key("prompt.close_completions")
async def test_esc_leaves_the_path_as_text(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        await drop(app, pilot, f"{folder}/notes.md")
        await pilot.press("escape")
        await wait_until(lambda: app.chips == "")
        await pilot.press("enter")
        await wait_until(lambda: app.sent)
        assert app.sent[0][0] == f"{folder}/notes.md"


@key("prompt.attach_always")
async def test_whoever_wants_it_always_is_not_asked_again(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        await drop(app, pilot, f"file://{folder}/notes.md\r\n")
        await pilot.press("shift+tab")
        await wait_until(lambda: app.box.prompt.text == "@notes.md ")
        app.post_message(events.Paste(f"{folder}/two\\ words.txt"))
        await wait_until(lambda: app.box.prompt.text == '@notes.md @"two words.txt" ')
        assert "Attach" not in app.chips


async def test_an_at_sign_that_was_typed_first_is_taken_for_the_mention(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        app.box.prompt.insert("see:@")
        await drop(app, pilot, f"{folder}/notes.md ")
        await pilot.press("tab")
        assert app.box.prompt.text == "see: @notes.md "


async def test_a_path_that_is_a_mention_behind_an_at_sign_is_not_asked_about(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        await pilot.press("@")
        app.post_message(events.Paste(f"{folder}/notes.md"))
        await wait_until(lambda: app.box.prompt.text == f"@{folder}/notes.md")
        # Tab takes what is highlighted in the list, which is made a moment later.
        await wait_until(lambda: app.box.query_one(CompletionList).highlighted_choice)
        await pilot.press("tab")
        await wait_until(lambda: app.chips.startswith("✓ notes.md"))
        assert not app.box.prompt.is_asked_to_attach


async def test_what_was_typed_behind_the_path_stays_as_it_is(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        await drop(app, pilot, f"{folder}/notes.md")
        await pilot.press(*" is what", "tab")
        await wait_until(lambda: app.box.prompt.text == "@notes.md is what")


async def test_the_question_ends_with_the_text_that_it_is_about(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        await drop(app, pilot, f"{folder}/notes.md")
        await pilot.press("backspace")
        await wait_until(lambda: app.chips == "")
        assert not app.box.prompt.is_asked_to_attach


async def test_a_dropped_file_that_cannot_be_attached_is_told_and_its_path_stays(folder: Path) -> None:
    (folder / "photo.png").write_bytes(b"\x89PNG")
    app = Host(folder)
    async with app.run_test():
        app.post_message(events.Paste(f"'{folder}/photo.png'"))
        await wait_until(lambda: "is a picture" in app.notices)
        assert app.box.prompt.text == f"'{folder}/photo.png'"
        assert app.chips == ""


async def test_a_dropped_file_is_read_once_that_was_allowed(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        await drop(app, pilot, f"'{folder}/binary'")
        await pilot.press("tab")
        await wait_until(lambda: "is a binary file" in app.chips)
        await pilot.press("enter")
        await wait_until(lambda: "Nothing was sent" in app.notices)


async def test_more_files_than_can_be_attached_are_told_where_their_paths_are_folded(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test():
        app.post_message(events.Paste(f"{folder}/notes.md\n" * 25))
        await wait_until(lambda: "25 files at once are too many" in app.notices)
        assert app.box.prompt.text == "[paste\u00a01:\u00a025\u00a0lines]"


async def test_a_long_name_leaves_the_keys_of_the_question_in_view(folder: Path) -> None:
    name = "長" * 80
    (folder / name).write_text("text")
    app = Host(folder)
    async with app.run_test() as pilot:
        await drop(app, pilot, f"{folder}/{name}")
        assert app.chips.startswith("Attach 長長")
        assert len(app.chips) < 110


async def test_other_pastes_ask_nothing(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        for text in ("notes.md", "/no/such/file", f"see {folder}/notes.md", "hello\nworld"):
            app.post_message(events.Paste(text))
            await pilot.pause()
            await app.workers.wait_for_complete()
            assert app.chips == ""
        assert app.notices == ""


async def test_a_path_behind_a_command_is_its_argument(folder: Path) -> None:
    app = Host(folder)
    app.box = PromptBox([CommandHint("export", "[PATH]", "write a file")], folder=folder)
    async with app.run_test() as pilot:
        app.box.prompt.fill("/export ")
        app.post_message(events.Paste(f"{folder}/notes.md"))
        await pilot.pause()
        await app.workers.wait_for_complete()
        assert app.chips == ""


@pytest.mark.parametrize("way", ["key", "paste"])
async def test_an_empty_paste_says_what_to_do(folder: Path, way: str) -> None:
    # Windows Terminal pastes nothing for a picture; other terminals leave ctrl+v to the program.
    app = Host(folder)
    async with app.run_test() as pilot:
        if way == "key":
            await pilot.press("ctrl+v")
        else:
            app.post_message(events.Paste(""))
        await wait_until(lambda: "Pictures cannot be sent" in app.notices)
        assert app.box.prompt.text == ""


async def test_ctrl_v_pastes_what_was_cut_here_without_a_word(folder: Path) -> None:
    app = Host(folder)
    async with app.run_test() as pilot:
        await pilot.press(*"abc", "ctrl+x", "ctrl+v")
        assert app.box.prompt.text.strip() == "abc"
        assert app.notices == ""
