"""The commands that ask no model."""

from __future__ import annotations

import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moa_tui import __version__
from moa_tui.gateway import discovery
from moa_tui.gateway.discovery import LocalModel, LocalServer
from moa_tui.recipes import files
from moa_tui.settings import paths
from tests.cli.shell import call

if TYPE_CHECKING:
    from collections.abc import Callable

CANARY = "sk-canary-77aa10"


@pytest.fixture
def one_server(monkeypatch: pytest.MonkeyPatch) -> LocalServer:
    found = {"ollama": (LocalModel("qwen3:14b", 14), LocalModel("gemma3:4b", 4))}
    monkeypatch.delenv("MOA_TUI_LOCAL_SERVERS")
    monkeypatch.setattr(
        discovery, "_ask", lambda server, tell: tell(replace(server, models=found.get(server.name, ())))
    )
    return LocalServer("ollama", "http://127.0.0.1:11434", "ollama")


def test_version() -> None:
    assert call("--version").output == f"moa-tui {__version__}\n"


def test_the_chat_says_that_it_needs_a_terminal() -> None:
    done = call()
    assert done.exit_code == 2
    assert "the chat needs a terminal" in done.output
    assert "moa-tui ask" in done.output


def test_the_list_of_recipes_has_all_with_their_calls() -> None:
    lines = call("recipes", "list").output.splitlines()
    by_name = {line.split()[0]: line for line in lines}
    assert {"moa", "moa-lite", "duo", "demo", "local", "openrouter"} <= by_name.keys()
    assert "13 calls" in by_name["moa"]


def test_a_broken_recipe_does_not_hide_the_others() -> None:
    folder = paths.recipes_dir()
    folder.mkdir(parents=True)
    (folder / "broken.toml").write_text("name = ")
    (folder / "mine.toml").write_text('name = "mine"\n[[layers]]\nagents = [{ model = "demo/terse" }]\n')
    done = call("recipes", "list")
    assert done.exit_code == 1
    assert "(yours)" in done.output
    assert "broken.toml" in done.output


def test_a_recipe_can_be_shown_copied_changed_and_checked() -> None:
    assert 'name = "duo"' in call("recipes", "show", "duo").output
    made = call("recipes", "new", "mine", "--from", "moa-lite")
    path = Path(made.output.strip())
    assert files.load("mine", paths.recipes_dir()).name == "mine"
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for folder in (path.parent, path.parent.parent):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    again = call("recipes", "new", "mine")
    assert again.exit_code == 2
    assert "left as it is" in again.output
    checked = call("recipes", "check", "mine")
    assert checked.exit_code == 0
    assert "mine: valid, 2 layers, 7 calls" in checked.output
    assert "TOGETHERAI_API_KEY is not set" in checked.output
    path.write_text(path.read_text().replace("fallback", "falback"))
    wrong = call("recipes", "check", str(path))
    assert wrong.exit_code == 2
    assert 'did you mean "fallback"?' in wrong.output


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "local", "slim", ".hidden", "x" * 80])
def test_a_recipes_name_cannot_leave_its_folder(name: str) -> None:
    assert call("recipes", "new", name).exit_code == 2


def test_the_local_recipe_is_shown_as_it_would_be_made(one_server: LocalServer) -> None:
    shown = call("recipes", "show", "local").output
    path = paths.config_file().parent / "shown.toml"
    path.parent.mkdir(parents=True)
    path.write_text(shown)
    recipe = files.read(path)
    assert [agent.name for agent in recipe.lineup[0]] == ["gemma3:4b", "qwen3:14b"]
    assert recipe.lineup[1][0].model == "ollama_chat/qwen3:14b"


@pytest.mark.usefixtures("one_server")
def test_slim_is_made_of_the_models_that_are_there() -> None:
    shown = call("recipes", "explain", "slim")
    assert shown.exit_code == 0, shown.output
    assert "qwen3:14b" in shown.output
    assert "llama3.1" not in shown.output, "no model that no server lists"
    assert [line for line in call("recipes", "list").output.splitlines() if line.startswith("slim ")]


def test_a_server_that_loads_its_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(server: LocalServer, tell: Callable[[LocalServer], None]) -> None:
        if server.name == "llama.cpp":
            tell(replace(server, state="loading"))

    monkeypatch.delenv("MOA_TUI_LOCAL_SERVERS")
    monkeypatch.setattr(discovery, "_ask", ask)
    shown = call("ask", "-r", "local", "hello")
    assert shown.exit_code == 1
    assert "llama.cpp at http://127.0.0.1:8080/v1 is still loading its model" in shown.output
    report = call("doctor").output
    assert "llama.cpp at http://127.0.0.1:8080/v1 is still loading its model" in report
    assert "recipe       demo:" in report


@pytest.mark.usefixtures("no_servers")
def test_the_local_recipe_says_what_to_start_where_nothing_runs() -> None:
    done = call("recipes", "show", "local")
    assert done.exit_code == 1
    assert "Start Ollama" in done.output


def test_doctor_says_what_would_run_and_why(one_server: LocalServer) -> None:
    done = call("doctor")
    assert done.exit_code == 0, done.output
    assert f"moa-tui      {__version__}" in done.output
    assert "ollama at http://127.0.0.1:11434: qwen3:14b, gemma3:4b" in done.output
    assert "recipe       local:" in done.output
    assert str(paths.data_dir()) in done.output


@pytest.mark.usefixtures("no_servers")
def test_doctor_names_keys_and_never_shows_them() -> None:
    done = call("doctor", OPENAI_API_KEY=CANARY)
    assert "✓ OPENAI_API_KEY (openai)" in done.output
    assert "recipe       openai: the first built-in recipe whose keys are all set" in done.output
    assert CANARY not in done.output


@pytest.mark.usefixtures("no_servers")
def test_doctor_says_which_local_servers_are_looked_for() -> None:
    assert "no answer: ollama (http://127.0.0.1:11434), lm-studio (" in call("doctor").output
    some = call("doctor", MOA_TUI_LOCAL_SERVERS="vllm")
    assert "no answer: vllm (http://127.0.0.1:8000/v1)\n" in some.output
    none = call("doctor", MOA_TUI_LOCAL_SERVERS="none")
    assert "none are looked for: MOA_TUI_LOCAL_SERVERS is none" in none.output
    wrong = call("doctor", MOA_TUI_LOCAL_SERVERS="vllm,olama")
    assert wrong.exit_code == 1
    assert "MOA_TUI_LOCAL_SERVERS: no local server is called olama" in wrong.output


@pytest.mark.usefixtures("no_servers")
def test_doctor_tells_problems_and_fails() -> None:
    path = paths.config_file()
    path.parent.mkdir(parents=True)
    path.write_text('default_recipe = "nothing"\n')
    done = call("doctor")
    assert done.exit_code == 1
    assert 'no recipe is called "nothing"' in done.output
    path.write_text("broken = [")
    broken = call("doctor")
    assert broken.exit_code == 1
    assert f"{path}: not valid TOML" in broken.output


@pytest.mark.usefixtures("no_servers")
def test_doctor_shows_the_endpoints_of_the_config_and_doubts_an_address() -> None:
    path = paths.config_file()
    path.parent.mkdir(parents=True)
    path.write_text(
        '[endpoints.lab]\nbase_url = "http://127.0.0.1:1/v1"\ncontext_tokens = 8192\nsystem_role = false\n'
        '[endpoints.odd]\nbase_url = "http://127.0.0.1:1/v1/chat/completions"\n'
    )
    lines = call("doctor").output.splitlines()
    assert "  lab        http://127.0.0.1:1/v1, context_tokens = 8192, system_role = false" in lines
    odd = lines.index("  odd        http://127.0.0.1:1/v1/chat/completions")
    assert "Write http://127.0.0.1:1/v1," in lines[odd + 1]


@pytest.mark.usefixtures("no_servers")
def test_doctor_names_a_variable_that_keeps_every_connection_from_being_made(tmp_path: Path) -> None:
    done = call("doctor", SSLKEYLOGFILE=str(tmp_path), REQUESTS_CA_BUNDLE="/etc/corporate.pem")
    assert done.exit_code == 1
    assert f"✗ SSLKEYLOGFILE names {tmp_path}, which cannot be written" in done.output
    assert "  REQUESTS_CA_BUNDLE is not looked at; name its file in SSL_CERT_FILE" in done.output


@pytest.mark.program
def test_config_path_show_and_edit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = paths.config_file()
    assert call("config", "path").output.strip() == str(path)
    assert "(not there: defaults)" in call("config", "show").output
    editor = tmp_path / "editor.py"
    editor.write_text(
        "import pathlib, sys\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "assert '# default_recipe' in path.read_text()\n"
        'path.write_text(\'default_recipe = "duo"\\n[endpoints.lab]\\nbase_url = "http://127.0.0.1:1/v1"\\n\')\n'
    )
    monkeypatch.setenv("VISUAL", f'"{sys.executable}" "{editor}"')
    edited = call("config", "edit")
    assert edited.exit_code == 0, edited.output
    shown = call("config", "show").output
    assert 'default_recipe = "duo"' in shown
    assert "[endpoints.lab]" in shown
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.program
def test_a_config_that_is_wrong_after_editing_is_explained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    editor = tmp_path / "editor.py"
    editor.write_text("import pathlib, sys\npathlib.Path(sys.argv[1]).write_text('endpoint = 1')\n")
    monkeypatch.setenv("VISUAL", f'"{sys.executable}" "{editor}"')
    done = call("config", "edit")
    assert done.exit_code == 2
    assert 'did you mean "endpoints"?' in done.output


def test_a_recipe_is_explained_with_calls_depth_and_price() -> None:
    done = call("recipes", "explain", "council")
    assert done.exit_code == 0
    assert done.output.startswith("council: 9 calls at most, depth 3, about $")
    assert "●  ●  ●  ●" in done.output
    assert "L2 rank, 4 calls" in done.output
    assert call("recipes", "explain", "nothing").exit_code == 2
