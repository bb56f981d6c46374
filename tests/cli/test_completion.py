"""What a shell completes: commands, recipes, conversations, models and pages of the guide."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from moa_tui.cli import main
from moa_tui.settings import paths
from tests.cli.shell import call, kept
from tests.conversations import a_conversation

if TYPE_CHECKING:
    from pathlib import Path


def completed(line: str, **environ: str) -> dict[str, str]:
    """What zsh is offered for the last word of `line`, each with its help."""
    words = line.split(" ")
    done = CliRunner(
        env={
            "_MOA_TUI_COMPLETE": "zsh_complete",
            "COMP_WORDS": " ".join(words),
            "COMP_CWORD": str(len(words) - 1),
            **environ,
        }
    ).invoke(main, prog_name="moa-tui")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    return dict(zip(lines[1::3], lines[2::3], strict=True))


def test_commands_and_options() -> None:
    assert "completion" in completed("moa-tui comp")
    assert "--dry-run" in completed("moa-tui ask --d")


def test_it_does_not_matter_as_what_the_program_was_started() -> None:
    environ = {"_MOA_TUI_COMPLETE": "bash_complete", "COMP_WORDS": "moa-tui comp", "COMP_CWORD": "1"}
    done = CliRunner(env=environ).invoke(main, prog_name="python -m moa_tui")
    assert done.stdout == "plain,completion\n"


def test_recipes_by_name() -> None:
    assert set(completed("moa-tui -r du")) == {"duo"}
    assert {"local", "slim", "moa"} <= set(completed("moa-tui ask --recipe "))
    assert set(completed("moa-tui recipes show mo")) >= {"moa", "moa-lite"}


def test_recipes_of_ones_own() -> None:
    paths.recipes_dir().mkdir(parents=True)
    (paths.recipes_dir() / "mine.toml").write_text("", encoding="utf-8")
    (paths.recipes_dir() / "my own; rm.toml").write_text("", encoding="utf-8")
    assert set(completed("moa-tui -r m")) >= {"mine", "moa"}
    assert "my own; rm" not in completed("moa-tui -r my")


def test_conversations_by_id_and_by_a_word_of_the_title() -> None:
    conversation = a_conversation(title="Trip to the\x1b[31m Alps")
    kept(conversation)
    offered = completed("moa-tui -s ")
    assert list(offered) == [conversation.id]
    assert offered[conversation.id].startswith("Trip to the")
    assert "\x1b" not in offered[conversation.id]
    for line in (
        f"moa-tui sessions show {conversation.id[:3]}",
        "moa-tui ask -s alp",
        "moa-tui sessions delete tri",
    ):
        assert list(completed(line)) == [conversation.id]
    assert completed("moa-tui -s berlin") == {}


def test_nothing_is_made_where_nothing_was_kept() -> None:
    assert completed("moa-tui -s ") == {}
    assert not paths.database_file().exists()


def test_a_damaged_database_completes_nothing() -> None:
    paths.database_file().parent.mkdir(parents=True, exist_ok=True)
    paths.database_file().write_bytes(b"no database at all" * 100)
    assert completed("moa-tui -s ") == {}


def test_models_of_providers_whose_key_is_set_come_first() -> None:
    without = completed("moa-tui ask -m ")
    assert "demo/terse" in without
    assert all(name.startswith("demo/") for name in without)
    assert any(
        name.startswith("mistral/") for name in completed("moa-tui ask -m mistral", MISTRAL_API_KEY="x")
    )
    # Without the key they are offered once they are asked for.
    assert any(name.startswith("mistral/") for name in completed("moa-tui ask -m mistral/"))


def test_pages_and_formats() -> None:
    assert "recipes" in completed("moa-tui guide rec")
    assert "html" in completed("moa-tui sessions export x -f h")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(shell: str) -> None:
    done = call("completion", shell)
    assert done.exit_code == 0
    assert f"_MOA_TUI_COMPLETE={shell}_complete" in done.stdout


def test_another_shell_is_refused() -> None:
    assert call("completion", "powershell").exit_code == 2


@pytest.mark.program
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_by_the_script(tmp_path: Path) -> None:
    program = tmp_path / "moa-tui"
    program.write_text(f"#!{sys.executable}\nfrom moa_tui.cli import main\n\nmain()\n", encoding="utf-8")
    program.chmod(0o755)
    lines = (
        f'export PATH="{tmp_path}:$PATH"',
        'eval "$(moa-tui completion bash)"',
        "complete -p moa-tui >/dev/null || exit 3",
        "COMP_WORDS=(moa-tui recipes explain du); COMP_CWORD=3",
        "_moa_tui_completion moa-tui",
        'printf "%s\\n" "${COMPREPLY[@]}"',
    )
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["duo"]
