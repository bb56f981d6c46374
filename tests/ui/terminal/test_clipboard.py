"""Copying: what the notice claims is what is known. The real clipboard is never touched."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pyperclip
import pytest
from textual.app import App

from moa_tui.ui.terminal import clipboard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SENT = "sent to the terminal's clipboard"


class Copying(App[None]):
    """An app that keeps what it was told to copy."""

    copied = ""

    def copy_to_clipboard(self, text: str) -> None:
        self.copied = text


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the system's clipboard was given, on this machine."""
    taken: list[str] = []
    replace(monkeypatch, taken.append)
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.delenv("SSH_TTY", raising=False)
    yield taken


def replace(monkeypatch: pytest.MonkeyPatch, copy: Callable[[str], Any]) -> None:
    monkeypatch.setattr(pyperclip, "copy", copy)


@pytest.mark.parametrize(
    ("text", "notice"),
    [
        ("x", "copied 1 character"),
        ("one line", "copied 8 characters"),
        ("one line\n", "copied 9 characters"),
        ("one\ntwo\n", "copied 2 lines"),
        ("", "copied 0 characters"),
    ],
)
async def test_the_notice_counts_what_the_systems_clipboard_took(
    system: list[str], text: str, notice: str
) -> None:
    app = Copying()
    assert await clipboard.copy(app, text) == notice
    assert system == [text]
    assert app.copied == text


@pytest.mark.parametrize("variable", ["SSH_CONNECTION", "SSH_TTY"])
async def test_over_ssh_the_remote_machines_clipboard_is_left_alone(
    system: list[str], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "/dev/pts/1")
    app = Copying()
    assert await clipboard.copy(app, "text") == SENT
    assert system == []
    assert app.copied == "text"


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize(
    "error", [pyperclip.PyperclipException("no clipboard"), FileNotFoundError("xclip"), TimeoutError()]
)
async def test_without_a_system_clipboard_the_terminals_is_named(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> None:
        raise error

    replace(monkeypatch, fail)
    app = Copying()
    assert await clipboard.copy(app, "text") == SENT
    assert app.copied == "text"


@pytest.mark.usefixtures("system")
async def test_a_bug_is_not_taken_for_a_missing_clipboard(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> None:
        raise KeyError("bug")

    replace(monkeypatch, fail)
    with pytest.raises(KeyError):
        await clipboard.copy(Copying(), "text")


@pytest.mark.usefixtures("system")
async def test_a_clipboard_that_hangs_is_given_up_and_would_not_hold_up_the_exit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()
    hanging: list[threading.Thread] = []

    def hang(_: str) -> None:
        hanging.append(threading.current_thread())
        release.wait(10)

    replace(monkeypatch, hang)
    monkeypatch.setattr(clipboard, "LIMIT_SECONDS", 0.02)
    assert await clipboard.copy(Copying(), "text") == SENT
    (thread,) = hanging
    assert thread.is_alive(), "it is given up while it still hangs"
    assert thread.daemon
    release.set()
    thread.join(5)
    assert not thread.is_alive()


async def test_half_a_character_is_replaced_rather_than_fatal(system: list[str]) -> None:
    app = Copying()
    assert await clipboard.copy(app, "a\ud83db") == "copied 3 characters"
    assert system == ["a?b"] == [app.copied]
