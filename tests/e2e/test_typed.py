"""What is typed reaches the model character for character, and nothing else does; the screen comes back."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.e2e.terminal import Screen, Terminal, write_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from tests.model_server import ModelServer
    from tests.warm import WarmStart

READY = "Ask anything"

TYPED = [
    "今日は　晴れ　です",  # the space of Japanese and Chinese input methods
    "Combien\u202f?\u00a0!",
    "می\u200cخواهم 👩\u200d💻 क्\u200dष",
    "e\u0301a\u0308 שָׁלוֹם ท่าน",
    "abc\u200f\u200e def",
    "Donau\u00addampf",
    "👍🏽 ❤\ufe0f 🏴\U000e0067\U000e0062\U000e007f 🇫🇷",
    "\ue0b0 \U000f0001 \U0001fae9",  # private use, and an emoji that Python 3.11 does not know
    "𝒳 𠮷",
    "/usr/bin/env: what is it?",
    "me@example.org",
    "  two before, two after  ",
]
# As the kitty protocol sends what an input method has put together, and a key with its text.
SENT_AS_NUMBERS = "こんにちは世界、元気ですか"
ANSWERS = [
    "\x1b[?64;1;2;6;22c",
    "\x1b[>41;388;0c",
    "\x1bP>|XTerm(388)\x1b\\",
    "\x1b]11;rgb:1e1e/1e1e/2e2e\x07",
    "\x1b]10;rgb:ffff/ffff/ffff\x1b\\",
    "\x1b]52;c;c2VjcmV0\x07",
    "\x1b_Gi=31;OK\x1b\\",
    "\x1bP1+r524742=38\x1b\\",
    "\x1b[?997;1n",
    "\x1b[0n",
    "\x1b[?1u",
    "\x1b[4;1080;1920t",
    "\x1b[?2026;2$y",
    "\x1b[?12;2$y",
    "\x1b[24;80R",
    "\x1b[>4;2m",
]


def last_prompt(lab: ModelServer) -> str:
    """What the first agent was asked, once both have been."""
    requests = lab.wait_for(lambda requests: len(requests) >= 2, 30)
    return str(requests[0].body["messages"][-1]["content"])


def test_what_is_typed_reaches_the_model_character_for_character(
    lab: ModelServer,
    config: Path,
    tmp_path: Path,
    program: str,
    environ: dict[str, str],
    warm: WarmStart | None,
) -> None:
    recipe = write_recipe(tmp_path / "quick.toml", ["lab/ok@n=1"], ["lab/ok@n=1"], pace=None)
    with Terminal([program, "-r", recipe], environ, (100, 30), warm=warm) as terminal:
        terminal.wait_for(READY)
        for text in TYPED:
            lab.reset()
            terminal.send(f"{text}\r")
            assert last_prompt(lab) == text
            terminal.wait_for(READY)
        lab.reset()
        numbers = ":".join(str(ord(character)) for character in SENT_AS_NUMBERS)
        terminal.send(f"\x1b[0;;{numbers}u\x1b[97;;97u\x1b[32;;32u\r")
        assert last_prompt(lab) == f"{SENT_AS_NUMBERS}a "


def test_answers_of_the_terminal_are_no_text(
    lab: ModelServer,
    config: Path,
    tmp_path: Path,
    program: str,
    environ: dict[str, str],
    warm: WarmStart | None,
) -> None:
    recipe = write_recipe(tmp_path / "quick.toml", ["lab/ok@n=1"], ["lab/ok@n=1"], pace=None)
    with Terminal([program, "-r", recipe], environ, (100, 30), warm=warm) as terminal:
        terminal.wait_for(READY)
        terminal.send("a")
        for answer in ANSWERS:
            terminal.send(answer)
        terminal.send("b")
        for answer in ANSWERS:
            terminal.send(answer[: len(answer) // 2])
            terminal.wait_until_read()
            terminal.send(answer[len(answer) // 2 :])
        terminal.send("c\r")
        assert last_prompt(lab) == "abc"


@pytest.mark.parametrize("stop", [signal.SIGTSTP, signal.SIGSTOP])
def test_the_whole_screen_is_drawn_when_the_program_goes_on(
    program: str, environ: dict[str, str], tmp_path: Path, stop: signal.Signals
) -> None:
    recipe = write_recipe(tmp_path / "quick.toml", ["demo/terse"], ["demo/terse"], pace=400)
    with Terminal([program, "-r", recipe], environ, (100, 30)) as terminal:
        terminal.wait_for(READY)
        terminal.send("What is a tide?\r")
        terminal.wait_for(re.compile(r"conversation [\d,]+ tok"))
        terminal.wait_for_quiet()
        shown = terminal.text
        os.kill(terminal.process.pid, stop)
        os.waitpid(terminal.process.pid, os.WUNTRACED)
        terminal.screen = Screen(100, 30)  # A shell has written over it meanwhile.
        os.kill(terminal.process.pid, signal.SIGCONT)
        terminal.wait_for(lambda text: text == shown)
        terminal.send("half a word")
        terminal.wait_for("half a word")
        assert terminal.end() == 0
        assert terminal.restored
