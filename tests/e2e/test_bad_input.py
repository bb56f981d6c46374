"""What is wrong with files, terminals and input: told, survived, and never the end of the program."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.terminal import Terminal, offences, squeezed, tokens, write_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.warm import WarmStart

READY = "Ask anything"


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    """Two quick agents and an aggregator."""
    return write_recipe(tmp_path / "quick.toml", ["demo/terse", "demo/coder"], ["demo/terse"], pace=400)


@pytest.fixture
def terminal(
    program: str, environ: dict[str, str], recipe: str, warm: WarmStart | None
) -> Iterator[Terminal]:
    """The program, ready for a prompt."""
    with Terminal([program, "-r", recipe], environ, warm=warm) as running:
        running.wait_for(READY)
        yield running


def answers(terminal: Terminal) -> str:
    """Ask, and see the answer: the program works."""
    terminal.send("What is a tide?\r")
    return terminal.wait_for("2 of 2 used")


# --- files


def a_directory(path: Path) -> None:
    path.mkdir()


def unreadable(path: Path) -> None:
    path.write_text("theme = 'moa-light'\n")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user reads every file, whatever its mode")


def written(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(written(b'thame = "moa-light"\n'), ":1: thame: unknown key", id="unknown key"),
        pytest.param(written(b"reduced_motion = 7\n"), ":1: reduced_motion:", id="wrong type"),
        pytest.param(written(b"theme = [\n"), "not valid TOML", id="no TOML"),
        pytest.param(written(b'theme = "\xff\xfe"\n'), "not a UTF-8 text file", id="not UTF-8"),
        pytest.param(a_directory, "cannot be read", id="a directory"),
        pytest.param(unreadable, "cannot be read: Permission denied", id="mode 000"),
    ],
)
def test_a_config_that_cannot_be_used_is_told_and_the_defaults_serve(
    make: Callable[[Path], object],
    said: str,
    config: Path,
    program: str,
    environ: dict[str, str],
    recipe: str,
) -> None:
    make(config)
    with Terminal([program, "-r", recipe], environ, (120, 40)) as terminal:
        text = terminal.wait_for("Going on with the defaults")
        # The notice breaks the path anywhere.
        notice = "".join(squeezed(text).split())
        assert "config.toml" in notice
        assert said.replace(" ", "") in notice
        terminal.send("can be seen")
        terminal.wait_for("┃ can be seen")  # The notice does not lie over what is typed.
        terminal.send("\x7f" * len("can be seen"))
        terminal.wait_for(READY)
        answers(terminal)
        assert terminal.end() == 0
        assert terminal.restored


def test_a_theme_that_does_not_exist_is_told(
    config: Path, program: str, environ: dict[str, str], recipe: str
) -> None:
    config.write_text('theme = "nightfall"\n')
    with Terminal([program, "-r", recipe], environ) as terminal:
        assert "theme" in terminal.wait_for("nightfall")
        terminal.send("can be seen")
        terminal.wait_for("┃ can be seen")


def test_folders_that_cannot_be_written_cost_no_answer(
    tmp_path: Path, program: str, environ: dict[str, str], recipe: str
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("no folder")
    environ["MOA_TUI_DATA_DIR"] = str(in_the_way / "data")
    environ["MOA_TUI_CONFIG"] = str(in_the_way / "config.toml")
    with Terminal([program, "-r", recipe], environ) as terminal:
        terminal.wait_for(READY)
        terminal.send("/theme moa-light\r")
        terminal.wait_for("config.toml: the theme")
        answers(terminal)
        terminal.send("\x11")
        terminal.wait_for("not on disk")
        assert terminal.end() == 0
    assert in_the_way.read_text() == "no folder"


def test_a_recipe_that_does_not_exist_is_told_before_the_screen_is_taken(
    program: str, environ: dict[str, str]
) -> None:
    with Terminal([program, "-r", "nothing"], environ) as terminal:
        terminal.wait_for("no recipe is called")
        assert terminal.process.wait(timeout=10) == 2
        assert "\x1b" not in terminal.written


# --- terminals


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_terminal_that_can_show_nothing_has_the_chat_in_lines(
    term: str, program: str, environ: dict[str, str], recipe: str
) -> None:
    with Terminal([program, "-r", recipe], environ | {"TERM": term}) as terminal:
        text = squeezed(terminal.wait_for("You:"))
        assert f"TERM={term}" in text
        terminal.send("\x04")
        assert terminal.process.wait(timeout=10) == 0
        assert "\x1b" not in terminal.written
        assert "Traceback" not in terminal.written


def colours(written: str) -> Iterator[tuple[str, str, str]]:
    """Each piece of text that can be seen, with the colours it stands in: foreground, background, text."""
    front = back = ""
    for kind, characters in tokens(written):
        if kind == "csi" and characters.endswith("m"):
            for code in re.findall(r"(?:[34]8;5;\d+|[34]8;2;\d+;\d+;\d+|\d+)", characters) or ["0"]:
                number = int(code.split(";")[0])
                if number == 0:
                    front = back = ""
                elif 30 <= number <= 38 or 90 <= number <= 97:
                    front = code
                elif 40 <= number <= 48 or 100 <= number <= 107:
                    back = code
        elif kind == "text" and re.search(r"\w", characters):
            yield front, back, characters


def test_without_colours_everything_is_said_in_words(
    program: str, environ: dict[str, str], recipe: str
) -> None:
    with Terminal([program, "-r", recipe], environ | {"NO_COLOR": "1", "COLORTERM": "truecolor"}) as terminal:
        terminal.wait_for(READY)
        answers(terminal)
        terminal.send("\x0c")  # ctrl+l: the panes
        terminal.wait_for("1 terse ✓ done")
        seen = {colour for front, back, _ in colours(terminal.written) for colour in (front, back) if colour}
        greys = [re.fullmatch(r"[34]8;2;(\d+);\1;\1", colour) for colour in seen]
        assert all(greys), seen
        assert terminal.end() == 0


def test_a_terminal_of_few_colours_is_readable(program: str, environ: dict[str, str], recipe: str) -> None:
    with Terminal([program, "-r", recipe], environ | {"TERM": "xterm"}) as terminal:
        terminal.wait_for(READY)
        answers(terminal)
        terminal.send("\x0c")
        terminal.wait_for("1 terse ✓ done")
        seen = list(colours(terminal.written))
        assert not [each for each in seen if ";" in each[0] + each[1]], "only the sixteen colours"
        unreadable = {each for each in seen if each[0] and each[1] and int(each[1]) - int(each[0]) == 10}
        assert not unreadable
        assert terminal.end() == 0


def test_every_screen_survives_a_window_of_a_few_letters(terminal: Terminal) -> None:
    answers(terminal)
    screens = {
        "\x0f": "[1 Answer]",  # ctrl+o
        "\x1bOQ": "Choose a recipe",  # F2
        "\x1bOP": "Type to find keys",  # F1
        "\x12": "Earlier prompts",  # ctrl+r
        "\x10": "Search for",  # ctrl+p
        "\x1bOR": "Find",  # F3
    }
    for key, shown in screens.items():
        terminal.send(key)
        terminal.wait_for(shown)
        for size in ((20, 5), (80, 24)):
            terminal.resize(*size)
        terminal.wait_for(shown)
        terminal.send("\x1b")
        terminal.wait_for_gone(shown)
        terminal.wait_for(READY)
    assert terminal.end() == 0
    assert terminal.restored


# --- input


@pytest.mark.parametrize("typed", ["", "   ", " \n \n "], ids=["nothing", "spaces", "lines of spaces"])
def test_a_prompt_without_a_word_is_not_sent(typed: str, terminal: Terminal) -> None:
    terminal.send(typed + "\r")
    terminal.send("x")
    text = terminal.wait_for(re.compile(r"(?m)^┃ +x\b"))
    assert "You" not in text.split()
    assert "esc stop" not in text


def test_a_paste_of_five_megabytes_is_a_chip_and_the_next_key_is_seen_soon(terminal: Terminal) -> None:
    line = "All work and no play makes a long paste, and a long paste makes a slow screen.\n"
    terminal.paste(line * (5_000_000 // len(line)))
    terminal.wait_for("▸ paste 1", 2)
    terminal.send("seen")
    terminal.wait_for("seen", 2)
    assert f"{5_000_000 // len(line):,} lines" in terminal.text
    assert terminal.end(5) == 0


@pytest.mark.parametrize(
    "data",
    [
        Path(sys.executable).read_bytes()[:20_000],
        bytes(range(256)) * 40,
        b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x0f\x80\xff\xfe\x01" * 500,
    ],
    ids=["a program", "every byte", "a picture"],
)
def test_a_binary_paste_is_refused_and_harms_nothing(data: bytes, terminal: Terminal) -> None:
    terminal.paste(data.replace(b"\x1b[201~", b""))
    terminal.wait_for("no text")
    text = terminal.wait_for(READY)
    assert "esc stop" not in text
    answers(terminal)
    assert terminal.end() == 0
    assert not offences(terminal.written)


def test_bytes_that_are_no_text_do_not_end_the_program(terminal: Terminal) -> None:
    terminal.send(b"a\xff\xfe\xed\xa0\x80b")
    terminal.wait_for(re.compile("┃ a.*b"))
    terminal.send("c")
    terminal.wait_for("bc")
    assert terminal.end() == 0
    assert not offences(terminal.written)


def test_a_paste_that_holds_escapes_is_text_and_presses_no_key(terminal: Terminal) -> None:
    keys = "\x1bX\rtwo\x1b[13u\x1b[A\x1b\r\n\x1bOPthree \x1b[200~"  # Enter and others, as terminals send them
    terminal.paste(f"one \x1b[31mred\x1b[0m \x1b]0;title\x07{keys}four\x11\x1b")
    text = terminal.wait_for("four")
    assert "one red" in text
    assert "esc stop" not in text, "nothing was sent"
    assert "You" not in text.split()
    terminal.send("!")
    terminal.wait_for("four!")
    terminal.send("\r")
    terminal.wait_for("2 of 2 used")
    assert terminal.end() == 0
    assert not offences(terminal.written)


def test_a_paste_that_comes_in_pieces_is_one_paste(terminal: Terminal) -> None:
    lines = "".join(f"line {number}\n" for number in range(1, 31))
    for piece in ("\x1b[20", "0~" + lines[:50], lines[50:] + "\x1b[2", "01~", " and more"):
        terminal.send(piece)
        terminal.wait_until_read()
    terminal.wait_for("and more")
    text = terminal.wait_for("▸ paste 1 · 30 lines")
    assert "You" not in text.split()
