"""What the guide shows in code works: commands can be given so, and files are valid."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from typing import Any

import pytest

from moa_tui import guide
from moa_tui.engine.recipe import Recipe
from moa_tui.formats.json_writer import outcome_document
from moa_tui.settings import toml_file
from moa_tui.settings.config import Settings
from moa_tui.ui import keymap
from moa_tui.ui.themes import ThemeFile
from tests.cli.shell import call
from tests.conversations import a_turn
from tests.guide import reading
from tests.guide.test_names import every_command
from tests.ui.test_given import classes_with_bindings

BLOCKS = [block for page in guide.pages() for block in reading.blocks(page)]
MODELS: dict[str, Any] = {"toml recipe": Recipe, "toml config": Settings, "toml theme": ThemeFile}
COMMANDS = sorted(set(reading.commands()))
# These need no key, no network, no terminal and no conversation, and change nothing.
HARMLESS = re.compile(
    r"moa-tui(?: recipes (?:list|(?:show|explain|check) [a-z-]+)| config (?:path|show)"
    r"| sessions(?: path| list .*)?| doctor| guide.*| stats.*| ask --dry-run -r demo .*)"
)


def arguments(line: str) -> list[str]:
    """The words behind `moa-tui`, up to a pipe, a redirection or a comment."""
    return list(
        itertools.takewhile(lambda word: word not in ("|", ">"), shlex.split(line, comments=True)[1:])
    )


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands take their arguments and do nothing."""
    for _, command in every_command():
        monkeypatch.setattr(command, "callback", lambda *_, **__: None)


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize(("topic", "line"), COMMANDS, ids=[line for _, line in COMMANDS])
def test_commands_can_be_given_so(topic: str, line: str) -> None:
    done = call(*arguments(line))
    assert done.exit_code == 0, f"{topic}: {done.output}"


@pytest.mark.usefixtures("nothing_runs")
def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert call(*arguments("moa-tui sessions exprot x")).exit_code == 2
    assert call(*arguments("moa-tui ask --fast x")).exit_code == 2


@pytest.mark.parametrize(
    "line", sorted({line for _, line in COMMANDS if HARMLESS.fullmatch(line)}), ids=lambda line: line
)
def test_commands_that_need_no_key_work(line: str) -> None:
    done = call(*arguments(line), MOA_TUI_LOCAL_SERVERS="none")
    assert done.exit_code == 0, done.output


def test_many_commands_were_found() -> None:
    assert len(COMMANDS) > 40
    assert sum(HARMLESS.fullmatch(line) is not None for _, line in COMMANDS) > 15


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.info.startswith("toml")], ids=lambda block: block.topic
)
def test_files_are_valid(block: reading.Block) -> None:
    toml_file.parse(block.text, MODELS[block.info], f"{block.topic}.md")


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if "[keys]" in block.text], ids=lambda block: block.topic
)
def test_keys_of_ones_own_can_be_had(block: reading.Block) -> None:
    wanted = toml_file.parse(block.text, Settings, f"{block.topic}.md").keys
    assert wanted
    assert keymap.problems(wanted, keymap.bindings_of(classes_with_bindings()), {}) == []


def test_the_document_shown_has_the_fields_of_a_real_one() -> None:
    [shown] = [json.loads(block.text) for block in BLOCKS if block.info == "json"]
    turn = a_turn()
    assert turn.outcome is not None
    real = outcome_document(turn.prompt, turn.recipe, turn.outcome)
    assert shown["schema"] == real["schema"]
    assert _fields(shown) <= _fields(real)


def _fields(value: Any, place: str = "") -> set[str]:
    """The names of all fields in a JSON value, each with those that lead to it."""
    if isinstance(value, list):
        return set().union(*(_fields(inner, place) for inner in value))
    if not isinstance(value, dict):
        return set()
    inner = (_fields(inner, f"{place}.{name}") for name, inner in value.items())
    return {f"{place}.{name}" for name in value}.union(*inner)


def test_every_block_says_what_it_is() -> None:
    assert {block.info for block in BLOCKS} <= {"sh", "json", "", *MODELS}


def test_blocks_without_a_name_are_typed_into_the_chat() -> None:
    lines = [line for block in BLOCKS if not block.info for line in block.text.splitlines()]
    assert lines
    assert all(line.startswith("/") for line in lines)
