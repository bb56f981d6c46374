"""The pages for contributors name what exists, and the shapes they promise are kept."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

import moa_tui

PACKAGE = Path(moa_tui.__file__).parent
REPOSITORY = PACKAGE.parent
PAGE = (PACKAGE / "ARCHITECTURE.md").read_text(encoding="utf-8")
MOST_METHODS, MOST_SCREEN_LINES, MOST_CONTROLLER_LINES = 45, 300, 250


def named() -> set[str]:
    """What the page names as `room.module.thing`, or as a room alone in its table."""
    dotted = set(re.findall(r"`([a-z_]+(?:\.\w+)+)`", PAGE))
    return {name for name in dotted if not name.endswith((".py", ".md", ".toml", ".tcss"))}


def exists(name: str) -> bool:
    """True where `name` is a module below the package, or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            thing: object = importlib.import_module(".".join(["moa_tui", *parts[:length]]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(thing, part):
                return False
            thing = getattr(thing, part)
        return True
    return False


@pytest.mark.parametrize("name", sorted(named()))
def test_the_page_names_what_exists(name: str) -> None:
    assert exists(name)


def test_what_does_not_exist_is_noticed() -> None:
    assert not exists("engine.run.walk")
    assert not exists("engine.nothing")


def test_the_page_has_every_room() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert rooms <= set(re.findall(r"^\| `(\w+)`", PAGE, re.MULTILINE))


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:tests|ui|recipes|formats)/[\w/.]*)`", PAGE))))
def test_the_page_names_files_that_are_there(path: str) -> None:
    assert (REPOSITORY / path).exists() or (PACKAGE / path).exists()


# Shapes


def classes(folder: Path) -> dict[str, ast.ClassDef]:
    """Every class defined in the modules of a folder, by its name."""
    return {
        node.name: node
        for file in folder.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    }


def lines(node: ast.ClassDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_class_of_the_screens_inherits_from_two_of_ours() -> None:
    ours = classes(PACKAGE)
    for node in classes(PACKAGE / "ui").values():
        bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id in ours]
        assert len(bases) <= 1, f"{node.name} inherits from {', '.join(bases)}"


def test_the_chat_screen_is_small_and_inherits_nothing_of_ours() -> None:
    screen = classes(PACKAGE / "ui" / "chat")["ChatScreen"]
    methods = [node for node in screen.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert [ast.unparse(base) for base in screen.bases] == ["Screen[None]"]
    assert len(methods) <= MOST_METHODS, "give a widget what the screen has no room for"
    assert lines(screen) <= MOST_SCREEN_LINES


def test_no_controller_is_long() -> None:
    for node in classes(PACKAGE / "ui" / "chat").values():
        if node.name != "ChatScreen":
            assert lines(node) <= MOST_CONTROLLER_LINES, node.name
