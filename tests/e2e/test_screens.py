"""Keys that a real terminal sends in one read, over screens that open and close at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.warm import WarmStart

READY = "Ask anything"
QUIT_SECONDS = 2.0


@pytest.mark.parametrize(
    ("opener", "shown", "keys"),
    [
        ("/theme\r", "enter keeps", "\r\r"),
        ("/theme\r", "enter keeps", "\x1b\r"),
        ("\x12", "Earlier prompts", "\r\r\x1b"),
        ("\x10", "Search", "theme\r\r\r\x1b\x1b"),
        ("", READY, "\x13\r\x1b\x1b[5~"),
        ("", READY, "\x10\x1b[5~\x10\x1b[6~\r\r"),
    ],
)
def test_keys_in_one_read_neither_end_the_chat_nor_keep_anybody_in_it(
    opener: str,
    shown: str,
    keys: str,
    program: str,
    environ: dict[str, str],
    tmp_path: Path,
    warm: WarmStart | None,
) -> None:
    with Terminal([program, "-r", "demo"], environ, folder=tmp_path, warm=warm) as terminal:
        terminal.wait_for(READY, 30)
        terminal.send(opener)
        terminal.wait_for(shown)
        terminal.send(keys)
        terminal.wait_until_read()
        assert terminal.end(QUIT_SECONDS + 3) == 0
        assert terminal.restored
        assert "Traceback" not in terminal.written
