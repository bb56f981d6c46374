"""Who imports whom, seen from outside: what is in sys.modules after a command has run."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

import moa_tui
from tests.e2e.terminal import Terminal

pytestmark = pytest.mark.program

HEAVY = {"litellm", "textual", "openai", "jsonschema"}


def modules_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sorted(sys.modules), sep='\\n', file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stderr.split())


def command(*arguments: str) -> str:
    return f"""
from moa_tui.cli import main
try:
    main({list(arguments)!r}, standalone_mode=False)
except SystemExit:
    pass
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("recipes", "list"),
        ("recipes", "show", "moa"),
        ("recipes", "check", "moa"),
        ("config", "show"),
        ("config", "path"),
        ("guide",),
        ("guide", "-s", "keys"),
        ("ask", "--dry-run", "-r", "moa", "hi"),
    ],
    ids=" ".join,
)
def test_commands_that_ask_no_model_import_neither_textual_nor_litellm(arguments: tuple[str, ...]) -> None:
    assert not HEAVY & modules_after(command(*arguments))


@pytest.mark.parametrize("flag", ["--version", "--help"])
def test_the_quickest_commands_import_hardly_anything(flag: str) -> None:
    loaded = modules_after(command(flag))
    assert not (HEAVY | {"pydantic", "rich", "asyncio"}) & loaded


def test_the_engine_stands_alone() -> None:
    loaded = modules_after("import moa_tui.engine.run, moa_tui.engine.recipe, moa_tui.engine.plan")
    ours = {name for name in loaded if name.startswith("moa_tui")}
    assert all(name in ("moa_tui", "moa_tui.errors") or name.startswith("moa_tui.engine") for name in ours)
    assert not (HEAVY | {"rich", "click", "platformdirs"}) & loaded


def test_the_chat_needs_no_screen_and_no_models() -> None:
    root = Path(moa_tui.__file__).parent / "chat"
    modules = ["moa_tui.chat", *(f"moa_tui.chat.{file.stem}" for file in root.glob("[!_]*.py"))]
    assert "moa_tui.chat.session" in modules
    loaded = modules_after(f"import {', '.join(modules)}")
    assert not HEAVY & loaded
    assert not [name for name in loaded if name.startswith(("moa_tui.ui", "moa_tui.cli"))]


def test_the_demo_needs_no_litellm(tmp_path: Path) -> None:
    recipe = tmp_path / "fast.toml"
    recipe.write_text(
        'name = "fast"\n[defaults]\nextra = { tokens_per_second = 100000 }\n'
        '[[layers]]\nagents = [{ model = "demo/terse" }]\n'
    )
    assert not HEAVY & modules_after(command("ask", "-q", "-r", str(recipe), "hi"))


def test_the_chat_in_lines_needs_no_screen(tmp_path: Path) -> None:
    recipe = tmp_path / "fast.toml"
    recipe.write_text(
        'name = "fast"\n[defaults]\nextra = { tokens_per_second = 100000 }\n'
        '[[layers]]\nagents = [{ model = "demo/terse" }]\n'
    )
    typed = "import io\nsys.stdin = io.StringIO('hi\\n/show 1\\n/stats\\n/help\\n')"
    loaded = modules_after(f"{typed}\n{command('chat', '--plain', '-r', str(recipe))}")
    assert "moa_tui.plain.program" in loaded
    assert not HEAVY & loaded
    assert not [name for name in loaded if name.startswith("moa_tui.ui")]


def test_litellm_is_loaded_in_the_background_when_told_to_warm_up() -> None:
    code = """
import threading
from moa_tui.gateway.thread import EngineThread
EngineThread().warm_up()
for thread in threading.enumerate():
    if thread.name == "moa-warm-up":
        thread.join(60)
"""
    assert "litellm" in modules_after(code)


def test_the_engine_imports_no_package_but_pydantic() -> None:
    graph = grimp.build_graph("moa_tui", include_external_packages=True, cache_dir=None)
    engine = {"moa_tui.engine", *graph.find_descendants("moa_tui.engine")}
    imported = {name for module in engine for name in graph.find_modules_directly_imported_by(module)}
    others = {name for name in imported if not name.startswith("moa_tui.engine")}
    assert others - sys.stdlib_module_names == {"moa_tui.errors", "pydantic"}


def test_every_package_says_what_it_is_for() -> None:
    root = Path(moa_tui.__file__).parent
    for file in root.rglob("*/__init__.py"):
        lines = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").splitlines()
        assert len(lines) >= 3, f"{file.relative_to(root)}: {lines}"


# What the first frame of the chat does without: modules, and with a dot all that is in a package.
NOT_IN_THE_FIRST_FRAME = (
    *("litellm", "openai", "httpx", "markdown_it", "linkify_it", "pygments", "rich.traceback", "rich.syntax"),
    *("filelock", "http.client", "html", "pyperclip", "statistics", "attr"),
    *("moa_tui.ui.screens.", "moa_tui.ui.run.inspector_rows", "moa_tui.ui.rows.markdown_rows"),
    *("moa_tui.engine.run", "moa_tui.engine.call", "moa_tui.engine.layer_run", "moa_tui.engine.selection"),
    *("moa_tui.engine.recipe_edit", "moa_tui.engine.prompts", "moa_tui.chat.changes"),
    *("moa_tui.formats.", "moa_tui.stats.", "moa_tui.store.reader", "moa_tui.store.figures"),
    *("moa_tui.gateway.demo", "moa_tui.gateway.discovery", "moa_tui.gateway.refusals", "moa_tui.gateway.tls"),
    *("moa_tui.gateway.sanitize", "moa_tui.gateway.think", "moa_tui.gateway.litellm_stream"),
)
PACKAGES_WITH_STAND_INS = {
    *("moa_tui.ui.screens.guard", "moa_tui.ui.screens.compare", "moa_tui.ui.screens.inspect"),
    *("moa_tui.ui.screens.recipes", "moa_tui.ui.screens.sessions"),
}
AFTER_THE_FIRST_FRAME = """
import gc, os, sys
from moa_tui import deferred
install = deferred.install

def write_and_leave(screen):
    stand_ins = {name for name, module in sys.modules.items() if type(module) is deferred._StandIn}
    with open(os.environ["MODULES"], "w") as file:
        file.write("\\n".join(sys.modules.keys() - stand_ins))
    os._exit(0 if gc.isenabled() else 1)

def install_and_watch():
    install()
    from moa_tui.ui.chat.screen import ChatScreen
    ChatScreen._after_first_paint = write_and_leave

deferred.install = install_and_watch
from moa_tui.cli import main
main(["-r", "demo"])
"""


@pytest.mark.terminal
def test_the_first_frame_imports_only_what_it_shows(tmp_path: Path) -> None:
    modules = tmp_path / "modules"
    environ = {**os.environ, "MODULES": str(modules), "TERM": "xterm-256color"}
    with Terminal([sys.executable, "-c", AFTER_THE_FIRST_FRAME], environ, (100, 30)) as terminal:
        assert terminal.process.wait(timeout=30) == 0, terminal.text
        assert "sk anything" in terminal.written
    loaded = set(modules.read_text().split())
    assert "moa_tui.ui.chat.screen" in loaded
    too_early = {
        name
        for name in loaded - PACKAGES_WITH_STAND_INS
        for left_out in NOT_IN_THE_FIRST_FRAME
        if name == left_out or name.startswith(f"{left_out.rstrip('.')}.")
    }
    assert not too_early
