"""Names, titles, tags and messages that hold line breaks and control characters."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.chat.titles import title_in
from moa_tui.conversation import Conversation
from moa_tui.engine.values import CallId, Failure
from moa_tui.formats.export import FORMATS, render
from moa_tui.formats.json_writer import conversation_document
from moa_tui.gateway.discovery import LocalServer, find_servers
from moa_tui.settings import paths
from moa_tui.text.cells import cell_len, fit
from moa_tui.text.safe import one_line, safe_line, safe_row
from tests.cli.shell import call, kept
from tests.conversations import a_reply, a_turn, an_outcome
from tests.helpers import recipe, wait_until
from tests.ui.chat_app import chat_app

if TYPE_CHECKING:
    from pathlib import Path

    from moa_tui.chat.library import Library
    from tests.model_server import ModelServer

EVIL = "a\n\x1b]0;x\x07b\r\x9b2J\u202ec\u2028d\te\x00\x85"
FORGED = f"{EVIL}\nmoa-tui: all is well"
FORBIDDEN = set("\x1b\x07\x9b\r\x00\x85\u202e\u2028")
NAMES = [EVIL, FORGED, "\n\n\n", "\x1b[2J", "\u2066x\u2069", "\ud800", "", "x" * 10_000]


def hostile_conversation(**more: Any) -> Conversation:
    """A conversation in which everything that has a name has a hostile one."""
    failure = Failure("server", FORGED)
    replies = {
        CallId(1, 1): a_reply("", "failed", agent=EVIL, model=EVIL, error=failure, finish_reason=EVIL),
        CallId(2, 1): a_reply("answer", agent=EVIL, model=EVIL, finish_reason=EVIL, notes=(FORGED,)),
    }
    outcome = an_outcome(replies, notes=(FORGED,), error=failure)
    turn = a_turn(EVIL, recipe=recipe(["one"], ["judge"]), outcome=outcome)
    return Conversation((turn,), turn, title=FORGED, tags=(EVIL,), **more)


def lines_of(output: str) -> list[str]:
    """The lines of an output, none of which steers the terminal or was forged by a name."""
    assert not FORBIDDEN & set(output), repr(output)
    lines = output.split("\n")
    assert not any(line.startswith("moa-tui: all is well") for line in lines), output
    return lines


class TestFunctions:
    @pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
    def test_each_makes_one_line_that_is_safe(self, name: str) -> None:
        for function in (one_line, safe_line, safe_row):
            assert not (FORBIDDEN | {"\n", "\t"}) & set(function(name)), function

    @pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
    def test_a_column_keeps_its_width(self, name: str) -> None:
        assert cell_len(fit(name, 12)) == 12
        assert not (FORBIDDEN | {"\n", "\t"}) & set(fit(name, 12))

    def test_a_row_keeps_its_columns(self) -> None:
        assert safe_row("  a   b\nc\td") == "  a   b␊c␉d"


class TestCommands:
    def test_sessions_list_search_and_show(self) -> None:
        kept(hostile_conversation())
        lines = [line for line in lines_of(call("sessions", "list").stdout) if line]
        assert len(lines) == 1
        lines_of(call("sessions", "search", "answer").stdout)
        listed = json.loads(call("sessions", "list", "--json").stdout)
        assert len(listed if isinstance(listed, list) else listed.get("sessions", [1])) == 1

    def test_stats(self) -> None:
        kept(hostile_conversation())
        lines_of(call("stats").stdout)

    def test_recipes_of_a_file(self, tmp_path: Path) -> None:
        folder = paths.recipes_dir()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "a\x1b]0;x\x07b\nc.toml"
        path.write_text('name = "mine"\n[[layers]]\nagents = [{ model = "demo/terse" }]\n')
        (folder / "broken\x1b[2J.toml").write_text("name = ")
        evil = f"name = {json.dumps(FORGED)}\n[[layers]]\nagents = [{{ model = {json.dumps(EVIL)} }}]\n"
        (folder / "evil.toml").write_text(evil)
        result = call("recipes", "list")
        assert any(line.startswith("a") and " 1 calls" in line for line in lines_of(result.stdout))
        lines_of(result.stderr)
        for command in (["recipes", "explain"], ["recipes", "check"], ["ask", "--dry-run", "hello", "-r"]):
            result = call(*command, str(path))
            assert result.exit_code == 0, result.output
            lines_of(result.stdout)
            result = call(*command, str(folder / "evil.toml"))
            assert result.exit_code == 2, result.output
            lines_of(result.stderr)

    def test_doctor(self, server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
        server.models = [FORGED, "good"]
        monkeypatch.setenv("OLLAMA_HOST", server.root_url)
        monkeypatch.setenv("MOA_TUI_LOCAL_SERVERS", "ollama")
        monkeypatch.setenv("TERM", EVIL.replace("\0", ""))
        lines = lines_of(call("doctor").stdout)
        assert sum("✓ ollama" in line for line in lines) <= 1
        assert any(line.startswith("  TERM a") for line in lines)

    def test_a_servers_list_has_names_of_one_line(self, server: ModelServer) -> None:
        server.models = [FORGED, "good"]
        servers = find_servers([LocalServer("x", server.url, "openai")])
        names = [model.name for found in servers for model in found.models]
        assert all(name == one_line(name) for name in names)


class TestExports:
    @pytest.mark.parametrize("name", sorted(FORMATS))
    def test_no_export_holds_a_control_or_a_forged_line(self, name: str) -> None:
        conversation = hostile_conversation()
        turn = replace(conversation.turns[0], prompt="harmless")
        text = render([replace(conversation, turns=(turn,), active=turn)], name)
        # JSON escapes what is in a text; what reads it gets the name as it is.
        assert not (FORBIDDEN - {"\u202e", "\u2028", "\x9b", "\x85"}) & set(text)
        assert "\nmoa-tui: all is well" not in text
        if name in ("markdown", "html"):
            assert not FORBIDDEN & set(text)


class TestChanges:
    def test_titles_and_tags_are_kept_on_one_line(self, library: Library) -> None:
        conversation = hostile_conversation()
        library._store.save(conversation)
        library.rename(conversation.id, FORGED)
        library.tag(conversation.id, [EVIL, "\x1b\x07", " "])
        (summary,) = library.summaries()
        assert summary.name == one_line(FORGED)
        assert summary.tags == (one_line(EVIL),)

    @pytest.mark.parametrize("reply", [FORGED, f"Title\n{EVIL}", "\x1b]0;x\x07", "\u202e\n\u2066"])
    def test_the_title_of_a_model_is_one_line(self, reply: str) -> None:
        assert not (FORBIDDEN | {"\n"}) & set(title_in(reply))


class TestScreens:
    async def test_no_screen_shows_or_forges_a_line(self) -> None:
        """The chat with its panes, notices and title, of a conversation as an older version kept it."""
        async with chat_app(conversation=hostile_conversation(), size=(120, 40)) as bench:
            await bench.settle()
            for keys in ("ctrl+o", "escape", "f2", "escape", "ctrl+r", "escape"):
                await bench.press(keys)
                await bench.settle()
                shown = bench.shown()
                assert not FORBIDDEN & set(shown)
                assert not any(line.strip().startswith("moa-tui: all is well") for line in shown.splitlines())
            await bench.submit(f"/rename {EVIL}")
            await wait_until(lambda: bench.chat.conversation.title.startswith("a"))
            assert bench.chat.conversation.title == one_line(bench.chat.conversation.title)


@pytest.fixture
def library(store: Any, tmp_path: Path) -> Library:
    from moa_tui.chat.library import Library

    return Library(store, tmp_path / "exports")


def test_what_is_exported_is_imported_as_it_was() -> None:
    document = conversation_document(hostile_conversation())
    assert document["title"] == FORGED
