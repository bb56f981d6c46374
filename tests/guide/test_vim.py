"""Every row of the table of Vim's keys works, and every key that works is in a row."""

from __future__ import annotations

import re

import pytest

from moa_tui.ui.prompt.vim import grammar, text_objects
from tests.guide import reading
from tests.ui.prompt.vim.typing_at import Typist

ROWS = reading.rows("vim keys")
CURSOR = "‸"


def plain(cell: str) -> str:
    [code] = re.findall(r"`([^`]*)`", cell)
    return code.replace("⏎", "\n").replace("⎋", "\x1b")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.cells["vim keys"])
def test_a_row_does_what_it_says(row: reading.Row) -> None:
    before, after = plain(row.cells["from"]), plain(row.cells["to"])
    typist = Typist(before.replace(CURSOR, ""), before.index(CURSOR)).press(plain(row.cells["typed"]))
    shown = typist.text[: typist.cursor] + CURSOR + typist.text[typist.cursor :]
    assert shown == after


def test_every_key_of_the_prompt_is_in_a_row() -> None:
    named = {key for row in ROWS for key in row.names("vim keys")}
    one_letter = grammar.MOTIONS | grammar.ACTIONS | {*grammar.OPERATORS, *"fFtTr/?"}
    # A backtick cannot stand in code within a table; the words name it.
    objects = {side + name for side in "ia" for name in text_objects.NAMES if name != "`"}
    assert named - {"dd", "cc", "yy", "ctrl+r", '"a', '"+'} == one_letter | objects
