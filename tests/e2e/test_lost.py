"""Nothing that was written is lost, and no screen stays blank: the installed command, killed and misused."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.terminal import Terminal, squeezed

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform == "win32":
    pytest.skip("there is no pseudo-terminal on Windows", allow_module_level=True)

READY = "Ask anything"


# Standard streams that are no terminal


@pytest.mark.parametrize(
    "redirection", ["2>/dev/null", '2>"$HOME/errors"', "2>&-", "2>/dev/full", "2>&- 3>&- 4>&-"]
)
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
        ('exec "$0" -r demo </dev/null', "standard input is redirected"),
        ('echo x | "$0" -r demo', "standard input is redirected"),
        ('exec "$0" -r demo >/dev/null', "standard output is redirected"),
        ('exec "$0" -r demo >&-', "standard output is closed"),
        ('exec "$0" -r demo <&- 2>&1', "standard input is closed"),
        ('TERM=dumb exec "$0" -r demo', "TERM=dumb"),
    ],
)
def test_where_there_is_no_terminal_it_is_said_and_what_to_do(
    line: str, said: str, program: str, environ: dict[str, str]
) -> None:
    with Terminal(["sh", "-c", line, program], environ) as terminal:
        text = squeezed(terminal.wait_for("moa-tui ask"))
        assert said in text
        terminal.process.wait(timeout=10)


@pytest.mark.parametrize("setting", ["unset TERM", "TERM=", "TERM=nonsense"])
def test_a_terminal_without_a_name_is_drawn_on(setting: str, program: str, environ: dict[str, str]) -> None:
    with Terminal(["sh", "-c", f'{setting}; exec "$0" -r demo', program], environ) as terminal:
        terminal.wait_for(READY)
        assert terminal.end() == 0
