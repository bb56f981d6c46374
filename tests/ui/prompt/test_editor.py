"""The prompt in the person's own editor."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

import pytest
from textual.app import App

from moa_tui.errors import UsageError
from moa_tui.settings import leftovers
from moa_tui.ui.prompt import editor
from moa_tui.ui.prompt.editor import edit

if TYPE_CHECKING:
    from collections.abc import Iterator


class Host(App[None]):
    """An app on a terminal that can be given away, which the one of a test cannot."""

    suspended = 0

    @contextmanager
    def suspend(self) -> Iterator[None]:
        self.suspended += 1
        yield


def editor_that(tmp_path: Path, code: str) -> str:
    """A command that runs `code` with the file in `path`."""
    script = tmp_path / "my editor.py"
    script.write_text(f"import sys, pathlib\npath = pathlib.Path(sys.argv[-1])\n{code}\n")
    return shlex.join([sys.executable, str(script), "--wait"])


@pytest.mark.program
def test_what_the_editor_leaves_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", editor_that(tmp_path, "path.write_text(path.read_text() + ' and more\\n')"))
    monkeypatch.setenv("EDITOR", "not-this-one")
    app = Host()
    assert edit(app, "some text") == "some text and more"
    assert app.suspended == 1


@pytest.mark.program
def test_the_file_is_private_named_as_markdown_and_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    code = f"pathlib.Path({str(seen)!r}).write_text(f'{{path}}\\n{{path.stat().st_mode}}')"
    monkeypatch.setenv("EDITOR", editor_that(tmp_path, code))
    monkeypatch.delenv("VISUAL", raising=False)
    edit(Host(), "secret")
    path, mode = seen.read_text().splitlines()
    assert stat.S_IMODE(int(mode)) == 0o600
    assert path.endswith(".md")
    assert not Path(path).exists()
    assert not Path(path).parent.exists()


@pytest.mark.program
@pytest.mark.parametrize("code", ["", "path.write_text(path.read_text() + '\\n')"])
def test_nothing_comes_back_where_nothing_was_changed(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", editor_that(tmp_path, code))
    assert edit(Host(), "some text\nof two lines") is None


@pytest.mark.program
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("sys.exit(3)", r"\$VISUAL: .*exit code 3"),
        ("path.unlink()", r"\$VISUAL: .*cannot be read"),
        ("path.write_bytes(b'\\xff')", r"\$VISUAL: .*cannot be read"),
    ],
)
def test_an_editor_that_fails_is_named_with_its_variable(
    code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", editor_that(tmp_path, code))
    with pytest.raises(UsageError, match=message):
        edit(Host(), "text")


@pytest.mark.program
@pytest.mark.parametrize("value", ["no-such-editor", "an 'open quote"])
def test_an_editor_that_cannot_be_run_is_named_with_its_variable(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", value)
    with pytest.raises(UsageError, match=r"\$EDITOR"):
        edit(Host(), "text")


def test_without_any_editor_both_variables_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", " ")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"\$VISUAL or \$EDITOR"):
        edit(Host(), "text")


@pytest.mark.program
def test_a_usual_editor_is_taken_where_no_variable_is_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    usual = tmp_path / "vi"
    usual.write_text(
        f"#!{sys.executable}\nimport sys, pathlib\npathlib.Path(sys.argv[1]).write_text('by vi')\n"
    )
    usual.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert edit(Host(), "text") == "by vi"


async def test_a_terminal_that_cannot_be_given_away_is_said_to_be_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VISUAL", "true")
    app: App[None] = App()
    async with app.run_test():
        with pytest.raises(UsageError, match="this terminal"):
            edit(app, "text")


@pytest.mark.program
def test_an_interrupt_meant_for_the_editor_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import os, signal; os.kill(os.getppid(), signal.SIGINT); path.write_text('done')"
    monkeypatch.setenv("VISUAL", editor_that(tmp_path, code))
    # A shell that runs the tests behind it has interrupts ignored.
    before = editor.signal.getsignal(editor.signal.SIGINT)
    assert edit(Host(), "text") == "done"
    assert editor.signal.getsignal(editor.signal.SIGINT) is before


@pytest.mark.parametrize("names", [["runtime"], ["gone"], ["relative"]])
def test_the_text_is_where_nothing_reaches_the_disk_as_far_as_there_is_such_a_place(
    names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "runtime" if names == ["relative"] else str(tmp_path / names[0]))
    memory = [place for place in (Path("/dev/shm"),) if os.access(place, os.W_OK)]
    assert (
        editor._places()[0] == [*([runtime] if names == ["runtime"] else []), *memory, Path(gettempdir())][0]
    )
    with editor._folder() as folder:
        assert folder.parent == editor._places()[0]
        if os.name != "nt":
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be asked for there")
def test_a_text_that_was_left_in_an_editor_goes_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with editor._folder() as folder:
        editor.drop_left_behind()
        assert folder.exists(), "it is being edited"
    monkeypatch.setattr(os, "getpid", lambda: 2**22 + 1)  # No process has that number.
    left = tmp_path / leftovers.name("moa-tui-editor-")
    left.mkdir()
    (left / "prompt.md").write_text("a secret")
    editor.drop_left_behind()
    assert not left.exists()
