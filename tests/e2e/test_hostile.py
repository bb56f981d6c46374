"""Texts that mean to steer the terminal or the program, in every place that shows text, down to the bytes."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from moa_tui.ui.rows.line_filter import ControlFilter
from tests import model_server
from tests.e2e.terminal import Terminal, offences, squeezed, write_recipe

if TYPE_CHECKING:
    from tests.model_server import ModelServer

READY = "Ask anything"
# Never the same for long, which would be taken for a loop.
# Letters in an order that does not come again, or these were loops, which are stopped.
LETTERS = ["abcdefg"[number * number % 7919 % 7] for number in range(20_000)]
LONG_LINE = " ".join(f"long {number}{letter}" for number, letter in enumerate(LETTERS))
ROOT = Path(__file__).parents[2]

ESCAPES = {
    "clear the screen": "\x1b[2J\x1b[H",
    "the clipboard": "\x1b]52;c;b3duZWQ=\x07",
    "a link": "\x1b]8;;http://evil.example\x1b\\text\x1b]8;;\x1b\\",
    "the window's title": "\x1b]0;owned\x07",
    "a question to the terminal": "\x1bP+q544e\x1b\\",
    "reset": "\x1bc\x1b(0",
    "another screen": "\x1b[?47h\x1b[?9h",
    "one that never ends": "\x1b]2;begun",
}
CONTROLS = {
    "eight-bit forms": "\x9b2J\x9d52;c;b3duZWQ=\x9c\x90q\x9c\x85",
    "bell and backspace": "\x07\x08",
    "direction": "\u202egnp.exe\u202c \u2066x\u2069\u200f\u061c",
    "invisible": "a\u200bb\ufeffc\u2060d",
    "NUL": "\x00",
    "lone surrogates": "\ud800 \udfff",
    "returns": "secret\rpublic\x0b\x0c\u2028\u2029",
}
MARKUP = {
    "a closing tag": "[/]",
    "bold": "[bold]x[/bold]",
    "an action": "[@click=app.quit]x[/]",
    "broken": "[/oops] [b [link='a]",
}
GROUPS = {"escapes": ESCAPES, "controls": CONTROLS, "markup": MARKUP}
EVERY = ESCAPES | CONTROLS | MARKUP
BEGIN, END = "Begun", "ended"


def joined(payloads: dict[str, str]) -> str:
    """All of them between two words that are waited for."""
    return f"{BEGIN} {' '.join(payloads.values())} {END}"


@pytest.mark.parametrize("name", EVERY)
def test_the_line_filter_lets_nothing_but_text_through(name: str) -> None:
    style = Style(bold=True, link="http://evil.example")
    clean = ControlFilter().apply([Segment(f"a{EVERY[name]}b", style), Segment("c")], Color(0, 0, 0))
    text = "".join(segment.text for segment in clean)
    assert not offences(text)
    assert not set(text) & set("\r\n\t")
    assert (text[0], text[-2:]) == ("a", "bc")
    assert all(segment.style is None or segment.style.link is None for segment in clean)
    if name in MARKUP:
        assert text == f"a{EVERY[name]}bc"


def test_the_line_filter_keeps_what_scripts_and_emoji_need() -> None:
    text = "نامه\u200cای 👩\u200d🚀 né 日本"
    assert ControlFilter().apply([Segment(text)], Color(0, 0, 0)) == [Segment(text)]


def test_the_check_on_what_is_written_finds_every_payload() -> None:
    """Else the tests below would show nothing."""
    for name, payload in (ESCAPES | CONTROLS).items():
        assert offences(f"text {payload} text"), name


# --- every screen, with what comes from models as it was sent


def hostile_recipes(config: Path, group: str) -> str:
    """Two recipes in the user's folder, as hostile as recipes may be; the words in their names."""
    words = " ".join(MARKUP.values()) if group == "markup" else ""
    folder = config.parent / "recipes"
    folder.mkdir()
    agents = [json.dumps(f"{kind} {words}".strip()) for kind in ("writing", "failing", "final")]
    tables = "".join(f'[agents.{name}]\nmodel = "demo/terse"\n' for name in agents)
    # The notice at the start lies over the first lines of what is said about a recipe.
    description = "one line\n" * 15 + f"{BEGIN} {words} {END}"
    head = f"description = {json.dumps(description)}\n{tables}"
    writing, failing, final = agents
    for name, *layers in (("hostile", f"{writing}, {failing}", final), ("fails", failing)):
        listed = "".join(f"[[layers]]\nagents = [{members}]\n" for members in layers)
        (folder / f"{name}.toml").write_text(f'name = "{name}"\n{head}{listed}')
    return words


@pytest.mark.parametrize("group", GROUPS)
def test_no_screen_passes_on_what_steers_a_terminal(
    group: str, config: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    payload = joined(GROUPS[group])
    in_bytes = payload.encode(errors="replace")  # No file and no keyboard can hold half a character.
    words = hostile_recipes(config, group)
    config.write_text(f"theme = {json.dumps(in_bytes.decode().replace(BEGIN, 'named'))}\n")
    prompt = tmp_path / "prompt.txt"
    prompt.write_bytes(in_bytes)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "plain[bold]x[@click=app.quit].txt").write_text("attached\n")
    (folder / "plain\x1b]0;steal\x07\u202e.txt").write_text("attached\n")
    environ |= {"MODEL_SAYS": json.dumps(payload), "EDITOR": f"cp {prompt}", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.e2e.unclean", "-r", "hostile"]
    with Terminal(command, environ, (120, 40), folder) as terminal:

        def see(*words: str) -> str:
            return terminal.wait_for(lambda text: all(word in squeezed(text) for word in words))

        see("Recipe hostile", "there is none called")  # The notice of the config's theme.
        terminal.send("\x1bOS")  # F4: the editor
        terminal.wait_for(f"┃ {BEGIN}")
        terminal.send("\r")
        if group == "markup":  # An @ before a word that is no file.
            see("click=app.quit]x[/: no such file", "Nothing was sent")
            terminal.send("\r")
        text = see("1 of 2 used", f"{BEGIN} ")
        if group == "markup":
            assert "[@click=app.quit]x[/]" in text.splitlines()[0], "the title bar"
        terminal.send("\x0c")  # ctrl+l: the panes, of whichever layer was the last to be seen
        terminal.wait_for("━ 1 ")
        terminal.send("\x1b[D")
        see("1 writing", "2 failing", "✗ failed")
        terminal.send("\r")
        see("[1 Answer]", BEGIN)
        terminal.send("r")
        see("as it is written", BEGIN)
        terminal.send("2")
        see("[2 Reasoning]", BEGIN)
        terminal.send("3")
        see("[3 Messages]", BEGIN)
        terminal.send("4")
        see("[4 Numbers]")
        terminal.send("\x1b[C")
        see("2 of 2")
        terminal.send("5")
        see("[5 Error", BEGIN)
        terminal.send("1")
        see("[1 Answer]")
        for key in "dti":  # compare, timeline, influence
            terminal.send(key)
            terminal.wait_for(lambda text: "[1 Answer]" not in text)
            terminal.send("\x1b")
            see("[1 Answer]")
        terminal.send("\x1b")
        see(READY, "1 of 2 used")

        terminal.send("\x1bOR")  # F3: find
        see("Find")
        terminal.paste(in_bytes)
        terminal.wait_for(re.compile(r"Find .*(?:nowhere|\d+ of \d+)"))
        terminal.send("\x1b")
        terminal.wait_for_gone("Find")
        terminal.send("\x12")  # ctrl+r: history
        see("Earlier prompts", BEGIN)
        terminal.send("\x1b")
        terminal.wait_for_gone("Earlier prompts")
        terminal.send("\x1bOQ")  # F2: recipes
        see("Choose a recipe", "▸ hostile", f"{BEGIN} {words[:10]}")
        terminal.send("\x05")  # ctrl+e: the editor
        terminal.wait_for_gone("Choose a recipe")
        terminal.send("\x1b")
        see("Choose a recipe")
        terminal.send("\x1b")
        see(READY)

        terminal.send("/system ")
        terminal.paste(in_bytes.replace(b"@", b""))
        terminal.send("\r")
        see("goes before everything")
        terminal.send("/system\r")
        see(f"system prompt: {BEGIN}")
        terminal.send("@plai")
        see("plain[bold]x[@click=app.quit].txt")
        assert "steal" not in terminal.text, "a name that no mention can spell"
        terminal.send("\t\r")
        see("attached", READY)

        terminal.send("/recipe fails\r")
        see("recipe fails from now on")
        terminal.send("fail\r")
        see("✗ no answer", BEGIN)
        terminal.send("\x1bOP")  # F1: help, which shows that it still answers a key
        see("Type to find keys")
        assert terminal.end() == 0
        assert terminal.restored
        assert not offences(terminal.written)


# --- the whole way, from a server


def test_hostile_answers_and_errors_of_a_server(
    lab: ModelServer,
    config: Path,
    tmp_path: Path,
    program: str,
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusal = model_server.Refusal(400, joined(EVERY))
    monkeypatch.setitem(model_server.MODES, "refuse", refusal)
    table = "| a | b |\n|---|---|\n" + "".join(
        f"| cell {row}{LETTERS[row]} | [/] |\n" for row in range(5_000)
    )
    lab.script = {
        "escapes": list(joined(ESCAPES)),  # each character a chunk of its own
        "controls": [joined(CONTROLS)],
        "markup": [joined(MARKUP)],
        "line": [f"{BEGIN} " + LONG_LINE],
        "table": [table[at : at + 2_000] for at in range(0, len(table), 2_000)],
        "final": [f"{joined(EVERY)}\n\n", LONG_LINE, "\n\n", table, "\nThe last line.\n"],
    }
    models = [f"lab/scripted@key={key}" for key in lab.script if key != "final"]
    path = tmp_path / "hostile.toml"
    recipe = write_recipe(path, [*models, "lab/refuse"], ["lab/scripted@key=final"], pace=None)
    with Terminal([program, "-r", recipe], environ, (120, 40)) as terminal:
        terminal.wait_for(READY)
        terminal.send("What is a tide?\r")
        terminal.wait_for("esc stop")
        terminal.wait_for("5 of 6 used", 60)
        terminal.wait_for("The last line.", 60)

        def key_is_seen_within(seconds: float, key: str, shown: str) -> None:
            terminal.send(key)
            terminal.wait_for(re.compile(shown), seconds)

        key_is_seen_within(2, "x", "┃ x")
        key_is_seen_within(2, "\x7f", READY)
        key_is_seen_within(2, "\x0c", "━ 1 scripted@key")
        key_is_seen_within(2, "\x1b[D", "━ 1 scripted@key=escapes")
        for _ in models:
            terminal.send("]")
        terminal.wait_for("6 refuse")
        key_is_seen_within(2, "\r", r"\[1 Answer\]")
        for _ in range(6):
            key_is_seen_within(2, "\x1b[C", r"\[1 Answer\]")
        key_is_seen_within(2, "\x1b", READY)
        terminal.send("\x1b")
        terminal.wait_for(f"┃ {READY}")
        terminal.send("\x1b[5~")  # Page up
        terminal.wait_for_gone("The last line.")
        assert terminal.end() == 0
        assert terminal.restored
        assert not offences(terminal.written)
