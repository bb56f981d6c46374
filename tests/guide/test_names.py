"""Every name in the guide exists, and everything that has a name is in the guide.

What exists is read from the program's own lists, never from one that is kept here.
"""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
import pytest

import moa_tui
from moa_tui import guide
from moa_tui.cli import headless, main
from moa_tui.engine.agent import Agent
from moa_tui.engine.layer import Layer, Limits, Stairs, Start, Task, Window
from moa_tui.engine.parameters import KNOWN_PARAMETERS
from moa_tui.engine.recipe import Recipe
from moa_tui.errors import FailureKind
from moa_tui.formats.export import FORMATS
from moa_tui.gateway.catalog import KEY_VARIABLES
from moa_tui.gateway.demo.templates import MODELS
from moa_tui.gateway.discovery import default_servers
from moa_tui.plain.commands import PLAIN_ONLY
from moa_tui.recipes import files
from moa_tui.recipes.default import ONE_KEY_RECIPES, PREFERRED_RECIPES
from moa_tui.recipes.local import MADE_HERE
from moa_tui.settings.config import Budget, Endpoint, Settings
from moa_tui.text.wording import GLYPHS
from moa_tui.ui import keymap, themes
from moa_tui.ui.chat.commands import COMMANDS
from tests.guide import reading
from tests.ui.test_given import classes_with_bindings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

PACKAGE = Path(moa_tui.__file__).parent
SPANS = {page.topic: reading.spans(page) for page in guide.pages()}
ALL_SPANS = [span for spans in SPANS.values() for span in spans]


def same(named: Any, existing: Any) -> None:
    """The guide names these things, all of them, and each once."""
    named, existing = list(named), set(existing)
    assert set(named) - existing == set(), "the guide names what does not exist"
    assert existing - set(named) == set(), "the guide does not name it"
    assert len(named) == len(set(named)), "the guide has it twice"


# Keys

_KEYS = {
    **{"Esc": "escape", "PgUp": "pageup", "PgDn": "pagedown", "↑": "up", "↓": "down", "←": "left"},
    **{"→": "right", "[": "left_square_bracket", "]": "right_square_bracket", "/": "slash"},
    **{"<": "less_than_sign", ">": "greater_than_sign"},
    **{"{": "left_curly_bracket", "}": "right_curly_bracket"},
}


def textual_key(shown: str) -> str:
    """`ctrl+↑` as Textual names it; one letter stays as it is."""
    *held, key = [shown] if len(shown) == 1 else shown.split("+")
    key = _KEYS.get(key, key if len(key) == 1 else key.lower())
    return "+".join([*held, key])


def test_every_key_is_named_with_its_action() -> None:
    same(
        (name for row in reading.rows("key") for name in row.names("name")),
        keymap.bindings_of(classes_with_bindings()),
    )


@pytest.mark.parametrize("row", reading.rows("key"), ids=lambda row: row.cells["name"])
def test_the_keys_of_a_row_are_those_of_its_actions(row: reading.Row) -> None:
    bindings = keymap.bindings_of(classes_with_bindings())
    existing = {key for name in row.names("name") for key in bindings[name].key.split(",")}
    assert {textual_key(key) for key in row.cells["key"].split(" · ")} == existing


def test_ids_of_actions_elsewhere_exist() -> None:
    bindings = keymap.bindings_of(classes_with_bindings())
    groups = {name.partition(".")[0] for name in bindings}
    named = [span for span in ALL_SPANS if re.fullmatch(r"[a-z]+\.[a-z_0-9]+", span)]
    ids = [name for name in named if name.partition(".")[0] in groups]
    assert set(ids) <= set(bindings)


# Commands


def test_every_slash_command_is_in_the_table() -> None:
    named = [span for row in reading.rows("command") for span in row.names("command")]
    assert {re.match(r"/(\w+)", span)[1] for span in named} == set(COMMANDS)  # type: ignore[index]


def test_slash_commands_elsewhere_exist() -> None:
    texts = [
        *ALL_SPANS,
        *(
            line
            for page in guide.pages()
            for block in reading.blocks(page)
            for line in block.text.splitlines()
        ),
    ]
    named = [match[1] for text in texts if (match := re.match(r"/([a-z]+)(?= |$)", text))]
    assert set(named) <= {*COMMANDS, *PLAIN_ONLY}


def test_every_command_that_only_the_plain_chat_has_is_in_its_table() -> None:
    named = [span for row in reading.rows("plain command") for span in row.names("plain command")]
    assert {re.match(r"/(\w+)", span)[1] for span in named} == set(PLAIN_ONLY)  # type: ignore[index]


def every_command(
    command: click.Command = main, path: str = "moa-tui"
) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from every_command(inner, f"{path} {name}")


def codes() -> dict[str, list[str]]:
    """By topic, everything on the page that stands in code, lines of blocks among it."""
    return {
        page.topic: [
            *SPANS[page.topic],
            *(line for block in reading.blocks(page) for line in block.text.splitlines()),
        ]
        for page in guide.pages()
    }


@pytest.mark.parametrize(
    ("path", "command"), list(every_command()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_is_named_and_beside_it_its_options(path: str, command: click.Command) -> None:
    short = path.removeprefix("moa-tui ")
    texts = [
        code
        for code in codes().values()
        if any(re.search(rf"(?:^|\s|/){path}(?= |$)", text) or text == short for text in code)
    ]
    assert texts, f"no page names `{path}`"
    together = {
        word.partition("=")[0] for code in texts for text in code for word in re.split(r"[\s,]+", text)
    }
    options = [option for option in command.params if isinstance(option, click.Option)]
    missing = [option.opts for option in options if not together & set(option.opts)]
    assert not missing


def test_options_in_the_guide_exist() -> None:
    existing = {
        name for _, command in every_command() for option in command.params for name in option.opts
    } | {"-h", "--help"}
    named = {
        word
        for span in ALL_SPANS
        if span.startswith("-")
        for word in re.split(r"[\s,=]+", span)
        if word.startswith("-") and word != "-"
    }
    assert named - existing - {"-wal", "--"} == set()


# Files

OPTION_TABLES: dict[str, type[BaseModel]] = {
    "setting": Settings, "endpoint option": Endpoint, "budget option": Budget, "recipe option": Recipe,
    "agent option": Agent, "layer option": Layer, "limit": Limits, "window option": Window,
    "stairs option": Stairs, "start option": Start,
}  # fmt: skip
# Set by the program alone; files leave it out.
NOT_IN_FILES = {("recipe option", "imported")}


@pytest.mark.parametrize("head", OPTION_TABLES)
def test_every_option_is_in_its_table(head: str) -> None:
    fields = {field.alias or name for name, field in OPTION_TABLES[head].model_fields.items()}
    existing = {name for name in fields if (head, name) not in NOT_IN_FILES}
    same((name for row in reading.rows(head) for name in row.names(head)), existing)


@pytest.mark.parametrize("head", OPTION_TABLES)
def test_the_defaults_are_those_in_force(head: str) -> None:
    fields = {field.alias or name: field for name, field in OPTION_TABLES[head].model_fields.items()}
    for row in reading.rows(head):
        [name] = row.names(head)
        default = fields[name].default
        if row.cells["default"] == "none":
            assert default is None, name
        elif row.cells["default"]:
            [stated] = row.names("default")
            assert tomllib.loads(f"value = {stated}")["value"] == default, name


def test_the_parameters_named_for_extra_are_known() -> None:
    [row] = [row for row in reading.rows("agent option") if row.names("agent option") == ["extra"]]
    assert len(row.names("means")) > 3
    assert set(row.names("means")) <= KNOWN_PARAMETERS


def test_every_task_is_in_the_table() -> None:
    same((name for row in reading.rows("task") for name in row.names("task")), get_args(Task))


def test_every_built_in_recipe_is_in_the_table_with_its_calls() -> None:
    built_in = {name: files.read(file.path) for name, file in files.available(Path("none")).items()}
    rows = reading.rows("recipe")
    same((name for row in rows for name in row.names("recipe")), {*built_in, *MADE_HERE})
    stated = {row.names("recipe")[0]: row.cells["calls"] for row in rows}
    assert stated == {
        **{name: str(recipe.calls) for name, recipe in built_in.items()},
        **dict.fromkeys(MADE_HERE, ""),
    }


def test_the_recipe_that_starts_is_chosen_in_the_order_given() -> None:
    [text] = [
        section.text for section in guide.page("config").sections if section.heading == "Which recipe starts"
    ]
    order = ", ".join(f"`{name}`" for name in PREFERRED_RECIPES)
    assert order in " ".join(text.split())


def test_every_provider_is_in_the_table() -> None:
    rows = reading.rows("provider")
    # One provider by two names of litellm's.
    same((row.names("provider")[0] for row in rows), KEY_VARIABLES.keys() - {"cohere_chat"})
    for row in rows:
        [provider] = row.names("provider")
        assert row.names("variable") == [KEY_VARIABLES[provider][0]]
        assert row.names("recipe for this key alone") == [provider] * (provider in ONE_KEY_RECIPES)


def test_the_simulated_models_exist() -> None:
    named = {name for page in guide.pages() for name in re.findall(r"\bdemo/[a-z]+", page.text)}
    assert named <= set(MODELS)
    assert len(named) > 5


def test_every_local_server_is_in_the_table() -> None:
    servers = default_servers({})
    assert [row.names("server")[0] for row in reading.rows("server")] == [server.name for server in servers]
    assert [row.names("address")[0] for row in reading.rows("server")] == [server.url for server in servers]


def test_every_theme_is_in_the_table() -> None:
    same(
        (name for row in reading.rows("theme") for name in row.names("theme")),
        themes.load(themes.shipped_dir())[0],
    )


def test_every_export_format_is_in_the_table() -> None:
    same((name for row in reading.rows("format") for name in row.names("format")), FORMATS)


def test_every_state_is_in_the_table() -> None:
    words = {"excluded": "left out"}
    existing = {(glyph, words.get(state, state)) for state, glyph in GLYPHS.items()}
    assert {(row.names("sign")[0], row.cells["state"]) for row in reading.rows("sign")} == existing


# What comes out


def test_the_exit_codes_are_all_told() -> None:
    source = (PACKAGE / "cli" / "signals.py").read_text(encoding="utf-8")
    signals = set(re.findall(r'"(SIG[A-Z]+)"', source))
    assert signals == {"SIGINT", "SIGTERM", "SIGHUP"}
    existing = {headless.ANSWERED, headless.FAILED, 2, 128 + 2, 128 + 15, 128 + 1}
    same((int(row.cells["exit code"]) for row in reading.rows("exit code")), existing)


def test_every_kind_of_failure_is_in_the_table() -> None:
    same((name for row in reading.rows("kind") for name in row.names("kind")), get_args(FailureKind))


def test_every_event_is_in_the_table() -> None:
    source = (PACKAGE / "formats" / "json_writer.py").read_text(encoding="utf-8")
    existing = set(re.findall(r'"event": "(\w+)"', source))
    same((name for row in reading.rows("event") for name in row.names("event")), existing)


def test_every_variable_of_moa_tui_is_named_and_exists() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    existing = set(re.findall(r"\bMOA_TUI_[A-Z_]+\b", sources))
    text = "\n".join(page.text for page in guide.pages())
    assert set(re.findall(r"\bMOA_TUI_[A-Z_]+\b", text)) == existing
    same(
        (
            name
            for row in reading.rows("variable")
            for name in row.names("variable")
            if name.startswith("MOA_TUI_")
        ),
        existing,
    )


def texts_of_the_program() -> list[str]:
    """Every text in the program's code, with `\\0` where a value stands in it."""
    texts = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "\0" for part in node.values]
                texts.append("".join(str(part) for part in parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return texts


def test_messages_are_quoted_as_the_program_writes_them() -> None:
    texts = texts_of_the_program()
    unknown = []
    for row in reading.rows("message"):
        for message in row.names("message"):
            pieces = [piece.strip() for piece in message.split("…")]
            unknown += [piece for piece in pieces if piece and not any(piece in text for text in texts)]
    assert not unknown
