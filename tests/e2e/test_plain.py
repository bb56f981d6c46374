"""The chat in lines on real terminals: every byte that reaches them is looked at."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.terminal import Terminal, write_recipe

if TYPE_CHECKING:
    from collections.abc import Callable

# What GNU readline sends to a terminal of the kind xterm: meta key on, clear to the end of the line or
# screen, columns and delete (readline/display.c, terminal.c). No title, no bell, no mark around a paste.
_READLINES_OWN = re.compile(r"\x1b\[\?1034h|\x1b\[\d*[CDGKJP@]|\x1b\[\?1[hl]\x1b[=>]|\x08")


@pytest.fixture
def slow(tmp_path: Path) -> str:
    """A recipe of simulated models of which the last writes for seconds."""
    return write_recipe(tmp_path / "slow.toml", ["demo/terse", "demo/coder"], ["demo/thorough"], pace=60)


@pytest.fixture
def quick(tmp_path: Path) -> str:
    return write_recipe(tmp_path / "quick.toml", ["demo/terse", "demo/coder"], ["demo/thorough"], pace=5000)


def asked(terminal: Terminal) -> Callable[[int], str]:
    """Waits until the prompt stands there for the Nth time."""

    def wait(times: int) -> str:
        terminal.wait_for(lambda _: len(re.findall(r"(?:^|[\r\n])You: ", terminal.written)) >= times)
        return terminal.written

    return wait


def controls(written: str) -> set[str]:
    return set(re.findall(r"[\x00-\x1f\x7f-\x9f]", written)) - {"\r", "\n", "\t"}


def test_a_simple_terminal_gets_text_and_nothing_else(
    program: str, environ: dict[str, str], quick: str, tmp_path: Path
) -> None:
    with Terminal([program, "-r", quick], environ | {"TERM": "dumb"}) as terminal:
        wait = asked(terminal)
        assert "TERM=dumb" in wait(1)
        terminal.send("Why is the sky blue?\r")
        wait(2)
        for number, line in enumerate(
            ["/show 1", "/stats", f"/export {tmp_path}/it.md", "/retry", "/help"], 3
        ):
            terminal.send(f"{line}\r")
            wait(number)
        terminal.send("\x04")
        assert terminal.process.wait(timeout=10) == 0
        assert "layer 1: terse done, " in terminal.written
        assert "End. quick: 2 of 2 used" in terminal.written
        assert controls(terminal.written) == set()
        assert (tmp_path / "it.md").exists()


def test_another_terminal_gets_what_readline_sends_and_nothing_else(
    program: str, environ: dict[str, str], quick: str
) -> None:
    with Terminal(
        [program, "chat", "--plain", "-r", quick], environ | {"TERM": "xterm-256color"}
    ) as terminal:
        wait = asked(terminal)
        wait(1)
        terminal.send("Why is the sky blu\x01\x05\x7fue?\r")  # To the beginning, the end, and one back.
        wait(2)
        terminal.send("\x1b[A\x15/cos\t\r")
        terminal.wait_for(lambda _: re.search("tokens, .*\nYou: ", terminal.written))
        terminal.send("\x04")
        assert terminal.process.wait(timeout=10) == 0
        assert controls(_READLINES_OWN.sub("", terminal.written)) == set()
        assert "\x1b[?2004h" not in terminal.written
        assert "\x1b[?1049h" not in terminal.written


@pytest.mark.skipif(shutil.which("script") is None, reason="there is no `script` here")
def test_a_recording_holds_the_conversation_and_no_control_character(
    program: str, environ: dict[str, str], quick: str, tmp_path: Path
) -> None:
    record = tmp_path / "typescript"
    done = subprocess.run(
        ["script", "-q", "-e", "-c", f"{program} -r {quick}", str(record)],
        input=b"Why?\r/quit\r",
        env=environ | {"TERM": "dumb"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    written = re.sub(r"(?m)^Script (?:started|done).*$", "", record.read_text(encoding="utf-8"))
    assert done.returncode == 0, written
    assert "End. quick" in written
    assert controls(written) == set()


def test_it_is_written_into_a_file_without_prompts(
    program: str, environ: dict[str, str], quick: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        done = subprocess.run(
            [program, "chat", "--plain", "-r", quick],
            input=b"Why?\n/show 1\n",
            stdout=file,
            stderr=subprocess.PIPE,
            env=environ,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    text = log.read_text(encoding="utf-8")
    assert "You: " not in text
    assert "End. quick" in text
    assert not done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_locale_that_cannot_show_everything_ends_nothing(
    encoding: str, program: str, environ: dict[str, str], quick: str
) -> None:
    done = subprocess.run(
        [program, "--plain", "-r", quick],
        input="Why — “ü”?\n/show 1\n".encode(),
        capture_output=True,
        env=environ
        | {"LC_ALL": "C", "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"layer 1: terse done, " in done.stdout
    assert b"Traceback" not in done.stderr


def test_ctrl_c_stops_the_answer_and_the_chat_goes_on(
    program: str, environ: dict[str, str], slow: str
) -> None:
    with Terminal([program, "-r", slow], environ | {"TERM": "dumb"}) as terminal:
        wait = asked(terminal)
        wait(1)
        terminal.send("Why is the sky blue?\r")
        terminal.wait_for(lambda _: "Answer:" in terminal.written)
        terminal.send("\x03")
        wait(2)
        assert "Stopped. What was written is kept." in terminal.written
        terminal.send("/show answer\r")
        wait(3)
        terminal.send("\x03")
        wait(4)
        assert "Ctrl+D or /quit leaves." in terminal.written
        terminal.send("\x04")
        assert terminal.process.wait(timeout=10) == 0


def test_the_line_is_there_again_after_ctrl_z_and_fg(
    program: str, environ: dict[str, str], quick: str
) -> None:
    environ |= {"TERM": "dumb", "PS1": "$ "}
    with Terminal(["bash", "--norc", "-i"], environ) as terminal:
        terminal.send(f"{program} -r {quick}\r")
        asked(terminal)(1)
        terminal.send("abc")
        terminal.wait_for(lambda _: "You: abc" in terminal.written)
        terminal.send("\x1a")
        terminal.wait_for(lambda _: re.search(r"Stopped.*\n.*\$ ", terminal.written, re.DOTALL))
        before = terminal.written
        terminal.send("fg\r")
        terminal.wait_for(lambda _: "You: abc" in terminal.written[len(before) :])
        terminal.send("def\x7f\r")
        terminal.wait_for(lambda _: "Asking quick" in terminal.written)
        after = terminal.written[len(before) :].partition("Asking")[0]
        assert after.rstrip("\r\n").endswith("You: abcdef\x08 \x08")
        terminal.send("\x03\x04")


def test_what_is_pasted_is_one_prompt_and_no_command(
    program: str, environ: dict[str, str], quick: str
) -> None:
    with Terminal([program, "-r", quick], environ | {"TERM": "dumb"}) as terminal:
        wait = asked(terminal)
        wait(1)
        terminal.wait_for_quiet()
        terminal.send("one\r/quit\rthree\r")
        wait(2)
        terminal.send("/show all\r")
        terminal.wait_for(lambda _: terminal.written.count("Answer: ") == 1)
        terminal.wait_for_quiet()
        assert re.search(r"You: one\r?\n/quit\r?\nthree\r?\nAnswer: ", terminal.written)
        terminal.send("\x04")
        terminal.process.wait(timeout=10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_what_was_typed_when_it_was_ended_is_back_at_the_next_start(
    number: signal.Signals, program: str, environ: dict[str, str], quick: str
) -> None:
    with Terminal([program, "-r", quick], environ | {"TERM": "dumb"}) as terminal:
        wait = asked(terminal)
        wait(1)
        terminal.send("a first line\\\rhalf a se")
        terminal.wait_for("half a se")
        drafts = Path(environ["MOA_TUI_DATA_DIR"]) / "drafts"
        if number == signal.SIGKILL:
            terminal.wait_for(lambda _: any(b"half a se" in each.read_bytes() for each in drafts.glob("*")))
        os.kill(terminal.process.pid, number)
        code = terminal.process.wait(timeout=10)
        assert code == (-number if number == signal.SIGKILL else 128 + number)
        assert "Traceback" not in terminal.written
    with Terminal([program, "-r", quick], environ | {"TERM": "dumb"}) as terminal:
        terminal.wait_for("half a se")
        assert "message that was not sent is back" in terminal.written
        terminal.send("ntence\r")
        asked(terminal)(2)
        terminal.send("/show all\r")
        terminal.wait_for(lambda _: terminal.written.count("Answer: ") == 1)
        terminal.wait_for_quiet()
        assert re.search(r"You: a first line\r?\nhalf a sentence\r?\n", terminal.written)
        terminal.send("\x04")
        terminal.process.wait(timeout=10)


def test_earlier_prompts_are_gone_back_to_and_no_file_of_them_is_written(
    program: str, environ: dict[str, str], quick: str, tmp_path: Path
) -> None:
    with Terminal([program, "-r", quick], environ | {"TERM": "dumb"}) as terminal:
        asked(terminal)(1)
        terminal.send("The question of yesterday?\r")
        asked(terminal)(2)
        terminal.send("\x04")
        terminal.process.wait(timeout=10)
    before = set(Path(environ["HOME"]).rglob("*history*"))
    with Terminal([program, "-r", quick], environ | {"TERM": "dumb"}) as terminal:
        asked(terminal)(1)
        terminal.send("\x10")  # ctrl+p
        terminal.wait_for("The question of yesterday?")
        terminal.send("\r")
        asked(terminal)(2)
        terminal.send("\x04")
        assert terminal.process.wait(timeout=10) == 0
    assert set(Path(environ["HOME"]).rglob("*history*")) == before == set()


def test_the_config_makes_it_the_default(
    program: str, environ: dict[str, str], quick: str, config: Path
) -> None:
    config.write_text("plain = true\n")
    with Terminal(
        [program, "-r", quick], environ | {"TERM": "xterm-256color", "MOA_TUI_CONFIG": str(config)}
    ) as terminal:
        asked(terminal)(1)
        terminal.send("\x04")
        assert terminal.process.wait(timeout=10) == 0
        assert "\x1b[?1049h" not in terminal.written
