"""The installed command in tmux, at the keys of a person: send, look on, look closer, stop, resize, leave."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.e2e.terminal import Condition, in_order, meets, squeezed, write_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.model_server import ModelServer

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

PROPOSERS = ["demo/terse", "demo/thorough"]
READY = "Ask anything"


class Tmux:
    """A tmux server of the test's own, with one window in which a shell waits."""

    def __init__(self, environ: dict[str, str], program: str) -> None:
        # A folder of its own, and not pytest's: a socket's path has to be short.
        self._folder = tempfile.mkdtemp(prefix="moa-tui-")
        self._environ = environ | {"ENV": "", "TMUX_TMPDIR": self._folder}
        self._program = program

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", "test", "-f", os.devnull, *arguments],
            env=self._environ, capture_output=True, encoding="utf-8", timeout=10, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    def open(self, columns: int = 80, lines: int = 24) -> None:
        """Begin with a shell in a window of this size."""
        self("new-session", "-d", "-x", str(columns), "-y", str(lines), "exec sh")
        self("set", "-g", "status", "off")
        self.resize(columns, lines)
        self.type("PS1='shell> '\n")
        self.wait_for("shell> ")

    def start(self, *arguments: str) -> None:
        """Start the program from the shell, and wait until it can be typed into."""
        self.type(" ".join(map(shlex.quote, [self._program, *arguments])) + "\n")
        self.wait_for(READY, 15)

    def close(self) -> None:
        with suppress(AssertionError):
            self("kill-server")
        shutil.rmtree(self._folder)

    def type(self, text: str) -> None:
        """Type a text; a newline is Enter."""
        lines = text.split("\n")
        for number, line in enumerate(lines):
            if line:
                self("send-keys", "-l", line)
            if number < len(lines) - 1:
                self("send-keys", "Enter")

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names for them."""
        self("send-keys", *keys)

    def resize(self, columns: int, lines: int) -> None:
        self("resize-window", "-x", str(columns), "-y", str(lines))

    @property
    def text(self) -> str:
        """What is on the screen now."""
        return self("capture-pane", "-p")

    def state(self, variable: str) -> str:
        """One of tmux's format variables."""
        return self("display-message", "-p", f"#{{{variable}}}").strip()

    def wait_for(self, condition: Condition, seconds: float = 20) -> str:
        """Wait until the screen meets a condition; the screen as it then is."""
        deadline = time.monotonic() + seconds
        while True:
            text = self.text
            if meets(text, condition):
                return text
            assert time.monotonic() < deadline, f"{condition!r} not within {seconds:g} s:\n{text}"
            time.sleep(0.03)

    def wait_for_gone(self, unwanted: str, seconds: float = 20) -> str:
        return self.wait_for(lambda text: unwanted not in text, seconds)

    def assert_restored(self) -> None:
        """The shell has its terminal back as it was: its screen, its cursor, its echo, no mouse reports."""
        self.wait_for(lambda text: text.rstrip().endswith("shell>"))
        off = ("alternate_on", "mouse_any_flag", "mouse_sgr_flag", "keypad_flag")
        assert {name: self.state(name) for name in off} == dict.fromkeys(off, "0")
        on = ("cursor_flag", "wrap_flag")
        assert {name: self.state(name) for name in on} == dict.fromkeys(on, "1")
        self.type("clear; stty -a\n")
        modes = set(re.split(r"[\s;]+", self.wait_for("echoke")))
        assert {"echo", "icanon", "isig", "iexten", "icrnl", "ixon"} <= modes
        self.type("clear; echo one$((1+1))three")
        self.wait_for("echo one$((1+1))three")  # What is typed is seen.
        self.press("Enter")
        self.wait_for("one2three")
        # tmux puts brackets around what it pastes, where the program asked for them.
        self("set-buffer", "echo pasted$((1+1))")
        self("paste-buffer", "-p")
        self.press("Enter")
        assert "200~" not in self.wait_for("pasted2")


@pytest.fixture
def tmux(environ: dict[str, str], program: str) -> Iterator[Tmux]:
    terminal = Tmux(environ, program)
    try:
        yield terminal
    finally:
        terminal.close()


def process_of(tmux: Tmux) -> int:
    """The id of the program that runs in the window's shell."""
    shell = tmux.state("pane_pid")
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", shell], capture_output=True, text=True, check=True)
    return int(found.stdout.split()[0])


def test_an_answer_grows_above_the_panes_that_still_write(tmux: Tmux, tmp_path: Path) -> None:
    tmux.open()
    path = tmp_path / "stairs.toml"
    write_recipe(path, PROPOSERS, ["demo/thorough"], pace=120)
    path.write_text(f"{path.read_text()}stairs = {{ chunk = 32, wait = 1 }}\n")
    tmux.start("-r", str(path))
    tmux.type("How do I use my own Ollama?\n")
    tmux.wait_for(re.compile(r"● layer 1 of 2: [01] of 2 answers; (?:writing the answer|the answer waits)"))
    tmux.wait_for(re.compile(r"Use your own Ollama[\s\S]*L1 [●✓]{2} │ Final ●[\s\S]*─ 1 terse . "))
    tmux.wait_for("part 1 was written from the beginnings of", 15)
    tmux.press("C-o")
    tmux.wait_for("[1 Answer]")
    tmux.press("6")
    tmux.wait_for(re.compile(r"part 1 of \d"))
    tmux.press("t")
    tmux.wait_for("waits for more to read")


def test_sending_watching_inspecting_and_leaving(tmux: Tmux, tmp_path: Path) -> None:
    tmux.open()
    tmux.start("-r", write_recipe(tmp_path / "quick.toml", PROPOSERS, ["demo/thorough"]))
    assert tmux.state("alternate_on") == "1"
    tmux.type("What is a tide?\n")
    tmux.wait_for(re.compile(r"╭─ 1 terse . (?:waiting|writing|done)"))
    tmux.wait_for("1 of 2")  # At this size one pane at a time, and a mark that there are more.
    done = tmux.wait_for("2 of 2 used · 3 of 3 calls", 15)
    assert "language model was" in done

    tmux.press("C-l")
    tmux.wait_for("━ 1 terse ✓ done")  # The heavy frame says that it has the focus.
    tmux.press("]")
    tmux.wait_for("━ 2 thorough ✓ done")
    tmux.press("Enter")
    tmux.wait_for("[1 Answer]")
    tmux.wait_for("demo/thorough")
    tmux.press("3")
    tmux.wait_for(lambda text: "[3 Messages]" in text and "What is a tide?" in text)
    tmux.press("Escape")
    tmux.wait_for(lambda text: "[3 Messages]" not in text and READY in text)

    tmux.press("C-o")
    tmux.wait_for("[1 Answer]")
    tmux.press("Escape")
    tmux.wait_for(READY)
    tmux.press("C-q")
    tmux.assert_restored()


def test_a_large_screen_shows_conversation_and_agents_beside_each_other(tmux: Tmux, tmp_path: Path) -> None:
    tmux.open(220, 60)
    models = [*PROPOSERS, "demo/sceptic", "demo/coder"]
    tmux.start("-r", write_recipe(tmp_path / "quick.toml", models, ["demo/thorough"], pace=80))
    tmux.type("What is a tide?\n")
    text = tmux.wait_for(lambda text: text.count(" ● writing ─") == len(models))
    beside = [line for line in text.splitlines() if "1 terse" in line]
    assert len(beside) == 1
    assert in_order(beside[0], "1 terse", "2 thorough"), "two panes in a row"
    assert all(len(line) <= 220 for line in text.splitlines())
    text = tmux.wait_for("4 of 4 used", 15)
    assert "╭─ 1 " in text, "the panes have room beside the answer and stay"
    tmux.press("C-q")
    tmux.assert_restored()


def test_stopping_keeps_the_text(tmux: Tmux, tmp_path: Path) -> None:
    tmux.open()
    tmux.start("-r", write_recipe(tmp_path / "slow.toml", ["demo/slow"], pace=20))
    tmux.type("What is a tide?\n")
    tmux.wait_for(lambda text: "I write this at" in squeezed(text))
    tmux.press("Escape")
    text = tmux.wait_for(lambda text: "■ stopped" in text and "esc stop" not in text)
    assert "I write this at" in squeezed(text)
    tmux.type("x")  # The prompt still takes what is typed.
    tmux.wait_for("┃ x")
    assert "I write this at" in squeezed(tmux.text)


def test_resizing_while_an_answer_is_written_loses_nothing(tmux: Tmux, tmp_path: Path, program: str) -> None:
    recipe = write_recipe(tmp_path / "one.toml", ["demo/terse"], pace=25)
    quicker = write_recipe(tmp_path / "fast.toml", ["demo/terse"], pace=9000)
    asked = subprocess.run(
        [program, "ask", "-q", "-r", quicker, "tides?"],
        capture_output=True, encoding="utf-8", check=True, timeout=20,
    )  # fmt: skip
    wanted = re.findall(r"\w+", asked.stdout)
    tmux.open()
    tmux.start("-r", recipe)
    tmux.type("tides?\n")
    tmux.wait_for("The heart of" if "The heart of" in asked.stdout else wanted[0])
    tmux.resize(60, 20)
    tmux.wait_for(lambda text: READY in text and "tides?" in text and "esc stop" in text)
    tmux.resize(20, 5)
    tmux.wait_for("60 columns")
    tmux.resize(80, 24)
    tmux.wait_for(lambda text: "60 columns" not in text and "esc stop" in text)  # The run still goes on.
    text = tmux.wait_for("1 of 1 calls", 15)
    shown = re.findall(r"\w+", text)
    assert any(shown[at : at + len(wanted)] == wanted for at in range(len(shown))), text


def test_a_small_screen_works_and_the_next_smaller_says_why_not(tmux: Tmux, tmp_path: Path) -> None:
    tmux.open(60, 20)
    tmux.start("-r", write_recipe(tmp_path / "quick.toml", PROPOSERS, ["demo/terse"]))
    tmux.type("What is a tide?\n")
    text = tmux.wait_for("2 of 2 used", 15)
    assert READY in text
    tmux.resize(59, 20)
    notice = squeezed(tmux.wait_for("too small"))
    assert "60 columns and 20 lines" in notice
    tmux.resize(60, 20)
    tmux.wait_for(READY)


def test_a_message_sent_during_a_run_waits_and_can_be_taken_back(tmux: Tmux, tmp_path: Path) -> None:
    tmux.open()
    tmux.start("-r", write_recipe(tmp_path / "slow.toml", ["demo/slow"], pace=20))
    tmux.type("the first\n")
    tmux.wait_for("esc stop")
    tmux.type("the second\n")
    text = tmux.wait_for("waits: the second")
    assert READY in text, "the prompt is empty again"
    tmux.press("Escape")
    text = tmux.wait_for("┃ the second")
    assert "waits:" not in text
    assert "esc stop" in text, "the run goes on"
    tmux.press("Escape")
    tmux.wait_for("■ stopped")
    tmux.wait_for("┃ the second")


def test_a_message_that_waited_is_sent_when_the_answer_is_there(tmux: Tmux, tmp_path: Path) -> None:
    tmux.open()
    tmux.start("-r", write_recipe(tmp_path / "one.toml", ["demo/terse"], pace=60))
    tmux.type("the first\n")
    tmux.wait_for("esc stop")
    tmux.type("the second\n")
    tmux.wait_for("waits: the second")
    text = tmux.wait_for(lambda text: "waits:" not in text and re.search(r"You\n\s+the second", text), 15)
    assert "esc stop" in text


def test_an_answer_that_is_there_at_once_is_shown(tmux: Tmux, tmp_path: Path) -> None:
    tmux.open()
    tmux.start("-r", write_recipe(tmp_path / "quick.toml", PROPOSERS, ["demo/terse"], pace=1e9))
    counted = {""}
    for word in ("one", "two", "three", "four"):
        tmux.type(f"{word}\n")
        # The run is over when its tokens are counted.
        tmux.wait_for(lambda text: not counted.issuperset(re.findall(r"conversation [\d,]+ tok", text)), 5)
        text = tmux.wait_for(lambda text: "getting ready" not in text and "2 of 2 used" in text, 5)
        counted.update(re.findall(r"conversation [\d,]+ tok", text))


def test_the_recipe_list_has_a_row_for_each_recipe(tmux: Tmux, tmp_path: Path) -> None:
    tmux.open(120, 40)
    tmux.start("-r", "demo")
    tmux.press("F2")
    for name in ("demo", "duo", "moa", "moa-lite"):
        tmux.wait_for(re.compile(rf"[ ▸] {name} +\d+ calls"), 5)
    tmux.resize(80, 24)
    tmux.wait_for(re.compile(r" moa-lite +\d+ calls .*✗"), 5)
    tmux.press("Escape")
    tmux.wait_for(READY)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_being_told_to_end_leaves_a_usable_terminal(name: str, tmux: Tmux, tmp_path: Path) -> None:
    tmux.open()
    tmux.start("-r", write_recipe(tmp_path / "slow.toml", ["demo/slow"]))
    tmux.type("What is a tide?\n")
    tmux.wait_for("esc stop")
    os.kill(process_of(tmux), getattr(signal, name))
    tmux.assert_restored()
    assert "Traceback" not in tmux("capture-pane", "-p", "-S", "-200")


@pytest.mark.parametrize("time_of_day", ["idle", "running"])
def test_a_terminal_that_goes_away_takes_the_program_along(
    time_of_day: str, tmux: Tmux, tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path / "slow.toml", PROPOSERS, ["demo/slow"], pace=60)
    for _ in range(3):  # Which of its threads is the first to know is chance.
        tmux.open()
        tmux.start("-r", recipe)
        if time_of_day == "running":
            tmux.type("What is a tide?\n")
            tmux.wait_for("esc stop")
        program = process_of(tmux)
        tmux("kill-server")
        deadline = time.monotonic() + 5
        while is_there(program):
            if time.monotonic() > deadline:
                os.kill(program, signal.SIGKILL)
                pytest.fail("the program goes on without a terminal")
            time.sleep(0.02)


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_answer_from_a_local_server(tmux: Tmux, tmp_path: Path, lab: ModelServer) -> None:
    tmux.open()
    tmux.start("-r", write_recipe(tmp_path / "lab.toml", ["lab/ok@n=30"], pace=None))
    tmux.type("What is a tide?\n")
    # The first call waits for litellm, which takes seconds to import.
    text = tmux.wait_for("1 of 1 calls", 60)
    assert "answer-1-ok each model drafts a reply" in squeezed(text)
    assert lab.requests[0].body["messages"][-1]["content"] == "What is a tide?"
    assert lab.requests[0].headers["authorization"] == "Bearer sk-of-the-lab"
    tmux.press("C-q")
    tmux.assert_restored()
