"""Nothing that was written is lost, and no screen stays blank: the installed command, killed and misused."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.terminal import Terminal, squeezed, write_recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.warm import WarmStart

if sys.platform == "win32":
    pytest.skip("there is no pseudo-terminal on Windows", allow_module_level=True)

READY = "Ask anything"


# Standard streams that are no terminal


@pytest.mark.parametrize("redirection", ["2>/dev/null", '2>"$HOME/errors"', "2>&- 3>&-"])
def test_the_chat_is_drawn_wherever_standard_error_goes(
    redirection: str, program: str, environ: dict[str, str], tmp_path: Path
) -> None:
    with Terminal(["sh", "-c", f'exec "$0" -r demo {redirection}', program], environ) as terminal:
        terminal.wait_for(READY)
        assert terminal.end() == 0
        assert terminal.restored
    errors = tmp_path / "errors"
    assert not errors.exists() or not errors.read_bytes(), "the screen is not drawn into a file"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('exec "$0" -r demo <&-', "standard input is closed"),
        ('echo x | "$0" -r demo', "standard input is redirected"),
        ('exec "$0" -r demo >&-', "standard output is closed"),
        ('echo x | TERM=dumb "$0" -r demo', "standard input is redirected"),
    ],
)
def test_where_there_is_no_terminal_it_is_said_and_what_to_do(
    line: str, said: str, program: str, environ: dict[str, str]
) -> None:
    with Terminal(["sh", "-c", line, program], environ) as terminal:
        text = squeezed(terminal.wait_for("moa-tui ask"))
        assert said in text
        terminal.process.wait(timeout=10)


def test_a_terminal_without_a_name_is_drawn_on(program: str, environ: dict[str, str]) -> None:
    with Terminal(["sh", "-c", 'unset TERM; exec "$0" -r demo', program], environ) as terminal:
        terminal.wait_for(READY)
        assert terminal.end() == 0


# What was typed and not sent


def drafts(environ: dict[str, str]) -> Path:
    return Path(environ["MOA_TUI_DATA_DIR"]) / "drafts"


def ctrl_q(terminal: Terminal) -> None:
    terminal.send("\x11")


def signalled(number: signal.Signals) -> Callable[[Terminal], None]:
    return lambda terminal: os.kill(terminal.process.pid, number)


def hang_up(terminal: Terminal) -> None:
    """Close the terminal: both its sides, as when its window is closed."""
    terminal._close_slave()
    os.close(terminal._master)
    terminal._master = os.open(os.devnull, os.O_RDWR)


ENDS = {
    "ctrl+q": ctrl_q,
    "SIGTERM": signalled(signal.SIGTERM),
    "SIGHUP": signalled(signal.SIGHUP),
    "SIGKILL": signalled(signal.SIGKILL),
    "SIGINT twice": lambda terminal: terminal.send("\x03\x03"),
    "terminal closed": hang_up,
}


@pytest.fixture
def environ(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return {**environ, "MOA_TUI_DATA_DIR": str(tmp_path / "data")}


def wait_until_kept(environ: dict[str, str], *texts: str) -> None:
    """Wait until texts stand in a draft on disk."""

    def are_kept() -> bool:
        written = "".join(path.read_text() for path in drafts(environ).glob("*.json"))
        return all(text in written for text in texts)

    deadline = time.monotonic() + 20
    while not are_kept():
        assert time.monotonic() < deadline, f"{texts} are in no draft"
        time.sleep(0.02)


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_what_was_typed_is_there_again_however_the_program_ends(
    end: Callable[[Terminal], None], program: str, environ: dict[str, str], warm: WarmStart | None
) -> None:
    with Terminal([program, "-r", "demo"], environ) as terminal:
        terminal.wait_for(READY)
        terminal.send("half a thou")
        terminal.wait_for("half a thou")
        if end is ENDS["SIGKILL"]:
            wait_until_kept(environ, "half a thou")
        end(terminal)
        terminal.process.wait(timeout=15)
    with Terminal([program, "-r", "demo"], environ, warm=warm) as terminal:
        terminal.wait_for("1 message that was not sent is back in the input")
        terminal.wait_for("half a thou")
        terminal.send("\x15")  # Cuts what stands before the cursor.
        terminal.wait_for_gone("half a thou")
        terminal.end()
    assert not list(drafts(environ).iterdir())


@pytest.mark.parametrize("end", [ENDS["ctrl+q"], ENDS["SIGKILL"]])
def test_queued_messages_and_the_one_that_runs_are_there_again(
    end: Callable[[Terminal], None], program: str, environ: dict[str, str], warm: WarmStart | None
) -> None:
    with Terminal([program, "-r", "demo"], environ, (100, 30), warm=warm) as terminal:
        terminal.wait_for(READY)
        terminal.send("the first question\r")
        terminal.wait_for(re.compile(r"~\d+ tok"))
        terminal.send("the second question\r")
        terminal.wait_for("waits: the second question")
        terminal.send("the third question\r")
        terminal.wait_for("waits: the third question")
        wait_until_kept(environ, "the second question", "the third question")
        end(terminal)
        terminal.process.wait(timeout=15)
    with Terminal([program, "-r", "demo", "-c"], environ, (100, 30), warm=warm) as terminal:
        terminal.wait_for("2 messages that were not sent are back in the input")
        for question in ("the second question", "the third question"):
            terminal.wait_for(question)
        assert "the first question" in terminal.text, "it is a turn of the conversation"
        terminal.end()


@pytest.mark.parametrize("end", [ENDS["ctrl+q"], ENDS["SIGTERM"], ENDS["SIGHUP"]])
def test_what_was_sent_before_the_engine_was_ready_is_a_turn(
    end: Callable[[Terminal], None], program: str, environ: dict[str, str], config: Path
) -> None:
    config.write_text('[endpoints.lab]\nbase_url = "http://127.0.0.1:9/v1"\nkey_env = "LAB_KEY"\n')
    recipe = config.with_name("lab.toml")
    recipe.write_text('name = "lab"\n[[layers]]\nagents = [{ model = "lab/one" }]\n')
    environ["MOA_TUI_CONFIG"] = str(config)
    with Terminal([program, "-r", str(recipe)], environ) as terminal:
        terminal.wait_for(READY)
        terminal.send("an early question\r")
        terminal.wait_for("getting ready")
        end(terminal)
        terminal.process.wait(timeout=15)
    listed = subprocess.run([program, "sessions", "list"], env=environ, capture_output=True, text=True)
    assert "an early question" in listed.stdout


def test_two_windows_have_a_draft_each_and_a_dead_ones_is_offered_once(
    program: str, environ: dict[str, str]
) -> None:
    command = [program, "-r", "demo"]
    with Terminal(command, environ) as first, Terminal(command, environ) as second:
        for terminal, text in ((first, "in the first"), (second, "in the second")):
            terminal.wait_for(READY)
            terminal.send(text)
        wait_until_kept(environ, "in the first", "in the second")
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait(timeout=10)
        with Terminal(command, environ) as third:
            third.wait_for("1 message that was not sent is back in the input")
            assert "in the second" not in third.wait_for("in the first")
            with Terminal(command, environ) as fourth:
                fourth.wait_for(READY)
                fourth.send("x")
                wait_until_kept(environ, '["x"]')
                assert "back in the input" not in fourth.text
                os.kill(fourth.process.pid, signal.SIGKILL)


def test_a_private_text_is_never_on_disk_and_leaving_it_is_asked(
    program: str, environ: dict[str, str], tmp_path: Path
) -> None:
    with Terminal([program, "-r", "demo", "--private"], environ) as terminal:
        terminal.wait_for(READY)
        terminal.send("a secret plan")
        terminal.wait_for("a secret plan")
        terminal.send("\x11")
        terminal.wait_for("leaving loses it")
        assert terminal.process.poll() is None
        assert terminal.end() == 0
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"secret plan" not in path.read_bytes(), path


# The database taken away under a running chat


def test_a_database_deleted_under_the_chat_is_told_and_written_anew(
    program: str, environ: dict[str, str], tmp_path: Path
) -> None:
    database = Path(environ["MOA_TUI_DATA_DIR"]) / "moa-tui.db"
    recipe = write_recipe(tmp_path / "quick.toml", ["demo/terse"], ["demo/terse"], pace=400)
    with Terminal([program, "-r", recipe], environ, (120, 40)) as terminal:
        terminal.wait_for(READY)
        terminal.send("What is a tide?\r")
        terminal.wait_for(re.compile(r"conversation [\d,]+ tok"), 60)
        for path in sorted(database.parent.glob("moa-tui.db*")):
            path.unlink()
        terminal.wait_for("NOT SAVED", 5)
        terminal.wait_for("was written anew")
        os.kill(terminal.process.pid, signal.SIGKILL)
        terminal.process.wait(timeout=10)
    listed = subprocess.run([program, "sessions", "list"], env=environ, capture_output=True, text=True)
    assert "What is a tide?" in listed.stdout


def test_ask_tells_that_the_database_was_deleted_and_writes_its_turn_anew(
    program: str, environ: dict[str, str], tmp_path: Path
) -> None:
    database = Path(environ["MOA_TUI_DATA_DIR"]) / "moa-tui.db"
    recipe = write_recipe(tmp_path / "slow.toml", ["demo/terse"], ["demo/terse"], pace=60)
    asked = subprocess.Popen(
        [program, "ask", "-r", recipe, "What is a tide?"],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert asked.stderr is not None
    heard = asked.stderr.readline()  # Its turn is on disk when the first call begins.
    for path in sorted(database.parent.glob("moa-tui.db*")):  # The file itself first, which is then named.
        path.unlink()
    out, err = asked.communicate(timeout=60)
    err = heard + err
    assert asked.returncode == 0, err
    assert f"NOT SAVED: {database} was deleted" in err
    shown = subprocess.run(
        [program, "sessions", "show", "What is a tide?"], env=environ, capture_output=True, text=True
    )
    assert out.strip()[-60:] in shown.stdout


_CRASHING = """
import os
from moa_tui import cli
from moa_tui.ui.chat.asking import Asking

def crash(self):
    os.abort()

Asking.search_history = crash
cli.main()
"""


def test_a_crash_takes_nothing_that_was_typed_with_it(program: str, environ: dict[str, str]) -> None:
    with Terminal([sys.executable, "-c", _CRASHING, "-r", "demo"], environ) as terminal:
        terminal.wait_for(READY)
        terminal.send("half a thou")
        terminal.wait_for("half a thou")
        wait_until_kept(environ, "half a thou")
        terminal.send("\x12")  # ctrl+r, which crashes the interpreter itself
        assert terminal.process.wait(timeout=15) == -signal.SIGABRT
    with Terminal([program, "-r", "demo"], environ) as terminal:
        terminal.wait_for("1 message that was not sent is back in the input")
        terminal.wait_for("half a thou")
