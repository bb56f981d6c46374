"""The machine does with keys what Vim 9 does, by a table that `make_table.py` made with Vim itself."""

from __future__ import annotations

import json

import pytest

from moa_tui.ui.prompt.vim.edits import Register
from tests.ui.prompt.vim.make_table import TABLE
from tests.ui.prompt.vim.typing_at import Typist

ROWS = json.loads(TABLE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", ROWS, ids=lambda text: repr(text)[:20])
def test_keys_do_what_they_do_in_vim(text: str) -> None:
    differences = []
    for keys, rows in ROWS[text].items():
        for place, cursor, *after in rows:
            typist = Typist(text, place)
            typist.machine._registers.keep('"', Register("reg"))
            typist.press(keys)
            if typist.machine.mode != "normal" or typist.machine.pending:
                typist.press("\x1b")
            expected = (after[0] if after else text, cursor)
            if (typist.text, typist.cursor) != expected:
                differences.append((keys, place, expected, (typist.text, typist.cursor)))
    assert differences == []


def test_the_table_is_large() -> None:
    assert sum(len(rows) for by_keys in ROWS.values() for rows in by_keys.values()) > 5_000
